/* SPDX-License-Identifier: GPL-2.0-only */
#include "image_node.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control.h"
#include "daemon.h"
#include "image_job.h"
#include "upgrade_paths.h"

#define BUNDLE_MAX (INT64_C(1) << 31)

json_t *image_node_status(const struct daemon *d)
{
	struct image_job job;
	struct upgrade upgrade;
	json_t *image;

	if (upgrade_look(&upgrade, upgrade_paths_here(), &disk_real))
		return NULL;
	image = json_pack("{s:s, s:s, s:b, s:s, s:s, s:s}", "version", upgrade.version, "slot",
			  slot_names[upgrade.running], "trial", (int)upgrade_is_trial(&upgrade),
			  "phase", upgrade_phase_names[upgrade.record.last.phase], "written",
			  upgrade.record.last.version, "reason", upgrade.record.last.reason);
	if (image && !image_job_look(d->paths.run_dir, &job))
		json_object_set_new(image, "job", image_job_json(&job));
	return image;
}

/* ---- the bundle ---- */

/* 0: *ret_data are *ret_len bytes, free() them. */
static int decode(json_t *request, unsigned char **ret_data, size_t *ret_len)
{
	json_t *text = json_object_get(request, "data");
	const size_t len = json_string_length(text);
	const char *base64 = json_string_value(text);
	unsigned char *data;
	int n;

	if (!base64 || !len || len % 4)
		return -EBADMSG;
	data = malloc(len / 4 * 3);
	if (!data)
		return -ENOMEM;
	n = EVP_DecodeBlock(data, (const unsigned char *)base64, (int)len);
	if (n < 0) {
		free(data);
		return -EBADMSG;
	}
	*ret_data = data;
	*ret_len = (size_t)n - (base64[len - 1] == '=') - (base64[len - 2] == '=');
	return 0;
}

static int put(const char *path, off_t offset, const unsigned char *data, size_t len)
{
	const int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | (offset ? 0 : O_CREAT), 0600);
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (!offset && ftruncate(fd, 0))
		rc = -errno;
	/* Said twice, as an answer got lost: the same again. */
	if (!rc && (fstat(fd, &st) || st.st_size < offset))
		rc = -ESPIPE;
	for (size_t done = 0; !rc && done < len;) {
		const ssize_t n = pwrite(fd, data + done, len - done, offset + (off_t)done);

		if (n < 0 && errno != EINTR)
			rc = -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	if (close(fd) && !rc)
		rc = -errno;
	return rc;
}

json_t *image_node_put(const struct daemon *d, json_t *request)
{
	const json_int_t offset = json_integer_value(json_object_get(request, "offset"));
	unsigned char *data = NULL;
	char path[PATH_MAX];
	size_t len = 0;
	int rc = decode(request, &data, &len);

	if (!rc && (offset < 0 || offset > BUNDLE_MAX))
		rc = -EFBIG;
	if (!rc)
		rc = image_job_bundle(d->paths.state_dir, path);
	if (!rc)
		rc = put(path, offset, data, len);
	free(data);
	return rc ? control_error("the bundle cannot be put down: %s", strerror(-rc))
		  : json_pack("{s:b}", "ok", 1);
}

/* ---- jobs ---- */

static json_t *ask(const struct daemon *d, json_t *request, uint64_t run, enum image_job_kind kind)
{
	const char *version = json_string_value(json_object_get(request, "image"));
	struct image_job job = { .run = run,
				 .kind = kind,
				 .older = json_is_true(json_object_get(request, "older")) };
	int rc;

	if (!version || bundle_version_check(version))
		return control_error("a version is asked for");
	snprintf(job.version, sizeof(job.version), "%s", version);
	rc = image_job_ask(d->paths.run_dir, &job);
	return rc ? control_error("%s: %s", d->paths.run_dir, strerror(-rc))
		  : json_pack("{s:b}", "ok", 1);
}

json_t *image_node_write(const struct daemon *d, json_t *request, uint64_t run)
{
	return ask(d, request, run, IMAGE_JOB_WRITE);
}

json_t *image_node_try(const struct daemon *d, json_t *request, uint64_t run)
{
	return ask(d, request, run, IMAGE_JOB_TRY);
}

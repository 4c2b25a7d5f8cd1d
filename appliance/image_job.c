/* SPDX-License-Identifier: GPL-2.0-only */
#include "image_job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "pair_message.h"

#define JOB "image-job.json"
#define TOLD "image-told.json"
#define SIZE_MAX_BYTES 4096

const char *const image_job_kinds[IMAGE_JOB_KIND_MAX] = {
	[IMAGE_JOB_WRITE] = "write",
	[IMAGE_JOB_TRY] = "try",
};

const char *const image_job_states[IMAGE_JOB_STATE_MAX] = {
	[IMAGE_JOB_ASKED] = "asked",
	[IMAGE_JOB_RUNNING] = "running",
	[IMAGE_JOB_DONE] = "done",
	[IMAGE_JOB_FAILED] = "failed",
};

int image_job_bundle(const char *state_dir, char path[static PATH_MAX])
{
	return snprintf(path, PATH_MAX, "%s/image.bundle", state_dir) < PATH_MAX ? 0
										 : -ENAMETOOLONG;
}

json_t *image_job_json(const struct image_job *job)
{
	return json_pack("{s:o, s:s, s:s, s:b, s:s, s:s}", "run", pair_number_new(job->run), "job",
			 image_job_kinds[job->kind], "state", image_job_states[job->state], "older",
			 (int)job->older, "version", job->version, "reason", job->reason);
}

static size_t index_of(const char *word, const char *const *names, size_t n)
{
	size_t i = 0;

	while (i < n && (!word || strcmp(word, names[i])))
		i++;
	return i;
}

static int parse(const char *text, size_t len, struct image_job *ret_job)
{
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const char *version = json_string_value(json_object_get(root, "version"));
	const char *reason = json_string_value(json_object_get(root, "reason"));
	struct image_job job = { 0 };
	int rc = pair_number_get(root, "run", &job.run);

	job.kind = (enum image_job_kind)index_of(json_string_value(json_object_get(root, "job")),
						 image_job_kinds, IMAGE_JOB_KIND_MAX);
	job.state =
		(enum image_job_state)index_of(json_string_value(json_object_get(root, "state")),
					       image_job_states, IMAGE_JOB_STATE_MAX);
	job.older = json_is_true(json_object_get(root, "older"));
	snprintf(job.version, sizeof(job.version), "%s", version ? version : "");
	snprintf(job.reason, sizeof(job.reason), "%s", reason ? reason : "");
	json_decref(root);
	if (rc || job.kind == IMAGE_JOB_KIND_MAX || job.state == IMAGE_JOB_STATE_MAX)
		return -EBADMSG;
	*ret_job = job;
	return 0;
}

static int load(const char *dir, const char *name, bool take, struct image_job *ret_job)
{
	char path[PATH_MAX], text[SIZE_MAX_BYTES];
	size_t len = 0;
	int fd, rc;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= PATH_MAX)
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	rc = file_read(fd, text, sizeof(text), &len);
	close(fd);
	if (!rc && take && unlink(path))
		rc = -errno;
	return rc ? rc : parse(text, len, ret_job);
}

static int store(const char *dir, const char *name, const struct image_job *job)
{
	json_t *root = image_job_json(job);
	char path[PATH_MAX], *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	int rc = text ? 0 : -ENOMEM;

	if (!rc && snprintf(path, sizeof(path), "%s/%s", dir, name) >= PATH_MAX)
		rc = -ENAMETOOLONG;
	if (!rc)
		rc = file_replace(path, text, strlen(text), 0600);
	free(text);
	json_decref(root);
	return rc;
}

int image_job_ask(const char *run_dir, const struct image_job *job)
{
	/* What is told first: it must not be taken and told of in between. */
	const int rc = store(run_dir, TOLD, job);

	return rc ? rc : store(run_dir, JOB, job);
}

int image_job_take(const char *run_dir, struct image_job *ret_job)
{
	return load(run_dir, JOB, true, ret_job);
}

int image_job_tell(const char *run_dir, const struct image_job *job)
{
	return store(run_dir, TOLD, job);
}

int image_job_look(const char *run_dir, struct image_job *ret_job)
{
	return load(run_dir, TOLD, false, ret_job);
}

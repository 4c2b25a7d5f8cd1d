/* SPDX-License-Identifier: GPL-2.0-only */
#include "provision_cloud.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "cloud_http.h"
#include "provision_metadata.h"
#include "provision_volume.h"

/* The network may take long to come up at first; later there is nothing that waits for us. */
#define FIRST_MS 180000
#define LATER_MS 30000

/* The provisioning DVD has changing labels. */
static const char *const azure_types[] = { "udf", "iso9660", NULL };
static const struct provision_volume azure_volume = {
	"Azure",
	NULL,
	azure_types,
	provision_seed_read_ovf,
};

static void read_dmi_file(const char *sys, const char *name, char buf[static 64])
{
	char path[PATH_MAX], *text;
	size_t len;

	*buf = '\0';
	snprintf(path, sizeof(path), "%s/class/dmi/id/%s", sys, name);
	if (provision_file_read(path, &text, &len))
		return;
	/* sysfs says 4096 bytes, whatever there is. */
	snprintf(buf, 64, "%.*s", (int)strcspn(text, "\n"), text);
	free(text);
}

/* PROVISION_NONE: none that we know. */
static enum provision_cloud which_cloud(const struct provision_options *options)
{
	struct provision_dmi dmi;

	for (unsigned int i = 0; options->cloud && i <= PROVISION_CLOUD_MAX; i++) {
		if (!strcmp(options->cloud, provision_cloud_names[i]))
			return i;
	}
	if (options->cloud) {
		fprintf(stderr, "netpas-provision: '%.40s' is no cloud that is known here\n",
			options->cloud);
		return PROVISION_NONE;
	}
	read_dmi_file(options->sys, "sys_vendor", dmi.vendor);
	read_dmi_file(options->sys, "product_name", dmi.product);
	read_dmi_file(options->sys, "chassis_asset_tag", dmi.asset);
	read_dmi_file(options->sys, "product_uuid", dmi.uuid);
	read_dmi_file(options->sys, "bios_vendor", dmi.bios);
	return provision_cloud_detect(&dmi);
}

static bool is_first(const struct provision_options *options)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/provision/record.json", options->data);
	return access(path, F_OK);
}

/* Again every second while it can help. */
static int insist(const struct provision_options *options, struct provision_metadata *metadata,
		  struct provision_seed *seed)
{
	const struct timespec pause = { .tv_sec = 1 };
	const int64_t deadline = clock_now_ms() + (is_first(options) ? FIRST_MS : LATER_MS);
	int ret;

	for (;;) {
		ret = seed ? provision_metadata_read(metadata, seed)
			   : provision_metadata_ready(metadata);
		if (ret != -EAGAIN || clock_now_ms() >= deadline)
			return ret;
		if (seed)
			provision_seed_fini(seed);
		(void)nanosleep(&pause, NULL);
	}
}

/* The DVD besides: what IMDS does not have. */
static void add_dvd(const struct provision_options *options, struct provision_seed *seed)
{
	char reason[PROVISION_REASON_LEN] = "", source[sizeof(seed->source)];
	int ret;

	memcpy(source, seed->source, sizeof(source));
	ret = provision_volume_read(&azure_volume, options->sys, options->dev, seed, reason);
	memcpy(seed->source, source, sizeof(source));
	if (ret && ret != -ENODATA)
		fprintf(stderr, "netpas-provision: provisioning DVD: %s\n", reason);
}

static struct cloud_http *open_http(void)
{
	struct cloud_http *http = NULL;

	if (cloud_http_new(NULL, -1, &http))
		fprintf(stderr, "netpas-provision: out of memory\n");
	return http;
}

bool provision_cloud_here(const struct provision_options *options)
{
	return which_cloud(options) != PROVISION_NONE;
}

int provision_cloud_read(const struct provision_options *options, struct provision_seed *seed)
{
	struct provision_metadata metadata = {
		.cloud = which_cloud(options),
		.base = options->metadata,
		.wire = options->metadata,
		.exchange = cloud_http_exchange,
		.now_s = time(NULL),
	};
	struct cloud_http *http;
	int ret;

	if (metadata.cloud == PROVISION_NONE)
		return -ENODATA;
	http = open_http();
	if (!http)
		return -ENOMEM;
	metadata.data = http;
	ret = insist(options, &metadata, seed);
	cloud_http_free(http);
	if (ret)
		fprintf(stderr, "netpas-provision: %s: %s\n", seed->source,
			*metadata.error ? metadata.error : strerror(-ret));
	if (metadata.cloud == PROVISION_AZURE && ret != -ENOMEM) {
		add_dvd(options, seed);
		/* Without IMDS it is what there is. */
		if (ret && (seed->user_data || seed->keys.n))
			ret = 0;
	}
	return ret;
}

void provision_cloud_ready(const struct provision_options *options)
{
	struct provision_metadata metadata = {
		.cloud = which_cloud(options),
		.wire = options->metadata,
		.exchange = cloud_http_exchange,
	};
	struct cloud_http *http;

	if (metadata.cloud != PROVISION_AZURE)
		return;
	http = open_http();
	if (!http)
		return;
	metadata.data = http;
	if (insist(options, &metadata, NULL))
		fprintf(stderr, "netpas-provision: Azure could not be told that it is ready: %s\n",
			metadata.error);
	cloud_http_free(http);
}

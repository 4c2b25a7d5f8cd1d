/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Metadata services of clouds: which one a machine has, and what it says. Requests go by a function that is
 * given; what comes back may be anything.
 */
#ifndef NETPAS_PROVISION_METADATA_H
#define NETPAS_PROVISION_METADATA_H

#include <stdint.h>

#include "cloud/cloud.h"
#include "provision_seed.h"

enum provision_cloud {
	PROVISION_AWS,
	PROVISION_AZURE,
	PROVISION_GCE,
	PROVISION_ALIBABA,
	PROVISION_OPENSTACK,
	PROVISION_TENCENT,
	PROVISION_NONE,
	PROVISION_CLOUD_MAX = PROVISION_NONE,
};
extern const char *const provision_cloud_names[PROVISION_CLOUD_MAX + 1]; /* "aws", ..., "none" */

/* From files of DMI; any may be "". */
struct provision_dmi {
	char vendor[64];  /* sys_vendor */
	char product[64]; /* product_name */
	char asset[64];	  /* chassis_asset_tag */
	char uuid[64];	  /* product_uuid */
	char bios[64];	  /* bios_vendor */
};
enum provision_cloud provision_cloud_detect(const struct provision_dmi *dmi);

struct provision_metadata {
	enum provision_cloud cloud;
	const char *base; /* of URLs, without a '/' at its end; NULL: the cloud's own */
	const char *wire; /* likewise of Azure's wire server */
	cloud_exchange_fn *exchange;
	void *data;
	int64_t now_s; /* UNIX time */
	char error[CLOUD_ERROR_LEN];
};

/*
 * 0 and a filled seed; with error in words: -EAGAIN: it cannot be reached, or not now; -EPROTO: it answers, and
 * is of no use; -ENOMEM.
 */
int provision_metadata_read(struct provision_metadata *metadata, struct provision_seed *seed);

/* Tell Azure that the machine is ready. As above. */
int provision_metadata_ready(struct provision_metadata *metadata);

/* The parsers behind it, for tests: 0, -EINVAL or -ENOMEM. */
int provision_gce_parse(const char *text, size_t len, int64_t now_s, struct provision_seed *seed);
int provision_azure_parse(const char *text, size_t len, struct provision_seed *seed);
/* ovf-env.xml: what is in the seed already stays. */
int provision_ovf_parse(const char *text, size_t len, struct provision_seed *seed);
int provision_seed_read_ovf(const char *dir, struct provision_seed *seed,
			    char reason[static PROVISION_REASON_LEN]);
/* The goal state of the wire server: what is to be sent back. free() it. */
int provision_health_make(const char *text, size_t len, char **ret_health);

#endif

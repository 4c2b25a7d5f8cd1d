/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a source of user data holds: the user data, and what the source itself says of the machine. From a
 * directory, which is a mounted volume. The parsers are pure.
 */
#ifndef NETPAS_PROVISION_SEED_H
#define NETPAS_PROVISION_SEED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "provision_document.h"

#define PROVISION_HINTS_MAX 16
#define PROVISION_INSTANCE_LEN 128

/* How the interface with this MAC address gets its addresses, says the source. */
struct provision_hint {
	uint8_t mac[PROVISION_MAC_LEN];
	struct provision_addressing addressing;
};

struct provision_seed {
	char source[64];		       /* "NoCloud volume /dev/sr0" */
	char instance[PROVISION_INSTANCE_LEN]; /* "": it has none */
	char hostname[PROVISION_HOSTNAME_LEN + 1];
	struct provision_keys keys;
	size_t bad_keys; /* that were left out */
	bool by_hand; /* given at this machine: over what a source said, which is not asked again */
	char *user_data; /* NULL: none */
	size_t user_data_len;
	char *network_config; /* of NoCloud, for provision_netconfig_parse(); NULL: none */
	size_t network_config_len;
	struct provision_hint hints[PROVISION_HINTS_MAX];
	size_t n_hints;
};

void provision_seed_fini(struct provision_seed *seed); /* wipes the user data */

/* Takes over what is good of it: what is too long or has strange characters is left out. */
void provision_seed_instance(struct provision_seed *seed, const char *text);
void provision_seed_hostname(struct provision_seed *seed, const char *text);

/*
 * Parsers fill in the seed. 0; -EINVAL: it is not what it should be; -ENOMEM.
 * meta-data of NoCloud is YAML, or JSON, which is YAML; meta_data.json and network_data.json of OpenStack.
 */
int provision_seed_nocloud(const char *text, size_t len, struct provision_seed *seed);
int provision_seed_openstack(const char *text, size_t len, struct provision_seed *seed);
int provision_seed_network(const char *text, size_t len, struct provision_seed *seed);

/* "255.255.255.0" or "24": the length of a prefix of this family, not 0. 0 or -EINVAL. */
int provision_mask_parse(const char *text, const struct ip_addr *addr, uint8_t *ret_len);

/*
 * From directories: 0; -ENODATA: it is no such seed; -errno, with a reason.
 */
int provision_seed_read_nocloud(const char *dir, struct provision_seed *seed,
				char reason[static PROVISION_REASON_LEN]);
int provision_seed_read_config_drive(const char *dir, struct provision_seed *seed,
				     char reason[static PROVISION_REASON_LEN]);

/* A file of at most PROVISION_TEXT_MAX bytes, with a NUL after it. 0, -EFBIG or -errno; free() it. */
int provision_file_read(const char *path, char **ret_text, size_t *ret_len);

#endif

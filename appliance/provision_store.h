/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What provisioning has written below the data directory: several files as one, and a record of them.
 */
#ifndef NETPAS_PROVISION_STORE_H
#define NETPAS_PROVISION_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "provision_nic.h"
#include "provision_seed.h"

#define PROVISION_FILES_MAX 24
#define PROVISION_PATH_LEN 64
#define PROVISION_DIGEST_STRLEN 65 /* SHA-256 in hexadecimal digits */

struct provision_file {
	char path[PROVISION_PATH_LEN]; /* below the data directory */
	char *text;
	size_t len;
	mode_t mode;
	bool record; /* it counts as edited if it is another one later */
};

/* What is to be written as one. */
struct provision_change {
	struct provision_file files[PROVISION_FILES_MAX];
	size_t n_files;
	char source[64];
	char instance[PROVISION_INSTANCE_LEN];
	char digest[PROVISION_DIGEST_STRLEN]; /* of the user data */
	struct provision_pin pins[PROVISION_NICS_MAX];
	size_t n_pins;
	bool has_pins; /* else the old ones stay */
};

/* Takes text over, also if it fails (-ENOSPC), and NULL (-ENOMEM). */
int provision_change_add(struct provision_change *change, const char *path, char *text, size_t len,
			 mode_t mode, bool record);
void provision_change_fini(struct provision_change *change); /* wipes the texts */

/* What was written last. */
struct provision_record {
	bool exists;
	char source[64];
	char instance[PROVISION_INSTANCE_LEN];
	char digest[PROVISION_DIGEST_STRLEN];
	struct provision_pin pins[PROVISION_NICS_MAX];
	size_t n_pins;
	json_t *files; /* path: digest */
};

/* A record that is damaged is none, which keeps what is there. 0 or -errno. */
int provision_record_read(const char *data, struct provision_record *ret_record);
void provision_record_fini(struct provision_record *record);

/*
 * Files that are not what was written, "netpas/node.yaml, netpas/mesh.yaml", also such that are there and
 * were not written; of those that the change would write or remove. False: none.
 */
bool provision_record_edited(const char *data, const struct provision_record *record,
			     const struct provision_change *change, char *buf, size_t size);

/* Of all that the record has: those that are gone or not what was written. */
bool provision_record_changed(const char *data, const struct provision_record *record, char *buf,
			      size_t size);

/*
 * Write it, and remove what the record has in directory "network" and the change does not have. Edited files
 * are kept in provision/replaced. Whenever it ends, provision_store_recover() makes all of it true, or
 * nothing. 0 or -errno.
 */
int provision_store_commit(const char *data, const struct provision_record *record,
			   const struct provision_change *change);
int provision_store_recover(const char *data);

void provision_digest(const char *text, size_t len,
		      char ret_digest[static PROVISION_DIGEST_STRLEN]);

#endif

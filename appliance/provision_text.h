/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * User data as clouds hand it over, unwrapped: gzip, base64 and MIME multipart, in any order and at
 * most PROVISION_WRAPS_MAX deep. Pure.
 */
#ifndef NETPAS_PROVISION_TEXT_H
#define NETPAS_PROVISION_TEXT_H

#include <stddef.h>

#define PROVISION_TEXT_MAX (4u << 20) /* bytes, wrapped or not */
#define PROVISION_WRAPS_MAX 4
#define PROVISION_PARTS_MAX 32

enum provision_kind {
	PROVISION_NETPAS,	/* "#netpas" */
	PROVISION_CLOUD_CONFIG, /* "#cloud-config" */
};

/* A document that was found; its text has nothing around it. */
struct provision_part {
	enum provision_kind kind;
	char *text; /* NUL at its end */
	size_t len;
	unsigned int number; /* of the MIME part, from 1; 0: it is no part */
};

#define PROVISION_REASON_LEN 200

/*
 * The document in it: the first "#netpas", else the first "#cloud-config". 0; -ENODATA: there is
 * nothing but white space; -EINVAL with a reason: what was found, and what would be right; -ENOMEM.
 */
int provision_text_unwrap(const char *data, size_t len, struct provision_part *ret_part,
			  char reason[static PROVISION_REASON_LEN]);
void provision_part_fini(struct provision_part *part); /* wipes it: it may hold a key */

/*
 * Put stars in the place of what may be a private key, so that messages can quote the text: all values of
 * "private_key", and whatever looks like a WireGuard key and is not said to be a public one.
 */
void provision_text_mask(char *text, size_t len);

/* Base64 with white space in it, which is all there is. 0, -EINVAL or -ENOMEM; free() it. */
int provision_text_base64(const char *data, size_t len, char **ret_text, size_t *ret_len);

#endif

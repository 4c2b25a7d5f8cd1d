/* SPDX-License-Identifier: GPL-2.0-only */
/* Public keys that may log in over SSH, as lines of authorized_keys. Pure. */
#ifndef NETPAS_PROVISION_SSH_H
#define NETPAS_PROVISION_SSH_H

#include <stddef.h>

#define PROVISION_KEYS_MAX 64
#define PROVISION_KEY_LEN 8192 /* of one line */

struct provision_keys {
	char *lines[PROVISION_KEYS_MAX]; /* without a newline */
	size_t n;
};

/*
 * Type, base64 that begins with the same type (RFC 4253), comment; no options before it, as those of
 * root's keys could be anything. NULL if it is good, else what is wrong with it.
 */
const char *provision_key_fault(const char *line, size_t len);

/* Add a good line, unless it is there. 0, -EINVAL (it is not good), -ENOSPC or -ENOMEM. */
int provision_keys_add(struct provision_keys *keys, const char *line, size_t len);

/* All good lines of a text; what is left out is counted. 0 or -ENOMEM. */
int provision_keys_add_text(struct provision_keys *keys, const char *text, size_t *ret_bad);

/* As a file's text; free() it. NULL: out of memory. */
char *provision_keys_text(const struct provision_keys *keys);
void provision_keys_fini(struct provision_keys *keys);

#endif

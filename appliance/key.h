/* SPDX-License-Identifier: GPL-2.0-only */
/* Curve25519 keys as WireGuard writes them, and the file a private one lives in. */
#ifndef NETPAS_KEY_H
#define NETPAS_KEY_H

#include <stdbool.h>
#include <stdint.h>

#define KEY_LEN 32
#define KEY_STRLEN 45 /* base64 with NUL */

struct key {
	uint8_t bytes[KEY_LEN];
};

/* Base64, exactly 44 characters. Returns 0 or -EINVAL. */
int key_parse(const char *text, struct key *ret_key);
const char *key_format(const struct key *key, char buf[static KEY_STRLEN]);
bool key_equal(const struct key *a, const struct key *b); /* constant time */
bool key_is_zero(const struct key *key);

void key_generate(struct key *ret_private);
void key_public(const struct key *private_key, struct key *ret_public);
void key_wipe(struct key *key); /* not optimised away */

/*
 * Read a private key file. Returns 0; -EPERM if group or others can do anything with the file
 * (mode is not 0600 or stricter), -EUCLEAN if it is not owned by the caller or root, -EINVAL if
 * its content is not one base64 key, or -errno of opening and reading.
 */
int key_file_read(const char *path, struct key *ret_private);

/* Create path with mode 0600; -EEXIST if it is there already. Written whole or not at all. */
int key_file_create(const char *path, const struct key *private_key);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Taking secrets out of texts that are going to be shown to others, by what they look like: it does not
 * matter who wrote them there.
 */
#ifndef NETPAS_REDACT_H
#define NETPAS_REDACT_H

#include <stddef.h>

/* What may stay although it looks like a key: public keys, in base64. */
struct redact_known {
	const char *const *keys;
	size_t n;
};

/*
 * In place, each byte of a secret becomes '*':
 *	32 bytes in base64 (also of the kind for URLs, also without the '='), 32 or 64 bytes in hex
 *	what follows a word such as token, secret, password or private_key and ':' or '='
 *	what follows auth_... at the beginning of a line (keepalived.conf)
 *	PEM blocks of private keys
 * Returns how many were found.
 */
size_t redact(char *text, size_t len, const struct redact_known *known);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* UTF-8 (RFC 3629), one character at a time. */
#ifndef NETPAS_UTF8_H
#define NETPAS_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Decode the character at text, of which len bytes (at least 1) are there. Returns its length in
 * bytes, or 0 if it is not well-formed: truncated, overlong, a surrogate, above U+10FFFF.
 */
size_t utf8_decode(const char *text, size_t len, uint32_t *ret_char);

/* Shows as itself in a terminal: no control, no direction change, nothing invisible. */
bool utf8_is_visible(uint32_t c);

#endif

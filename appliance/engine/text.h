/* SPDX-License-Identifier: GPL-2.0-only */
/* A text that grows, in memory that is wiped before it is given back: it may hold keys. */
#ifndef ENGINE_TEXT_H
#define ENGINE_TEXT_H

#include <stddef.h>

/* All zero: empty. */
struct text {
	char *bytes; /* `used` of them, without a NUL */
	size_t used, room;
};

/* 0, or -ENOMEM: it is as it was. */
int text_append(struct text *text, const char *bytes, size_t len);
/* Without its first bytes, `len` of them. */
void text_drop(struct text *text, size_t len);
/* Empty afterwards. */
void text_free(struct text *text);

#endif

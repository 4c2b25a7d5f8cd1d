/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

enum {
	FIRST_ROOM = 4096,
};

int text_append(struct text *text, const char *bytes, size_t len)
{
	struct text larger = { .used = text->used, .room = text->room ? text->room : FIRST_ROOM };

	while (larger.room < text->used + len)
		larger.room *= 2;
	if (larger.room != text->room) {
		larger.bytes = malloc(larger.room);
		if (!larger.bytes)
			return -ENOMEM;
		if (text->used)
			memcpy(larger.bytes, text->bytes, text->used);
		text_free(text);
		*text = larger;
	}
	if (len)
		memcpy(text->bytes + text->used, bytes, len);
	text->used += len;
	return 0;
}

void text_drop(struct text *text, size_t len)
{
	text->used -= len;
	memmove(text->bytes, text->bytes + len, text->used);
	sodium_memzero(text->bytes + text->used, len);
}

void text_free(struct text *text)
{
	if (text->bytes)
		sodium_memzero(text->bytes, text->room);
	free(text->bytes);
	*text = (struct text){ 0 };
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "utf8.h"

size_t utf8_decode(const char *text, size_t len, uint32_t *ret_char)
{
	/* By length: bits of the first byte that mark it, and the smallest character that needs it. */
	static const struct {
		uint8_t mask, mark;
		uint32_t least;
	} forms[] = {
		{ 0x80, 0x00, 0 },
		{ 0xe0, 0xc0, 0x80 },
		{ 0xf0, 0xe0, 0x800 },
		{ 0xf8, 0xf0, 0x10000 },
	};
	uint8_t first = (uint8_t)text[0];

	for (size_t n = 1; n <= sizeof(forms) / sizeof(forms[0]); n++) {
		uint32_t c = first & (uint8_t)~forms[n - 1].mask;

		if ((first & forms[n - 1].mask) != forms[n - 1].mark)
			continue;
		if (n > len)
			return 0;
		for (size_t i = 1; i < n; i++) {
			uint8_t byte = (uint8_t)text[i];

			if ((byte & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (byte & 0x3f);
		}
		if (c < forms[n - 1].least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return 0;
		*ret_char = c;
		return n;
	}
	return 0;
}

bool utf8_is_visible(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = {
		{ 0x00, 0x1f },	    { 0x7f, 0x9f },	   { 0xad, 0xad },     { 0x200b, 0x200f },
		{ 0x2028, 0x202e }, { 0x2060, 0x206f },	   { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb },
		{ 0xfffe, 0xffff }, { 0xe0000, 0x10ffff },
	};

	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		if (c >= hidden[i].first && c <= hidden[i].last)
			return false;
	}
	return true;
}

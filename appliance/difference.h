/* SPDX-License-Identifier: GPL-2.0-only */
/* The difference of two texts, by lines, in the unified format. Pure. */
#ifndef NETPAS_DIFFERENCE_H
#define NETPAS_DIFFERENCE_H

#include <stddef.h>
#include <stdio.h>

struct difference_text {
	const char *name;
	const char *text;
	size_t len;
};

/*
 * Nothing is printed of texts that are equal. Control characters are made visible. The shortest
 * difference, unless it has thousands of lines. 0 or -ENOMEM.
 */
int difference_print(const struct difference_text *from, const struct difference_text *to,
		     FILE *out);

#endif

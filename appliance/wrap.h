/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Text for people, in lines that fit a terminal. Tables are made for names of usual length; with the
 * longest legal ones a row is longer than a line, and is broken here rather than by the terminal.
 */
#ifndef NETPAS_WRAP_H
#define NETPAS_WRAP_H

#include <stdbool.h>
#include <stdio.h>

#define WRAP_COLUMNS 80

/*
 * Lines that are longer than so many columns are broken at blanks, words that are as well. What comes of
 * one line is indented to its second field, if blanks set one off near its beginning. Colours take no room.
 */
void wrap_print(const char *text, unsigned int columns, FILE *out);

/* A stream for such text; it comes out when it is closed. NULL: out of memory. */
struct wrap {
	FILE *stream;
	char *text;
	size_t size;
};
FILE *wrap_open(struct wrap *wrap);
void wrap_close(struct wrap *wrap, FILE *out);

/* Whether standard output takes colours: a terminal, and nobody has set NO_COLOR (no-color.org). */
bool wrap_colour(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#include "wrap.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIELD_MAX 26 /* a second field that begins behind that is no place to indent to */
#define INDENT 4

/* Bytes of what stands at text, and how many columns that takes. */
static size_t step(const char *text, const char *end, unsigned int *ret_columns)
{
	size_t len = 1;

	*ret_columns = 0;
	if (*text == '\033') {
		while (text + len < end && text[len] != 'm')
			len++;
		return len + (text + len < end);
	}
	*ret_columns = 1;
	while (text + len < end && (text[len] & 0xc0) == 0x80)
		len++;
	return len;
}

static unsigned int width_of(const char *text, const char *end)
{
	unsigned int width = 0, columns;

	for (; text < end; width += columns)
		text += step(text, end, &columns);
	return width;
}

/* Where the second field begins; without one a bit more than the line's own indent. */
static unsigned int indent_of(const char *line, const char *end)
{
	unsigned int column = 0, columns, blanks = 0, own = 0;
	bool seen = false;

	for (const char *at = line; at < end && column <= FIELD_MAX; column += columns) {
		const bool blank = *at == ' ';

		if (!blank && !seen)
			own = column;
		if (!blank && seen && blanks >= 2)
			return column;
		blanks = blank ? blanks + 1 : *at == '\033' ? blanks : 0;
		seen = seen || (!blank && *at != '\033');
		at += step(at, end, &columns);
	}
	return own + INDENT;
}

/* The end of what fits into so many columns, and where it goes on. */
static const char *fitting(const char *text, const char *end, unsigned int room,
			   const char **ret_next)
{
	const char *blank = NULL, *at = text;
	unsigned int width = 0, columns;

	while (at < end) {
		const size_t len = step(at, end, &columns);

		if (*at == ' ' && at > text && at[-1] != ' ')
			blank = at;
		if (width + columns > room)
			break;
		width += columns;
		at += len;
	}
	if (at == end || !blank) {
		*ret_next = at;
		return at;
	}
	*ret_next = blank + strspn(blank, " ");
	return blank;
}

static void print_line(const char *line, const char *end, unsigned int columns, FILE *out)
{
	unsigned int indent = indent_of(line, end), room = columns;
	const char *next;

	if (width_of(line, end) <= columns) {
		fprintf(out, "%.*s\n", (int)(end - line), line);
		return;
	}
	if (indent > columns / 2)
		indent = INDENT;
	/* Blanks at the beginning are no place to break at. */
	for (const char *at = line; at < end; at = next) {
		const size_t lead = at == line ? strspn(at, " ") : 0;
		const char *stop = fitting(at + lead, end, room - (unsigned int)lead, &next);

		fprintf(out, "%*s%.*s\n", at == line ? 0 : (int)indent, "", (int)(stop - at), at);
		if (next > end)
			next = end;
		room = columns - indent;
	}
}

void wrap_print(const char *text, unsigned int columns, FILE *out)
{
	while (*text) {
		const char *end = text + strcspn(text, "\n");

		print_line(text, end, columns, out);
		text = end + (*end == '\n');
	}
}

FILE *wrap_open(struct wrap *wrap)
{
	*wrap = (struct wrap){ 0 };
	wrap->stream = open_memstream(&wrap->text, &wrap->size);
	return wrap->stream;
}

void wrap_close(struct wrap *wrap, FILE *out)
{
	if (!wrap->stream)
		return;
	if (!fclose(wrap->stream) && wrap->text)
		wrap_print(wrap->text, WRAP_COLUMNS, out);
	free(wrap->text);
	*wrap = (struct wrap){ 0 };
}

bool wrap_colour(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) &&
	       !(term && !strcmp(term, "dumb"));
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is quoted comes from files that may hold anything: a line of 32 MiB, or characters that
 * drive a terminal. So a quoted line is cut to a window around the caret, and whatever would not
 * show as itself is written as an escape, in quoted lines and in messages alike.
 */
#include "diag.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

/* Of a quoted line, in characters: shown before the place, and in all. */
#define WINDOW_BEFORE 60
#define WINDOW 100

struct source {
	char *name;
	const char *text;
	char *owned; /* text, if the list is to free it */
	size_t len;
};

struct note {
	struct note *next;
	int source;
	struct diag_place place;
	char *message;
};

struct entry {
	int source;
	struct diag_place place;
	size_t number; /* keeps errors of one place in the order in which they were added */
	char *message, *help;
	struct note *notes, **last_note;
};

struct diag_list {
	struct source *sources;
	int n_sources;
	struct entry entries[DIAG_MAX];
	size_t n_entries;
	size_t n_errors; /* with those that are not kept */
};

/* Where reading of a source has come to. Entries are sorted, so it only goes forward. */
struct cursor {
	int source;
	size_t at;
	uint32_t line, column;
};

struct diag_list *diag_list_new(void)
{
	return calloc(1, sizeof(struct diag_list));
}

void diag_list_free(struct diag_list *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->n_entries; i++) {
		struct note *note = list->entries[i].notes, *next;

		for (; note; note = next) {
			next = note->next;
			free(note->message);
			free(note);
		}
		free(list->entries[i].message);
		free(list->entries[i].help);
	}
	for (int i = 0; i < list->n_sources; i++) {
		free(list->sources[i].name);
		free(list->sources[i].owned);
	}
	free(list->sources);
	free(list);
}

static int source_add(struct diag_list *list, struct source source)
{
	static const char mark[] = "\xef\xbb\xbf";
	struct source *grown;

	/* A byte order mark is no character of the first line. */
	if (source.len >= 3 && !memcmp(source.text, mark, 3)) {
		source.text += 3;
		source.len -= 3;
	}
	grown = reallocarray(list->sources, (size_t)list->n_sources + 1, sizeof(*grown));
	if (!grown)
		return -1;
	list->sources = grown;
	list->sources[list->n_sources] = source;
	return list->n_sources++;
}

int diag_source_add(struct diag_list *list, const char *name, const char *text, size_t len)
{
	return source_add(list, (struct source){ .name = strdup(name), .text = text, .len = len });
}

int diag_source_own(struct diag_list *list, const char *name, char *text, size_t len)
{
	struct source source = { .name = strdup(name), .text = text, .owned = text, .len = len };
	int ret = source_add(list, source);

	if (ret < 0) {
		free(source.name);
		free(text);
	}
	return ret;
}

void diag_error(struct diag_list *list, int source, struct diag_place place, const char *help,
		const char *fmt, ...)
{
	struct entry *entry;
	va_list args;

	list->n_errors++;
	if (list->n_entries == DIAG_MAX)
		return;
	entry = &list->entries[list->n_entries];
	*entry = (struct entry){
		.source = source,
		.place = place,
		.number = list->n_entries++,
		.help = help ? strdup(help) : NULL,
	};
	entry->last_note = &entry->notes;
	va_start(args, fmt);
	if (vasprintf(&entry->message, fmt, args) < 0)
		entry->message = NULL;
	va_end(args);
}

void diag_note(struct diag_list *list, int source, struct diag_place place, const char *fmt, ...)
{
	struct entry *entry;
	struct note *note;
	va_list args;

	/* None yet, or the error that it belongs to was not kept. */
	if (!list->n_entries || list->n_errors > list->n_entries)
		return;
	note = calloc(1, sizeof(*note));
	if (!note)
		return; /* the error itself is there */
	note->source = source;
	note->place = place;
	va_start(args, fmt);
	if (vasprintf(&note->message, fmt, args) < 0)
		note->message = NULL;
	va_end(args);
	entry = &list->entries[list->n_entries - 1];
	*entry->last_note = note;
	entry->last_note = &note->next;
}

size_t diag_count(const struct diag_list *list)
{
	return list->n_errors;
}

/* Write one character of text so that it shows. Returns the columns it took. */
static int put_char(const char *text, size_t len, size_t *ret_bytes, FILE *out)
{
	uint32_t c;
	size_t n = utf8_decode(text, len, &c);

	*ret_bytes = n ? n : 1;
	if (!n)
		return fprintf(out, "\\x%02x", (unsigned int)(uint8_t)*text);
	if (utf8_is_visible(c)) {
		fwrite(text, 1, n, out);
		return 1;
	}
	if (c == '\t')
		return fprintf(out, "\\t");
	return fprintf(out, c < 0x100 ? "\\x%02x" : "\\u%04x", c);
}

static void put_text(const char *text, FILE *out)
{
	size_t len = strlen(text), n;

	for (; len; text += n, len -= n)
		(void)put_char(text, len, &n, out);
}

/* Length of the line break at text: 0 if there is none. */
static size_t break_len(const char *text, size_t len)
{
	if (!len || (*text != '\n' && *text != '\r'))
		return 0;
	return *text == '\r' && len > 1 && text[1] == '\n' ? 2 : 1;
}

/* Go on to the given line and column, or to the end of the line if that comes first. */
static bool cursor_seek(struct cursor *cursor, const struct source *source, uint32_t line,
			uint32_t column)
{
	while (cursor->line < line || cursor->column < column) {
		const char *text = source->text + cursor->at;
		size_t len = source->len - cursor->at, n = break_len(text, len);
		uint32_t c;

		if (!len)
			break;
		if (n) {
			if (cursor->line == line)
				break;
			cursor->line++;
			cursor->column = 1;
		} else {
			n = utf8_decode(text, len, &c);
			n = n ? n : 1;
			cursor->column++;
		}
		cursor->at += n;
	}
	return cursor->line == line;
}

/* The line with a caret line below it. */
static void print_quote(const struct source *source, const struct entry *entry,
			struct cursor *cursor, FILE *out)
{
	const struct diag_place *place = &entry->place;
	uint32_t first = place->column > WINDOW_BEFORE ? place->column - WINDOW_BEFORE + 1 : 1;
	int indent = 0, width = 0;
	uint32_t column;
	size_t at, n;

	if (!source->text)
		return;
	if (cursor->source != entry->source)
		*cursor = (struct cursor){ .source = entry->source, .line = 1, .column = 1 };
	if (!cursor_seek(cursor, source, place->line, first))
		return;
	fprintf(out, "%5u | ", place->line);
	if (cursor->column > 1)
		indent += fprintf(out, "...");
	at = cursor->at;
	for (column = cursor->column; at < source->len; column++, at += n) {
		int columns;

		if (break_len(source->text + at, source->len - at))
			break;
		if (column - cursor->column == WINDOW) {
			fputs("...", out);
			break;
		}
		columns = put_char(source->text + at, source->len - at, &n, out);
		if (column < place->column)
			indent += columns;
		else if (column - place->column < place->width)
			width += columns;
	}
	fprintf(out, "\n%*s| %*s^", place->line > 99999 ? 8 : 6, "", indent, "");
	for (int i = 1; i < width; i++)
		putc('~', out);
	putc('\n', out);
}

static void print_line(const struct diag_list *list, int source, const struct diag_place *place,
		       const char *kind, const char *message, FILE *out)
{
	if (source >= 0 && source < list->n_sources && list->sources[source].name) {
		put_text(list->sources[source].name, out);
		if (place->line)
			fprintf(out, ":%u:%u", place->line, place->column);
		fputs(": ", out);
	}
	fprintf(out, "%s: ", kind);
	put_text(message ? message : "out of memory", out);
	putc('\n', out);
}

static int entry_compare(const void *a, const void *b)
{
	const struct entry *const *x = a, *const *y = b;
	const struct entry *l = *x, *r = *y;

	if (l->source != r->source)
		return l->source < r->source ? -1 : 1;
	if (l->place.line != r->place.line)
		return l->place.line < r->place.line ? -1 : 1;
	if (l->place.column != r->place.column)
		return l->place.column < r->place.column ? -1 : 1;
	return l->number < r->number ? -1 : 1;
}

void diag_print(const struct diag_list *list, FILE *out)
{
	const struct entry *sorted[DIAG_MAX] = { NULL };
	struct cursor cursor = { .source = -1 };

	for (size_t i = 0; i < list->n_entries; i++)
		sorted[i] = &list->entries[i];
	qsort(sorted, list->n_entries, sizeof(sorted[0]), entry_compare);
	for (size_t i = 0; i < list->n_entries; i++) {
		const struct entry *entry = sorted[i];

		print_line(list, entry->source, &entry->place, "error", entry->message, out);
		if (entry->place.line && entry->source >= 0 && entry->source < list->n_sources)
			print_quote(&list->sources[entry->source], entry, &cursor, out);
		for (const struct note *note = entry->notes; note; note = note->next)
			print_line(list, note->source, &note->place, "note", note->message, out);
		if (entry->help) {
			fputs("help: ", out);
			put_text(entry->help, out);
			putc('\n', out);
		}
	}
	if (list->n_errors > list->n_entries)
		fprintf(out, "and %zu more error%s\n", list->n_errors - list->n_entries,
			list->n_errors - list->n_entries == 1 ? "" : "s");
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Diagnostics: where, what, and what would be right.
 *
 *	mesh.yaml:14:9: error: subnet 10.1.0.0/16 overlaps 10.1.2.0/24 of site 'sin'
 *	   14 |       - 10.1.0.0/16
 *	      |         ^~~~~~~~~~~
 *	mesh.yaml:31:9: note: which is here
 *	help: a subnet belongs to one site; remove it from one of them
 */
#ifndef NETPAS_DIAG_H
#define NETPAS_DIAG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A place in a source; line and column count from 1, column in characters. line 0: no place. */
struct diag_place {
	uint32_t line, column;
	uint32_t width; /* characters to underline, at least 1 */
};

struct diag_source {
	const char *name; /* what messages call it */
	const char *text; /* not owned; must outlive the list's printing */
	size_t len;
};

/* So many errors are kept with their text; further ones are only counted. */
#define DIAG_MAX 100

struct diag_list;

struct diag_list *diag_list_new(void);
void diag_list_free(struct diag_list *list);

/* Register a source; the name is copied, the text is not. Returns its number for diag_add(). */
int diag_source_add(struct diag_list *list, const char *name, const char *text, size_t len);

/* The same for a text from malloc(), which the list frees when it goes. text may be NULL. */
int diag_source_own(struct diag_list *list, const char *name, char *text, size_t len);

/*
 * Add an error. help may be NULL. After the first DIAG_MAX errors further ones are only counted.
 * diag_note() adds a second place to the error added last.
 */
void diag_error(struct diag_list *list, int source, struct diag_place place, const char *help,
		const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void diag_note(struct diag_list *list, int source, struct diag_place place, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

size_t diag_count(const struct diag_list *list);

/* Print all, in order of source and line. Control characters in quoted lines are made visible. */
void diag_print(const struct diag_list *list, FILE *out);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Samples for Prometheus of what is in JSON objects, in both of its text formats. Pure. */
#ifndef NETPAS_METRIC_WRITER_H
#define NETPAS_METRIC_WRITER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum metric_type {
	METRIC_GAUGE,
	METRIC_COUNTER,
};

struct metric_writer {
	FILE *out;
	bool open; /* OpenMetrics 1.0, else the text format 0.0.4 */
	/* Of the family and the sample that are being written. */
	const char *name;
	enum metric_type type;
	unsigned int n_labels;
};

/* One family: then for each sample begin, labels, value. name: without "_total". */
void metric_family(struct metric_writer *p, const char *name, enum metric_type type,
		   const char *help);
void metric_begin(struct metric_writer *p);
void metric_label(struct metric_writer *p, const char *name, const char *value);
void metric_value(struct metric_writer *p, double number);

/* A family of one sample without labels. */
void metric_single(struct metric_writer *p, const char *name, enum metric_type type,
		   const char *help, double number);

/* ---- what is in an object ---- */

const char *view_text(const json_t *object, const char *key); /* "" if there is none */

/* path "a/b": member b of member a. False if there is none: null and absent are "not known". */
bool view_number(const json_t *object, const char *path, double *ret_number);
bool view_time(const json_t *object, const char *path, double *ret_s); /* "2026-11-22T02:31:07Z" */

/* ---- tables ---- */

struct metric_row {
	const char *name; /* the same as before: more samples of it */
	enum metric_type type;
	const char *help;
	const char *path;
	double scale;		  /* of the value, into the unit that the name says */
	const char *label, *text; /* one more label; NULL: none */
	const char *label2, *text2;
};

#define MS 1e-3
#define PERCENT 1e-2
#define BITS 0.125

/* One sample an object: a gauge, a counter. */
#define METRIC_G(NAME, PATH, SCALE, HELP)                                     \
	{                                                                     \
		NAME, METRIC_GAUGE, HELP, PATH, SCALE, NULL, NULL, NULL, NULL \
	}
#define METRIC_C(NAME, PATH, SCALE, HELP)                                       \
	{                                                                       \
		NAME, METRIC_COUNTER, HELP, PATH, SCALE, NULL, NULL, NULL, NULL \
	}

/* Labels that are members of the object itself, texts; a list of them ends with one that is {NULL}. */
struct metric_key {
	const char *label, *member;
};

void metric_keys(struct metric_writer *p, const struct metric_key *keys, const json_t *object);

/* All rows for all objects of an array; of one object. keys may be NULL. */
void metric_rows(struct metric_writer *p, const struct metric_row *rows, size_t n, json_t *array,
		 const struct metric_key *keys);
void metric_object(struct metric_writer *p, const struct metric_row *rows, size_t n, json_t *object,
		   const struct metric_key *keys);

#endif

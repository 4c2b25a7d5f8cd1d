/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Families are rows of tables: name, type, help, and where in an object of the view the value is. All samples of a
 * family stand together, as the format wants it: so rows are the outer loop, objects the inner one.
 */
#include "metric_writer.h"

#include <math.h>
#include <string.h>
#include <time.h>

/* ---- text ---- */

void metric_family(struct metric_writer *p, const char *name, enum metric_type type,
		   const char *help)
{
	const char *suffix = type == METRIC_COUNTER && !p->open ? "_total" : "";

	p->name = name;
	p->type = type;
	p->n_labels = 0;
	fprintf(p->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help, name, suffix,
		type == METRIC_COUNTER ? "counter" : "gauge");
}

void metric_begin(struct metric_writer *p)
{
	fprintf(p->out, "%s%s", p->name, p->type == METRIC_COUNTER ? "_total" : "");
	p->n_labels = 0;
}

void metric_label(struct metric_writer *p, const char *name, const char *value)
{
	fprintf(p->out, "%c%s=\"", p->n_labels++ ? ',' : '{', name);
	for (; value && *value; value++) {
		if (*value == '\n')
			fputs("\\n", p->out);
		else if (*value == '"' || *value == '\\')
			fprintf(p->out, "\\%c", *value);
		else
			putc(*value, p->out);
	}
	putc('"', p->out);
}

void metric_value(struct metric_writer *p, double number)
{
	if (p->n_labels)
		putc('}', p->out);
	if (number == floor(number) && fabs(number) < 9e15)
		fprintf(p->out, " %.0f\n", number);
	else
		fprintf(p->out, " %.12g\n", number);
}

void metric_single(struct metric_writer *p, const char *name, enum metric_type type,
		   const char *help, double number)
{
	metric_family(p, name, type, help);
	metric_begin(p);
	metric_value(p, number);
}

/* ---- the view ---- */

const char *view_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* "a/b": member b of member a. */
static const json_t *view_member(const json_t *object, const char *path)
{
	char key[48];

	for (;;) {
		const size_t len = strcspn(path, "/");

		if (len >= sizeof(key))
			return NULL;
		memcpy(key, path, len);
		key[len] = '\0';
		object = json_object_get(object, key);
		if (!path[len])
			return object;
		path += len + 1;
	}
}

bool view_number(const json_t *object, const char *path, double *ret_number)
{
	const json_t *found = view_member(object, path);

	if (json_is_boolean(found))
		*ret_number = json_is_true(found);
	else if (json_is_number(found))
		*ret_number = json_number_value(found);
	else
		return false;
	return isfinite(*ret_number);
}

bool view_time(const json_t *object, const char *path, double *ret_s)
{
	const char *text = json_string_value(view_member(object, path));
	struct tm tm = { 0 };
	const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm) : NULL;

	if (!end || *end)
		return false;
	*ret_s = (double)timegm(&tm);
	return true;
}

/* ---- tables ---- */

void metric_keys(struct metric_writer *p, const struct metric_key *keys, const json_t *object)
{
	for (; keys && keys->label; keys++)
		metric_label(p, keys->label, view_text(object, keys->member));
}

static void print_row(struct metric_writer *p, const struct metric_row *row, const json_t *object,
		      const struct metric_key *keys)
{
	double number;

	if (!view_number(object, row->path, &number))
		return;
	metric_begin(p);
	metric_keys(p, keys, object);
	if (row->label)
		metric_label(p, row->label, row->text);
	if (row->label2)
		metric_label(p, row->label2, row->text2);
	metric_value(p, number * row->scale);
}

static bool any_has(const json_t *array, const struct metric_row *rows, size_t n)
{
	const json_t *object;
	double number;
	size_t i;

	for (size_t r = 0; r < n; r++)
		json_array_foreach(array, i, object)
		{
			if (view_number(object, rows[r].path, &number))
				return true;
		}
	return false;
}

void metric_rows(struct metric_writer *p, const struct metric_row *rows, size_t n, json_t *array,
		 const struct metric_key *keys)
{
	const json_t *object;
	size_t i;

	for (size_t r = 0, same; r < n; r += same) {
		for (same = 1; r + same < n && !strcmp(rows[r].name, rows[r + same].name); same++)
			;
		if (!any_has(array, rows + r, same))
			continue;
		metric_family(p, rows[r].name, rows[r].type, rows[r].help);
		for (size_t s = r; s < r + same; s++)
			json_array_foreach(array, i, object)
			{
				print_row(p, &rows[s], object, keys);
			}
	}
}

void metric_object(struct metric_writer *p, const struct metric_row *rows, size_t n, json_t *object,
		   const struct metric_key *keys)
{
	json_t *array = json_array();

	if (object)
		json_array_append(array, object);
	metric_rows(p, rows, n, array, keys);
	json_decref(array);
}

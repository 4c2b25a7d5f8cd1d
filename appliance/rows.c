/* SPDX-License-Identifier: GPL-2.0-only */
#include "rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t row_size(const struct rows *rows)
{
	return (size_t)rows->key_size + rows->value_size;
}

void rows_fini(struct rows *rows)
{
	/* There are keys among the values. */
	if (rows->v)
		explicit_bzero(rows->v, rows->n * row_size(rows));
	free(rows->v);
	rows->v = NULL;
	rows->n = rows->capacity = 0;
}

const void *rows_key(const struct rows *rows, size_t i)
{
	return rows->v + i * row_size(rows);
}

const void *rows_value(const struct rows *rows, size_t i)
{
	return rows->v + i * row_size(rows) + rows->key_size;
}

int rows_add(struct rows *rows, const void *key, const void *value)
{
	uint8_t *row;

	if (rows->n == rows->capacity) {
		const size_t capacity = rows->capacity ? rows->capacity * 2 : 64;
		uint8_t *v = calloc(capacity, row_size(rows));

		/* Not realloc(), which may leave keys behind. */
		if (!v)
			return -ENOMEM;
		if (rows->n)
			memcpy(v, rows->v, rows->n * row_size(rows));
		if (rows->v)
			explicit_bzero(rows->v, rows->n * row_size(rows));
		free(rows->v);
		rows->v = v;
		rows->capacity = capacity;
	}
	row = rows->v + rows->n++ * row_size(rows);
	memcpy(row, key, rows->key_size);
	memcpy(row + rows->key_size, value, rows->value_size);
	return 0;
}

/* Rows lie in one array in the order in which they were added, so position breaks ties. */
static int row_compare(const void *a, const void *b, void *data)
{
	const struct rows *rows = data;
	const uint8_t *row_a = *(const uint8_t *const *)a, *row_b = *(const uint8_t *const *)b;
	const int order = memcmp(row_a, row_b, rows->key_size);

	return order ? order : row_a < row_b ? -1 : row_a > row_b;
}

int rows_sort(struct rows *rows)
{
	const size_t size = row_size(rows);
	const uint8_t **order;
	uint8_t *v;
	size_t n = 0;

	if (!rows->n)
		return 0;
	order = calloc(rows->n, sizeof(*order));
	v = calloc(rows->n, size);
	if (!order || !v) {
		free(order);
		free(v);
		return -ENOMEM;
	}
	for (size_t i = 0; i < rows->n; i++)
		order[i] = rows->v + i * size;
	qsort_r(order, rows->n, sizeof(*order), row_compare, rows);
	for (size_t i = 0; i < rows->n; i++) {
		if (n && !memcmp(v + (n - 1) * size, order[i], rows->key_size))
			continue;
		memcpy(v + n++ * size, order[i], size);
	}
	free(order);
	explicit_bzero(rows->v, rows->n * size);
	free(rows->v);
	rows->v = v;
	rows->capacity = rows->n;
	rows->n = n;
	return 0;
}

const void *rows_find(const struct rows *rows, const void *key)
{
	size_t low = 0, high = rows->n;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const int order = memcmp(key, rows_key(rows, middle), rows->key_size);

		if (!order)
			return rows_value(rows, middle);
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static int put(struct rows *rows, const struct rows *from, size_t i)
{
	return rows ? rows_add(rows, rows_key(from, i), rows_value(from, i)) : 0;
}

int rows_diff(const struct rows *from, const struct rows *to, struct rows *ret_put,
	      struct rows *ret_gone)
{
	size_t i = 0, o = 0;
	int rc = 0;

	while (!rc && (i < from->n || o < to->n)) {
		int order;

		if (i == from->n)
			order = 1;
		else if (o == to->n)
			order = -1;
		else
			order = memcmp(rows_key(from, i), rows_key(to, o), to->key_size);
		if (order < 0) {
			rc = put(ret_gone, from, i++);
		} else if (order > 0) {
			rc = put(ret_put, to, o++);
		} else {
			if (memcmp(rows_value(from, i), rows_value(to, o), to->value_size))
				rc = put(ret_put, to, o);
			i++;
			o++;
		}
	}
	return rc;
}

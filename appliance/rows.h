/* SPDX-License-Identifier: GPL-2.0-only */
/* The content of a BPF map: rows of key and value, sorted by key. Pure. */
#ifndef NETPAS_ROWS_H
#define NETPAS_ROWS_H

#include <stddef.h>
#include <stdint.h>

struct rows {
	uint32_t key_size, value_size; /* bytes */
	uint8_t *v;		       /* key, value, key, value... */
	size_t n, capacity;
};

void rows_fini(struct rows *rows);

/* Append. 0 or -ENOMEM. */
int rows_add(struct rows *rows, const void *key, const void *value);

/* By key; of rows with one key the first that was added stays. 0 or -ENOMEM. */
int rows_sort(struct rows *rows);

const void *rows_key(const struct rows *rows, size_t i);
const void *rows_value(const struct rows *rows, size_t i);

/* The value of a key in sorted rows, or NULL. */
const void *rows_find(const struct rows *rows, const void *key);

/*
 * What makes rows out of others, both sorted, is appended to two lists that the caller has given
 * their sizes: ret_put (new keys and new values), ret_gone. Either may be NULL. 0 or -ENOMEM.
 */
int rows_diff(const struct rows *from, const struct rows *to, struct rows *ret_put,
	      struct rows *ret_gone);

#endif

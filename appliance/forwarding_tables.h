/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside forwarding: the tables, in the order in which additions go to the kernel. */
#ifndef NETPAS_FORWARDING_TABLES_H
#define NETPAS_FORWARDING_TABLES_H

#include "forwarding.h"
#include "rows.h"

enum forwarding_table_id {
	FORWARDING_LOCALS,
	FORWARDING_SOURCES,
	FORWARDING_STATES, /* only which there are; see forwarding_apply.c */
	FORWARDING_PATHS,
	FORWARDING_NODES,
	FORWARDING_ARRIVALS,
	FORWARDING_TUNNELS,
	FORWARDING_SITES,
	FORWARDING_OWN,
	FORWARDING_ROUTES4,
	FORWARDING_ROUTES6,
	FORWARDING_CONFIG, /* an array of one; never without it */
	FORWARDING_TABLE_MAX,
};

struct forwarding_table_kind {
	const char *map;
	uint32_t key_size, value_size;
};
extern const struct forwarding_table_kind forwarding_table_kinds[FORWARDING_TABLE_MAX];

struct forwarding_table {
	struct rows rows; /* wanted */
	struct rows held; /* what is in the map, if known and changed */
	bool known;
	bool changed; /* held and rows are not the same thing; else held is empty */
};

/* What a node is by configuration. */
struct forwarding_member {
	uint16_t id, site; /* site: number, 0: a relay */
	uint8_t kind;
	size_t site_index;
	struct dp_addr canonical_local, canonical_remote;
	uint64_t key[2];
};

struct forwarding {
	const struct config *config;
	struct forwarding_member *members; /* sorted by id */
	size_t n_members;
	uint16_t *refused;
	size_t n_refused;
	struct forwarding_table tables[FORWARDING_TABLE_MAX];
};

#endif

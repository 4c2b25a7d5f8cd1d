/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The record on disk: an SQLite database, WAL, synchronous=FULL.
 *
 *	node	the gateway whose record it is
 *	site	names of sites by number, as last known
 *	epoch	one life of the data plane's counters
 *	pair	local subnet, remote subnet, class; no subnets: those for which there was no room
 *	period	a slot as this process saw it: epoch, times, samples, longest pause, generation,
 *		digest of mesh.yaml, flags. One slot may have several (a reboot, a clock set back)
 *	usage	of a period and a pair: counters when it began and when last read
 *	line	of a period and a remote site: what went, all pairs together
 *	counter	of an epoch and a pair: the last reading of the periods that are closed
 *	total	of an hour or a day and a pair: what went; made again whenever a period is closed
 *
 * usage and counter hold readings, which are written over by later ones: to write one twice changes
 * nothing. What a row tells to bill is the difference of its own two readings.
 */
#ifndef NETPAS_USAGE_STORE_H
#define NETPAS_USAGE_STORE_H

#include <sqlite3.h>

#include "ip.h"
#include "usage.h"

#define USAGE_STORE_VERSION 1
#define USAGE_STORE_APPLICATION 0x4e505553 /* "NPUS" */
#define USAGE_RAW_DAYS 400		   /* of usage and hours: more than a year and a month */
#define USAGE_LINE_DAYS 3660		   /* of everything else */
#define USAGE_SIZE_MAX (20ll << 30)	   /* bytes; above it the oldest days of usage go earlier */

struct usage_store;

/* The statements that make its tables. */
extern const char usage_store_schema[];

struct usage_period {
	int64_t n; /* 0: none */
	int64_t epoch;
	int64_t slot;
	int64_t first_ms, last_ms, since_ms;
	int64_t samples, gap_ms;
	uint64_t generation, digest;
	uint8_t role;
	bool closed;
	unsigned int flags; /* enum usage_flag */
};

/*
 * Open, or make. 0; -EBADMSG: it is damaged or of another program or a later version; or -errno.
 * error says it in words.
 */
int usage_store_open(const char *path, struct usage_store **ret_store,
		     char error[static USAGE_ERROR_LEN]);
void usage_store_close(struct usage_store *store);
sqlite3 *usage_store_sqlite(struct usage_store *store);

/* Put a damaged one aside: renamed, never deleted. ret_name: how it is called now. 0 or -errno. */
int usage_store_put_aside(const char *path, int64_t now_s, char ret_name[static USAGE_ERROR_LEN]);

/* All below: 0, -EBADMSG (damaged), -ENOSPC or -EIO; what it is of goes to usage_store_error(). */
const char *usage_store_error(const struct usage_store *store);

int usage_store_begin(struct usage_store *store);
int usage_store_commit(struct usage_store *store);
void usage_store_rollback(struct usage_store *store);

int usage_store_set_node(struct usage_store *store, uint16_t id, const char *name, uint16_t site);
int usage_store_set_site(struct usage_store *store, uint16_t number, const char *name);

/* The row of an epoch; *ret_n 0: not known. */
int usage_store_find_epoch(struct usage_store *store, uint64_t id, int64_t *ret_n);
int usage_store_add_epoch(struct usage_store *store, uint64_t id, const char *boot, int64_t now_ms,
			  int64_t *ret_n);

/* The newest period, of an epoch (0: of no counters) or (-1) of any; and the latest slot of all. */
int usage_store_last_period(struct usage_store *store, int64_t epoch,
			    struct usage_period *ret_period);
int usage_store_last_slot(struct usage_store *store, int64_t *ret_slot);

/* period->n 0: a new one, whose number is set. Else it is written over. */
int usage_store_put_period(struct usage_store *store, struct usage_period *period);

/* As in the record: "other" for a length of 0. */
void usage_prefix_format(const struct dp_addr *addr, uint8_t len,
			 char text[static IP_PREFIX_STRLEN]);

/* The number of a pair, which is made. */
int usage_store_pair(struct usage_store *store, const struct usage_key *key, int64_t *ret_n);

int usage_store_put_usage(struct usage_store *store, int64_t period, int64_t pair,
			  const struct usage_counts *base, const struct usage_counts *now);
int usage_store_put_line(struct usage_store *store, int64_t period, uint16_t local_site,
			 uint16_t remote_site, const struct usage_counts *sum);

/* What was last read of each pair of an epoch, and for those in this period (0: none) its base. */
struct usage_stored {
	struct usage_key key;
	int64_t pair;
	struct usage_counts base, now;
	bool in_period;
};
int usage_store_each(struct usage_store *store, int64_t epoch, int64_t period,
		     int (*take)(const struct usage_stored *stored, void *data), void *data);

/* No more of this period: its readings are the last ones, and totals are made of it. */
int usage_store_close_period(struct usage_store *store, const struct usage_period *period);

/* Take out what is older than it has to be. */
int usage_store_prune(struct usage_store *store, int64_t now_s, int64_t size_max);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Usage records: what is read of the data plane's counters, and the files of the process that reads
 * them (netpas-usage). Counts only grow while their epoch lasts; nothing here ever holds a
 * difference that something else would have to add up.
 */
#ifndef NETPAS_USAGE_H
#define NETPAS_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane.h"

#define USAGE_FILE "usage.db"		 /* in the state directory */
#define USAGE_CONFIG_FILE "usage.json"	 /* in the run directory: from netpasd */
#define USAGE_STATUS_FILE "usage.status" /* likewise: to netpasd */
#define USAGE_PID_FILE "usage.pid"	 /* likewise: locked by the process, whose pid it holds */
#define USAGE_ERROR_LEN 320

/* Of what netpasd and netpas-usage are linked from: one that is of another build is replaced. */
extern const char usage_version[];

/* What a counter is of. Zero lengths: of pairs of subnets that the data plane had no room for. */
struct usage_key {
	struct dp_addr local, remote;
	uint16_t local_site, remote_site; /* numbers; remote 0: not even that is known */
	uint8_t local_len, remote_len;	  /* of 128 bits */
	uint8_t class;			  /* enum dp_class */
	uint8_t reserved;		  /* 0 */
};

struct usage_counts {
	uint64_t out_packets, out_bytes, in_packets, in_bytes;
};

struct usage_reading {
	struct usage_key key;
	struct usage_counts counts;
};

struct usage_readings {
	struct usage_reading *v;
	size_t n, capacity;
};

/* When it was read, and of what. */
struct usage_moment {
	int64_t real_ms; /* UNIX time */
	int64_t mono_ms; /* CLOCK_MONOTONIC */
	uint64_t generation, digest;
	uint8_t role;
	bool metered; /* there are counters; else readings are empty and mean nothing */
};

/* What is to be known of a period (usage_store.h). */
enum usage_flag {
	USAGE_FLAG_CARRIED = 1,	    /* has traffic of before its slot, since since_ms */
	USAGE_FLAG_TAIL = 2,	    /* its end was not seen: that is in a later, carried one */
	USAGE_FLAG_CLOCK = 4,	    /* the clock was set */
	USAGE_FLAG_CUT = 8,	    /* the counters ended with it: power cut or reboot */
	USAGE_FLAG_UNMETERED = 16,  /* for some time there were no counters */
	USAGE_FLAG_BEGIN = 32,	    /* the first of its counters */
	USAGE_FLAG_NEW_RECORD = 64, /* the counters are older than this record */
	USAGE_FLAG_IDLE =
		128, /* nobody recorded since since_ms, and nothing was carried meanwhile */
};

#define USAGE_NO_SAMPLE                                                                   \
	(USAGE_FLAG_CARRIED | USAGE_FLAG_TAIL | USAGE_FLAG_CLOCK | USAGE_FLAG_UNMETERED | \
	 USAGE_FLAG_NEW_RECORD)

#endif

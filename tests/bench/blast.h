/* SPDX-License-Identifier: GPL-2.0-only */
/* What blast.c tells its programs. */
#ifndef NETPAS_TESTS_BENCH_BLAST_H
#define NETPAS_TESTS_BENCH_BLAST_H

#include <linux/types.h>

#define BLAST_HEADERS 42  /* Ethernet, IPv4, UDP */
#define BLAST_WORDS 7	  /* of 8 bytes: the headers, and a bit of the payload */
#define BLAST_MARK_WORD 6 /* is in the payload, which no relay changes */

struct blast {
	__u64 word[BLAST_WORDS]; /* the beginning of each frame */
	__u32 wanted;		 /* destination address of those that count; network order */
	__u32 reserved;
};

/* Of each CPU: what came back, and when; zeroed before a run. */
struct blast_counted {
	__u64 packets;
	__u64 first_ns, last_ns; /* CLOCK_MONOTONIC; the last one is true to BLAST_STAMP packets */
};

#define BLAST_STAMP 64 /* so that the clock, which is dear, is read rarely */

#endif

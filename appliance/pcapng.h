/* SPDX-License-Identifier: GPL-2.0-only */
/* Writing pcapng (draft-ietf-opsawg-pcapng): packets with comments and with verdicts. */
#ifndef NETPAS_PCAPNG_H
#define NETPAS_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PCAPNG_LINK_ETHERNET 1

/* What epb_verdict is of. */
enum pcapng_verdict {
	PCAPNG_VERDICT_TC = 1,
	PCAPNG_VERDICT_XDP = 2,
};

struct pcapng_packet {
	uint32_t interface; /* number, in the order of pcapng_interface() */
	uint64_t at_ns;	    /* since 1970 */
	const void *data;
	uint32_t caplen, len;
	bool out; /* direction on the wire */
	enum pcapng_verdict kind;
	int64_t verdict;
	const char *comment;
};

/* All of them return 0 or -errno of writing. */
int pcapng_begin(FILE *out, const char *program);
int pcapng_interface(FILE *out, const char *name, const char *description, uint16_t link,
		     uint32_t snap);
int pcapng_packet(FILE *out, const struct pcapng_packet *packet);
/* Bytes that pcapng_packet() writes for it. */
size_t pcapng_packet_size(const struct pcapng_packet *packet);
/* At the end, of one interface. */
int pcapng_statistics(FILE *out, uint32_t interface, uint64_t at_ns, uint64_t received,
		      uint64_t dropped);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hello: what two gateways tell each other inside their tunnel, every hello interval, in a UDP
 * datagram between their link-local addresses fe80::<id> (port: the mesh's port_base, which no
 * tunnel uses as ids begin with 1). WireGuard authenticates and encrypts it, so it carries no
 * signature of its own. Pure: encode and decode only.
 */
#ifndef NETPAS_HELLO_H
#define NETPAS_HELLO_H

#include <stddef.h>
#include <stdint.h>

#define HELLO_LEN 62
#define HELLO_LEN_MIN 56 /* of older versions, which tell no lan_mac */
#define HELLO_MAC_LEN 6
#define HELLO_VERSION 1

enum hello_role {
	HELLO_ROLE_STANDBY,
	HELLO_ROLE_ACTIVE,
	HELLO_ROLE_MAX,
};

enum hello_flag {
	HELLO_FLAG_DRAINING = 1,     /* the sender is under maintenance */
	HELLO_FLAG_HANDING_OVER = 2, /* it was asked to give the active role up, or to take it */
	HELLO_FLAG_RIVAL = 4,	     /* rival_generation is told: 0 means that there is none */
};

struct hello {
	uint16_t from, to; /* node ids */
	enum hello_role role;
	uint8_t severity;	  /* of what is wrong with the sender; 0: nothing */
	uint8_t flags;		  /* enum hello_flag */
	uint64_t generation;	  /* of the sender's claim; only grows */
	uint64_t seen_generation; /* highest claim the sender has seen from the receiver's site */
	uint64_t digest;	  /* of the sender's mesh configuration */
	/*
	 * Generation of the claim of the receiver's partner, while the sender hears it and it
	 * claims to be active; 0: it does not, as far as the sender knows.
	 */
	uint64_t rival_generation;
	uint8_t lan_mac
		[HELLO_MAC_LEN]; /* of the sender, told to its partner alone; all 0: not told */
	uint32_t sequence;
	uint32_t echo_sequence; /* last sequence received from the other end */
	uint32_t echo_delay_us; /* between receiving that and sending this, for the round trip */
};

void hello_encode(const struct hello *hello, uint8_t buf[static HELLO_LEN]);

/* 0; -EBADMSG: not a hello; -EPROTO: another version. Longer datagrams are accepted (extensions). */
int hello_decode(const uint8_t *buf, size_t len, struct hello *ret_hello);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asking a neighbour whether it is there: ARP requests (RFC 826) and neighbour solicitations (RFC
 * 4861), and their answers, as what follows the Ethernet header. Pure.
 */
#ifndef NETPAS_SOLICIT_H
#define NETPAS_SOLICIT_H

#include <stddef.h>
#include <stdint.h>

#define SOLICIT_MAC_LEN 6
#define SOLICIT_ARP_LEN 28
#define SOLICIT_ND_LEN 72 /* IPv6 header, message, option with our MAC */

void solicit_arp(const uint8_t own_mac[static SOLICIT_MAC_LEN], const uint8_t own[static 4],
		 const uint8_t target[static 4], uint8_t ret_frame[static SOLICIT_ARP_LEN]);

/* To the target itself if its MAC is known, else to its solicited-node group; with that one's MAC. */
void solicit_nd(const uint8_t own_mac[static SOLICIT_MAC_LEN], const uint8_t own[static 16],
		const uint8_t target[static 16], const uint8_t *target_mac,
		uint8_t ret_frame[static SOLICIT_ND_LEN], uint8_t ret_mac[static SOLICIT_MAC_LEN]);

struct solicit_answer {
	uint8_t family;	     /* 4 or 6 */
	uint8_t address[16]; /* who answers; IPv4: the first four bytes */
	uint8_t mac[SOLICIT_MAC_LEN];
};

/*
 * An answer to own's question. 0, or -EBADMSG: it is none, or another's. That of ND may come without
 * a MAC (then it is zero): nobody has to repeat what the asking packet was sent to.
 */
int solicit_parse_arp(const uint8_t *frame, size_t len, const uint8_t own[static 4],
		      struct solicit_answer *ret_answer);
int solicit_parse_nd(const uint8_t *frame, size_t len, const uint8_t own[static 16],
		     struct solicit_answer *ret_answer);

#endif

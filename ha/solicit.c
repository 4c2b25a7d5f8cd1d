/* SPDX-License-Identifier: GPL-2.0-only */
#include "solicit.h"

#include <errno.h>
#include <string.h>

/* Offsets of ARP for IPv4 over Ethernet. */
enum {
	ARP_OPERATION = 6,
	ARP_SENDER_MAC = 8,
	ARP_SENDER = 14,
	ARP_TARGET = 24,
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
};
static const uint8_t arp_start[ARP_OPERATION] = { 0, 1, 8, 0, 6, 4 };

/* Offsets in the IPv6 packet, and values. */
enum {
	IP6_LEN = 4,
	IP6_NEXT = 6,
	IP6_HOPS = 7,
	IP6_SOURCE = 8,
	IP6_DESTINATION = 24,
	ICMP6 = 40,
	ICMP6_CHECKSUM = ICMP6 + 2,
	ND_TARGET = ICMP6 + 8,
	ND_OPTIONS = ICMP6 + 24,
	PROTOCOL_ICMP6 = 58,
	ND_SOLICIT = 135,
	ND_ADVERT = 136,
	ND_OPTION_SOURCE_MAC = 1,
	ND_OPTION_TARGET_MAC = 2,
	ND_OPTION_UNIT = 8, /* bytes */
	ND_HOPS = 255,	    /* no router has passed it on */
};

void solicit_arp(const uint8_t own_mac[static SOLICIT_MAC_LEN], const uint8_t own[static 4],
		 const uint8_t target[static 4], uint8_t ret_frame[static SOLICIT_ARP_LEN])
{
	memset(ret_frame, 0, SOLICIT_ARP_LEN);
	memcpy(ret_frame, arp_start, sizeof(arp_start));
	ret_frame[ARP_OPERATION + 1] = ARP_REQUEST;
	memcpy(ret_frame + ARP_SENDER_MAC, own_mac, SOLICIT_MAC_LEN);
	memcpy(ret_frame + ARP_SENDER, own, 4);
	memcpy(ret_frame + ARP_TARGET, target, 4);
}

/* RFC 4443, 2.3: over the addresses, the length, the protocol and the message. */
static uint16_t checksum(const uint8_t *packet, size_t len)
{
	uint32_t sum = PROTOCOL_ICMP6 + (uint32_t)(len - ICMP6);

	for (size_t i = IP6_SOURCE; i < len; i++)
		sum += i % 2 ? packet[i] : (uint32_t)packet[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

void solicit_nd(const uint8_t own_mac[static SOLICIT_MAC_LEN], const uint8_t own[static 16],
		const uint8_t target[static 16], const uint8_t *target_mac,
		uint8_t ret_frame[static SOLICIT_ND_LEN], uint8_t ret_mac[static SOLICIT_MAC_LEN])
{
	/* ff02::1:ff00:0 and the last three bytes of the target: RFC 4291, 2.7.1 */
	static const uint8_t group[16] = { 0xff, 2, [11] = 1, [12] = 0xff };
	uint16_t sum;

	memset(ret_frame, 0, SOLICIT_ND_LEN);
	ret_frame[0] = 6 << 4;
	ret_frame[IP6_LEN + 1] = SOLICIT_ND_LEN - ICMP6;
	ret_frame[IP6_NEXT] = PROTOCOL_ICMP6;
	ret_frame[IP6_HOPS] = ND_HOPS;
	memcpy(ret_frame + IP6_SOURCE, own, 16);
	memcpy(ret_frame + IP6_DESTINATION, target, 16);
	if (!target_mac)
		memcpy(ret_frame + IP6_DESTINATION, group, 13);
	ret_frame[ICMP6] = ND_SOLICIT;
	memcpy(ret_frame + ND_TARGET, target, 16);
	ret_frame[ND_OPTIONS] = ND_OPTION_SOURCE_MAC;
	ret_frame[ND_OPTIONS + 1] = 1;
	memcpy(ret_frame + ND_OPTIONS + 2, own_mac, SOLICIT_MAC_LEN);
	sum = checksum(ret_frame, SOLICIT_ND_LEN);
	ret_frame[ICMP6_CHECKSUM] = (uint8_t)(sum >> 8);
	ret_frame[ICMP6_CHECKSUM + 1] = (uint8_t)sum;

	if (target_mac) {
		memcpy(ret_mac, target_mac, SOLICIT_MAC_LEN);
	} else {
		/* RFC 2464, 7 */
		ret_mac[0] = ret_mac[1] = 0x33;
		memcpy(ret_mac + 2, ret_frame + IP6_DESTINATION + 12, 4);
	}
}

int solicit_parse_arp(const uint8_t *frame, size_t len, const uint8_t own[static 4],
		      struct solicit_answer *ret_answer)
{
	if (len < SOLICIT_ARP_LEN || memcmp(frame, arp_start, sizeof(arp_start)) ||
	    frame[ARP_OPERATION] || frame[ARP_OPERATION + 1] != ARP_REPLY ||
	    memcmp(frame + ARP_TARGET, own, 4))
		return -EBADMSG;
	*ret_answer = (struct solicit_answer){ .family = 4 };
	memcpy(ret_answer->address, frame + ARP_SENDER, 4);
	memcpy(ret_answer->mac, frame + ARP_SENDER_MAC, SOLICIT_MAC_LEN);
	return 0;
}

int solicit_parse_nd(const uint8_t *frame, size_t len, const uint8_t own[static 16],
		     struct solicit_answer *ret_answer)
{
	struct solicit_answer answer = { .family = 6 };
	size_t total;

	if (len < ND_OPTIONS || frame[0] >> 4 != 6)
		return -EBADMSG;
	total = ICMP6 + ((size_t)frame[IP6_LEN] << 8 | frame[IP6_LEN + 1]);
	if (total < ND_OPTIONS || total > len || frame[IP6_NEXT] != PROTOCOL_ICMP6 ||
	    frame[IP6_HOPS] != ND_HOPS || frame[ICMP6] != ND_ADVERT || frame[ICMP6 + 1] ||
	    memcmp(frame + IP6_DESTINATION, own, 16) || checksum(frame, total))
		return -EBADMSG;
	memcpy(answer.address, frame + ND_TARGET, 16);
	for (size_t at = ND_OPTIONS; at + ND_OPTION_UNIT <= total;) {
		const size_t size = (size_t)frame[at + 1] * ND_OPTION_UNIT;

		if (!size || size > total - at)
			return -EBADMSG;
		if (frame[at] == ND_OPTION_TARGET_MAC && size == ND_OPTION_UNIT)
			memcpy(answer.mac, frame + at + 2, SOLICIT_MAC_LEN);
		at += size;
	}
	*ret_answer = answer;
	return 0;
}

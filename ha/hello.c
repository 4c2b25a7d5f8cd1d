/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hello datagram. All numbers are big endian.
 *
 *	offset	bytes	field
 *	     0	    4	magic "NPH1"
 *	     4	    1	version, HELLO_VERSION
 *	     5	    1	role: 0 standby, 1 active
 *	     6	    1	severity
 *	     7	    1	flags: 1 draining, 2 handing over, 4 rival_generation is told; others are sent as 0, not looked at
 *	     8	    2	from: node id of the sender, 1..4095
 *	    10	    2	to: node id of the receiver, 1..4095
 *	    12	    4	sequence
 *	    16	    4	echo_sequence
 *	    20	    4	echo_delay_us, microseconds
 *	    24	    8	generation
 *	    32	    8	seen_generation
 *	    40	    8	digest
 *	    48	    8	rival_generation
 *	    56	    6	lan_mac, that may be missing
 *
 * What a receiver does not look at, and what follows byte 62, later versions of the program may
 * use without a new version number. The version is judged before anything else, the length too,
 * so that a hello of another version is told from noise.
 */
#include "hello.h"

#include <errno.h>
#include <string.h>

#define HELLO_MAGIC "NPH1"
#define HELLO_ID_MAX 4095

enum {
	OFF_MAGIC = 0,
	OFF_VERSION = 4,
	OFF_ROLE = 5,
	OFF_SEVERITY = 6,
	OFF_FLAGS = 7,
	OFF_FROM = 8,
	OFF_TO = 10,
	OFF_SEQUENCE = 12,
	OFF_ECHO_SEQUENCE = 16,
	OFF_ECHO_DELAY = 20,
	OFF_GENERATION = 24,
	OFF_SEEN_GENERATION = 32,
	OFF_DIGEST = 40,
	OFF_RIVAL_GENERATION = 48,
	OFF_LAN_MAC = 56,
};

static void put(uint8_t *p, unsigned int bytes, uint64_t value)
{
	while (bytes--) {
		p[bytes] = (uint8_t)value;
		value >>= 8;
	}
}

static uint64_t get(const uint8_t *p, unsigned int bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | *p++;
	return value;
}

void hello_encode(const struct hello *hello, uint8_t buf[static HELLO_LEN])
{
	memset(buf, 0, HELLO_LEN);
	memcpy(buf + OFF_MAGIC, HELLO_MAGIC, 4);
	buf[OFF_VERSION] = HELLO_VERSION;
	buf[OFF_ROLE] = (uint8_t)hello->role;
	buf[OFF_SEVERITY] = hello->severity;
	buf[OFF_FLAGS] = hello->flags;
	put(buf + OFF_FROM, 2, hello->from);
	put(buf + OFF_TO, 2, hello->to);
	put(buf + OFF_SEQUENCE, 4, hello->sequence);
	put(buf + OFF_ECHO_SEQUENCE, 4, hello->echo_sequence);
	put(buf + OFF_ECHO_DELAY, 4, hello->echo_delay_us);
	put(buf + OFF_GENERATION, 8, hello->generation);
	put(buf + OFF_SEEN_GENERATION, 8, hello->seen_generation);
	put(buf + OFF_DIGEST, 8, hello->digest);
	put(buf + OFF_RIVAL_GENERATION, 8, hello->rival_generation);
	memcpy(buf + OFF_LAN_MAC, hello->lan_mac, HELLO_MAC_LEN);
}

static int id_valid(uint64_t id)
{
	return id >= 1 && id <= HELLO_ID_MAX;
}

int hello_decode(const uint8_t *buf, size_t len, struct hello *ret_hello)
{
	if (len <= OFF_VERSION || memcmp(buf + OFF_MAGIC, HELLO_MAGIC, 4) != 0)
		return -EBADMSG;
	if (buf[OFF_VERSION] != HELLO_VERSION)
		return -EPROTO;
	if (len < HELLO_LEN_MIN || buf[OFF_ROLE] >= HELLO_ROLE_MAX ||
	    !id_valid(get(buf + OFF_FROM, 2)) || !id_valid(get(buf + OFF_TO, 2)))
		return -EBADMSG;

	*ret_hello = (struct hello){
		.from = (uint16_t)get(buf + OFF_FROM, 2),
		.to = (uint16_t)get(buf + OFF_TO, 2),
		.role = (enum hello_role)buf[OFF_ROLE],
		.severity = buf[OFF_SEVERITY],
		.flags = buf[OFF_FLAGS],
		.generation = get(buf + OFF_GENERATION, 8),
		.seen_generation = get(buf + OFF_SEEN_GENERATION, 8),
		.digest = get(buf + OFF_DIGEST, 8),
		.rival_generation = get(buf + OFF_RIVAL_GENERATION, 8),
		.sequence = (uint32_t)get(buf + OFF_SEQUENCE, 4),
		.echo_sequence = (uint32_t)get(buf + OFF_ECHO_SEQUENCE, 4),
		.echo_delay_us = (uint32_t)get(buf + OFF_ECHO_DELAY, 4),
	};
	if (len >= HELLO_LEN)
		memcpy(ret_hello->lan_mac, buf + OFF_LAN_MAC, HELLO_MAC_LEN);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What drills say to each other, in UDP between LAN addresses of gateways. Pure: encode and decode.
 * All big endian.
 *
 * Probe: numbered packets that both ends send at a steady rate by the way of the customer's
 * packets. Each says what its sender has received so far, so that the other direction is known
 * while it runs. 64 bytes:
 *
 *	 0  4 magic "NPD1"	 4 1 version	5 3 zero	8 2 from	10 2 to
 *	12  4 sequence from 1	16 8 session	24 8 sender's clock, us
 *	32  4 last sequence received, 36 4 us since then
 *	40  4 received (distinct), 44 4 highest, 48 4 duplicates, 52 4 reordered
 *	56  8 tag: SipHash-2-4 of all before
 *
 * Message: a command of who runs a drill to an agent, or its answer. 40 bytes, body, tag:
 *
 *	 0  4 magic "NPD2"	 4 1 version	5 1 type	6 2 length of the body
 *	 8  2 from		10 2 to		12 4 number	16 8 session
 *	24  8 cookie of the agent, 0 in hello	32 8 sender's clock, us
 *	40  n body, 16 tag: HMAC-SHA256 of all before, cut
 *
 * The cookie is chosen by the agent when it starts, and numbers of commands only grow, so that
 * what was recorded is worth nothing later.
 */
#ifndef NETPAS_DRILL_WIRE_H
#define NETPAS_DRILL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* UDP ports: the mesh's port_base and so many times the ports of a lane. */
#define DRILL_PORT_AGENT 1
#define DRILL_PORT_RUNNER 2
#define DRILL_PORT_PROBE 3 /* source of probes only */

#define DRILL_VERSION 1
#define DRILL_PROBE_LEN 64
#define DRILL_PROBE_SIGNED 56
#define DRILL_HEADER_LEN 40
#define DRILL_TAG_LEN 16
#define DRILL_BODY_MAX 1100 /* fits every tunnel */
#define DRILL_MESSAGE_MAX (DRILL_HEADER_LEN + DRILL_BODY_MAX + DRILL_TAG_LEN)

struct drill_probe {
	uint16_t from, to;
	uint32_t sequence;
	uint64_t session;
	uint64_t sent_us;
	uint32_t echo_sequence; /* 0: none received yet */
	uint32_t echo_delay_us;
	uint32_t received, highest, duplicated, reordered;
};

enum drill_type {
	DRILL_HELLO,	/* -> DONE, which tells the cookie */
	DRILL_START,	/* u32 rate, u32 milliseconds: exchange probes with the sender */
	DRILL_STOP,	/* probes end */
	DRILL_INJECT,	/* struct drill_order */
	DRILL_RESTORE,	/* what was injected ends */
	DRILL_KEEP,	/* the drill goes on; without it the agent restores */
	DRILL_SNAPSHOT, /* u8 enum drill_blob -> DONE, u32 length */
	DRILL_FETCH,	/* u32 offset -> DATA: u32 offset, bytes of the snapshot */
	DRILL_BYE,	/* the drill is over, and the agent's work */
	DRILL_DONE,	/* i32 0 or -errno, u32 value, text: what is wrong or was done */
	DRILL_DATA,
	DRILL_TYPE_MAX,
};
extern const char *const drill_type_names[DRILL_TYPE_MAX];

enum drill_blob {
	DRILL_BLOB_STATE, /* JSON: how the node is */
	DRILL_BLOB_TRACK, /* what came of the probes */
	DRILL_BLOB_PATHS, /* JSON: which paths changed, and why */
	DRILL_BLOB_MAX,
};

struct drill_message {
	enum drill_type type;
	uint16_t from, to;
	uint32_t number;
	uint64_t session, cookie, time_us;
	const uint8_t *body; /* borrowed */
	size_t body_len;
};

/* What to break, for how long. 16 bytes as the body of DRILL_INJECT. */
#define DRILL_ORDER_LEN 16
struct drill_order {
	uint8_t scenario; /* enum drill_scenario_id */
	uint16_t site;	  /* number of the remote site that is measured */
	uint16_t relay;	  /* id of the relay to lose; 0: the agent chooses */
	uint32_t hold_ms; /* then it ends by itself */
	uint32_t lost;	  /* of a million */
};

void drill_probe_encode(const struct drill_probe *probe, uint8_t buf[static DRILL_PROBE_SIGNED]);
/* Exactly one probe, whose tag has been looked at. 0, -EBADMSG, -EPROTO: another version. */
int drill_probe_decode(const uint8_t *buf, size_t len, struct drill_probe *ret_probe);

/* Everything but the tag; body_len is at most DRILL_BODY_MAX. Returns bytes. */
size_t drill_message_encode(const struct drill_message *message,
			    uint8_t buf[static DRILL_MESSAGE_MAX]);
int drill_message_decode(const uint8_t *buf, size_t len, struct drill_message *ret_message);

void drill_order_encode(const struct drill_order *order, uint8_t buf[static DRILL_ORDER_LEN]);
int drill_order_decode(const uint8_t *buf, size_t len, struct drill_order *ret_order);

/* Whether a packet claims to be a probe; a message may be as long. */
bool drill_wire_is_probe(const uint8_t *buf, size_t len);

/* Big endian words in bodies. */
void drill_put32(uint8_t *at, uint32_t value);
uint32_t drill_get32(const uint8_t *at);

#endif

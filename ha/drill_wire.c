/* SPDX-License-Identifier: GPL-2.0-only */
#include "drill_wire.h"

#include <errno.h>
#include <string.h>

#include "drill_scenario.h"

static const uint8_t probe_magic[4] = { 'N', 'P', 'D', '1' };
static const uint8_t message_magic[4] = { 'N', 'P', 'D', '2' };

const char *const drill_type_names[DRILL_TYPE_MAX] = {
	[DRILL_HELLO] = "hello",       [DRILL_START] = "start",	    [DRILL_STOP] = "stop",
	[DRILL_INJECT] = "inject",     [DRILL_RESTORE] = "restore", [DRILL_KEEP] = "keep",
	[DRILL_SNAPSHOT] = "snapshot", [DRILL_FETCH] = "fetch",	    [DRILL_BYE] = "bye",
	[DRILL_DONE] = "done",	       [DRILL_DATA] = "data",
};

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

void drill_put32(uint8_t *at, uint32_t value)
{
	put16(at, (uint16_t)(value >> 16));
	put16(at + 2, (uint16_t)value);
}

static void put64(uint8_t *at, uint64_t value)
{
	drill_put32(at, (uint32_t)(value >> 32));
	drill_put32(at + 4, (uint32_t)value);
}

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

uint32_t drill_get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static uint64_t get64(const uint8_t *at)
{
	return (uint64_t)drill_get32(at) << 32 | drill_get32(at + 4);
}

void drill_probe_encode(const struct drill_probe *probe, uint8_t buf[static DRILL_PROBE_SIGNED])
{
	memcpy(buf, probe_magic, 4);
	buf[4] = DRILL_VERSION;
	memset(buf + 5, 0, 3);
	put16(buf + 8, probe->from);
	put16(buf + 10, probe->to);
	drill_put32(buf + 12, probe->sequence);
	put64(buf + 16, probe->session);
	put64(buf + 24, probe->sent_us);
	drill_put32(buf + 32, probe->echo_sequence);
	drill_put32(buf + 36, probe->echo_delay_us);
	drill_put32(buf + 40, probe->received);
	drill_put32(buf + 44, probe->highest);
	drill_put32(buf + 48, probe->duplicated);
	drill_put32(buf + 52, probe->reordered);
}

int drill_probe_decode(const uint8_t *buf, size_t len, struct drill_probe *ret_probe)
{
	if (len != DRILL_PROBE_LEN || memcmp(buf, probe_magic, 4))
		return -EBADMSG;
	if (buf[4] != DRILL_VERSION)
		return -EPROTO;
	if (buf[5] || buf[6] || buf[7] || !drill_get32(buf + 12))
		return -EBADMSG;
	*ret_probe = (struct drill_probe){
		.from = get16(buf + 8),
		.to = get16(buf + 10),
		.sequence = drill_get32(buf + 12),
		.session = get64(buf + 16),
		.sent_us = get64(buf + 24),
		.echo_sequence = drill_get32(buf + 32),
		.echo_delay_us = drill_get32(buf + 36),
		.received = drill_get32(buf + 40),
		.highest = drill_get32(buf + 44),
		.duplicated = drill_get32(buf + 48),
		.reordered = drill_get32(buf + 52),
	};
	return 0;
}

size_t drill_message_encode(const struct drill_message *message,
			    uint8_t buf[static DRILL_MESSAGE_MAX])
{
	memcpy(buf, message_magic, 4);
	buf[4] = DRILL_VERSION;
	buf[5] = (uint8_t)message->type;
	put16(buf + 6, (uint16_t)message->body_len);
	put16(buf + 8, message->from);
	put16(buf + 10, message->to);
	drill_put32(buf + 12, message->number);
	put64(buf + 16, message->session);
	put64(buf + 24, message->cookie);
	put64(buf + 32, message->time_us);
	if (message->body_len)
		memcpy(buf + DRILL_HEADER_LEN, message->body, message->body_len);
	return DRILL_HEADER_LEN + message->body_len;
}

int drill_message_decode(const uint8_t *buf, size_t len, struct drill_message *ret_message)
{
	if (len < DRILL_HEADER_LEN + DRILL_TAG_LEN || memcmp(buf, message_magic, 4))
		return -EBADMSG;
	if (buf[4] != DRILL_VERSION)
		return -EPROTO;
	if (buf[5] >= DRILL_TYPE_MAX || get16(buf + 6) > DRILL_BODY_MAX ||
	    len != DRILL_HEADER_LEN + (size_t)get16(buf + 6) + DRILL_TAG_LEN)
		return -EBADMSG;
	*ret_message = (struct drill_message){
		.type = buf[5],
		.from = get16(buf + 8),
		.to = get16(buf + 10),
		.number = drill_get32(buf + 12),
		.session = get64(buf + 16),
		.cookie = get64(buf + 24),
		.time_us = get64(buf + 32),
		.body = buf + DRILL_HEADER_LEN,
		.body_len = get16(buf + 6),
	};
	return 0;
}

void drill_order_encode(const struct drill_order *order, uint8_t buf[static DRILL_ORDER_LEN])
{
	memset(buf, 0, DRILL_ORDER_LEN);
	buf[0] = order->scenario;
	put16(buf + 2, order->site);
	put16(buf + 4, order->relay);
	drill_put32(buf + 8, order->hold_ms);
	drill_put32(buf + 12, order->lost);
}

int drill_order_decode(const uint8_t *buf, size_t len, struct drill_order *ret_order)
{
	if (len != DRILL_ORDER_LEN || buf[0] >= DRILL_SCENARIO_MAX || buf[1] || buf[6] || buf[7] ||
	    drill_get32(buf + 8) > DRILL_HOLD_MAX_MS || drill_get32(buf + 12) > 1000000)
		return -EBADMSG;
	*ret_order = (struct drill_order){
		.scenario = buf[0],
		.site = get16(buf + 2),
		.relay = get16(buf + 4),
		.hold_ms = drill_get32(buf + 8),
		.lost = drill_get32(buf + 12),
	};
	return 0;
}

bool drill_wire_is_probe(const uint8_t *buf, size_t len)
{
	return len >= sizeof(probe_magic) && !memcmp(buf, probe_magic, sizeof(probe_magic));
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture_view.h"

#include <stdio.h>
#include <string.h>

#define NET_IP_ALIGN 2
#define HEADERS_MAX 512

const char *const capture_place_names[DP_PLACE_MAX] = {
	[DP_PLACE_WAN_XDP] = "wan_xdp",	      [DP_PLACE_WAN_TC] = "wan_tc",
	[DP_PLACE_WAN_EGRESS] = "wan_egress", [DP_PLACE_LAN_INGRESS] = "lan_ingress",
	[DP_PLACE_LAN_EGRESS] = "lan_egress", [DP_PLACE_TUNNEL_INGRESS] = "tunnel_ingress",
};

int capture_place_find(const char *name)
{
	for (int place = 0; place < DP_PLACE_MAX; place++)
		if (!strcmp(name, capture_place_names[place]))
			return place;
	return -1;
}

const char *capture_counts_text(uint64_t bits, char buf[static CAPTURE_COUNTS_LEN])
{
#define NAME(ID, TEXT) TEXT,
	static const char *const names[] = { DP_COUNTS(NAME) };
#undef NAME
	size_t len = 0;

	*buf = '\0';
	for (size_t i = 0; i < DP_COUNT_MAX; i++) {
		if (!(bits >> i & 1) || len + strlen(names[i]) + 3 > CAPTURE_COUNTS_LEN)
			continue;
		len += (size_t)snprintf(buf + len, CAPTURE_COUNTS_LEN - len, "%s%s",
					len ? ", " : "", names[i]);
	}
	return buf;
}

static const char *message_name(uint8_t type, size_t payload)
{
	switch (type) {
	case 1:
		return "handshake initiation";
	case 2:
		return "handshake response";
	case 3:
		return "cookie reply";
	case 4:
		return payload == 32 ? "keepalive" : "data";
	case DP_PROBE_REQUEST:
		return "probe request";
	case DP_PROBE_REPLY:
		return "probe reply";
	default:
		return "no message that the mesh knows";
	}
}

/* Without a link header there is nothing to be parsed but addresses. */
static void parse_inner(const uint8_t *data, size_t len, struct capture_view *view)
{
	struct packet *p = &view->packet;

	if (len >= sizeof(struct iphdr) && data[0] >> 4 == 4) {
		__be32 addr;

		memcpy(&addr, data + 12, 4);
		packet_addr_v4(&p->source, addr);
		memcpy(&addr, data + 16, 4);
		packet_addr_v4(&p->destination, addr);
		p->family = 4;
		view->ip = true;
	} else if (len >= sizeof(struct ipv6hdr) && data[0] >> 4 == 6) {
		memcpy(&p->source, data + 8, 16);
		memcpy(&p->destination, data + 24, 16);
		p->family = 6;
		view->ip = true;
	}
}

void capture_view_make(const void *data, size_t len, uint32_t frame_len, bool link,
		       const struct dp_config *config, struct capture_view *ret_view)
{
	/* Headers are read in place, so that of IP has to be where words begin: the kernel sees to it, too. */
	_Alignas(8) uint8_t aligned[NET_IP_ALIGN + HEADERS_MAX];
	const uint8_t *bytes = aligned + NET_IP_ALIGN, *payload;
	struct capture_view view = { .what = "not of the mesh", .probe_path = -1 };
	struct packet *p = &view.packet;
	enum packet_result result;
	uint8_t lanes[2];

	if (len > HEADERS_MAX)
		len = HEADERS_MAX;
	memcpy(aligned + NET_IP_ALIGN, data, len);
	*ret_view = view;
	if (!link) {
		parse_inner(data, len, ret_view);
		return;
	}
	result = packet_parse(bytes, bytes + len, frame_len, p);
	view.ip = result == PACKET_IP || result == PACKET_OPAQUE || result == PACKET_PORTS;
	if (result == PACKET_PORTS && config && config->lanes &&
	    packet_port_decode(p->source_port, config->port_base, config->lanes, &view.to,
			       &lanes[0]) &&
	    packet_port_decode(p->destination_port, config->port_base, config->lanes, &view.from,
			       &lanes[1]) &&
	    lanes[0] == lanes[1]) {
		const size_t at = (size_t)p->l4 + sizeof(struct udphdr);

		view.mesh = true;
		view.lane = lanes[0];
		payload = bytes + at;
		view.what = "cut before its first byte";
		if (len > at)
			view.what = message_name(payload[0], p->payload);
		if (len > at + 2 &&
		    (payload[0] == DP_PROBE_REQUEST || payload[0] == DP_PROBE_REPLY))
			view.probe_path = payload[2];
	}
	*ret_view = view;
}

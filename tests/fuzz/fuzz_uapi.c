/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whatever an engine may answer: the parser says yes, or no and nothing is touched; and of what it
 * took it makes a request that fits its room and ends where requests end.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wireguard.h"
#include "wireguard_device.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int good)
{
	if (!good)
		abort();
}

static void check_request(const struct wireguard_device *device, bool link)
{
	struct state_tunnel tunnel = {
		.ifname = "np3",
		.peer_id = 4095,
		.allowed_all = !link,
		.allowed_link = link,
		.listen_port = 65535,
		.endpoint_port = 65535,
		.keepalive_s = 65535,
		.endpoint = { .family = IP_V6 },
	};
	struct wireguard_change change;
	char *text;

	memset(tunnel.endpoint.bytes, 0xff, sizeof(tunnel.endpoint.bytes));
	memset(tunnel.private_key.bytes, 1, KEY_LEN);
	if (device->n_peers)
		tunnel.peer_key = device->peers[0].public_key;
	change = wireguard_device_compare(device, &tunnel);
	check(change.removals <= device->n_peers);
	text = wireguard_uapi_format(device, &tunnel, &change);
	check(text && strlen(text) > 6 && !strcmp(text + strlen(text) - 2, "\n\n"));
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state_tunnel tunnel, before;
	struct wireguard_stats stats, stats_before;
	struct wireguard_device device;
	int ret;

	memset(&before, 0x5a, sizeof(before));
	memset(&stats_before, 0x5a, sizeof(stats_before));
	tunnel = before;
	stats = stats_before;
	ret = wireguard_uapi_parse((const char *)data, size, &tunnel, &stats);
	if (ret) {
		check(ret < 0 && ret >= -4095);
		check(!memcmp(&tunnel, &before, sizeof(tunnel)));
		check(!memcmp(&stats, &stats_before, sizeof(stats)));
		return 0;
	}
	check(size >= 9 && !memcmp(data + size - 2, "\n\n", 2));
	check(tunnel.engine == before.engine && tunnel.mtu == before.mtu);
	check(stats.last_handshake_s >= 0);
	check(tunnel.endpoint.family == IP_NONE || ip_bits(tunnel.endpoint.family));
	check(!tunnel.allowed_all || tunnel.endpoint.family == stats.endpoint.family);
	check(!wireguard_uapi_scan((const char *)data, size, &device));
	check(!tunnel.allowed_all || !tunnel.allowed_link);
	check_request(&device, false);
	check_request(&device, true);
	wireguard_device_fini(&device);
	return 0;
}

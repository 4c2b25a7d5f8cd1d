/* SPDX-License-Identifier: GPL-2.0-only */
#include "partner_mac.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "event.h"
#include "log.h"

/* Offsets in a frame. */
enum {
	MAC_SOURCE = 6,
	TYPE = 12,
	IP4_SOURCE = 26,
	IP6_SOURCE = 22,
};

struct partner_mac {
	struct sd_event_source *io;
	int fd;
	/* What the socket's filter was made of. */
	unsigned int ifindex;
	struct ip_addr addr;
	uint8_t mac[HELLO_MAC_LEN];
};

static const char *format(const uint8_t *mac, char buf[static PARTNER_MAC_STRLEN])
{
	snprintf(buf, PARTNER_MAC_STRLEN, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	return buf;
}

const char *partner_mac_format(const struct daemon *d, char buf[static PARTNER_MAC_STRLEN])
{
	const uint8_t *mac = d->applied->ruleset ? ruleset_pinned(d->applied->ruleset) : NULL;

	return mac ? format(mac, buf) : NULL;
}

static const char *partner_name(const struct daemon *d)
{
	const struct config_gateway *partner = config_partner(d->config);

	return partner ? partner->name : "";
}

/* NULL: any. What cannot be changed now is what the next repair changes. */
static void pin(struct daemon *d, const uint8_t *mac)
{
	struct ruleset *ruleset = d->applied->ruleset;
	struct ruleset *next = ruleset_new();
	struct ruleset_elems remove[RULESET_SET_MAX] = { 0 }, add[RULESET_SET_MAX] = { 0 };
	char text[PARTNER_MAC_STRLEN];

	if (next)
		next->params = ruleset->params;
	if (!next || ruleset_pin(next, mac)) {
		ruleset_free(next);
		return; /* the next hello tells it again */
	}
	for (enum ruleset_set set = RULESET_PAIR_MAC; set <= RULESET_PAIR_ANY; set++) {
		remove[set] = ruleset->sets[set];
		add[set] = next->sets[set];
	}
	if (nft_change(d->kernel.nft, remove, add))
		daemon_repair_soon(d, "the partner's MAC could not be set in the filter");
	for (enum ruleset_set set = RULESET_PAIR_MAC; set <= RULESET_PAIR_ANY; set++) {
		ruleset->sets[set] = next->sets[set];
		next->sets[set] = remove[set];
	}
	ruleset_free(next);
	if (mac)
		event_info(EVENT_KEEPALIVED,
			   "partner %s: VRRP from any MAC -> from %s alone (hello)",
			   partner_name(d), format(mac, text));
	else
		event_info(EVENT_KEEPALIVED,
			   "partner %s: VRRP from one MAC -> from any (its hellos tell another)",
			   partner_name(d));
}

/* ---- a frame of the partner's, with the MAC that it tells ---- */

static void stop(struct partner_mac *wait)
{
	wait->io = sd_event_source_disable_unref(wait->io);
	if (wait->fd >= 0)
		close(wait->fd);
	wait->fd = -1;
}

void partner_mac_free(struct partner_mac *wait)
{
	if (!wait)
		return;
	stop(wait);
	free(wait);
}

static uint32_t word(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static int attach_filter(int fd, const struct ip_addr *addr, const uint8_t *mac)
{
	const bool v6 = addr->family == IP_V6;
	const uint32_t type = v6 ? ETH_P_IPV6 : ETH_P_IP, at = v6 ? IP6_SOURCE : IP4_SOURCE;
	const unsigned int n_words = v6 ? 4 : 1;
	struct sock_filter code[16];
	const uint32_t checks[][3] = {
		{ BPF_W, MAC_SOURCE, word(mac) },
		{ BPF_H, MAC_SOURCE + 4, (uint32_t)mac[4] << 8 | mac[5] },
		{ BPF_H, TYPE, type },
		{ BPF_W, at, word(addr->bytes) },
		{ BPF_W, at + 4, word(addr->bytes + 4) },
		{ BPF_W, at + 8, word(addr->bytes + 8) },
		{ BPF_W, at + 12, word(addr->bytes + 12) },
	};
	const unsigned int n = 3 + n_words;
	struct sock_fprog program = { .filter = code };

	for (unsigned int i = 0; i < n; i++) {
		const uint8_t to_refusal = (uint8_t)(2 * (n - 1 - i) + 1);

		code[program.len++] = (struct sock_filter)BPF_STMT(
			(uint16_t)(BPF_LD | checks[i][0] | BPF_ABS), checks[i][1]);
		code[program.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
								   checks[i][2], 0, to_refusal);
	}
	code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 1);
	code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) ? -errno : 0;
}

static int frame_came(struct sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct daemon *d = data;
	uint8_t byte;

	(void)source;
	(void)revents;
	if (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT) < 0)
		return 0;
	stop(d->partner_mac);
	if (d->applied->ruleset->params.pair_outer.family)
		pin(d, d->partner_mac->mac);
	return 0;
}

static int open_socket(struct daemon *d, struct partner_mac *wait)
{
	const uint16_t type = wait->addr.family == IP_V6 ? ETH_P_IPV6 : ETH_P_IP;
	const struct sockaddr_ll on_lan = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(type),
		.sll_ifindex = (int)wait->ifindex,
	};
	int rc;

	/* Of no protocol: nothing comes in before the filter is there. */
	wait->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (wait->fd < 0)
		return -errno;
	rc = attach_filter(wait->fd, &wait->addr, wait->mac);
	if (!rc && bind(wait->fd, (const struct sockaddr *)&on_lan, sizeof(on_lan)))
		rc = -errno;
	if (!rc)
		rc = sd_event_add_io(d->event, &wait->io, wait->fd, EPOLLIN, frame_came, d);
	return rc < 0 ? rc : 0;
}

static void wait_for_frame(struct daemon *d, const uint8_t *mac)
{
	const struct ruleset_params *params = &d->applied->ruleset->params;
	const unsigned int ifindex = if_nametoindex(params->lan);
	struct partner_mac *wait = d->partner_mac;
	int rc;

	if (!wait) {
		wait = calloc(1, sizeof(*wait));
		if (!wait)
			return; /* the next hello tells it again */
		wait->fd = -1;
		d->partner_mac = wait;
	}
	if (wait->fd >= 0 && wait->ifindex == ifindex && !memcmp(wait->mac, mac, HELLO_MAC_LEN) &&
	    !ip_addr_compare(&wait->addr, &params->pair_outer))
		return;
	stop(wait);
	wait->ifindex = ifindex;
	wait->addr = params->pair_outer;
	memcpy(wait->mac, mac, HELLO_MAC_LEN);
	rc = open_socket(d, wait);
	if (rc) {
		stop(wait);
		log_debug("the partner's frames on the LAN: %s", strerror(-rc));
	}
}

void partner_mac_told(const uint8_t mac[static HELLO_MAC_LEN], void *data)
{
	static const uint8_t none[HELLO_MAC_LEN];
	struct daemon *d = data;
	const uint8_t *pinned = ruleset_pinned(d->applied->ruleset);
	/* No interface sends from a group address. */
	const bool told = memcmp(mac, none, sizeof(none)) && !(mac[0] & 1);

	if (told && pinned && !memcmp(pinned, mac, HELLO_MAC_LEN)) {
		if (d->partner_mac)
			stop(d->partner_mac);
		return;
	}
	if (pinned)
		pin(d, NULL);
	if (told)
		wait_for_frame(d, mac);
	else if (d->partner_mac)
		stop(d->partner_mac);
}

/* ---- over reloads and restarts ---- */

static bool same_partner(const struct daemon *d, const struct config *config)
{
	const struct config_gateway *before = config_partner(d->config);
	const struct config_gateway *partner = config_partner(config);

	return before && before->id == partner->id &&
	       !strcmp(d->config->node.lan, config->node.lan);
}

int partner_mac_carry(struct daemon *d, const struct config *config, struct state *wanted)
{
	struct ruleset *kept = NULL;
	const uint8_t *mac = NULL;
	int rc = 0;

	if (config->is_relay || !config_partner(config))
		return 0;
	if (d->config && same_partner(d, config))
		mac = ruleset_pinned(d->applied->ruleset);
	else if (!d->config && !nft_read_set(d->kernel.nft, RULESET_PAIR_MAC, &kept))
		mac = ruleset_pinned(kept);
	if (mac)
		rc = ruleset_pin(wanted->ruleset, mac);
	ruleset_free(kept);
	return rc;
}

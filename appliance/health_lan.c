/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packet sockets and not the kernel's own neighbour discovery: that asks on its own terms (after 35
 * seconds, or never, if others have confirmed the entry), and a question of ours that fails would
 * take the entry from packets that still find their way by it.
 *
 * Answers wait in the sockets until the round is over: nobody has to wake up for each.
 */
#include "health_lan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "census.h"
#include "clock.h"
#include "neighbour.h"
#include "solicit.h"

#define MEMBERS_MAX 16
#define ENOUGH_OTHERS 2 /* known from the configuration: the kernel's neighbours are not asked */
#define LEARNED_MAX 4
#define LEARN_US 30000000u /* between two looks at the kernel's neighbours */
#define ROUND_MIN_MS 250
#define ROUND_MAX_MS 1000
#define FRAMES_MAX 256 /* read after one round */

struct member {
	struct ip_addr addr;
	uint8_t mac[SOLICIT_MAC_LEN];
	bool has_mac;
	uint64_t answered_us; /* 0: never */
};

struct health_lan {
	struct sd_event *event;
	struct sd_event_source *timer;
	struct netlink *nl;
	const struct config *config;
	struct member members[MEMBERS_MAX];
	struct census_member counted[MEMBERS_MAX]; /* of the same members */
	size_t n;
	struct census census;
	enum census_verdict verdict;
	uint64_t learned_us;
	bool asked;
	int arp, nd; /* -1: none */
	unsigned int ifindex;
};

int health_lan_new(struct sd_event *event, struct netlink *nl, struct health_lan **ret_lan)
{
	struct health_lan *lan = calloc(1, sizeof(*lan));

	if (!lan)
		return -ENOMEM;
	lan->event = event;
	lan->nl = nl;
	lan->arp = lan->nd = -1;
	*ret_lan = lan;
	return 0;
}

static void close_sockets(struct health_lan *lan)
{
	if (lan->arp >= 0)
		close(lan->arp);
	if (lan->nd >= 0)
		close(lan->nd);
	lan->arp = lan->nd = -1;
	lan->ifindex = 0;
}

void health_lan_free(struct health_lan *lan)
{
	if (!lan)
		return;
	close_sockets(lan);
	sd_event_source_disable_unref(lan->timer);
	free(lan);
}

/* ---- members ---- */

static bool has_member(const struct member *members, size_t n, const struct ip_addr *addr)
{
	for (size_t i = 0; i < n; i++)
		if (!ip_addr_compare(&members[i].addr, addr))
			return true;
	return false;
}

static bool is_own(const struct config *config, const struct ip_addr *addr)
{
	const struct config_site *site = config_self_site(config);
	const struct config_gateway *self = config_self(config);

	for (size_t i = 0; i < site->n_vips; i++)
		if (!ip_addr_compare(&site->vips[i], addr))
			return true;
	return !ip_addr_compare(&self->lan4, addr) || !ip_addr_compare(&self->lan6, addr);
}

/* We need an address of that family to ask from. */
static bool can_ask(const struct config *config, const struct ip_addr *addr)
{
	const struct config_gateway *self = config_self(config);

	return (addr->family == IP_V4 && self->lan4.family) ||
	       (addr->family == IP_V6 && self->lan6.family);
}

/* The members of a census in the making. */
struct list {
	const struct config *config;
	struct member members[MEMBERS_MAX];
	struct census_member counted[MEMBERS_MAX];
	size_t n, n_learned;
};

static void add(struct list *list, const struct ip_addr *addr, bool partner, bool expected)
{
	if (list->n == MEMBERS_MAX || !can_ask(list->config, addr) ||
	    has_member(list->members, list->n, addr))
		return;
	list->members[list->n] = (struct member){ .addr = *addr };
	list->counted[list->n++] =
		(struct census_member){ .partner = partner, .expected = expected };
}

static int add_learned(const struct ip_addr *addr, void *data)
{
	const struct config_site *site;
	struct list *list = data;
	const size_t before = list->n;

	site = config_self_site(list->config);
	if (!ip_prefix_has_addr(addr->family == IP_V6 ? &site->lan6 : &site->lan4, addr) ||
	    is_own(list->config, addr))
		return 0;
	add(list, addr, false, false);
	list->n_learned += list->n - before;
	return list->n_learned == LEARNED_MAX;
}

/* Who was heard before stays: a dead LAN takes the kernel's neighbours away, and they are witnesses. */
static void add_witnesses(const struct health_lan *lan, struct list *list)
{
	for (size_t i = 0; i < lan->n && list->n_learned < LEARNED_MAX; i++)
		if (!lan->counted[i].partner && !lan->counted[i].expected && lan->counted[i].seen)
			(void)add_learned(&lan->members[i].addr, list);
}

static void make_members(struct health_lan *lan)
{
	const struct config_site *site = config_self_site(lan->config);
	struct list list = { .config = lan->config };
	size_t partners;

	for (size_t i = 0; i < site->n_gateways; i++) {
		if (i == lan->config->self_gateway)
			continue;
		add(&list, &site->gateways[i].lan4, true, true);
		add(&list, &site->gateways[i].lan6, true, true);
	}
	partners = list.n;
	add(&list, &site->router4, false, true);
	add(&list, &site->router6, false, true);
	for (size_t i = 0; i < lan->config->node.n_lan_probes; i++)
		add(&list, &lan->config->node.lan_probes[i], false, true);
	if (list.n - partners < ENOUGH_OTHERS) {
		add_witnesses(lan, &list);
		/* Those that are known already will do if the kernel does not tell. */
		(void)neighbour_dump(lan->nl, lan->config->node.lan, add_learned, &list);
	}
	for (size_t i = 0; i < list.n; i++) {
		for (size_t o = 0; o < lan->n; o++) {
			if (ip_addr_compare(&lan->members[o].addr, &list.members[i].addr))
				continue;
			list.members[i] = lan->members[o];
			list.counted[i].seen = lan->counted[o].seen;
			list.counted[i].answered = lan->counted[o].answered;
		}
	}
	memcpy(lan->members, list.members, sizeof(list.members));
	memcpy(lan->counted, list.counted, sizeof(list.counted));
	lan->n = list.n;
	lan->learned_us = clock_now_us();
}

/* ---- sockets ---- */

/* Only answers: ARP's operation 2, ICMPv6's type 136. Offsets begin at the network header. */
static int open_socket(unsigned int ifindex, uint16_t protocol, int *ret_fd)
{
	struct sock_filter arp[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_filter nd[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 40),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 136, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const bool is_arp = protocol == ETH_P_ARP;
	const struct sock_fprog program = {
		.len = is_arp ? sizeof(arp) / sizeof(*arp) : sizeof(nd) / sizeof(*nd),
		.filter = is_arp ? arp : nd,
	};
	const struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = (int)ifindex,
	};
	/* Of no protocol: nothing comes in before the filter is there. */
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) ||
	    bind(fd, (const struct sockaddr *)&addr, sizeof(addr))) {
		const int rc = -errno;

		close(fd);
		return rc;
	}
	*ret_fd = fd;
	return 0;
}

/* The interface may come late, or be made anew. */
static bool sockets_ready(struct health_lan *lan)
{
	const unsigned int ifindex = if_nametoindex(lan->config->node.lan);

	if (ifindex == lan->ifindex)
		return ifindex;
	close_sockets(lan);
	if (!ifindex || open_socket(ifindex, ETH_P_ARP, &lan->arp) ||
	    open_socket(ifindex, ETH_P_IPV6, &lan->nd)) {
		close_sockets(lan);
		return false;
	}
	lan->ifindex = ifindex;
	return true;
}

/* Failing to send is silence, too. */
static void ask(const struct health_lan *lan, const struct member *member)
{
	static const uint8_t broadcast[SOLICIT_MAC_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const struct config_gateway *self = config_self(lan->config);
	const bool v4 = member->addr.family == IP_V4;
	const int fd = v4 ? lan->arp : lan->nd;
	struct sockaddr_ll own = { 0 }, to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(v4 ? ETH_P_ARP : ETH_P_IPV6),
		.sll_ifindex = (int)lan->ifindex,
		.sll_halen = SOLICIT_MAC_LEN,
	};
	uint8_t frame[SOLICIT_ND_LEN];
	socklen_t len = sizeof(own);

	if (getsockname(fd, (struct sockaddr *)&own, &len) || own.sll_halen != SOLICIT_MAC_LEN)
		return;
	if (v4) {
		memcpy(to.sll_addr, member->has_mac ? member->mac : broadcast, SOLICIT_MAC_LEN);
		solicit_arp(own.sll_addr, self->lan4.bytes, member->addr.bytes, frame);
	} else {
		solicit_nd(own.sll_addr, self->lan6.bytes, member->addr.bytes,
			   member->has_mac ? member->mac : NULL, frame, to.sll_addr);
	}
	(void)sendto(fd, frame, v4 ? SOLICIT_ARP_LEN : SOLICIT_ND_LEN, MSG_DONTWAIT,
		     (const struct sockaddr *)&to, sizeof(to));
}

static void take_answer(struct health_lan *lan, const struct solicit_answer *answer)
{
	static const uint8_t none[SOLICIT_MAC_LEN];
	struct ip_addr addr = { .family = answer->family };

	memcpy(addr.bytes, answer->address, answer->family == IP_V4 ? 4 : 16);
	for (size_t i = 0; i < lan->n; i++) {
		struct member *member = &lan->members[i];

		if (ip_addr_compare(&member->addr, &addr))
			continue;
		lan->counted[i].answered = true;
		member->answered_us = clock_now_us();
		if (memcmp(answer->mac, none, sizeof(none))) {
			member->has_mac = true;
			memcpy(member->mac, answer->mac, sizeof(member->mac));
		}
	}
}

static void take_answers(struct health_lan *lan, int fd)
{
	const struct config_gateway *self = config_self(lan->config);
	struct solicit_answer answer;
	uint8_t frame[256];

	for (int i = 0; i < FRAMES_MAX; i++) {
		const ssize_t len = recv(fd, frame, sizeof(frame), MSG_DONTWAIT);
		int rc;

		if (len < 0 && (errno == EAGAIN || errno == EBADF))
			break;
		if (len < 0)
			continue; /* an error that waited: the interface was down */
		rc = fd == lan->arp
			     ? solicit_parse_arp(frame, (size_t)len, self->lan4.bytes, &answer)
			     : solicit_parse_nd(frame, (size_t)len, self->lan6.bytes, &answer);
		if (!rc)
			take_answer(lan, &answer);
	}
}

/* ---- rounds ---- */

/* Who does not answer is asked by broadcast again: it may be another machine now. */
static void forget_macs(struct health_lan *lan)
{
	for (size_t i = 0; i < lan->n; i++)
		if (lan->census.silent >= CENSUS_DEAD_ROUNDS / 2 ||
		    (lan->counted[i].partner && !lan->census.partner_answers))
			lan->members[i].has_mac = false;
}

static uint64_t round_us(const struct health_lan *lan)
{
	const uint64_t ms = config_self_site(lan->config)->advert_ms * 5 / 2;

	return 1000 * (ms < ROUND_MIN_MS ? ROUND_MIN_MS : ms > ROUND_MAX_MS ? ROUND_MAX_MS : ms);
}

static int round_due(struct sd_event_source *source, uint64_t usec, void *data)
{
	struct health_lan *lan = data;
	bool ready;

	(void)usec;
	if (lan->ifindex) {
		take_answers(lan, lan->arp);
		take_answers(lan, lan->nd);
	}
	if (lan->asked) {
		lan->verdict = census_count(&lan->census, lan->counted, lan->n);
		forget_macs(lan);
	}
	lan->asked = true;
	if (clock_now_us() - lan->learned_us >= LEARN_US)
		make_members(lan);
	ready = sockets_ready(lan);
	for (size_t i = 0; ready && i < lan->n; i++)
		if (census_asks(&lan->census, &lan->counted[i], i))
			ask(lan, &lan->members[i]);
	sd_event_source_set_time_relative(source, round_us(lan));
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

int health_lan_configure(struct health_lan *lan, const struct config *config)
{
	int rc;

	lan->config = config;
	make_members(lan);
	if (lan->timer)
		return 0;
	rc = sd_event_add_time_relative(lan->event, &lan->timer, CLOCK_MONOTONIC, 0, 1000,
					round_due, lan);
	return rc < 0 ? rc : 0;
}

bool health_lan_dead(const struct health_lan *lan, char *reason, size_t size)
{
	char text[IP_ADDR_STRLEN];
	size_t len;

	if (lan->verdict != CENSUS_DEAD)
		return false;
	len = (size_t)snprintf(reason, size, "nobody on %s answers: asked ", lan->config->node.lan);
	for (size_t i = 0; i < lan->n && len < size; i++)
		len += (size_t)snprintf(reason + len, size - len, "%s%s", i ? ", " : "",
					ip_addr_format(&lan->members[i].addr, text));
	return true;
}

json_t *health_lan_status(const struct health_lan *lan)
{
	const uint64_t now = clock_now_us();
	json_t *list = json_array();
	char text[IP_ADDR_STRLEN];

	for (size_t i = 0; i < lan->n; i++) {
		const struct member *member = &lan->members[i];
		const struct census_member *counted = &lan->counted[i];

		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:o}", "address", ip_addr_format(&member->addr, text),
				  "kind",
				  counted->partner    ? "partner"
				  : counted->expected ? "configured"
						      : "learned",
				  "answered_s",
				  member->answered_us
					  ? json_real((double)(now - member->answered_us) / 1e6)
					  : json_null()));
	}
	return list;
}

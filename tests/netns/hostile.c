/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hostile: a flood of what an attacker on the Internet can make arrive at a gateway, and some more.
 *
 * It runs on the last switch before the gateway and writes frames onto the cable to it (AF_PACKET,
 * past the queueing discipline), so no router on the way refuses any of them first. Before that it
 * listens on the same cable: what it sends again was really sent, and had arrived.
 *
 * Says in JSON what was sent by kind, and what has to become of it by reason. The same seed makes
 * the same frames, but for those that were listened to.
 */
#include <errno.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "hostile_frames.h"

#define BATCH 32
#define NS 1000000000ull

struct kind {
	const char *name;
	size_t (*build)(struct hostile *h, uint8_t *frame, unsigned int *ret_reason);
	unsigned int weight;
	bool inner, captured; /* cannot be without --inner, without having listened */
};

static struct kind kinds[] = {
	{ "bytes", hostile_bytes, 10, false, false },
	{ "random", hostile_random, 15, false, false },
	{ "types", hostile_types, 5, false, false },
	{ "truncated", hostile_truncated, 8, false, false },
	{ "lengths", hostile_lengths, 5, false, false },
	{ "fragments", hostile_fragments, 4, false, false },
	{ "options", hostile_options, 4, false, false },
	{ "ipv6", hostile_ipv6, 3, false, false },
	{ "mapped", hostile_mapped, 2, false, false },
	{ "tagged", hostile_tagged, 2, false, false },
	{ "spoofed", hostile_spoofed, 8, false, false },
	{ "altered", hostile_altered, 4, false, true },
	{ "replayed", hostile_replayed, 5, false, true },
	{ "mirrored", hostile_mirrored, 2, false, true },
	{ "data_replayed", hostile_data_replayed, 1, false, true },
	{ "data_altered", hostile_data_altered, 1, false, true },
	{ "handshakes", hostile_handshakes, 4, false, false },
	{ "strangers", hostile_strangers, 20, false, false },
	{ "ids", hostile_ids, 5, false, false },
	{ "tcp", hostile_tcp, 2, false, false },
	{ "icmp", hostile_icmp, 1, false, false },
	{ "unreachable", hostile_unreachable, 2, false, false },
	{ "inner", hostile_inner, 1, true, false },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const char *const reasons[] = {
#define REASON(ID, NAME) [DP_COUNT_##ID] = NAME,
	DP_COUNTS(REASON)
#undef REASON
		[HOSTILE_LIMITED] = "limited",
};

static const char *const captures[] = {
	[HOSTILE_REQUEST] = "requests",
	[HOSTILE_REPLY] = "replies",
	[HOSTILE_OWN] = "own_requests",
	[HOSTILE_DATA] = "data",
};

struct options {
	struct hostile hostile;
	const char *interface;
	uint64_t count;
	double rate, listen_s; /* 0: as fast as it goes, not at all */
};

struct tally {
	uint64_t sent, seconds_ns;
	uint64_t kinds[KINDS], reasons[HOSTILE_LIMITED + 1];
};

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS + (uint64_t)ts.tv_nsec;
}

/* A socket that sends only, or one that also hears what others send there. */
static int socket_open(const struct options *options, bool listen)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = listen ? htons(ETH_P_ALL) : 0,
		.sll_ifindex = (int)if_nametoindex(options->interface),
	};
	const int on = 1;
	int fd, ret;

	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (addr.sll_ifindex != 0 &&
	    (listen || setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) == 0) &&
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

/* -- listening -- */

/* Of which of the four it is one; HOSTILE_CAPTURE_MAX: none. */
static enum hostile_capture frame_judge(const struct hostile *h, const uint8_t *frame, size_t len,
					bool outgoing)
{
	const uint8_t *ip = frame + FRAME_ETH, *udp = ip + 20;
	unsigned int from, to;
	uint8_t type;

	if (len < hostile_mesh_len(sizeof(struct dp_probe)) || frame[12] != 8 || frame[13] != 0 ||
	    ip[0] != 0x45 || ip[9] != IPPROTO_UDP)
		return HOSTILE_CAPTURE_MAX;
	from = (unsigned int)udp[2] * 256 + udp[3] - h->base;
	to = (unsigned int)udp[0] * 256 + udp[1] - h->base;
	type = udp[FRAME_UDP];
	if (!outgoing)
		return from == h->self && to == h->peer.id && type == DP_PROBE_REQUEST
			       ? HOSTILE_OWN
			       : HOSTILE_CAPTURE_MAX;
	if (from != h->peer.id || to != h->self || memcmp(frame, h->mac, sizeof(h->mac)) != 0)
		return HOSTILE_CAPTURE_MAX;
	if (type == DP_PROBE_REQUEST)
		return HOSTILE_REQUEST;
	if (type == DP_PROBE_REPLY)
		return HOSTILE_REPLY;
	return type == 4 ? HOSTILE_DATA : HOSTILE_CAPTURE_MAX;
}

static void frame_take(struct hostile *h, const struct hostile_frame *frame, bool outgoing)
{
	const enum hostile_capture what = frame_judge(h, frame->data, frame->len, outgoing);

	if (what == HOSTILE_CAPTURE_MAX || h->taken[what].n == HOSTILE_CAPTURES)
		return;
	h->taken[what].frames[h->taken[what].n++] = *frame;
	if (outgoing) /* from the router, as all that will be sent */
		memcpy(h->source_mac, frame->data + 6, sizeof(h->source_mac));
}

static bool taken_all(const struct hostile *h)
{
	for (int i = 0; i < HOSTILE_CAPTURE_MAX; i++)
		if (h->taken[i].n < HOSTILE_CAPTURES)
			return false;
	return true;
}

/* Until there are enough of all, or the time is over; 0 if there is something of each. */
static int wire_listen(struct options *options)
{
	const uint64_t end = clock_ns() + (uint64_t)(options->listen_s * 1e9);
	struct hostile *h = &options->hostile;
	struct pollfd pfd = { .events = POLLIN };

	pfd.fd = socket_open(options, true);
	if (pfd.fd < 0)
		return pfd.fd;
	while (!taken_all(h) && clock_ns() < end) {
		struct hostile_frame frame;
		struct sockaddr_ll from;
		socklen_t from_len = sizeof(from);
		ssize_t len;

		if (poll(&pfd, 1, 20) <= 0)
			continue;
		len = recvfrom(pfd.fd, frame.data, sizeof(frame.data), MSG_DONTWAIT | MSG_TRUNC,
			       (struct sockaddr *)&from, &from_len);
		if (len <= 0 || (size_t)len > sizeof(frame.data))
			continue;
		frame.len = (size_t)len;
		frame_take(h, &frame, from.sll_pkttype == PACKET_OUTGOING);
	}
	close(pfd.fd);
	for (int i = 0; i < HOSTILE_CAPTURE_MAX; i++)
		if (h->taken[i].n == 0) {
			fprintf(stderr, "hostile: heard no %s\n", captures[i]);
			return -ENODATA;
		}
	return 0;
}

/* -- sending -- */

static unsigned int kind_draw(struct hostile *h, unsigned int total)
{
	unsigned int at = hostile_pick(h, total);

	for (unsigned int i = 0;; i++) {
		if (at < kinds[i].weight)
			return i;
		at -= kinds[i].weight;
	}
}

static void sleep_until(uint64_t at_ns)
{
	const struct timespec ts = { .tv_sec = (time_t)(at_ns / NS),
				     .tv_nsec = (long)(at_ns % NS) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

/* All n, however often the device has no room. */
static int batch_send(int fd, struct mmsghdr *messages, unsigned int n)
{
	unsigned int done = 0;

	while (done < n) {
		const int sent = sendmmsg(fd, messages + done, n - done, 0);

		if (sent > 0)
			done += (unsigned int)sent;
		else if (sent < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return 0;
}

static int flood(struct options *options, struct tally *tally)
{
	static uint8_t frames[BATCH][FRAME_MAX];
	struct hostile *h = &options->hostile;
	struct mmsghdr messages[BATCH] = { 0 };
	struct iovec iovs[BATCH];
	unsigned int total = 0;
	uint64_t start;
	int fd, ret = 0;

	for (size_t i = 0; i < KINDS; i++)
		total += kinds[i].weight;
	fd = socket_open(options, false);
	if (fd < 0)
		return fd;
	start = clock_ns();
	while (ret == 0 && tally->sent < options->count) {
		unsigned int n;

		for (n = 0; n < BATCH && tally->sent + n < options->count; n++) {
			const unsigned int kind = kind_draw(h, total);
			unsigned int reason;

			iovs[n].iov_base = frames[n];
			iovs[n].iov_len = kinds[kind].build(h, frames[n], &reason);
			messages[n].msg_hdr.msg_iov = &iovs[n];
			messages[n].msg_hdr.msg_iovlen = 1;
			tally->kinds[kind]++;
			tally->reasons[reason]++;
		}
		if (options->rate > 0)
			sleep_until(start + (uint64_t)((double)tally->sent / options->rate * 1e9));
		ret = batch_send(fd, messages, n);
		tally->sent += n;
	}
	tally->seconds_ns = clock_ns() - start;
	close(fd);
	return ret;
}

static void report(const struct hostile *h, const struct tally *tally)
{
	const double seconds = (double)tally->seconds_ns / 1e9;
	const char *comma = "";

	printf("{\"sent\":%llu,\"seconds\":%.3f,\"rate\":%.0f,\"heard\":{",
	       (unsigned long long)tally->sent, seconds, (double)tally->sent / seconds);
	for (int i = 0; i < HOSTILE_CAPTURE_MAX; i++, comma = ",")
		printf("%s\"%s\":%u", comma, captures[i], h->taken[i].n);
	printf("},\"kinds\":{");
	comma = "";
	for (size_t i = 0; i < KINDS; i++, comma = ",")
		printf("%s\"%s\":%llu", comma, kinds[i].name, (unsigned long long)tally->kinds[i]);
	printf("},\"reasons\":{");
	comma = "";
	for (unsigned int i = 0; i <= HOSTILE_LIMITED; i++, comma = ",")
		printf("%s\"%s\":%llu", comma, reasons[i], (unsigned long long)tally->reasons[i]);
	printf("}}\n");
}

/* -- the command line -- */

static const char usage[] =
	"usage: hostile --if NAME --mac GATEWAY --self ID --local ADDR --peer ID,ADDR...\n"
	"               --relay ID,ADDR [--inner FROM,TO] [--base PORT] [--listen SECONDS]\n"
	"               [--count N] [--rate FRAMES/S] [--seed N] [--mix KIND=WEIGHT,...]\n"
	"without --listen nothing is sent again; without --mix all kinds are sent; without --rate it\n"
	"is as fast as it goes.\n"
	"kinds:";

static int usage_error(void)
{
	fputs(usage, stderr);
	for (size_t i = 0; i < KINDS; i++)
		fprintf(stderr, " %s", kinds[i].name);
	fputc('\n', stderr);
	return 2;
}

static bool addr_parse(const char *text, uint32_t *ret_addr)
{
	return text && inet_pton(AF_INET, text, ret_addr) == 1;
}

/* ID,ADDR... */
static bool node_parse(char *text, struct hostile_node *node)
{
	char *rest = NULL, *word = strtok_r(text, ",", &rest);

	node->id = (uint16_t)strtoul(word ? word : "0", NULL, 10);
	for (node->n = 0; (word = strtok_r(NULL, ",", &rest)); node->n++)
		if (node->n == HOSTILE_ADDRS || !addr_parse(word, &node->addrs[node->n]))
			return false;
	return node->id != 0 && node->n != 0;
}

/* FROM,TO */
static bool inner_parse(char *text, struct hostile *h)
{
	char *rest = NULL, *from = strtok_r(text, ",", &rest), *to = strtok_r(NULL, ",", &rest);

	return addr_parse(from, &h->inner_from) && addr_parse(to, &h->inner_to);
}

static bool mix_parse(char *text)
{
	char *rest = NULL, *word, *value;
	size_t i;

	for (i = 0; i < KINDS; i++)
		kinds[i].weight = 0;
	for (word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		value = strchr(word, '=');
		if (!value)
			return false;
		*value++ = '\0';
		for (i = 0; i < KINDS && strcmp(kinds[i].name, word) != 0; i++)
			;
		if (i == KINDS)
			return false;
		kinds[i].weight = (unsigned int)strtoul(value, NULL, 10);
	}
	return true;
}

/* Without what it takes a kind is not sent; false if none is left. */
static bool mix_reduce(const struct options *options)
{
	unsigned int total = 0;

	for (size_t i = 0; i < KINDS; i++) {
		if ((kinds[i].inner && !options->hostile.inner_to) ||
		    (kinds[i].captured && !(options->listen_s > 0)))
			kinds[i].weight = 0;
		total += kinds[i].weight;
	}
	return total != 0;
}

static bool mac_parse(const char *text, uint8_t mac[6])
{
	unsigned int bytes[6];

	if (sscanf(text, "%x:%x:%x:%x:%x:%x", &bytes[0], &bytes[1], &bytes[2], &bytes[3], &bytes[4],
		   &bytes[5]) != 6)
		return false;
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)bytes[i];
	return true;
}

enum {
	OPT_IF = 256,
	OPT_MAC,
	OPT_SELF,
	OPT_LOCAL,
	OPT_PEER,
	OPT_RELAY,
	OPT_INNER,
	OPT_BASE,
	OPT_LISTEN,
	OPT_COUNT,
	OPT_RATE,
	OPT_SEED,
	OPT_MIX,
};

static const struct option long_options[] = {
	{ "if", required_argument, NULL, OPT_IF },
	{ "mac", required_argument, NULL, OPT_MAC },
	{ "self", required_argument, NULL, OPT_SELF },
	{ "local", required_argument, NULL, OPT_LOCAL },
	{ "peer", required_argument, NULL, OPT_PEER },
	{ "relay", required_argument, NULL, OPT_RELAY },
	{ "inner", required_argument, NULL, OPT_INNER },
	{ "base", required_argument, NULL, OPT_BASE },
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "mix", required_argument, NULL, OPT_MIX },
	{ NULL, 0, NULL, 0 },
};

static bool option_take(struct options *options, int opt, char *text)
{
	struct hostile *h = &options->hostile;

	switch (opt) {
	case OPT_IF:
		options->interface = text;
		return true;
	case OPT_MAC:
		return mac_parse(text, h->mac);
	case OPT_SELF:
		h->self = (uint16_t)strtoul(text, NULL, 10);
		return h->self != 0;
	case OPT_LOCAL:
		return addr_parse(text, &h->local);
	case OPT_PEER:
		return node_parse(text, &h->peer);
	case OPT_RELAY:
		return node_parse(text, &h->relay);
	case OPT_INNER:
		return inner_parse(text, h);
	case OPT_BASE:
		h->base = (uint16_t)strtoul(text, NULL, 10);
		return h->base != 0;
	case OPT_LISTEN:
		options->listen_s = strtod(text, NULL);
		return true;
	case OPT_COUNT:
		options->count = strtoull(text, NULL, 10);
		return true;
	case OPT_RATE:
		options->rate = strtod(text, NULL);
		return true;
	case OPT_SEED:
		h->seed = strtoull(text, NULL, 10);
		return h->seed != 0;
	case OPT_MIX:
		return mix_parse(text);
	}
	return false;
}

int main(int argc, char **argv)
{
	static struct options options = {
		.hostile = { .base = 16384, .seed = 1, .source_mac = { 2, 0, 0, 0, 0xee, 1 } },
		.count = 100000,
	};
	const struct hostile *h = &options.hostile;
	static struct tally tally;
	int opt, ret = 0;

	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if (!option_take(&options, opt, optarg))
			return usage_error();
	if (optind != argc || !options.interface || !h->self || !h->local || !h->peer.n ||
	    !h->relay.n || !mix_reduce(&options))
		return usage_error();
	if (options.listen_s > 0)
		ret = wire_listen(&options);
	if (ret == 0)
		ret = flood(&options, &tally);
	if (ret < 0) {
		fprintf(stderr, "hostile: %s: %s\n", options.interface, strerror(-ret));
		return 1;
	}
	report(h, &tally);
	return 0;
}

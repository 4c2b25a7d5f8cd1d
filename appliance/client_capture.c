/* SPDX-License-Identifier: GPL-2.0-only */
/* netpas capture: packets as the data plane's programs saw them, with what they did and why. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "capture_view.h"
#include "client.h"
#include "clock.h"
#include "config.h"
#include "diag.h"
#include "frame_filter.h"
#include "pcapng.h"
#include "tap.h"
#include "word.h"

#define INTERFACES_MAX 256
#define COMMENT_LEN 768
#define NUMBER_MAX 1000000000L

struct wish {
	struct tap_options tap;
	const char *filter, *path; /* path: "-" is standard output */
	long count, seconds, bytes;
	bool drops;
};

/* One device at one program is an interface of the file. */
struct interface {
	unsigned int ifindex;
	enum dp_place place;
	uint64_t packets;
};

struct session {
	const struct wish *wish;
	struct config *config; /* NULL: nodes have no names */
	struct dp_config dp;
	int arrivals, paths, tunnels, routes4, routes6; /* maps */
	int64_t clock_ns;	     /* from CLOCK_MONOTONIC to that of the day */
	struct frame_filter *filter; /* NULL: all */
	struct interface interfaces[INTERFACES_MAX];
	size_t n_interfaces;
	FILE *out;
	long packets, bytes;
	int error;
	const char *end; /* why it ended; NULL: it goes on */
};

static volatile sig_atomic_t interrupted;

static void on_end(int number)
{
	interrupted = number;
}

/* ---- who and where ---- */

static const char *node_name(const struct session *s, uint16_t id, char buf[static 16])
{
	const struct config_mesh *mesh = s->config ? &s->config->mesh : NULL;

	for (size_t i = 0; mesh && i < mesh->n_relays; i++)
		if (mesh->relays[i].id == id)
			return mesh->relays[i].name;
	for (size_t i = 0; mesh && i < mesh->n_sites; i++)
		for (size_t g = 0; g < mesh->sites[i].n_gateways; g++)
			if (mesh->sites[i].gateways[g].id == id)
				return mesh->sites[i].gateways[g].name;
	snprintf(buf, 16, "node %u", id);
	return buf;
}

static const char *site_name(const struct session *s, uint16_t number, char buf[static 16])
{
	for (size_t i = 0; s->config && i < s->config->mesh.n_sites; i++)
		if (config_site_number(&s->config->mesh.sites[i]) == number)
			return s->config->mesh.sites[i].name;
	snprintf(buf, 16, "site %u", number);
	return buf;
}

/* The number of the path that has these ends, by which this node sends to another; -1: none has. */
static int find_path_out(const struct session *s, const struct capture_view *view)
{
	for (uint16_t i = 0; i < DP_PATHS_MAX; i++) {
		const struct dp_path_key key = { .node = view->to, .path = i };
		struct dp_path path;

		if (!bpf_map_lookup_elem(s->paths, &key, &path) &&
		    packet_addr_equal(&path.local, &view->packet.source) &&
		    packet_addr_equal(&path.remote, &view->packet.destination))
			return i;
	}
	return -1;
}

static int find_path_in(const struct session *s, const struct capture_view *view)
{
	struct dp_arrival_key key = { .node = view->from,
				      .source = view->packet.source,
				      .destination = view->packet.destination };
	struct dp_arrival arrival;

	return bpf_map_lookup_elem(s->arrivals, &key, &arrival) ? -1 : (int)arrival.path;
}

static void add(char text[static COMMENT_LEN], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void add(char text[static COMMENT_LEN], const char *fmt, ...)
{
	const size_t len = strlen(text);
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text + len, COMMENT_LEN - len, fmt, args); /* it is cut then */
	va_end(args);
}

static void add_path(const struct session *s, const struct capture_view *view, bool out,
		     char text[static COMMENT_LEN])
{
	const uint16_t peer = out ? view->to : view->from;
	const int number = out ? find_path_out(s, view) : find_path_in(s, view);
	const struct dp_path_key key = { .node = peer, .path = (uint16_t)number };
	struct dp_path path;
	char name[16];

	if (number < 0) {
		add(text, ", not by a path that this node knows");
		return;
	}
	add(text, ", path %d", number);
	if (bpf_map_lookup_elem(s->paths, &key, &path))
		return;
	if (path.relay)
		add(text, " by %s", node_name(s, path.relay, name));
	else
		add(text, " (direct)");
}

static bool find_site(const struct session *s, const struct dp_addr *addr, int family,
		      uint16_t *ret_number)
{
	const struct dp_route4_key key4 = { .prefixlen = 32, .addr = addr->word[3] };
	const struct dp_route6_key key6 = { .prefixlen = 128, .addr = *addr };
	struct dp_route route;

	if (family == 4 ? bpf_map_lookup_elem(s->routes4, &key4, &route)
			: bpf_map_lookup_elem(s->routes6, &key6, &route))
		return false;
	*ret_number = route.site;
	return true;
}

/* Of packets as the customer has them. */
static void add_sites(const struct session *s, const struct capture_view *view,
		      char text[static COMMENT_LEN])
{
	uint16_t from, to;
	char name[16];

	if (!view->ip)
		return;
	if (find_site(s, &view->packet.source, view->packet.family, &from))
		add(text, "from site %s", site_name(s, from, name));
	else
		add(text, "from no site's prefix");
	if (find_site(s, &view->packet.destination, view->packet.family, &to))
		add(text, " to site %s, ", site_name(s, to, name));
	else
		add(text, " to no site's prefix, ");
}

static bool is_wan(enum dp_place place)
{
	return place == DP_PLACE_WAN_XDP || place == DP_PLACE_WAN_TC ||
	       place == DP_PLACE_WAN_EGRESS;
}

static bool is_out(enum dp_place place)
{
	return place == DP_PLACE_WAN_EGRESS || place == DP_PLACE_LAN_EGRESS;
}

static bool has_link(enum dp_place place)
{
	return place != DP_PLACE_TUNNEL_INGRESS;
}

/* "from sin-a to fra-a, path 2 by pop1: data; pass_data; XDP_PASS" */
static void describe(const struct session *s, const struct dp_captured *record,
		     char text[static COMMENT_LEN])
{
	const enum dp_place place = record->place;
	char counts[CAPTURE_COUNTS_LEN], from[16], to[16];
	struct capture_view view;

	*text = '\0';
	capture_view_make(record->data, record->caplen, record->len, has_link(place),
			  is_wan(place) ? &s->dp : NULL, &view);
	if (view.mesh) {
		add(text, "from %s to %s", node_name(s, view.from, from),
		    node_name(s, view.to, to));
		if (s->dp.kind == DP_KIND_GATEWAY)
			add_path(s, &view, is_out(place), text);
		if (view.lane)
			add(text, ", lane %u", view.lane);
		add(text, ": %s; ", view.what);
	} else if (is_wan(place)) {
		add(text, "%s; ", view.what);
	} else {
		struct dp_tunnel tunnel;

		if (place == DP_PLACE_TUNNEL_INGRESS &&
		    !bpf_map_lookup_elem(s->tunnels, &record->ifindex, &tunnel))
			add(text, "tunnel of %s, ", node_name(s, tunnel.node, from));
		add_sites(s, &view, text);
	}
	capture_counts_text(record->counts, counts);
	add(text, "%s%s%s", counts, *counts ? "; " : "", tap_verdict_name(place, record->verdict));
}

/* ---- into the file ---- */

static int find_interface(struct session *s, const struct dp_captured *record)
{
	char device[IF_NAMESIZE], name[64], text[96];
	const enum dp_place place = record->place;
	struct interface *interface;

	for (size_t i = 0; i < s->n_interfaces; i++)
		if (s->interfaces[i].ifindex == record->ifindex && s->interfaces[i].place == place)
			return (int)i;
	if (s->n_interfaces == INTERFACES_MAX)
		return -1;
	if (!if_indextoname(record->ifindex, device))
		snprintf(device, sizeof(device), "if%u", record->ifindex);
	snprintf(name, sizeof(name), "%s %s", device, capture_place_names[place]);
	snprintf(text, sizeof(text), "frames as they %s the program %s",
		 s->wish->tap.after >> place & 1 ? "leave" : "come to", capture_place_names[place]);
	s->error = pcapng_interface(s->out, name, text, PCAPNG_LINK_ETHERNET,
				    ETH_HLEN + s->wish->tap.snap);
	interface = &s->interfaces[s->n_interfaces];
	*interface = (struct interface){ record->ifindex, place, 0 };
	return (int)s->n_interfaces++;
}

/*
 * What comes out of a tunnel begins with its IP header. It gets one of Ethernet, with no addresses,
 * before it: libpcap reads no file with two kinds of frames. Returns how long that is.
 */
static uint32_t make_frame(const struct dp_captured *record,
			   uint8_t frame[static ETH_HLEN + DP_CAPTURE_MAX])
{
	const bool v6 = record->caplen && record->data[0] >> 4 == 6;
	const struct ethhdr link = { .h_proto = htons(v6 ? ETH_P_IPV6 : ETH_P_IP) };
	const uint32_t link_len = has_link(record->place) ? 0 : sizeof(link);

	memcpy(frame, &link, link_len);
	memcpy(frame + link_len, record->data, record->caplen);
	return link_len;
}

static void take(const struct dp_captured *record, void *data)
{
	struct session *s = data;
	uint8_t frame[ETH_HLEN + DP_CAPTURE_MAX];
	const uint32_t link = make_frame(record, frame);
	char comment[COMMENT_LEN];
	struct pcapng_packet packet;
	int number;

	if (s->end || s->error || (s->wish->drops && !tap_is_drop(record)) ||
	    (s->filter &&
	     !frame_filter_takes(s->filter, frame, record->caplen + link, record->len + link)))
		return;
	number = find_interface(s, record);
	if (number < 0 || s->error)
		return;
	describe(s, record, comment);
	packet = (struct pcapng_packet){
		.interface = (uint32_t)number,
		.at_ns = (uint64_t)((int64_t)record->at_ns + s->clock_ns),
		.data = frame,
		.caplen = record->caplen + link,
		.len = record->len + link,
		.out = is_out(record->place),
		.kind = record->place == DP_PLACE_WAN_XDP ? PCAPNG_VERDICT_XDP : PCAPNG_VERDICT_TC,
		.verdict = record->verdict,
		.comment = comment,
	};
	if (s->bytes + (long)pcapng_packet_size(&packet) > s->wish->bytes) {
		s->end = "--bytes";
		return;
	}
	s->error = pcapng_packet(s->out, &packet);
	s->bytes += (long)pcapng_packet_size(&packet);
	s->interfaces[number].packets++;
	if (++s->packets >= s->wish->count)
		s->end = "--count";
}

/* ---- options ---- */

static int number_parse(const char *option, const char *text, long *ret)
{
	char *end;
	const long n = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n < 1 || n > NUMBER_MAX) {
		fprintf(stderr, "netpas: --%s takes a number from 1 to %ld, got '%s'\n", option,
			NUMBER_MAX, text);
		return -EINVAL;
	}
	*ret = n;
	return 0;
}

static int places_parse(char *text, unsigned int *ret_places)
{
	*ret_places = 0;
	for (char *word = strtok(text, ","); word; word = strtok(NULL, ",")) {
		const int place = capture_place_find(word);
		struct word_guess guess;

		if (place >= 0) {
			*ret_places |= 1u << place;
			continue;
		}
		word_guess_init(&guess, word);
		fprintf(stderr, "netpas: there is no hook '%s'; there are", word);
		for (int i = 0; i < DP_PLACE_MAX; i++) {
			fprintf(stderr, "%s %s", i ? "," : "", capture_place_names[i]);
			word_guess_offer(&guess, capture_place_names[i]);
		}
		if (guess.nearest)
			fprintf(stderr, "; did you mean '%s'?", guess.nearest);
		fputc('\n', stderr);
		return -EINVAL;
	}
	return 0;
}

static int interface_parse(const char *name, unsigned int *ret_ifindex)
{
	*ret_ifindex = if_nametoindex(name);
	if (*ret_ifindex)
		return 0;
	fprintf(stderr, "netpas: there is no interface %s\n", name);
	return -ENODEV;
}

static int take_option(struct wish *wish, int option)
{
	long snap;

	switch (option) {
	case 'h':
		return places_parse(optarg, &wish->tap.places);
	case 'i':
		return interface_parse(optarg, &wish->tap.ifindex);
	case 'f':
		wish->filter = optarg;
		return 0;
	case 'd':
		wish->drops = true;
		return 0;
	case 'a':
		wish->tap.after = ~0u;
		return 0;
	case 'b':
		wish->tap.after = 0;
		return 0;
	case 'n':
		return number_parse("count", optarg, &wish->count);
	case 't':
		return number_parse("seconds", optarg, &wish->seconds);
	case 'y':
		return number_parse("bytes", optarg, &wish->bytes);
	case 'l':
		if (number_parse("snap", optarg, &snap))
			return -EINVAL;
		wish->tap.snap = snap < DP_CAPTURE_MAX ? (uint32_t)snap : DP_CAPTURE_MAX;
		return 0;
	case ':':
		fprintf(stderr, "netpas: an option of capture wants a value\n");
		return -EINVAL;
	default:
		fprintf(stderr,
			"netpas: capture knows --hook, --interface, --filter, --drops, --before, "
			"--after, --count, --seconds, --bytes and --snap\n");
		return -EINVAL;
	}
}

/* 0, or 2 after a message. */
static int wish_parse(int argc, char **argv, struct wish *ret_wish)
{
	static const struct option options[] = {
		{ "hook", required_argument, NULL, 'h' },
		{ "interface", required_argument, NULL, 'i' },
		{ "filter", required_argument, NULL, 'f' },
		{ "drops", no_argument, NULL, 'd' },
		{ "after", no_argument, NULL, 'a' },
		{ "before", no_argument, NULL, 'b' },
		{ "count", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 't' },
		{ "bytes", required_argument, NULL, 'y' },
		{ "snap", required_argument, NULL, 'l' },
		{ 0 },
	};
	int option;

	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1)
		if (take_option(ret_wish, option))
			return 2;
	if (optind + 1 != argc) {
		fprintf(stderr, "netpas: capture into which file? '-' is standard output, for "
				"'| wireshark -k -i -'\n");
		return 2;
	}
	ret_wish->path = argv[optind];
	if (!strcmp(ret_wish->path, "-") && isatty(STDOUT_FILENO)) {
		fprintf(stderr, "netpas: packets are nothing for a terminal: a pipe, or a file\n");
		return 2;
	}
	return 0;
}

/* ---- the whole ---- */

static int open_map(const char *name)
{
	char path[sizeof(DP_PIN_DIR) + 64];
	int fd;

	snprintf(path, sizeof(path), DP_PIN_DIR "/%s", name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		fprintf(stderr, "netpas: %s: %s%s\n", path, strerror(errno),
			errno == ENOENT ? "; the data plane is off, or of an older netpasd" : "");
	return fd;
}

/* Of maps of another version nothing is read: their entries may be larger than ours. */
static int read_config(struct dp_config *ret_config)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info), version;
	const uint32_t zero = 0;
	const int fd = open_map("dp_config");
	char *value = NULL;
	int rc = fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) ? -ENOENT : 0;

	if (!rc) {
		value = calloc(1, info.value_size + sizeof(version));
		rc = value ? 0 : -ENOMEM;
	}
	if (!rc && bpf_map_lookup_elem(fd, &zero, value))
		rc = -ENOENT;
	if (!rc) {
		memcpy(&version, value, sizeof(version)); /* it is first in all versions */
		if (version != DP_VERSION || info.value_size != sizeof(*ret_config)) {
			fprintf(stderr,
				"netpas: the data plane is of another version (maps %u, this "
				"program knows %u); netpas and netpasd are of one installation: "
				"'netpas rolling' brings netpasd up to it\n",
				version, DP_VERSION);
			rc = -EPROTO;
		} else {
			memcpy(ret_config, value, sizeof(*ret_config));
		}
	}
	free(value);
	if (fd >= 0)
		close(fd);
	return rc;
}

static int open_maps(struct session *s, struct tap_maps *ret_maps)
{
	const struct {
		const char *name;
		int *fd;
	} maps[] = {
		{ "dp_capture", &ret_maps->capture },
		{ "dp_capture_rings", &ret_maps->rings },
		{ "dp_capture_scratch", &ret_maps->scratch },
		{ "dp_arrivals", &s->arrivals },
		{ "dp_paths", &s->paths },
		{ "dp_tunnels", &s->tunnels },
		{ "dp_routes4", &s->routes4 },
		{ "dp_routes6", &s->routes6 },
	};
	const int rc = read_config(&s->dp);

	for (size_t i = 0; !rc && i < sizeof(maps) / sizeof(maps[0]); i++) {
		*maps[i].fd = open_map(maps[i].name);
		if (*maps[i].fd < 0)
			return -ENOENT;
	}
	return rc;
}

static int open_output(struct session *s)
{
	int fd;

	if (!strcmp(s->wish->path, "-")) {
		s->out = stdout;
		return 0;
	}
	fd = open(s->wish->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	s->out = fd < 0 ? NULL : fdopen(fd, "w");
	if (s->out)
		return 0;
	fprintf(stderr, "netpas: %s: %s\n", s->wish->path, strerror(errno));
	return -errno;
}

static int64_t clock_difference_ns(void)
{
	struct timespec day, mono;

	clock_gettime(CLOCK_REALTIME, &day);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	return (int64_t)(day.tv_sec - mono.tv_sec) * 1000000000 + day.tv_nsec - mono.tv_nsec;
}

static int run(struct session *s, const struct tap_maps *maps)
{
	const int64_t until = clock_now_ms() + s->wish->seconds * 1000;
	char reason[TAP_REASON_LEN];
	struct tap *tap;
	uint64_t lost;
	int rc;

	rc = tap_open(maps, &s->wish->tap, take, s, &tap, reason);
	if (rc) {
		fprintf(stderr, "netpas: %s\n", reason);
		return rc;
	}
	s->error = pcapng_begin(s->out, "netpas " NETPAS_VERSION);
	while (!s->error && !s->end && !interrupted) {
		if (clock_now_ms() >= until) {
			s->end = "--seconds";
			break;
		}
		s->clock_ns = clock_difference_ns();
		s->error = tap_poll(tap, 100);
		/* Who looks on sees it at once. */
		if (!s->error && fflush(s->out))
			s->error = -errno;
	}
	lost = tap_lost(tap);
	tap_close(tap);
	for (size_t i = 0; !s->error && i < s->n_interfaces; i++)
		s->error =
			pcapng_statistics(s->out, (uint32_t)i,
					  (uint64_t)(clock_now_us() * 1000 + (uint64_t)s->clock_ns),
					  s->interfaces[i].packets, i ? 0 : lost);
	fprintf(stderr, "netpas: %ld packet%s, ended by %s", s->packets, s->packets == 1 ? "" : "s",
		s->end ? s->end : "a signal");
	if (lost)
		fprintf(stderr, "; %llu more were too many and are not in it",
			(unsigned long long)lost);
	fputc('\n', stderr);
	return s->error;
}

int client_capture(const struct client_paths *paths, int argc, char **argv)
{
	struct wish wish = { .tap = { .places = (1u << DP_PLACE_MAX) - 1,
				      .after =
					      1u << DP_PLACE_WAN_EGRESS | 1u << DP_PLACE_LAN_EGRESS,
				      .snap = 256 },
			     .count = 100000,
			     .seconds = 60,
			     .bytes = 100000000 };
	const struct sigaction end = { .sa_handler = on_end }, ignore = { .sa_handler = SIG_IGN };
	struct session s = { .wish = &wish };
	struct diag_list *diags;
	char reason[FRAME_FILTER_REASON_LEN] = "out of memory";
	struct tap_maps maps;
	int rc = wish_parse(argc, argv, &wish);

	if (rc)
		return rc;
	if (wish.filter &&
	    frame_filter_new(wish.filter, ETH_HLEN + DP_CAPTURE_MAX, &s.filter, reason)) {
		fprintf(stderr, "netpas: --filter '%s': %s\n", wish.filter, reason);
		return 2;
	}
	if (open_maps(&s, &maps) || open_output(&s))
		return 1;
	diags = diag_list_new();
	if (!diags || config_load(paths->config_dir, diags, &s.config))
		s.config = NULL; /* then nodes have numbers */
	diag_list_free(diags);
	(void)sigaction(SIGINT, &end, NULL); /* these cannot fail */
	(void)sigaction(SIGTERM, &end, NULL);
	(void)sigaction(SIGHUP, &end, NULL);
	(void)sigaction(SIGPIPE, &ignore, NULL);
	rc = run(&s, &maps);
	if (rc)
		fprintf(stderr, "netpas: %s: %s\n", wish.path, strerror(-rc));
	if (s.out != stdout && fclose(s.out) && !rc) {
		fprintf(stderr, "netpas: %s: %s\n", wish.path, strerror(errno));
		rc = -errno;
	}
	config_free(s.config);
	frame_filter_free(s.filter);
	return rc ? 1 : 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two nodes, each in network and mount namespaces of its own, joined by two lines, with the real
 * programs at both ends. Probes are sent by this one; whoever set up the other one is dead, and it
 * answers all the same.
 *
 *	this (id 1)  w0 10.9.0.1, fd09::1 ---- 10.9.0.2, fd09::2 w0  other (id 2)
 *		     w1 10.9.1.1	  ---- 10.9.1.2		 w1
 *
 * Paths to id 2: every pair of addresses of one family (path.h). From 10.9.0.1 to 10.9.1.2 a path
 * goes by w1, with a source that is another line's: the programs do not mind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <bpf/bpf.h>
#include <cmocka.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "forwarding.h"
#include "image.h"
#include "prober.h"
#include "programs.h"
#include "select.h"

#define DEADLINE_US 20000000u
#define FAST_US 10000u

struct node {
	struct programs *programs;
	struct forwarding *forwarding;
	struct config *config;
	struct netlink *nl;
	struct forwarding_way ways[DP_PATHS_MAX];
	bool stuck[DP_PATHS_MAX];
	size_t n;
};

static struct key private_keys[3], public_keys[3];
static struct node self;
static pid_t holder; /* of the other node's namespaces */
static struct sd_event *event;
static struct prober *prober;
static unsigned int good; /* a way that has a route */
static unsigned int v6;	  /* one of IPv6 */

/* What the handlers saw, by path. */
static struct {
	struct dp_sample last;
	unsigned int samples, padded;
	int payload; /* -1: no search has ended */
} seen[DP_PATHS_MAX];

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (system(line))
		fail_msg("failed: %s", line);
}

static struct config *config_of(unsigned int id)
{
	static const char format[] =
		"sites:\n"
		"  - name: one\n"
		"    lan: {prefixes: [172.16.1.0/24], vips: [172.16.1.254]}\n"
		"    subnets: [10.1.0.0/16]\n"
		"    gateways: [{name: n1, id: 1, public_key: %s, lan: [172.16.1.2],\n"
		"                wan: [10.9.0.1, 'fd09::1', 10.9.1.1]}]\n"
		"  - name: two\n"
		"    lan: {prefixes: [172.16.2.0/24], vips: [172.16.2.254]}\n"
		"    subnets: [10.2.0.0/16]\n"
		"    gateways: [{name: n2, id: 2, public_key: %s, lan: [172.16.2.2],\n"
		"                wan: [10.9.0.2, 'fd09::2', 10.9.1.2]}]\n";
	struct diag_list *diags = diag_list_new();
	struct config *config = NULL;
	char mesh[2048], node[256], keys[2][KEY_STRLEN];

	snprintf(mesh, sizeof(mesh), format, key_format(&public_keys[1], keys[0]),
		 key_format(&public_keys[2], keys[1]));
	snprintf(node, sizeof(node), "node: n%u\ninterfaces: {lan: lan0, wan: [w0, w1]}\n", id);
	if (config_parse("mesh.yaml", mesh, strlen(mesh), "node.yaml", node, strlen(node), true,
			 diags, &config))
		diag_print(diags, stderr);
	else
		config->private_key = private_keys[id];
	diag_list_free(diags);
	return config;
}

static int apply(struct node *node, uint16_t peer)
{
	const struct forwarding_site sites[2] = { { .current = 1 }, { .current = 2 } };
	struct forwarding_way ways[DP_PATHS_MAX];
	const struct forwarding_node to = {
		.id = peer,
		.ways = ways,
		.n_ways = node->n,
		.n_order = 1,
		.second = { DP_NO_PATH },
	};
	const struct forwarding_now now = {
		.role = DP_ROLE_ACTIVE,
		.generation = config_self_id(node->config) * 100u,
		.lanes = 1,
		.nodes = &to,
		.n_nodes = 1,
		.sites = sites,
	};
	int rc;

	for (size_t i = 0; i < node->n; i++) {
		ways[i] = node->ways[i];
		if (node->stuck[i])
			ways[i].hop.ifindex = 0;
	}
	rc = forwarding_set(node->forwarding, &now);
	return rc ? rc : forwarding_apply(node->forwarding, node->programs, NULL);
}

static int resolve(struct node *node)
{
	const unsigned int wans[] = { if_nametoindex("w0"), if_nametoindex("w1") };

	return forwarding_resolve(node->nl, wans, 2, node->ways, node->n);
}

/* All that a daemon does. */
static int node_start(struct node *node, unsigned int id)
{
	static const char wans[][CONFIG_IFNAME_LEN] = { "w0", "w1" };
	const struct programs_devices devices = { .wans = wans, .n_wans = 2 };
	const struct programs_params params = { dataplane_image, dataplane_image_len,
						CONFIG_DATAPLANE_NATIVE };
	struct path paths[DP_PATHS_MAX];
	char reason[PROGRAMS_REASON_LEN];
	int rc;

	node->config = config_of(id);
	if (!node->config)
		return -EINVAL;
	rc = programs_open(&params, &node->programs, reason);
	if (rc) {
		print_error("%s\n", reason);
		return rc;
	}
	rc = netlink_open(NETLINK_ROUTE, 0, &node->nl);
	if (!rc)
		rc = forwarding_new(node->config, &node->forwarding);
	if (rc)
		return rc;
	node->n = path_list(node->config, (uint16_t)(3 - id), paths);
	for (size_t i = 0; i < node->n; i++)
		node->ways[i] = (struct forwarding_way){ .path = paths[i], .interval_us = FAST_US };
	rc = resolve(node);
	if (!rc)
		rc = apply(node, (uint16_t)(3 - id));
	return rc ? rc : programs_refresh(node->programs, &devices, NULL);
}

static int own_namespaces(void)
{
	return unshare(CLONE_NEWNET | CLONE_NEWNS) ||
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	       mount("sysfs", "/sys", "sysfs", 0, NULL);
}

static void say(int fd)
{
	if (write(fd, "x", 1) != 1)
		_exit(1);
}

static bool hear(int fd)
{
	char byte;

	return read(fd, &byte, 1) == 1;
}

/* Holds the namespaces; a child of its own sets everything up, and is killed. */
static void other_node(int out, int in)
{
	struct node node = { 0 };
	int status;
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (own_namespaces())
		_exit(1);
	say(out);
	if (!hear(in))
		_exit(1);
	if (system("ip link set lo up; ip addr add 10.9.0.2/24 dev w0; "
		   "ip addr add fd09::2/64 dev w0 nodad; ip addr add 10.9.1.2/24 dev w1; "
		   "ip link set w0 up && ip link set w1 up"))
		_exit(1);
	pid = fork();
	if (!pid) {
		if (node_start(&node, 2))
			_exit(1);
		raise(SIGKILL);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		_exit(1);
	say(out);
	/* Until told to stop: commands for this namespace. */
	for (;;) {
		char line[256];
		size_t len = 0;

		while (len < sizeof(line) - 1 && read(in, line + len, 1) == 1 && line[len] != '\n')
			len++;
		if (!len)
			_exit(0);
		line[len] = '\0';
		if (system(line))
			_exit(1);
		say(out);
	}
}

static int to_other, from_other;

static void other(const char *command)
{
	assert_int_equal(dprintf(to_other, "%s\n", command), strlen(command) + 1);
	assert_true(hear(from_other));
}

static int start_other(void)
{
	int down[2], up[2];

	if (pipe(down) || pipe(up))
		return -1;
	holder = fork();
	if (!holder) {
		close(down[1]);
		close(up[0]);
		other_node(up[1], down[0]);
		_exit(1);
	}
	close(down[0]);
	close(up[1]);
	to_other = down[1];
	from_other = up[0];
	if (!hear(from_other))
		return -1;
	run("ip link set lo up; for i in 0 1; do ip link add w$i type veth peer name w$i netns %d && "
	    "ip link set w$i up || exit 1; ip addr add 10.9.$i.1/24 dev w$i; done; "
	    "ip addr add fd09::1/64 dev w0 nodad",
	    (int)holder);
	say(to_other);
	return hear(from_other) ? 0 : -1;
}

static void sample_taken(const struct dp_sample *sample, void *data)
{
	assert_ptr_equal(data, &self);
	assert_int_equal(sample->node, 2);
	assert_true(sample->path < self.n);
	seen[sample->path].last = *sample;
	seen[sample->path].samples++;
	seen[sample->path].padded += sample->payload > DP_PROBE_LEN;
}

static void payload_found(uint16_t node, uint8_t path, uint16_t payload, void *data)
{
	assert_ptr_equal(data, &self);
	assert_int_equal(node, 2);
	seen[path].payload = payload;
}

static unsigned int stuck, freed;

/* What a daemon does with it. */
static void leaving_changed(uint16_t node, uint8_t path, bool leaves, void *data)
{
	assert_ptr_equal(data, &self);
	assert_int_equal(node, 2);
	if (leaves) {
		freed++;
	} else {
		stuck++;
	}
	self.stuck[path] = !leaves;
	assert_int_equal(apply(&self, 2), 0);
}

static int new_prober(void)
{
	const struct prober_handlers handlers = {
		.sample = sample_taken,
		.payload = payload_found,
		.leaving = leaving_changed,
		.states = programs_map(self.programs, "dp_path_states"),
		.data = &self,
	};

	return prober_new(event, programs_map(self.programs, "dp_samples"), &handlers, &prober);
}

static void configure(uint32_t interval_us)
{
	struct prober_path paths[DP_PATHS_MAX];

	for (size_t i = 0; i < self.n; i++)
		paths[i] = (struct prober_path){
			.node = 2,
			.number = self.ways[i].path.number,
			.local = self.ways[i].path.local,
			.remote = self.ways[i].path.remote,
			.ifindex = self.ways[i].hop.ifindex,
			.source_port = 16384 + 2,
			.destination_port = 16384 + 1,
			.interval_us = interval_us,
		};
	assert_int_equal(prober_configure(prober, 1, paths, self.n), 0);
}

static int setup(void **state)
{
	(void)state;
	for (size_t i = 1; i < 3; i++) {
		key_generate(&private_keys[i]);
		key_public(&private_keys[i], &public_keys[i]);
	}
	if (start_other() || node_start(&self, 1) || sd_event_new(&event) < 0)
		return -1;
	for (unsigned int i = 0; i < self.n; i++) {
		if (!self.ways[i].hop.ifindex)
			continue;
		if (self.ways[i].path.local.family == IP_V4)
			good = i;
		else
			v6 = i;
	}
	return new_prober();
}

static int teardown(void **state)
{
	char reason[PROGRAMS_REASON_LEN];

	(void)state;
	prober_free(prober);
	sd_event_unref(event);
	forwarding_free(self.forwarding);
	programs_close(self.programs);
	netlink_close(self.nl);
	config_free(self.config);
	close(to_other);
	close(from_other);
	waitpid(holder, NULL, 0);
	if (!programs_down(reason))
		return 0;
	print_error("%s\n", reason);
	return -1;
}

/* Turn the loop until the condition holds, or the time is over. */
#define until(condition)                                                                    \
	do {                                                                                \
		const uint64_t deadline = clock_now_us() + DEADLINE_US;                     \
		while (!(condition) && clock_now_us() < deadline)                           \
			assert_true(sd_event_run(event, 10000) >= 0);                       \
		if (!(condition))                                                           \
			fail_msg("not within %u s: %s", DEADLINE_US / 1000000, #condition); \
	} while (0)

static void turn_for(uint64_t us)
{
	const uint64_t end = clock_now_us() + us;

	while (clock_now_us() < end)
		assert_true(sd_event_run(event, 1000) >= 0);
}

static struct dp_path_state state_of(unsigned int path)
{
	const struct dp_path_key key = { 2, (uint16_t)path };
	struct dp_path_state state;

	assert_int_equal(
		bpf_map_lookup_elem(programs_map(self.programs, "dp_path_states"), &key, &state),
		0);
	return state;
}

static bool alive(unsigned int path)
{
	const struct dp_path_key key = { 2, (uint16_t)path };
	const struct dp_path_state state = state_of(path);
	struct dp_path way;

	assert_int_equal(bpf_map_lookup_elem(programs_map(self.programs, "dp_paths"), &key, &way),
			 0);
	return path_alive(&way, &state);
}

static struct prober_status status_of(unsigned int path)
{
	struct prober_status status;

	assert_int_equal(prober_get(prober, 2, (uint8_t)path, &status), 0);
	return status;
}

/* Both families: replies come, are counted, and say what the other node claims. */
static void test_replies(void **state)
{
	const uint16_t id = 2;
	struct dp_heard heard;

	(void)state;
	assert_int_equal(self.n, 5); /* four of IPv4, one of IPv6 */
	configure(FAST_US);
	until(seen[good].samples >= 50 && seen[v6].samples >= 50 && !self.stuck[v6]);
	for (unsigned int i = 0; i < self.n; i++) {
		const struct dp_path_state path = state_of(i);

		assert_true(alive(i));
		assert_true(path.replies >= 40 && path.replies <= path.sent);
		assert_true(path.remote_received >= 40);
		assert_true(path.rtt_us > 0 && path.rtt_us < 1000000);
		assert_int_equal(seen[i].last.payload, DP_PROBE_LEN);
		if (status_of(i).failed)
			fail_msg("path %u: %s", i, strerror(-status_of(i).error));
	}
	assert_int_equal(bpf_map_lookup_elem(programs_map(self.programs, "dp_heard"), &id, &heard),
			 0);
	assert_int_equal(heard.role, DP_ROLE_ACTIVE);
	assert_int_equal(heard.generation, 200);
	assert_int_equal(heard.digest, self.config->digest);
}

static void test_pace(void **state)
{
	uint64_t begin, sent, elapsed;

	(void)state;
	configure(FAST_US);
	begin = clock_now_us();
	sent = status_of(good).sent;
	turn_for(1000000);
	elapsed = clock_now_us() - begin;
	sent = status_of(good).sent - sent;
	print_message("# %lu requests in %lu ms\n", (unsigned long)sent,
		      (unsigned long)elapsed / 1000);
	/* Never more; on a busy machine fewer. */
	assert_true(sent <= elapsed / FAST_US + 2);
	assert_true(sent >= 20);
	/* Off, and one by announcement alone. */
	assert_int_equal(prober_tune(prober, 2, (uint8_t)good, 0, 0), 0);
	sent = status_of(good).sent;
	turn_for(200000);
	assert_int_equal(status_of(good).sent, sent);
	prober_announce(prober);
	assert_int_equal(status_of(good).sent, sent + 1);
	assert_int_equal(prober_tune(prober, 2, 31, 0, 0), -ENOENT);
	assert_int_equal(prober_tune(prober, 3, 0, 0, 0), -ENOENT);
	assert_int_equal(prober_tune(prober, 2, (uint8_t)good, FAST_US, 0), 0);
}

/* What the other node has heard on a path; its pins are seen through its process. */
static struct dp_reflection reflection_of(unsigned int path)
{
	const struct dp_path_key key = { 1, (uint16_t)path };
	struct dp_reflection reflection;
	char name[128];
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/root" DP_PIN_DIR "/dp_reflections", (int)holder);
	fd = bpf_obj_get(name);
	assert_true(fd >= 0);
	assert_int_equal(bpf_map_lookup_elem(fd, &key, &reflection), 0);
	close(fd);
	return reflection;
}

/* The loss that we see is told to the other end, and so is the round trip. */
static void test_loss(void **state)
{
	(void)state;
	assert_int_equal(prober_tune(prober, 2, (uint8_t)good, FAST_US, 12345), 0);
	assert_int_equal(prober_tune(prober, 9, (uint8_t)good, FAST_US, 1), -ENOENT);
	until(reflection_of(good).loss_ppm == 12345);
	assert_int_equal(reflection_of(v6).loss_ppm, 0);
	assert_int_not_equal(reflection_of(good).rtt_us, 0);
	assert_true(reflection_of(good).received >= state_of(good).replies);
	assert_int_equal(prober_tune(prober, 2, (uint8_t)good, FAST_US, 0), 0);
	until(!reflection_of(good).loss_ppm);
}

static void search(unsigned int path, uint16_t least, uint16_t most)
{
	seen[path].payload = -1;
	assert_int_equal(prober_search_mtu(prober, 2, (uint8_t)path, least, most), 0);
	until(seen[path].payload >= 0);
	assert_false(status_of(path).searching);
	assert_int_equal(status_of(path).payload, seen[path].payload);
}

static void confirm(unsigned int path)
{
	seen[path].payload = -1;
	assert_int_equal(prober_confirm_mtu(prober, 2, (uint8_t)path), 0);
	until(seen[path].payload >= 0);
}

/* From a path that was found to carry 1372 to 1376 bytes. */
static void test_payload_again(void)
{
	const int found = seen[good].payload;
	unsigned int padded = seen[good].padded;
	uint32_t unanswered = status_of(good).unanswered;

	/* As it was: one padded probe, which comes back. */
	confirm(good);
	assert_int_equal(seen[good].payload, found);
	assert_int_equal(seen[good].padded - padded, 1);
	assert_int_equal(status_of(good).unanswered, unanswered);
	/* Searched again: that one, the most and the next one in vain. */
	search(good, 1252, 1452);
	assert_int_equal(seen[good].payload, found);
	assert_int_equal(seen[good].padded - padded, 2);
	assert_int_equal(status_of(good).unanswered - unanswered, 2 * PROBER_MTU_TRIES);
	/* Less than before: one says that first, then how much. */
	other("ip link set w0 mtu 1300; ip link set w1 mtu 1300");
	seen[good].payload = -1;
	assert_int_equal(prober_confirm_mtu(prober, 2, (uint8_t)good), 0);
	until(status_of(good).limit);
	assert_int_equal(status_of(good).limit, found - 1);
	assert_int_equal(status_of(good).payload, found);
	until(seen[good].payload >= 0);
	assert_in_range(seen[good].payload, 1272, 1276);
	assert_int_equal(status_of(good).limit, 0);
	/* More: a confirmation does not see it, a search does. */
	other("ip link set w0 mtu 1500; ip link set w1 mtu 1500");
	confirm(good);
	assert_in_range(seen[good].payload, 1272, 1276);
	search(good, 1252, 1452);
	assert_int_equal(seen[good].payload, 1452);
	other("ip link set w0 mtu 1400; ip link set w1 mtu 1400");
	assert_int_equal(prober_confirm_mtu(prober, 3, 0), -ENOENT);
}

static void test_payload_search(void **state)
{
	const uint16_t whole4 = 1500 - 20 - 8, whole6 = 1500 - 40 - 8; /* of Ethernet */
	uint32_t unanswered;

	(void)state;
	for (unsigned int i = 0; i < self.n; i++)
		assert_int_equal(prober_tune(prober, 2, (uint8_t)i, FAST_US, 0), 0);
	search(good, 1252, 1452);
	assert_int_equal(seen[good].payload, 1452);
	/* More than the device takes: known without a packet. */
	search(v6, 1232, 1600);
	assert_int_equal(seen[v6].payload, whole6);
	search(good, 1252, 1600);
	assert_int_equal(seen[good].payload, whole4);
	assert_int_equal(status_of(good).unanswered, 0);
	/*
	 * A hole in the middle: the other end takes no more than 1400 bytes and what Ethernet may
	 * add (a VLAN tag), and nobody says a word.
	 */
	other("ip link set w0 mtu 1400; ip link set w1 mtu 1400");
	search(good, 1252, 1452);
	assert_in_range(seen[good].payload, 1372, 1376);
	unanswered = status_of(good).unanswered;
	assert_true(unanswered >= PROBER_MTU_TRIES);
	{
		const unsigned int before = seen[good].samples;

		until(seen[good].samples > before);
	}
	/* They are not the path's loss. */
	assert_int_equal(seen[good].last.sent + unanswered >= state_of(good).sent - 2, 1);
	assert_true(seen[good].last.sent < state_of(good).sent);
	test_payload_again();
	/* Not even the least. */
	search(good, 1440, 1452);
	assert_int_equal(seen[good].payload, 0);
	other("ip link set w0 mtu 1500; ip link set w1 mtu 1500");
	assert_int_equal(prober_search_mtu(prober, 2, (uint8_t)good, DP_PROBE_LEN, 1452), -EINVAL);
	assert_int_equal(prober_search_mtu(prober, 2, (uint8_t)good, 1300, 1200), -EINVAL);
}

/*
 * The other end takes no packets of that length any more: the path dies. A search on it does not
 * take that for an answer about lengths.
 */
static void test_death(void **state)
{
	(void)state;
	assert_int_equal(self.ways[good].hop.ifindex, if_nametoindex("w1"));
	until(alive(good));
	other("ip link set w1 mtu 90");
	until(!alive(good));
	seen[good].payload = -1;
	assert_int_equal(prober_search_mtu(prober, 2, (uint8_t)good, 1252, 1452), 0);
	turn_for(5 * PROBER_MTU_PACE_US);
	assert_int_equal(seen[good].payload, -1);
	other("ip link set w1 mtu 1500");
	until(alive(good));
	until(seen[good].payload == 1452);
	assert_false(self.stuck[good]);
}

/* The carrier goes: nothing leaves, so nothing is stamped, and the programs alone see no death. */
static void test_no_carrier(void **state)
{
	(void)state;
	until(alive(good));
	other("ip link set w1 down");
	until(!alive(good));
	until(stuck > 0 && status_of(good).stuck);
	other("ip link set w1 up");
	until(freed > 0 && !status_of(good).stuck);
	until(alive(good));
}

/* Another prober takes over: what was sampled before is not its concern, sequences go on. */
static void test_restart(void **state)
{
	const uint64_t sequence = state_of(good).sequence;
	unsigned int before;

	(void)state;
	prober_free(prober);
	prober = NULL;
	assert_int_equal(new_prober(), 0);
	before = seen[good].samples;
	turn_for(50000);
	assert_int_equal(seen[good].samples, before);
	configure(FAST_US);
	until(seen[good].samples > before + 3);
	assert_true(seen[good].last.sequence > sequence);
	/* A path that is taken away is silent, one that stays goes on. */
	prober_configure(prober, 1, NULL, 0);
	before = seen[good].samples;
	turn_for(100000);
	assert_in_range(seen[good].samples, before, before + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies), cmocka_unit_test(test_pace),
		cmocka_unit_test(test_loss),	cmocka_unit_test(test_payload_search),
		cmocka_unit_test(test_death),	cmocka_unit_test(test_no_carrier),
		cmocka_unit_test(test_restart),
	};

	if (own_namespaces()) {
		printf("1..0 # SKIP no namespaces for probes: %s\n", strerror(errno));
		return 0;
	}
	return cmocka_run_group_tests_name("prober", tests, setup, teardown);
}

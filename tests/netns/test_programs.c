/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loading, attaching, adopting and removing the BPF programs, and their maps filled from a
 * configuration, in network and mount namespaces of its own. iproute2 and bpf() are the witnesses.
 *
 *	w0, w1	WAN		(other ends w0p, w1p in the namespace "out")
 *	lan0	LAN		(other end lan0p)
 *	np3	stands for a tunnel
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "forwarding.h"
#include "image.h"
#include "programs.h"

#define DEADLINE_MS 10000

static const char wans[][CONFIG_IFNAME_LEN] = { "w0", "w1" };
static const char tunnels[][CONFIG_IFNAME_LEN] = { "np3" };
static const struct programs_devices devices = { wans, 2, "lan0", tunnels, 1 };
static char reason[PROGRAMS_REASON_LEN];
static char output[65536]; /* of the last command */

__attribute__((format(printf, 1, 2))) static int command(const char *fmt, ...)
{
	char line[1024];
	va_list args;
	FILE *pipe;
	size_t len;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	pipe = popen(line, "r");
	assert_non_null(pipe);
	len = fread(output, 1, sizeof(output) - 1, pipe);
	output[len] = '\0';
	return pclose(pipe);
}

/* Run a command that must succeed; its output. */
#define run(...) (assert_int_equal(command(__VA_ARGS__), 0), (const char *)output)

static struct programs *open_mode(enum config_dataplane mode)
{
	const struct programs_params params = { dataplane_image, dataplane_image_len, mode };
	struct programs *programs = NULL;
	int rc = programs_open(&params, &programs, reason);

	if (rc)
		fail_msg("programs_open: %s", reason);
	return programs;
}

static size_t refresh(struct programs *programs)
{
	size_t changes = 0;

	assert_int_equal(programs_refresh(programs, &devices, &changes), 0);
	return changes;
}

static const struct programs_entry *entry(const struct programs *programs, const char *ifname,
					  enum programs_place place)
{
	size_t n;
	const struct programs_entry *list = programs_list(programs, &n);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i].ifname, ifname) && list[i].place == place)
			return &list[i];
	fail_msg("no entry for %s", ifname);
	return NULL;
}

static uint32_t tc_program(const char *ifname, const char *side, const char *name)
{
	const char *at = strstr(run("tc filter show dev %s %s", ifname, side), name);
	const char *id = at ? strstr(at, " id ") : NULL;

	return id ? (uint32_t)strtoul(id + 4, NULL, 10) : 0;
}

static uint32_t xdp_program(const char *ifname)
{
	uint32_t id = 0;

	assert_int_equal(bpf_xdp_query_id((int)if_nametoindex(ifname), 0, &id), 0);
	return id;
}

static uint32_t link_id(const char *ifname)
{
	struct bpf_link_info info = { 0 };
	uint32_t len = sizeof(info);
	char path[64];
	int fd;

	snprintf(path, sizeof(path), DP_PIN_DIR "/xdp_%u", if_nametoindex(ifname));
	fd = bpf_obj_get(path);
	if (fd < 0)
		return 0;
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	close(fd);
	return info.id;
}

static bool gone_by_deadline(uint32_t program)
{
	const int64_t deadline = clock_now_ms() + DEADLINE_MS;

	while (clock_now_ms() < deadline) {
		const struct timespec nap = { 0, 5000000 };
		const int fd = bpf_prog_get_fd_by_id(program);

		if (fd < 0 && errno == ENOENT)
			return true;
		close(fd);
		nanosleep(&nap, NULL);
	}
	return false;
}

/* Nothing of anybody is attached, pinned or mounted. */
static void assert_clean(void)
{
	assert_null(strstr(run("tc qdisc show"), "clsact"));
	assert_null(strstr(run("ip -d link show"), "xdp"));
	assert_int_not_equal(access(DP_PIN_DIR, F_OK), 0);
	assert_string_not_equal(run("stat -f -c %%T /sys/fs/bpf"), "bpf_fs\n");
}

static void down(void)
{
	if (programs_down(reason))
		fail_msg("programs_down: %s", reason);
}

static int setup(void **state)
{
	(void)state;
	run("mount -t tmpfs none /run && mkdir /run/netns && ip netns add out && ip link set lo up");
	run("for i in w0 w1 lan0; do ip link add $i type veth peer ${i}p && "
	    "ip link set ${i}p netns out && ip link set $i up && "
	    "ip -n out link set ${i}p up || exit 1; done");
	run("ip link add np3 type veth peer np3p && ip link set np3 up && ip link set np3p up");
	run("ip addr add 10.9.0.1/24 dev w0 && ip -n out addr add 10.9.0.2/24 dev w0p");
	run("ip addr add fd09::1/64 dev w0 nodad && ip addr add 10.9.1.1/24 dev w1");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	run("ip netns del out; ip link del np3");
	return 0;
}

/* ---- attaching ---- */

static void test_attach_and_down(void **state)
{
	static const struct {
		const char *ifname, *side;
		enum programs_place place;
	} filters[] = {
		{ "w0", "ingress", PROGRAMS_WAN_TC },
		{ "w0", "egress", PROGRAMS_WAN_EGRESS },
		{ "w1", "ingress", PROGRAMS_WAN_TC },
		{ "w1", "egress", PROGRAMS_WAN_EGRESS },
		{ "lan0", "ingress", PROGRAMS_LAN_INGRESS },
		{ "lan0", "egress", PROGRAMS_LAN_EGRESS },
		{ "np3", "ingress", PROGRAMS_TUNNEL_INGRESS },
		{ "np3", "egress", PROGRAMS_TUNNEL_EGRESS },
	};
	struct programs *programs = open_mode(CONFIG_DATAPLANE_NATIVE);
	const char *why_not = NULL;
	uint32_t ids[10];
	size_t n;

	(void)state;
	assert_false(programs_adopted(programs, &why_not));
	assert_string_equal(why_not, "");
	assert_int_equal(refresh(programs), 10);
	(void)programs_list(programs, &n);
	assert_int_equal(n, 10);
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		const char *name = programs_place_names[filters[i].place];

		ids[i] = tc_program(filters[i].ifname, filters[i].side, name);
		assert_int_not_equal(ids[i], 0);
		assert_int_equal(entry(programs, filters[i].ifname, filters[i].place)->mode,
				 HOOK_TC);
	}
	for (size_t i = 0; i < 2; i++) {
		const struct programs_entry *xdp = entry(programs, wans[i], PROGRAMS_WAN_XDP);

		ids[8 + i] = xdp_program(wans[i]);
		assert_int_not_equal(ids[8 + i], 0);
		assert_int_equal(xdp->mode, HOOK_XDP_NATIVE);
		assert_string_equal(xdp->reason, "");
	}
	assert_int_equal(refresh(programs), 0);
	/* Everything goes on without the one who made it. */
	programs_close(programs);
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
		assert_int_equal(tc_program(filters[i].ifname, filters[i].side,
					    programs_place_names[filters[i].place]),
				 ids[i]);
	assert_int_equal(xdp_program("w1"), ids[9]);
	run("ip netns exec out ping -q -c 1 -W 5 10.9.0.1");
	down();
	assert_clean();
	for (size_t i = 0; i < 10; i++)
		assert_true(gone_by_deadline(ids[i]));
	down(); /* nothing to do */
}

static void test_modes(void **state)
{
	static const char lo[][CONFIG_IFNAME_LEN] = { "lo" };
	const struct programs_devices loopback = { .wans = lo, .n_wans = 1 };
	struct programs *programs = open_mode(CONFIG_DATAPLANE_GENERIC);

	(void)state;
	refresh(programs);
	assert_int_equal(entry(programs, "w0", PROGRAMS_WAN_XDP)->mode, HOOK_XDP_GENERIC);
	assert_non_null(strstr(run("ip link show w0"), "xdpgeneric"));
	programs_close(programs);

	/* Better becomes possible, and is taken. */
	programs = open_mode(CONFIG_DATAPLANE_NATIVE);
	refresh(programs);
	assert_int_equal(entry(programs, "w0", PROGRAMS_WAN_XDP)->mode, HOOK_XDP_NATIVE);
	assert_null(strstr(run("ip link show w0"), "xdpgeneric"));
	programs_close(programs);

	programs = open_mode(CONFIG_DATAPLANE_TC);
	refresh(programs);
	assert_int_equal(entry(programs, "w0", PROGRAMS_WAN_XDP)->mode, HOOK_NONE);
	assert_non_null(strstr(entry(programs, "w0", PROGRAMS_WAN_XDP)->reason, "node.yaml"));
	assert_int_equal(entry(programs, "w0", PROGRAMS_WAN_TC)->mode, HOOK_TC);
	assert_int_equal(xdp_program("w0"), 0);
	programs_close(programs);

	/* A veth hands over batches, which XDP would take apart: tc, unless XDP is asked for. */
	programs = open_mode(CONFIG_DATAPLANE_NATIVE);
	refresh(programs);
	assert_int_not_equal(xdp_program("w0"), 0);
	programs_close(programs);
	programs = open_mode(CONFIG_DATAPLANE_AUTO);
	refresh(programs);
	assert_int_equal(entry(programs, "w0", PROGRAMS_WAN_XDP)->mode, HOOK_NONE);
	assert_non_null(strstr(entry(programs, "w0", PROGRAMS_WAN_XDP)->reason, "batches"));
	assert_int_equal(entry(programs, "w0", PROGRAMS_WAN_TC)->mode, HOOK_TC);
	assert_int_equal(xdp_program("w0"), 0);
	programs_close(programs);
	down();

	/* What has no native XDP gets the generic one, and is told why. */
	programs = open_mode(CONFIG_DATAPLANE_AUTO);
	assert_int_equal(programs_refresh(programs, &loopback, NULL), 0);
	for (int i = 0; i < 2; i++) {
		const struct programs_entry *xdp = entry(programs, "lo", PROGRAMS_WAN_XDP);
		size_t changes = 9;

		assert_int_equal(xdp->mode, HOOK_XDP_GENERIC);
		assert_non_null(strstr(xdp->reason, "no native XDP"));
		/* Looked at again it is the same, and so is the reason. */
		assert_int_equal(programs_refresh(programs, &loopback, &changes), 0);
		assert_int_equal(changes, 0);
	}
	programs_close(programs);
	down();
	assert_clean();
}

static void test_adopt_and_upgrade(void **state)
{
	const uint16_t key = 9;
	const struct dp_heard heard = { .generation = 77 };
	struct programs *programs = open_mode(CONFIG_DATAPLANE_NATIVE);
	struct dp_heard seen = { 0 };
	const char *why_not = "";
	uint32_t xdp, tc, link;

	(void)state;
	refresh(programs);
	assert_int_equal(bpf_map_update_elem(programs_map(programs, "dp_heard"), &key, &heard, 0),
			 0);
	programs_close(programs);
	xdp = xdp_program("w0");
	tc = tc_program("w0", "egress", "wan_egress");
	link = link_id("w0");
	assert_int_not_equal(link, 0);

	/* Pings all along: not one is lost while programs are exchanged. */
	run("ip netns exec out ping -q -c 400 -i 0.005 -W 5 10.9.0.1 >/run/ping 2>&1 & echo $! "
	    ">/run/pid");
	for (int i = 0; i < 10; i++) {
		programs = open_mode(CONFIG_DATAPLANE_NATIVE);
		assert_true(programs_adopted(programs, &why_not));
		assert_int_equal(refresh(programs), 10);
		assert_int_equal(
			bpf_map_lookup_elem(programs_map(programs, "dp_heard"), &key, &seen), 0);
		assert_int_equal(seen.generation, 77);
		programs_close(programs);
	}
	assert_int_equal(link_id("w0"),
			 link); /* the link is the same, not one that was made anew */
	assert_int_not_equal(xdp_program("w0"), xdp);
	assert_int_not_equal(tc_program("w0", "egress", "wan_egress"), tc);
	assert_true(gone_by_deadline(xdp));
	assert_true(gone_by_deadline(tc));
	run("timeout 30 sh -c 'while kill -0 $(cat /run/pid) 2>/dev/null; do sleep 0.05; done'");
	if (!strstr(run("cat /run/ping"), " 0% packet loss"))
		fail_msg("%s", output);
	down();
	assert_clean();
}

static uint32_t pinned_id(const char *path)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	const int fd = bpf_obj_get(path);

	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	close(fd);
	return info.id;
}

static bool map_gone(uint32_t id)
{
	const int fd = bpf_map_get_fd_by_id(id);

	if (fd >= 0)
		close(fd);
	return fd < 0;
}

/* From a netpasd whose maps are of another version: everything is exchanged, no packet is lost. */
static void test_other_version(void **state)
{
	struct programs *programs = open_mode(CONFIG_DATAPLANE_NATIVE);
	const uint32_t zero = 0;
	const char *why_not = "";
	uint32_t link;

	(void)state;
	refresh(programs);
	link = link_id("w0");
	run("ip netns exec out ping -q -c 400 -i 0.005 -W 5 10.9.0.1 >/run/ping 2>&1 & echo $! "
	    ">/run/pid");
	for (int i = 0; i < 5; i++) {
		const struct dp_config old = { .version = DP_VERSION - 1 };
		const uint32_t nodes = pinned_id(DP_PIN_DIR "/dp_nodes");
		const uint32_t sites = pinned_id(DP_PIN_DIR "/dp_sites");

		assert_int_equal(
			bpf_map_update_elem(programs_map(programs, "dp_config"), &zero, &old, 0),
			0);
		programs_close(programs);
		programs = open_mode(CONFIG_DATAPLANE_NATIVE);
		assert_false(programs_adopted(programs, &why_not));
		assert_non_null(strstr(why_not, "version"));
		assert_int_equal(refresh(programs), 10);
		assert_int_not_equal(pinned_id(DP_PIN_DIR "/dp_nodes"), nodes);
		for (int tries = 0; tries < 100 && !(map_gone(nodes) && map_gone(sites)); tries++)
			run("sleep 0.1");
		assert_true(map_gone(nodes) && map_gone(sites));
	}
	programs_close(programs);
	assert_int_equal(link_id("w0"), link);
	assert_null(strstr(run("ls " DP_PIN_DIR), "_new"));
	run("timeout 30 sh -c 'while kill -0 $(cat /run/pid) 2>/dev/null; do sleep 0.05; done'");
	if (!strstr(run("cat /run/ping"), " 0% packet loss"))
		fail_msg("%s", output);
	down();
	assert_clean();
}

static void test_layout(void **state)
{
	struct programs *programs;
	struct dp_config config = { .version = DP_VERSION + 1 };
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info), zero = 0;
	const char *why_not = "";
	int fd;

	(void)state;
	programs = open_mode(CONFIG_DATAPLANE_TC);
	refresh(programs);
	bpf_map_update_elem(programs_map(programs, "dp_config"), &zero, &config, 0);
	programs_close(programs);
	/* Another version: new maps, which take the names when the new programs are attached. */
	programs = open_mode(CONFIG_DATAPLANE_TC);
	assert_false(programs_adopted(programs, &why_not));
	assert_non_null(strstr(why_not, "version"));
	fd = bpf_obj_get(DP_PIN_DIR "/dp_config");
	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &config), 0);
	assert_int_equal(config.version, DP_VERSION + 1);
	close(fd);
	assert_int_equal(refresh(programs), 8);
	fd = bpf_obj_get(DP_PIN_DIR "/dp_config");
	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &config), 0);
	assert_int_equal(config.version, 0);
	close(fd);
	programs_close(programs);
	programs = open_mode(CONFIG_DATAPLANE_TC);
	assert_true(programs_adopted(programs, &why_not));
	programs_close(programs);
	/* Another definition. */
	assert_int_equal(unlink(DP_PIN_DIR "/dp_nodes"), 0);
	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "dp_nodes", 2, 4, 16, NULL);
	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_pin(fd, DP_PIN_DIR "/dp_nodes"), 0);
	close(fd);
	programs = open_mode(CONFIG_DATAPLANE_TC);
	assert_false(programs_adopted(programs, &why_not));
	assert_non_null(strstr(why_not, "dp_nodes"));
	refresh(programs);
	programs_close(programs);
	fd = bpf_obj_get(DP_PIN_DIR "/dp_nodes");
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	assert_int_equal(info.value_size, sizeof(struct dp_node));
	close(fd);
	assert_null(strstr(run("ls " DP_PIN_DIR), "_new"));
	down();
	assert_clean();
}

static int load_foreign(enum bpf_prog_type type)
{
	const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K,
		  .imm = type == BPF_PROG_TYPE_XDP ? XDP_PASS : -1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(type, "foreign", "GPL", pass, 2, NULL);

	assert_true(fd >= 0);
	return fd;
}

static void test_foreign(void **state)
{
	const int xdp = load_foreign(BPF_PROG_TYPE_XDP), tc = load_foreign(BPF_PROG_TYPE_SCHED_CLS);
	const int w0 = (int)if_nametoindex("w0"), lan0 = (int)if_nametoindex("lan0");
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = w0, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = tc, .handle = 5, .priority = 5);
	const struct programs_entry *found;
	struct programs *programs;

	(void)state;
	assert_int_equal(bpf_xdp_attach(w0, xdp, 0, NULL), 0);
	assert_int_equal(bpf_tc_hook_create(&hook), 0);
	assert_int_equal(bpf_tc_attach(&hook, &opts), 0);
	/* Somebody in our place on the LAN. */
	hook.ifindex = lan0;
	assert_int_equal(bpf_tc_hook_create(&hook), 0);
	opts = (struct bpf_tc_opts){ .sz = sizeof(opts),
				     .prog_fd = tc,
				     .handle = HOOK_TC_HANDLE,
				     .priority = HOOK_TC_PRIORITY };
	assert_int_equal(bpf_tc_attach(&hook, &opts), 0);

	programs = open_mode(CONFIG_DATAPLANE_NATIVE);
	assert_int_equal(programs_refresh(programs, &devices, NULL), -EBUSY);
	found = entry(programs, "w0", PROGRAMS_WAN_XDP);
	assert_int_equal(found->mode, HOOK_NONE);
	assert_non_null(strstr(found->reason, "taken by program"));
	assert_non_null(strstr(found->reason, "(foreign)"));
	assert_int_equal(entry(programs, "w0", PROGRAMS_WAN_TC)->mode, HOOK_TC);
	assert_int_equal(entry(programs, "w1", PROGRAMS_WAN_XDP)->mode, HOOK_XDP_NATIVE);
	found = entry(programs, "lan0", PROGRAMS_LAN_INGRESS);
	assert_int_equal(found->mode, HOOK_NONE);
	assert_non_null(strstr(found->reason, "(foreign)"));
	assert_int_not_equal(tc_program("w0", "ingress", "wan_tc"), 0);
	assert_int_not_equal(tc_program("w0", "ingress", "foreign"), 0);

	/* It goes: its place is ours at the next look. */
	assert_int_equal(bpf_xdp_detach(w0, 0, NULL), 0);
	assert_int_equal(programs_refresh(programs, &devices, NULL), -EBUSY);
	assert_int_equal(entry(programs, "w0", PROGRAMS_WAN_XDP)->mode, HOOK_XDP_NATIVE);
	assert_string_equal(entry(programs, "w0", PROGRAMS_WAN_XDP)->reason, "");
	programs_close(programs);
	down();
	assert_int_not_equal(tc_program("w0", "ingress", "foreign"), 0);
	assert_int_equal(tc_program("w0", "ingress", "wan_tc"), 0);
	assert_int_not_equal(tc_program("lan0", "ingress", "foreign"), 0);
	run("tc qdisc del dev w0 clsact; tc qdisc del dev lan0 clsact");
	/* A qdisc where nothing of ours was. */
	run("tc qdisc add dev np3p clsact");
	down();
	assert_non_null(strstr(run("tc qdisc show dev np3p"), "clsact"));
	run("tc qdisc del dev np3p clsact");
	close(xdp);
	close(tc);
	assert_clean();
}

static void test_devices_come_and_go(void **state)
{
	static const char one[][CONFIG_IFNAME_LEN] = { "w1" };
	const struct programs_devices fewer = { .wans = one, .n_wans = 1, .lan = "w0" };
	struct programs *programs = open_mode(CONFIG_DATAPLANE_NATIVE);
	size_t changes = 0;

	(void)state;
	refresh(programs);
	run("ip link del np3");
	assert_int_equal(refresh(programs), 0);
	assert_int_equal(entry(programs, "np3", PROGRAMS_TUNNEL_INGRESS)->ifindex, 0);
	run("ip link add np3 type veth peer np3p && ip link set np3 up");
	assert_int_equal(refresh(programs), 2);
	assert_int_not_equal(tc_program("np3", "ingress", "tunnel_ingress"), 0);
	assert_int_not_equal(tc_program("np3", "egress", "tunnel_egress"), 0);
	run("ip link del w1 && ip link add w1 type veth peer w1p && ip link set w1 up");
	run("ip link set w1p netns out && ip -n out link set w1p up && ip addr add 10.9.1.1/24 dev w1");
	assert_int_equal(refresh(programs), 4); /* three, and what was left of the old one */
	assert_int_equal(entry(programs, "w1", PROGRAMS_WAN_XDP)->mode, HOOK_XDP_NATIVE);
	assert_int_equal(strcmp(run("ls " DP_PIN_DIR " | grep -c xdp_"), "2\n"), 0);
	/* A device changes its part, others are no more wanted. */
	assert_int_equal(programs_refresh(programs, &fewer, &changes), 0);
	assert_int_equal(xdp_program("w0"), 0);
	assert_int_not_equal(tc_program("w0", "ingress", "lan_ingress"), 0);
	assert_int_equal(tc_program("w0", "egress", "wan_egress"), 0);
	assert_string_equal(run("tc qdisc show dev lan0 clsact"), "");
	assert_string_equal(run("tc qdisc show dev np3 clsact"), "");
	programs_close(programs);
	/* The same found by a daemon that knows nothing of the one before. */
	programs = open_mode(CONFIG_DATAPLANE_NATIVE);
	refresh(programs);
	programs_close(programs);
	programs = open_mode(CONFIG_DATAPLANE_NATIVE);
	assert_int_equal(programs_refresh(programs, &fewer, &changes), 0);
	assert_int_equal(xdp_program("w0"), 0);
	assert_string_equal(run("tc qdisc show dev np3 clsact"), "");
	programs_close(programs);
	down();
	assert_clean();
}

static void test_refusals(void **state)
{
	static const char rubbish[64] = "\177ELF no object";
	struct programs_params params = { rubbish, sizeof(rubbish), CONFIG_DATAPLANE_NATIVE };
	struct programs *programs = NULL;
	int status = -1;
	pid_t pid;

	(void)state;
	reason[0] = '\0';
	assert_true(programs_open(&params, &programs, reason) < 0);
	assert_null(programs);
	assert_true(strlen(reason) > 10);
	params = (struct programs_params){ dataplane_image, dataplane_image_len,
					   CONFIG_DATAPLANE_OFF };
	assert_int_equal(programs_open(&params, &programs, reason), -EINVAL);
	programs_close(NULL);
	/* Without the privileges it says what is missing. */
	pid = fork();
	if (!pid) {
		params.mode = CONFIG_DATAPLANE_NATIVE;
		if (setgid(65534) || setuid(65534) ||
		    programs_open(&params, &programs, reason) != -EPERM)
			_exit(1);
		_exit(strstr(reason, "CAP_BPF") ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	down();
	assert_clean();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attach_and_down),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_adopt_and_upgrade),
		cmocka_unit_test(test_other_version),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_devices_come_and_go),
		cmocka_unit_test(test_refusals),
	};

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("sysfs", "/sys", "sysfs", 0, NULL)) {
		printf("1..0 # SKIP no namespaces for BPF programs: %s\n", strerror(errno));
		return 0;
	}
	return cmocka_run_group_tests_name("programs", tests, setup, teardown);
}

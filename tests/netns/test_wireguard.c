/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * WireGuard as it is: two interfaces of one network namespace talk over its loopback device, once
 * as two processes of the user-space engine and once as two devices of the kernel. The namespace,
 * /run and what the engines leave in it belong to this program alone.
 *
 * Packets are numbered datagrams, sent into one interface and taken by a packet socket from the
 * other, so that one lost packet is seen.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "address.h"
#include "child.h"
#include "link.h"
#include "wireguard.h"

#define SIDES 2
#define DEADLINE_MS (15000 * time_scale)
#define PACKETS 1000 /* of the test of loss */
#define PACKET_PORT 9
#define LOG_DIR "/run/log"

struct side {
	struct state_tunnel tunnel;
	struct child *engine;
	unsigned int exits;
	int exit_status;
};

static const char *const ifnames[SIDES] = { "np1", "np2" };
static enum state_engine engine;
static struct side sides[SIDES];
static struct netlink *nl;
static sd_event *event;
static unsigned int time_scale = 1;

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void run(const char *command)
{
	if (system(command))
		fail_msg("failed: %s", command);
}

/* Let the event loop run for a moment. */
static void turn(void)
{
	assert_true(sd_event_run(event, 20000) >= 0);
}

static void engine_exited(struct child *child, int status, void *data)
{
	struct side *side = data;

	(void)child;
	side->exits++;
	side->exit_status = status;
}

static void engine_start(struct side *side)
{
	const char *const argv[] = { "wireguard-go", "-f", side->tunnel.ifname, NULL };
	const char *const env[] = { "WG_PROCESS_FOREGROUND=1", NULL };
	int64_t end = now_ms() + DEADLINE_MS;
	char log[64];

	snprintf(log, sizeof(log), LOG_DIR "/%s.log", side->tunnel.ifname);
	assert_int_equal(child_spawn(event, argv, env, log, engine_exited, side, &side->engine), 0);
	while (wireguard_uapi_owner(side->tunnel.ifname) < 0 && now_ms() < end && !side->exits)
		turn();
	assert_int_equal(wireguard_uapi_owner(side->tunnel.ifname), child_pid(side->engine));
}

static void link_start(struct side *side)
{
	const char *ifname = side->tunnel.ifname;

	if (engine == STATE_ENGINE_USER)
		engine_start(side);
	else
		assert_int_equal(link_add_wireguard(nl, ifname), 0);
	assert_int_equal(link_set_mtu(nl, ifname, 1420), 0);
	assert_int_equal(link_set_up(nl, ifname, true), 0);
}

/* Both sides know each other's key and port. */
static void sides_join(const char *address)
{
	for (unsigned int i = 0; i < SIDES; i++) {
		struct state_tunnel *tunnel = &sides[i].tunnel;
		const struct state_tunnel *peer = &sides[!i].tunnel;

		key_public(&peer->private_key, &tunnel->peer_key);
		assert_int_equal(ip_addr_parse(address, &tunnel->endpoint), 0);
		tunnel->endpoint_port = peer->listen_port;
	}
}

static int setup(void **state)
{
	engine = *(const enum state_engine *)*state;
	for (unsigned int i = 0; i < SIDES; i++) {
		struct state_address address = { .prefix.len = 24 };
		struct side *side = &sides[i];
		char text[IP_ADDR_STRLEN];

		memset(side, 0, sizeof(*side));
		snprintf(side->tunnel.ifname, sizeof(side->tunnel.ifname), "%s", ifnames[i]);
		side->tunnel.engine = engine;
		side->tunnel.listen_port = (uint16_t)(16385 + i);
		side->tunnel.keepalive_s = 25;
		side->tunnel.allowed_all = true;
		key_generate(&side->tunnel.private_key);
		link_start(side);
		snprintf(address.ifname, sizeof(address.ifname), "%s", ifnames[i]);
		snprintf(text, sizeof(text), "10.99.%u.1", i);
		assert_int_equal(ip_addr_parse(text, &address.prefix.addr), 0);
		assert_int_equal(address_add(nl, &address), 0);
	}
	sides_join("127.0.0.1");
	for (unsigned int i = 0; i < SIDES; i++)
		assert_int_equal(wireguard_apply(&sides[i].tunnel), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SIDES; i++) {
		child_stop(sides[i].engine, 5000);
		sides[i].engine = NULL;
		assert_int_equal(link_delete(nl, ifnames[i]), 0);
	}
	return 0;
}

static struct wireguard_stats stats_of(unsigned int side)
{
	struct state_tunnel tunnel = sides[side].tunnel;
	struct wireguard_stats stats;

	assert_int_equal(wireguard_read(&tunnel, &stats), 0);
	return stats;
}

static void assert_as_wanted(unsigned int side)
{
	const struct state_tunnel *want = &sides[side].tunnel;
	struct state_tunnel got = { .engine = engine };

	memcpy(got.ifname, want->ifname, sizeof(got.ifname));
	assert_int_equal(wireguard_read(&got, NULL), 0);
	assert_int_equal(got.listen_port, want->listen_port);
	assert_int_equal(got.endpoint_port, want->endpoint_port);
	assert_int_equal(got.keepalive_s, want->keepalive_s);
	assert_int_equal(ip_addr_compare(&got.endpoint, &want->endpoint), 0);
	assert_true(key_equal(&got.private_key, &want->private_key));
	assert_true(key_equal(&got.peer_key, &want->peer_key));
	assert_true(got.allowed_all);
	assert_int_equal(got.peer_id, 0); /* not WireGuard's */
}

/* -- Packets -- */

static int sender_open(unsigned int from)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PACKET_PORT) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	/* An address of nobody here: it goes into the interface and comes out of the other. */
	assert_int_equal(inet_pton(AF_INET, "10.98.0.1", &to.sin_addr), 1);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ifnames[from],
				    (socklen_t)strlen(ifnames[from]) + 1),
			 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static int receiver_open(unsigned int at)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP) };
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	ll.sll_ifindex = (int)if_nametoindex(ifnames[at]);
	assert_int_equal(bind(fd, (struct sockaddr *)&ll, sizeof(ll)), 0);
	return fd;
}

/* Take what has come; how many of seen[] are new. */
static unsigned int receive(int fd, bool *seen, unsigned int n)
{
	unsigned char packet[128];
	unsigned int new = 0;
	uint32_t number;
	ssize_t len;

	while ((len = recv(fd, packet, sizeof(packet), 0)) >= 0) {
		if (len != 20 + 8 + (ssize_t)sizeof(number) || packet[9] != IPPROTO_UDP)
			continue;
		memcpy(&number, packet + 28, sizeof(number));
		if (number >= n || seen[number])
			continue;
		seen[number] = true;
		new ++;
	}
	return new;
}

/* Send one a millisecond, n of them, with work(i) after each; how many were lost. */
static unsigned int send_numbered(unsigned int from, unsigned int n, void (*work)(unsigned int i))
{
	bool *seen = calloc(n, sizeof(*seen));
	int out = sender_open(from), in = receiver_open(!from);
	unsigned int got = 0;
	int64_t end;

	assert_non_null(seen);
	for (uint32_t i = 0; i < n; i++) {
		const struct timespec pause = { .tv_nsec = 1000000 };

		assert_int_equal(send(out, &i, sizeof(i), 0), sizeof(i));
		if (work)
			work(i);
		nanosleep(&pause, NULL);
		got += receive(in, seen, n);
	}
	end = now_ms() + 2000 * time_scale;
	while (got < n && now_ms() < end) {
		struct pollfd pfd = { .fd = in, .events = POLLIN };

		poll(&pfd, 1, 50);
		got += receive(in, seen, n);
	}
	close(out);
	close(in);
	free(seen);
	return n - got;
}

/* Until a packet comes through, from either side. */
static void wait_traffic(void)
{
	int64_t end = now_ms() + DEADLINE_MS;

	for (unsigned int from = 0; from < SIDES; from++) {
		int out = sender_open(from), in = receiver_open(!from);
		bool seen[1] = { false };
		uint32_t number = 0;

		while (!receive(in, seen, 1) && now_ms() < end) {
			struct pollfd pfd = { .fd = in, .events = POLLIN };

			assert_int_equal(send(out, &number, sizeof(number), 0), sizeof(number));
			poll(&pfd, 1, 100);
		}
		assert_true(seen[0]);
		close(out);
		close(in);
	}
}

/* -- Tests -- */

static void test_handshake(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < SIDES; i++)
		assert_as_wanted(i);
	wait_traffic();
	for (unsigned int i = 0; i < SIDES; i++) {
		struct wireguard_stats stats = stats_of(i);

		assert_true(stats.last_handshake_s > time(NULL) - 600);
		assert_true(stats.last_handshake_s <= time(NULL) + 1);
		assert_true(stats.rx_bytes > 0);
		assert_true(stats.tx_bytes > 0);
		assert_int_equal(stats.endpoint_port, sides[!i].tunnel.listen_port);
		assert_as_wanted(i);
	}
}

static void apply_both(unsigned int i)
{
	if (i % 10 == 5)
		assert_int_equal(wireguard_apply(&sides[i / 10 % SIDES].tunnel), 0);
}

/* The same again, a hundred times under traffic: no packet is lost, the session stays. */
static void test_apply_again(void **state)
{
	struct wireguard_stats before, after;

	(void)state;
	wait_traffic();
	before = stats_of(0);
	assert_int_equal(send_numbered(0, PACKETS, apply_both), 0);
	assert_int_equal(send_numbered(1, PACKETS, apply_both), 0);
	after = stats_of(0);
	assert_int_equal(before.last_handshake_s, after.last_handshake_s);
	assert_true(after.tx_bytes > before.tx_bytes);
}

static void change_keepalive(unsigned int i)
{
	if (i % 50 != 25)
		return;
	sides[0].tunnel.keepalive_s = (uint16_t)(20 + i / 50 % 2);
	assert_int_equal(wireguard_apply(&sides[0].tunnel), 0);
	assert_as_wanted(0);
}

static void test_change_keepalive(void **state)
{
	(void)state;
	wait_traffic();
	assert_int_equal(send_numbered(0, PACKETS / 2, change_keepalive), 0);
}

/* Another port, and the peer told of it: the session is the same one. */
static void test_change_port(void **state)
{
	struct wireguard_stats before, after;

	(void)state;
	wait_traffic();
	before = stats_of(0);
	sides[0].tunnel.listen_port = 20001;
	sides[1].tunnel.endpoint_port = 20001;
	assert_int_equal(wireguard_apply(&sides[0].tunnel), 0);
	assert_int_equal(wireguard_apply(&sides[1].tunnel), 0);
	wait_traffic();
	after = stats_of(0);
	assert_int_equal(before.last_handshake_s, after.last_handshake_s);
	for (unsigned int i = 0; i < SIDES; i++)
		assert_as_wanted(i);
}

static void test_change_endpoint(void **state)
{
	struct wireguard_stats before, after;

	(void)state;
	wait_traffic();
	before = stats_of(1);
	sides_join("::1");
	for (unsigned int i = 0; i < SIDES; i++) {
		assert_int_equal(wireguard_apply(&sides[i].tunnel), 0);
		assert_as_wanted(i);
	}
	assert_int_equal(send_numbered(0, 50, NULL), 0);
	after = stats_of(1);
	assert_int_equal(before.last_handshake_s, after.last_handshake_s);
	assert_int_equal(after.endpoint.family, IP_V6);
	for (unsigned int i = 0; i < SIDES; i++)
		assert_as_wanted(i);
}

static void test_change_keys(void **state)
{
	struct state_tunnel old = sides[0].tunnel;

	(void)state;
	wait_traffic();
	key_generate(&sides[1].tunnel.private_key);
	sides_join("127.0.0.1");
	assert_false(key_equal(&old.peer_key, &sides[0].tunnel.peer_key));
	for (unsigned int i = 0; i < SIDES; i++) {
		assert_int_equal(wireguard_apply(&sides[i].tunnel), 0);
		assert_as_wanted(i);
	}
	wait_traffic();
}

/* What somebody has done with wg(8) is seen and undone, and the session is still the same. */
static void test_mend(void **state)
{
	char command[256], text[KEY_STRLEN];
	struct wireguard_stats before, after;
	struct state_tunnel seen;
	struct key stranger;

	(void)state;
	wait_traffic();
	before = stats_of(0);
	key_generate(&stranger);
	key_public(&stranger, &stranger);
	snprintf(command, sizeof(command),
		 "wg set np1 peer %s allowed-ips 0.0.0.0/0,10.0.0.0/8 endpoint 127.0.0.1:9",
		 key_format(&stranger, text));
	run(command);
	seen = sides[0].tunnel;
	assert_int_equal(wireguard_read(&seen, NULL), 0);
	assert_true(key_is_zero(&seen.peer_key));
	assert_int_equal(wireguard_apply(&sides[0].tunnel), 0);
	assert_as_wanted(0);

	snprintf(command, sizeof(command), "wg set np1 fwmark 5 peer %s allowed-ips 10.0.0.0/8",
		 key_format(&sides[0].tunnel.peer_key, text));
	run(command);
	seen = sides[0].tunnel;
	assert_int_equal(wireguard_read(&seen, NULL), 0);
	assert_false(seen.allowed_all);
	assert_int_equal(wireguard_apply(&sides[0].tunnel), 0);
	assert_as_wanted(0);
	assert_int_equal(send_numbered(0, 50, NULL), 0);
	assert_int_equal(send_numbered(1, 50, NULL), 0);
	after = stats_of(0);
	assert_int_equal(before.last_handshake_s, after.last_handshake_s);

	/* A preshared key on one side only: no new session would ever come. */
	snprintf(command, sizeof(command),
		 "umask 077; wg genpsk >/run/psk && wg set np1 peer %s preshared-key /run/psk",
		 key_format(&sides[0].tunnel.peer_key, text));
	run(command);
	seen = sides[0].tunnel;
	assert_int_equal(wireguard_read(&seen, NULL), 0);
	assert_false(seen.allowed_all);
	assert_int_equal(wireguard_apply(&sides[0].tunnel), 0);
	assert_as_wanted(0);
	assert_int_equal(send_numbered(0, 50, NULL), 0);
}

/* A gateway of another site becomes the partner, and the other way round. */
static void test_allowed_link(void **state)
{
	struct state_tunnel partner = sides[0].tunnel, seen;

	(void)state;
	partner.peer_id = 300;
	partner.allowed_all = false;
	partner.allowed_link = true;
	assert_int_equal(wireguard_apply(&partner), 0);
	seen = sides[0].tunnel;
	seen.peer_id = 300;
	assert_int_equal(wireguard_read(&seen, NULL), 0);
	assert_true(seen.allowed_link);
	assert_false(seen.allowed_all);
	assert_int_equal(wireguard_apply(&sides[0].tunnel), 0);
	assert_as_wanted(0);
}

static void test_port_in_use(void **state)
{
	struct state_tunnel tunnel = sides[0].tunnel;

	(void)state;
	tunnel.listen_port = sides[1].tunnel.listen_port;
	assert_int_equal(wireguard_apply(&tunnel), -EADDRINUSE);
	assert_int_equal(wireguard_apply(&sides[0].tunnel), 0); /* back to its own */
	wait_traffic();
	assert_as_wanted(0);
}

static void test_absent(void **state)
{
	struct state_tunnel tunnel = sides[0].tunnel;

	(void)state;
	snprintf(tunnel.ifname, sizeof(tunnel.ifname), "np99");
	assert_int_equal(wireguard_read(&tunnel, NULL), -ENODEV);
	assert_int_equal(wireguard_apply(&tunnel), -ENODEV);
	tunnel.engine = STATE_ENGINE_KERNEL;
	snprintf(tunnel.ifname, sizeof(tunnel.ifname), "lo");
	assert_int_equal(wireguard_read(&tunnel, NULL), -ENODEV);
	assert_int_equal(wireguard_apply(&tunnel), -ENODEV);
}

static void test_engine_killed(void **state)
{
	struct link_info info;
	int64_t end = now_ms() + DEADLINE_MS;

	(void)state;
	assert_int_equal(child_signal(sides[0].engine, SIGKILL), 0);
	while (!sides[0].exits && now_ms() < end)
		turn();
	assert_int_equal(sides[0].exits, 1);
	assert_true(WIFSIGNALED(sides[0].exit_status));
	assert_int_equal(WTERMSIG(sides[0].exit_status), SIGKILL);
	assert_int_equal(sides[1].exits, 0);
	/* Its socket's file is still there, and nobody listens. */
	assert_int_equal(access("/var/run/wireguard/np1.sock", F_OK), 0);
	assert_int_equal(wireguard_read(&sides[0].tunnel, NULL), -ENODEV);
	assert_int_equal(wireguard_uapi_owner("np1"), -ENODEV);
	while (!link_get(nl, "np1", &info) && now_ms() < end)
		turn();
	assert_int_equal(link_get(nl, "np1", &info), -ENODEV); /* gone with the process */

	child_free(sides[0].engine);
	sides[0].exits = 0;
	link_start(&sides[0]);
	assert_int_equal(wireguard_apply(&sides[0].tunnel), 0);
	assert_as_wanted(0);
	run("ip addr add 10.99.0.1/24 dev np1");
	wait_traffic();
}

/* The daemon, restarted, finds the engine by its socket. */
static void test_engine_adopted(void **state)
{
	pid_t pid = child_pid(sides[0].engine);

	(void)state;
	wait_traffic();
	child_free(sides[0].engine);
	sides[0].engine = NULL;
	assert_int_equal(wireguard_uapi_owner("np1"), pid);
	assert_true(child_cmdline_has(pid, "np1"));
	assert_int_equal(child_adopt(event, pid, engine_exited, &sides[0], &sides[0].engine), 0);
	assert_int_equal(send_numbered(0, 50, NULL), 0);
}

static void assert_times_out(void)
{
	struct state_tunnel tunnel = sides[0].tunnel;
	int64_t began = now_ms();

	assert_int_equal(wireguard_read(&tunnel, NULL), -ETIMEDOUT);
	assert_in_range(now_ms() - began, 1900, 3500 + 500 * time_scale);
}

static void test_engine_hangs(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX,
				    .sun_path = "/var/run/wireguard/np1.sock" };
	unsigned int n = 0;
	int fds[64], fd, status;

	(void)state;
	assert_int_equal(child_signal(sides[0].engine, SIGSTOP), 0);
	/* Told when the last of its threads has stopped. */
	assert_int_equal(waitpid(child_pid(sides[0].engine), &status, WUNTRACED),
			 child_pid(sides[0].engine));
	assert_true(WIFSTOPPED(status));
	assert_times_out();

	/* Also when its socket takes no more connections. A listener of our own has a short queue. */
	assert_int_equal(child_signal(sides[0].engine, SIGCONT), 0);
	assert_int_equal(rename(addr.sun_path, "/run/kept.sock"), 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 4), 0);
	do {
		fds[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	} while (!connect(fds[n], (struct sockaddr *)&addr, sizeof(addr)) && ++n < 63);
	assert_int_equal(errno, EAGAIN);
	assert_times_out();
	while (n + 1)
		close(fds[n--]);
	close(fd);
	assert_int_equal(unlink(addr.sun_path), 0);
	assert_int_equal(rename("/run/kept.sock", addr.sun_path), 0);
	assert_as_wanted(0);
	wait_traffic();
}

/* An engine that writes nonsense, never ends, or hangs up: the answer is "no", in time. */
static void serve(const char *answer, bool endless)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX,
				    .sun_path = "/var/run/wireguard/np7.sock" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), in;
	char request[4096], many[65536];
	size_t len = strlen(answer);

	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 4))
		_exit(1);
	in = accept(fd, NULL, NULL);
	if (in < 0 || recv(in, request, sizeof(request), 0) <= 0)
		_exit(2);
	for (size_t i = 0; i < sizeof(many); i++)
		many[i] = len ? answer[i % len] : '\0';
	do {
		if (send(in, many, endless ? sizeof(many) : len, MSG_NOSIGNAL) < 0)
			break;
	} while (endless);
	close(in);
	unlink(addr.sun_path);
	_exit(0);
}

static void test_engine_nonsense(void **state)
{
	static const struct {
		const char *answer;
		bool endless;
		int ret;
	} table[] = {
		{ "", false, -ECONNRESET },
		{ "errno=0\n", false, -ECONNRESET },
		{ "HTTP/1.1 400 Bad Request\n\n", false, -EBADMSG },
		{ "errno=5\n\n", false, -EIO },
		{ "errno=0\n\nerrno=0\n\n", false, -EBADMSG },
		{ "listen_port=1\n", true, -EMSGSIZE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct state_tunnel tunnel = { .ifname = "np7", .engine = STATE_ENGINE_USER };
		int64_t end = now_ms() + DEADLINE_MS;
		pid_t pid = fork();
		int ret = 0;

		if (!pid)
			serve(table[i].answer, table[i].endless);
		while (access("/var/run/wireguard/np7.sock", F_OK) && now_ms() < end)
			turn();
		do {
			ret = wireguard_read(&tunnel, NULL);
		} while (ret == -ENODEV && now_ms() < end); /* bound, does not listen yet */
		assert_int_equal(ret, table[i].ret);
		assert_int_equal(waitpid(pid, &ret, 0), pid);
		assert_int_equal(ret, 0);
	}
}

/* A mount namespace with a /run, and the old name of it, that nobody else sees. */
static int private_run(void)
{
	struct stat run_stat, var_stat;

	if (unshare(CLONE_NEWNET | CLONE_NEWNS))
		return -errno;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", "/run", "tmpfs", 0, "mode=755"))
		return -errno;
	if (stat("/run", &run_stat) || stat("/var/run", &var_stat))
		return -errno;
	if ((run_stat.st_dev != var_stat.st_dev || run_stat.st_ino != var_stat.st_ino) &&
	    mount("/run", "/var/run", NULL, MS_BIND, NULL))
		return -errno;
	return mkdir(LOG_DIR, 0755) ? -errno : 0;
}

static char no_kernel[128], no_user[128];

static void test_skipped(void **state)
{
	(void)state; /* its name says it all; cmocka's own skip() is a failure in its TAP */
}

struct scenario {
	const char *names[2]; /* by engine; NULL: not a test of it */
	CMUnitTestFunction run;
};

#define BOTH(name)                                              \
	{                                                       \
		{ "kernel/" #name, "user/" #name }, test_##name \
	}
#define USER(name)                                   \
	{                                            \
		{ NULL, "user/" #name }, test_##name \
	}

static const struct scenario scenarios[] = {
	BOTH(handshake),    BOTH(apply_again),	   BOTH(change_keepalive),
	BOTH(change_port),  BOTH(change_endpoint), BOTH(change_keys),
	BOTH(mend),	    BOTH(allowed_link),	   BOTH(port_in_use),
	BOTH(absent),	    USER(engine_killed),   USER(engine_adopted),
	USER(engine_hangs), USER(engine_nonsense),
};

#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

/* All tests of one engine, or one whose name says why there are none. */
static size_t engine_tests(enum state_engine which, char *missing, struct CMUnitTest *tests)
{
	static enum state_engine engines[] = { STATE_ENGINE_KERNEL, STATE_ENGINE_USER };
	size_t n = 0;

	if (*missing) {
		tests[0] = (struct CMUnitTest){
			.name = missing,
			.test_func = test_skipped,
			.initial_state = missing,
		};
		return 1;
	}
	for (size_t i = 0; i < SCENARIOS; i++) {
		if (!scenarios[i].names[which])
			continue;
		tests[n++] = (struct CMUnitTest){
			.name = scenarios[i].names[which],
			.test_func = scenarios[i].run,
			.setup_func = setup,
			.teardown_func = teardown,
			.initial_state = &engines[which],
		};
	}
	return n;
}

int main(void)
{
	struct CMUnitTest tests[2 * SCENARIOS] = { 0 }; /* empty ones are passed over */
	const char *scale = getenv("LAB_TIME_SCALE");
	size_t n;
	int ret;

	ret = private_run();
	if (ret) {
		printf("1..0 # SKIP no namespaces for WireGuard: %s\n", strerror(-ret));
		return 0;
	}
	if (scale && atoi(scale) > 0)
		time_scale = (unsigned int)atoi(scale);
	if (sd_event_new(&event) < 0 || netlink_open(NETLINK_ROUTE, 0, &nl) ||
	    link_set_up(nl, "lo", true))
		return 1;

	if (access("/dev/net/tun", R_OK | W_OK))
		snprintf(no_user, sizeof(no_user), "user # SKIP /dev/net/tun: %s", strerror(errno));
	ret = link_add_wireguard(nl, "np0");
	if (ret)
		snprintf(no_kernel, sizeof(no_kernel), "kernel # SKIP no WireGuard in it: %s",
			 strerror(-ret));
	else if (link_delete(nl, "np0"))
		return 1;
	n = engine_tests(STATE_ENGINE_USER, no_user, tests);
	engine_tests(STATE_ENGINE_KERNEL, no_kernel, tests + n);
	ret = cmocka_run_group_tests_name("wireguard", tests, NULL, NULL);

	netlink_close(nl);
	sd_event_unref(event);
	return ret;
}

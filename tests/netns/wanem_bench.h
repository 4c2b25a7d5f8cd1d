/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A bench for wanem: three network namespaces of this process. ta in the first is a cable to wa
 * in the second, where a wanem runs between wa and wb, and wb's cable ends at tb in the third.
 * Numbered frames are sent at one end and looked at where they come out at the other one, with
 * the kernel's time stamps; every one has to be accounted for in the counters.
 */
#ifndef WANEM_BENCH_H
#define WANEM_BENCH_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "wanem_line.h"

#define MAGIC 0x77616e65u
#define HEAD (14 + 20 + 8)
#define MS 1000000ll
#define RUN_MAX 60000
#define PPS(n) (NS / (n))

struct probe {
	uint32_t magic, run;
	uint64_t number;
	int64_t sent_ns;
};

/* Of the last run. */
struct run {
	unsigned int sent, got, again, overtaken;
	uint8_t times[RUN_MAX]; /* that this one came out */
	int64_t delays[RUN_MAX], sorted[RUN_MAX];
	int64_t first_ns, last_ns;
};

static struct run run;
static uint32_t run_number;
static char wanem_path[512], directory[] = "/tmp/wanem-test.XXXXXX", control[64];
static int spaces[3], outer[2]; /* namespaces; a packet socket at each end */
static pid_t wanem_pid;

static inline int64_t clock_read(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * NS + ts.tv_nsec;
}

static inline void clock_sleep(int64_t until)
{
	const struct timespec ts = { .tv_sec = until / NS, .tv_nsec = until % NS };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

static inline void space_enter(int i)
{
	assert_int_equal(setns(spaces[i], CLONE_NEWNET), 0);
}

/* -- the emulator -- */

static inline int control_open(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	strcpy(un.sun_path, control);
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0)
		return fd;
	close(fd);
	return -1;
}

static inline const char *ask(const char *request)
{
	static char reply[4096];
	struct pollfd pfd = { .fd = control_open(), .events = POLLIN };
	ssize_t len;

	assert_true(pfd.fd >= 0);
	assert_int_equal(send(pfd.fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	assert_int_equal(poll(&pfd, 1, 5000), 1);
	len = recv(pfd.fd, reply, sizeof(reply) - 1, 0);
	assert_true(len > 0);
	reply[len] = '\0';
	close(pfd.fd);
	return reply;
}

static inline void set(const char *request)
{
	assert_string_equal(ask(request), "ok\n");
}

/* A counter of the direction that begins at this end. */
static inline uint64_t counter(int end, const char *name)
{
	const char *at = strstr(ask("stats"), end == 0 ? "\"ab\":{" : "\"ba\":{");
	char quoted[64];

	assert_non_null(at);
	snprintf(quoted, sizeof(quoted), "\"%s\":", name);
	at = strstr(at, quoted);
	assert_non_null(at);
	return strtoull(at + strlen(quoted), NULL, 10);
}

static inline pid_t wanem_exec(const char *settings)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (setns(spaces[1], CLONE_NEWNET) < 0 || !freopen("/dev/null", "w", stdout))
			_exit(126);
		execl(wanem_path, "wanem", "-c", control, "wa", "wb", settings, NULL);
		_exit(127);
	}
	return pid;
}

static inline void wanem_await(void)
{
	const int64_t deadline = clock_read(CLOCK_MONOTONIC) + 10 * NS;
	int fd;

	while ((fd = control_open()) < 0) {
		assert_true(clock_read(CLOCK_MONOTONIC) < deadline);
		clock_sleep(clock_read(CLOCK_MONOTONIC) + MS);
	}
	close(fd);
}

/* The status of its end; -1: it does not end. */
static inline int end_await(pid_t pid)
{
	const int64_t deadline = clock_read(CLOCK_MONOTONIC) + 10 * NS;
	int status;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (clock_read(CLOCK_MONOTONIC) > deadline)
			return -1;
		clock_sleep(clock_read(CLOCK_MONOTONIC) + MS);
	}
	return status;
}

/* -- frames -- */

/* An IPv4 packet of this length for nobody. */
static inline size_t frame_make(uint8_t *frame, size_t ip_len)
{
	static const uint8_t head[HEAD] = {
		2,    0, 0, 0, 0x99, 1, 2, 0, 0,  0, 0x99, 2, 8, 0, /* Ethernet */
		0x45, 0, 0, 0, 0,    0, 0, 0, 64, 17		    /* IPv4, UDP */
	};

	memset(frame, 0, 14 + ip_len);
	memcpy(frame, head, sizeof(head));
	frame[16] = (uint8_t)(ip_len >> 8);
	frame[17] = (uint8_t)ip_len;
	return 14 + ip_len;
}

static inline ssize_t frame_read(int end, uint8_t *frame, size_t size, int64_t *ret_at)
{
	uint8_t space[256];
	struct iovec iov = { frame, size };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = space,
			      .msg_controllen = sizeof(space) };
	ssize_t len = recvmsg(outer[end], &msg, MSG_DONTWAIT);

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg); len >= 0 && cmsg;
	     cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SO_TIMESTAMPNS) {
			struct timespec ts;

			memcpy(&ts, CMSG_DATA(cmsg), sizeof(ts));
			*ret_at = ts.tv_sec * NS + ts.tv_nsec;
		}
	}
	return len;
}

static inline void run_collect(int end)
{
	uint8_t frame[2048];
	struct probe probe;
	static uint64_t highest;
	int64_t at = 0;
	ssize_t len;

	while ((len = frame_read(end, frame, sizeof(frame), &at)) >= 0) {
		if (len < (ssize_t)(HEAD + sizeof(probe)))
			continue;
		memcpy(&probe, frame + HEAD, sizeof(probe));
		if (probe.magic != MAGIC || probe.run != run_number || probe.number >= RUN_MAX)
			continue;
		if (run.times[probe.number]++) {
			run.again++;
			continue;
		}
		if (run.got == 0) {
			run.first_ns = at;
			highest = 0;
		}
		run.last_ns = at;
		run.overtaken += probe.number < highest;
		if (probe.number > highest)
			highest = probe.number;
		run.delays[probe.number] = run.sorted[run.got++] = at - probe.sent_ns;
	}
}

static inline int int64_compare(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static inline void probes_begin(void)
{
	memset(&run, 0, sizeof(run));
	run_number++;
	set("reset");
}

/* On its schedule; a stall of this program is caught up. */
static inline void probes_send(int end, unsigned int count, int64_t interval, size_t ip_len)
{
	const int64_t start = clock_read(CLOCK_MONOTONIC);
	uint8_t frame[2048];
	const size_t len = frame_make(frame, ip_len);

	for (unsigned int i = 0; i < count; i++) {
		struct probe probe = { .magic = MAGIC, .run = run_number, .number = run.sent++ };

		if (interval != 0)
			clock_sleep(start + i * interval);
		probe.sent_ns = clock_read(CLOCK_REALTIME);
		memcpy(frame + HEAD, &probe, sizeof(probe));
		assert_int_equal(send(outer[end], frame, len, 0), len);
	}
}

/* Waits until all that was sent has come out or is counted as dropped. */
static inline void probes_end(int end)
{
	static const char *const drops[] = { "drop_loss", "drop_burst",	    "drop_queue",
					     "drop_mtu",  "drop_blackhole", "drop_cut" };
	const int64_t deadline = clock_read(CLOCK_MONOTONIC) + 20 * NS;
	uint64_t expected, dropped = 0;

	while (counter(end, "in") < run.sent || counter(end, "held") > 0) {
		assert_true(clock_read(CLOCK_MONOTONIC) < deadline);
		clock_sleep(clock_read(CLOCK_MONOTONIC) + MS);
	}
	for (size_t i = 0; i < sizeof(drops) / sizeof(drops[0]); i++)
		dropped += counter(end, drops[i]);
	assert_int_equal(counter(end, "in"), run.sent);
	assert_int_equal(counter(end, "kernel_drops") + counter(end, "drop_limit") +
				 counter(end, "drop_error") + counter(end, "drop_odd"),
			 0);
	expected = run.sent + counter(end, "duplicated") - dropped;
	assert_int_equal(counter(end, "out"), expected);
	do
		run_collect(1 - end);
	while (run.got + run.again < expected && clock_read(CLOCK_MONOTONIC) < deadline);
	assert_int_equal(run.got + run.again, expected);
	qsort(run.sorted, run.got, sizeof(run.sorted[0]), int64_compare);
}

static inline void probes(int end, unsigned int count, int64_t interval)
{
	probes_begin();
	probes_send(end, count, interval, 100);
	probes_end(end);
}

static inline double delay_ms(double quantile)
{
	assert_true(run.got > 0);
	return (double)run.sorted[(size_t)(quantile * (run.got - 1))] / 1e6;
}

/* Newton's; nothing else here would need the library of mathematics. */
static inline double root(double square)
{
	double x = square > 1 ? square : 1;

	for (int i = 0; i < 60; i++)
		x = (x + square / x) / 2;
	return x;
}

static inline void assert_about(double value, double wanted, double tolerance)
{
	if (!(value >= wanted - tolerance && value <= wanted + tolerance))
		fail_msg("%g is not %g +- %g", value, wanted, tolerance);
}

/* As many of n as a chance of percent gives. */
static inline void assert_chance(uint64_t hits, uint64_t n, double percent)
{
	const double p = percent / 100, mean = (double)n * p;

	assert_about((double)hits, mean, 4 * root(mean * (1 - p)));
}

/* -- set-up -- */

static inline int outer_open(int space, const char *name)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	const int on = 1, buffer = 128 << 20;
	int fd;

	space_enter(space);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	ll.sll_ifindex = (int)if_nametoindex(name);
	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) < 0 ||
	    bind(fd, (struct sockaddr *)&ll, sizeof(ll)) < 0)
		return -1;
	return fd;
}

static inline int setup(void **state)
{
	static const char script[] =
		"set -e\n"
		"on() { s=$1; shift; nsenter --net=/proc/%1$d/fd/$s -- \"$@\"; }\n"
		"for s in %2$d %3$d %4$d; do on $s sysctl -qw net.ipv6.conf.all.disable_ipv6=1"
		" net.ipv6.conf.default.disable_ipv6=1; done\n"
		"on %3$d ip link add wa type veth peer name ta netns /proc/%1$d/fd/%2$d\n"
		"on %3$d ip link add wb type veth peer name tb netns /proc/%1$d/fd/%4$d\n"
		"on %3$d ip link set wa up; on %3$d ip link set wb up\n"
		"on %2$d ip link set ta up; on %2$d ip addr add 10.9.9.1/24 dev ta\n"
		"on %4$d ip link set tb up; on %4$d ip addr add 10.9.9.2/24 dev tb\n";
	ssize_t len = readlink("/proc/self/exe", wanem_path, 400);
	char command[2048];

	(void)state;
	assert_true(len > 0 && len < 400);
	wanem_path[len] = '\0';
	strcpy(strrchr(wanem_path, '/'), "/../lab/wanem");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(unshare(CLONE_NEWNET), 0);
		spaces[i] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		assert_true(spaces[i] >= 0);
	}
	snprintf(command, sizeof(command), script, getpid(), spaces[0], spaces[1], spaces[2]);
	assert_int_equal(system(command), 0);
	outer[0] = outer_open(0, "ta");
	outer[1] = outer_open(2, "tb");
	assert_true(outer[0] >= 0 && outer[1] >= 0);
	assert_non_null(mkdtemp(directory));
	snprintf(control, sizeof(control), "%s/control", directory);
	wanem_pid = wanem_exec("clear");
	wanem_await();
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	if (wanem_pid > 0) {
		kill(wanem_pid, SIGTERM);
		end_await(wanem_pid);
	}
	return rmdir(directory);
}

#endif

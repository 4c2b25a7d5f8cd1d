/* SPDX-License-Identifier: GPL-2.0-only */
#include "bench_load.h"

#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

#define BULK_PORT 5300
#define SMALL_PORT 5301
#define ECHO_PORT 5302
#define SMALL_LEN 64
#define CHUNK_LEN 131072
#define BATCH 32
#define RATES 6
#define WARM_S 0.5 /* streams have found their pace */
#define WARM_SMALL_S 0.1
#define PING_US 10000
#define PINGS_MAX 6000
#define CHILDREN_MAX 24
#define ACCEPT_MS 5000
#define RCVBUF (8 << 20)

struct shared {
	_Atomic uint64_t arrived; /* bytes or packets */
};

struct load {
	struct bench_network *network;
	struct shared *shared;
	pid_t children[CHILDREN_MAX];
	int n_children;
	double rate; /* packets/s of each sender; 0: what it can */
	int fd;	     /* the children's */
};

static double now_s(void)
{
	return (double)clock_now_us() / 1e6;
}

static void sleep_s(double seconds)
{
	const struct timespec ts = { (time_t)seconds, (long)((seconds - (long)seconds) * 1e9) };

	if (seconds > 0)
		(void)nanosleep(&ts, NULL); /* no signal has a handler here */
}

static long clamp(long value, long min, long max)
{
	return value < min ? min : value > max ? max : value;
}

/* ---- children ---- */

static int load_begin(struct bench_network *network, struct load *ret_load)
{
	struct load load = { .network = network, .fd = -1 };

	load.shared = mmap(NULL, sizeof(*load.shared), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (load.shared == MAP_FAILED)
		return -errno;
	*ret_load = load;
	return 0;
}

static void load_end(struct load *load)
{
	for (int i = 0; i < load->n_children; i++)
		(void)kill(load->children[i], SIGKILL); /* or it has ended, unreaped */
	for (int i = 0; i < load->n_children; i++)
		while (waitpid(load->children[i], NULL, 0) < 0 && errno == EINTR)
			;
	if (load->fd >= 0)
		close(load->fd);
	munmap(load->shared, sizeof(*load->shared));
}

/* A child in this node. */
static int load_child(struct load *load, enum bench_node node, void (*run)(struct load *load))
{
	int rc = bench_network_enter(load->network, node);
	pid_t pid;

	if (rc)
		return rc;
	if (load->n_children == CHILDREN_MAX)
		return -E2BIG;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		run(load);
		_exit(1);
	}
	load->children[load->n_children++] = pid;
	return 0;
}

/* In host B, for the children that are begun next. */
static int load_socket(struct load *load, int type, uint16_t port)
{
	const struct sockaddr_in address = bench_network_address(BENCH_HOST_B, port);
	const int on = 1, buffer = RCVBUF;
	int rc = bench_network_enter(load->network, BENCH_HOST_B);

	if (rc)
		return rc;
	if (load->fd >= 0)
		close(load->fd);
	load->fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	if (load->fd < 0 || setsockopt(load->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    (type == SOCK_DGRAM &&
	     setsockopt(load->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer))) ||
	    bind(load->fd, (const struct sockaddr *)&address, sizeof(address)) ||
	    (type == SOCK_STREAM && listen(load->fd, CHILDREN_MAX)))
		return -errno;
	return 0;
}

/* In a child, to host B. */
static int connect_to(int type, uint16_t port)
{
	const struct sockaddr_in address = bench_network_address(BENCH_HOST_B, port);
	const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		return -errno;
	return fd;
}

/* ---- echo ---- */

static void run_echo(struct load *load)
{
	struct sockaddr_in from;
	char data[64];

	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t n =
			recvfrom(load->fd, data, sizeof(data), 0, (struct sockaddr *)&from, &len);

		if (n > 0)
			(void)sendto(load->fd, data, (size_t)n, 0, (struct sockaddr *)&from, len);
	}
}

struct pings {
	unsigned int sent, received;
	uint64_t at_us[PINGS_MAX], took_us[PINGS_MAX]; /* 0: not back yet */
};

static void ping_receive(int fd, struct pings *pings, uint64_t until_us)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint64_t now_us = clock_now_us();
	uint32_t number;

	do {
		const struct timespec wait = { 0, until_us > now_us
							  ? (long)(until_us - now_us) * 1000
							  : 0 };

		if (ppoll(&pfd, 1, &wait, NULL) > 0 &&
		    recv(fd, &number, sizeof(number), MSG_DONTWAIT) == sizeof(number) &&
		    number < pings->sent && !pings->took_us[number]) {
			pings->took_us[number] = clock_now_us() - pings->at_us[number] + 1;
			pings->received++;
		}
		now_us = clock_now_us();
	} while (now_us < until_us);
}

/* One every 10 ms, until the end or the first answer. */
static int ping(struct bench_network *network, uint64_t end_us, bool first_only,
		struct pings *pings)
{
	int fd, rc = bench_network_enter(network, BENCH_HOST_A);
	uint64_t next_us = clock_now_us();

	if (rc)
		return rc;
	fd = connect_to(SOCK_DGRAM, ECHO_PORT);
	if (fd < 0)
		return fd;
	while (next_us < end_us && pings->sent < PINGS_MAX && !(first_only && pings->received)) {
		const uint32_t number = pings->sent++;

		pings->at_us[number] = clock_now_us();
		(void)send(fd, &number, sizeof(number), 0); /* what is not sent is lost */
		next_us += PING_US;
		ping_receive(fd, pings, next_us);
	}
	close(fd);
	return 0;
}

static int compare_times(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* What is not back took until now at least. Sorts. */
static double ping_p99(struct pings *pings)
{
	const uint64_t now_us = clock_now_us();

	for (unsigned int i = 0; i < pings->sent; i++)
		if (!pings->took_us[i])
			pings->took_us[i] = now_us - pings->at_us[i];
	qsort(pings->took_us, pings->sent, sizeof(*pings->took_us), compare_times);
	return (double)pings->took_us[(pings->sent * 99 + 99) / 100 - 1];
}

static int echo_begin(struct load *load)
{
	int rc = load_socket(load, SOCK_DGRAM, ECHO_PORT);

	return rc ? rc : load_child(load, BENCH_HOST_B, run_echo);
}

int bench_load_await(struct bench_network *network, double seconds)
{
	struct pings *pings = calloc(1, sizeof(*pings));
	struct load load;
	int rc = pings ? load_begin(network, &load) : -ENOMEM;

	if (rc) {
		free(pings);
		return rc;
	}
	rc = echo_begin(&load);
	if (!rc)
		rc = ping(network, clock_now_us() + (uint64_t)(seconds * 1e6), true, pings);
	if (!rc && !pings->received)
		rc = -ETIMEDOUT;
	load_end(&load);
	free(pings);
	return rc;
}

/* ---- bulk ---- */

static void run_sink(struct load *load)
{
	struct pollfd pfd = { .fd = load->fd, .events = POLLIN };
	int fd = poll(&pfd, 1, ACCEPT_MS) > 0 ? accept(load->fd, NULL, NULL) : -1;
	static char data[CHUNK_LEN];
	ssize_t n;

	/* MSG_TRUNC: taken without being copied; what a host does with it is not the engine's. */
	while (fd >= 0 && (n = recv(fd, data, sizeof(data), MSG_TRUNC)) > 0)
		atomic_fetch_add(&load->shared->arrived, (uint64_t)n);
}

static void run_source(struct load *load)
{
	static const char data[CHUNK_LEN];
	const int fd = connect_to(SOCK_STREAM, BULK_PORT);

	(void)load;
	while (fd >= 0 && send(fd, data, sizeof(data), MSG_NOSIGNAL) > 0)
		;
}

static int bulk_begin(struct load *load)
{
	const long streams = clamp(sysconf(_SC_NPROCESSORS_ONLN), 2, 8);
	int rc = echo_begin(load);

	if (!rc)
		rc = load_socket(load, SOCK_STREAM, BULK_PORT);
	for (long i = 0; !rc && i < streams; i++)
		rc = load_child(load, BENCH_HOST_B, run_sink);
	for (long i = 0; !rc && i < streams; i++)
		rc = load_child(load, BENCH_HOST_A, run_source);
	return rc;
}

int bench_load_bulk(struct bench_network *network, double seconds, double *ret_bps,
		    double *ret_p99_us)
{
	struct pings *pings = calloc(1, sizeof(*pings));
	uint64_t before, arrived;
	struct load load;
	double start;
	int rc = pings ? load_begin(network, &load) : -ENOMEM;

	if (rc) {
		free(pings);
		return rc;
	}
	rc = bulk_begin(&load);
	if (rc)
		goto out;
	sleep_s(WARM_S);
	start = now_s();
	before = atomic_load(&load.shared->arrived);
	rc = ping(network, (uint64_t)((start + seconds) * 1e6), false, pings);
	arrived = atomic_load(&load.shared->arrived) - before;
	if (!rc && !arrived)
		rc = -ETIMEDOUT;
	if (rc)
		goto out;
	*ret_bps = (double)arrived * 8 / (now_s() - start);
	*ret_p99_us = ping_p99(pings);
out:
	load_end(&load);
	free(pings);
	return rc;
}

/* ---- small packets ---- */

/* How long the datagrams are that came as one. */
static size_t datagram_len(struct msghdr *msg, size_t len)
{
	int size;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
			memcpy(&size, CMSG_DATA(c), sizeof(size));
			return size > 0 ? (size_t)size : len;
		}
	return len;
}

static void run_counter(struct load *load)
{
	static char data[65536];
	char control[CMSG_SPACE(sizeof(int))];
	const int on = 1;

	if (setsockopt(load->fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on)))
		return;
	for (;;) {
		struct iovec iov = { data, sizeof(data) };
		struct msghdr msg = { .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = control,
				      .msg_controllen = sizeof(control) };
		ssize_t len = recvmsg(load->fd, &msg, 0);
		size_t size = len > 0 ? datagram_len(&msg, (size_t)len) : 0;

		if (size)
			atomic_fetch_add(&load->shared->arrived, ((uint64_t)len + size - 1) / size);
	}
}

static void run_small(struct load *load)
{
	static char data[SMALL_LEN];
	struct iovec iov = { data, sizeof(data) };
	struct mmsghdr messages[BATCH] = { 0 };
	const int fd = connect_to(SOCK_DGRAM, SMALL_PORT);
	const double start = now_s();
	double sent = 0;

	for (int i = 0; i < BATCH; i++)
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1 };
	while (fd >= 0) {
		const int n = sendmmsg(fd, messages, BATCH, 0);

		sent += n > 0 ? n : 0;
		if (load->rate > 0)
			sleep_s(start + sent / load->rate - now_s());
	}
}

static int small_at(struct bench_network *network, double rate, double seconds, double *ret_pps)
{
	const long senders = clamp(sysconf(_SC_NPROCESSORS_ONLN) / 2, 1, 4);
	struct load load;
	uint64_t before;
	double start;
	int rc = load_begin(network, &load);

	if (rc)
		return rc;
	load.rate = rate / (double)senders;
	rc = load_socket(&load, SOCK_DGRAM, SMALL_PORT);
	if (!rc)
		rc = load_child(&load, BENCH_HOST_B, run_counter);
	for (long i = 0; !rc && i < senders; i++)
		rc = load_child(&load, BENCH_HOST_A, run_small);
	if (!rc) {
		sleep_s(WARM_SMALL_S);
		start = now_s();
		before = atomic_load(&load.shared->arrived);
		sleep_s(seconds);
		*ret_pps =
			(double)(atomic_load(&load.shared->arrived) - before) / (now_s() - start);
	}
	load_end(&load);
	return rc;
}

/*
 * Where too much is sent less may arrive than could. So from what arrives of all that a host can send, up as
 * long as more arrives, and then once more in between.
 */
int bench_load_small(struct bench_network *network, double seconds, double *ret_pps)
{
	double best = 0, pps = 0, rate = 0, factor = 2;
	int rc = 0;

	for (int i = 0; !rc && i < RATES && factor > 1; i++) {
		rc = small_at(network, rate, seconds / 4, &pps);
		if (rc)
			break;
		if (i && pps < 1.05 * best)
			factor = factor > 1.5 ? 1.3 : 1;
		if (pps > best)
			best = pps;
		rate = factor * best;
	}
	if (!rc && best <= 0)
		rc = -ETIMEDOUT;
	if (!rc)
		*ret_pps = best;
	return rc;
}

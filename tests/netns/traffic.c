/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * traffic send, traffic recv: numbered UDP probes at a fixed rate, one way.
 *
 * What is measured is the network, not the prober: arrival times are the kernel's, the sender
 * keeps an absolute schedule and reports its own worst stall, and how many packets the receiving
 * socket had no room for is counted apart from those that the network lost. The sender's last
 * packets say how many were sent, so that a loss at the end counts too.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAGIC 0x4e505452u /* "NPTR" */
#define FINS 10		  /* last packets, 20 ms apart */
#define FIN_NS 20000000
#define GRACE_NS 200000000 /* after the first of them, for what was overtaken */
#define NS 1000000000ull
#define PAYLOAD_MAX 65000

struct probe {
	uint32_t magic;
	uint32_t stream;   /* random: one run of one sender */
	uint64_t sequence; /* of a fin: how many were sent */
	uint64_t sent_ns;
	uint64_t interval_ns;
	uint64_t worst_gap_ns; /* fin: the sender's own */
	uint32_t fin;
	uint32_t zero;
};
_Static_assert(sizeof(struct probe) == 48, "probe has padding");

struct options {
	struct sockaddr_in6 to4or6; /* a sockaddr_in where to_len says so */
	socklen_t to_len;
	struct sockaddr_in6 from;
	socklen_t from_len;
	uint16_t port;
	double rate, seconds;
	uint64_t count;
	size_t size;
	double idle;
	int ttl;
	int tos;
	bool df, json;
	const char *ready;
};

static volatile sig_atomic_t stopped;

static void on_signal(int signo)
{
	(void)signo;
	stopped = 1;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NS + (uint64_t)ts.tv_nsec;
}

static void signals_catch(void)
{
	struct sigaction action = { .sa_handler = on_signal }; /* no SA_RESTART */

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

/* The prober's own stalls are worse data; it is no error if the machine does not allow this. */
static void realtime_try(void)
{
	const struct sched_param param = { .sched_priority = 10 };

	(void)sched_setscheduler(0, SCHED_FIFO, &param);
	(void)mlockall(MCL_CURRENT);
}

static int address_parse(const char *text, uint16_t port, struct sockaddr_in6 *ret_address,
			 socklen_t *ret_len)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
		memcpy(ret_address, &v4, sizeof(v4));
		*ret_len = sizeof(v4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
		*ret_address = v6;
		*ret_len = sizeof(v6);
		return 0;
	}
	return -EINVAL;
}

/* -- sending -- */

struct sender {
	int fd;
	bool v6;
	uint64_t sent, refused, worst_gap_ns, worst_gap_at_ns;
	uint64_t too_big, time_exceeded, unreachable, other_errors;
	uint32_t reported_mtu;
	char error_from[INET6_ADDRSTRLEN], mtu_from[INET6_ADDRSTRLEN];
};

/* What the socket says itself, from what it learnt before, names no router. */
static void error_note(struct sender *sender, const struct sock_extended_err *error)
{
	const struct sockaddr *offender = SO_EE_OFFENDER(error);
	const bool v6 = error->ee_origin == SO_EE_ORIGIN_ICMP6;
	char *from = sender->error_from;

	if (!v6 && error->ee_origin != SO_EE_ORIGIN_ICMP)
		return;
	if (error->ee_errno == EMSGSIZE) {
		sender->too_big++;
		sender->reported_mtu = error->ee_info;
		from = sender->mtu_from;
	} else if (error->ee_type == (v6 ? ICMP6_TIME_EXCEEDED : ICMP_TIME_EXCEEDED)) {
		sender->time_exceeded++;
	} else if (error->ee_type == (v6 ? ICMP6_DST_UNREACH : ICMP_DEST_UNREACH)) {
		sender->unreachable++;
	} else {
		sender->other_errors++;
	}
	if (offender->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)offender)->sin_addr,
			  from, INET6_ADDRSTRLEN);
	else if (offender->sa_family == AF_INET6)
		inet_ntop(AF_INET6,
			  &((const struct sockaddr_in6 *)(const void *)offender)->sin6_addr, from,
			  INET6_ADDRSTRLEN);
}

static void errors_read(struct sender *sender)
{
	for (;;) {
		char data[64], control[512];
		struct iovec iov = { .iov_base = data, .iov_len = sizeof(data) };
		struct msghdr msg = { .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = control,
				      .msg_controllen = sizeof(control) };
		struct cmsghdr *cmsg;

		if (recvmsg(sender->fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return;
		for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg))
			if ((cmsg->cmsg_level == IPPROTO_IP && cmsg->cmsg_type == IP_RECVERR) ||
			    (cmsg->cmsg_level == IPPROTO_IPV6 && cmsg->cmsg_type == IPV6_RECVERR))
				error_note(sender, (const void *)CMSG_DATA(cmsg));
	}
}

/* An error that waits on the socket is returned by the next send(), which then did not send. */
static bool probe_send(struct sender *sender, const void *payload, size_t size)
{
	int tries;

	for (tries = 0; tries < 3; tries++) {
		if (send(sender->fd, payload, size, 0) >= 0)
			return true;
		errors_read(sender);
	}
	return false;
}

static int sender_open(const struct options *options, struct sender *sender)
{
	const int on = 1, buffer = 4 << 20;
	bool v6 = options->to_len == sizeof(struct sockaddr_in6);
	int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
	int discover = v6 ? (options->df ? IPV6_PMTUDISC_DO : IPV6_PMTUDISC_DONT)
			  : (options->df ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT);
	int fd;

	fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer));
	if (setsockopt(fd, level, v6 ? IPV6_RECVERR : IP_RECVERR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, level, v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER, &discover,
		       sizeof(discover)) < 0 ||
	    (options->ttl > 0 && setsockopt(fd, level, v6 ? IPV6_UNICAST_HOPS : IP_TTL,
					    &options->ttl, sizeof(options->ttl)) < 0) ||
	    (options->tos > 0 && setsockopt(fd, level, v6 ? IPV6_TCLASS : IP_TOS, &options->tos,
					    sizeof(options->tos)) < 0) ||
	    (options->from_len != 0 &&
	     bind(fd, (const struct sockaddr *)&options->from, options->from_len) < 0) ||
	    connect(fd, (const struct sockaddr *)&options->to4or6, options->to_len) < 0) {
		int ret = -errno;

		close(fd);
		return ret;
	}
	sender->fd = fd;
	sender->v6 = v6;
	return 0;
}

static void sender_report(const struct options *options, const struct sender *sender)
{
	int mtu = 0;
	socklen_t len = sizeof(mtu);

	if (getsockopt(sender->fd, sender->v6 ? IPPROTO_IPV6 : IPPROTO_IP,
		       sender->v6 ? IPV6_MTU : IP_MTU, &mtu, &len) < 0)
		mtu = 0;
	if (options->json) {
		printf("{\"sent\":%llu,\"refused\":%llu,\"worst_gap_ms\":%.3f,\"worst_gap_at_s\":%.3f,"
		       "\"too_big\":%llu,\"reported_mtu\":%u,\"path_mtu\":%d,\"time_exceeded\":%llu,"
		       "\"unreachable\":%llu,\"other_errors\":%llu,\"error_from\":\"%s\","
		       "\"mtu_from\":\"%s\"}\n",
		       (unsigned long long)sender->sent, (unsigned long long)sender->refused,
		       (double)sender->worst_gap_ns / 1e6, (double)sender->worst_gap_at_ns / 1e9,
		       (unsigned long long)sender->too_big, sender->reported_mtu, mtu,
		       (unsigned long long)sender->time_exceeded,
		       (unsigned long long)sender->unreachable,
		       (unsigned long long)sender->other_errors, sender->error_from,
		       sender->mtu_from);
		return;
	}
	printf("%llu sent, %llu refused, own worst stall %.3f ms at %.3f s, path MTU %d",
	       (unsigned long long)sender->sent, (unsigned long long)sender->refused,
	       (double)sender->worst_gap_ns / 1e6, (double)sender->worst_gap_at_ns / 1e9, mtu);
	if (sender->error_from[0] != '\0' || sender->mtu_from[0] != '\0')
		printf("; errors: %llu too big (MTU %u from %s), %llu time exceeded, %llu unreachable, "
		       "%llu other; last from %s",
		       (unsigned long long)sender->too_big, sender->reported_mtu, sender->mtu_from,
		       (unsigned long long)sender->time_exceeded,
		       (unsigned long long)sender->unreachable,
		       (unsigned long long)sender->other_errors, sender->error_from);
	putchar('\n');
}

static void sleep_until(uint64_t at_ns)
{
	const struct timespec ts = { .tv_sec = (time_t)(at_ns / NS),
				     .tv_nsec = (long)(at_ns % NS) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR && !stopped)
		;
}

static int send_run(const struct options *options)
{
	static char payload[PAYLOAD_MAX];
	struct probe probe = { .magic = MAGIC };
	struct sender sender = { 0 };
	uint64_t start, last = 0, count = options->count;
	unsigned int i;
	int ret;

	ret = sender_open(options, &sender);
	if (ret < 0) {
		fprintf(stderr, "traffic: %s\n", strerror(-ret));
		return 1;
	}
	if (getrandom(&probe.stream, sizeof(probe.stream), 0) != sizeof(probe.stream))
		return 1;
	probe.interval_ns = (uint64_t)(1e9 / options->rate);
	if (count == 0)
		count = (uint64_t)(options->seconds * options->rate + 0.5);
	realtime_try();
	signals_catch();
	start = clock_ns(CLOCK_MONOTONIC) + 1000000;
	while (!stopped && sender.sent + sender.refused < count) {
		uint64_t now;

		/* The schedule is absolute: a stall is caught up, the rate stays true. */
		sleep_until(start + (sender.sent + sender.refused) * probe.interval_ns);
		now = clock_ns(CLOCK_MONOTONIC);
		if (last != 0 && now - last > probe.interval_ns &&
		    now - last - probe.interval_ns > sender.worst_gap_ns) {
			sender.worst_gap_ns = now - last - probe.interval_ns;
			sender.worst_gap_at_ns = last - start;
		}
		last = now;
		probe.sequence = sender.sent;
		probe.sent_ns = clock_ns(CLOCK_REALTIME);
		memcpy(payload, &probe, sizeof(probe));
		if (probe_send(&sender, payload, options->size))
			sender.sent++;
		else
			sender.refused++;
	}
	probe.sequence = sender.sent;
	probe.worst_gap_ns = sender.worst_gap_ns;
	probe.fin = 1;
	last = clock_ns(CLOCK_MONOTONIC);
	for (i = 0; i < FINS; i++) {
		(void)probe_send(&sender, &probe, sizeof(probe)); /* the others may pass */
		sleep_until(last + (i + 1) * (uint64_t)FIN_NS);
	}
	errors_read(&sender);
	sender_report(options, &sender);
	close(sender.fd);
	return sender.sent == 0;
}

/* -- receiving -- */

struct receiver {
	uint8_t *seen; /* bit per sequence number */
	uint64_t n_seen;
	uint32_t stream;
	uint64_t received, duplicated, reordered, foreign, socket_drops;
	uint64_t highest; /* highest sequence number + 1 */
	uint64_t sent;	  /* as the sender says; 0: it has not */
	uint64_t interval_ns, first_ns, last_ns, longest_gap_ns, longest_gap_at_ns;
	uint64_t sender_gap_ns, fin_ns;
	uint64_t latency_min_ns, latency_max_ns, latency_sum_ns;
};

static int seen_mark(struct receiver *receiver, uint64_t sequence, bool *ret_again)
{
	uint64_t need = sequence / 8 + 1, size = receiver->n_seen;
	uint8_t bit = (uint8_t)(1u << (sequence % 8));

	if (need > (256u << 20))
		return -E2BIG;
	if (need > size) {
		uint8_t *seen;

		size = need * 2 < 65536 ? 65536 : need * 2;
		seen = realloc(receiver->seen, size);
		if (!seen)
			return -ENOMEM;
		memset(seen + receiver->n_seen, 0, size - receiver->n_seen);
		receiver->seen = seen;
		receiver->n_seen = size;
	}
	*ret_again = (receiver->seen[sequence / 8] & bit) != 0;
	receiver->seen[sequence / 8] |= bit;
	return 0;
}

static void probe_take(struct receiver *receiver, const struct probe *probe, uint64_t at_ns)
{
	uint64_t latency;
	bool again;

	if (receiver->stream == 0)
		receiver->stream = probe->stream;
	if (probe->stream != receiver->stream) {
		receiver->foreign++;
		return;
	}
	if (probe->fin) {
		receiver->sent = probe->sequence;
		receiver->sender_gap_ns = probe->worst_gap_ns;
		if (receiver->fin_ns == 0)
			receiver->fin_ns = at_ns;
		return;
	}
	if (seen_mark(receiver, probe->sequence, &again) < 0)
		return;
	if (again) {
		receiver->duplicated++;
		return;
	}
	receiver->interval_ns = probe->interval_ns;
	latency = at_ns > probe->sent_ns ? at_ns - probe->sent_ns : 0;
	receiver->latency_sum_ns += latency;
	if (receiver->received == 0 || latency < receiver->latency_min_ns)
		receiver->latency_min_ns = latency;
	if (latency > receiver->latency_max_ns)
		receiver->latency_max_ns = latency;
	if (receiver->received == 0) {
		receiver->first_ns = at_ns;
	} else if (at_ns > receiver->last_ns + probe->interval_ns &&
		   at_ns - receiver->last_ns - probe->interval_ns > receiver->longest_gap_ns) {
		receiver->longest_gap_ns = at_ns - receiver->last_ns - probe->interval_ns;
		receiver->longest_gap_at_ns = receiver->last_ns - receiver->first_ns;
	}
	receiver->last_ns = at_ns;
	if (probe->sequence + 1 > receiver->highest)
		receiver->highest = probe->sequence + 1;
	else
		receiver->reordered++;
	receiver->received++;
}

static int datagram_read(int fd, struct receiver *receiver)
{
	static char payload[2048];
	char control[256];
	struct iovec iov = { .iov_base = payload, .iov_len = sizeof(payload) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	uint64_t at_ns = 0;
	struct cmsghdr *cmsg;
	struct probe probe;
	ssize_t len;

	len = recvmsg(fd, &msg, MSG_DONTWAIT);
	if (len < 0)
		return -errno;
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SO_TIMESTAMPNS) {
			struct timespec ts;

			memcpy(&ts, CMSG_DATA(cmsg), sizeof(ts));
			at_ns = (uint64_t)ts.tv_sec * NS + (uint64_t)ts.tv_nsec;
		} else if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SO_RXQ_OVFL) {
			uint32_t drops;

			memcpy(&drops, CMSG_DATA(cmsg), sizeof(drops));
			receiver->socket_drops = drops;
		}
	}
	if (at_ns == 0)
		at_ns = clock_ns(CLOCK_REALTIME);
	if ((size_t)len >= sizeof(probe)) {
		memcpy(&probe, payload, sizeof(probe));
		if (probe.magic == MAGIC) {
			probe_take(receiver, &probe, at_ns);
			return 0;
		}
	}
	receiver->foreign++;
	return 0;
}

static void receiver_report(const struct options *options, const struct receiver *receiver)
{
	uint64_t sent = receiver->sent ? receiver->sent : receiver->highest;
	uint64_t lost = sent > receiver->received ? sent - receiver->received : 0;
	uint64_t i, run = 0, longest_run = 0, runs = 0;
	double mean = 0;

	for (i = 0; i < sent; i++) {
		bool seen = i / 8 < receiver->n_seen && (receiver->seen[i / 8] >> (i % 8) & 1);

		run = seen ? 0 : run + 1;
		runs += run == 1;
		if (run > longest_run)
			longest_run = run;
	}
	if (receiver->received != 0)
		mean = (double)receiver->latency_sum_ns / (double)receiver->received / 1e6;
	if (options->json) {
		printf("{\"sent\":%llu,\"sender_finished\":%s,\"received\":%llu,\"lost\":%llu,"
		       "\"lost_runs\":%llu,\"longest_run\":%llu,\"outage_ms\":%.3f,"
		       "\"duplicated\":%llu,\"reordered\":%llu,\"foreign\":%llu,"
		       "\"socket_drops\":%llu,\"longest_gap_ms\":%.3f,\"longest_gap_at_s\":%.3f,"
		       "\"longest_gap_from\":%.6f,\"sender_worst_gap_ms\":%.3f,"
		       "\"latency_ms\":{\"min\":%.3f,\"mean\":%.3f,\"max\":%.3f}}\n",
		       (unsigned long long)sent, receiver->fin_ns ? "true" : "false",
		       (unsigned long long)receiver->received, (unsigned long long)lost,
		       (unsigned long long)runs, (unsigned long long)longest_run,
		       (double)(longest_run * receiver->interval_ns) / 1e6,
		       (unsigned long long)receiver->duplicated,
		       (unsigned long long)receiver->reordered,
		       (unsigned long long)receiver->foreign,
		       (unsigned long long)receiver->socket_drops,
		       (double)receiver->longest_gap_ns / 1e6,
		       (double)receiver->longest_gap_at_ns / 1e9,
		       (double)(receiver->first_ns + receiver->longest_gap_at_ns) / 1e9,
		       (double)receiver->sender_gap_ns / 1e6,
		       (double)receiver->latency_min_ns / 1e6, mean,
		       (double)receiver->latency_max_ns / 1e6);
		return;
	}
	printf("%llu sent%s, %llu received, %llu lost in %llu runs (longest %llu), %llu duplicated, "
	       "%llu reordered, longest gap %.3f ms at %.3f s (sender's own worst %.3f ms), "
	       "latency %.3f/%.3f/%.3f ms, %llu dropped by the receiver's socket\n",
	       (unsigned long long)sent, receiver->fin_ns ? "" : " (no end seen)",
	       (unsigned long long)receiver->received, (unsigned long long)lost,
	       (unsigned long long)runs, (unsigned long long)longest_run,
	       (unsigned long long)receiver->duplicated, (unsigned long long)receiver->reordered,
	       (double)receiver->longest_gap_ns / 1e6, (double)receiver->longest_gap_at_ns / 1e9,
	       (double)receiver->sender_gap_ns / 1e6, (double)receiver->latency_min_ns / 1e6, mean,
	       (double)receiver->latency_max_ns / 1e6, (unsigned long long)receiver->socket_drops);
}

static int receiver_open(const struct options *options)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(options->port) };
	const int on = 1, off = 0, buffer = 16 << 20;
	FILE *ready;
	int fd;

	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on)) < 0 ||
	    bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0) {
		int ret = -errno;

		close(fd);
		return ret;
	}
	if (options->ready) {
		ready = fopen(options->ready, "we");
		if (ready)
			fclose(ready);
	}
	return fd;
}

static int recv_run(const struct options *options)
{
	struct receiver receiver = { 0 };
	uint64_t start = clock_ns(CLOCK_REALTIME), idle_ns = (uint64_t)(options->idle * 1e9);
	struct pollfd pfd = { .events = POLLIN };

	signals_catch(); /* before it says that it is ready */
	pfd.fd = receiver_open(options);
	if (pfd.fd < 0) {
		fprintf(stderr, "traffic: port %u: %s\n", options->port, strerror(-pfd.fd));
		return 1;
	}
	while (!stopped) {
		uint64_t now, last;

		if (poll(&pfd, 1, 20) > 0)
			while (datagram_read(pfd.fd, &receiver) == 0)
				;
		now = clock_ns(CLOCK_REALTIME);
		last = receiver.last_ns ? receiver.last_ns : start;
		if (receiver.fin_ns != 0 && now > receiver.fin_ns + GRACE_NS)
			break;
		if (idle_ns != 0 && now > last + idle_ns)
			break;
	}
	while (datagram_read(pfd.fd, &receiver) == 0)
		;
	receiver_report(options, &receiver);
	close(pfd.fd);
	free(receiver.seen);
	return receiver.received == 0;
}

static const char usage[] =
	"usage: traffic send --to ADDR --port N [--from ADDR] [--rate PPS] [--count N | --seconds S]\n"
	"                    [--size PAYLOAD] [--ttl N] [--dscp N] [--df] [--json]\n"
	"       traffic recv --port N [--idle S] [--ready FILE] [--json]\n"
	"recv ends 0.2 s after the sender's end, at SIGTERM, or after --idle seconds of silence\n"
	"(default 10). Exit code 0 if anything was sent (received).\n";

enum {
	OPT_TO = 256,
	OPT_PORT,
	OPT_FROM,
	OPT_RATE,
	OPT_COUNT,
	OPT_SECONDS,
	OPT_SIZE,
	OPT_TTL,
	OPT_DSCP,
	OPT_DF,
	OPT_JSON,
	OPT_IDLE,
	OPT_READY,
};

static const struct option long_options[] = {
	{ "to", required_argument, NULL, OPT_TO },
	{ "port", required_argument, NULL, OPT_PORT },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "seconds", required_argument, NULL, OPT_SECONDS },
	{ "size", required_argument, NULL, OPT_SIZE },
	{ "ttl", required_argument, NULL, OPT_TTL },
	{ "dscp", required_argument, NULL, OPT_DSCP },
	{ "df", no_argument, NULL, OPT_DF },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "idle", required_argument, NULL, OPT_IDLE },
	{ "ready", required_argument, NULL, OPT_READY },
	{ NULL, 0, NULL, 0 },
};

static int usage_error(void)
{
	fputs(usage, stderr);
	return 2;
}

int main(int argc, char **argv)
{
	struct options options = { .rate = 1000, .seconds = 1, .size = 64, .idle = 10 };
	const char *to = NULL, *from = NULL;
	int opt;

	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (opt) {
		case OPT_TO:
			to = optarg;
			break;
		case OPT_PORT:
			options.port = (uint16_t)strtoul(optarg, NULL, 10);
			break;
		case OPT_FROM:
			from = optarg;
			break;
		case OPT_RATE:
			options.rate = strtod(optarg, NULL);
			break;
		case OPT_COUNT:
			options.count = strtoull(optarg, NULL, 10);
			break;
		case OPT_SECONDS:
			options.seconds = strtod(optarg, NULL);
			break;
		case OPT_SIZE:
			options.size = strtoul(optarg, NULL, 10);
			break;
		case OPT_TTL:
			options.ttl = atoi(optarg);
			break;
		case OPT_DSCP:
			options.tos = atoi(optarg) << 2;
			break;
		case OPT_DF:
			options.df = true;
			break;
		case OPT_JSON:
			options.json = true;
			break;
		case OPT_IDLE:
			options.idle = strtod(optarg, NULL);
			break;
		case OPT_READY:
			options.ready = optarg;
			break;
		default:
			return usage_error();
		}
	}
	if (argc - optind != 1 || options.port == 0 || !(options.rate > 0))
		return usage_error();
	if (options.size < sizeof(struct probe) || options.size > PAYLOAD_MAX) {
		fprintf(stderr, "traffic: a payload has %zu to %d bytes\n", sizeof(struct probe),
			PAYLOAD_MAX);
		return 2;
	}
	if (strcmp(argv[optind], "recv") == 0)
		return recv_run(&options);
	if (strcmp(argv[optind], "send") != 0 || !to)
		return usage_error();
	if (address_parse(to, options.port, &options.to4or6, &options.to_len) < 0 ||
	    (from && address_parse(from, 0, &options.from, &options.from_len) < 0)) {
		fprintf(stderr, "traffic: not an address\n");
		return 2;
	}
	return send_run(&options);
}

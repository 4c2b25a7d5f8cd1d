/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wanem: a wide-area line between two interfaces; docs/wan-emulator.md is its manual.
 *
 * Every Ethernet frame that comes in at one interface leaves by the other one, after what the
 * settings of its direction do to it. One thread owns everything: it reads a batch, decides there
 * and then about each frame (dropped, or when it is due), keeps the frames of a direction in a
 * heap by that time, and sleeps until the next one is due or arrives. A delay counts from the
 * kernel's time stamp of the arrival, so what the program takes to wake up for reading is no part
 * of it; only the waking up for sending is, and the counter late_max_us says how much that was.
 *
 * Frames pass with the kernel's virtio header: a checksum that is still to be filled in and a
 * batch that is still to be segmented stay so. Such a batch is one frame to the dice, but as long
 * on the wire as its segments are. VLAN tags, which the kernel takes out, are put in again.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <malloc.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "wanem_line.h"

#define BATCH 64
#define DATA_MAX (65536 + 64) /* the longest batch of segments, with its link header */
#define CLIENTS 4
#define REQUEST_MAX 2048
#define REPLY_MAX 4096
#define CHECK_NS NS /* between two looks whether the interfaces are still there */

struct port {
	const char *name;
	unsigned int index;
	int fd;
};

struct direction {
	struct port *from, *to;
	struct line line;
};

struct wanem {
	struct port ports[2];
	struct direction directions[2];
	const char *socket;
	int signals, listener, clients[CLIENTS], next_client;
};

static const char *const direction_names[2] = { "ab", "ba" };

static uint8_t rx_data[BATCH][VNET + DATA_MAX];
static uint8_t rx_control[BATCH][256];

static int64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * NS + ts.tv_nsec;
}

/* -- in and out -- */

/* From what was received; tag: the VLAN tag that the kernel took out (0: none). */
static struct frame *frame_build(struct direction *direction, const uint8_t *raw, size_t len,
				 uint32_t tag)
{
	const size_t more = tag != 0 ? 4 : 0;
	struct frame *frame = frame_new(&direction->line, len - VNET + more);

	if (!frame)
		return NULL;
	memcpy(&frame->vnet, raw, VNET);
	raw += VNET;
	len -= VNET;
	if (tag == 0) {
		memcpy(frame->data, raw, len);
		return frame;
	}
	memcpy(frame->data, raw, 12);
	tag = htobe32(tag);
	memcpy(frame->data + 12, &tag, 4);
	memcpy(frame->data + 16, raw + 12, len - 12);
	if (frame->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		frame->vnet.csum_start = (uint16_t)(frame->vnet.csum_start + 4);
	if (frame->vnet.hdr_len != 0)
		frame->vnet.hdr_len = (uint16_t)(frame->vnet.hdr_len + 4);
	return frame;
}

/* The arrival, by the monotonic clock; what the kernel cannot have meant is now. */
static int64_t arrival_read(struct msghdr *msg, int64_t now, int64_t wall, uint32_t *ret_tag)
{
	struct cmsghdr *cmsg;
	int64_t age = 0;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SO_TIMESTAMPNS) {
			struct timespec ts;

			memcpy(&ts, CMSG_DATA(cmsg), sizeof(ts));
			age = wall - (ts.tv_sec * NS + ts.tv_nsec);
		} else if (cmsg->cmsg_level == SOL_PACKET && cmsg->cmsg_type == PACKET_AUXDATA) {
			struct tpacket_auxdata aux;

			memcpy(&aux, CMSG_DATA(cmsg), sizeof(aux));
			if (aux.tp_status & TP_STATUS_VLAN_VALID)
				*ret_tag = (uint32_t)(aux.tp_status & TP_STATUS_VLAN_TPID_VALID
							      ? aux.tp_vlan_tpid
							      : ETH_P_8021Q)
						   << 16 |
					   aux.tp_vlan_tci;
		}
	}
	return age > 0 && age < NS ? now - age : now;
}

/* 0, also where there was nothing; -ENODEV: the interface is gone. */
static int direction_read(struct direction *direction)
{
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	int64_t now, wall;
	int n;

	for (size_t i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ rx_data[i], sizeof(rx_data[i]) };
		msgs[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i],
						   .msg_iovlen = 1,
						   .msg_control = rx_control[i],
						   .msg_controllen = sizeof(rx_control[i]) };
	}
	n = recvmmsg(direction->from->fd, msgs, BATCH, MSG_DONTWAIT, NULL);
	if (n < 0) {
		if (errno == ENETDOWN &&
		    if_nametoindex(direction->from->name) != direction->from->index)
			return -ENODEV;
		/* EINVAL: a batch of a kind that the header cannot say; the kernel dropped it */
		if (errno == EINVAL)
			direction->line.count[COUNT_KERNEL]++;
		return 0;
	}
	now = clock_ns(CLOCK_MONOTONIC);
	wall = clock_ns(CLOCK_REALTIME);
	for (int i = 0; i < n; i++) {
		uint32_t tag = 0;
		int64_t at_ns = arrival_read(&msgs[i].msg_hdr, now, wall, &tag);
		struct frame *frame;

		if (msgs[i].msg_len < VNET + ETH_HLEN || msgs[i].msg_hdr.msg_flags & MSG_TRUNC) {
			direction->line.count[COUNT_IN]++;
			direction->line.count[COUNT_ODD]++;
			continue;
		}
		frame = frame_build(direction, rx_data[i], msgs[i].msg_len, tag);
		if (frame)
			frame_take(&direction->line, frame, at_ns);
		else
			direction->line.count[COUNT_IN]++;
	}
	return 0;
}

/* A frame that the kernel refuses is dropped, the others of the batch are not. */
static void frames_send(struct direction *direction, struct mmsghdr *msgs, int n)
{
	int at = 0;

	while (at < n) {
		int sent = sendmmsg(direction->to->fd, msgs + at, (unsigned int)(n - at),
				    MSG_DONTWAIT);

		if (sent <= 0) {
			direction->line.count[COUNT_ERROR]++;
			at++;
			continue;
		}
		for (; sent > 0; sent--, at++) {
			direction->line.count[COUNT_OUT]++;
			direction->line.count[COUNT_OUT_BYTES] +=
				msgs[at].msg_hdr.msg_iov->iov_len - VNET;
		}
	}
}

static void direction_pump(struct direction *direction)
{
	struct frame *frames[BATCH];
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	int n;

	do {
		const int64_t now = clock_ns(CLOCK_MONOTONIC);

		n = 0;
		while (n < BATCH && direction->line.n_heap > 0 &&
		       direction->line.heap[0]->due_ns <= now) {
			struct frame *frame = heap_pop(&direction->line);
			const uint64_t late_us = (uint64_t)(now - frame->due_ns) / 1000;

			direction->line.count[COUNT_LATE] += late_us > 1000;
			if (late_us > direction->line.count[COUNT_LATE_MAX_US])
				direction->line.count[COUNT_LATE_MAX_US] = late_us;
			frames[n] = frame;
			iov[n] = (struct iovec){ &frame->vnet, VNET + frame->len };
			msgs[n] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[n],
								 .msg_iovlen = 1 } };
			n++;
		}
		frames_send(direction, msgs, n);
		for (int i = 0; i < n; i++)
			free(frames[i]);
	} while (n == BATCH);
}

static int port_open(struct port *port)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htobe16(ETH_P_ALL) };
	struct packet_mreq promiscuous = { .mr_type = PACKET_MR_PROMISC };
	const int on = 1, buffer = 32 << 20;
	int ret;

	port->index = if_nametoindex(port->name);
	if (port->index == 0)
		return -errno;
	ll.sll_ifindex = promiscuous.mr_ifindex = (int)port->index;
	port->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (port->fd < 0)
		return -errno;
	if (setsockopt(port->fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0 ||
	    setsockopt(port->fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) < 0 ||
	    setsockopt(port->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) < 0 ||
	    setsockopt(port->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0 ||
	    setsockopt(port->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous,
		       sizeof(promiscuous)) < 0 ||
	    bind(port->fd, (const struct sockaddr *)&ll, sizeof(ll)) < 0) {
		ret = -errno;
		close(port->fd);
		return ret;
	}
	/* Smaller buffers are worse, but no error; without CAP_NET_ADMIN the limits hold. */
	if (setsockopt(port->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) < 0)
		(void)setsockopt(port->fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	if (setsockopt(port->fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer)) < 0)
		(void)setsockopt(port->fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	return 0;
}

/* -- control -- */

static void settings_apply(struct wanem *wanem, const struct settings set[2], unsigned int seeded)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct direction *direction = &wanem->directions[i];
		const struct settings old = direction->line.set;
		const int64_t now = clock_ns(CLOCK_MONOTONIC);

		direction->line.set = set[i];
		if (seeded >> i & 1)
			line_seed(&direction->line, i);
		if (memcmp(&old.bursts, &set[i].bursts, sizeof(old.bursts)) != 0)
			direction->line.bad = false;
		if (set[i].cut)
			heap_clear(&direction->line, COUNT_CUT);
		/* The bytes that wait for the line are still as many. */
		if (old.rate != set[i].rate && old.rate != 0 && set[i].rate != 0 &&
		    direction->line.busy_ns > now)
			direction->line.busy_ns =
				now + (int64_t)((double)(direction->line.busy_ns - now) *
						(double)old.rate / (double)set[i].rate);
		else if (old.rate != set[i].rate)
			direction->line.busy_ns = 0;
	}
}

static void stats_print(FILE *out, struct wanem *wanem)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct direction *direction = &wanem->directions[i];
		struct tpacket_stats stats = { 0 };
		socklen_t len = sizeof(stats);

		/* Reading it clears the kernel's. */
		if (getsockopt(direction->from->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) ==
		    0)
			direction->line.count[COUNT_KERNEL] += stats.tp_drops;
		fprintf(out, "%s\"%s\":{", i == 0 ? "{" : ",", direction_names[i]);
		for (unsigned int k = 0; k < COUNT_MAX; k++)
			fprintf(out, "\"%s\":%" PRIu64 ",", count_names[k],
				direction->line.count[k]);
		fprintf(out, "\"held\":%zu,\"held_bytes\":%" PRIu64 "}", direction->line.n_heap,
			direction->line.held);
	}
	fputs("}\n", out);
}

static void settings_print(FILE *out, const struct wanem *wanem)
{
	for (unsigned int i = 0; i < 2; i++) {
		fprintf(out, "%s%s ", i == 0 ? "" : " ", direction_names[i]);
		wanem_print(out, &wanem->directions[i].line.set);
	}
	fputc('\n', out);
}

static void request_answer(struct wanem *wanem, char *request, FILE *out)
{
	struct settings set[2] = { wanem->directions[0].line.set, wanem->directions[1].line.set };
	unsigned int seeded = 0;
	char error[160];

	if (strcmp(request, "stats") == 0) {
		fputs("ok\n", out);
		stats_print(out, wanem);
	} else if (strcmp(request, "show") == 0) {
		fputs("ok\n", out);
		settings_print(out, wanem);
	} else if (strcmp(request, "reset") == 0) {
		fputs("ok\n", out);
		for (unsigned int i = 0; i < 2; i++) {
			struct tpacket_stats stats;
			socklen_t len = sizeof(stats);

			/* Only to clear it. */
			(void)getsockopt(wanem->directions[i].from->fd, SOL_PACKET,
					 PACKET_STATISTICS, &stats, &len);
			memset(wanem->directions[i].line.count, 0,
			       sizeof(wanem->directions[i].line.count));
		}
	} else if (wanem_parse(request, set, &seeded, error)) {
		settings_apply(wanem, set, seeded);
		fputs("ok\n", out);
	} else {
		fprintf(out, "error: %s\n", error);
	}
}

/* One request, one answer; a client that does not take its answer loses it. */
static void client_serve(struct wanem *wanem, int *client)
{
	char request[REQUEST_MAX + 1], reply[REPLY_MAX] = "";
	ssize_t len = recv(*client, request, REQUEST_MAX, MSG_DONTWAIT | MSG_TRUNC);
	FILE *out;

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len <= 0) {
		close(*client);
		*client = -1;
		return;
	}
	out = fmemopen(reply, sizeof(reply), "w");
	if (!out)
		return;
	if (len > REQUEST_MAX) {
		fputs("error: the request is too long\n", out);
	} else {
		request[len] = '\0';
		request[strcspn(request, "\n")] = '\0';
		request_answer(wanem, request, out);
	}
	fclose(out);
	(void)send(*client, reply, strlen(reply), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The one that came first has to make room. */
static void client_accept(struct wanem *wanem)
{
	int fd = accept4(wanem->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int *slot = &wanem->clients[wanem->next_client];

	if (fd < 0)
		return;
	if (*slot >= 0)
		close(*slot);
	*slot = fd;
	wanem->next_client = (wanem->next_client + 1) % CLIENTS;
}

static int address_fill(const char *path, struct sockaddr_un *ret)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	strcpy(un.sun_path, path);
	*ret = un;
	return 0;
}

static int control_connect(const char *path)
{
	struct sockaddr_un un;
	int fd, ret = address_fill(path, &un);

	if (ret < 0)
		return ret;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&un, sizeof(un)) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

/* What a wanem that was killed has left is replaced, a living one's socket is not. */
static int control_listen(const char *path)
{
	struct sockaddr_un un;
	int fd = control_connect(path), ret;

	if (fd >= 0) {
		close(fd);
		return -EADDRINUSE;
	}
	if (fd == -ECONNREFUSED)
		(void)unlink(path); /* bind() tells */
	ret = address_fill(path, &un);
	if (ret < 0)
		return ret;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&un, sizeof(un)) < 0 || listen(fd, CLIENTS) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

/* -- the program -- */

/* Waking up late is worse data; it is no error if the machine does not allow better. */
static void realtime_try(void)
{
	const struct sched_param param = { .sched_priority = 10 };

	(void)sched_setscheduler(0, SCHED_FIFO, &param);
	(void)prctl(PR_SET_TIMERSLACK, 1);
	(void)mallopt(M_MMAP_THRESHOLD, 64 << 20);
	(void)mallopt(M_TRIM_THRESHOLD, 512 << 20);
	(void)mlockall(MCL_CURRENT);
}

/*
 * An interface that was down when it was deleted says nothing on its socket. One of the same name
 * may be there again: it is another one.
 */
static int ports_check(const struct wanem *wanem)
{
	for (unsigned int i = 0; i < 2; i++) {
		if (if_nametoindex(wanem->ports[i].name) == wanem->ports[i].index)
			continue;
		fprintf(stderr, "wanem: %s is gone\n", wanem->ports[i].name);
		return -ENODEV;
	}
	return 0;
}

static struct timespec sleep_length(const struct wanem *wanem)
{
	int64_t now = clock_ns(CLOCK_MONOTONIC), left = CHECK_NS;

	for (unsigned int i = 0; i < 2; i++) {
		const struct direction *direction = &wanem->directions[i];

		if (direction->line.n_heap > 0 && direction->line.heap[0]->due_ns - now < left)
			left = direction->line.heap[0]->due_ns - now;
	}
	if (left < 0)
		left = 0;
	return (struct timespec){ .tv_sec = left / NS, .tv_nsec = left % NS };
}

static int wanem_loop(struct wanem *wanem)
{
	enum {
		SIGNALS,
		LISTENER,
		PORTS,
		CLIENT = PORTS + 2,
		POLLS = CLIENT + CLIENTS
	};
	int64_t checked = clock_ns(CLOCK_MONOTONIC);
	struct pollfd polls[POLLS];

	for (;;) {
		struct timespec left;

		polls[SIGNALS].fd = wanem->signals;
		polls[LISTENER].fd = wanem->listener; /* -1 is none to poll */
		for (int i = 0; i < 2; i++)
			polls[PORTS + i].fd = wanem->ports[i].fd;
		for (int i = 0; i < CLIENTS; i++)
			polls[CLIENT + i].fd = wanem->clients[i];
		for (int i = 0; i < POLLS; i++) {
			polls[i].events = POLLIN;
			polls[i].revents = 0;
		}
		left = sleep_length(wanem);
		if (ppoll(polls, POLLS, &left, NULL) < 0 && errno != EINTR)
			return -errno;
		if (polls[SIGNALS].revents != 0)
			return 0;
		/* Who asks by the socket learns at once. */
		if (polls[LISTENER].revents != 0 ||
		    clock_ns(CLOCK_MONOTONIC) - checked >= CHECK_NS) {
			checked = clock_ns(CLOCK_MONOTONIC);
			if (ports_check(wanem) < 0)
				return -ENODEV;
		}
		for (unsigned int i = 0; i < 2; i++) {
			if (polls[PORTS + i].revents != 0 &&
			    direction_read(&wanem->directions[i]) < 0 && ports_check(wanem) < 0)
				return -ENODEV;
			direction_pump(&wanem->directions[0]);
			direction_pump(&wanem->directions[1]);
		}
		for (int i = 0; i < CLIENTS; i++)
			if (polls[CLIENT + i].revents != 0)
				client_serve(wanem, &wanem->clients[i]);
		if (polls[LISTENER].revents != 0)
			client_accept(wanem);
	}
}

/* The words of a command line as one text. */
static bool words_join(char *const *words, char ret_text[REQUEST_MAX + 1])
{
	size_t len = 0;

	ret_text[0] = '\0';
	for (; *words; words++) {
		int n = snprintf(ret_text + len, REQUEST_MAX + 1 - len, "%s%s", len ? " " : "",
				 *words);

		if (n < 0 || (len += (size_t)n) > REQUEST_MAX)
			return false;
	}
	return true;
}

static int ctl_run(const char *path, char *const *words)
{
	const struct timeval patience = { .tv_sec = 5 };
	char request[REQUEST_MAX + 1], reply[REPLY_MAX + 1];
	ssize_t len = -1;
	int fd;

	if (!words_join(words, request)) {
		fprintf(stderr, "wanem: the request is too long\n");
		return 2;
	}
	fd = control_connect(path);
	if (fd < 0) {
		fprintf(stderr, "wanem: %s: %s\n", path, strerror(-fd));
		return 1;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
	    send(fd, request, strlen(request), MSG_NOSIGNAL) >= 0)
		len = recv(fd, reply, REPLY_MAX, 0);
	close(fd);
	if (len <= 0) {
		fprintf(stderr, "wanem: %s: no answer\n", path);
		return 1;
	}
	reply[len] = '\0';
	if (strncmp(reply, "ok\n", 3) != 0) {
		fprintf(stderr, "wanem: %s", reply);
		return 1;
	}
	fputs(reply + 3, stdout);
	return 0;
}

static int wanem_run(struct wanem *wanem)
{
	sigset_t signals;
	int ret;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	wanem->signals = signalfd(-1, &signals, SFD_CLOEXEC);
	if (wanem->signals < 0) {
		ret = -errno;
		goto fail;
	}
	for (unsigned int i = 0; i < 2; i++) {
		ret = port_open(&wanem->ports[i]);
		if (ret < 0) {
			fprintf(stderr, "wanem: %s: %s\n", wanem->ports[i].name, strerror(-ret));
			return 1;
		}
	}
	realtime_try();
	if (wanem->socket) {
		wanem->listener = control_listen(wanem->socket);
		if (wanem->listener < 0) {
			fprintf(stderr, "wanem: %s: %s\n", wanem->socket,
				strerror(-wanem->listener));
			return 1;
		}
	}
	ret = wanem_loop(wanem);
	if (wanem->socket)
		(void)unlink(wanem->socket);
	stats_print(stdout, wanem);
	for (unsigned int i = 0; i < 2; i++) {
		heap_clear(&wanem->directions[i].line, COUNT_CUT);
		free(wanem->directions[i].line.heap);
	}
	if (ret == 0)
		return 0;
fail:
	fprintf(stderr, "wanem: %s\n", strerror(-ret));
	return 1;
}

static int usage(void)
{
	fputs("usage: wanem [-c SOCKET] IF_A IF_B [ab|ba|both] [SETTING...]...\n"
	      "       wanem ctl SOCKET [ab|ba|both] SETTING...   or: stats, show, reset\n"
	      "settings: delay TIME, jitter TIME [uniform|normal] [unordered], loss P%,\n"
	      "          loss-burst P% FRAMES, loss-ge ENTER% LEAVE% BAD% GOOD%, duplicate P%,\n"
	      "          reorder P% TIME, rate RATE, burst SIZE, queue TIME|SIZE, mtu BYTES,\n"
	      "          blackhole, cut, seed N; all but the last take off; clear\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static struct wanem wanem = { .listener = -1, .clients = { -1, -1, -1, -1 } };
	struct settings set[2] = { 0 };
	const pid_t parent = getppid();
	char text[REQUEST_MAX + 1], error[160];
	unsigned int seeded;
	int opt;

	if (argc >= 4 && strcmp(argv[1], "ctl") == 0)
		return ctl_run(argv[2], argv + 3);
	while ((opt = getopt(argc, argv, "+c:")) != -1) {
		if (opt != 'c')
			return usage();
		wanem.socket = optarg;
	}
	if (argc - optind < 2)
		return usage();
	if (getrandom(&set[0].seed, sizeof(set[0].seed), 0) != sizeof(set[0].seed))
		return 1;
	set[0].seed &= UINT32_MAX; /* easily said again */
	set[1].seed = set[0].seed;
	if (!words_join(argv + optind + 2, text)) {
		fprintf(stderr, "wanem: the settings are too long\n");
		return 2;
	}
	if (!wanem_parse(text, set, &seeded, error)) {
		fprintf(stderr, "wanem: %s\n", error);
		return 2;
	}
	/* The line goes with whoever laid it, also if that one was quicker. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent)
		return 1;
	for (unsigned int i = 0; i < 2; i++) {
		struct direction *direction = &wanem.directions[i];

		wanem.ports[i].name = argv[optind + (int)i];
		direction->from = &wanem.ports[i];
		direction->to = &wanem.ports[1 - i];
		direction->line.set = set[i];
		line_seed(&direction->line, i);
	}
	return wanem_run(&wanem);
}

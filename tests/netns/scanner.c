/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scanner ADDRESS tcp|udp FIRST LAST: which ports of a host answer at all.
 *
 * Prints one line for each port that does: "PORT open", "PORT answers" (UDP: a datagram came
 * back), "PORT refused" (a reset, or ICMP), and at the end "scanned N, answered M". What drops
 * everything answers nothing. Exit code 0 whatever was found.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 512
#define WAIT_MS 600

struct target {
	struct sockaddr_storage address;
	socklen_t len;
	bool tcp;
};

static int target_parse(const char *text, const char *proto, struct target *ret_target)
{
	struct target target = { 0 };
	struct sockaddr_in *v4 = (void *)&target.address;
	struct sockaddr_in6 *v6 = (void *)&target.address;

	if (strcmp(proto, "tcp") != 0 && strcmp(proto, "udp") != 0)
		return -EINVAL;
	target.tcp = proto[0] == 't';
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		target.len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		target.len = sizeof(*v6);
	} else {
		return -EINVAL;
	}
	*ret_target = target;
	return 0;
}

/* The port field has the same place in both families. */
static void port_set(struct target *target, uint16_t port)
{
	((struct sockaddr_in *)(void *)&target->address)->sin_port = htons(port);
}

static int knock(const struct target *target)
{
	int fd;

	fd = socket(target->address.ss_family,
		    (target->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&target->address, target->len) < 0 &&
	    errno != EINPROGRESS) {
		int ret = -errno;

		close(fd);
		return ret;
	}
	if (!target->tcp)
		(void)send(fd, "knock", 5, 0); /* an error shows up at poll() */
	return fd;
}

static const char *answer_of(const struct target *target, int fd)
{
	socklen_t len = sizeof(int);
	int error = 0;
	char buf[16];

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error != 0)
		return "refused";
	if (target->tcp)
		return "open";
	return recv(fd, buf, sizeof(buf), 0) >= 0 ? "answers" : "refused";
}

/* Knock at up to BATCH ports and wait WAIT_MS for what comes back. */
static unsigned int batch_scan(struct target *target, unsigned int first, unsigned int n)
{
	struct pollfd fds[BATCH];
	unsigned int i, answered = 0;
	int rounds;

	for (i = 0; i < n; i++) {
		port_set(target, (uint16_t)(first + i));
		fds[i].fd = knock(target);
		fds[i].events = target->tcp ? POLLOUT : POLLIN;
		if (fds[i].fd < 0) {
			printf("%u %s\n", first + i, strerror(-fds[i].fd));
			answered++;
		}
	}
	for (rounds = 0; rounds < 3 && poll(fds, n, rounds == 0 ? WAIT_MS : WAIT_MS / 4) > 0;
	     rounds++)
		for (i = 0; i < n; i++) {
			if (fds[i].fd < 0 ||
			    !(fds[i].revents & (POLLIN | POLLOUT | POLLERR | POLLHUP)))
				continue;
			printf("%u %s\n", first + i, answer_of(target, fds[i].fd));
			answered++;
			close(fds[i].fd);
			fds[i].fd = -1;
		}
	for (i = 0; i < n; i++)
		if (fds[i].fd >= 0)
			close(fds[i].fd);
	return answered;
}

int main(int argc, char **argv)
{
	unsigned int port, first, last, answered = 0;
	struct target target;

	if (argc != 5 || target_parse(argv[1], argv[2], &target) < 0) {
		fprintf(stderr, "usage: scanner ADDRESS tcp|udp FIRST LAST\n");
		return 2;
	}
	first = (unsigned int)strtoul(argv[3], NULL, 10);
	last = (unsigned int)strtoul(argv[4], NULL, 10);
	if (first == 0 || last > 65535 || first > last) {
		fprintf(stderr, "scanner: ports are 1 to 65535\n");
		return 2;
	}
	for (port = first; port <= last; port += BATCH)
		answered += batch_scan(&target, port,
				       last - port + 1 < BATCH ? last - port + 1 : BATCH);
	printf("scanned %u, answered %u\n", last - first + 1, answered);
	return 0;
}

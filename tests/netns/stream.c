/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stream recv PORT READY		one TCP connection of either family to its end; READY is made when it
 *	can come
 * stream send ADDRESS PORT BYTES	so many random bytes
 *
 * Both print the SHA-256 of what they sent or received, and how long it took in seconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	PIECE = 65536
};

static uint8_t piece[PIECE];

static void die(const char *what)
{
	fprintf(stderr, "stream: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* this clock is always there */
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static EVP_MD_CTX *digest_new(void)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();

	if (!digest || !EVP_DigestInit_ex(digest, EVP_sha256(), NULL))
		die("digest");
	return digest;
}

static void report(EVP_MD_CTX *digest, double start)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned int len;

	if (!EVP_DigestFinal_ex(digest, hash, &len))
		die("digest");
	for (unsigned int i = 0; i < len; i++)
		printf("%02x", hash[i]);
	printf(" %.3f\n", now() - start);
	EVP_MD_CTX_free(digest);
}

static int receive(int port, const char *ready)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	int on = 1, off = 0, fd = socket(AF_INET6, SOCK_STREAM, 0);
	EVP_MD_CTX *digest = digest_new();
	double start;
	ssize_t n;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 1) ||
	    close(open(ready, O_WRONLY | O_CREAT, 0600)))
		die("listen");
	fd = accept(fd, NULL, NULL);
	if (fd < 0)
		die("accept");
	start = now();
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		if (!EVP_DigestUpdate(digest, piece, (size_t)n))
			die("digest");
	if (n < 0)
		die("read");
	report(digest, start);
	return 0;
}

static int connect_to(const char *address, int port)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int v4 = inet_pton(AF_INET, address, &in.sin_addr) == 1, fd;

	if (!v4 && inet_pton(AF_INET6, address, &in6.sin6_addr) != 1) {
		errno = EINVAL;
		die(address);
	}
	fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, v4 ? (struct sockaddr *)&in : (struct sockaddr *)&in6,
			      v4 ? sizeof(in) : sizeof(in6)))
		die("connect");
	return fd;
}

static int send_all(const char *address, int port, size_t len)
{
	EVP_MD_CTX *digest = digest_new();
	int fd = connect_to(address, port);
	double start = now();

	while (len) {
		size_t size = len < sizeof(piece) ? len : sizeof(piece), sent = 0;

		for (size_t at = 0; at < size; at += 256)
			if (getrandom(piece + at, size - at < 256 ? size - at : 256, 0) < 0)
				die("getrandom");
		if (!EVP_DigestUpdate(digest, piece, size))
			die("digest");
		while (sent < size) {
			ssize_t n = send(fd, piece + sent, size - sent, MSG_NOSIGNAL);

			if (n < 0)
				die("send");
			sent += (size_t)n;
		}
		len -= size;
	}
	/* The other end has it all when it ends too. */
	if (shutdown(fd, SHUT_WR) || read(fd, piece, 1))
		die("end");
	report(digest, start);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "recv"))
		return receive(atoi(argv[2]), argv[3]);
	if (argc == 5 && !strcmp(argv[1], "send"))
		return send_all(argv[2], atoi(argv[3]), strtoul(argv[4], NULL, 10));
	fprintf(stderr, "usage: stream recv PORT READY | send ADDRESS PORT BYTES\n");
	return 2;
}

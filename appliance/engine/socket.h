/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ENGINE_SOCKET_H
#define ENGINE_SOCKET_H
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Where a peer is, and from which of our addresses it was heard (the answer leaves from there, as long
 * as that address is ours).
 */
struct endpoint {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	union {
		struct in_addr src4;  /* 0: none */
		struct in6_addr src6; /* ::: none */
	};
	uint32_t src_ifindex;
};
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b); /* all of it */
void endpoint_clear_src(struct endpoint *endpoint);

/* A worker's sockets of a device; the workers' share the port (SO_REUSEPORT). -1: not open. */
struct udp {
	int fd4, fd6;
	bool gso; /* UDP_SEGMENT: cleared for good when the kernel or a NIC refuses it */
	bool gro; /* UDP_GRO */
};

/*
 * Opens n pairs on one port; *port 0 asks for any and is set. A family that the kernel has not is left
 * at -1; both missing is an error. All or none: -errno, -EADDRINUSE when the port is taken.
 */
int udp_open(uint16_t *port, uint32_t fwmark, struct udp *ret_udp, int n);
void udp_close(struct udp *udp, int n);
/* 0, or with what udp_open() would fail at this port now. */
int udp_probe(uint16_t port);
int udp_set_fwmark(const struct udp *udp, int n, uint32_t fwmark);

enum {
	UDP_DATAGRAM_MAX = 65507,
	UDP_SEND_SEGMENTS = 64, /* datagrams in one call with UDP_SEGMENT */
	UDP_RX_BUFFER = 65536,	/* what one entry of a batch takes */
	UDP_RX_BATCH = 16,
};

/* What one recvmmsg() gave. Entry i holds datagrams of `size` bytes, the last may be shorter. */
struct udp_rx_entry {
	uint8_t *data;
	uint32_t len;
	uint32_t size; /* > 0; of a single datagram: len */
	uint8_t ecn;   /* of the outer header: 0 to 3 */
	struct endpoint from;
};
struct udp_rx; /* holds the buffers; one per worker, used for one socket at a time */
struct udp_rx *udp_rx_new(void);
void udp_rx_free(struct udp_rx *rx);
/* Entries received (to be used before the next call), 0 when there is none now, or -errno. */
int udp_recv(struct udp_rx *rx, int fd, struct udp_rx_entry **ret_entries);

/*
 * Sends `len` bytes as datagrams of `size` (the last may be shorter), in as few calls as the kernel
 * allows. A source address that is no longer ours is cleared in `to` and the datagrams sent without.
 * 0 or -errno; -EMSGSIZE: some are longer than a datagram may be, the others have gone; -EAGAIN: the
 * socket's buffer is full, what is behind *ret_sent (may be NULL) bytes is still to be sent.
 */
int udp_send(struct udp *udp, struct endpoint *to, uint8_t ecn, const uint8_t *data, size_t len,
	     size_t size, size_t *ret_sent);

#endif

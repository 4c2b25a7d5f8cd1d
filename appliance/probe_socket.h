/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Raw sockets that send probe requests: with the addresses and ports of data, which no UDP socket
 * could take, as WireGuard has the ports. The UDP checksum is 0; wan_egress fills in what is
 * missing, and computes it where IPv6 needs it.
 */
#ifndef NETPAS_PROBE_SOCKET_H
#define NETPAS_PROBE_SOCKET_H

#include <stdint.h>

#include "ip.h"

struct probe_socket;

#define PROBE_PAYLOAD_MAX 65507 /* bytes of UDP in the longest IPv4 packet */

struct probe_request {
	struct ip_addr source, destination; /* of one family */
	uint16_t source_port, destination_port;
	unsigned int ifindex;
	uint8_t path;
	uint16_t from, to;
	uint32_t loss_ppm;
	uint16_t payload; /* of UDP; DP_PROBE_LEN to PROBE_PAYLOAD_MAX, what is longer is zeros */
};

int probe_socket_open(struct probe_socket **ret_socket);
void probe_socket_close(struct probe_socket *probe_socket);

/* 0 or -errno; -EMSGSIZE: longer than the device sends. */
int probe_socket_send(struct probe_socket *probe_socket, const struct probe_request *request);

#endif

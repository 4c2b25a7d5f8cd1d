/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * offload IF...: turn transmit checksum offload off. On a veth with the offload on, a wrong
 * checksum is never noticed: the receiver trusts the sender.
 */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd, i, ret = 0;

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		perror("offload: socket");
		return 1;
	}
	for (i = 1; i < argc; i++) {
		struct ethtool_value value = { .cmd = ETHTOOL_STXCSUM, .data = 0 };
		struct ifreq ifr = { .ifr_data = (void *)&value };

		snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", argv[i]);
		if (ioctl(fd, SIOCETHTOOL, &ifr) < 0) {
			fprintf(stderr, "offload: %s: %s\n", argv[i], strerror(errno));
			ret = 1;
		}
	}
	close(fd);
	return ret;
}

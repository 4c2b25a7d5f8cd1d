/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pass IF...: an XDP program that lets everything pass, on each of these interfaces. XDP on one end
 * of a veth sends only if the other end has a program too.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	const int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "pass", "GPL", insns, 2, NULL);

	if (fd < 0) {
		fprintf(stderr, "pass: loading: %s\n", strerror(errno));
		return 1;
	}
	for (int i = 1; i < argc; i++) {
		const int rc =
			bpf_xdp_attach((int)if_nametoindex(argv[i]), fd, XDP_FLAGS_DRV_MODE, NULL);

		if (rc) {
			fprintf(stderr, "pass: %s: %s\n", argv[i], strerror(-rc));
			return 1;
		}
	}
	return 0;
}

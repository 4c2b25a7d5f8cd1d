/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * squat IF: put a program that does nothing where Netpas has its own at tc egress, in one step in its
 * place if it is there. `tc filter del dev IF egress pref 78` takes it away.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = TC_ACT_OK },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	struct bpf_tc_hook hook = { .sz = sizeof(hook), .attach_point = BPF_TC_EGRESS };
	struct bpf_tc_opts opts = {
		.sz = sizeof(opts),
		.handle = 0x4e50,
		.priority = 78,
		.flags = BPF_TC_F_REPLACE,
	};
	int rc;

	if (argc != 2) {
		fprintf(stderr, "usage: squat IF\n");
		return 2;
	}
	hook.ifindex = (int)if_nametoindex(argv[1]);
	opts.prog_fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "squat", "GPL", insns, 2, NULL);
	if (opts.prog_fd < 0) {
		fprintf(stderr, "squat: loading: %s\n", strerror(errno));
		return 1;
	}
	rc = bpf_tc_attach(&hook, &opts);
	if (rc)
		fprintf(stderr, "squat: %s: %s\n", argv[1], strerror(-rc));
	return rc != 0;
}

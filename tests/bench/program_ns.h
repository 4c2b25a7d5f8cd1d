/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long a program takes for a packet: BPF_PROG_TEST_RUN, beside a program of the same type that
 * does nothing, in turns. The kernel takes the time around `repeat` runs over one packet, which stays
 * as the run before has left it. So the callers' worlds are such that a packet comes out as it went
 * in, but for a TTL; what cannot be made so is run once for each time taken, which then holds the
 * taking of the time as well, and what was cold: its baseline does too.
 */
#ifndef NETPAS_TESTS_BENCH_PROGRAM_NS_H
#define NETPAS_TESTS_BENCH_PROGRAM_NS_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

/* Times taken in a trial. To begin with an XDP program that is to be repeated takes 10 ms and more. */
#define PROGRAM_NS_CALLS 2000
#define PROGRAM_NS_CALLS_XDP 20
#define PROGRAM_NS_TRIALS_MAX 1000

/* What goes in. before: called before each time taken; may be NULL. */
struct program_ns {
	const char *name, *program;
	bool xdp;
	uint32_t repeat, verdict;
	enum dp_count_id count; /* of each run */
	unsigned int ifindex;
	uint8_t *frame;
	size_t len;
	void (*before)(void);
};

static inline int program_ns_empty(bool xdp)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = xdp ? 2 : 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	const int fd = bpf_prog_load(xdp ? BPF_PROG_TYPE_XDP : BPF_PROG_TYPE_SCHED_CLS, "empty",
				     "GPL", insns, 2, NULL);

	if (fd < 0) {
		perror("an empty program");
		exit(1);
	}
	return fd;
}

static inline unsigned int program_ns_calls(const struct program_ns *of)
{
	return of->xdp && of->repeat > 1 ? PROGRAM_NS_CALLS_XDP : PROGRAM_NS_CALLS;
}

/* Mean of a trial; verdict: -1: any. */
static inline double program_ns_trial(const struct program_ns *of, int fd, int64_t verdict)
{
	static uint8_t out[HARNESS_FRAME_MAX];
	struct xdp_md xdp = { .data_end = (uint32_t)of->len, .ingress_ifindex = of->ifindex };
	struct __sk_buff skb = { .ifindex = of->ifindex };
	const unsigned int calls = program_ns_calls(of);
	double sum = 0;

	for (unsigned int i = 0; i < calls; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = of->frame,
			    .data_size_in = (uint32_t)of->len, .data_out = out,
			    .data_size_out = sizeof(out),
			    .ctx_in = of->xdp ? (void *)&xdp : (void *)&skb,
			    .ctx_size_in = of->xdp ? sizeof(xdp) : sizeof(skb),
			    .repeat = of->repeat);

		if (of->before)
			of->before();
		if (bpf_prog_test_run_opts(fd, &opts)) {
			fprintf(stderr, "%s: %s\n", of->name, strerror(errno));
			exit(1);
		}
		if (verdict >= 0 && opts.retval != verdict) {
			fprintf(stderr, "%s: verdict %u instead of %lld; counted: %s\n", of->name,
				opts.retval, (long long)verdict, harness_counts());
			exit(1);
		}
		sum += opts.duration;
	}
	return sum / calls;
}

static inline void program_ns_array(const char *name, const double *values, unsigned int n)
{
	printf("\"%s\":[", name);
	for (unsigned int i = 0; i < n; i++)
		printf("%s%.1f", i ? "," : "", values[i]);
	printf("]");
}

/* One line of JSON: {"name":...,"repeat":N,"ns":[...],"empty_ns":[...]} */
static inline void program_ns_print(const struct program_ns *of, unsigned int trials)
{
	static double ours[PROGRAM_NS_TRIALS_MAX], empty[PROGRAM_NS_TRIALS_MAX];
	const int fd = harness_program(of->program), empty_fd = program_ns_empty(of->xdp);
	uint64_t counted;

	harness_counts_reset();
	for (unsigned int i = 0; i < trials && i < PROGRAM_NS_TRIALS_MAX; i++) {
		ours[i] = program_ns_trial(of, fd, of->verdict);
		empty[i] = program_ns_trial(of, empty_fd, -1);
	}
	counted = harness_count(of->count).packets;
	if (counted != (uint64_t)trials * program_ns_calls(of) * of->repeat) {
		fprintf(stderr, "%s: not every run went the way that it should: %s\n", of->name,
			harness_counts());
		exit(1);
	}
	printf("{\"name\":\"%s\",\"repeat\":%u,\"len\":%zu,", of->name, of->repeat, of->len);
	program_ns_array("ns", ours, trials);
	printf(",");
	program_ns_array("empty_ns", empty, trials);
	printf("}\n");
}

#endif

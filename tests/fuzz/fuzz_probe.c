/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any 96 bytes from a node, in any order: what has not its tag is refused; what has is refused for a
 * reason, or taken once, and its answer is taken by who asked. The input is records of one byte (how
 * to treat the probe, and how the clock moves on) and one probe.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"

#define RECORD (1 + DP_PROBE_LEN)
#define RECORDS 256
#define ASKER 3 /* the other node */
#define SELF 2

/* The first byte of a record. */
enum {
	SIGN = 1,     /* with the right key: an attacker cannot, the other node can */
	FORM = 2,     /* put the form right first */
	REPLY = 4,    /* it is a reply to what we asked */
	NEAR = 8,     /* sequences of which many are within one window */
	CLOCK = 0xf0, /* so many milliseconds later */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int good)
{
	if (!good)
		abort();
}

struct taken {
	__u64 sequence[RECORDS];
	size_t n;
	__u64 highest;
};

/* The window by a list: was it to be taken? */
static void check_window(struct taken *taken, __u64 sequence, enum probe_result result)
{
	int good = sequence > taken->highest || taken->highest - sequence < PROBE_WINDOW;

	for (size_t i = 0; i < taken->n; i++)
		good = good && taken->sequence[i] != sequence;
	check(result == (good ? PROBE_OK : PROBE_REPLAY));
	if (!good)
		return;
	taken->sequence[taken->n++] = sequence;
	if (sequence > taken->highest)
		taken->highest = sequence;
}

static void hear(struct dp_heard *heard, const struct dp_probe *p, __u64 now_ns)
{
	struct dp_heard before = *heard;

	probe_hear(heard, p, now_ns);
	check(heard->last_ns == now_ns && heard->role <= DP_ROLE_RELAY);
	check(heard->seen_generation >= before.seen_generation);
	check(heard->generation >= before.generation || now_ns - before.last_ns > PROBE_SILENCE_NS);
}

static const struct dp_config self = { .id = SELF, .role = DP_ROLE_ACTIVE, .generation = 8 };
static const struct dp_node asker = { .key = { 0x1234, 0x5678 }, .seen_generation = 5 };

static void take_request(struct dp_reflection *reflection, struct taken *taken, struct dp_probe *p,
			 __u64 now_ns)
{
	struct dp_path_state path = { .sequence = probe_be64(p->sequence) };
	struct dp_reflection before = *reflection;
	struct dp_probe request = *p;
	struct dp_sample sample;
	enum probe_result result = probe_take_request(reflection, p, now_ns);

	check_window(taken, probe_be64(p->sequence), result);
	if (result) {
		check(memcmp(reflection, &before, sizeof(before)) == 0);
		return;
	}
	check(reflection->received == before.received + 1);
	probe_reply(p, &self, 9, reflection->received, now_ns, asker.key);
	check(probe_check(p, SELF, ASKER, asker.key) == PROBE_OK);
	check(probe_check(p, ASKER, SELF, asker.key) == PROBE_FORM);
	check(p->path == request.path && p->sent_ns == request.sent_ns);
	result = probe_take_reply(&path, p, 96, UINT64_MAX, &sample);
	check(result == PROBE_OK);
	check(sample.node == SELF);
	/* Sequence 0 is never sent; it is where the window begins, so nothing newer. */
	check(p->sequence == 0 || sample.remote_received == reflection->received);
}

static void take_reply(struct dp_path_state *path, struct taken *taken, const struct dp_probe *p,
		       __u64 now_ns)
{
	struct dp_path_state before = *path;
	struct dp_sample sample, untouched;
	__u64 sequence = probe_be64(p->sequence);
	enum probe_result result;

	memset(&untouched, 0x5a, sizeof(untouched));
	memcpy(&sample, &untouched, sizeof(sample));
	result = probe_take_reply(path, p, 96, now_ns, &sample);
	if (sequence > before.sequence || before.sequence - sequence >= PROBE_LIFE ||
	    probe_be64(p->sent_ns) > now_ns)
		check(result == PROBE_UNASKED);
	else
		check_window(taken, sequence, result);
	if (result) {
		check(memcmp(path, &before, sizeof(before)) == 0);
		check(memcmp(&sample, &untouched, sizeof(sample)) == 0);
		return;
	}
	check(path->last_reply_ns == now_ns && path->replies == before.replies + 1);
	check(path->rtt_min_us && path->rtt_min_us <= sample.rtt_us);
	check(path->rtt_max_us >= sample.rtt_us);
	check(path->rtt_sum_us == before.rtt_sum_us + sample.rtt_us);
	check(path->sequence == before.sequence && path->sent == before.sent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dp_path_state path = { .sequence = (1700000000ull << 32) + 200, .sent = 200 };
	struct dp_reflection reflection = { .received = 0 };
	struct dp_heard heard = { .last_ns = 0 };
	static struct taken requests, replies;
	__u64 now_ns = 1000000000;

	requests.n = replies.n = 0;
	requests.highest = replies.highest = 0;
	for (size_t i = 0; i < RECORDS && size >= RECORD; i++, data += RECORD, size -= RECORD) {
		struct dp_probe p;
		uint8_t how = data[0];
		enum probe_result result;

		memcpy(&p, data + 1, sizeof(p));
		now_ns += (__u64)(how & CLOCK) * 1000000 * ((how & CLOCK) == CLOCK ? 1000 : 1) + 1;
		if (how & FORM) {
			p.type = how & REPLY ? DP_PROBE_REPLY : DP_PROBE_REQUEST;
			p.version = DP_PROBE_VERSION;
			p.role %= DP_ROLE_RELAY + 1;
			p.path %= DP_PATHS_MAX;
			p.from = probe_be16(ASKER);
			p.to = probe_be16(SELF);
			p.received_ns = how & REPLY ? probe_be64(1 + i) : 0;
			memset(p.reserved, 0, sizeof(p.reserved));
		}
		if (how & NEAR) {
			p.sequence = probe_be64((1700000000ull << 32) + p.digest % 256);
			p.sent_ns = probe_be64(probe_be64(p.sent_ns) % (now_ns + 1000));
		}
		if (how & SIGN) {
			probe_sign(&p, asker.key);
			result = probe_check(&p, ASKER, SELF, asker.key);
			check(result == PROBE_OK || result == PROBE_FORM);
			check(result == PROBE_OK || !(how & FORM));
		} else {
			result = probe_check(&p, ASKER, SELF, asker.key);
			check(result != PROBE_OK || probe_be64(p.tag) == probe_tag(&p, asker.key));
		}
		if (result)
			continue;
		hear(&heard, &p, now_ns);
		if (p.type == DP_PROBE_REQUEST)
			take_request(&reflection, &requests, &p, now_ns);
		else
			take_reply(&path, &replies, &p, now_ns);
	}
	return 0;
}

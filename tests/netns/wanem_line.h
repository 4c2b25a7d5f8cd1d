/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One direction of a wanem: what becomes of a frame that arrives at a time, without any socket.
 *
 * All is decided at the arrival: the frame is dropped and counted, or gets the time at which it is
 * due to leave and is kept in a heap until then. In front is what drops, then the line with its
 * rate and queue, then the delay.
 *
 * Each die has a random sequence of its own, so that the same seed loses the same frames whatever
 * else is set.
 */
#ifndef WANEM_LINE_H
#define WANEM_LINE_H

#include <linux/if_ether.h>
#include <linux/virtio_net.h>

#include "wanem_words.h"

#define HELD_MAX (128u << 20) /* bytes under way in one direction */
#define QUEUE_NS (NS / 10)    /* where a rate comes without a queue */

enum count {
	COUNT_IN,
	COUNT_IN_BYTES,
	COUNT_OUT,
	COUNT_OUT_BYTES,
	COUNT_BATCHES,
	COUNT_DUPLICATED,
	COUNT_REORDERED,
	/* dropped because of */
	COUNT_LOSS,
	COUNT_BURST,
	COUNT_QUEUE,
	COUNT_MTU,
	COUNT_BLACKHOLE,
	COUNT_CUT,
	COUNT_LIMIT,
	COUNT_ODD,
	COUNT_ERROR,
	/* never seen */
	COUNT_KERNEL,
	/* left more than a millisecond after its time */
	COUNT_LATE,
	COUNT_LATE_MAX_US,
	COUNT_MAX,
};

static const char *const count_names[COUNT_MAX] = {
	[COUNT_IN] = "in",
	[COUNT_IN_BYTES] = "in_bytes",
	[COUNT_OUT] = "out",
	[COUNT_OUT_BYTES] = "out_bytes",
	[COUNT_BATCHES] = "gso",
	[COUNT_DUPLICATED] = "duplicated",
	[COUNT_REORDERED] = "reordered",
	[COUNT_LOSS] = "drop_loss",
	[COUNT_BURST] = "drop_burst",
	[COUNT_QUEUE] = "drop_queue",
	[COUNT_MTU] = "drop_mtu",
	[COUNT_BLACKHOLE] = "drop_blackhole",
	[COUNT_CUT] = "drop_cut",
	[COUNT_LIMIT] = "drop_limit",
	[COUNT_ODD] = "drop_odd",
	[COUNT_ERROR] = "drop_error",
	[COUNT_KERNEL] = "kernel_drops",
	[COUNT_LATE] = "late",
	[COUNT_LATE_MAX_US] = "late_max_us",
};

enum die {
	DIE_LOSS,
	DIE_STATE,
	DIE_BURST,
	DIE_DUPLICATE,
	DIE_REORDER,
	DIE_JITTER,
	DIE_MAX,
};

/* What is sent begins at vnet and goes on in data without a gap. */
struct frame {
	int64_t due_ns;
	uint64_t number;
	uint32_t len;
	struct virtio_net_hdr vnet;
	uint8_t data[];
};
#define VNET sizeof(struct virtio_net_hdr)
_Static_assert(offsetof(struct frame, data) == offsetof(struct frame, vnet) + VNET,
	       "a gap before the data");

struct line {
	struct settings set;
	uint64_t count[COUNT_MAX];
	struct frame **heap;
	size_t n_heap, max_heap;
	uint64_t held, number;
	int64_t last_ns; /* nothing that keeps its place is due before */
	int64_t busy_ns; /* the line at its rate is busy until then */
	bool bad;	 /* Gilbert-Elliott's state */
	uint64_t dice[DIE_MAX];
};

/* -- chance: SplitMix64 (Steele, Lea, Flood 2014) -- */

static inline uint64_t bits_mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/* In [0, 1). */
static inline double die_throw(uint64_t *die)
{
	*die += 0x9e3779b97f4a7c15u;
	return (double)(bits_mix(*die) >> 11) * 0x1p-53;
}

static inline bool die_hits(uint64_t *die, double percent)
{
	return percent > 0 && die_throw(die) * 100 < percent;
}

static inline void line_seed(struct line *line, unsigned int which)
{
	for (unsigned int i = 0; i < DIE_MAX; i++)
		line->dice[i] = bits_mix(line->set.seed ^ bits_mix(which * 64 + i + 1));
	line->bad = false;
}

/* The sum of twelve uniform numbers is normal enough, and never beyond six deviations. */
static inline int64_t jitter_throw(struct line *line)
{
	uint64_t *die = &line->dice[DIE_JITTER];
	double x = 0;

	switch (line->set.jitter.kind) {
	case JITTER_UNIFORM:
		x = die_throw(die) * 2 - 1;
		break;
	case JITTER_NORMAL:
		for (int i = 0; i < 12; i++)
			x += die_throw(die);
		x -= 6;
		break;
	}
	return (int64_t)(x * (double)line->set.jitter.ns);
}

/* -- frames under way: a binary heap by due time, then by order of arrival -- */

static inline bool frame_before(const struct frame *a, const struct frame *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->number < b->number;
}

static inline bool heap_push(struct line *line, struct frame *frame)
{
	size_t at;

	if (line->n_heap == line->max_heap) {
		size_t max = line->max_heap ? line->max_heap * 2 : 1024;
		struct frame **heap = reallocarray(line->heap, max, sizeof(*heap));

		if (!heap)
			return false;
		line->heap = heap;
		line->max_heap = max;
	}
	for (at = line->n_heap++; at > 0; at = (at - 1) / 2) {
		if (!frame_before(frame, line->heap[(at - 1) / 2]))
			break;
		line->heap[at] = line->heap[(at - 1) / 2];
	}
	line->heap[at] = frame;
	line->held += sizeof(*frame) + frame->len;
	return true;
}

static inline struct frame *heap_pop(struct line *line)
{
	struct frame **heap = line->heap, *top = heap[0], *last = heap[--line->n_heap];
	size_t at = 0, child;

	while ((child = 2 * at + 1) < line->n_heap) {
		if (child + 1 < line->n_heap && frame_before(heap[child + 1], heap[child]))
			child++;
		if (!frame_before(heap[child], last))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = last;
	line->held -= sizeof(*top) + top->len;
	return top;
}

static inline void heap_clear(struct line *line, enum count why)
{
	while (line->n_heap > 0) {
		free(heap_pop(line));
		line->count[why]++;
	}
	line->last_ns = 0;
}

/* -- what happens to a frame -- */

static inline uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

/* Bytes on the wire, and the length of the (largest) IP packet; 0: it is none. */
static inline void frame_measure(const struct virtio_net_hdr *vnet, const uint8_t *data,
				 uint32_t len, uint32_t *ret_wire, uint32_t *ret_ip)
{
	uint32_t type = get16(data + 12), l3 = 14, l4 = 0, ip = 0, wire = len;

	for (int tags = 0; tags < 2 && (type == ETH_P_8021Q || type == ETH_P_8021AD); tags++) {
		if (len < l3 + 4)
			break;
		type = get16(data + l3 + 2);
		l3 += 4;
	}
	if (type == ETH_P_IP && len >= l3 + 20) {
		ip = get16(data + l3 + 2);
		l4 = l3 + (data[l3] & 15u) * 4;
	} else if (type == ETH_P_IPV6 && len >= l3 + 40) {
		ip = 40 + get16(data + l3 + 4);
		l4 = l3 + 40;
	}
	if (vnet->gso_type != VIRTIO_NET_HDR_GSO_NONE && vnet->gso_size > 0) {
		const int type_only = vnet->gso_type & ~VIRTIO_NET_HDR_GSO_ECN;
		uint32_t head = vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM ? vnet->csum_start : l4;

		if (type_only != VIRTIO_NET_HDR_GSO_TCPV4 && type_only != VIRTIO_NET_HDR_GSO_TCPV6)
			head += 8;
		else if (head + 20 <= len)
			head += (uint32_t)(data[head + 12] >> 4) * 4;
		if (head > l3 && head < len) {
			wire = len + (len - head - 1) / vnet->gso_size * head;
			ip = head - l3 +
			     (len - head < vnet->gso_size ? len - head : vnet->gso_size);
		}
	}
	*ret_wire = wire;
	*ret_ip = ip;
}

static inline int64_t line_time(const struct settings *set, uint64_t bytes)
{
	return (int64_t)(bytes * 8 * (uint64_t)NS / set->rate);
}

/* When the line has sent it: a bucket of tokens, with the queue in front. False: queue is full. */
static inline bool line_take(struct line *line, uint32_t wire, int64_t at_ns, int64_t *ret_ns)
{
	const struct settings *set = &line->set;
	const int64_t takes = line_time(set, wire), idle = at_ns - line_time(set, set->burst);
	int64_t limit = set->queue.ns ? set->queue.ns : QUEUE_NS, busy = line->busy_ns;

	if (set->queue.bytes != 0)
		limit = line_time(set, set->queue.bytes);
	if (busy < idle)
		busy = idle;
	if (busy > at_ns && busy - at_ns + takes > limit)
		return false;
	busy += takes;
	line->busy_ns = busy;
	*ret_ns = busy > at_ns ? busy : at_ns;
	return true;
}

/* Takes over the frame. */
static inline void frame_schedule(struct line *line, struct frame *frame, uint32_t wire,
				  int64_t at_ns)
{
	const struct settings *set = &line->set;
	int64_t due = at_ns, held = set->delay_ns;

	if (set->rate != 0 && !line_take(line, wire, at_ns, &due)) {
		line->count[COUNT_QUEUE]++;
		free(frame);
		return;
	}
	if (set->jitter.ns != 0)
		held += jitter_throw(line);
	due += held > 0 ? held : 0;
	if (die_hits(&line->dice[DIE_REORDER], set->reorder.percent)) {
		due += set->reorder.ns;
		line->count[COUNT_REORDERED]++;
	} else if (!set->jitter.unordered) {
		if (due < line->last_ns)
			due = line->last_ns;
		line->last_ns = due;
	}
	frame->due_ns = due;
	frame->number = line->number++;
	if (line->held + sizeof(*frame) + frame->len > HELD_MAX || !heap_push(line, frame)) {
		line->count[COUNT_LIMIT]++;
		free(frame);
	}
}

/* The chain that a frame passes first. COUNT_MAX: it goes on. */
static inline enum count frame_judge(struct line *line, uint32_t ip)
{
	const struct settings *set = &line->set;
	uint64_t *dice = line->dice;

	if (set->cut)
		return COUNT_CUT;
	if (set->blackhole)
		return COUNT_BLACKHOLE;
	if (set->mtu != 0 && ip > set->mtu)
		return COUNT_MTU;
	if (die_hits(&dice[DIE_LOSS], set->loss))
		return COUNT_LOSS;
	if (bursts_any(set)) {
		if (die_hits(&dice[DIE_STATE], line->bad ? set->bursts.leave : set->bursts.enter))
			line->bad = !line->bad;
		if (die_hits(&dice[DIE_BURST],
			     line->bad ? set->bursts.lost_bad : set->bursts.lost_good))
			return COUNT_BURST;
	}
	return COUNT_MAX;
}

static inline struct frame *frame_new(struct line *line, size_t len)
{
	struct frame *frame = malloc(sizeof(*frame) + len);

	if (!frame)
		line->count[COUNT_LIMIT]++;
	else
		frame->len = (uint32_t)len;
	return frame;
}

static inline void frame_take(struct line *line, struct frame *frame, int64_t at_ns)
{
	struct frame *copy = NULL;
	enum count verdict;
	uint32_t wire, ip;

	frame_measure(&frame->vnet, frame->data, frame->len, &wire, &ip);
	line->count[COUNT_IN]++;
	line->count[COUNT_IN_BYTES] += wire;
	if (frame->vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		line->count[COUNT_BATCHES]++;
	verdict = frame_judge(line, ip);
	if (verdict != COUNT_MAX) {
		line->count[verdict]++;
		free(frame);
		return;
	}
	if (die_hits(&line->dice[DIE_DUPLICATE], line->set.duplicate)) {
		line->count[COUNT_DUPLICATED]++;
		copy = frame_new(line, frame->len);
		if (copy)
			memcpy(&copy->vnet, &frame->vnet, VNET + frame->len);
	}
	frame_schedule(line, frame, wire, at_ns);
	if (copy)
		frame_schedule(line, copy, wire, at_ns);
}

#endif

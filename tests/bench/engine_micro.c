/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * engine_micro [SECONDS]: what the parts of the engine's packet path cost, as JSON. Of one thread, by
 * its own CPU time: Gbit/s of inner packets of 1,420 bytes, sealed, opened, cut out of frames of 64 KiB,
 * joined to them; nanoseconds for packets of 64 bytes. Of a thread a core, by the clock on the wall:
 * Gbit/s sealed and opened again, which is what the engine could carry if it did nothing else.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "engine/aead.h"
#include "engine/coalesce.h"
#include "engine/segment.h"

enum {
	MTU = 1420,
	BATCH = 46,  /* packets of a frame */
	HEADER = 52, /* IPv4, TCP with timestamps */
	STRIDE = 1456,
	SMALL = 64,
	THREADS = 64,
};

struct world {
	struct aead *aead;
	uint8_t key[32];
	uint8_t frame[65536];
	uint8_t batch[BATCH * STRIDE + 64];
	struct packet packets[BATCH];
	struct coalesce *coalesce;
	struct virtio_net_hdr hdr;
	uint32_t len;
};

static double seconds = 0.5;

static double now(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts); /* these clocks are always there */
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void nothing(void *ctx, const struct iovec *iov, int n, uint32_t packets, uint32_t bytes)
{
	(void)ctx;
	(void)iov;
	(void)n;
	(void)packets;
	(void)bytes;
}

static void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static struct world *world_new(const struct aead_provider *provider)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		exit(1);
	w->aead = aead_new(provider);
	w->coalesce = coalesce_new(true, nothing, NULL);
	if (!w->aead || !w->coalesce)
		exit(1);
	w->len = HEADER + BATCH * (MTU - HEADER);
	w->frame[0] = 0x45;
	put16(w->frame + 2, w->len);
	w->frame[6] = 0x40;
	w->frame[8] = 64;
	w->frame[9] = 6;
	w->frame[32] = 0x80;
	w->frame[33] = 0x10;
	for (uint32_t i = HEADER; i < w->len; i++)
		w->frame[i] = (uint8_t)(i * 31);
	w->hdr = (struct virtio_net_hdr){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					  .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
					  .gso_size = MTU - HEADER,
					  .csum_start = 20,
					  .csum_offset = 16 };
	return w;
}

static void packets_at(struct world *w, uint8_t *data, uint32_t padded)
{
	for (uint32_t i = 0; i < BATCH; i++)
		w->packets[i] = (struct packet){ .data = data + i * STRIDE + PACKET_HEADROOM,
						 .len = padded,
						 .padded = padded,
						 .counter = i,
						 .key = w->key };
}

static void do_seal(struct world *w)
{
	aead_seal(w->aead, w->packets, BATCH);
}

/* What was opened once is not what was sealed: not ok then, at the same price. */
static void do_open(struct world *w)
{
	aead_open(w->aead, w->packets, BATCH);
}

static void do_cut(struct world *w)
{
	struct segment_plan plan;

	if (segment_plan(&w->hdr, w->frame, w->len, MTU, &plan) || plan.count != BATCH)
		exit(1);
	segment_split(&plan, w->frame, w->batch, w->packets);
}

static void do_join(struct world *w)
{
	uint8_t first[HEADER];

	memcpy(first, w->packets[0].data, HEADER);
	for (uint32_t i = 0; i < BATCH; i++)
		coalesce_add(w->coalesce, w->packets[i].data, w->packets[i].len);
	coalesce_flush(w->coalesce);
	memcpy(w->packets[0].data, first, HEADER);
}

/* Seconds that one packet takes. */
static double cost(struct world *w, void (*run)(struct world *), clockid_t clock)
{
	double start, end;
	uint64_t n = 0;

	run(w);
	start = now(clock);
	do {
		for (int i = 0; i < 16; i++)
			run(w);
		n += 16;
		end = now(clock);
	} while (end - start < seconds);
	return (end - start) / (double)(n * BATCH);
}

static void do_both(struct world *w)
{
	do_seal(w);
	do_open(w);
}

static void *core(void *arg)
{
	double *rate = arg;
	struct world *w = world_new(NULL);

	packets_at(w, w->batch, MTU);
	*rate = MTU * 8 / cost(w, do_both, CLOCK_MONOTONIC) / 1e9;
	return NULL;
}

static double all_cores(long cores)
{
	pthread_t threads[THREADS];
	double rates[THREADS], sum = 0;

	if (cores > THREADS)
		cores = THREADS;
	for (long i = 0; i < cores; i++)
		if (pthread_create(&threads[i], NULL, core, &rates[i]))
			exit(1);
	for (long i = 0; i < cores; i++) {
		if (pthread_join(threads[i], NULL))
			exit(1);
		sum += rates[i];
	}
	return sum;
}

int main(int argc, char **argv)
{
	const clockid_t clock = CLOCK_THREAD_CPUTIME_ID;
	const double bits = MTU * 8 / 1e9;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct world *w;

	if (argc > 1)
		seconds = strtod(argv[1], NULL);
	printf("{\"providers\": {");
	for (int i = 0; aead_providers[i]; i++) {
		if (!aead_providers[i]->usable())
			continue;
		w = world_new(aead_providers[i]);
		packets_at(w, w->batch, MTU);
		printf("\"%s\": {\"seal_gbps\": %.3f", aead_providers[i]->name,
		       bits / cost(w, do_seal, clock));
		printf(", \"open_gbps\": %.3f", bits / cost(w, do_open, clock));
		packets_at(w, w->batch, SMALL);
		printf(", \"seal_64_ns\": %.1f", cost(w, do_seal, clock) * 1e9);
		printf(", \"open_64_ns\": %.1f}%s", cost(w, do_open, clock) * 1e9,
		       aead_providers[i + 1] ? ", " : "");
	}
	w = world_new(NULL);
	printf("}, \"best\": \"%s\"", aead_name(w->aead));
	printf(", \"cut_gbps\": %.3f", bits / cost(w, do_cut, clock));
	do_cut(w);
	printf(", \"join_gbps\": %.3f", bits / cost(w, do_join, clock));
	printf(", \"cores\": %ld, \"both_ways_gbps\": %.3f}\n", cores, all_cores(cores));
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "probe.h"

#define MS 1000000ull
#define SECOND (1000 * MS)
#define BEGIN (1700000000ull << 32)

static const __u64 key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
static const __u64 other_key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0909 };

/* Node 0x123 asks node 0x456. */
static const struct dp_config asker = {
	.id = 0x123,
	.role = DP_ROLE_ACTIVE,
	.generation = 0x1112131415161718,
	.digest = 0x2122232425262728,
};
static const struct dp_config reflector = {
	.id = 0x456,
	.role = DP_ROLE_STANDBY,
	.generation = 0x3132333435363738,
	.digest = 0x4142434445464748,
};
static const struct dp_node reflector_node = {
	.key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 },
	.seen_generation = 0x5152535455565758,
};

static __u64 seed;

/* Marsaglia's xorshift, so that a failure can be had again. */
static __u32 random_u32(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (__u32)(seed >> 32);
}

static struct dp_probe make_request(__u64 sequence, __u64 now_ns)
{
	struct dp_probe p;

	memset(&p, 0xee, sizeof(p)); /* all but three fields has to be filled */
	p.path = 9;
	p.from = probe_be16(asker.id);
	p.to = probe_be16(reflector.id);
	probe_request(&p, &asker, &reflector_node, sequence, 1234, 5678, now_ns);
	return p;
}

static struct dp_probe make_reply(__u64 sequence, __u64 sent_ns, __u64 received_ns, __u32 received)
{
	struct dp_probe p = make_request(sequence, sent_ns);

	probe_reply(&p, &reflector, 0x6162636465666768, received, received_ns, key);
	return p;
}

/* The layout written down a second time; the tag is over the first 88 bytes. */
static void assert_bytes(const struct dp_probe *p, const uint8_t want[DP_PROBE_LEN - 8])
{
	const uint8_t *bytes = (const uint8_t *)p;
	__u64 words[11], tag = 0;

	assert_memory_equal(bytes, want, DP_PROBE_LEN - 8);
	for (int i = 0; i < 11; i++) {
		words[i] = 0;
		for (int j = 7; j >= 0; j--)
			words[i] = words[i] << 8 | want[8 * i + j];
	}
	for (int i = 88; i < 96; i++)
		tag = tag << 8 | bytes[i];
	assert_true(tag == siphash24(key, words, 11));
}

static void request_and_reply_have_the_documented_layout(void **state)
{
	static const uint8_t request[DP_PROBE_LEN - 8] = {
		0xb1, 1,    9,	  1,	0x01, 0x23, 0x04, 0x56, /* type .. to */
		0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, /* sequence */
		0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, /* sent */
		0,    0,    0,	  0,	0,    0,    0,	  0,	/* received */
		0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, /* generation */
		0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, /* seen generation */
		0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, /* digest */
		0,    0,    0,	  0,	0x00, 0x00, 0x04, 0xd2, /* received, round trip */
		0x00, 0x00, 0x16, 0x2e, 0,    0,    0,	  0,	/* loss */
	};
	static const uint8_t reply[DP_PROBE_LEN - 8] = {
		0xb2, 1,    9,	  0,	0x04, 0x56, 0x01, 0x23, /* type .. to */
		0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, /* sequence */
		0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, /* sent */
		0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, /* received */
		0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, /* generation */
		0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, /* seen generation */
		0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, /* digest */
		0xc1, 0xc2, 0xc3, 0xc4, 0x00, 0x00, 0x04, 0xd2, /* received, round trip */
		0x00, 0x00, 0x16, 0x2e, 0,    0,    0,	  0,	/* loss */
	};
	struct dp_probe p = make_request(0x8182838485868788, 0x9192939495969798);

	(void)state;
	assert_bytes(&p, request);
	assert_int_equal(probe_check(&p, 0x123, 0x456, key), PROBE_OK);
	probe_reply(&p, &reflector, 0x6162636465666768, 0xc1c2c3c4, 0xa1a2a3a4a5a6a7a8, key);
	assert_bytes(&p, reply);
	assert_int_equal(probe_check(&p, 0x456, 0x123, key), PROBE_OK);
}

static void every_flipped_bit_is_refused(void **state)
{
	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		struct dp_probe p = kind ? make_reply(1, 2, 3, 4) : make_request(1, 2);
		__u16 from = kind ? 0x456 : 0x123, to = kind ? 0x123 : 0x456;
		uint8_t *bytes = (uint8_t *)&p;

		for (int bit = 0; bit < 8 * DP_PROBE_LEN; bit++) {
			bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_not_equal(probe_check(&p, from, to, key), PROBE_OK);
			bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		assert_int_equal(probe_check(&p, from, to, key), PROBE_OK);
	}
}

/* Signed all the same; and, as form comes before tag, with a wrong key too. */
static void assert_form(struct dp_probe *p, __u16 from, __u16 self)
{
	probe_sign(p, key);
	assert_int_equal(probe_check(p, from, self, key), PROBE_FORM);
	assert_int_equal(probe_check(p, from, self, other_key), PROBE_FORM);
}

static void every_wrong_form_is_refused(void **state)
{
	struct dp_probe p;

	(void)state;
	for (int type = 0; type < 256; type++) {
		p = make_request(1, 2);
		p.type = (__u8)type;
		if (type == DP_PROBE_REPLY)
			assert_form(&p, 0x123, 0x456); /* received never */
		else if (type != DP_PROBE_REQUEST)
			assert_form(&p, 0x123, 0x456);
	}
	for (int version = 0; version < 256; version++) {
		p = make_request(1, 2);
		p.version = (__u8)version;
		if (version != 1)
			assert_form(&p, 0x123, 0x456);
	}
	for (int role = 0; role < 256; role++) {
		p = make_request(1, 2);
		p.role = (__u8)role;
		probe_sign(&p, key);
		assert_int_equal(probe_check(&p, 0x123, 0x456, key),
				 role < 3 ? PROBE_OK : PROBE_FORM);
	}
	for (int path = 0; path < 256; path++) {
		p = make_request(1, 2);
		p.path = (__u8)path;
		probe_sign(&p, key);
		assert_int_equal(probe_check(&p, 0x123, 0x456, key),
				 path < DP_PATHS_MAX ? PROBE_OK : PROBE_FORM);
	}
	for (size_t i = 0; i < sizeof(p.reserved); i++) {
		p = make_request(1, 2);
		p.reserved[i] = (__u8)(1 << i % 8);
		assert_form(&p, 0x123, 0x456);
		p = make_reply(1, 2, 3, 4);
		p.reserved[i] = (__u8)(1 << i % 8);
		assert_form(&p, 0x456, 0x123);
	}
	p = make_request(1, 2);
	p.received_ns = probe_be64(1);
	assert_form(&p, 0x123, 0x456);
	p = make_reply(1, 2, 3, 4);
	p.received_ns = 0;
	assert_form(&p, 0x456, 0x123);
}

static void only_the_ends_of_the_ports_are_right(void **state)
{
	static const __u16 ids[] = { 0, 1, 0x123, 0x456, 0x2301, 0x5604, 0x124, 4095, 65535 };
	struct dp_probe request = make_request(1, 2), reply = make_reply(1, 2, 3, 4);

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		for (size_t j = 0; j < sizeof(ids) / sizeof(ids[0]); j++) {
			bool asks = ids[i] == 0x123 && ids[j] == 0x456;
			bool replies = ids[i] == 0x456 && ids[j] == 0x123;

			/* A request sent back to its maker is none of a reply, nor the reverse. */
			assert_int_equal(probe_check(&request, ids[i], ids[j], key),
					 asks ? PROBE_OK : PROBE_FORM);
			assert_int_equal(probe_check(&reply, ids[i], ids[j], key),
					 replies ? PROBE_OK : PROBE_FORM);
		}
	}
	assert_int_equal(probe_check(&request, 0x123, 0x456, other_key), PROBE_TAG);
	assert_int_equal(probe_check(&reply, 0x456, 0x123, other_key), PROBE_TAG);
}

/* -- The window, against a list of all that was ever taken. -- */

#define STEPS 3000

struct oracle {
	__u64 taken[STEPS];
	size_t n;
	__u64 highest;
};

static bool oracle_take(struct oracle *oracle, __u64 sequence, bool *ret_newest)
{
	if (sequence < oracle->highest && oracle->highest - sequence > 63)
		return false;
	for (size_t i = 0; i < oracle->n; i++) {
		if (oracle->taken[i] == sequence)
			return false;
	}
	oracle->taken[oracle->n++] = sequence;
	*ret_newest = sequence > oracle->highest;
	if (*ret_newest)
		oracle->highest = sequence;
	return true;
}

static void window_agrees_with_the_list_of_all(void **state)
{
	static const __u64 begins[] = { 0, 1, 63, 64, BEGIN, BEGIN - 30, UINT64_MAX - 70000 };
	static struct oracle oracle;

	(void)state;
	for (unsigned int run = 0; run < 70; run++) {
		__u64 highest = 0, window = 0, at = begins[run % 7];
		unsigned int disorder = 1 + run * 3 / 2; /* up to 105 back */

		memset(&oracle, 0, sizeof(oracle));
		seed = run + 1;
		for (int i = 0; i < STEPS; i++) {
			__u32 dice = random_u32() % 100;
			bool newest = false, want_newest = false;
			__u64 sequence;

			if (dice < 60)
				at += random_u32() % 3;
			else if (dice < 62)
				at += random_u32() % 140; /* a gap */
			sequence = at - random_u32() % disorder;
			if (dice == 99 && oracle.n) /* something captured */
				sequence = oracle.taken[random_u32() % oracle.n];
			if (sequence > at)
				sequence = 0;
			assert_int_equal(probe_window_take(&highest, &window, sequence, &newest),
					 oracle_take(&oracle, sequence, &want_newest));
			assert_int_equal(newest, want_newest);
			assert_true(highest == oracle.highest);
		}
		assert_in_range(oracle.n, 100, STEPS - 1);
	}
}

static void window_edges(void **state)
{
	(void)state;
	for (__u64 jump = 1; jump < 200; jump++) {
		for (__u64 back = 0; back < 200 && back <= jump; back++) {
			__u64 highest = 0, window = 0;
			bool newest = false;

			/* Sequence 0 may be the first one of all. */
			assert_true(probe_window_take(&highest, &window, 0, &newest));
			assert_false(newest);
			assert_true(probe_window_take(&highest, &window, jump, &newest));
			assert_true(newest);
			assert_int_equal(probe_window_take(&highest, &window, jump - back, &newest),
					 back > 0 && back < 64 && back < jump);
		}
	}
}

/* Whatever the order in which threads come: none is lost, and the highest never goes back. */
struct race {
	struct dp_path_state path;
	struct dp_reflection reflection;
	unsigned int replies, requests;
};

static void *race_thread(void *data)
{
	struct race *race = data;
	unsigned int replies = 0, requests = 0;

	for (__u64 i = 1; i <= 2000; i++) {
		struct dp_probe p = make_request(BEGIN + i, 1000);
		struct dp_sample sample;

		requests += probe_take_request(&race->reflection, &p, i) == PROBE_OK;
		p = make_reply(BEGIN + i, 1000, 5, 6);
		replies += probe_take_reply(&race->path, &p, 96, 4000 + i, &sample) == PROBE_OK;
	}
	__sync_fetch_and_add(&race->replies, replies);
	__sync_fetch_and_add(&race->requests, requests);
	return NULL;
}

static void no_count_is_lost_between_threads(void **state)
{
	struct race race = { .path.sequence = BEGIN + 2000 };
	pthread_t threads[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, race_thread, &race), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(race.path.replies, race.replies);
	assert_int_equal(race.reflection.received, race.requests);
	assert_in_range(race.replies, 1000, 4000);
	assert_true(race.path.reply_highest == BEGIN + 2000);
	assert_true(race.reflection.highest == BEGIN + 2000);
	assert_int_equal(race.path.last_reply_ns, 6000);
	assert_int_equal(race.reflection.last_ns, 2000);
}

/* -- Taking. -- */

static void request_is_taken_once(void **state)
{
	struct dp_reflection reflection = { .received = UINT32_MAX };
	struct dp_probe p = make_request(BEGIN + 70, 1);

	(void)state;
	assert_int_equal(probe_take_request(&reflection, &p, 100), PROBE_OK);
	assert_int_equal(reflection.received, 0); /* wraps */
	assert_int_equal(reflection.last_ns, 100);
	assert_int_equal(reflection.rtt_us, 1234);
	assert_int_equal(reflection.loss_ppm, 5678);
	assert_int_equal(probe_take_request(&reflection, &p, 200), PROBE_REPLAY);
	assert_int_equal(reflection.received, 0);
	assert_int_equal(reflection.last_ns, 100);

	/* Overtaken: it counts, what it says is old. */
	p = make_request(BEGIN + 7, 1);
	p.rtt_us = p.loss_ppm = 0;
	assert_int_equal(probe_take_request(&reflection, &p, 300), PROBE_OK);
	assert_int_equal(reflection.received, 1);
	assert_int_equal(reflection.last_ns, 300);
	assert_int_equal(reflection.rtt_us, 1234);
	assert_int_equal(reflection.loss_ppm, 5678);

	p = make_request(BEGIN + 6, 1);
	assert_int_equal(probe_take_request(&reflection, &p, 400), PROBE_REPLAY);
	p = make_request(BEGIN + 71, 1);
	p.rtt_us = p.loss_ppm = probe_be32(UINT32_MAX);
	assert_int_equal(probe_take_request(&reflection, &p, 250), PROBE_OK);
	assert_int_equal(reflection.last_ns, 300); /* never goes back */
	assert_int_equal(reflection.rtt_us, UINT32_MAX);
	assert_int_equal(reflection.loss_ppm, UINT32_MAX);
}

static void reply_is_measured(void **state)
{
	struct dp_path_state path = { .sequence = BEGIN + 100,
				      .sent = 100,
				      .last_sent_ns = SECOND };
	struct dp_sample sample;
	struct dp_probe p;

	(void)state;
	/* Asked at 1 s, came at 1.030 s; its clock was 9 s ahead at the middle. */
	p = make_reply(BEGIN + 99, SECOND, 10 * SECOND + 15 * MS, 70);
	memset(&sample, 0xee, sizeof(sample));
	assert_int_equal(probe_take_reply(&path, &p, 1200, SECOND + 30 * MS, &sample), PROBE_OK);
	assert_true(path.sequence == BEGIN + 100 && path.sent == 100 &&
		    path.last_sent_ns == SECOND);
	assert_true(path.last_reply_ns == SECOND + 30 * MS);
	assert_true(path.reply_highest == BEGIN + 99);
	assert_int_equal(path.replies, 1);
	assert_int_equal(path.remote_received, 70);
	assert_int_equal(path.rtt_us, 30000);
	assert_int_equal(path.rtt_min_us, 30000);
	assert_int_equal(path.rtt_max_us, 30000);
	assert_int_equal(path.rtt_sum_us, 30000);
	assert_true(path.clock_offset_ns == (__s64)(9 * SECOND));
	assert_int_equal(path.payload_max, 1200);
	assert_true(sample.at_ns == SECOND + 30 * MS && sample.sequence == BEGIN + 99);
	assert_int_equal(sample.rtt_us, 30000);
	assert_int_equal(sample.sent, 100);
	assert_int_equal(sample.replies, 1);
	assert_int_equal(sample.remote_received, 70);
	assert_int_equal(sample.payload, 1200);
	assert_int_equal(sample.node, 0x456);
	assert_int_equal(sample.path, 9);

	/* A faster one, shorter; its clock is behind ours now. */
	p = make_reply(BEGIN + 100, 2 * SECOND, SECOND + 5 * MS, 71);
	assert_int_equal(probe_take_reply(&path, &p, 96, 2 * SECOND + 10 * MS, &sample), PROBE_OK);
	assert_int_equal(path.rtt_us, 10000);
	assert_int_equal(path.rtt_min_us, 10000);
	assert_int_equal(path.rtt_max_us, 30000);
	assert_int_equal(path.rtt_sum_us, 40000);
	assert_int_equal(path.remote_received, 71);
	assert_true(path.clock_offset_ns == -(__s64)SECOND);
	assert_int_equal(path.payload_max, 1200);

	/* One that was overtaken: alive and counted, the newest words stay. */
	p = make_reply(BEGIN + 98, SECOND, 7, 60);
	assert_int_equal(probe_take_reply(&path, &p, 1300, 2 * SECOND + 11 * MS, &sample),
			 PROBE_OK);
	assert_true(path.last_reply_ns == 2 * SECOND + 11 * MS);
	assert_int_equal(path.replies, 3);
	assert_int_equal(path.rtt_us, 10000);
	assert_int_equal(path.rtt_max_us, 1011000);
	assert_int_equal(path.rtt_sum_us, 1051000);
	assert_int_equal(path.remote_received, 71);
	assert_true(path.clock_offset_ns == -(__s64)SECOND);
	assert_int_equal(path.payload_max, 1300);
	assert_int_equal(sample.rtt_us, 1011000);
	assert_int_equal(sample.remote_received, 71);
	assert_int_equal(sample.replies, 3);

	/* The daemon asks for a new minimum and maximum. */
	path.rtt_min_us = path.rtt_max_us = 0;
	p = make_reply(BEGIN + 97, SECOND, 7, 60);
	assert_int_equal(probe_take_reply(&path, &p, 96, 2 * SECOND, &sample), PROBE_OK);
	assert_int_equal(path.rtt_min_us, 1000000);
	assert_int_equal(path.rtt_max_us, 1000000);
	assert_true(path.last_reply_ns == 2 * SECOND + 11 * MS); /* another CPU was later */
}

static void assert_refused(const struct dp_path_state *path, const struct dp_probe *p, __u64 now_ns,
			   enum probe_result want)
{
	struct dp_path_state after = *path;
	struct dp_sample sample, before;

	memset(&sample, 0x5a, sizeof(sample));
	memset(&before, 0x5a, sizeof(before));
	assert_int_equal(probe_take_reply(&after, p, 96, now_ns, &sample), want);
	assert_memory_equal(&after, path, sizeof(after));
	assert_memory_equal(&sample, &before, sizeof(sample));
}

static void reply_to_nothing_is_refused(void **state)
{
	struct dp_path_state path = { .sequence = BEGIN + 100, .sent = 100 };
	struct dp_probe p = make_reply(BEGIN + 101, 1000, 1, 1);
	struct dp_sample sample;

	(void)state;
	assert_refused(&path, &p, 2000, PROBE_UNASKED);
	p = make_reply(UINT64_MAX, 1000, 1, 1);
	assert_refused(&path, &p, 2000, PROBE_UNASKED);
	/* Sent later than now. */
	p = make_reply(BEGIN + 100, 2001, 1, 1);
	assert_refused(&path, &p, 2000, PROBE_UNASKED);
	/* Of a path of that number in an earlier life, of which nothing is known any more. */
	p = make_reply(BEGIN - (1ull << 32) + 30000, 1000, 1, 1);
	assert_refused(&path, &p, 2000, PROBE_UNASKED);
	p = make_reply(0, 1000, 1, 1);
	assert_refused(&path, &p, 2000, PROBE_UNASKED);

	p = make_reply(BEGIN + 100, 2000, 1, 1);
	assert_int_equal(probe_take_reply(&path, &p, 96, 2000, &sample), PROBE_OK);
	assert_refused(&path, &p, 3000, PROBE_REPLAY);
	p = make_reply(BEGIN + 36, 1000, 1, 1);
	assert_refused(&path, &p, 3000, PROBE_REPLAY);
	p = make_reply(BEGIN + 37, 1000, 1, 1);
	assert_int_equal(probe_take_reply(&path, &p, 96, 3000, &sample), PROBE_OK);
	assert_refused(&path, &p, 3000, PROBE_REPLAY);
}

static void extremes_of_the_round_trip(void **state)
{
	static const struct {
		__u64 sent, now;
		__u32 rtt_us;
	} cases[] = {
		{ 5, 5, 1 }, /* 0 is "none" */
		{ 5, 1004, 1 },
		{ 5, 2004, 1 },
		{ 5, 2005, 2 },
		{ 0, UINT32_MAX * 1000ull + 999, UINT32_MAX },
		{ 0, UINT32_MAX * 1000ull + 1000, UINT32_MAX },
		{ 0, UINT64_MAX, UINT32_MAX },
		{ UINT64_MAX, UINT64_MAX, 1 },
		{ UINT64_MAX - 2000000, UINT64_MAX, 2000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dp_path_state path = { .sequence = BEGIN, .replies = UINT32_MAX };
		struct dp_probe p = make_reply(BEGIN, cases[i].sent, UINT64_MAX, UINT32_MAX);
		struct dp_sample sample;

		assert_int_equal(probe_take_reply(&path, &p, UINT32_MAX, cases[i].now, &sample),
				 PROBE_OK);
		assert_int_equal(sample.rtt_us, cases[i].rtt_us);
		assert_int_equal(path.rtt_min_us, cases[i].rtt_us);
		assert_int_equal(path.rtt_max_us, cases[i].rtt_us);
		assert_int_equal(path.rtt_sum_us, cases[i].rtt_us);
		assert_int_equal(path.replies, 0); /* wraps */
		assert_int_equal(path.payload_max, UINT32_MAX);
	}
}

/* -- Claims. -- */

static struct dp_probe make_word(enum dp_role role, __u64 generation, __u64 seen, __u64 digest)
{
	return (struct dp_probe){ .role = (__u8)role,
				  .generation = probe_be64(generation),
				  .seen_generation = probe_be64(seen),
				  .digest = probe_be64(digest) };
}

static void claims_only_grow(void **state)
{
	static const struct {
		__u64 at; /* seconds */
		enum dp_role role;
		__u64 generation, seen, digest;
		struct {
			enum dp_role role;
			__u64 generation, seen, digest;
		} held;
	} words[] = {
		/* The first word counts, be it generation 0. */
		{ 100, DP_ROLE_ACTIVE, 0, 5, 1, { DP_ROLE_ACTIVE, 0, 5, 1 } },
		{ 101, DP_ROLE_STANDBY, 0, 5, 1, { DP_ROLE_STANDBY, 0, 5, 1 } },
		{ 102, DP_ROLE_ACTIVE, 7, 5, 2, { DP_ROLE_ACTIVE, 7, 5, 2 } },
		/* Old words, by a slow path or held back. */
		{ 103, DP_ROLE_STANDBY, 0, 4, 1, { DP_ROLE_ACTIVE, 7, 5, 2 } },
		{ 103, DP_ROLE_STANDBY, 6, 5, 1, { DP_ROLE_ACTIVE, 7, 5, 2 } },
		/* It gives way, and keeps its generation. */
		{ 104, DP_ROLE_STANDBY, 7, 6, 3, { DP_ROLE_STANDBY, 7, 6, 3 } },
		/* The old claim of before must not come back. */
		{ 104, DP_ROLE_ACTIVE, 6, 6, 2, { DP_ROLE_STANDBY, 7, 6, 3 } },
		{ 105, DP_ROLE_ACTIVE, 9, 2, 3, { DP_ROLE_ACTIVE, 9, 6, 3 } },
		/* What it has seen of us is true in an old word too. */
		{ 165, DP_ROLE_STANDBY, 8, 9, 9, { DP_ROLE_ACTIVE, 9, 9, 3 } },
		/* Silent for more than a minute: it may have forgotten. */
		{ 226, DP_ROLE_STANDBY, 0, 0, 4, { DP_ROLE_STANDBY, 0, 9, 4 } },
		{ 227, DP_ROLE_ACTIVE, UINT64_MAX, 0, 4, { DP_ROLE_ACTIVE, UINT64_MAX, 9, 4 } },
		{ 228, DP_ROLE_STANDBY, 1, 0, 5, { DP_ROLE_ACTIVE, UINT64_MAX, 9, 4 } },
		/* The clock of another CPU, a little behind, is no silence. */
		{ 220, DP_ROLE_STANDBY, 1, 0, 5, { DP_ROLE_ACTIVE, UINT64_MAX, 9, 4 } },
	};
	struct dp_heard heard = { .last_ns = 0 };
	__u64 last = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct dp_probe p = make_word(words[i].role, words[i].generation, words[i].seen,
					      words[i].digest);

		last = words[i].at > last ? words[i].at : last;
		probe_hear(&heard, &p, words[i].at * SECOND);
		assert_true(heard.last_ns == last * SECOND);
		assert_int_equal(heard.role, words[i].held.role);
		assert_true(heard.generation == words[i].held.generation);
		assert_true(heard.seen_generation == words[i].held.seen);
		assert_true(heard.digest == words[i].held.digest);
	}
}

/* Exactly the silence is none yet. */
static void the_length_of_silence(void **state)
{
	struct dp_heard heard = { .last_ns = 1, .generation = 5, .role = DP_ROLE_ACTIVE };
	struct dp_probe p = make_word(DP_ROLE_STANDBY, 4, 0, 0);

	(void)state;
	probe_hear(&heard, &p, 1 + PROBE_SILENCE_NS);
	assert_int_equal(heard.generation, 5);
	probe_hear(&heard, &p, 2 + 2 * PROBE_SILENCE_NS);
	assert_int_equal(heard.generation, 4);
	assert_int_equal(heard.role, DP_ROLE_STANDBY);
}

/* Whatever order the words of one life come in, within a minute: the highest claim is what stays. */
static void any_order_of_words(void **state)
{
	(void)state;
	for (unsigned int run = 0; run < 500; run++) {
		struct dp_heard heard = { .last_ns = 0 };
		__u64 highest = 0, seen = 0;
		enum dp_role role = DP_ROLE_STANDBY;

		seed = run + 1;
		for (int i = 0; i < 50; i++) {
			__u64 generation = random_u32() % 20, sees = random_u32() % 20;
			enum dp_role says = random_u32() % 3;
			struct dp_probe p = make_word(says, generation, sees, 0);

			probe_hear(&heard, &p, SECOND * (__u64)(i + 1));
			seen = sees > seen ? sees : seen;
			if (generation >= highest) {
				highest = generation;
				role = says;
			}
			assert_int_equal(heard.generation, highest);
			assert_int_equal(heard.seen_generation, seen);
			assert_int_equal(heard.role, role);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_and_reply_have_the_documented_layout),
		cmocka_unit_test(every_flipped_bit_is_refused),
		cmocka_unit_test(every_wrong_form_is_refused),
		cmocka_unit_test(only_the_ends_of_the_ports_are_right),
		cmocka_unit_test(window_agrees_with_the_list_of_all),
		cmocka_unit_test(window_edges),
		cmocka_unit_test(no_count_is_lost_between_threads),
		cmocka_unit_test(request_is_taken_once),
		cmocka_unit_test(reply_is_measured),
		cmocka_unit_test(reply_to_nothing_is_refused),
		cmocka_unit_test(extremes_of_the_round_trip),
		cmocka_unit_test(claims_only_grow),
		cmocka_unit_test(the_length_of_silence),
		cmocka_unit_test(any_order_of_words),
	};

	return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}

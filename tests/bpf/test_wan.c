/* SPDX-License-Identifier: GPL-2.0-only */
/* What comes in on a gateway's WAN: every verdict and counter, in XDP and in tc, byte for byte. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "wan.h"

/* -- In: data -- */

static void test_data(void **state)
{
	static const uint8_t types[] = { 1, 2, 3, 4 };

	(void)state;
	for (enum hook hook = XDP; hook < HOOKS; hook++)
		for (size_t i = 0; i < COUNT(families) * COUNT(types) * 2 * 3; i++) {
			const struct family *f = &families[i % 2];
			struct harness_frame of = data_from(f), wanted;
			uint8_t in[HARNESS_FRAME_MAX], expect[HARNESS_FRAME_MAX];
			const struct dp_traffic_key at = { f->peer, 1, DP_IN };
			const struct dp_count before = harness_count_at("dp_traffic", &at);
			struct dp_count after;
			size_t len;

			of.payload = message(types[i / 2 % 4], &of.len);
			of.source_port = port(SELF, i / 8 % 2 * 3);
			of.destination_port = port(f->peer, i / 8 % 2 * 3);
			of.tags = (uint8_t)(hook == XDP ? i / 16 : 0);
			len = harness_build(in, &of);
			wanted = of;
			wanted.source = f->canonical_remote;
			wanted.destination = f->local;
			assert_int_equal(harness_build(expect, &wanted), len);
			run(hook, in, len);
			assert_passed(hook);
			assert_int_equal(out.len, len);
			assert_memory_equal(out.frame, expect, len);
			assert_true(harness_sums_right(out.frame, len));
			assert_int_equal(out.marked, hook == XDP);
			assert_counts("pass_data=1");
			after = harness_count_at("dp_traffic", &at);
			assert_int_equal(after.packets - before.packets, 1);
			assert_int_equal(after.bytes - before.bytes, len - 14 - of.tags * 4u);
		}
}

/* Frames are padded to 60 bytes on the wire; messages are longer, but what is behind IP stays. */
static void test_padding(void **state)
{
	(void)state;
	for (enum hook hook = XDP; hook < HOOKS; hook++) {
		struct harness_frame of = data_from(&families[0]);
		uint8_t in[HARNESS_FRAME_MAX];
		const size_t len = harness_build(in, &of);

		run(hook, in, len + 6);
		assert_passed(hook);
		assert_int_equal(out.len, len + 6);
		assert_true(harness_sums_right(out.frame, len));
		assert_counts("pass_data=1");
	}
}

static void test_unknown_way(void **state)
{
	(void)state;
	for (enum hook hook = XDP; hook < HOOKS; hook++)
		for (size_t i = 0; i < COUNT(families); i++) {
			const struct family *f = &families[i];
			const struct dp_traffic_key at = { f->peer, DP_NO_PATH, DP_IN };
			struct harness_frame of = data_from(f);
			uint8_t in[HARNESS_FRAME_MAX];

			of.source = f->relay;
			run(hook, in, harness_build(in, &of));
			assert_passed(hook);
			assert_int_equal(harness_count_at("dp_traffic", &at).packets, hook + 1);
			assert_counts("pass_data=1");
		}
}

/* No checksum (IPv4 alone may): none is made up. */
static void test_no_checksum(void **state)
{
	(void)state;
	for (enum hook hook = XDP; hook < HOOKS; hook++) {
		struct harness_frame of = data_from(&families[0]);
		uint8_t in[HARNESS_FRAME_MAX];
		const size_t len = harness_build(in, &of);

		of.no_checksum = true;
		harness_build(in, &of);
		run(hook, in, len);
		assert_passed(hook);
		assert_int_equal(out.frame[harness_udp(in) + 6] | out.frame[harness_udp(in) + 7],
				 0);
		assert_true(harness_sums_right(out.frame, len));
		assert_counts("pass_data=1");
	}
}

/* What the sum becomes must never be 0, which would say that there is none. */
static void test_every_sum(void **state)
{
	(void)state;
	for (enum hook hook = XDP; hook < HOOKS; hook++)
		for (size_t i = 0; i < COUNT(families); i++)
			for (unsigned int n = 0; n < 65536; n += hook == XDP ? 1 : 3) {
				struct harness_frame of = data_from(&families[i]);
				uint8_t in[HARNESS_FRAME_MAX], payload[32] = { 4 };
				size_t len, udp;

				payload[20] = (uint8_t)(n >> 8);
				payload[21] = (uint8_t)n;
				of.payload = payload;
				of.len = sizeof(payload);
				len = harness_build(in, &of);
				udp = harness_udp(in);
				run(hook, in, len);
				assert_passed(hook);
				assert_true(harness_sums_right(out.frame, len));
				assert_int_not_equal(out.frame[udp + 6] | out.frame[udp + 7], 0);
			}
	harness_counts_reset();
}

/* -- In: what is not taken -- */

struct refused {
	const char *counts;
	const char *source; /* 0: as usual; 's' stranger, 'r' relay, 'o': of no node's kind */
	int from, to, lane, other_lane;
	struct harness_frame change;
	int type; /* of the message; 0: as usual; -1: not of WireGuard */
	int longer;
	bool passes;
};

static void test_refused(void **state)
{
	static const struct refused cases[] = {
		{ .counts = "pass_other=1", .change.destination_port = 53, .passes = true },
		{ .counts = "pass_other=1", .change.destination_port = BASE, .passes = true },
		{ .counts = "pass_other=1",
		  .change.destination_port = BASE + 4096 * 4,
		  .passes = true },
		{ .counts = "drop_node=1", .change.destination_port = BASE + 4096 },
		{ .counts = "drop_node=1", .change.source_port = 53 },
		{ .counts = "drop_node=1", .change.source_port = BASE },
		{ .counts = "drop_node=1", .change.source_port = BASE + 4096 + SELF },
		{ .counts = "drop_node=1", .change.source_port = BASE + SELF + 1 },
		{ .counts = "drop_node=1", .source = "r", .from = OTHER },
		{ .counts = "pass_other=1", .change.protocol = 6, .passes = true },
		{ .counts = "pass_other=1", .change.protocol = 1, .passes = true },
		{ .counts = "pass_other=1", .change.protocol = 50, .passes = true },
		{ .counts = "drop_fragment=1", .change.fragment = 1 },
		{ .counts = "pass_other=1", .change.fragment = 1480, .passes = true },
		{ .counts = "drop_fragment=1", .change.fragment = 1, .source = "s" },
		{ .counts = "drop_stranger=1", .source = "s" },
		{ .counts = "drop_source=1", .source = "x" },
		{ .counts = "drop_source=1", .from = RELAY },
		{ .counts = "drop_malformed=1", .change.options = 1 },
		{ .counts = "drop_stranger=1", .change.options = 1, .source = "s" },
		{ .counts = "drop_malformed=1", .change.options = 4 },
		{ .counts = "drop_malformed=1", .type = -1 },
		{ .counts = "drop_malformed=1", .type = 1, .longer = 1 },
		{ .counts = "drop_malformed=1", .type = 1, .longer = -1 },
		{ .counts = "drop_malformed=1", .type = 2, .longer = 16 },
		{ .counts = "drop_malformed=1", .type = 3, .longer = -16 },
		{ .counts = "drop_malformed=1", .type = 4, .longer = -92 },
		{ .counts = "drop_malformed=1", .type = 4, .longer = -95 },
		{ .counts = "drop_malformed=1", .type = 4, .longer = -96 },
	};

	(void)state;
	for (enum hook hook = XDP; hook < HOOKS; hook++)
		for (size_t i = 0; i < COUNT(families) * COUNT(cases); i++) {
			const struct family *f = &families[i % 2];
			const struct refused *c = &cases[i / 2];
			struct harness_frame of = data_from(f);
			uint8_t in[HARNESS_FRAME_MAX];
			size_t len;

			if (c->source)
				of.source = *c->source == 'r'	? f->relay
					    : *c->source == 's' ? f->stranger
								: families[!(i % 2)].remote;
			if (c->source && *c->source == 'x') {
				/* Another node's address, of this family. */
				of.source = f->stranger;
				set_source(f->stranger, families[!(i % 2)].peer, 0);
			}
			if (c->from)
				of.destination_port = port((unsigned int)c->from, 0);
			if (c->change.destination_port)
				of.destination_port = c->change.destination_port;
			if (c->change.source_port)
				of.source_port = c->change.source_port;
			of.protocol = c->change.protocol;
			of.fragment = c->change.fragment;
			of.options = c->change.options;
			if (c->type > 0)
				of.payload = message((uint8_t)c->type, &of.len);
			else if (c->type < 0)
				of.payload = "\xb4 this is none of WireGuard's messages";
			of.len = (size_t)((int)of.len + c->longer);
			len = harness_build(in, &of);
			run(hook, in, len);
			if (strcmp(harness_counts(), c->counts) != 0)
				fail_msg("hook %d, case %zu, IPv%d: %s instead of %s", hook, i / 2,
					 i % 2 ? 6 : 4, harness_counts(), c->counts);
			harness_counts_reset();
			if (c->passes)
				assert_passed(hook);
			else
				assert_dropped(hook);
			assert_int_equal(out.len, len);
			assert_memory_equal(out.frame, in, len);
			assert_int_equal(out.marked, hook == XDP && c->passes);
			if (c->source && *c->source == 'x') {
				const struct dp_addr addr = harness_addr(f->stranger);

				assert_int_equal(
					bpf_map_delete_elem(harness_map("dp_sources"), &addr), 0);
			}
		}
}

/* Neither to us, nor configured, nor IP. */
static void test_other(void **state)
{
	(void)state;
	for (enum hook hook = XDP; hook < HOOKS; hook++) {
		struct harness_frame of = data_from(&families[0]);
		const uint32_t zero = 0;
		uint8_t in[HARNESS_FRAME_MAX];
		size_t len;

		of.destination = "10.9.9.9";
		run(hook, in, harness_build(in, &of));
		assert_passed(hook);
		assert_counts("pass_other=1");

		of = data_from(&families[0]);
		len = harness_build(in, &of);
		harness_set("dp_config", &zero, &(struct dp_config){ .version = 0 });
		run(hook, in, len);
		assert_passed(hook);
		assert_memory_equal(out.frame, in, len);
		assert_counts("pass_other=1");
		set_config();

		memcpy(in + 12, "\x08\x06", 2);
		run(hook, in, len);
		assert_passed(hook);
		assert_counts("pass_other=1");
	}
}

/* Behind more tags than are looked at there could be anything, and the kernel takes all of them off. */
static void test_buried(void **state)
{
	(void)state;
	for (enum hook hook = XDP; hook < HOOKS; hook++)
		for (uint8_t tags = 0; tags < 6; tags++) {
			struct harness_frame of = data_from(&families[0]);
			uint8_t in[HARNESS_FRAME_MAX];

			of.tags = tags;
			of.source = families[0].stranger;
			run(hook, in, harness_build(in, &of));
			assert_dropped(hook);
			assert_counts(tags > 2 ? "drop_malformed=1" : "drop_stranger=1");
		}
}

/* ICMP errors: what is said about packets of the mesh is not believed, all else is the stack's. */
static void test_icmp(void **state)
{
	static const struct {
		uint8_t type4, type6;
		struct harness_frame inner;
		bool passes, fragment;
	} cases[] = {
		{ 3, 1, { 0 }, false, false },
		{ 11, 2, { 0 }, false, false }, /* 2: too big */
		{ 12, 3, { 0 }, false, false },
		{ 5, 4, { 0 }, false, false },
		{ 4, 100, { 0 }, false, false },
		{ 3, 2, { .tags = 1 }, false, false }, /* here: of another lane */
		{ 3, 2, { .options = 1 }, false, false },
		{ 3, 2, { .source_port = 53 }, true, false },
		{ 3, 2, { .source_port = 53 }, false, true },
		{ 3, 2, { .protocol = 6 }, true, false },
		{ 8, 128, { 0 }, true, false }, /* an echo, whatever is in it */
		{ 8, 128, { 0 }, true, true },
		{ 0, 129, { 0 }, true, false },
	};

	(void)state;
	for (enum hook hook = XDP; hook < HOOKS; hook++)
		for (size_t i = 0; i < COUNT(families) * COUNT(cases); i++) {
			const struct family *f = &families[i % 2];
			struct harness_frame inner = cases[i / 2].inner;
			struct harness_frame of = { .source = f->stranger,
						    .destination = f->local };
			uint8_t about[HARNESS_FRAME_MAX], in[HARNESS_FRAME_MAX];
			size_t len;

			inner.source = f->local;
			inner.destination = f->remote;
			inner.destination_port = port(SELF, inner.tags);
			if (!inner.source_port)
				inner.source_port = port(f->peer, inner.tags);
			inner.tags = 0;
			inner.payload = "data";
			inner.len = 4;
			len = harness_build(about, &inner) - 14;
			of.protocol = i % 2 ? 58 : 1;
			of.source_port =
				(uint16_t)((i % 2 ? cases[i / 2].type6 : cases[i / 2].type4) << 8);
			of.payload = about + 14;
			of.fragment = cases[i / 2].fragment;
			for (of.len = len; of.len == len || of.len == 12; of.len -= len - 12) {
				/* Cut short it could be about anything. */
				const bool passes =
					cases[i / 2].passes &&
					(of.len == len || of.source_port >> 8 == 8 ||
					 of.source_port >> 8 == 0 || of.source_port >> 8 >= 128);

				run(hook, in, harness_build(in, &of));
				assert_string_equal(harness_counts(),
						    passes ? "pass_other=1" : "drop_icmp=1");
				harness_counts_reset();
				if (passes)
					assert_passed(hook);
				else
					assert_dropped(hook);
				if (of.len == 12)
					break;
			}
		}
}

/* A node whose tunnel is IPv4 cannot send its data over IPv6. */
static void test_other_family(void **state)
{
	(void)state;
	for (enum hook hook = XDP; hook < HOOKS; hook++)
		for (size_t i = 0; i < COUNT(families); i++) {
			struct harness_frame of = data_from(&families[i]);
			uint8_t in[HARNESS_FRAME_MAX];

			of.source = families[i].relay;
			of.destination_port = port(families[!i].peer, 0);
			run(hook, in, harness_build(in, &of));
			assert_dropped(hook);
			assert_counts("drop_source=1");
		}
}

static void test_handshakes(void **state)
{
	(void)state;
	config.handshakes_per_s = 5;
	set_config();
	for (enum hook hook = XDP; hook < HOOKS; hook++)
		for (size_t i = 0; i < COUNT(families); i++) {
			struct harness_frame of = data_from(&families[i]);
			const struct dp_bucket_key at = { families[i].peer, DP_BUCKET_HANDSHAKE };
			struct dp_bucket_key response = { .kind = DP_BUCKET_RESPONSE };
			struct dp_bucket bucket, answers;
			uint8_t in[HARNESS_FRAME_MAX];
			size_t len;

			harness_clear("dp_buckets");
			of.payload = message(1, &of.len);
			len = harness_build(in, &of);
			for (int n = 0; n < 5; n++) {
				run(hook, in, len);
				assert_passed(hook);
			}
			/* Not before 200 ms have passed since the first one. */
			assert_true(harness_get("dp_buckets", &at, &bucket));
			bucket.last_ns = now_ns();
			bucket.tokens = 0;
			harness_set("dp_buckets", &at, &bucket);
			run(hook, in, len);
			assert_dropped(hook);
			assert_counts("pass_data=5 drop_handshakes=1");
			/* Answers have a limit of their own, data has none. */
			for (int n = 0; n < 5; n++) {
				of.payload = message(n % 2 ? 2 : 3, &of.len);
				run(hook, in, harness_build(in, &of));
				assert_passed(hook);
			}
			response.node = families[i].peer;
			assert_true(harness_get("dp_buckets", &response, &answers));
			answers.last_ns = now_ns();
			answers.tokens = 0;
			harness_set("dp_buckets", &response, &answers);
			for (uint8_t type = 2; type <= 3; type++) {
				of.payload = message(type, &of.len);
				run(hook, in, harness_build(in, &of));
				assert_dropped(hook);
			}
			of.payload = message(4, &of.len);
			run(hook, in, harness_build(in, &of));
			assert_passed(hook);
			assert_counts("pass_data=6 drop_handshakes=2");
			bucket.last_ns = now_ns() - 250000000;
			harness_set("dp_buckets", &at, &bucket);
			run(hook, in, len);
			of.payload = message(1, &of.len);
			len = harness_build(in, &of);
			run(hook, in, len);
			assert_passed(hook);
			harness_counts_reset();
		}
}

/* -- In: probes -- */

static struct dp_probe request_from(const struct family *f, uint64_t sequence)
{
	struct dp_probe p = {
		.path = 3,
		.from = htons(f->peer),
		.to = htons(SELF),
	};
	const struct dp_config speaker = {
		.id = f->peer, .role = DP_ROLE_STANDBY, .generation = 40, .digest = 0xabc
	};
	struct dp_node node = { .key = { key[0], key[1] }, .seen_generation = 41 };

	probe_request(&p, &speaker, &node, sequence, 1234, 5678, 999);
	return p;
}

static struct harness_frame probe_frame(const struct family *f, const void *payload, size_t len)
{
	struct harness_frame of = data_from(f);

	of.payload = payload;
	of.len = len;
	return of;
}

static void check_reflection(enum hook hook, const struct family *f, size_t padding, uint8_t tags,
			     bool no_checksum, uint64_t sequence)
{
	struct {
		struct dp_probe p;
		uint8_t padding[1024];
	} payload = { .p = request_from(f, sequence) };
	const struct dp_path_key at = { .node = f->peer, .path = 3 };
	uint8_t in[HARNESS_FRAME_MAX], expect[HARNESS_FRAME_MAX];
	struct harness_frame of;
	struct dp_reflection reflection;
	struct dp_heard heard;
	const uint64_t before = now_ns();
	struct dp_probe reply;
	size_t len;

	memset(payload.padding, 0x5a, sizeof(payload.padding));
	of = probe_frame(f, &payload, sizeof(payload.p) + padding);
	of.tags = tags;
	of.no_checksum = no_checksum;
	len = harness_build(in, &of);
	run(hook, in, len);
	assert_int_equal(out.verdict, hook == XDP ? XDP_TX : TC_ACT_REDIRECT);
	assert_counts("probe_reflected=1");
	assert_true(harness_get("dp_reflections", &at, &reflection));
	assert_int_equal(reflection.highest, sequence);
	assert_int_equal(reflection.rtt_us, 1234);
	assert_int_equal(reflection.loss_ppm, 5678);
	assert_true(reflection.last_ns >= before && reflection.last_ns <= now_ns());
	assert_true(harness_get("dp_heard", &f->peer, &heard));
	assert_int_equal(heard.generation, 40);
	assert_int_equal(heard.seen_generation, 41);
	assert_int_equal(heard.digest, 0xabc);
	assert_int_equal(heard.role, DP_ROLE_STANDBY);

	/* The requester takes it, and all else is as it sent it with the ends exchanged. */
	assert_int_equal(out.len, len);
	memcpy(&reply, out.frame + len - of.len, sizeof(reply));
	assert_int_equal(probe_check(&reply, SELF, f->peer, key), PROBE_OK);
	assert_int_equal(reply.type, DP_PROBE_REPLY);
	assert_int_equal(probe_be64(reply.sequence), sequence);
	assert_int_equal(probe_be64(reply.sent_ns), 999);
	assert_int_equal(probe_be64(reply.received_ns), reflection.last_ns);
	assert_int_equal(probe_be64(reply.generation), 42);
	assert_int_equal(probe_be64(reply.seen_generation), 77);
	assert_int_equal(probe_be64(reply.digest), 0xd19e57);
	assert_int_equal(probe_be32(reply.received), reflection.received);
	assert_int_equal(reply.role, DP_ROLE_ACTIVE);
	payload.p = reply;
	swap_ends(&of);
	of.ttl = 64;
	harness_build(expect, &of);
	memcpy(expect, in + 6, 6);
	memcpy(expect + 6, in, 6);
	assert_memory_equal(out.frame, expect, len);
	assert_true(harness_sums_right(out.frame, len));
}

static void test_reflect(void **state)
{
	(void)state;
	for (enum hook hook = XDP; hook < HOOKS; hook++)
		for (size_t i = 0; i < COUNT(families); i++) {
			const struct family *f = &families[i];
			uint64_t sequence = (hook + 1ull) << 32;

			for (size_t padding = 0; padding <= 1024; padding += 64)
				check_reflection(hook, f, padding, 0, false, ++sequence);
			/* An odd length, and many sums. */
			for (size_t n = 0; n < 300; n++)
				check_reflection(hook, f, n, 0, false, ++sequence);
			if (hook == XDP) {
				check_reflection(hook, f, 0, 1, false, ++sequence);
				check_reflection(hook, f, 0, 2, false, ++sequence);
			}
		}
	check_reflection(XDP, &families[0], 0, 0, true, 1ull << 40);
	check_reflection(TC, &families[0], 0, 0, true, (1ull << 40) + 1);
}

/* Relays answer too, and are answered. */
static void test_reflect_relay(void **state)
{
	(void)state;
	config.kind = DP_KIND_RELAY;
	set_config();
	for (enum hook hook = XDP; hook < HOOKS; hook++)
		for (size_t i = 0; i < COUNT(families); i++) {
			const struct family *f = &families[i];
			struct harness_frame of;
			uint8_t in[HARNESS_FRAME_MAX];

			check_reflection(hook, f, 0, 0, false, (hook + 1ull) << 32 | i);
			of = data_from(f);
			run(hook, in, harness_build(in, &of));
			assert_dropped(hook);
			assert_counts("drop_node=1");
		}
}

static void refuse_probe(enum hook hook, const struct family *f, const void *payload, size_t len,
			 const char *counts)
{
	const struct harness_frame of = probe_frame(f, payload, len);
	uint8_t in[HARNESS_FRAME_MAX];
	const size_t n = harness_build(in, &of);

	run(hook, in, n);
	assert_dropped(hook);
	assert_int_equal(out.len, n);
	assert_memory_equal(out.frame, in, n);
	assert_counts(counts);
}

static void test_probe_refused(void **state)
{
	(void)state;
	for (enum hook hook = XDP; hook < HOOKS; hook++)
		for (size_t i = 0; i < COUNT(families); i++) {
			const struct family *f = &families[i];
			const uint64_t sequence = (hook + 1ull) << 32;
			struct dp_probe p = request_from(f, sequence);
			struct dp_heard heard;

			for (size_t len = 4; len < sizeof(p); len++)
				refuse_probe(hook, f, &p, len, "drop_probe_form=1");
			for (size_t len = 1; len < 4; len++)
				refuse_probe(hook, f, &p, len, "drop_malformed=1");
			p.tag ^= 1;
			refuse_probe(hook, f, &p, sizeof(p), "drop_probe_tag=1");
			p = request_from(f, sequence);
			p.sequence ^= 1;
			refuse_probe(hook, f, &p, sizeof(p), "drop_probe_tag=1");
			p = request_from(f, sequence);
			p.to = htons(OTHER);
			probe_sign(&p, key);
			refuse_probe(hook, f, &p, sizeof(p), "drop_probe_form=1");
			p = request_from(f, sequence);
			p.path = DP_PATHS_MAX;
			probe_sign(&p, key);
			refuse_probe(hook, f, &p, sizeof(p), "drop_probe_form=1");
			p = request_from(f, sequence);
			p.version++;
			probe_sign(&p, key);
			refuse_probe(hook, f, &p, sizeof(p), "drop_probe_form=1");
			/* Nothing of that was believed. */
			assert_int_equal(harness_get("dp_heard", &f->peer, &heard), hook != XDP);
			check_reflection(hook, f, 0, 0, false, sequence);
			p = request_from(f, sequence);
			refuse_probe(hook, f, &p, sizeof(p), "drop_probe_replay=1");
			p = request_from(f, sequence - 64);
			refuse_probe(hook, f, &p, sizeof(p), "drop_probe_replay=1");
		}
}

static struct dp_probe reply_from(const struct family *f, uint8_t path, uint64_t sequence,
				  uint64_t sent_ns)
{
	struct dp_probe p = { .path = path, .from = htons(SELF), .to = htons(f->peer) };
	const struct dp_config peer = { .id = f->peer, .role = DP_ROLE_ACTIVE, .generation = 9 };
	const struct dp_node node = { .key = { key[0], key[1] } };

	probe_request(&p, &config, &node, sequence, 0, 0, sent_ns);
	probe_reply(&p, &peer, 42, 17, now_ns(), key);
	return p;
}

static int take_sample(void *ctx, void *data, size_t len)
{
	struct dp_sample *sample = ctx;

	assert_int_equal(len, sizeof(*sample));
	memcpy(sample, data, sizeof(*sample));
	return 0;
}

static void test_reply(void **state)
{
	(void)state;
	for (enum hook hook = XDP; hook < HOOKS; hook++)
		for (size_t i = 0; i < COUNT(families); i++) {
			const struct family *f = &families[i];
			const struct dp_path_key at = { .node = f->peer, .path = 1 };
			const uint64_t sequence = (1ull << 32) + 10, sent = now_ns() - 5000000;
			struct dp_path_state path;
			struct dp_sample sample = { 0 };
			struct dp_heard heard;
			struct ring_buffer *ring;
			struct dp_probe p;

			reset(NULL);
			assert_true(harness_get("dp_path_states", &at, &path));
			path.sequence = sequence;
			path.sent = 10;
			harness_set("dp_path_states", &at, &path);
			p = reply_from(f, 1, sequence, sent);
			refuse_probe(hook, f, &p, sizeof(p), "probe_taken=1");
			assert_true(harness_get("dp_path_states", &at, &path));
			assert_int_equal(path.replies, 1);
			assert_int_equal(path.remote_received, 17);
			assert_int_equal(path.payload_max, sizeof(p));
			assert_true(path.rtt_us >= 5000 && path.rtt_us < 60000000);
			assert_true(path.last_reply_ns > sent);
			assert_true(harness_get("dp_heard", &f->peer, &heard));
			assert_int_equal(heard.generation, 9);
			assert_int_equal(heard.role, DP_ROLE_ACTIVE);

			ring = ring_buffer__new(harness_map("dp_samples"), take_sample, &sample,
						NULL);
			assert_non_null(ring);
			assert_int_equal(ring_buffer__consume(ring), 1);
			ring_buffer__free(ring);
			assert_int_equal(sample.node, f->peer);
			assert_int_equal(sample.path, 1);
			assert_int_equal(sample.sequence, sequence);
			assert_int_equal(sample.sent, 10);
			assert_int_equal(sample.replies, 1);
			assert_int_equal(sample.remote_received, 17);
			assert_int_equal(sample.payload, sizeof(p));

			refuse_probe(hook, f, &p, sizeof(p), "drop_probe_replay=1");
			p = reply_from(f, 1, sequence + 1, sent);
			refuse_probe(hook, f, &p, sizeof(p), "drop_probe_unasked=1");
			p = reply_from(f, 4, sequence, sent);
			refuse_probe(hook, f, &p, sizeof(p), "drop_probe_unasked=1");
			p = reply_from(f, 1, sequence - 1, sent);
			p.received++;
			refuse_probe(hook, f, &p, sizeof(p), "drop_probe_tag=1");
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_data, reset),
		cmocka_unit_test_setup(test_padding, reset),
		cmocka_unit_test_setup(test_unknown_way, reset),
		cmocka_unit_test_setup(test_no_checksum, reset),
		cmocka_unit_test_setup(test_every_sum, reset),
		cmocka_unit_test_setup(test_refused, reset),
		cmocka_unit_test_setup(test_other, reset),
		cmocka_unit_test_setup(test_buried, reset),
		cmocka_unit_test_setup(test_icmp, reset),
		cmocka_unit_test_setup(test_other_family, reset),
		cmocka_unit_test_setup(test_handshakes, reset),
		cmocka_unit_test_setup(test_reflect, reset),
		cmocka_unit_test_setup(test_reflect_relay, reset),
		cmocka_unit_test_setup(test_probe_refused, reset),
		cmocka_unit_test_setup(test_reply, reset),
	};

	return cmocka_run_group_tests_name("wan", tests, harness_setup, harness_teardown);
}

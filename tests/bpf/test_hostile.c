/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whatever comes on the WAN: valid packets with bits flipped, bytes changed, cut at every length,
 * and noise. A naive reader of packets says what must not have passed, and that what was neither
 * passed as data nor answered is as it came. DP_SEED repeats a run.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>

#include "wan.h"

#define RUNS 200000

struct reading {
	bool mesh; /* UDP for a mesh port of an address of ours, as far as can be read */
	bool data, probe;
};

static uint64_t seed;

static uint32_t noise(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16);
}

static unsigned int be16(const uint8_t *at)
{
	return at[0] * 256u + at[1];
}

static struct dp_addr addr_at(const uint8_t *at, bool v4)
{
	struct dp_addr addr = { { 0, 0, htonl(0xffff), 0 } };

	if (v4)
		memcpy(&addr.word[3], at, 4);
	else
		memcpy(&addr, at, 16);
	return addr;
}

static bool wireguard(const uint8_t *payload, size_t len)
{
	if (len < 4 || payload[1] || payload[2] || payload[3])
		return false;
	return (payload[0] == 1 && len == 148) || (payload[0] == 2 && len == 92) ||
	       (payload[0] == 3 && len == 64) || (payload[0] == 4 && len >= 32);
}

static void read_mesh(const uint8_t *ip, size_t header, size_t total, size_t len, bool plain,
		      struct reading *ret)
{
	const bool v4 = ip[0] >> 4 == 4;
	const struct dp_addr source = addr_at(ip + (v4 ? 12 : 8), v4);
	const struct dp_addr destination = addr_at(ip + (v4 ? 16 : 24), v4);
	const uint8_t *udp = ip + header, *payload = udp + 8;
	unsigned int from, to, payload_len;
	struct dp_source sender;
	struct dp_local local;
	struct dp_probe p;
	struct dp_node node;
	uint16_t id;

	if (len < header + 8 || !harness_get("dp_locals", &destination, &local))
		return;
	from = be16(udp + 2) - BASE;
	to = be16(udp) - BASE;
	if (from == 0 || from >= 4 * 4096)
		return;
	ret->mesh = true;
	if (!plain || total > len || total != header + be16(udp + 4) || be16(udp + 4) < 8)
		return;
	if (to >= 4 * 4096 || from / 4096 != to / 4096 || to % 4096 != SELF)
		return;
	id = from % 4096;
	if (!harness_get("dp_sources", &source, &sender) || !harness_get("dp_nodes", &id, &node) ||
	    (sender.node != id && sender.node != RELAY))
		return;
	payload_len = be16(udp + 4) - 8;
	ret->data = wireguard(payload, payload_len);
	if (payload_len < sizeof(p))
		return;
	memcpy(&p, payload, sizeof(p));
	ret->probe = p.type == DP_PROBE_REQUEST && probe_check(&p, id, SELF, node.key) == PROBE_OK;
}

static struct reading read_frame(const uint8_t *frame, size_t len)
{
	struct reading reading = { 0 };
	size_t at = 12, header = 40;
	const uint8_t *ip;
	uint8_t next;
	bool plain = true;

	for (int tags = 0; tags < 2 && at + 6 <= len &&
			   (be16(frame + at) == 0x8100 || be16(frame + at) == 0x88a8);
	     tags++)
		at += 4;
	ip = frame + at + 2;
	len -= at + 2 < len ? at + 2 : len;
	if (be16(frame + at) == 0x0800 && len >= 20 && ip[0] >> 4 == 4) {
		header = (ip[0] & 15) * 4u;
		if (header >= 20 && ip[9] == 17 && !(be16(ip + 6) & 0x1fff))
			read_mesh(ip, header, be16(ip + 2), len,
				  header == 20 && !(be16(ip + 6) & 0x2000), &reading);
	} else if (be16(frame + at) == 0x86dd && len >= 40 && ip[0] >> 4 == 6) {
		next = ip[6];
		for (int i = 0; i < 4 && len >= header + 4; i++) {
			const uint8_t *const extension = ip + header;

			if (next == 44 && be16(extension + 2) & 0xfff8)
				return reading;
			if (next != 0 && next != 43 && next != 44 && next != 51 && next != 60)
				break;
			plain = false;
			header += next == 44   ? 8
				  : next == 51 ? (extension[1] + 2) * 4u
					       : (extension[1] + 1) * 8u;
			next = extension[0];
			if ((size_t)(ip - frame) + header > 240)
				return reading;
		}
		if (next == 17)
			read_mesh(ip, header, 40 + be16(ip + 4), len, plain, &reading);
	}
	return reading;
}

static size_t template(uint8_t *frame, uint32_t which)
{
	const struct family *f = &families[which & 1];
	struct harness_frame of = data_from(f);
	static struct dp_probe p;
	static uint64_t sequence = 1ull << 33;

	of.payload = message((uint8_t)(1 + (which >> 1) % 4), &of.len);
	if (which & 8) {
		const struct dp_config speaker = { .id = f->peer };
		const struct dp_node node = { .key = { key[0], key[1] } };

		p = (struct dp_probe){ .from = htons(f->peer), .to = htons(SELF) };
		probe_request(&p, &speaker, &node, ++sequence, 0, 0, 1);
		if (which & 16)
			probe_reply(&p, &config, 0, 1, 1, key);
		of.payload = &p;
		of.len = sizeof(p);
	}
	if ((which >> 5) % 8 == 0)
		of.options = 1;
	if ((which >> 5) % 8 == 1)
		of.fragment = 1;
	if ((which >> 5) % 8 == 2)
		of.tags = 1;
	if ((which >> 5) % 8 == 3)
		of.source = f->relay;
	return harness_build(frame, &of);
}

static size_t spoil(uint8_t *frame, size_t len, uint32_t how)
{
	/* Mostly headers: that is where the programs look. */
	const size_t reach = noise() % 4 ? (len < 72 ? len : 72) : len;

	switch (how % 6) {
	case 0:
		return len;
	case 1:
		for (uint32_t n = noise() % 4; n < 4; n++)
			frame[12 + noise() % (reach - 12)] ^= (uint8_t)(1u << noise() % 8);
		return len;
	case 2:
		frame[12 + noise() % (reach - 12)] = (uint8_t)noise();
		return len;
	case 3:
		return 14 + noise() % (len - 14);
	case 4:
		return len + noise() % 64;
	default:
		for (size_t i = 14 + noise() % 60; i < len; i++)
			frame[i] = (uint8_t)noise();
		return len;
	}
}

/* What is shorter than an IPv6 header the kernel does not give to tc in a test run. */
static enum hook hook_for(uint32_t n, size_t len)
{
	return n % 2 && len >= 54 ? TC : XDP;
}

static void check(enum hook hook, const uint8_t *in, size_t len)
{
	const struct reading reading = read_frame(in, len);
	const bool same = out.len == len && memcmp(out.frame, in, len) == 0;
	const char *const counts = harness_counts();
	const bool data = strcmp(counts, "pass_data=1") == 0;
	const bool reflected = strcmp(counts, "probe_reflected=1") == 0;
	const uint32_t pass = hook == XDP ? XDP_PASS : TC_ACT_OK;
	const char *wrong = NULL;

	if (data && (!reading.data || out.verdict != pass || out.len != len))
		wrong = "passed as data";
	else if (reflected && (!reading.probe || same))
		wrong = "was answered";
	else if (!data && !reflected && !same)
		wrong = "was changed";
	else if (!data && out.verdict == pass && reading.mesh)
		wrong = "passed";
	else if (!data && !reflected && out.verdict != pass &&
		 out.verdict != (hook == XDP ? XDP_DROP : TC_ACT_SHOT))
		wrong = "was sent on";
	else if (out.verdict != pass && !reading.mesh && strcmp(counts, "drop_malformed=1") != 0 &&
		 strcmp(counts, "drop_icmp=1") != 0)
		wrong = "was dropped, and is not ours";
	else if (!strchr(counts, '=') || strchr(counts, ' ') || strcmp(strchr(counts, '='), "=1"))
		wrong = "was not counted once";
	if (wrong) {
		for (size_t i = 0; i < len; i++)
			fprintf(stderr, "%02x%s", in[i], i % 32 == 31 ? "\n" : " ");
		fail_msg("hook %d: this %s: verdict %u, %s", hook, wrong, out.verdict, counts);
	}
	harness_counts_reset();
}

static void test_spoilt(void **state)
{
	uint8_t in[HARNESS_FRAME_MAX];

	(void)state;
	for (uint32_t n = 0; n < RUNS; n++) {
		const size_t len = spoil(in, template(in, noise()), noise());
		const enum hook hook = hook_for(n, len);

		run(hook, in, len);
		check(hook, in, len);
	}
}

/* Each template at each length, and with each single bit of it flipped. */
static void test_every(void **state)
{
	uint8_t in[HARNESS_FRAME_MAX];

	(void)state;
	for (uint32_t which = 0; which < 256; which += which % 32 == 31 ? 65 : 1) {
		const size_t len = template(in, which);
		const enum hook hook = hook_for(which / 2, len);

		for (size_t cut = 14; cut < len; cut++) {
			run(hook_for(which, cut), in, cut);
			check(hook_for(which, cut), in, cut);
		}
		for (size_t bit = 12 * 8; bit < 80 * 8 && bit < len * 8; bit++) {
			in[bit / 8] ^= (uint8_t)(1u << bit % 8);
			run(hook, in, len);
			check(hook, in, len);
			in[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_every, reset),
		cmocka_unit_test_setup(test_spoilt, reset),
	};
	const char *const text = getenv("DP_SEED");

	seed = text ? strtoull(text, NULL, 0) : now_ns();
	fprintf(stderr, "# DP_SEED=%llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests_name("hostile", tests, harness_setup, harness_teardown);
}

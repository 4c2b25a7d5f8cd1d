/* SPDX-License-Identifier: GPL-2.0-only */
/* The list of paths against a naive enumeration, and what is disjoint against killing things. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "path.h"

#define SELF_ID 1
#define PEER_ID 2
#define WANS 12
#define RELAYS 40

/* Two sites of one gateway each, and relays, as many as are wanted. */
struct mesh {
	struct config config;
	struct config_site sites[2];
	struct config_gateway gateways[2];
	struct config_relay relays[RELAYS];
	struct config_wan gateway_wans[2][WANS], relay_wans[RELAYS][WANS];
};

static uint64_t seed;

static unsigned int chance(unsigned int n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned int)((seed >> 16) % n);
}

/* Public and private addresses differ, and tell whose they are: node, index. */
static struct config_wan wan(uint8_t family, uint16_t node, size_t index)
{
	struct config_wan w = { .public_addr = { family, { 203 } },
				.private_addr = { family, { 10 } } };

	w.public_addr.bytes[1] = w.private_addr.bytes[1] = (uint8_t)(node >> 8);
	w.public_addr.bytes[2] = w.private_addr.bytes[2] = (uint8_t)node;
	w.public_addr.bytes[3] = w.private_addr.bytes[3] = (uint8_t)index;
	return w;
}

/* families: one character for each address, '4' or '6'. */
static size_t set_wans(struct config_wan *wans, const char *families, uint16_t node)
{
	size_t n = strlen(families);

	for (size_t i = 0; i < n; i++)
		wans[i] = wan(families[i] == '4' ? IP_V4 : IP_V6, node, i);
	return n;
}

static void mesh_init(struct mesh *mesh, const char *self, const char *peer)
{
	const char *const wans[2] = { self, peer };

	memset(mesh, 0, sizeof(*mesh));
	mesh->config.mesh.sites = mesh->sites;
	mesh->config.mesh.n_sites = 2;
	mesh->config.mesh.relays = mesh->relays;
	for (unsigned int i = 0; i < 2; i++) {
		mesh->sites[i].gateways = &mesh->gateways[i];
		mesh->sites[i].n_gateways = 1;
		mesh->gateways[i].id = (uint16_t)(SELF_ID + i);
		mesh->gateways[i].wans = mesh->gateway_wans[i];
		mesh->gateways[i].n_wans =
			set_wans(mesh->gateway_wans[i], wans[i], mesh->gateways[i].id);
	}
}

static void mesh_relay(struct mesh *mesh, uint16_t id, const char *wans)
{
	size_t i = mesh->config.mesh.n_relays++;

	mesh->relays[i].id = id;
	mesh->relays[i].wans = mesh->relay_wans[i];
	mesh->relays[i].n_wans = set_wans(mesh->relay_wans[i], wans, id);
}

static void random_families(char families[static WANS + 1], unsigned int max)
{
	unsigned int n = 1 + chance(max);

	for (unsigned int i = 0; i < n; i++)
		families[i] = chance(3) ? '4' : '6';
	families[n] = '\0';
}

static void mesh_random(struct mesh *mesh, unsigned int max_wans, unsigned int max_relays)
{
	char self[WANS + 1], peer[WANS + 1], relay[WANS + 1];
	unsigned int n_relays = chance(max_relays + 1);

	random_families(self, max_wans);
	random_families(peer, max_wans);
	mesh_init(mesh, self, peer);
	for (unsigned int i = 0; i < n_relays; i++) {
		random_families(relay, 3);
		/* Ids in no order, and each once: 7 has no factor in common with 64. */
		mesh_relay(mesh, (uint16_t)(100 + i * 7 % 64), relay);
	}
}

static void assert_path(const struct path *path, unsigned int number, unsigned int local,
			unsigned int remote, unsigned int relay)
{
	assert_int_equal(path->number, number);
	assert_int_equal(path->local_wan, local);
	assert_int_equal(path->remote_wan, remote);
	assert_int_equal(path->relay, relay);
}

static void two_addresses_and_two_relays(void **state)
{
	struct path paths[DP_PATHS_MAX];
	struct mesh mesh;

	(void)state;
	mesh_init(&mesh, "44", "44");
	mesh_relay(&mesh, 200, "4");
	mesh_relay(&mesh, 100, "644");
	assert_int_equal(path_list(&mesh.config, PEER_ID, paths), 8);
	assert_int_equal(path_count(&mesh.config, PEER_ID), 8);
	assert_path(&paths[0], 0, 0, 0, 0);
	assert_path(&paths[1], 1, 0, 1, 0);
	assert_path(&paths[2], 2, 1, 0, 0);
	assert_path(&paths[3], 3, 1, 1, 0);
	assert_path(&paths[4], 4, 0, 0, 100);
	assert_path(&paths[5], 5, 1, 0, 100);
	assert_path(&paths[6], 6, 0, 0, 200);
	assert_path(&paths[7], 7, 1, 0, 200);
	/* Address, way between, other address. */
	assert_int_equal(path_common(&paths[0], &paths[0]), 3);
	assert_int_equal(path_common(&paths[0], &paths[1]), 2);
	assert_int_equal(path_common(&paths[0], &paths[3]), 1);
	assert_int_equal(path_common(&paths[0], &paths[4]), 1);
	assert_int_equal(path_common(&paths[3], &paths[4]), 0);
	assert_int_equal(path_common(&paths[4], &paths[5]), 1);
	assert_int_equal(path_common(&paths[4], &paths[6]), 1);
	assert_int_equal(path_common(&paths[5], &paths[6]), 0);
	for (unsigned int i = 0; i < 8; i++) {
		const struct config_wan *remote = &mesh.gateway_wans[1][paths[i].remote_wan];

		if (paths[i].relay)
			remote = paths[i].relay == 100 ? &mesh.relay_wans[1][1]
						       : &mesh.relay_wans[0][0];
		assert_int_equal(paths[i].peer, PEER_ID);
		assert_int_equal(paths[i].kind, DP_KIND_GATEWAY);
		assert_int_equal(paths[i].remote_wans, 2);
		assert_int_equal(
			ip_addr_compare(&paths[i].local,
					&mesh.gateway_wans[0][paths[i].local_wan].private_addr),
			0);
		assert_int_equal(ip_addr_compare(&paths[i].remote, &remote->public_addr), 0);
	}
}

/* WireGuard's endpoint: the peer's first address that we can reach, not our first. */
static void canonical_is_the_peers_first(void **state)
{
	struct path paths[DP_PATHS_MAX];
	struct mesh mesh;

	(void)state;
	mesh_init(&mesh, "466", "64");
	assert_int_equal(path_list(&mesh.config, PEER_ID, paths), 3);
	assert_path(&paths[0], 0, 1, 0, 0);
	assert_path(&paths[1], 1, 0, 1, 0);
	assert_path(&paths[2], 2, 2, 0, 0);
	mesh_init(&mesh, "44", "664");
	assert_int_equal(path_list(&mesh.config, PEER_ID, paths), 2);
	assert_path(&paths[0], 0, 0, 2, 0);
}

static void nothing_in_common_is_no_path(void **state)
{
	struct path paths[DP_PATHS_MAX];
	struct mesh mesh;

	(void)state;
	mesh_init(&mesh, "44", "66");
	mesh_relay(&mesh, 100, "46");
	assert_int_equal(path_list(&mesh.config, PEER_ID, paths), 0);
	assert_int_equal(path_list(&mesh.config, SELF_ID, paths), 0);
	assert_int_equal(path_list(&mesh.config, 77, paths), 0);
	assert_int_equal(path_list(&mesh.config, 0, paths), 0);
}

static void relays_have_direct_paths(void **state)
{
	struct path paths[DP_PATHS_MAX];
	struct mesh mesh;

	(void)state;
	mesh_init(&mesh, "44", "46");
	mesh_relay(&mesh, 200, "46");
	mesh_relay(&mesh, 100, "4");
	/* A gateway to a relay. */
	assert_int_equal(path_list(&mesh.config, 200, paths), 2);
	assert_int_equal(paths[0].kind, DP_KIND_RELAY);
	assert_path(&paths[1], 1, 1, 0, 0);
	/* A relay to gateways, to another relay, and to itself. */
	mesh.config.is_relay = true;
	mesh.config.self_relay = 0;
	assert_int_equal(path_list(&mesh.config, SELF_ID, paths), 2);
	assert_path(&paths[0], 0, 0, 0, 0);
	assert_path(&paths[1], 1, 0, 1, 0);
	assert_int_equal(paths[0].kind, DP_KIND_GATEWAY);
	assert_int_equal(path_list(&mesh.config, PEER_ID, paths), 2);
	assert_path(&paths[1], 1, 1, 1, 0);
	assert_int_equal(path_list(&mesh.config, 100, paths), 1);
	assert_int_equal(paths[0].kind, DP_KIND_RELAY);
	assert_int_equal(path_list(&mesh.config, 200, paths), 0);
}

/* The order of relays in the file is nothing; one with a high id comes last. */
static void numbers_stay(void **state)
{
	struct path before[DP_PATHS_MAX], after[DP_PATHS_MAX];
	struct mesh mesh;
	size_t n;

	(void)state;
	mesh_init(&mesh, "446", "644");
	mesh_relay(&mesh, 100, "4");
	mesh_relay(&mesh, 110, "64");
	n = path_list(&mesh.config, PEER_ID, before);
	mesh_init(&mesh, "446", "644");
	mesh_relay(&mesh, 120, "46");
	mesh_relay(&mesh, 110, "64");
	mesh_relay(&mesh, 100, "4");
	assert_int_equal(path_list(&mesh.config, PEER_ID, after), n + 3);
	for (size_t i = 0; i < n; i++) {
		assert_memory_equal(&before[i], &after[i], sizeof(before[i]));
		assert_int_equal(path_find(after, n + 3, &before[i]), i);
	}
	assert_int_equal(path_find(before, n, &after[n]), DP_NO_PATH);
}

/* Every pair of addresses, every relay, looked for in the list. */
static void lists_are_complete(void **state)
{
	static struct mesh mesh;
	struct path paths[DP_PATHS_MAX];
	unsigned int full = 0;

	(void)state;
	seed = 1;
	for (unsigned int round = 0; round < 3000; round++) {
		const struct config_gateway *self = &mesh.gateways[0], *peer = &mesh.gateways[1];
		size_t n, expected = 0, found = 0, direct = 0, canonical = SIZE_MAX;

		mesh_random(&mesh, round % 2 ? 3 : WANS, round % 3 ? 4 : RELAYS);
		n = path_list(&mesh.config, PEER_ID, paths);
		for (size_t l = 0; l < self->n_wans; l++) {
			uint8_t family = self->wans[l].public_addr.family;
			bool peer_has = false;

			for (size_t r = 0; r < peer->n_wans; r++) {
				if (peer->wans[r].public_addr.family != family)
					continue;
				peer_has = true;
				direct++;
				if (r < canonical)
					canonical = r;
				for (size_t i = 0; i < n; i++)
					found += !paths[i].relay && paths[i].local_wan == l &&
						 paths[i].remote_wan == r;
			}
			for (size_t y = 0; peer_has && y < mesh.config.mesh.n_relays; y++) {
				bool relay_has = false;

				for (size_t w = 0; w < mesh.relays[y].n_wans; w++)
					relay_has |=
						mesh.relays[y].wans[w].public_addr.family == family;
				expected += relay_has;
				for (size_t i = 0; relay_has && i < n; i++)
					found += paths[i].relay == mesh.relays[y].id &&
						 paths[i].local_wan == l;
			}
		}
		expected += direct;
		/* All that is there is found once: none twice, none that should not be. */
		assert_int_equal(found, n);
		assert_int_equal(n, expected < DP_PATHS_MAX ? expected : DP_PATHS_MAX);
		assert_int_equal(path_count(&mesh.config, PEER_ID), expected);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(paths[i].number, i);
		if (n) {
			assert_int_equal(paths[0].relay, 0);
			assert_int_equal(paths[0].remote_wan, canonical);
		}
		full += expected > DP_PATHS_MAX;
	}
	assert_true(full > 100);
}

static void too_many_are_left_out_fairly(void **state)
{
	struct path paths[DP_PATHS_MAX];
	static struct mesh mesh;
	unsigned int direct = 0, first = 0;

	(void)state;
	/* 64 pairs of addresses leave half of the places to relays. */
	mesh_init(&mesh, "44444444", "44444444");
	for (uint16_t i = 0; i < 3; i++)
		mesh_relay(&mesh, (uint16_t)(100 + i), "4");
	assert_int_equal(path_list(&mesh.config, PEER_ID, paths), DP_PATHS_MAX);
	assert_int_equal(path_count(&mesh.config, PEER_ID), 64 + 24);
	for (unsigned int i = 0; i < DP_PATHS_MAX; i++)
		direct += !paths[i].relay;
	assert_int_equal(direct, DP_PATHS_MAX / 2);

	/* Twenty relays have one path each before eight have two. */
	mesh_init(&mesh, "44", "44");
	for (uint16_t i = 0; i < 20; i++)
		mesh_relay(&mesh, (uint16_t)(100 + i), "4");
	assert_int_equal(path_list(&mesh.config, PEER_ID, paths), DP_PATHS_MAX);
	for (unsigned int i = 0; i < DP_PATHS_MAX; i++)
		first += paths[i].relay && !paths[i].local_wan;
	assert_int_equal(first, 20);
	assert_path(&paths[24], 24, 1, 0, 100);
}

/* -- What one failure does to a pair -- */

enum victim {
	LOCAL,
	REMOTE,
	RELAY,
	VICTIM_MAX,
};

struct failure {
	enum victim victim;
	unsigned int which; /* index of the address, id of the relay */
};

/* Whether a packet comes through, if the relay sends it to the peer's address number choice. */
static bool survives(const struct path *path, const struct failure *failure, unsigned int choice)
{
	unsigned int remote = path->relay ? choice : path->remote_wan;

	switch (failure->victim) {
	case LOCAL:
		return path->local_wan != failure->which;
	case REMOTE:
		return remote != failure->which;
	case RELAY:
		return path->relay != failure->which;
	case VICTIM_MAX:
		break;
	}
	return false;
}

/* What the relay may choose: those of the family; once it has healed, those that live. */
static bool can_choose(const struct path *path, const struct config_gateway *peer,
		       unsigned int choice, const struct failure *failure, bool healed)
{
	if (!path->relay)
		return choice == path->remote_wan;
	if (peer->wans[choice].public_addr.family != path->local.family)
		return false;
	return !healed || failure->victim != REMOTE || choice != failure->which;
}

/* Does one of the two come through, whatever relays choose? */
static bool pair_survives(const struct config_gateway *peer, const struct path *a,
			  const struct path *b, const struct failure *failure, bool healed)
{
	bool a_always = true, b_always = true, a_can = false, b_can = false;

	for (unsigned int c = 0; c < peer->n_wans; c++) {
		if (can_choose(a, peer, c, failure, healed)) {
			a_can = true;
			a_always &= survives(a, failure, c);
		}
		if (can_choose(b, peer, c, failure, healed)) {
			b_can = true;
			b_always &= survives(b, failure, c);
		}
	}
	return (a_can && a_always) || (b_can && b_always);
}

static enum path_apart apart_by_killing(const struct mesh *mesh, const struct path *a,
					const struct path *b)
{
	const struct config_gateway *peer = &mesh->gateways[1];
	const size_t n[VICTIM_MAX] = { mesh->gateways[0].n_wans, peer->n_wans,
				       mesh->config.mesh.n_relays };
	enum path_apart apart = PATH_APART;

	for (unsigned int victim = 0; victim < VICTIM_MAX; victim++) {
		for (unsigned int i = 0; i < n[victim]; i++) {
			struct failure failure = { (enum victim)victim, i };

			if (victim == RELAY)
				failure.which = mesh->relays[i].id;
			if (!pair_survives(peer, a, b, &failure, true))
				return PATH_APART_NOT;
			if (!pair_survives(peer, a, b, &failure, false))
				apart = PATH_APART_HEALS;
		}
	}
	return apart;
}

static void disjoint_is_what_survives(void **state)
{
	unsigned int seen[PATH_APART + 1] = { 0 };
	struct path paths[DP_PATHS_MAX];
	static struct mesh mesh;

	(void)state;
	seed = 2;
	for (unsigned int round = 0; round < 2000; round++) {
		size_t n;

		mesh_random(&mesh, 4, 5);
		n = path_list(&mesh.config, PEER_ID, paths);
		for (size_t i = 0; i < n; i++) {
			for (size_t k = 0; k < n; k++) {
				enum path_apart apart = path_apart(&paths[i], &paths[k]);

				assert_int_equal(apart,
						 apart_by_killing(&mesh, &paths[i], &paths[k]));
				seen[apart]++;
			}
			assert_int_equal(path_apart(&paths[i], &paths[i]), PATH_APART_NOT);
		}
	}
	for (unsigned int i = 0; i <= PATH_APART; i++)
		assert_true(seen[i] > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_addresses_and_two_relays),
		cmocka_unit_test(canonical_is_the_peers_first),
		cmocka_unit_test(nothing_in_common_is_no_path),
		cmocka_unit_test(relays_have_direct_paths),
		cmocka_unit_test(numbers_stay),
		cmocka_unit_test(lists_are_complete),
		cmocka_unit_test(too_many_are_left_out_fairly),
		cmocka_unit_test(disjoint_is_what_survives),
	};

	return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}

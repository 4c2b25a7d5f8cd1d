/* SPDX-License-Identifier: GPL-2.0-only */
#include "path_mtu.h"

#include <string.h>

#define PADDING 16u

void path_mtu_init(struct path_mtu *mtu)
{
	*mtu = (struct path_mtu){ .path = DP_NO_PATH };
}

uint16_t path_mtu_of(uint16_t payload)
{
	uint16_t mtu;

	if (payload < PATH_MTU_PAYLOAD_MIN)
		payload = PATH_MTU_PAYLOAD_MIN;
	mtu = (uint16_t)(payload - PATH_MTU_OVERHEAD);
	return mtu < PATH_MTU_DEVICE_MIN ? (uint16_t)(mtu / PADDING * PADDING) : mtu;
}

void path_mtu_adopt(struct path_mtu *mtu, uint16_t in_force, uint16_t configured)
{
	path_mtu_init(mtu);
	mtu->mtu = in_force < configured ? in_force : configured;
	mtu->configured = configured;
}

void path_mtu_renumber(struct path_mtu *mtu, const uint8_t map[static DP_PATHS_MAX])
{
	if (mtu->path < DP_PATHS_MAX)
		mtu->path = map[mtu->path];
}

/* The positions of the order over which the programs spread flows (dp_node.spread). */
static unsigned int spread_now(const struct path_decision *decision,
			       const struct path_metrics *metrics)
{
	unsigned int alive = 0;

	for (unsigned int i = 0; i < decision->n_order; i++)
		if (metrics[decision->order[i]].alive)
			alive |= 1u << i;
	return alive & decision->spread ? alive & decision->spread : alive;
}

static bool may_be_taken(const struct path_decision *decision, unsigned int spread, uint8_t number)
{
	for (unsigned int i = 0; i < decision->n_order; i++)
		if (decision->order[i] == number && spread >> i & 1)
			return true;
	return path_decision_is_near(decision, number);
}

bool path_mtu_update(struct path_mtu *mtu, const struct path_decision *decision,
		     const struct path_metrics *metrics, const uint16_t *payloads, size_t n,
		     bool bulk, uint16_t configured, uint64_t now_us)
{
	const unsigned int spread = bulk ? spread_now(decision, metrics) : 0;
	const uint16_t before = mtu->mtu;
	uint16_t bound = configured;
	uint8_t path = DP_NO_PATH;

	for (uint8_t i = 0; i < n; i++) {
		if (!metrics[i].alive || !payloads[i] || !may_be_taken(decision, spread, i))
			continue;
		if (path_mtu_of(payloads[i]) >= bound)
			continue;
		bound = path_mtu_of(payloads[i]);
		path = i;
	}
	/* What the configuration alone had limited follows it at once. */
	if (!before || bound <= before || before == mtu->configured) {
		mtu->mtu = bound;
		mtu->path = path;
		mtu->more = 0;
	} else if (!mtu->more) {
		mtu->more = bound;
		mtu->more_since_us = now_us;
	} else {
		if (bound < mtu->more)
			mtu->more = bound;
		if (now_us - mtu->more_since_us >= PATH_MTU_HOLD_US) {
			mtu->mtu = mtu->more;
			mtu->path = path;
			mtu->more = 0;
		}
	}
	mtu->configured = configured;
	return mtu->mtu != before;
}

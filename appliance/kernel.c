/* SPDX-License-Identifier: GPL-2.0-only */
#include "kernel.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "link.h"
#include "realtime.h"
#include "route.h"
#include "sysctl.h"
#include "wanted.h"
#include "wireguard.h"

/* Not an id that a peer can have (1..4095), so never the name of a tunnel. */
#define PROBE_IFNAME STATE_LINK_PREFIX "probe"

/* An engine that does not answer is waited for so long where there is no hurry to know. */
#define PATIENCE_MS 100

int kernel_open(struct sd_event *event, const char *log_dir, engines_exited_fn *exited, void *data,
		struct kernel *ret_kernel)
{
	struct kernel kernel = { 0 };
	int rc;

	rc = netlink_open(NETLINK_ROUTE, 0, &kernel.route);
	if (rc)
		return rc;
	rc = nft_open(&kernel.nft);
	if (rc)
		goto err_route;
	rc = engines_new(event, log_dir, exited, data, &kernel.engines);
	if (rc)
		goto err_nft;
	*ret_kernel = kernel;
	return 0;

err_nft:
	nft_close(kernel.nft);
err_route:
	netlink_close(kernel.route);
	return rc;
}

void kernel_close(struct kernel *kernel)
{
	engines_free(kernel->engines);
	nft_close(kernel->nft);
	netlink_close(kernel->route);
	*kernel = (struct kernel){ 0 };
}

int kernel_probe_wireguard(struct kernel *kernel)
{
	int rc = link_add_wireguard(kernel->route, PROBE_IFNAME);

	/* Of a daemon that was killed just here. */
	if (rc == -EEXIST && !link_delete(kernel->route, PROBE_IFNAME))
		rc = link_add_wireguard(kernel->route, PROBE_IFNAME);
	if (!rc)
		(void)link_delete(kernel->route, PROBE_IFNAME); /* it was made a moment ago */
	return rc;
}

static int read_link(const struct link_info *info, void *data)
{
	struct state *state = data;
	struct state_tunnel *tunnel;

	if (!wanted_ifname_id(info->name))
		return 0;
	tunnel = state_add_tunnel(state);
	if (!tunnel)
		return -ENOMEM;
	snprintf(tunnel->ifname, sizeof(tunnel->ifname), "%s", info->name);
	tunnel->peer_id = wanted_ifname_id(info->name);
	tunnel->mtu = (uint16_t)info->mtu;
	tunnel->up = info->up;
	if (!strcmp(info->kind, "wireguard"))
		tunnel->engine = STATE_ENGINE_KERNEL;
	else if (!strcmp(info->kind, "tun"))
		tunnel->engine = STATE_ENGINE_USER;
	else
		tunnel->engine = STATE_ENGINE_BROKEN;
	return 0;
}

static int read_address(const struct state_address *address, void *data)
{
	struct state *state = data;
	struct state_address *new;

	if (!wanted_ifname_id(address->ifname))
		return 0;
	new = state_add_address(state);
	if (!new)
		return -ENOMEM;
	*new = *address;
	return 0;
}

static int read_sysctls(const struct state *wanted, struct state *state)
{
	for (size_t i = 0; i < wanted->n_sysctls; i++) {
		const struct state_sysctl *want = &wanted->sysctls[i];
		struct state_sysctl *sysctl = state_add_sysctl(state);

		if (!sysctl)
			return -ENOMEM;
		memcpy(sysctl->path, want->path, sizeof(sysctl->path));
		/* A file that cannot be read differs from everything: writing will tell why. */
		if (sysctl_read(want->path, sysctl->value, sizeof(sysctl->value)))
			sysctl->value[0] = '\0';
	}
	return 0;
}

/*
 * One that does not answer at once is not waited for if there is no hurry to know what it would say:
 * it is looked at again, and health finds out whether it hangs (health_engine.h).
 */
static bool take_as_wanted(const struct state *wanted, struct state_tunnel *tunnel)
{
	for (size_t i = 0; wanted && i < wanted->n_tunnels; i++) {
		const struct state_tunnel *want = &wanted->tunnels[i];
		const struct state_tunnel found = *tunnel;

		if (state_tunnel_compare(want, tunnel) || want->engine != STATE_ENGINE_USER ||
		    wireguard_uapi_answers(tunnel->ifname, PATIENCE_MS))
			continue;
		*tunnel = *want;
		tunnel->up = found.up;
		tunnel->mtu = found.mtu;
		return true;
	}
	return false;
}

static int read_tunnels(struct kernel *kernel, const struct state *wanted, struct state *state)
{
	for (size_t i = 0; i < state->n_tunnels; i++) {
		struct state_tunnel *tunnel = &state->tunnels[i];
		int rc;

		if (tunnel->engine == STATE_ENGINE_BROKEN)
			continue;
		if (tunnel->engine == STATE_ENGINE_USER)
			(void)engines_adopt(kernel->engines, tunnel->ifname); /* reading tells */
		if (tunnel->engine == STATE_ENGINE_USER && take_as_wanted(wanted, tunnel))
			continue;
		rc = wireguard_read(tunnel, NULL);
		if (rc == -ENOMEM)
			return rc;
		if (rc)
			tunnel->engine = STATE_ENGINE_BROKEN;
	}
	return 0;
}

int kernel_read(struct kernel *kernel, const struct state *wanted, struct state **ret_state)
{
	struct state *state = state_new();
	int rc;

	if (!state)
		return -ENOMEM;
	rc = link_dump(kernel->route, read_link, state);
	if (!rc)
		rc = read_tunnels(kernel, wanted, state);
	if (!rc)
		rc = address_dump(kernel->route, read_address, state);
	if (!rc)
		rc = route_read(kernel->route, state);
	if (!rc)
		rc = rule_read(kernel->route, state);
	if (!rc && wanted)
		rc = read_sysctls(wanted, state);
	if (!rc)
		rc = nft_read(kernel->nft, wanted ? wanted->ruleset : NULL, &state->ruleset);
	if (rc) {
		state_free(state);
		return rc;
	}
	state_sort(state);
	*ret_state = state;
	return 0;
}

bool kernel_drifted(struct kernel *kernel, const struct state *wanted)
{
	const struct state part = {
		.tunnels = wanted->tunnels,
		.n_tunnels = wanted->n_tunnels,
		.sysctls = wanted->sysctls,
		.n_sysctls = wanted->n_sysctls,
	};
	struct state *state = state_new();
	struct plan *plan = NULL;
	bool drifted = false;

	if (state && !link_dump(kernel->route, read_link, state) &&
	    !read_tunnels(kernel, wanted, state) && !read_sysctls(wanted, state)) {
		state_sort(state);
		if (!plan_make(state, &part, &plan))
			drifted = plan->n_steps > 0;
		plan_free(plan);
	}
	state_free(state);
	return drifted;
}

/*
 * Settings of a new link: no addresses but ours, no source check but the ruleset's, and silence.
 * A TUN is made a member of the routers' multicast group and reports that when it comes up, which
 * begins a handshake that nobody asked for. It leaves the group when its forwarding is turned
 * off, which only version 1 of MLD does not report either, and without IFF_MULTICAST it does not
 * join again.
 */
static int prepare_link(struct kernel *kernel, const char *ifname)
{
	static const struct {
		const char *family, *name, *value;
	} table[] = {
		{ "ipv6", "disable_ipv6", "0" },
		{ "ipv6", "addr_gen_mode", "1" },
		{ "ipv4", "rp_filter", "0" },
		{ "ipv6", "force_mld_version", "1" },
		{ "ipv6", "forwarding", "0" },
		{ NULL, NULL, NULL }, /* here IFF_MULTICAST is cleared */
		{ "ipv6", "forwarding", "1" },
	};
	char path[96];
	int rc = 0;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]) && !rc; i++) {
		if (!table[i].name) {
			rc = link_set_multicast(kernel->route, ifname, false);
			continue;
		}
		snprintf(path, sizeof(path), "net/%s/conf/%s/%s", table[i].family, ifname,
			 table[i].name);
		rc = sysctl_write(path, table[i].value);
	}
	return rc;
}

static int add_link(struct kernel *kernel, const struct state_tunnel *tunnel)
{
	int rc = tunnel->engine == STATE_ENGINE_KERNEL
			 ? link_add_wireguard(kernel->route, tunnel->ifname)
			 : engines_start(kernel->engines, tunnel->ifname);

	return rc ? rc : prepare_link(kernel, tunnel->ifname);
}

static int delete_link(struct kernel *kernel, const struct state_tunnel *tunnel)
{
	if (tunnel->engine != STATE_ENGINE_KERNEL) {
		int rc = 0;

		/* One that does not answer would not hear that it is to end, and be waited for. */
		if (tunnel->engine == STATE_ENGINE_BROKEN)
			rc = engines_kill(kernel->engines, tunnel->ifname);
		if (!rc)
			rc = engines_stop(kernel->engines, tunnel->ifname);
		if (rc)
			return rc;
	}
	/* The interface of an engine goes with its process; what is left goes by its name. */
	return link_delete(kernel->route, tunnel->ifname);
}

static int do_step(struct kernel *kernel, const struct plan *plan, const struct plan_step *step)
{
	switch (step->action) {
	case PLAN_SYSCTL_SET:
		return sysctl_write(step->sysctl->path, step->sysctl->value);
	case PLAN_LINK_ADD:
		return add_link(kernel, step->tunnel);
	case PLAN_LINK_CONFIGURE:
		return wireguard_apply(step->tunnel);
	case PLAN_LINK_MTU:
		return link_set_mtu(kernel->route, step->tunnel->ifname, step->tunnel->mtu);
	case PLAN_LINK_UP:
		return link_set_up(kernel->route, step->tunnel->ifname, step->tunnel->up);
	case PLAN_ADDRESS_ADD:
		return address_add(kernel->route, step->address);
	case PLAN_NFT_REPLACE:
		return nft_replace(kernel->nft, step->ruleset);
	case PLAN_NFT_CHANGE:
		return nft_change(kernel->nft, plan->remove, plan->add);
	case PLAN_ROUTE_REPLACE:
		return route_replace(kernel->route, step->route);
	case PLAN_RULE_ADD:
		return rule_add(kernel->route, step->rule);
	case PLAN_RULE_DELETE:
		return rule_delete(kernel->route, step->rule);
	case PLAN_ROUTE_DELETE:
		return route_delete(kernel->route, step->route);
	case PLAN_NFT_DELETE:
		return nft_delete(kernel->nft);
	case PLAN_ADDRESS_DELETE:
		return address_delete(kernel->route, step->address);
	case PLAN_LINK_DELETE:
		return delete_link(kernel, step->tunnel);
	case PLAN_ACTION_MAX:
		break;
	}
	return -EINVAL;
}

/* Whose words explain a failed step: "" where only errno does. */
static const char *step_words(const struct kernel *kernel, const struct plan_step *step)
{
	switch (step->action) {
	case PLAN_NFT_REPLACE:
	case PLAN_NFT_CHANGE:
	case PLAN_NFT_DELETE:
		return nft_error(kernel->nft);
	case PLAN_LINK_ADD:
	case PLAN_LINK_MTU:
	case PLAN_LINK_UP:
	case PLAN_ADDRESS_ADD:
	case PLAN_ROUTE_REPLACE:
	case PLAN_RULE_ADD:
	case PLAN_RULE_DELETE:
	case PLAN_ROUTE_DELETE:
	case PLAN_ADDRESS_DELETE:
	case PLAN_LINK_DELETE:
		return netlink_error(kernel->route);
	case PLAN_SYSCTL_SET:
	case PLAN_LINK_CONFIGURE:
	case PLAN_ACTION_MAX:
		break;
	}
	return "";
}

static void describe_failure(const struct kernel *kernel, const struct plan *plan,
			     const struct plan_step *step, int rc,
			     char error[static KERNEL_ERROR_LEN])
{
	const char *words = step_words(kernel, step);
	char text[256];

	plan_step_format(plan, step, text, sizeof(text));
	snprintf(error, KERNEL_ERROR_LEN, "%s: %s%s%s", text, strerror(-rc), *words ? ": " : "",
		 words);
}

/* Stops at the first step that fails, and describes it. */
static int apply(struct kernel *kernel, const struct plan *plan,
		 char error[static KERNEL_ERROR_LEN])
{
	for (size_t i = 0; i < plan->n_steps; i++) {
		int rc = do_step(kernel, plan, &plan->steps[i]);

		if (!rc)
			continue;
		describe_failure(kernel, plan, &plan->steps[i], rc, error);
		return rc;
	}
	return 0;
}

int kernel_apply_all(struct kernel *kernel, const struct plan *plan,
		     char error[static KERNEL_ERROR_LEN])
{
	int first = 0;

	for (size_t i = 0; i < plan->n_steps; i++) {
		int rc = do_step(kernel, plan, &plan->steps[i]);

		if (!rc || first)
			continue;
		describe_failure(kernel, plan, &plan->steps[i], rc, error);
		first = rc;
	}
	return first;
}

/* One way: read, compare, apply. *ret_before: what ran, if the caller wants it. */
static int converge_once(struct kernel *kernel, const struct state *wanted,
			 struct state **ret_before, size_t *ret_steps,
			 char error[static KERNEL_ERROR_LEN])
{
	struct state *running = NULL;
	struct plan *plan = NULL;
	int rc;

	rc = kernel_read(kernel, wanted, &running);
	if (rc) {
		snprintf(error, KERNEL_ERROR_LEN, "reading what runs: %s", strerror(-rc));
		return rc;
	}
	rc = plan_make(running, wanted, &plan);
	if (rc) {
		snprintf(error, KERNEL_ERROR_LEN, "planning: %s", strerror(-rc));
		goto out;
	}
	if (ret_steps)
		*ret_steps = plan->n_steps;
	rc = apply(kernel, plan, error);
	plan_free(plan);
out:
	if (ret_before)
		*ret_before = running;
	else
		state_free(running);
	return rc;
}

/*
 * Make what was read before a failed apply something that one can go back to: without interfaces
 * whose engine was dead already, and, where the table that was there is not one of ours as we
 * make it now, with the table that is there (both deny by default).
 */
static void mend_snapshot(struct state *before, struct ruleset *wanted)
{
	size_t kept = 0;

	for (size_t i = 0; i < before->n_tunnels; i++)
		if (before->tunnels[i].engine != STATE_ENGINE_BROKEN)
			before->tunnels[kept++] = before->tunnels[i];
	before->n_tunnels = kept;
	if (before->ruleset && !before->ruleset->intact) {
		ruleset_free(before->ruleset);
		before->ruleset = wanted;
	}
}

int kernel_converge(struct kernel *kernel, const struct state *wanted, const struct state *previous,
		    size_t *ret_steps, char error[static KERNEL_ERROR_LEN])
{
	char why[KERNEL_ERROR_LEN] = "", back[KERNEL_ERROR_LEN] = "";
	struct state *before = NULL;
	int rc, rc_back;

	realtime_pause();
	rc = converge_once(kernel, wanted, &before, ret_steps, why);
	if (!rc)
		goto out;
	if (!before) {
		snprintf(error, KERNEL_ERROR_LEN, "%s", why);
		goto out;
	}
	if (previous) {
		rc_back = converge_once(kernel, previous, NULL, NULL, back);
	} else {
		mend_snapshot(before, wanted->ruleset);
		rc_back = converge_once(kernel, before, NULL, NULL, back);
		if (before->ruleset == wanted->ruleset)
			before->ruleset = NULL;
	}
	if (rc_back)
		snprintf(error, KERNEL_ERROR_LEN, "%.240s; going back failed too: %.200s", why,
			 back);
	else
		snprintf(error, KERNEL_ERROR_LEN, "%.400s; rolled back", why);
out:
	realtime_resume();
	state_free(before);
	return rc;
}

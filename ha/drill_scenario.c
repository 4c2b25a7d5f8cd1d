/* SPDX-License-Identifier: GPL-2.0-only */
#include "drill_scenario.h"

#include <string.h>

#define ABORT_MIN_MS 5000 /* what is worse than that is not measured any further */

const struct drill_scenario drill_scenarios[DRILL_SCENARIO_MAX] = {
	[DRILL_PATH_CUT] = {
		.name = "path-cut",
		.what = "the path in use between the active gateway and the other site is cut, both ways",
		.expect = "the data plane takes the next path; roles stay",
		.restore = "the path is whole again",
		.limit = DRILL_LIMIT_PATH,
		.needs = DRILL_NEEDS_PATHS | DRILL_NEEDS_PROGRAMS,
		.hold_ms = 4000,
		.reversible = true,
	},
	[DRILL_BROWN_OUT] = {
		.name = "brown-out",
		.what = "the path in use loses some of its packets (--loss, 10 %), both ways",
		.expect = "the path is called brown, and another is taken within seconds; roles stay",
		.restore = "the path loses nothing again",
		.limit = DRILL_LIMIT_LOSS,
		.needs = DRILL_NEEDS_PATHS | DRILL_NEEDS_PROGRAMS,
		.hold_ms = 10000,
		.reversible = true,
	},
	[DRILL_WAN_CUT] = {
		.name = "wan-cut",
		.what = "the active gateway's WAN is cut",
		.expect = "it hears no remote gateway, gives way, and the standby takes the VIP",
		.restore = "the WAN is whole again",
		.limit = DRILL_LIMIT_HEARD,
		.needs = DRILL_NEEDS_STANDBY | DRILL_NEEDS_PROGRAMS,
		.hold_ms = 6000,
		.reversible = true,
	},
	[DRILL_LAN_CUT] = {
		.name = "lan-cut",
		.what = "the active gateway's LAN is cut; its carrier stays",
		.expect = "the standby hears no advert and takes the VIP",
		.restore = "the LAN is whole again; one of the two gives way",
		.limit = DRILL_LIMIT_VRRP,
		.needs = DRILL_NEEDS_STANDBY | DRILL_NEEDS_PROGRAMS,
		.hold_ms = 4000,
		.reversible = true,
	},
	[DRILL_POP_LOSS] = {
		.name = "pop-loss",
		.what = "a relay is silent to both gateways of the pair",
		.expect = "what goes by it takes another path; roles stay",
		.restore = "the relay is heard again",
		.limit = DRILL_LIMIT_PATH,
		.needs = DRILL_NEEDS_RELAY | DRILL_NEEDS_PATHS | DRILL_NEEDS_PROGRAMS,
		.hold_ms = 4000,
		.both = true,
		.reversible = true,
	},
	[DRILL_SPLIT_BRAIN] = {
		.name = "split-brain",
		.what = "the gateways of the pair do not hear each other on the LAN; everybody else does",
		.expect = "both claim, remote sites follow the newer claim, nothing is lost for long",
		.restore = "they hear each other again; one of the two gives way",
		.limit = DRILL_LIMIT_VRRP,
		.needs = DRILL_NEEDS_STANDBY | DRILL_NEEDS_PROGRAMS,
		.hold_ms = 4000,
		.reversible = true,
	},
	[DRILL_FREEZE] = {
		.name = "freeze",
		.what = "netpasd, keepalived and the engines of the active gateway are stopped (SIGSTOP)",
		.expect = "the standby hears no advert and takes the VIP",
		.restore = "they go on (SIGCONT); one of the two gives way",
		.limit = DRILL_LIMIT_VRRP,
		.needs = DRILL_NEEDS_STANDBY,
		.hold_ms = 3000,
		.reversible = true,
	},
	[DRILL_DAEMON_KILL] = {
		.name = "daemon-kill",
		.what = "netpasd of the active gateway is killed",
		.expect = "packets go on; its supervisor starts it again and it adopts what runs",
		.restore = "none: the service manager restarts it",
		.limit = DRILL_LIMIT_NONE,
		.hold_ms = 4000,
		.reversible = true,
		.event = true,
	},
	[DRILL_ENGINE_KILL] = {
		.name = "engine-kill",
		.what = "the engine of the tunnel in use is killed at the active gateway",
		.expect = "the kernel takes the site's other tunnel; netpasd starts the engine again",
		.restore = "none: netpasd restarts it",
		.limit = DRILL_LIMIT_VRRP,
		.needs = DRILL_NEEDS_ENGINE,
		.hold_ms = 4000,
		.reversible = true,
		.event = true,
	},
	[DRILL_KEEPALIVED_KILL] = {
		.name = "keepalived-kill",
		.what = "keepalived of the active gateway is killed",
		.expect = "netpasd removes the VIP that it left and starts it again, or the standby takes over",
		.restore = "none: netpasd restarts it",
		.limit = DRILL_LIMIT_VRRP,
		.needs = DRILL_NEEDS_STANDBY,
		.hold_ms = 4000,
		.reversible = true,
		.event = true,
	},
	[DRILL_POWER_OFF] = {
		.name = "power-off",
		.what = "the active gateway is switched off at once, without a word to anybody",
		.expect = "the standby hears no advert and takes the VIP",
		.restore = "none: somebody has to switch it on again",
		.limit = DRILL_LIMIT_VRRP,
		.needs = DRILL_NEEDS_STANDBY,
		.hold_ms = 4000,
		.event = true,
	},
	[DRILL_SWITCHOVER] = {
		.name = "switchover",
		.what = "the standby takes the role as planned, by netpas switchover",
		.expect = "the active gateway serves until the standby has taken over; nothing is lost",
		.restore = "none: nothing was broken",
		.limit = DRILL_LIMIT_NONE,
		.needs = DRILL_NEEDS_STANDBY,
		.hold_ms = 4000,
		.reversible = true,
		.event = true,
	},
	[DRILL_ROLLING_RESTART] = {
		.name = "rolling-restart",
		.what = "both gateways are restarted one after the other, by netpas rolling restart; "
			"with it they get the software that is installed",
		.expect = "the one that is restarted is drained, the other one serves; nothing is lost",
		.restore = "none: nothing was broken",
		.limit = DRILL_LIMIT_NONE,
		.needs = DRILL_NEEDS_STANDBY,
		.hold_ms = DRILL_HOLD_MAX_MS,
		.reversible = true,
		.event = true,
	},
};

enum drill_scenario_id drill_scenario_find(const char *name)
{
	enum drill_scenario_id id;

	for (id = 0; id < DRILL_SCENARIO_MAX && strcmp(drill_scenarios[id].name, name); id++)
		;
	return id;
}

/* Returns 1, to be added up. */
static size_t say(FILE *out, const char *subject, const char *text, const char *detail)
{
	fprintf(out, "%s%s%s%s\n", subject, *subject ? " " : "", text, detail);
	return 1;
}

static size_t refuse_node(const struct drill_node_facts *node, unsigned int needs, bool partner,
			  FILE *out)
{
	size_t n = 0;

	if (!node->answers)
		return say(out, node->name,
			   "does not answer; is its netpasd running, and are its drills not off?",
			   "");
	if (node->busy)
		return say(out, node->name, "is in another drill", "");
	if (node->problems)
		n += say(out, node->name, "has a problem: ", node->problem);
	if (!node->tunnels || node->tunnels_alive < node->tunnels)
		n += say(out, node->name, "has tunnels that are not alive", "");
	if (needs & DRILL_NEEDS_PROGRAMS && !node->programs)
		n += say(out, node->name,
			 "runs no programs of the data plane, which make this fault "
			 "(dataplane: off, or see its status)",
			 "");
	if (!partner)
		return n;
	if (needs & DRILL_NEEDS_PATHS && node->paths_alive < 2)
		n += say(out, node->name, "has no second path to the other site that is alive", "");
	if (needs & DRILL_NEEDS_RELAY && !node->relays_alive)
		n += say(out, node->name, "has no path by a relay that is alive", "");
	if (needs & DRILL_NEEDS_ENGINE && strcmp(node->engine, "user"))
		n += say(out, node->name,
			 "has its engine in the kernel, where nothing can be killed", "");
	return n;
}

static size_t refuse_pair(const struct drill_facts *facts, FILE *out)
{
	const struct drill_node_facts *here = &facts->here, *partner = &facts->partner;
	size_t n = 0;

	if (!here->answers || !partner->answers || here->busy || partner->busy)
		return 0;
	if (!strcmp(here->role, "active"))
		n += say(
			out, here->name,
			"is active; a drill is run from the standby, which stands for the customer: "
			"run it on ",
			partner->name);
	else if (strcmp(here->role, "standby"))
		n += say(out, here->name, "is not standby but ", here->role);
	if (strcmp(partner->role, "active") &&
	    (strcmp(here->role, "active") || strcmp(partner->role, "standby")))
		n += say(out, partner->name, "is not active but ", partner->role);
	if (strcmp(here->digest, partner->digest))
		n += say(out, "", "the gateways of the pair have different mesh.yaml", "");
	return n;
}

size_t drill_refuse(enum drill_scenario_id id, const struct drill_facts *facts, FILE *out)
{
	const struct drill_scenario *scenario = &drill_scenarios[id];
	size_t n = 0;

	if (!scenario->reversible && !facts->lab)
		n += say(out, "", "it cannot be undone from here; --lab says that this is a lab",
			 "");
	if (!facts->ports)
		n += say(out, "",
			 "port_base leaves no ports for drills; 53247 is the highest that does",
			 "");
	if (facts->off)
		return n +
		       say(out, "",
			   "node.yaml of this gateway says 'drills: off', which closes their ports",
			   "");
	if (!facts->has_partner)
		return n + say(out, "", "the site has one gateway; nobody can take over", "");
	n += refuse_node(&facts->here, scenario->needs & DRILL_NEEDS_PROGRAMS, false, out);
	n += refuse_node(&facts->partner, scenario->needs, true, out);
	n += refuse_pair(facts, out);
	if (!*facts->site)
		n += say(out, "", "there is no other site that this one is connected to", "");
	else if (facts->far_busy)
		n += say(out, facts->far, "is in another drill", "");
	else if (!*facts->far)
		n += say(out, "site", facts->site, ": no gateway there is alive to answer");
	return n;
}

static uint32_t at_least(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

uint32_t drill_limit_ms(enum drill_scenario_id id, const struct drill_facts *facts)
{
	switch (drill_scenarios[id].limit) {
	case DRILL_LIMIT_NONE:
		return 0;
	case DRILL_LIMIT_PATH:
		return at_least(5 * facts->probe_ms, 50);
	case DRILL_LIMIT_VRRP:
		return at_least(4 * facts->advert_ms, 50);
	case DRILL_LIMIT_HEARD:
		return at_least(8 * facts->advert_ms, 100);
	case DRILL_LIMIT_LOSS:
		return at_least(5 * facts->probe_ms, 50);
	}
	return 0;
}

uint32_t drill_abort_ms(uint32_t limit_ms)
{
	return at_least(4 * limit_ms, ABORT_MIN_MS);
}

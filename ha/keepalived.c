/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why the configuration is what it is (keepalived 2.2.7, measured):
 *
 * - Mastership is sticky by weight and not by `nopreempt`: a backup with nopreempt ignores a master
 *   that lowers its priority, and that is the one switchover which loses nothing, as the backup
 *   waits its down timer while the old master still serves. The number in the track file times
 *   KEEPALIVED_STICKY_WEIGHT is added to the priority: 1 on the master keeps it master when the
 *   other gateway comes back, and each less of 2 hands over to it. Severities are even, at most
 *   KEEPALIVED_SEVERITY_MAX: a difference of 2 is 4 in priority, more than the 3 by which the first
 *   gateway is ahead as a master, and none moves nothing. Effective priorities are thus 50..253:
 *   never 255, the address owner's, and never so low (-254) that keepalived calls it a fault.
 *   Handovers that are asked for add 2 or -2 for a moment, draining -124; keepalived itself keeps
 *   priorities within 1..254.
 * - Priorities are high because the skew of the down timer is (256 - priority) / 256 adverts.
 * - With adverts every 10 ms an ordinary process is late often enough on a busy machine to be taken
 *   for dead (three times a minute; never with real-time priority). The limit of CPU time between two
 *   system calls that sleep, 10 ms by default, would kill it at a reload.
 * - `down_timer_adverts` is the default, 3.
 * - Unicast, and what comes from others or from beyond the segment (TTL below 255) is dropped. A
 *   site with one gateway names itself as its peer: nothing then leaves the host, where without
 *   a peer keepalived would multicast, into the customer's own VRRP groups too.
 * - One instance: members of a sync group wait for each other, which blocks failover when a virtual
 *   switch drops frames without taking the carrier away. All VIPs are in it; an advert carries
 *   those of its own family, of which keepalived demands at least one.
 * - No `dynamic_interfaces`: an interface that appears later is taken up deaf (the socket is not
 *   opened again), while without it keepalived ends and can be started again. The caller
 *   starts it when the interface holds `own`, and again when the interface was made anew: started
 *   too early it stays in FAULT until it is reloaded (keepalived's issue 1847).
 * - A gateway that comes back waits before it may claim, until it has heard the other one for
 *   sure: unicast adverts reach it only when the other end has its (new) link-layer address.
 * - Neighbours learn a VIP's new place from five announcements at once, five a second later, one
 *   every 30 s against what a snapshot or a switch forgot. When two masters meet, the one that
 *   gives way sends a last advert so that the other announces itself anew, without delay.
 */
#include "keepalived.h"

#include <inttypes.h>
#include <string.h>

#define KEEPALIVED_RLIMIT_RTTIME "1000000" /* microseconds */

#define STRING(x) STRING_(x)
#define STRING_(x) #x

static int family_of(const char *address)
{
	return strchr(address, ':') ? 6 : 4;
}

int keepalived_track(bool holds, int term)
{
	const int most = 2, least = -126; /* * 2: +4 is 254 at least; -254 would be a fault */

	return holds + (term > most ? most : term < least ? least : term);
}

/* Write the block of the VIPs that are (or are not) of one family; nothing if there are none. */
static void render_vips(const struct keepalived *keepalived, const char *block, int family,
			int same, FILE *out)
{
	int opened = 0;

	for (size_t i = 0; i < keepalived->n_vips; i++) {
		const struct keepalived_vip *vip = &keepalived->vips[i];

		if ((vip->family == family) != same)
			continue;
		if (!opened++)
			fprintf(out, "\t%s {\n", block);
		fprintf(out, "\t\t%s dev %s\n", vip->text, keepalived->interface);
	}
	if (opened)
		fprintf(out, "\t}\n");
}

static void render_global(const struct keepalived *keepalived, FILE *out)
{
	static const char realtime[] = "\tvrrp_rt_priority " STRING(
		KEEPALIVED_RT_PRIORITY) "\n"
					"\tvrrp_rlimit_rttime " KEEPALIVED_RLIMIT_RTTIME "\n"
					"\tvrrp_no_swap\n";

	fprintf(out,
		"# Written by netpasd at every start; do not edit.\n"
		"global_defs {\n"
		"\trouter_id %s\n"
		"\tvrrp_version 3\n"
		"\tvrrp_startup_delay " KEEPALIVED_STARTUP_DELAY "\n"
		"\tscript_user root\n"
		"\tenable_script_security\n"
		"\tvrrp_notify_fifo \"%s\"\n"
		"\tvrrp_garp_master_delay 1\n"
		"\tvrrp_garp_master_repeat 5\n"
		"\tvrrp_garp_master_refresh 30\n"
		"\tvrrp_garp_master_refresh_repeat 1\n"
		"\tvrrp_garp_lower_prio_delay 0\n"
		"\tvrrp_garp_lower_prio_repeat 1\n"
		"\tvrrp_higher_prio_send_advert true\n"
		"%s"
		"}\n\n",
		keepalived->router_id, keepalived->fifo_path, keepalived->realtime ? realtime : "");
	fprintf(out,
		"track_file sticky {\n"
		"\tfile \"%s\"\n"
		"\tweight %d\n"
		"}\n\n",
		keepalived->track_path, KEEPALIVED_STICKY_WEIGHT);
}

void keepalived_render(const struct keepalived *keepalived, FILE *out)
{
	const char *peer = keepalived->peer[0] ? keepalived->peer : keepalived->own;
	int family = family_of(keepalived->own);

	render_global(keepalived, out);
	fprintf(out,
		"vrrp_instance " KEEPALIVED_INSTANCE " {\n"
		"\tstate BACKUP\n"
		"\tinterface %s\n"
		"\tvirtual_router_id %u\n"
		"\tpriority %u\n"
		"\tadvert_int %" PRIu32 ".%02" PRIu32 "\n",
		keepalived->interface, keepalived->vrid, keepalived->priority,
		keepalived->advert_ms / 1000, keepalived->advert_ms % 1000 / 10);
	fprintf(out,
		"\tunicast_src_ip %s\n"
		"\tunicast_ttl 255\n"
		"\tcheck_unicast_src\n"
		"\tunicast_peer {\n"
		"\t\t%s min_ttl 255 max_ttl 255\n"
		"\t}\n"
		"\ttrack_file {\n"
		"\t\tsticky\n"
		"\t}\n",
		keepalived->own, peer);
	render_vips(keepalived, "virtual_ipaddress", family, 1, out);
	render_vips(keepalived, "virtual_ipaddress_excluded", family, 0, out);
	fprintf(out, "}\n");
}

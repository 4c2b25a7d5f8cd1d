/* SPDX-License-Identifier: GPL-2.0-only */
#include "drill_fault.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "child.h"
#include "clock.h"
#include "control.h"
#include "dataplane.h"
#include "wanted.h"

#define LOST_ALL UINT32_MAX
#define MILLION 1000000u
#define FAULTS_PIN DP_PIN_DIR "/dp_faults"
#define ENGINE_SOCKET "/var/run/wireguard/%s.sock"

/* ---- losses ---- */

static struct dp_addr map_address(const struct ip_addr *addr)
{
	struct dp_addr mapped = { 0 };

	if (addr->family == IP_V6) {
		memcpy(mapped.word, addr->bytes, 16);
	} else if (addr->family == IP_V4) {
		mapped.word[2] = htonl(0xffff);
		memcpy(&mapped.word[3], addr->bytes, 4);
	}
	return mapped;
}

static int write_faults(const struct dp_faults *faults)
{
	const int fd = bpf_obj_get(FAULTS_PIN);
	const uint32_t zero = 0;
	int rc;

	if (fd < 0)
		return -errno;
	rc = bpf_map_update_elem(fd, &zero, faults, BPF_ANY) ? -errno : 0;
	close(fd);
	return rc;
}

/* The list first, then the time that puts it in force: never half of one. */
static int put_faults(const struct config *config, struct dp_faults *faults, uint32_t hold_ms)
{
	const uint32_t base = config->mesh.port_base;
	int rc;

	faults->spared[0] = (uint16_t)(base + DRILL_PORT_AGENT * CONFIG_LANE_PORTS);
	faults->spared[1] = (uint16_t)(base + DRILL_PORT_RUNNER * CONFIG_LANE_PORTS);
	faults->until_ns = 0;
	rc = write_faults(faults);
	if (rc)
		return rc;
	faults->until_ns = (clock_now_us() + (uint64_t)hold_ms * 1000) * 1000;
	return write_faults(faults);
}

static struct dp_fault *add_fault(struct dp_faults *faults, const char *ifname)
{
	for (size_t i = 0; i < DP_FAULTS_MAX; i++) {
		if (faults->fault[i].ifindex)
			continue;
		faults->fault[i].ifindex = if_nametoindex(ifname);
		faults->fault[i].lost = LOST_ALL;
		return faults->fault[i].ifindex ? &faults->fault[i] : NULL;
	}
	return NULL;
}

static int cut_interface(const struct drill_fault *fault, const char *ifname, uint32_t hold_ms)
{
	struct dp_faults faults = { 0 };

	if (!add_fault(&faults, ifname))
		return -ENODEV;
	return put_faults(fault->config, &faults, hold_ms);
}

static int cut_wans(const struct drill_fault *fault, uint32_t hold_ms)
{
	const struct config_node *node = &fault->config->node;
	struct dp_faults faults = { 0 };

	for (size_t i = 0; i < node->n_wans; i++)
		if (!add_fault(&faults, node->wans[i]))
			return -ENODEV;
	return put_faults(fault->config, &faults, hold_ms);
}

static int cut_partner(const struct drill_fault *fault, uint32_t hold_ms)
{
	const struct config_site *site = config_self_site(fault->config);
	const struct config_gateway *partner;
	struct dp_faults faults = { 0 };

	if (site->n_gateways < 2)
		return -ENOENT;
	partner = &site->gateways[1 - fault->config->self_gateway];
	for (int i = 0; i < 2; i++) {
		const struct ip_addr *addr = i ? &partner->lan6 : &partner->lan4;
		struct dp_fault *entry;

		if (!addr->family)
			continue;
		entry = add_fault(&faults, fault->config->node.lan);
		if (!entry)
			return -ENODEV;
		entry->remote = map_address(addr);
	}
	return put_faults(fault->config, &faults, hold_ms);
}

/* One path is lost on every WAN device: which one it leaves by is the routing table's business. */
static int cut_path(const struct drill_fault *fault, const struct ip_addr *local,
		    const struct ip_addr *remote, const struct drill_order *order)
{
	const struct config_node *node = &fault->config->node;
	struct dp_faults faults = { 0 };

	for (size_t i = 0; i < node->n_wans; i++) {
		struct dp_fault *entry = add_fault(&faults, node->wans[i]);

		if (!entry)
			return -ENODEV;
		entry->local = map_address(local);
		entry->remote = map_address(remote);
		if (order->lost)
			entry->lost = (uint32_t)((uint64_t)order->lost * UINT32_MAX / MILLION);
	}
	return put_faults(fault->config, &faults, order->hold_ms);
}

/* ---- which path ---- */

static const char *member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* To the gateway that is followed; NULL: none is in use. */
static const json_t *path_in_use(const json_t *paths)
{
	const char *followed = member(paths, "followed");
	const json_t *peers = json_object_get(paths, "peers"), *number;
	json_t *peer;
	size_t i;

	json_array_foreach(peers, i, peer)
	{
		if (strcmp(member(peer, "peer"), followed))
			continue;
		number = json_object_get(peer, "path");
		if (!json_is_integer(number))
			return NULL;
		return json_array_get(json_object_get(peer, "paths"),
				      (size_t)json_integer_value(number));
	}
	return NULL;
}

static int lose_path(const struct drill_fault *fault, const struct drill_order *order,
		     const json_t *paths, char text[static DRILL_TEXT_LEN])
{
	const json_t *path = path_in_use(paths);
	struct ip_addr local, remote;

	if (!path || ip_addr_parse(member(path, "local"), &local) ||
	    ip_addr_parse(member(path, "remote"), &remote)) {
		snprintf(text, DRILL_TEXT_LEN, "no path to the site is in use");
		return -ENOENT;
	}
	snprintf(text, DRILL_TEXT_LEN, "path %s - %s%s%s to %s", member(path, "local"),
		 member(path, "remote"), *member(path, "relay") ? " by " : "",
		 member(path, "relay"), member(paths, "followed"));
	return cut_path(fault, &local, &remote, order);
}

static const struct config_relay *choose_relay(const struct drill_fault *fault,
					       const struct drill_order *order, const json_t *paths)
{
	const struct config_mesh *mesh = &fault->config->mesh;
	const json_t *path = path_in_use(paths);

	for (size_t i = 0; i < mesh->n_relays; i++)
		if (order->relay ? mesh->relays[i].id == order->relay
				 : !strcmp(mesh->relays[i].name, member(path, "relay")))
			return &mesh->relays[i];
	return order->relay || !mesh->n_relays ? NULL : &mesh->relays[0];
}

static int lose_relay(const struct drill_fault *fault, const struct drill_order *order,
		      const json_t *paths, char text[static DRILL_TEXT_LEN])
{
	const struct config_relay *relay = choose_relay(fault, order, paths);
	const struct config_node *node = &fault->config->node;
	struct dp_faults faults = { 0 };

	if (!relay) {
		snprintf(text, DRILL_TEXT_LEN, "there is no such relay");
		return -ENOENT;
	}
	snprintf(text, DRILL_TEXT_LEN, "relay %s", relay->name);
	for (size_t i = 0; i < node->n_wans; i++) {
		for (size_t w = 0; w < relay->n_wans; w++) {
			struct dp_fault *entry = add_fault(&faults, node->wans[i]);

			if (!entry)
				return -ENOSPC;
			entry->remote = map_address(&relay->wans[w].public_addr);
		}
	}
	return put_faults(fault->config, &faults, order->hold_ms);
}

/* ---- processes ---- */

/* Who listens on a Unix socket; 0: nobody. */
static pid_t socket_owner(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);
	int fd;

	if ((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path) >=
	    sizeof(address.sun_path))
		return 0;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return 0;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		cred.pid = 0;
	close(fd);
	return cred.pid;
}

static pid_t daemon_pid(const char *run_dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" CONTROL_SOCKET, run_dir);
	return socket_owner(path);
}

static pid_t engine_pid(const char *ifname)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), ENGINE_SOCKET, ifname);
	return socket_owner(path);
}

/* keepalived's parent (which: "") or its VRRP process ("-vrrp"); 0: it does not run. */
static pid_t keepalived_pid(const char *run_dir, const char *which)
{
	char path[PATH_MAX], conf[PATH_MAX];
	FILE *file;
	int pid = 0;

	snprintf(path, sizeof(path), "%s/keepalived%s.pid", run_dir, which);
	snprintf(conf, sizeof(conf), "%s/keepalived.conf", run_dir);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%d", &pid) != 1)
		pid = 0;
	fclose(file);
	return pid > 1 && child_cmdline_has(pid, conf) ? pid : 0;
}

/* Engines of all tunnels, by the names that tunnels have. Returns how many there are. */
static size_t engine_pids(const struct config *config, pid_t *pids, size_t max)
{
	const struct config_mesh *mesh = &config->mesh;
	char ifname[CONFIG_IFNAME_LEN];
	size_t n = 0;

	for (size_t s = 0; s < mesh->n_sites; s++)
		for (size_t g = 0; g < mesh->sites[s].n_gateways; g++)
			for (uint8_t lane = 0; lane < CONFIG_LANES_MAX; lane++) {
				pid_t pid;

				if (s == config->self_site || n == max)
					continue;
				wanted_ifname(mesh->sites[s].gateways[g].id, lane, ifname);
				pid = engine_pid(ifname);
				if (pid)
					pids[n++] = pid;
			}
	return n;
}

static size_t find_processes(const struct config *config, const char *run_dir,
			     pid_t pids[static DRILL_STOPPED_MAX])
{
	size_t n = 0;
	pid_t pid;

	pid = daemon_pid(run_dir);
	if (pid)
		pids[n++] = pid;
	pid = keepalived_pid(run_dir, "");
	if (pid)
		pids[n++] = pid;
	pid = keepalived_pid(run_dir, "-vrrp");
	if (pid)
		pids[n++] = pid;
	return n + engine_pids(config, pids + n, DRILL_STOPPED_MAX - n);
}

static int stop_processes(struct drill_fault *fault, char text[static DRILL_TEXT_LEN])
{
	fault->n_stopped = find_processes(fault->config, fault->run_dir, fault->stopped);
	/* All are known before the first stops: the daemon would not tell of its engines then. */
	for (size_t i = 0; i < fault->n_stopped; i++)
		(void)kill(fault->stopped[i], SIGSTOP); /* one that ended meanwhile is as still */
	snprintf(text, DRILL_TEXT_LEN, "%zu processes stopped", fault->n_stopped);
	return fault->n_stopped ? 0 : -ESRCH;
}

static int kill_process(pid_t pid, const char *name, char text[static DRILL_TEXT_LEN])
{
	if (!pid || kill(pid, SIGKILL)) {
		snprintf(text, DRILL_TEXT_LEN, "%s is not running", name);
		return -ESRCH;
	}
	snprintf(text, DRILL_TEXT_LEN, "%s (pid %d) killed", name, (int)pid);
	return 0;
}

/* Both processes: the parent alone would take its child with it in good order. */
static int kill_keepalived(const struct drill_fault *fault, char text[static DRILL_TEXT_LEN])
{
	const pid_t vrrp = keepalived_pid(fault->run_dir, "-vrrp");
	const pid_t parent = keepalived_pid(fault->run_dir, "");

	if (parent)
		(void)kill(parent, SIGSTOP); /* else it would start the other one again */
	if (vrrp)
		(void)kill(vrrp, SIGKILL);
	return kill_process(parent, "keepalived", text);
}

static int kill_engine(const struct drill_fault *fault, const json_t *paths,
		       char text[static DRILL_TEXT_LEN])
{
	const char *followed = member(paths, "followed");
	char ifname[CONFIG_IFNAME_LEN];

	for (size_t s = 0; s < fault->config->mesh.n_sites; s++) {
		const struct config_site *site = &fault->config->mesh.sites[s];

		for (size_t g = 0; g < site->n_gateways; g++) {
			struct config_policy policy;

			if (strcmp(site->gateways[g].name, followed))
				continue;
			policy = config_policy_with(fault->config, s);
			wanted_ifname(site->gateways[g].id,
				      config_policy_lane(&fault->config->mesh, &policy), ifname);
			return kill_process(engine_pid(ifname), ifname, text);
		}
	}
	snprintf(text, DRILL_TEXT_LEN, "no gateway of the site is followed");
	return -ENOENT;
}

/* ---- all of them ---- */

int drill_fault_make(struct drill_fault *fault, const struct drill_order *order,
		     const json_t *paths, char text[static DRILL_TEXT_LEN])
{
	const struct config *config = fault->config;
	int rc = -EINVAL;

	text[0] = '\0';
	switch ((enum drill_scenario_id)order->scenario) {
	case DRILL_PATH_CUT:
	case DRILL_BROWN_OUT:
		return lose_path(fault, order, paths, text);
	case DRILL_POP_LOSS:
		return lose_relay(fault, order, paths, text);
	case DRILL_WAN_CUT:
		snprintf(text, DRILL_TEXT_LEN, "all WAN interfaces");
		return cut_wans(fault, order->hold_ms);
	case DRILL_LAN_CUT:
		snprintf(text, DRILL_TEXT_LEN, "%s", config->node.lan);
		return cut_interface(fault, config->node.lan, order->hold_ms);
	case DRILL_SPLIT_BRAIN:
		snprintf(text, DRILL_TEXT_LEN, "%s between the gateways", config->node.lan);
		return cut_partner(fault, order->hold_ms);
	case DRILL_FREEZE:
		return stop_processes(fault, text);
	case DRILL_DAEMON_KILL:
		return kill_process(daemon_pid(fault->run_dir), "netpasd", text);
	case DRILL_ENGINE_KILL:
		return kill_engine(fault, paths, text);
	case DRILL_KEEPALIVED_KILL:
		return kill_keepalived(fault, text);
	case DRILL_POWER_OFF:
		rc = reboot(RB_POWER_OFF) ? -errno
					  : 0; /* at once: nothing is written, nobody told */
		snprintf(text, DRILL_TEXT_LEN, "switching off: %s", strerror(-rc));
		return rc;
	case DRILL_SWITCHOVER: /* nothing is broken, and who runs the drill asks for it */
	case DRILL_ROLLING_RESTART:
	case DRILL_SCENARIO_MAX:
		break;
	}
	return rc;
}

void drill_fault_end(struct drill_fault *fault)
{
	const struct dp_faults none = { 0 };

	(void)write_faults(&none); /* without programs there is nothing to end */
	for (size_t i = 0; i < fault->n_stopped; i++)
		(void)kill(fault->stopped[i], SIGCONT);
	fault->n_stopped = 0;
}

void drill_fault_clean(const struct config *config, const char *run_dir)
{
	struct drill_fault fault = { .config = config, .run_dir = run_dir };

	fault.n_stopped = find_processes(config, run_dir, fault.stopped);
	drill_fault_end(&fault);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The track file holds 1 while this node is active, and 0 otherwise, less the severity of what is
 * wrong with it: the 1 keeps mastership where it is, so a gateway that comes back does not take over
 * (docs/design.md, "VRRP"), and the severity lets the partner take over that is better off. As
 * severities are even it also tells the next netpasd whether this node was active, and so whether
 * the VIP that it finds was claimed with the generation on file or later.
 */
#include "vrrp.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "address.h"
#include "child.h"
#include "clock.h"
#include "event.h"
#include "file.h"
#include "keepalived.h"
#include "link.h"
#include "log.h"
#include "neighbour.h"
#include "realtime.h"
#include "switchover.h"

#define STOP_TIMEOUT_MS 3000
#define FAILURES_MANY 3 /* ends in a row, each within... */
#define RUNS_US 10000000u

struct vrrp {
	struct sd_event *event;
	struct sd_event_source *fifo_io, *restart;
	struct netlink *nl;
	vrrp_changed_fn *changed;
	void *data;
	const struct config *config;
	struct child *keepalived;
	struct child_backoff backoff;
	struct role role;
	struct notify_stream stream;
	unsigned int severity; /* even */
	int term;	       /* of a handover, even */
	uint8_t flags;	       /* of hellos */
	bool starting;	       /* no remote gateway was heard since, nor was it active */
	struct switchover *switchover;
	enum config_profile profile;
	uint32_t advert_ms; /* 0: nothing is configured yet */
	bool realtime;	    /* keepalived and this process */
	int fifo;
	char *rendered; /* what keepalived was last given */
	char conf_path[PATH_MAX], pid_path[PATH_MAX], vrrp_pid_path[PATH_MAX];
	char fifo_path[PATH_MAX], track_path[PATH_MAX], log_path[PATH_MAX];
	char generation_path[PATH_MAX];
	unsigned int lan_index; /* of the LAN interface when keepalived was started */
};

static void start_keepalived(struct vrrp *vrrp);

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;

	if (!file)
		return NULL;
	if (getdelim(&text, &size, '\0', file) < 0) {
		free(text);
		text = NULL;
	}
	fclose(file);
	return text;
}

/* The first gateway that hears the other one has to give way if it is overruled. */
#define OVERRULED_TERM (-2)

/* A gateway whose tunnels are not up yet is worse than one that is drained (ha/handover.h). */
#define STARTING_TERM (-100)

static int track_value(const struct vrrp *vrrp)
{
	int term = vrrp->term - (int)vrrp->severity;

	if (vrrp->role.state == ROLE_OVERRULED)
		term += OVERRULED_TERM;
	if (vrrp->starting)
		term += STARTING_TERM;
	return keepalived_track(role_holds(&vrrp->role), term);
}

/* keepalived watches the file itself, so it is written in place: a new inode would be missed. */
static void write_track(const struct vrrp *vrrp)
{
	const int value = track_value(vrrp);
	char text[16];
	const int len = snprintf(text, sizeof(text), "%d\n", value);
	int fd = open(vrrp->track_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, (size_t)len) != len)
		log_error("%s: %s", vrrp->track_path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

void vrrp_set_severity(struct vrrp *vrrp, unsigned int severity)
{
	severity += severity & 1;
	if (severity > KEEPALIVED_SEVERITY_MAX)
		severity = KEEPALIVED_SEVERITY_MAX;
	if (severity == vrrp->severity)
		return;
	event_info(EVENT_ROLE, "vrrp: severity %u -> %u", vrrp->severity, severity);
	vrrp->severity = severity;
	write_track(vrrp);
}

void vrrp_set_term(struct vrrp *vrrp, int term, uint8_t flags)
{
	vrrp->flags = flags;
	if (term == vrrp->term)
		return;
	vrrp->term = term;
	write_track(vrrp);
}

/* The generation is on disk before anybody hears of it. */
static void save_claim(const struct vrrp *vrrp)
{
	const int rc = role_save(vrrp->generation_path, &vrrp->role);

	if (rc)
		log_error("%s: %s; after a restart this node may claim with an old generation",
			  vrrp->generation_path, strerror(-rc));
}

static void take_role_event(struct vrrp *vrrp, enum role_event event, unsigned int priority)
{
	const struct role before = vrrp->role;
	char text[24] = "";

	if (!role_event(&vrrp->role, event))
		return;
	if (vrrp->role.generation != before.generation)
		save_claim(vrrp);
	vrrp->starting = vrrp->starting && !role_holds(&vrrp->role);
	switchover_role_changed(vrrp->switchover, before.state, vrrp->role.state);
	write_track(vrrp);
	if (priority)
		snprintf(text, sizeof(text), ", priority %u", priority);
	event_info(EVENT_ROLE, "role: %s -> %s (%s%s, generation %llu)",
		   role_state_names[before.state], role_state_names[vrrp->role.state],
		   role_event_names[event], text, (unsigned long long)vrrp->role.generation);
	vrrp->changed(&vrrp->role, before.state, vrrp->data);
}

void vrrp_renew(struct vrrp *vrrp)
{
	if (vrrp->role.state == ROLE_ACTIVE && vrrp->role.seen_generation > vrrp->role.generation)
		take_role_event(vrrp, ROLE_ON_ALONE, 0);
}

static void take_event(enum notify_event event, unsigned int priority, void *data)
{
	take_role_event(data, (enum role_event)event, priority);
}

void vrrp_judge(struct vrrp *vrrp, uint64_t rival_generation)
{
	const enum role_event event = role_judge(&vrrp->role, rival_generation, clock_now_us());

	if (vrrp->starting) {
		vrrp->starting = false;
		write_track(vrrp);
	}
	if (event == ROLE_ON_OVERRULED)
		event_warning(
			EVENT_ROLE,
			"role: overruled: remote sites follow the other gateway, which claims "
			"generation %llu while this one holds the VIP with %llu: is the LAN cut "
			"between them?",
			(unsigned long long)rival_generation,
			(unsigned long long)vrrp->role.generation);
	if (event != ROLE_EVENT_MAX)
		take_role_event(vrrp, event, 0);
}

static int fifo_readable(struct sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct vrrp *vrrp = data;
	char buf[512];
	ssize_t n;

	(void)source;
	(void)revents;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		notify_feed(&vrrp->stream, buf, (size_t)n, take_event, vrrp);
	return 0;
}

struct search {
	const char *ifname;
	const struct ip_addr *addr;
	struct state_address found;
};

static int match_address(const struct state_address *address, void *data)
{
	struct search *search = data;

	if (strcmp(address->ifname, search->ifname) ||
	    ip_addr_compare(&address->prefix.addr, search->addr))
		return 0;
	search->found = *address;
	return 1;
}

bool vrrp_holds(const struct vrrp *vrrp, const struct ip_addr *vip)
{
	struct search search = { .ifname = vrrp->config->node.lan, .addr = vip };

	return address_dump(vrrp->nl, match_address, &search) == 1;
}

/* What a killed keepalived left: the other gateway may hold the VIPs by now. */
static void remove_stale_vips(struct vrrp *vrrp)
{
	const struct config_site *site = config_self_site(vrrp->config);
	char text[IP_ADDR_STRLEN];

	for (size_t i = 0; i < site->n_vips; i++) {
		struct search search = { .ifname = vrrp->config->node.lan, .addr = &site->vips[i] };

		if (address_dump(vrrp->nl, match_address, &search) != 1)
			continue;
		event_warning(EVENT_VIP, "vip %s: left behind by keepalived, removed",
			      ip_addr_format(&site->vips[i], text));
		if (address_delete(vrrp->nl, &search.found))
			log_error("vip %s: %s", text, netlink_error(vrrp->nl));
	}
}

/* The adverts go over IPv4 if both gateways have it and there is such a VIP to announce. */
static bool adverts_over_ipv4(const struct config_site *site)
{
	for (size_t i = 0; i < site->n_gateways; i++)
		if (!site->gateways[i].lan4.family)
			return false;
	for (size_t i = 0; i < site->n_vips; i++)
		if (site->vips[i].family == IP_V4)
			return true;
	return false;
}

static const struct ip_addr *own_address(const struct config *config)
{
	const struct config_gateway *self = config_self(config);

	return adverts_over_ipv4(config_self_site(config)) ? &self->lan4 : &self->lan6;
}

static int restart_due(struct sd_event_source *source, uint64_t usec, void *data)
{
	struct vrrp *vrrp = data;

	(void)usec;
	vrrp->restart = sd_event_source_unref(source);
	start_keepalived(vrrp);
	return 0;
}

static void schedule_start(struct vrrp *vrrp)
{
	const uint64_t delay = child_backoff_delay_us(&vrrp->backoff, clock_now_us());

	if (vrrp->restart)
		return;
	if (sd_event_add_time_relative(vrrp->event, &vrrp->restart, CLOCK_MONOTONIC, delay, 1000,
				       restart_due, vrrp) < 0)
		log_error("keepalived: out of memory, not restarted");
}

static void keepalived_exited(struct child *child, int status, void *data)
{
	struct vrrp *vrrp = data;

	if (status == -1)
		event_error(EVENT_KEEPALIVED, "keepalived: ended; restarting it");
	else if (WIFSIGNALED(status))
		event_error(EVENT_KEEPALIVED, "keepalived: killed by signal %d; restarting it",
			    WTERMSIG(status));
	else
		event_error(EVENT_KEEPALIVED,
			    "keepalived: exited with status %d; restarting it (see %s)",
			    WEXITSTATUS(status), vrrp->log_path);
	child_free(child);
	vrrp->keepalived = NULL;
	take_event(NOTIFY_STOP, 0, vrrp);
	remove_stale_vips(vrrp);
	schedule_start(vrrp);
}

/* Without its own address at start keepalived would stay in FAULT until told to look again. */
static bool lan_ready(const struct vrrp *vrrp)
{
	struct link_info info;

	return !link_get(vrrp->nl, vrrp->config->node.lan, &info) && info.running &&
	       vrrp_holds(vrrp, own_address(vrrp->config));
}

static const struct config_gateway *partner(const struct config *config)
{
	const struct config_site *site = config_self_site(config);

	return site->n_gateways > 1 ? &site->gateways[1 - config->self_gateway] : NULL;
}

/*
 * A gateway that was replaced has another MAC address, and the partner's unicast adverts go to
 * the old one for as long as its kernel believes in that (8 s). Asking for the partner's address
 * tells it ours.
 */
static void greet_partner(const struct vrrp *vrrp)
{
	const struct config_gateway *pair = partner(vrrp->config);
	const struct ip_addr *addr;

	if (!pair)
		return;
	addr = adverts_over_ipv4(config_self_site(vrrp->config)) ? &pair->lan4 : &pair->lan6;
	(void)neighbour_resolve(vrrp->nl, vrrp->config->node.lan, addr); /* adverts will ask too */
}

static unsigned int lan_index(const struct vrrp *vrrp)
{
	struct link_info info;

	return link_get(vrrp->nl, vrrp->config->node.lan, &info) ? 0 : info.index;
}

static void start_keepalived(struct vrrp *vrrp)
{
	const char *const argv[] = { "keepalived",
				     "--dont-fork",
				     "--vrrp",
				     "--log-console",
				     "--log-detail",
				     "--use-file",
				     vrrp->conf_path,
				     "--pid",
				     vrrp->pid_path,
				     "--vrrp_pid",
				     vrrp->vrrp_pid_path,
				     NULL };
	char own[IP_ADDR_STRLEN];
	int rc;

	vrrp->backoff.started_us = clock_now_us();
	if (!lan_ready(vrrp)) {
		event_warning(EVENT_KEEPALIVED, "keepalived: waits until %s has its address %s",
			      vrrp->config->node.lan,
			      ip_addr_format(own_address(vrrp->config), own));
		schedule_start(vrrp);
		return;
	}
	vrrp->lan_index = lan_index(vrrp);
	greet_partner(vrrp);
	rc = child_spawn(vrrp->event, argv, NULL, vrrp->log_path, keepalived_exited, vrrp,
			 &vrrp->keepalived);
	if (!rc) {
		event_info(EVENT_KEEPALIVED, "keepalived: started (pid %d)",
			   child_pid(vrrp->keepalived));
		return;
	}
	event_error(EVENT_KEEPALIVED, "keepalived: cannot be started: %s", strerror(-rc));
	schedule_start(vrrp);
}

static pid_t pid_file_read(const char *path)
{
	char *text = read_file(path);
	long pid = text ? strtol(text, NULL, 10) : 0;

	free(text);
	return pid > 1 && pid <= INT_MAX ? (pid_t)pid : 0;
}

static bool adopt_keepalived(struct vrrp *vrrp)
{
	const pid_t pid = pid_file_read(vrrp->pid_path);

	if (!pid || !child_cmdline_has(pid, vrrp->conf_path))
		return false;
	if (child_adopt(vrrp->event, pid, keepalived_exited, vrrp, &vrrp->keepalived))
		return false;
	vrrp->backoff.started_us = clock_now_us();
	vrrp->lan_index = lan_index(vrrp);
	event_info(EVENT_KEEPALIVED, "keepalived: adopted (pid %d)", pid);
	return true;
}

/* What the track file said when the last netpasd ended. */
static bool adopt_track(struct vrrp *vrrp)
{
	char *text = read_file(vrrp->track_path);
	const long value = text ? strtol(text, NULL, 10) : 0;
	const long rest = vrrp->term - value + (value & 1);

	free(text);
	if (rest > 0 && rest <= KEEPALIVED_SEVERITY_MAX)
		vrrp->severity = (unsigned int)rest;
	return value & 1;
}

/*
 * The role that the adopted keepalived has: it is told by the VIP, since what the FIFO said
 * meanwhile is gone if the earlier netpasd had read it. What is still in the FIFO comes later
 * and has the last word.
 */
static void adopt_role(struct vrrp *vrrp)
{
	const struct config_site *site = config_self_site(vrrp->config);
	const bool was_active = adopt_track(vrrp);

	if (!vrrp_holds(vrrp, &site->vips[0])) {
		write_track(vrrp);
		return;
	}
	/* The very claim that is on file goes on: it gets the same generation again. */
	if (was_active && vrrp->role.generation)
		vrrp->role.seen_generation = vrrp->role.generation - 1;
	take_event(NOTIFY_MASTER, 0, vrrp);
}

/* A host prefix: with the LAN's length the VIP would go, or stay, with the gateway's own address. */
static void render_vip(const struct ip_addr *vip, struct keepalived_vip *ret_vip)
{
	const struct ip_prefix host = ip_prefix_host(vip);

	ret_vip->family = vip->family;
	ip_prefix_format(&host, ret_vip->text);
}

static int render(const struct vrrp *vrrp, char **ret_text)
{
	const struct config_site *site = config_self_site(vrrp->config);
	const struct config_gateway *self = config_self(vrrp->config);
	const struct config_gateway *pair = partner(vrrp->config);
	struct keepalived keepalived = {
		.vrid = site->vrid,
		.priority = (uint8_t)(KEEPALIVED_PRIORITY - vrrp->config->self_gateway),
		.advert_ms = site->advert_ms,
		.realtime = vrrp->realtime,
		.n_vips = site->n_vips,
		.fifo_path = vrrp->fifo_path,
		.track_path = vrrp->track_path,
	};
	const bool v4 = adverts_over_ipv4(site);
	struct keepalived_vip *vips;
	size_t size;
	FILE *out;

	snprintf(keepalived.router_id, sizeof(keepalived.router_id), "%s", self->name);
	snprintf(keepalived.interface, sizeof(keepalived.interface), "%s", vrrp->config->node.lan);
	ip_addr_format(own_address(vrrp->config), keepalived.own);
	if (pair)
		ip_addr_format(v4 ? &pair->lan4 : &pair->lan6, keepalived.peer);

	vips = calloc(site->n_vips, sizeof(*vips));
	if (!vips)
		return -ENOMEM;
	for (size_t i = 0; i < site->n_vips; i++)
		render_vip(&site->vips[i], &vips[i]);
	keepalived.vips = vips;
	out = open_memstream(ret_text, &size);
	if (!out) {
		free(vips);
		return -ENOMEM;
	}
	keepalived_render(&keepalived, out);
	free(vips);
	return fclose(out) ? -errno : 0;
}

/* The kernel may refuse it to us, as in a container: then all is as fast as it can be. */
static bool use_realtime(bool wanted)
{
	if (!wanted || realtime_possible())
		return !realtime_set(wanted) && wanted;
	log_warning("profile fast: no real-time priority here (CAP_SYS_NICE is missing); a busy "
		    "machine may be taken for a dead one, and then profile cloud is better");
	return false;
}

static void take_profile(struct vrrp *vrrp, const struct config_site *site)
{
	const uint32_t usual_ms = config_profile_advert_ms[site->profile];

	if (vrrp->advert_ms == site->advert_ms && vrrp->profile == site->profile)
		return;
	vrrp->advert_ms = site->advert_ms;
	vrrp->profile = site->profile;
	switchover_set_advert(vrrp->switchover, site->advert_ms);
	vrrp->realtime = use_realtime(site->profile == CONFIG_PROFILE_FAST);
	if (site->advert_ms == usual_ms)
		event_info(EVENT_KEEPALIVED, "vrrp: profile %s, adverts every %u ms%s",
			   config_profile_names[site->profile], site->advert_ms,
			   vrrp->realtime ? ", real-time priority" : "");
	else
		event_info(EVENT_KEEPALIVED,
			   "vrrp: profile %s, adverts every %u ms ('advert' in mesh.yaml) in place "
			   "of its %u ms%s",
			   config_profile_names[site->profile], site->advert_ms, usual_ms,
			   vrrp->realtime ? ", real-time priority" : "");
}

int vrrp_configure(struct vrrp *vrrp, const struct config *config)
{
	const bool first = !vrrp->config;
	char *text = NULL;
	bool changed;
	int rc;

	vrrp->config = config;
	take_profile(vrrp, config_self_site(config));
	rc = render(vrrp, &text);
	if (rc)
		return rc;
	changed = !vrrp->rendered || strcmp(vrrp->rendered, text);
	if (changed)
		rc = file_replace(vrrp->conf_path, text, strlen(text), 0600);
	if (rc) {
		free(text);
		return rc;
	}
	free(vrrp->rendered);
	vrrp->rendered = text;

	if (first && adopt_keepalived(vrrp))
		adopt_role(vrrp);
	if (vrrp->keepalived && vrrp->lan_index && vrrp->lan_index != lan_index(vrrp) &&
	    lan_ready(vrrp)) {
		/* Its sockets are bound to an interface that is no more. */
		event_warning(EVENT_KEEPALIVED,
			      "keepalived: %s is another interface now, restarting",
			      config->node.lan);
		child_stop(vrrp->keepalived, STOP_TIMEOUT_MS);
		vrrp->keepalived = NULL;
		take_event(NOTIFY_STOP, 0, vrrp);
	}
	if (vrrp->keepalived) {
		const bool stuck = vrrp->role.state == ROLE_FAULT && lan_ready(vrrp);

		if (!changed && !stuck)
			return 0;
		event_info(EVENT_KEEPALIVED, "keepalived: %s, reloading it",
			   changed ? "configuration changed"
				   : "in FAULT although the LAN is ready");
		return child_signal(vrrp->keepalived, SIGHUP);
	}
	if (first) {
		vrrp->starting = true;
		write_track(vrrp);
		remove_stale_vips(vrrp);
	}
	if (!vrrp->restart)
		start_keepalived(vrrp);
	return 0;
}

static int open_fifo(struct vrrp *vrrp)
{
	int rc;

	if (mkfifo(vrrp->fifo_path, 0600) && errno != EEXIST)
		return -errno;
	/* Open for both, so that it neither blocks nor ends while keepalived is away. */
	vrrp->fifo = open(vrrp->fifo_path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (vrrp->fifo < 0)
		return -errno;
	rc = sd_event_add_io(vrrp->event, &vrrp->fifo_io, vrrp->fifo, EPOLLIN, fifo_readable, vrrp);
	return rc < 0 ? rc : 0;
}

int vrrp_new(struct sd_event *event, struct netlink *nl, const struct vrrp_paths *paths,
	     vrrp_changed_fn *changed, void *data, struct vrrp **ret_vrrp)
{
	struct vrrp *vrrp = calloc(1, sizeof(*vrrp));
	int rc;

	if (!vrrp)
		return -ENOMEM;
	vrrp->event = event;
	vrrp->nl = nl;
	vrrp->changed = changed;
	vrrp->data = data;
	vrrp->fifo = -1;
	snprintf(vrrp->conf_path, PATH_MAX, "%s/keepalived.conf", paths->run_dir);
	snprintf(vrrp->pid_path, PATH_MAX, "%s/keepalived.pid", paths->run_dir);
	snprintf(vrrp->vrrp_pid_path, PATH_MAX, "%s/keepalived-vrrp.pid", paths->run_dir);
	snprintf(vrrp->fifo_path, PATH_MAX, "%s/keepalived.fifo", paths->run_dir);
	snprintf(vrrp->track_path, PATH_MAX, "%s/vrrp.track", paths->run_dir);
	snprintf(vrrp->log_path, PATH_MAX, "%s/log/keepalived.log", paths->run_dir);
	snprintf(vrrp->generation_path, PATH_MAX, "%s/generation", paths->state_dir);
	vrrp->rendered = read_file(vrrp->conf_path);

	rc = role_load(vrrp->generation_path, &vrrp->role);
	if (rc == -EBADMSG)
		log_warning("%s: damaged; starting from generation 0, the other site knows better",
			    vrrp->generation_path);
	else if (rc)
		log_warning("%s: %s", vrrp->generation_path, strerror(-rc));
	rc = open_fifo(vrrp);
	if (!rc)
		rc = switchover_new(event, vrrp, paths->state_dir, &vrrp->switchover);
	if (rc) {
		vrrp_free(vrrp);
		return rc;
	}
	vrrp->term = switchover_term(vrrp->switchover, &vrrp->flags);
	*ret_vrrp = vrrp;
	return 0;
}

void vrrp_free(struct vrrp *vrrp)
{
	if (!vrrp)
		return;
	switchover_free(vrrp->switchover);
	child_free(vrrp->keepalived);
	sd_event_source_disable_unref(vrrp->restart);
	sd_event_source_disable_unref(vrrp->fifo_io);
	if (vrrp->fifo >= 0)
		close(vrrp->fifo);
	free(vrrp->rendered);
	free(vrrp);
}

void vrrp_stop(struct vrrp *vrrp, const struct config *config)
{
	vrrp->restart = sd_event_source_disable_unref(vrrp->restart);
	vrrp->config = config;
	if (!vrrp->keepalived)
		(void)adopt_keepalived(vrrp); /* none to adopt: nothing to stop */
	if (vrrp->keepalived) {
		child_stop(vrrp->keepalived, STOP_TIMEOUT_MS);
		vrrp->keepalived = NULL;
	}
	if (vrrp->config)
		remove_stale_vips(vrrp);
	(void)unlink(vrrp->conf_path); /* what a later start would mistake for a running one */
	(void)unlink(vrrp->fifo_path);
	(void)unlink(vrrp->track_path);
}

const struct role *vrrp_role(const struct vrrp *vrrp)
{
	return &vrrp->role;
}

void vrrp_seen(struct vrrp *vrrp, uint64_t generation)
{
	role_seen(&vrrp->role, generation);
}

bool vrrp_running(const struct vrrp *vrrp)
{
	return vrrp->keepalived != NULL;
}

struct role_claim vrrp_claim(const struct vrrp *vrrp)
{
	struct role_claim claim = role_claim(&vrrp->role);

	claim.severity = (uint8_t)vrrp->severity;
	claim.flags = vrrp->flags;
	return claim;
}

unsigned int vrrp_severity(const struct vrrp *vrrp)
{
	return vrrp->severity;
}

bool vrrp_realtime(const struct vrrp *vrrp)
{
	return vrrp->realtime;
}

struct switchover *vrrp_switchover(const struct vrrp *vrrp)
{
	return vrrp->switchover;
}

bool vrrp_fails(const struct vrrp *vrrp, char *reason, size_t size)
{
	if (!vrrp->keepalived)
		snprintf(reason, size, "it does not run (see %s)", vrrp->log_path);
	else if (vrrp->backoff.failures >= FAILURES_MANY &&
		 clock_now_us() - vrrp->backoff.started_us < RUNS_US)
		snprintf(reason, size, "it has ended %u times in a row (see %s)",
			 vrrp->backoff.failures, vrrp->log_path);
	else
		return false;
	return true;
}

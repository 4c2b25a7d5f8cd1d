/* SPDX-License-Identifier: GPL-2.0-only */
#include "programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane.h"
#include "link.h"
#include "log.h"
#include "pins.h"

#define PROGRAMS_PATH_LEN 96

const char *const programs_place_names[PROGRAMS_PLACE_MAX] = {
	[PROGRAMS_WAN_XDP] = "wan_xdp",
	[PROGRAMS_WAN_TC] = "wan_tc",
	[PROGRAMS_WAN_EGRESS] = "wan_egress",
	[PROGRAMS_LAN_INGRESS] = "lan_ingress",
	[PROGRAMS_LAN_EGRESS] = "lan_egress",
	[PROGRAMS_TUNNEL_INGRESS] = "tunnel_ingress",
	[PROGRAMS_TUNNEL_EGRESS] = "tunnel_egress",
};

struct entries {
	struct programs_entry *v;
	size_t n;
};

struct programs {
	struct bpf_object *object;
	struct netlink *nl;
	enum hook_mode best; /* on WAN devices */
	bool spare_batches;  /* tc on devices that hand over batches */
	int fds[PROGRAMS_PLACE_MAX];
	struct entries entries;
	bool refreshed; /* once at least: what earlier daemons left is gone */
	bool adopted;
	char why_not[PROGRAMS_REASON_LEN];
};

/* ---- what libbpf says ---- */

/* Its first complaint since the last say_begin() is the cause, all others are consequences. */
static char complaint[PROGRAMS_REASON_LEN];

__attribute__((format(printf, 2, 0))) static int say(enum libbpf_print_level level, const char *fmt,
						     va_list args)
{
	char line[1024];

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), fmt, args);
	line[strcspn(line, "\n")] = '\0';
	log_debug("%s", line);
	if (level == LIBBPF_WARN && !complaint[0])
		snprintf(complaint, sizeof(complaint), "%.*s", PROGRAMS_REASON_LEN - 1, line);
	return 0;
}

static void say_begin(void)
{
	complaint[0] = '\0';
	libbpf_set_print(say);
}

static int refuse(int rc, const char *what, char reason[static PROGRAMS_REASON_LEN])
{
	if (rc == -EPERM)
		snprintf(reason, PROGRAMS_REASON_LEN,
			 "%s: not permitted; BPF needs CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN",
			 what);
	else if (rc == -ENOSYS)
		snprintf(reason, PROGRAMS_REASON_LEN, "%s: this kernel is built without BPF", what);
	else
		snprintf(reason, PROGRAMS_REASON_LEN, "%s: %s%s%.200s", what, strerror(-rc),
			 complaint[0] ? "; " : "", complaint);
	return rc;
}

/* ---- loading ---- */

static void map_path(const struct bpf_map *map, char buf[static PROGRAMS_PATH_LEN])
{
	snprintf(buf, PROGRAMS_PATH_LEN, DP_PIN_DIR "/%s", bpf_map__name(map));
}

/* Ours are shared and pinned; what the compiler adds (.rodata) belongs to the programs alone. */
static bool map_is_shared(const struct bpf_map *map)
{
	return !bpf_map__is_internal(map);
}

/* The layout's version in a pinned dp_config; 0: none was ever written. */
static uint32_t pinned_version(int fd)
{
	struct dp_config config;
	const uint32_t key = 0;

	return bpf_map_lookup_elem(fd, &key, &config) ? 0 : config.version;
}

/* True if what is pinned for a map is like it; also if nothing is. */
static bool map_agrees(const struct bpf_map *map, char why_not[static PROGRAMS_REASON_LEN])
{
	struct bpf_map_info info = { 0 };
	char path[PROGRAMS_PATH_LEN];
	uint32_t len = sizeof(info), version = 0;
	bool agrees;
	int fd;

	map_path(map, path);
	fd = bpf_obj_get(path);
	if (fd < 0 && errno == ENOENT)
		return true;
	agrees = fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) &&
		 info.type == bpf_map__type(map) && info.key_size == bpf_map__key_size(map) &&
		 info.value_size == bpf_map__value_size(map) &&
		 info.max_entries == bpf_map__max_entries(map) &&
		 info.map_flags == bpf_map__map_flags(map);
	if (!agrees)
		snprintf(why_not, PROGRAMS_REASON_LEN, "the layout of map %s differs",
			 bpf_map__name(map));
	else if (!strcmp(bpf_map__name(map), "dp_config"))
		version = pinned_version(fd);
	if (version && version != DP_VERSION) {
		snprintf(why_not, PROGRAMS_REASON_LEN, "version %u of the maps, not %u", version,
			 DP_VERSION);
		agrees = false;
	}
	if (fd >= 0)
		close(fd);
	return agrees;
}

/*
 * All maps of an earlier daemon or none: they refer to each other. New ones are not pinned before
 * the new programs, which use them, are attached (see programs_refresh()).
 */
static int choose_maps(struct programs *programs)
{
	char path[PROGRAMS_PATH_LEN];
	struct bpf_map *map;
	bool pinned = false, agree = true;
	int rc;

	bpf_object__for_each_map(map, programs->object)
	{
		if (!map_is_shared(map))
			continue;
		map_path(map, path);
		pinned = pinned || !access(path, F_OK);
		agree = agree && map_agrees(map, programs->why_not);
	}
	programs->adopted = pinned && agree;
	bpf_object__for_each_map(map, programs->object)
	{
		if (!map_is_shared(map))
			continue;
		map_path(map, path);
		rc = bpf_map__set_pin_path(map, programs->adopted ? path : NULL);
		if (rc)
			return rc;
	}
	return 0;
}

static int find_programs(struct programs *programs, char reason[static PROGRAMS_REASON_LEN])
{
	for (size_t i = 0; i < PROGRAMS_PLACE_MAX; i++) {
		const struct bpf_program *program =
			bpf_object__find_program_by_name(programs->object, programs_place_names[i]);

		if (!program) {
			snprintf(reason, PROGRAMS_REASON_LEN, "the image has no program %s",
				 programs_place_names[i]);
			return -ENOENT;
		}
		programs->fds[i] = bpf_program__fd(program);
	}
	return 0;
}

static enum hook_mode best_mode(enum config_dataplane mode)
{
	switch (mode) {
	case CONFIG_DATAPLANE_AUTO:
	case CONFIG_DATAPLANE_NATIVE:
		return HOOK_XDP_NATIVE;
	case CONFIG_DATAPLANE_GENERIC:
		return HOOK_XDP_GENERIC;
	case CONFIG_DATAPLANE_TC:
		return HOOK_TC;
	case CONFIG_DATAPLANE_OFF:
	case CONFIG_DATAPLANE_MAX:
		break;
	}
	return HOOK_NONE;
}

int programs_open(const struct programs_params *params, struct programs **ret_programs,
		  char reason[static PROGRAMS_REASON_LEN])
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "netpas",
		    .pin_root_path = DP_PIN_DIR);
	struct programs *programs;
	int rc;

	if (best_mode(params->mode) == HOOK_NONE)
		return refuse(-EINVAL, "BPF programs", reason);
	programs = calloc(1, sizeof(*programs));
	if (!programs)
		return refuse(-ENOMEM, "BPF programs", reason);
	programs->best = best_mode(params->mode);
	programs->spare_batches = params->mode == CONFIG_DATAPLANE_AUTO;
	say_begin();
	rc = netlink_open(NETLINK_ROUTE, 0, &programs->nl);
	if (rc) {
		refuse(rc, "netlink", reason);
		goto err;
	}
	rc = pins_mount();
	if (rc) {
		/* Of loading EACCES would mean that the verifier objects; here it does not. */
		rc = refuse(rc == -EACCES ? -EPERM : rc, "the BPF file system", reason);
		goto err;
	}
	programs->object = bpf_object__open_mem(params->image, params->image_len, &opts);
	if (!programs->object) {
		rc = refuse(-errno, "reading the BPF programs", reason);
		goto err;
	}
	rc = choose_maps(programs);
	if (!rc)
		rc = bpf_object__load(programs->object);
	if (rc) {
		refuse(rc, "loading the BPF programs", reason);
		goto err;
	}
	rc = find_programs(programs, reason);
	if (rc)
		goto err;
	*ret_programs = programs;
	return 0;

err:
	programs_close(programs);
	return rc;
}

void programs_close(struct programs *programs)
{
	if (!programs)
		return;
	bpf_object__close(programs->object);
	netlink_close(programs->nl);
	free(programs->entries.v);
	free(programs);
}

bool programs_adopted(const struct programs *programs, const char **ret_why_not)
{
	if (!programs->adopted)
		*ret_why_not = programs->why_not;
	return programs->adopted;
}

int programs_fd(const struct programs *programs, enum programs_place place)
{
	return programs->fds[place];
}

int programs_map(const struct programs *programs, const char *name)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(programs->object, name);

	return map ? bpf_map__fd(map) : -ENOENT;
}

/*
 * New maps take the names of the old ones. dp_config is last: while the old one has its name,
 * whoever starts after a crash between these lines finds the old version, and begins anew.
 */
static int pin_new_maps(struct programs *programs)
{
	char path[PROGRAMS_PATH_LEN];
	struct bpf_map *map;

	for (int last = 0; last < 2; last++) {
		bpf_object__for_each_map(map, programs->object)
		{
			const bool is_config = !strcmp(bpf_map__name(map), "dp_config");
			int rc;

			if (!map_is_shared(map) || is_config != (last == 1))
				continue;
			map_path(map, path);
			rc = pins_replace(bpf_map__fd(map), path);
			if (rc)
				return rc;
		}
	}
	return 0;
}

/* ---- attaching ---- */

static void xdp_path(unsigned int ifindex, char buf[static PROGRAMS_PATH_LEN])
{
	/* Not the device's name: that may change, and have dots, which are not allowed here. */
	snprintf(buf, PROGRAMS_PATH_LEN, PINS_XDP_FORMAT, ifindex);
}

static enum hook_side place_side(enum programs_place place)
{
	return place == PROGRAMS_WAN_EGRESS || place == PROGRAMS_LAN_EGRESS ||
			       place == PROGRAMS_TUNNEL_EGRESS
		       ? HOOK_EGRESS
		       : HOOK_INGRESS;
}

static const struct programs_entry *entry_find(const struct entries *entries, unsigned int ifindex,
					       enum programs_place place)
{
	for (size_t i = 0; i < entries->n; i++)
		if (entries->v[i].ifindex == ifindex && entries->v[i].place == place)
			return &entries->v[i];
	return NULL;
}

static void entry_add(struct entries *entries, const char *ifname, enum programs_place place)
{
	struct programs_entry *entry = &entries->v[entries->n++];

	snprintf(entry->ifname, sizeof(entry->ifname), "%s", ifname);
	entry->ifindex = if_nametoindex(ifname);
	entry->place = place;
}

static int entries_make(const struct programs_devices *devices, struct entries *ret_entries)
{
	struct entries entries = { 0 };

	entries.v = calloc(devices->n_wans * 3 + 2 + devices->n_tunnels * 2, sizeof(*entries.v));
	if (!entries.v)
		return -ENOMEM;
	for (size_t i = 0; i < devices->n_wans; i++) {
		/* XDP last: whenever it changes, tc is in place. */
		entry_add(&entries, devices->wans[i], PROGRAMS_WAN_EGRESS);
		entry_add(&entries, devices->wans[i], PROGRAMS_WAN_TC);
		entry_add(&entries, devices->wans[i], PROGRAMS_WAN_XDP);
	}
	for (size_t i = 0; i < devices->n_tunnels; i++) {
		entry_add(&entries, devices->tunnels[i], PROGRAMS_TUNNEL_EGRESS);
		entry_add(&entries, devices->tunnels[i], PROGRAMS_TUNNEL_INGRESS);
	}
	if (devices->lan && devices->lan[0]) {
		entry_add(&entries, devices->lan, PROGRAMS_LAN_INGRESS);
		entry_add(&entries, devices->lan, PROGRAMS_LAN_EGRESS);
	}
	*ret_entries = entries;
	return 0;
}

/*
 * Links made of software hand over batches (GSO) of up to 64 KiB. Native XDP has the sender take
 * them apart, generic XDP copies each into one piece; tc takes them as they are. On a veth, what is
 * sent back by XDP is lost besides, unless its other end runs XDP too.
 */
static bool hands_batches(struct programs *programs, unsigned int ifindex)
{
	struct link_info info;

	return !link_get_index(programs->nl, ifindex, &info) &&
	       (!strcmp(info.kind, "veth") || !strcmp(info.kind, "tun"));
}

static int attach_xdp(struct programs *programs, struct programs_entry *entry)
{
	const char *reason = "node.yaml asks for tc";
	bool tc = programs->best < HOOK_XDP_GENERIC;
	char pin[PROGRAMS_PATH_LEN];
	int rc;

	xdp_path(entry->ifindex, pin);
	if (programs->spare_batches && hands_batches(programs, entry->ifindex)) {
		reason = "tc takes this device's batches whole; \"dataplane: native\" asks for XDP";
		tc = true;
	}
	if (!tc) {
		rc = hook_xdp_attach(entry->ifindex, pin, programs->fds[entry->place],
				     programs->best, !programs->refreshed, &entry->mode,
				     entry->reason);
		/* tc does it then. */
		return rc < 0 && entry->mode == HOOK_NONE ? 0 : rc;
	}
	snprintf(entry->reason, sizeof(entry->reason), "%s", reason);
	return hook_xdp_detach(pin);
}

static int attach(struct programs *programs, struct programs_entry *entry)
{
	const struct programs_entry *before =
		entry_find(&programs->entries, entry->ifindex, entry->place);
	int rc;

	if (!entry->ifindex) {
		snprintf(entry->reason, sizeof(entry->reason), "there is no such device");
		return 0;
	}
	if (entry->place == PROGRAMS_WAN_XDP) {
		/* If all stays as it is, so does the reason. */
		if (before)
			snprintf(entry->reason, sizeof(entry->reason), "%s", before->reason);
		return attach_xdp(programs, entry);
	}
	rc = hook_tc_attach(entry->ifindex, place_side(entry->place), programs->fds[entry->place],
			    programs_place_names, PROGRAMS_PLACE_MAX, entry->reason);
	entry->mode = rc < 0 ? HOOK_NONE : HOOK_TC;
	return rc;
}

/* Names of ours that must not be on this side of a device; NULL entries: all. */
static size_t unwanted_names(const struct entries *wanted, unsigned int ifindex,
			     enum hook_side side, const char *ret_names[static PROGRAMS_PLACE_MAX])
{
	size_t n = 0;

	for (enum programs_place place = 0; place < PROGRAMS_PLACE_MAX; place++) {
		if (place == PROGRAMS_WAN_XDP || place_side(place) != side)
			continue;
		if (!wanted || !entry_find(wanted, ifindex, place))
			ret_names[n++] = programs_place_names[place];
	}
	return n;
}

struct cleaning {
	struct netlink *nl;
	const struct entries *wanted; /* NULL: nothing is */
	size_t done;
	int rc; /* first error */
};

static void note(struct cleaning *cleaning, int rc)
{
	if (rc > 0)
		cleaning->done++;
	if (rc < 0 && !cleaning->rc)
		cleaning->rc = rc;
}

/* Take ours off a device where it is not wanted. */
static void clean_tc(struct cleaning *cleaning, unsigned int ifindex)
{
	const size_t before = cleaning->done;

	for (enum hook_side side = HOOK_INGRESS; side <= HOOK_EGRESS; side++) {
		const char *names[PROGRAMS_PLACE_MAX];
		const size_t n = unwanted_names(cleaning->wanted, ifindex, side, names);

		note(cleaning, hook_tc_detach(ifindex, side, names, n));
	}
	/* Whoever made an empty qdisc without a filter of ours keeps it. */
	if (cleaning->done > before)
		note(cleaning, hook_tc_tidy(cleaning->nl, ifindex));
}

struct devices {
	unsigned int *v;
	size_t n, capacity;
};

static int collect_device(const struct link_info *info, void *data)
{
	struct devices *devices = data;

	if (devices->n == devices->capacity) {
		const size_t capacity = devices->capacity ? devices->capacity * 2 : 16;
		unsigned int *v = reallocarray(devices->v, capacity, sizeof(*v));

		if (!v)
			return -ENOMEM;
		devices->v = v;
		devices->capacity = capacity;
	}
	devices->v[devices->n++] = info->index;
	return 0;
}

static void clean_xdp(unsigned int ifindex, void *data)
{
	struct cleaning *cleaning = data;
	char pin[PROGRAMS_PATH_LEN];

	if (cleaning->wanted && entry_find(cleaning->wanted, ifindex, PROGRAMS_WAN_XDP))
		return;
	xdp_path(ifindex, pin);
	note(cleaning, hook_xdp_detach(pin));
}

/* Every device of the namespace, and every pinned link, also of devices that are gone. */
static void clean_all(struct cleaning *cleaning)
{
	struct devices devices = { 0 };

	note(cleaning, link_dump(cleaning->nl, collect_device, &devices));
	for (size_t i = 0; i < devices.n; i++)
		clean_tc(cleaning, devices.v[i]);
	free(devices.v);
	note(cleaning, pins_each_xdp(clean_xdp, cleaning));
}

/* Only the devices that were wanted until now. */
static void clean_left(struct cleaning *cleaning, const struct entries *before)
{
	for (size_t i = 0; i < before->n; i++) {
		const struct programs_entry *entry = &before->v[i];

		if (!entry->ifindex || entry_find(cleaning->wanted, entry->ifindex, entry->place))
			continue;
		if (entry->place == PROGRAMS_WAN_XDP)
			clean_xdp(entry->ifindex, cleaning);
		else
			clean_tc(cleaning, entry->ifindex);
	}
}

int programs_refresh(struct programs *programs, const struct programs_devices *devices,
		     size_t *ret_changes)
{
	struct cleaning cleaning = { .nl = programs->nl };
	struct entries entries;
	int rc;

	rc = entries_make(devices, &entries);
	if (rc)
		return rc;
	say_begin();
	cleaning.wanted = &entries;
	for (size_t i = 0; i < entries.n; i++)
		note(&cleaning, attach(programs, &entries.v[i]));
	if (!programs->refreshed) {
		clean_all(&cleaning);
		if (!programs->adopted)
			note(&cleaning, pin_new_maps(programs));
	} else {
		clean_left(&cleaning, &programs->entries);
	}
	programs->refreshed = true;
	free(programs->entries.v);
	programs->entries = entries;
	if (ret_changes)
		*ret_changes = cleaning.done;
	return cleaning.rc;
}

const struct programs_entry *programs_list(const struct programs *programs, size_t *ret_n)
{
	*ret_n = programs->entries.n;
	return programs->entries.v;
}

int programs_down(char reason[static PROGRAMS_REASON_LEN])
{
	struct cleaning cleaning = { 0 };
	struct netlink *nl;
	int rc;

	say_begin();
	rc = netlink_open(NETLINK_ROUTE, 0, &nl);
	if (rc)
		return refuse(rc, "netlink", reason);
	cleaning.nl = nl;
	clean_all(&cleaning);
	netlink_close(nl);
	rc = pins_remove();
	if (cleaning.rc)
		return refuse(cleaning.rc, "detaching the BPF programs", reason);
	return rc ? refuse(rc, "removing " DP_PIN_DIR, reason) : 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "tap.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

#define RING_SIZE (8u << 20) /* bytes */
#define LIFE_US 2000000u     /* for which programs go on if they are not told to */

struct tap {
	struct tap_maps maps;
	struct dp_capture capture;
	struct ring_buffer *ring;
	int ring_fd;
	uint64_t lost; /* before it began */
	tap_record_fn *record;
	void *data;
};

static const uint32_t zero;

static int refuse(int rc, const char *what, char reason[static TAP_REASON_LEN])
{
	snprintf(reason, TAP_REASON_LEN, "%s: %s", what, strerror(-rc));
	return rc;
}

static int take(void *data, void *bytes, size_t size)
{
	const struct tap *tap = data;
	const struct dp_captured *record = bytes;

	if (size >= DP_CAPTURED_HEAD && size >= DP_CAPTURED_HEAD + (size_t)record->caplen &&
	    record->place < DP_PLACE_MAX)
		tap->record(record, tap->data);
	return 0;
}

/* Of all since the programs were loaded. */
static uint64_t count_lost(const struct tap_maps *maps)
{
	const int n_cpus = libbpf_num_possible_cpus();
	struct dp_capture_scratch *cpus = n_cpus > 0 ? calloc((size_t)n_cpus, sizeof(*cpus)) : NULL;
	uint64_t lost = 0;

	for (uint32_t place = 0; cpus && place < DP_PLACE_MAX; place++) {
		if (bpf_map_lookup_elem(maps->scratch, &place, cpus))
			continue;
		for (int i = 0; i < n_cpus; i++)
			lost += cpus[i].lost;
	}
	free(cpus);
	return lost;
}

static int renew(struct tap *tap)
{
	tap->capture.until_ns = (clock_now_us() + LIFE_US) * 1000;
	return bpf_map_update_elem(tap->maps.capture, &zero, &tap->capture, BPF_ANY) ? -errno : 0;
}

/* No run is half done that began in an earlier capture. */
static int forget_runs(const struct tap_maps *maps)
{
	const int n_cpus = libbpf_num_possible_cpus();
	struct dp_capture_scratch *cpus = n_cpus > 0 ? calloc((size_t)n_cpus, sizeof(*cpus)) : NULL;
	int rc = cpus ? 0 : -ENOMEM;

	for (uint32_t place = 0; !rc && place < DP_PLACE_MAX; place++)
		if (bpf_map_update_elem(maps->scratch, &place, cpus, BPF_ANY))
			rc = -errno;
	free(cpus);
	return rc;
}

int tap_open(const struct tap_maps *maps, const struct tap_options *options, tap_record_fn *record,
	     void *data, struct tap **ret_tap, char reason[static TAP_REASON_LEN])
{
	struct tap *tap = calloc(1, sizeof(*tap));
	struct dp_capture now = { 0 };
	int rc;

	if (!tap)
		return refuse(-ENOMEM, "capture", reason);
	tap->maps = *maps;
	tap->record = record;
	tap->data = data;
	tap->ring_fd = -1;
	tap->capture = (struct dp_capture){
		.places = options->places,
		.after = options->after,
		.ifindex = options->ifindex,
		.snap = options->snap < DP_CAPTURE_MAX ? options->snap : DP_CAPTURE_MAX,
	};
	rc = bpf_map_lookup_elem(maps->capture, &zero, &now) ? -errno : 0;
	if (!rc && now.until_ns / 1000 > clock_now_us()) {
		free(tap);
		snprintf(reason, TAP_REASON_LEN,
			 "another capture runs on this node, or ended just now");
		return -EBUSY;
	}
	if (!rc)
		rc = forget_runs(maps);
	if (!rc) {
		tap->ring_fd =
			bpf_map_create(BPF_MAP_TYPE_RINGBUF, "netpas_tap", 0, 0, RING_SIZE, NULL);
		rc = tap->ring_fd < 0 ? -errno : 0;
	}
	if (!rc) {
		tap->ring = ring_buffer__new(tap->ring_fd, take, tap, NULL);
		rc = tap->ring ? 0 : -errno;
	}
	if (!rc && bpf_map_update_elem(maps->rings, &zero, &tap->ring_fd, BPF_ANY))
		rc = -errno;
	tap->lost = count_lost(maps);
	if (!rc)
		rc = renew(tap);
	if (rc) {
		tap_close(tap);
		return refuse(rc, "capture", reason);
	}
	*ret_tap = tap;
	return 0;
}

void tap_close(struct tap *tap)
{
	const struct dp_capture off = { 0 };

	if (!tap)
		return;
	/* If it fails they end by the time that they were given. */
	(void)bpf_map_update_elem(tap->maps.capture, &zero, &off, BPF_ANY);
	(void)bpf_map_delete_elem(tap->maps.rings, &zero);
	if (tap->ring)
		(void)ring_buffer__consume(tap->ring);
	ring_buffer__free(tap->ring);
	if (tap->ring_fd >= 0)
		close(tap->ring_fd);
	free(tap);
}

int tap_poll(struct tap *tap, int timeout_ms)
{
	int rc = renew(tap);

	if (!rc)
		rc = ring_buffer__poll(tap->ring, timeout_ms);
	return rc < 0 && rc != -EINTR ? rc : 0;
}

uint64_t tap_lost(const struct tap *tap)
{
	return count_lost(&tap->maps) - tap->lost;
}

const char *tap_verdict_name(enum dp_place place, int verdict)
{
	static const char *const xdp[] = { "XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX",
					   "XDP_REDIRECT" };

	if (place == DP_PLACE_WAN_XDP)
		return verdict >= 0 && verdict <= 4 ? xdp[verdict] : "XDP_?";
	switch (verdict) {
	case TC_ACT_OK:
		return "TC_ACT_OK";
	case TC_ACT_SHOT:
		return "TC_ACT_SHOT";
	case TC_ACT_REDIRECT:
		return "TC_ACT_REDIRECT";
	default:
		return "TC_ACT_?";
	}
}

bool tap_is_drop(const struct dp_captured *record)
{
	const int verdict = record->verdict;

	if (record->counts >> DP_COUNT_PROBE_TAKEN & 1)
		return false;
	return record->place == DP_PLACE_WAN_XDP ? verdict == 0 || verdict == 1
						 : verdict == TC_ACT_SHOT;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `netpas bench engine` has measured on this machine, which outlives a reboot: STATEDIR/engine.json.
 * It says something only where it was measured: the same kernel, processor and netpas-wg.
 */
#ifndef NETPAS_ENGINE_RECORD_H
#define NETPAS_ENGINE_RECORD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define ENGINE_RECORD_FILE "engine.json"
#define ENGINE_RECORD_WORDS 128 /* why one is not good */
#define ENGINE_TRIALS_MAX 15

/* In the order in which they are preferred. */
enum engine_kind {
	ENGINE_KERNEL,
	ENGINE_NETPAS_WG,
	ENGINE_WIREGUARD_GO,
	ENGINE_KIND_MAX,
};
extern const char *const engine_kind_names[ENGINE_KIND_MAX]; /* "kernel", "netpas-wg", ... */

enum engine_figure {
	ENGINE_BULK,  /* TCP through the tunnel, bit/s */
	ENGINE_SMALL, /* UDP of 64 bytes, packets/s that arrive */
	ENGINE_PING,  /* p99 of a round trip beside the bulk, us: less is better */
	ENGINE_FIGURE_MAX,
};

struct engine_trials {
	unsigned int n; /* 0: this engine was not there */
	double values[ENGINE_FIGURE_MAX][ENGINE_TRIALS_MAX];
};

struct engine_machine {
	char kernel[65]; /* release */
	char cpu[128];	 /* model, as the kernel names it */
	int64_t cpus;	 /* that the machine has online */
	uint64_t build;	 /* first 8 bytes of the SHA-256 of netpas-wg; 0: not installed */
};

struct engine_record {
	struct engine_machine machine;
	int64_t measured_s; /* UNIX time */
	struct engine_trials engines[ENGINE_KIND_MAX];
};

/* Of what is not known the text is "". netpas_wg: its path, NULL: none. */
void engine_machine_read(const char *netpas_wg, struct engine_machine *ret_machine);

/* NULL if both are the same machine, else what of it is another: "kernel", "processor", ... */
const char *engine_machine_differs(const struct engine_machine *a, const struct engine_machine *b);

/* n > 0. The worst is the slowest. */
double engine_trials_median(const struct engine_trials *trials, enum engine_figure figure);
double engine_trials_worst(const struct engine_trials *trials, enum engine_figure figure);

/* A new reference, NULL: out of memory. */
json_t *engine_record_json(const struct engine_record *record);
/* 0, -EBADMSG: it is none, and words say why. */
int engine_record_parse(const json_t *json, struct engine_record *ret_record,
			char words[static ENGINE_RECORD_WORDS]);

/* In a state directory, which is made if need be. The whole or nothing, also after a power cut. */
int engine_record_write(const char *dir, const struct engine_record *record);
/* -ENOENT: there is none. Any other -errno: it is damaged, and words say why. */
int engine_record_read(const char *dir, struct engine_record *ret_record,
		       char words[static ENGINE_RECORD_WORDS]);

#endif

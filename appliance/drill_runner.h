/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who runs a drill: it talks to the agents of the gateways that take part, and exchanges probes
 * with the far one of them all the while.
 */
#ifndef NETPAS_DRILL_RUNNER_H
#define NETPAS_DRILL_RUNNER_H

#include <jansson.h>
#include <stdbool.h>

#include "drill_fault.h"
#include "drill_serve.h"
#include "drill_stream.h"
#include "drill_wire.h"

#define DRILL_EVENTS_MAX 256

enum drill_part {
	DRILL_HERE,    /* this gateway, the standby */
	DRILL_PARTNER, /* the active one */
	DRILL_FAR,     /* that of the other site that answers probes */
	DRILL_PART_MAX,
};

struct drill_peer {
	const struct config_gateway *gateway; /* NULL: there is none */
	const struct config_site *site;
	uint64_t cookie;   /* 0: it has not answered yet */
	uint32_t number;   /* of the last command */
	int64_t offset_us; /* its clock less ours, by the fastest answer */
	uint32_t rtt_us;
	bool keep; /* has made a fault */
};

struct drill_event {
	uint64_t at_us; /* clock of this node */
	const char *node;
	char what[256];
};

struct drill_reply {
	int rc; /* what the agent says, or -ETIMEDOUT */
	uint32_t value;
	uint64_t time_us; /* the agent's clock */
	char text[DRILL_TEXT_LEN];
};

struct drill_runner {
	const struct config *config;
	int fd;
	struct drill_way way;
	struct drill_keys keys;
	struct drill_peer peers[DRILL_PART_MAX];
	struct drill_stream stream;
	uint64_t session;
	uint64_t keep_us; /* when the next word that the drill goes on is due */
	bool realtime;	  /* the kernel lets it run first */

	uint64_t abort_us; /* longest silence that is borne; 0: any */
	char aborted[160]; /* why; "" */

	/* What is waited for. */
	enum drill_part asked;
	uint32_t asked_number;
	bool answered;
	struct drill_reply reply;
	uint8_t *blob;
	size_t blob_len;
	uint8_t *chunks; /* 1: has come */

	struct drill_event events[DRILL_EVENTS_MAX];
	size_t n_events;
};

/* Sockets, with the gateways that take part set. 0 or -errno. */
int drill_runner_open(struct drill_runner *runner);
void drill_runner_close(struct drill_runner *runner);

/* Signals SIGINT and SIGTERM abort from now on. */
void drill_runner_catch(void);

/* Go on with everything until then, or until it is aborted. */
void drill_runner_pass(struct drill_runner *runner, uint64_t until_us);

/* A command, again and again until it is answered. The reply's rc, too. */
int drill_runner_ask(struct drill_runner *runner, enum drill_part part, enum drill_type type,
		     const uint8_t *body, size_t len, uint32_t timeout_ms,
		     struct drill_reply *ret_reply);

/* A snapshot, with a NUL behind it. 0 or -errno. */
int drill_runner_fetch(struct drill_runner *runner, enum drill_part part, enum drill_blob kind,
		       uint32_t timeout_ms, uint8_t **ret_blob, size_t *ret_len);
json_t *drill_runner_fetch_json(struct drill_runner *runner, enum drill_part part,
				enum drill_blob kind, uint32_t timeout_ms);

void drill_runner_event(struct drill_runner *runner, uint64_t at_us, const char *node,
			const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif

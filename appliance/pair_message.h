/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the two gateways of a site ask each other, and answer: one JSON object a line each way.
 *
 *	{"version": 1, "request": "status"}
 *	{"version": 1, "ok": true, "status": {...}}
 *	{"version": 1, "ok": false, "error": "why"}
 *
 * Words that one does not know it passes over; a version that it does not know it refuses, and says
 * which one it has. Pure.
 */
#ifndef NETPAS_PAIR_MESSAGE_H
#define NETPAS_PAIR_MESSAGE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

#define PAIR_VERSION 1

/* Bytes of a line: a configuration file in which every second character is escaped. */
#define PAIR_LINE_MAX (2u * CONFIG_FILE_MAX + 65536u)

/* A kind of request. The answer is a new reference, without a version; NULL: out of memory. */
struct pair_request {
	const char *name;
	json_t *(*handle)(json_t *request, void *data);
};

/* A request to fill in; NULL: out of memory. */
json_t *pair_request_new(const char *name);

/* The answer to a line, whatever it is; NULL only if out of memory. */
json_t *pair_answer(const char *line, size_t len, const struct pair_request *requests,
		    size_t n_requests, void *data);
json_t *pair_answer_too_long(void); /* to one of more than PAIR_LINE_MAX bytes */

/* 0; -EBADMSG: not an answer; -EPROTO: one of another version. */
int pair_answer_parse(const char *line, size_t len, json_t **ret_answer);

/* A 64-bit number as 16 hexadecimal digits, as JSON's own numbers are too small for it. */
json_t *pair_number_new(uint64_t number);
int pair_number_get(json_t *object, const char *key, uint64_t *ret_number); /* 0, -EBADMSG */

#endif

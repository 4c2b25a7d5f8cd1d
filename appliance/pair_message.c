/* SPDX-License-Identifier: GPL-2.0-only */
#include "pair_message.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control.h"
#include "hex.h"

#define NUMBER_DIGITS 16

json_t *pair_request_new(const char *name)
{
	return json_pack("{s:i, s:s}", "version", PAIR_VERSION, "request", name);
}

static json_t *unknown_request(const char *name, const struct pair_request *requests,
			       size_t n_requests)
{
	char known[512] = "";
	size_t len = 0;

	for (size_t i = 0; i < n_requests && len < sizeof(known); i++)
		len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s", i ? ", " : "",
					requests[i].name);
	return control_error("unknown request '%.64s'; known are %s", name, known);
}

static json_t *answer_request(json_t *request, const struct pair_request *requests,
			      size_t n_requests, void *data)
{
	json_t *version = json_object_get(request, "version");
	const char *name = json_string_value(json_object_get(request, "request"));

	if (!json_is_integer(version))
		return control_error("a request is an object with a number \"version\"");
	if (json_integer_value(version) != PAIR_VERSION)
		return control_error("version %" JSON_INTEGER_FORMAT
				     " is not known here, only version %d; upgrade the older of "
				     "the two gateways",
				     json_integer_value(version), PAIR_VERSION);
	if (!name)
		return control_error("a request is an object with a string \"request\"");
	for (size_t i = 0; i < n_requests; i++)
		if (!strcmp(name, requests[i].name))
			return requests[i].handle(request, data);
	return unknown_request(name, requests, n_requests);
}

/* Takes the answer over. */
static json_t *add_version(json_t *answer)
{
	if (answer && json_object_set_new(answer, "version", json_integer(PAIR_VERSION))) {
		json_decref(answer);
		return NULL;
	}
	return answer;
}

json_t *pair_answer(const char *line, size_t len, const struct pair_request *requests,
		    size_t n_requests, void *data)
{
	json_error_t error;
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	json_t *answer;

	if (request)
		answer = answer_request(request, requests, n_requests, data);
	else
		answer = control_error("the request is not JSON: %s", error.text);
	json_decref(request);
	return add_version(answer);
}

json_t *pair_answer_too_long(void)
{
	return add_version(control_error("a request is at most %u bytes", PAIR_LINE_MAX));
}

int pair_answer_parse(const char *line, size_t len, json_t **ret_answer)
{
	json_t *answer = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	json_t *version = json_object_get(answer, "version");
	int rc = 0;

	if (!json_is_integer(version) || !json_is_boolean(json_object_get(answer, "ok")))
		rc = -EBADMSG;
	else if (json_is_true(json_object_get(answer, "ok")) &&
		 json_integer_value(version) != PAIR_VERSION)
		rc = -EPROTO; /* what refuses a version may have another one itself */
	if (rc)
		json_decref(answer);
	else
		*ret_answer = answer;
	return rc;
}

json_t *pair_number_new(uint64_t number)
{
	return json_sprintf("%016" PRIx64, number);
}

int pair_number_get(json_t *object, const char *key, uint64_t *ret_number)
{
	const char *text = json_string_value(json_object_get(object, key));
	uint64_t number = 0;

	if (!text || strlen(text) != NUMBER_DIGITS)
		return -EBADMSG;
	for (size_t i = 0; i < NUMBER_DIGITS; i++) {
		const int digit = hex_digit(text[i]);

		if (digit < 0)
			return -EBADMSG;
		number = number << 4 | (unsigned int)digit;
	}
	*ret_number = number;
	return 0;
}

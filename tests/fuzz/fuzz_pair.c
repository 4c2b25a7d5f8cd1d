/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lines of the pair channel: whatever the partner asks there is one answer, an object with "ok" that
 * the other end understands; and whatever it answers is taken as one or refused. A difference of two
 * texts is printed whatever they are. What a gateway says of itself in a rolling restart is read or refused.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "difference.h"
#include "pair_message.h"
#include "rolling_view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int good)
{
	if (!good)
		abort();
}

static json_t *do_number(json_t *request, void *data)
{
	uint64_t number;

	(void)data;
	if (pair_number_get(request, "number", &number))
		return control_error("no number");
	return json_pack("{s:b, s:o}", "ok", 1, "number", pair_number_new(number));
}

static const struct pair_request requests[] = { { "number", do_number } };

static void ask(const char *line, size_t size)
{
	json_t *answer = pair_answer(line, size, requests, 1, NULL), *again = NULL;
	char *text = json_dumps(answer, JSON_COMPACT);

	check(json_is_boolean(json_object_get(answer, "ok")));
	check(text && !pair_answer_parse(text, strlen(text), &again));
	check(json_equal(answer, again));
	json_decref(again);
	json_decref(answer);
	free(text);
}

static void view(json_t *json)
{
	struct rolling_record record;
	struct rolling_view seen;
	char reason[ROLLING_REASON_LEN] = "";

	if (rolling_view_parse(json, &seen, &record))
		return;
	check(seen.known && seen.trial < ROLLING_TRIAL_MAX);
	/* It is as good as itself, unless it is deaf. */
	check(rolling_as_good(&seen, false, &seen, reason) == seen.partner_alive);
	rolling_view_fini(&seen);
}

static void answer(const char *line, size_t size)
{
	json_t *json = NULL;
	const int rc = pair_answer_parse(line, size, &json);

	check(rc == 0 || rc == -EBADMSG || rc == -EPROTO);
	check(!rc == json_is_object(json));
	if (!rc)
		view(json);
	json_decref(json);
}

static void compare(const char *text, size_t size)
{
	const char *end = text + size, *middle = size ? memchr(text, '\0', size) : NULL;
	struct difference_text a = { .name = "a", .text = text }, b = { .name = "b" };
	char *buf = NULL;
	size_t len;
	FILE *out = open_memstream(&buf, &len);

	a.len = middle ? (size_t)(middle - text) : size;
	b.text = middle ? middle + 1 : "";
	b.len = middle ? (size_t)(end - b.text) : 0;
	check(out && !difference_print(&a, &b, out));
	fclose(out);
	check(!len == (a.len == b.len && !memcmp(a.text, b.text, a.len)));
	free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ask((const char *)data, size);
	answer((const char *)data, size);
	compare((const char *)data, size);
	return 0;
}

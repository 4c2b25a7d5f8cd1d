/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether a new slot is as good as what ran before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot_check.h"

static const char gateway[] =
	"{'configured': true, 'failed_units': ['old.service'], 'answer': {'ok': true,"
	" 'rolling': {'instance': '0000000000000001', 'running': {'version': 'v1', 'build':"
	" '0000000000000001'}, 'installed': {'state': 'good'}, 'paths': 4, 'remotes': 2},"
	" 'status': {'node': 'fra-a', 'id': 1, 'role': 'standby', 'config': {'digest':"
	" '00000000000000aa'}, 'ha': {'severity': 2, 'handover': 'none'}, 'partner': {'alive': true,"
	" 'role': 'active'}, 'tunnels': [{'peer': 'sin-a', 'lane': 0, 'alive': true,"
	" 'handshake_age_s': 3}, {'peer': 'sin-b', 'lane': 0, 'alive': true, 'handshake_age_s': 4}],"
	" 'dataplane': {'programs': [{'program': 'wan_xdp', 'interface': 'eth0', 'mode': 'native'}]},"
	" 'health': {'lan_neighbours': [{'answered_s': 0.5}]}, 'problems': ['disk 91 % full']}}}";

/* Another version, whose program has another name. */
static const char newer[] =
	"{'configured': true, 'failed_units': [], 'answer': {'ok': true,"
	" 'rolling': {'instance': '0000000000000002', 'running': {'version': 'v2', 'build':"
	" '0000000000000002'}, 'installed': {'state': 'good'}, 'paths': 4, 'remotes': 2},"
	" 'status': {'node': 'fra-a', 'id': 1, 'role': 'active', 'config': {'digest':"
	" '00000000000000aa'}, 'ha': {'severity': 0, 'handover': 'none'}, 'partner': {'alive': true,"
	" 'role': 'standby'}, 'tunnels': [{'peer': 'sin-a', 'lane': 0, 'alive': true,"
	" 'handshake_age_s': 3}, {'peer': 'sin-b', 'lane': 0, 'alive': true, 'handshake_age_s': 4}],"
	" 'dataplane': {'programs': [{'program': 'wan', 'interface': 'eth0', 'mode': 'native'}]},"
	" 'health': {'lan_neighbours': [{'answered_s': 0.5}]}, 'problems': []}}}";

static const char relay[] =
	"{'configured': true, 'failed_units': [], 'answer': {'ok': true, 'status': {'node': 'pop1',"
	" 'id': 101, 'role': 'relay', 'config': {'digest': '00000000000000aa'}, 'partner': null,"
	" 'tunnels': [], 'dataplane': {'programs': [{'program': 'wan_xdp', 'interface': 'eth0',"
	" 'mode': 'native'}]}, 'problems': []}}}";

static const char bare[] = "{'configured': false, 'failed_units': []}";
static const char silent[] =
	"{'configured': true, 'failed_units': [], 'silence': 'Connection refused'}";

/* The text with one thing in it changed, as JSON. */
static json_t *look_of(const char *text, const char *from, const char *to)
{
	char *copy = malloc(strlen(text) + (to ? strlen(to) : 0) + 1);
	const char *at = from ? strstr(text, from) : NULL;
	json_t *look;

	assert_true(!from || at);
	if (at)
		sprintf(copy, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	else
		strcpy(copy, text);
	for (char *c = copy; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	look = json_loads(copy, 0, NULL);
	assert_non_null(look);
	free(copy);
	return look;
}

static void expect(const char *before, const char *now, const char *from, const char *to,
		   const char *words)
{
	json_t *then = before ? look_of(before, NULL, NULL) : NULL, *here = look_of(now, from, to);
	char reason[ROLLING_REASON_LEN] = "";
	const bool good = boot_check_good(then, here, reason);

	if (good != !words || (words && !strstr(reason, words)))
		fail_msg("'%s' for '%s': %d, '%s'; wanted is '%s'", to ? to : "", from ? from : "",
			 good, reason, words ? words : "good");
	json_decref(then);
	json_decref(here);
}

static void test_as_before(void **state)
{
	(void)state;
	expect(gateway, gateway, NULL, NULL, NULL);
	expect(relay, relay, NULL, NULL, NULL);
	expect(bare, bare, NULL, NULL, NULL);
	expect(NULL, newer, NULL, NULL, NULL);
	expect(NULL, bare, NULL, NULL, NULL);
	expect(silent, newer, NULL, NULL, NULL); /* it did not run before either */
	expect(bare, relay, NULL, NULL, NULL);
}

static void test_what_may_differ(void **state)
{
	(void)state;
	expect(gateway, gateway, "'paths': 4", "'paths': 1", NULL);
	expect(gateway, gateway, "disk 91 %", "disk 92 %", NULL);
	expect(gateway, gateway, "'severity': 2", "'severity': 0", NULL);
	expect(gateway, gateway, "['disk 91 % full']", "[]", NULL);
	/* Another version may call its programs otherwise, but must have some. */
	expect(gateway, gateway, "'v1'", "'v2'", NULL);
	expect(gateway, newer, NULL, NULL, NULL);
	/* With another mesh.yaml there are other tunnels. */
	expect(gateway, gateway, "'00000000000000aa'}, 'ha': {'severity': 2",
	       "'00000000000000bb'}, 'ha': {'severity': 2", NULL);
}

static void test_what_may_not(void **state)
{
	static const struct {
		const char *from, *to, *words;
	} changes[] = {
		{ "'old.service'", "'old.service', 'chrony.service'", "chrony.service has failed" },
		{ "'peer': 'sin-b', 'lane': 0, 'alive': true",
		  "'peer': 'sin-b', 'lane': 0, 'alive': false", "no live tunnel to sin-b" },
		{ "'peer': 'sin-a'", "'peer': 'sin-c'", "no live tunnel to sin-a" },
		{ "'handshake_age_s': 4", "'handshake_age_s': null", "no live tunnel to sin-b" },
		{ "'standby'", "'fault'", "neither active nor standby" },
		{ "'standby'", "'active'", "both active" },
		{ "'partner': {'alive': true", "'partner': {'alive': false", "other gateway" },
		{ "'severity': 2", "'severity': 4", "worse off" },
		{ "'mode': 'native'", "'mode': 'none'", "no program of the data plane" },
		{ "'mode': 'native'", "'mode': 'generic'", "wan_xdp on eth0 (native)" },
		{ "'answered_s': 0.5", "'answered_s': 50", "LAN" },
		{ "['disk 91 % full']", "['disk 91 % full', 'keepalived is not running']",
		  "keepalived is not running" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		expect(gateway, gateway, changes[i].from, changes[i].to, changes[i].words);
	expect(gateway, gateway, "'status'", "'statsu'", "no sense");
	expect(gateway, gateway, "'configured': true", "'configured': true, 'starting': true",
	       "still being started");
	expect(bare, bare, "'configured': false", "'configured': false, 'starting': true",
	       "still being started");
	expect(gateway, silent, NULL, NULL, "Connection refused");
	expect(gateway, bare, NULL, NULL, "no node.yaml");
	expect(relay, relay, "'mode': 'native'", "'mode': 'none'", "no program of the data plane");
	expect(relay, relay, "'problems': []", "'problems': ['WAN interface eth0 is down']",
	       "eth0 is down");
	/* How it was is not known. */
	expect(NULL, newer, "'active'", "'fault'", "neither");
	expect(NULL, gateway, NULL, NULL, "old.service has failed");
}

static void test_what_was_ill_may_stay_so(void **state)
{
	json_t *then = look_of(gateway, "'standby'", "'fault'");
	json_t *here = look_of(gateway, "'standby'", "'fault'");
	char reason[ROLLING_REASON_LEN] = "";

	(void)state;
	assert_true(boot_check_good(then, here, reason));
	json_decref(then);
	json_decref(here);
	then = look_of(gateway, "'partner': {'alive': true", "'partner': {'alive': false");
	here = look_of(gateway, "'partner': {'alive': true", "'partner': {'alive': false");
	assert_true(boot_check_good(then, here, reason));
	json_decref(then);
	json_decref(here);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_before),
		cmocka_unit_test(test_what_may_differ),
		cmocka_unit_test(test_what_may_not),
		cmocka_unit_test(test_what_was_ill_may_stay_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

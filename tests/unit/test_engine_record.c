/* SPDX-License-Identifier: GPL-2.0-only */
/* What was measured of engines, as a file; and which engine it makes `auto` take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine_choice.h"
#include "file.h"
#include "scratch.h"

static char dir[SCRATCH_LEN];

static int setup(void **state)
{
	(void)state;
	return scratch_make(dir);
}

static int teardown(void **state)
{
	(void)state;
	return scratch_remove(dir);
}

static struct engine_machine machine(void)
{
	return (struct engine_machine){
		.kernel = "6.12.57-cloud",
		.cpu = "Some \"CPU\" @ 2.00GHz",
		.cpus = 4,
		.build = 0xfedcba9876543210u,
	};
}

static struct engine_trials trials(unsigned int n, double bulk, double small, double ping)
{
	struct engine_trials trials = { .n = n };

	for (unsigned int i = 0; i < n; i++) {
		trials.values[ENGINE_BULK][i] = bulk;
		trials.values[ENGINE_SMALL][i] = small;
		trials.values[ENGINE_PING][i] = ping;
	}
	return trials;
}

/* netpas-wg twice as fast as the kernel, with as many packets and the same pings. */
static struct engine_record good_record(void)
{
	return (struct engine_record){
		.machine = machine(),
		.measured_s = 1795404809,
		.engines = {
			[ENGINE_KERNEL] = trials(5, 2e9, 300e3, 2000),
			[ENGINE_NETPAS_WG] = trials(5, 4e9, 300e3, 2000),
		},
	};
}

/* ---- figures ---- */

static void test_median_and_worst(void **state)
{
	static const double values[] = { 5, 1, 4, 2 };
	struct engine_trials t = { .n = 4 };

	(void)state;
	for (int figure = 0; figure < ENGINE_FIGURE_MAX; figure++)
		memcpy(t.values[figure], values, sizeof(values));
	assert_true(engine_trials_median(&t, ENGINE_BULK) == 3);
	assert_true(engine_trials_worst(&t, ENGINE_BULK) == 1);
	assert_true(engine_trials_worst(&t, ENGINE_PING) == 5);
	t.n = 3;
	assert_true(engine_trials_median(&t, ENGINE_SMALL) == 4);
	t.n = 1;
	assert_true(engine_trials_median(&t, ENGINE_PING) == 5);
}

/* ---- the file ---- */

static void write_raw(const char *path, const char *text)
{
	assert_int_equal(file_replace(path, text, strlen(text), 0600), 0);
}

static void test_round_trip(void **state)
{
	struct engine_record in = good_record(), out;
	char words[ENGINE_RECORD_WORDS], sub[4096], path[4200];
	struct stat st;

	(void)state;
	in.engines[ENGINE_NETPAS_WG].values[ENGINE_BULK][2] = 1234567890.125;
	snprintf(sub, sizeof(sub), "%s/state", dir);
	assert_int_equal(engine_record_read(sub, &out, words), -ENOENT);
	assert_int_equal(engine_record_write(sub, &in), 0);
	assert_int_equal(engine_record_read(sub, &out, words), 0);
	assert_null(engine_machine_differs(&in.machine, &out.machine));
	assert_int_equal(out.measured_s, in.measured_s);
	for (int kind = 0; kind < ENGINE_KIND_MAX; kind++)
		assert_memory_equal(&in.engines[kind], &out.engines[kind],
				    sizeof(in.engines[kind]));
	snprintf(path, sizeof(path), "%s/" ENGINE_RECORD_FILE, sub);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* Another one takes its place. */
	in.engines[ENGINE_KERNEL].n = 0;
	assert_int_equal(engine_record_write(sub, &in), 0);
	assert_int_equal(engine_record_read(sub, &out, words), 0);
	assert_int_equal(out.engines[ENGINE_KERNEL].n, 0);
}

/* Cut off anywhere, or with a byte anywhere that is no text. */
static void test_damaged(void **state)
{
	struct engine_record in = good_record(), out;
	char words[ENGINE_RECORD_WORDS], path[4200], *text;
	size_t len;

	(void)state;
	snprintf(path, sizeof(path), "%s/" ENGINE_RECORD_FILE, dir);
	assert_int_equal(engine_record_write(dir, &in), 0);
	assert_int_equal(file_load(path, 0, 1 << 16, &text, &len), 0);
	for (size_t cut = 0; cut < len; cut += 7) {
		assert_int_equal(file_replace(path, text, cut, 0600), 0);
		words[0] = '\0';
		assert_int_equal(engine_record_read(dir, &out, words), -EBADMSG);
		assert_true(words[0]);
	}
	for (size_t at = 0; at < len; at++) {
		const char was = text[at];
		int rc;

		text[at] = '\xff';
		assert_int_equal(file_replace(path, text, len, 0600), 0);
		rc = engine_record_read(dir, &out, words);
		assert_int_equal(rc, -EBADMSG);
		text[at] = was;
	}
	free(text);
	/* No file of its kind; too much of it. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(engine_record_read(dir, &out, words), -EISDIR);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("/dev/zero", path), 0);
	assert_int_equal(engine_record_read(dir, &out, words), -ELOOP);
	assert_int_equal(unlink(path), 0);
	write_raw(path, "[]");
	assert_int_equal(engine_record_read(dir, &out, words), -EBADMSG);
}

static void expect_bad(const char *key, json_t *value, const char *word)
{
	struct engine_record in = good_record(), out;
	json_t *json = engine_record_json(&in);
	char words[ENGINE_RECORD_WORDS] = "";

	assert_int_equal(engine_record_parse(json, &out, words), 0);
	if (value)
		json_object_set_new(json, key, value);
	else
		json_object_del(json, key);
	assert_int_equal(engine_record_parse(json, &out, words), -EBADMSG);
	if (!strstr(words, word))
		fail_msg("no '%s' in '%s'", word, words);
	json_decref(json);
}

static json_t *engines_with(const char *name, const char *figure, json_t *values)
{
	struct engine_record in = good_record();
	json_t *json = engine_record_json(&in);
	json_t *engines = json_incref(json_object_get(json, "engines"));

	json_decref(json);
	if (name)
		json_object_set_new(json_array_get(engines, 1), "engine", json_string(name));
	if (figure)
		json_object_set_new(json_array_get(engines, 1), figure, values);
	return engines;
}

static void test_not_a_record(void **state)
{
	static const char *const keys[] = { "version", "measured",  "kernel", "cpu",
					    "cpus",    "netpas_wg", "engines" };
	char longer[200];

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		expect_bad(keys[i], NULL, keys[i]);
		expect_bad(keys[i], json_null(), keys[i]);
	}
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	expect_bad("version", json_integer(2), "version");
	expect_bad("measured", json_integer(-1), "measured");
	expect_bad("kernel", json_string(longer), "kernel");
	expect_bad("cpus", json_integer(0), "cpus");
	expect_bad("cpus", json_real(4), "cpus");
	expect_bad("netpas_wg", json_string("fedcba987654321"), "netpas_wg");
	expect_bad("netpas_wg", json_string("fedcba987654321g"), "netpas_wg");
	expect_bad("engines", json_array(), "engines");
	expect_bad("engines", engines_with("kernel", NULL, NULL), "engines");
	expect_bad("engines", engines_with("faster", NULL, NULL), "engines");
	expect_bad("engines", engines_with(NULL, "bulk_bps", json_array()), "engines");
	expect_bad("engines", engines_with(NULL, "bulk_bps", json_pack("[f]", 1.0)), "engines");
	expect_bad("engines",
		   engines_with(NULL, "small_pps", json_pack("[f,f,f,f,f]", 1., 1., 1., 1., -1.)),
		   "engines");
	expect_bad(
		"engines",
		engines_with(NULL, "ping_p99_us", json_pack("[f,f,f,f,f]", 1., 1., 1., 1., 1e16)),
		"engines");
	expect_bad("engines",
		   engines_with(NULL, "ping_p99_us", json_pack("[f,f,f,f,s]", 1., 1., 1., 1., "1")),
		   "engines");
}

/* What this machine is: the program counts by its content. */
static void test_machine(void **state)
{
	struct engine_machine first, second;
	char program[4200];

	(void)state;
	snprintf(program, sizeof(program), "%s/netpas-wg", dir);
	engine_machine_read(program, &first);
	assert_true(first.kernel[0] && first.cpus > 0);
	assert_true(first.build == 0);
	write_raw(program, "one");
	engine_machine_read(program, &second);
	assert_true(second.build != 0);
	assert_string_equal(engine_machine_differs(&first, &second), "netpas-wg");
	engine_machine_read(program, &first);
	assert_null(engine_machine_differs(&first, &second));
	write_raw(program, "two");
	engine_machine_read(program, &second);
	assert_string_equal(engine_machine_differs(&first, &second), "netpas-wg");
}

/* ---- the choice ---- */

static void expect_choice(const struct engine_facts *facts, enum engine_kind kind, const char *word)
{
	char reason[ENGINE_REASON_LEN] = "";
	const enum engine_kind got = engine_choose(facts, reason);

	if (got != kind || !strstr(reason, word))
		fail_msg("%s (%s), wanted is %s (%s)", engine_kind_names[got], reason,
			 engine_kind_names[kind], word);
}

static void test_without_measuring(void **state)
{
	struct engine_facts facts = { 0 };

	(void)state;
	expect_choice(&facts, ENGINE_WIREGUARD_GO, "netpas-wg is not installed");
	facts.netpas_wg = true;
	expect_choice(&facts, ENGINE_NETPAS_WG, "kernel has no WireGuard");
	facts.kernel = true;
	expect_choice(&facts, ENGINE_KERNEL, "was not run");
	facts.damaged = true;
	expect_choice(&facts, ENGINE_KERNEL, "damaged");
	facts.netpas_wg = false;
	expect_choice(&facts, ENGINE_KERNEL, "not installed");
}

static void test_measured_here(void **state)
{
	struct engine_record record = good_record();
	struct engine_machine here = machine();
	struct engine_facts facts = { true, true, false, &record, &here };

	(void)state;
	expect_choice(&facts, ENGINE_NETPAS_WG, "bulk 4.00 for 2.00 Gbit/s");
	snprintf(here.kernel, sizeof(here.kernel), "6.12.58-cloud");
	expect_choice(&facts, ENGINE_KERNEL, "another kernel");
	here = machine();
	here.cpu[0] = 's';
	expect_choice(&facts, ENGINE_KERNEL, "another processor");
	here = machine();
	here.cpus = 8;
	expect_choice(&facts, ENGINE_KERNEL, "another number of processors");
	here = machine();
	here.build++;
	expect_choice(&facts, ENGINE_KERNEL, "another netpas-wg");
	here = machine();
	facts.netpas_wg = false;
	expect_choice(&facts, ENGINE_KERNEL, "not installed");
	facts.netpas_wg = true;
	record.engines[ENGINE_KERNEL].n = 0;
	expect_choice(&facts, ENGINE_KERNEL, "not measured beside");
	/* A kernel that has lost its WireGuard. */
	facts.kernel = false;
	expect_choice(&facts, ENGINE_NETPAS_WG, "kernel has no WireGuard");
}

static void test_clear_margin(void **state)
{
	struct engine_record record = good_record();
	struct engine_machine here = machine();
	const struct engine_facts facts = { true, true, false, &record, &here };
	struct engine_trials *user = &record.engines[ENGINE_NETPAS_WG];

	(void)state;
	*user = trials(5, 2.49e9, 300e3, 2000);
	expect_choice(&facts, ENGINE_KERNEL, "not faster by a quarter");
	*user = trials(5, 2.51e9, 300e3, 2000);
	expect_choice(&facts, ENGINE_NETPAS_WG, "");
	user->values[ENGINE_BULK][3] = 2e9;
	expect_choice(&facts, ENGINE_KERNEL, "not faster in every trial");
	*user = trials(5, 4e9, 269e3, 2000);
	expect_choice(&facts, ENGINE_KERNEL, "fewer small packets");
	*user = trials(5, 4e9, 271e3, 2000);
	expect_choice(&facts, ENGINE_NETPAS_WG, "");
	*user = trials(5, 4e9, 300e3, 3001);
	expect_choice(&facts, ENGINE_KERNEL, "slower pings");
	*user = trials(5, 4e9, 300e3, 2999);
	expect_choice(&facts, ENGINE_NETPAS_WG, "");
	/* Three times of next to nothing is next to nothing. */
	record.engines[ENGINE_KERNEL] = trials(5, 2e9, 300e3, 300);
	*user = trials(5, 4e9, 300e3, 900);
	expect_choice(&facts, ENGINE_NETPAS_WG, "");
	*user = trials(2, 4e9, 300e3, 300);
	expect_choice(&facts, ENGINE_KERNEL, "too few trials");
}

static void test_best(void **state)
{
	struct engine_record record = { .machine = machine() };
	char reason[ENGINE_REASON_LEN];

	(void)state;
	assert_int_equal(engine_record_best(&record, reason), ENGINE_KIND_MAX);
	record.engines[ENGINE_WIREGUARD_GO] = trials(5, 1e9, 200e3, 2000);
	assert_int_equal(engine_record_best(&record, reason), ENGINE_WIREGUARD_GO);
	assert_non_null(strstr(reason, "only one"));
	/* The preferred one stays unless another one is clearly faster. */
	record.engines[ENGINE_NETPAS_WG] = trials(5, 0.9e9, 200e3, 2000);
	assert_int_equal(engine_record_best(&record, reason), ENGINE_NETPAS_WG);
	assert_non_null(strstr(reason, "not faster by a quarter"));
	record.engines[ENGINE_NETPAS_WG] = trials(5, 0.5e9, 200e3, 2000);
	assert_int_equal(engine_record_best(&record, reason), ENGINE_WIREGUARD_GO);
	record.engines[ENGINE_KERNEL] = trials(5, 1e9, 200e3, 2000);
	assert_int_equal(engine_record_best(&record, reason), ENGINE_KERNEL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_median_and_worst),
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
		cmocka_unit_test(test_not_a_record),
		cmocka_unit_test_setup_teardown(test_machine, setup, teardown),
		cmocka_unit_test(test_without_measuring),
		cmocka_unit_test(test_measured_here),
		cmocka_unit_test(test_clear_margin),
		cmocka_unit_test(test_best),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* The questions of `netpas setup`: which answer means what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "provision_setup.h"
#include "scratch.h"

/* The third is sin-a, the fourth has a name that begins with another number than its own. */
static const char mesh[] =
	"mesh: acme\nsites:\n"
	"  - name: fra\n    lan: {prefixes: [172.16.1.0/24], vips: [172.16.1.254]}\n"
	"    subnets: [10.1.0.0/16]\n    gateways:\n"
	"      - {name: fra-a, id: 1, public_key: p0vm1aZB1J0EZViQXWlg5MluS5DDSZGS45hePqCpTBk=,\n"
	"         lan: [172.16.1.2], wan: [203.0.113.1]}\n"
	"      - {name: fra-b, id: 2, public_key: E95X/+gYsYZKoHXNHkkt1iHqWLm4SFgjGnXQ3vsmOlQ=,\n"
	"         lan: [172.16.1.3], wan: [203.0.113.3]}\n"
	"  - name: sin\n    lan: {prefixes: [172.16.2.0/24], vips: [172.16.2.254]}\n"
	"    subnets: [10.2.0.0/16]\n    gateways:\n"
	"      - {name: sin-a, id: 3, public_key: DgJUoZ1r51ZG5UHmgt5Z2Bzti1HgPbjALrZ/dA5K+jE=,\n"
	"         lan: [172.16.2.2], wan: [198.51.100.9]}\n"
	"relays:\n"
	"  - {name: 3rd-pop, id: 100, public_key: itYbttnEAmPu8Cn1yLOJEFjeMFdGJCaqYd/RqQz/6jc=,\n"
	"     wan: [192.0.2.1]}\n";

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

/* Setup with these lines as input; what it says. free() it. */
static char *talk(const char *lines)
{
	char data[96], sys[96], path[96];
	const struct provision_options options = {
		.data = data, .run = data, .sys = sys, .dev = sys, .files_only = true
	};
	int in = dup(STDIN_FILENO), out = dup(STDOUT_FILENO);
	char *text;
	size_t len;

	snprintf(data, sizeof(data), "%s/data", dir);
	snprintf(sys, sizeof(sys), "%s/sys", dir);
	snprintf(path, sizeof(path), "%s/in", dir);
	assert_int_equal(file_replace(path, lines, strlen(lines), 0600), 0);
	assert_non_null(freopen(path, "r", stdin));
	fflush(stdout);
	snprintf(path, sizeof(path), "%s/out", dir);
	assert_non_null(freopen(path, "w", stdout));
	(void)provision_setup(&options); /* the input always ends too early */
	fflush(stdout);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	close(in);
	close(out);
	assert_int_equal(file_load(path, 0, 1 << 20, &text, &len), 0);
	return text;
}

static void test_node(void **state)
{
	static const struct {
		const char *answer, *said;
	} cases[] = {
		{ "fra-b", "Host name [fra-b]" },    { "3", "Host name [sin-a]" },
		{ "4", "Host name [3rd-pop]" },	     { "3rd-pop", "Host name [3rd-pop]" },
		{ "3rd", "one of the names above" }, { "1 ", "Host name [fra-a]" },
		{ "5", "one of the names above" },   { "0", "one of the names above" },
		{ "-1", "one of the names above" },  { "", "one of the names above" },
	};
	char path[96], lines[160], *said;

	(void)state;
	snprintf(path, sizeof(path), "%s/sys", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/sys/class", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/sys/class/net", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/mesh.yaml", dir);
	assert_int_equal(file_replace(path, mesh, strlen(mesh), 0600), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(lines, sizeof(lines), "%s\n%s\n", path, cases[i].answer);
		said = talk(lines);
		if (!strstr(said, cases[i].said))
			fail_msg("'%s': %s", cases[i].answer, said);
		free(said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_node, setup, teardown),
	};

	return cmocka_run_group_tests_name("provision setup", tests, NULL, NULL);
}

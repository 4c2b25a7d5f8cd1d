/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine_record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "file.h"
#include "installed.h"

#define RECORD_VERSION 1
#define RECORD_MAX 65536
#define CPUS_MAX 65536
#define VALUE_MAX 1e15

const char *const engine_kind_names[ENGINE_KIND_MAX] = {
	[ENGINE_KERNEL] = "kernel",
	[ENGINE_NETPAS_WG] = "netpas-wg",
	[ENGINE_WIREGUARD_GO] = "wireguard-go",
};

static const char *const figure_names[ENGINE_FIGURE_MAX] = {
	[ENGINE_BULK] = "bulk_bps",
	[ENGINE_SMALL] = "small_pps",
	[ENGINE_PING] = "ping_p99_us",
};

/* ---- the machine ---- */

/*
 * The model of the first processor: "model name" on x86; on Arm there are numbers instead, of which these
 * two tell cores apart.
 */
static void read_cpu(FILE *file, char *ret_cpu, size_t size)
{
	static const char *const fields[] = { "model name", "CPU implementer", "CPU part" };
	char line[512], *value;
	size_t len = 0;

	while (fgets(line, sizeof(line), file) && line[0] != '\n') {
		value = strchr(line, ':');
		for (size_t i = 0; value && i < sizeof(fields) / sizeof(fields[0]); i++) {
			if (strncmp(line, fields[i], strlen(fields[i])))
				continue;
			value += 1 + strspn(value + 1, " \t");
			value[strcspn(value, "\n")] = '\0';
			len += (size_t)snprintf(ret_cpu + len, size - len, "%s%s", len ? " " : "",
						value);
			if (len >= size)
				return;
			break;
		}
	}
}

void engine_machine_read(const char *netpas_wg, struct engine_machine *ret_machine)
{
	struct engine_machine machine = { 0 };
	FILE *file = fopen("/proc/cpuinfo", "re");
	struct utsname name;

	if (!uname(&name))
		snprintf(machine.kernel, sizeof(machine.kernel), "%s", name.release);
	if (file) {
		read_cpu(file, machine.cpu, sizeof(machine.cpu));
		fclose(file);
	}
	machine.cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (netpas_wg && installed_hash(netpas_wg, &machine.build))
		machine.build = 0;
	*ret_machine = machine;
}

const char *engine_machine_differs(const struct engine_machine *a, const struct engine_machine *b)
{
	if (strcmp(a->kernel, b->kernel))
		return "kernel";
	if (strcmp(a->cpu, b->cpu))
		return "processor";
	if (a->cpus != b->cpus)
		return "number of processors";
	return a->build != b->build ? "netpas-wg" : NULL;
}

/* ---- figures ---- */

static int compare_values(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double engine_trials_median(const struct engine_trials *trials, enum engine_figure figure)
{
	double sorted[ENGINE_TRIALS_MAX];
	const unsigned int n = trials->n;

	memcpy(sorted, trials->values[figure], n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_values);
	return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}

double engine_trials_worst(const struct engine_trials *trials, enum engine_figure figure)
{
	const double *values = trials->values[figure];
	double worst = values[0];

	for (unsigned int i = 1; i < trials->n; i++)
		if (figure == ENGINE_PING ? values[i] > worst : values[i] < worst)
			worst = values[i];
	return worst;
}

/* ---- as JSON ---- */

static json_t *engine_json(enum engine_kind kind, const struct engine_trials *trials)
{
	json_t *engine = json_pack("{s:s}", "engine", engine_kind_names[kind]);

	for (int figure = 0; engine && figure < ENGINE_FIGURE_MAX; figure++) {
		json_t *values = json_array();

		for (unsigned int i = 0; i < trials->n; i++)
			json_array_append_new(values, json_real(trials->values[figure][i]));
		json_object_set_new(engine, figure_names[figure], values);
	}
	return engine;
}

json_t *engine_record_json(const struct engine_record *record)
{
	json_t *engines = json_array();
	char build[17];

	for (int kind = 0; engines && kind < ENGINE_KIND_MAX; kind++)
		if (record->engines[kind].n)
			json_array_append_new(engines, engine_json((enum engine_kind)kind,
								   &record->engines[kind]));
	snprintf(build, sizeof(build), "%016" PRIx64, record->machine.build);
	return json_pack("{s:i, s:I, s:s, s:s, s:I, s:s, s:o}", "version", RECORD_VERSION,
			 "measured", (json_int_t)record->measured_s, "kernel",
			 record->machine.kernel, "cpu", record->machine.cpu, "cpus",
			 (json_int_t)record->machine.cpus, "netpas_wg", build, "engines", engines);
}

static bool parse_text(const json_t *json, const char *key, char *ret_text, size_t size)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text && (size_t)snprintf(ret_text, size, "%s", text) < size;
}

static bool parse_integer(const json_t *json, const char *key, int64_t min, int64_t max,
			  int64_t *ret_value)
{
	const json_t *value = json_object_get(json, key);

	*ret_value = json_integer_value(value);
	return json_is_integer(value) && *ret_value >= min && *ret_value <= max;
}

static bool parse_build(const json_t *json, uint64_t *ret_build)
{
	const char *text = json_string_value(json_object_get(json, "netpas_wg"));

	if (!text || strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
		return false;
	*ret_build = strtoull(text, NULL, 16);
	return true;
}

/* As many values of each figure. */
static bool parse_trials(const json_t *json, struct engine_trials *ret_trials)
{
	struct engine_trials trials = { 0 };
	json_t *values, *value;
	size_t i;

	for (int figure = 0; figure < ENGINE_FIGURE_MAX; figure++) {
		values = json_object_get(json, figure_names[figure]);
		if (!json_array_size(values) || json_array_size(values) > ENGINE_TRIALS_MAX ||
		    (figure && json_array_size(values) != trials.n))
			return false;
		trials.n = (unsigned int)json_array_size(values);
		json_array_foreach(values, i, value)
		{
			trials.values[figure][i] = json_number_value(value);
			if (!json_is_number(value) || !(trials.values[figure][i] >= 0) ||
			    trials.values[figure][i] > VALUE_MAX)
				return false;
		}
	}
	*ret_trials = trials;
	return true;
}

static bool parse_engines(const json_t *json, struct engine_record *record)
{
	const json_t *engines = json_object_get(json, "engines");
	json_t *engine;
	size_t i;

	if (!json_array_size(engines))
		return false;
	json_array_foreach(engines, i, engine)
	{
		const char *name = json_string_value(json_object_get(engine, "engine"));
		int kind = 0;

		while (name && kind < ENGINE_KIND_MAX && strcmp(name, engine_kind_names[kind]))
			kind++;
		if (!name || kind == ENGINE_KIND_MAX || record->engines[kind].n ||
		    !parse_trials(engine, &record->engines[kind]))
			return false;
	}
	return true;
}

static const char *parse(const json_t *json, struct engine_record *record)
{
	int64_t version;

	if (!parse_integer(json, "version", RECORD_VERSION, RECORD_VERSION, &version))
		return "not of a version that is known here";
	if (!parse_integer(json, "measured", 0, INT64_MAX, &record->measured_s))
		return "no good 'measured' in it";
	if (!parse_text(json, "kernel", record->machine.kernel, sizeof(record->machine.kernel)))
		return "no good 'kernel' in it";
	if (!parse_text(json, "cpu", record->machine.cpu, sizeof(record->machine.cpu)))
		return "no good 'cpu' in it";
	if (!parse_integer(json, "cpus", 1, CPUS_MAX, &record->machine.cpus))
		return "no good 'cpus' in it";
	if (!parse_build(json, &record->machine.build))
		return "no good 'netpas_wg' in it";
	return parse_engines(json, record) ? NULL : "no good 'engines' in it";
}

int engine_record_parse(const json_t *json, struct engine_record *ret_record,
			char words[static ENGINE_RECORD_WORDS])
{
	struct engine_record record = { 0 };
	const char *error = parse(json, &record);

	if (error) {
		snprintf(words, ENGINE_RECORD_WORDS, "%s", error);
		return -EBADMSG;
	}
	*ret_record = record;
	return 0;
}

/* ---- the file ---- */

static bool path_of(const char *dir, char path[static PATH_MAX])
{
	return snprintf(path, PATH_MAX, "%s/%s", dir, ENGINE_RECORD_FILE) < PATH_MAX;
}

int engine_record_write(const char *dir, const struct engine_record *record)
{
	json_t *json = engine_record_json(record);
	char *text = json ? json_dumps(json, JSON_INDENT(1)) : NULL, path[PATH_MAX];
	int rc = text ? 0 : -ENOMEM;

	if (!rc && !path_of(dir, path))
		rc = -ENAMETOOLONG;
	if (!rc)
		rc = file_make_directory(dir, 0700);
	if (!rc)
		rc = file_replace(path, text, strlen(text), 0600);
	free(text);
	json_decref(json);
	return rc;
}

int engine_record_read(const char *dir, struct engine_record *ret_record,
		       char words[static ENGINE_RECORD_WORDS])
{
	char path[PATH_MAX], *text;
	json_error_t error;
	json_t *json;
	size_t len;
	int rc;

	rc = path_of(dir, path) ? file_load(path, O_NOFOLLOW, RECORD_MAX, &text, &len)
				: -ENAMETOOLONG;
	if (rc) {
		snprintf(words, ENGINE_RECORD_WORDS, "%s", strerror(-rc));
		return rc;
	}
	json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	free(text);
	if (!json) {
		snprintf(words, ENGINE_RECORD_WORDS, "line %d: %.100s", error.line, error.text);
		return -EBADMSG;
	}
	rc = engine_record_parse(json, ret_record, words);
	json_decref(json);
	return rc;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "drill_store.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drill_report.h"
#include "file.h"

#define DAY_S 86400
#define SUFFIX ".json"

void drill_store_id(time_t at, const char *scenario, const char *node,
		    char buf[static DRILL_ID_LEN])
{
	char when[DRILL_ID_TIME_LEN + 1];
	struct tm tm;

	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", gmtime_r(&at, &tm));
	snprintf(buf, DRILL_ID_LEN, "%s-%s-%s", when, scenario, node);
}

bool drill_store_parse(const char *id, time_t *ret_at)
{
	struct tm tm = { 0 };
	const char *end;

	if (strlen(id) >= DRILL_ID_LEN)
		return false;
	for (const char *c = id; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '-')
			return false;
	end = strptime(id, "%Y%m%dT%H%M%SZ", &tm);
	if (end != id + DRILL_ID_TIME_LEN || *end != '-')
		return false;
	*ret_at = timegm(&tm);
	return true;
}

size_t drill_store_expired(const char *const ids[], size_t n, time_t now)
{
	size_t gone = n > DRILL_STORE_MAX ? n - DRILL_STORE_MAX : 0;
	time_t at;

	while (gone < n && drill_store_parse(ids[gone], &at) &&
	       now - at > (time_t)DRILL_STORE_DAYS * DAY_S)
		gone++;
	return gone;
}

static int compare(const void *a, const void *b)
{
	char *const *x = a;
	char *const *y = b;

	return strcmp(*x, *y);
}

static void list_free(char **ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(ids[i]);
	free(ids);
}

/* The id in a file's name, to free; NULL: it has none. */
static char *id_of(const char *name)
{
	const size_t len = strlen(name);
	char *id;
	time_t at;

	if (len <= strlen(SUFFIX) || strcmp(name + len - strlen(SUFFIX), SUFFIX))
		return NULL;
	id = strndup(name, len - strlen(SUFFIX));
	if (id && drill_store_parse(id, &at))
		return id;
	free(id);
	return NULL;
}

int drill_store_list(const char *dir, char ***ret_ids, size_t *ret_n)
{
	DIR *stream = opendir(dir);
	struct dirent *entry;
	char **ids = NULL;
	size_t n = 0;

	if (!stream && errno != ENOENT)
		return -errno;
	while (stream && (entry = readdir(stream))) {
		char *id = id_of(entry->d_name);
		char **more = id ? reallocarray(ids, n + 1, sizeof(*ids)) : NULL;

		if (id && !more) {
			free(id);
			list_free(ids, n);
			closedir(stream);
			return -ENOMEM;
		}
		if (!id)
			continue;
		ids = more;
		ids[n++] = id;
	}
	if (stream)
		closedir(stream);
	if (n)
		qsort(ids, n, sizeof(*ids), compare);
	*ret_ids = ids;
	*ret_n = n;
	return 0;
}

static void remove_expired(const char *dir, time_t now)
{
	char **ids = NULL, path[PATH_MAX];
	size_t n = 0, gone;

	if (drill_store_list(dir, &ids, &n))
		return;
	gone = drill_store_expired((const char *const *)ids, n, now);
	for (size_t i = 0; i < gone; i++) {
		/* What cannot be removed now is tried again with the next report. */
		snprintf(path, sizeof(path), "%s/%s.html", dir, ids[i]);
		(void)unlink(path);
		snprintf(path, sizeof(path), "%s/%s.json", dir, ids[i]);
		(void)unlink(path);
	}
	list_free(ids, n);
}

static int put_page(const char *path, const json_t *report)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int rc;

	if (!out)
		return -ENOMEM;
	drill_report_page(report, out);
	rc = fclose(out) ? -ENOMEM : file_replace(path, text, len, 0600);
	free(text);
	return rc;
}

int drill_store_put(const char *dir, const char *id, const json_t *report, time_t now)
{
	char path[PATH_MAX], *text;
	int rc = file_make_directory(dir, 0700);

	if (rc)
		return rc;
	text = json_dumps(report, JSON_INDENT(1) | JSON_SORT_KEYS);
	if (!text)
		return -ENOMEM;
	/* The page first: where there is a report, there is its page. */
	snprintf(path, sizeof(path), "%s/%s.html", dir, id);
	rc = put_page(path, report);
	snprintf(path, sizeof(path), "%s/%s.json", dir, id);
	if (!rc)
		rc = file_replace(path, text, strlen(text), 0600);
	free(text);
	remove_expired(dir, now);
	return rc;
}

json_t *drill_store_get(const char *dir, const char *id)
{
	char path[PATH_MAX];
	time_t at;

	if (!drill_store_parse(id, &at))
		return NULL;
	snprintf(path, sizeof(path), "%s/%s.json", dir, id);
	return json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
}

double drill_store_outage(const json_t *report)
{
	static const char *const names[] = { "out", "in" };
	double most = -1;

	for (size_t i = 0; i < 2; i++) {
		const json_t *direction =
			json_object_get(json_object_get(report, "directions"), names[i]);
		const json_t *value = json_object_get(direction, "outage_loss_ms");

		if (json_is_number(value) && json_number_value(value) > most)
			most = json_number_value(value);
	}
	return most;
}

/* Whether a report is of that scenario, and of that series (NULL: any). */
static bool is_of(const json_t *report, const char *scenario, const char *series)
{
	const char *name = json_string_value(json_object_get(report, "scenario"));
	const char *of =
		json_string_value(json_object_get(json_object_get(report, "series"), "id"));

	return name && !strcmp(name, scenario) && (!series || (of && !strcmp(of, series)));
}

json_t *drill_store_reports(const char *dir, const char *scenario, const char *series)
{
	json_t *reports = json_array();
	char **ids = NULL;
	size_t n = 0;

	if (drill_store_list(dir, &ids, &n))
		return reports;
	for (size_t i = 0; i < n; i++) {
		json_t *report = strstr(ids[i], scenario) ? drill_store_get(dir, ids[i]) : NULL;

		if (is_of(report, scenario, series))
			json_array_append(reports, report);
		json_decref(report);
	}
	list_free(ids, n);
	return reports;
}

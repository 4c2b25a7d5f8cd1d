/* SPDX-License-Identifier: GPL-2.0-only */
#include "upgrade_record.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

#define NAME "record.json"
#define SIZE_MAX_BYTES 65536
#define TIME_MAX 253402300799 /* the last second of the year 9999 */

const char *const upgrade_phase_names[UPGRADE_PHASE_MAX] = {
	[UPGRADE_NONE] = "none",       [UPGRADE_WRITING] = "writing",
	[UPGRADE_WRITTEN] = "written", [UPGRADE_BROKEN] = "broken",
	[UPGRADE_ARMED] = "armed",     [UPGRADE_CANCELLED] = "cancelled",
	[UPGRADE_TRYING] = "trying",   [UPGRADE_CONFIRMED] = "confirmed",
	[UPGRADE_FAILED] = "failed",   [UPGRADE_RETURNED] = "returned",
};

static size_t index_of(const char *word, const char *const *names, size_t n)
{
	size_t i = 0;

	while (i < n && (!word || strcmp(word, names[i])))
		i++;
	return i;
}

static void take_text(json_t *object, const char *key, char *buf, size_t size)
{
	const char *text = json_string_value(json_object_get(object, key));

	snprintf(buf, size, "%s", text ? text : "");
}

static int read_last(json_t *last, struct upgrade_record *record)
{
	record->last.phase =
		(enum upgrade_phase)index_of(json_string_value(json_object_get(last, "phase")),
					     upgrade_phase_names, UPGRADE_PHASE_MAX);
	record->last.slot = (enum slot)index_of(json_string_value(json_object_get(last, "slot")),
						slot_names, SLOT_MAX);
	record->last.rollback = json_is_true(json_object_get(last, "rollback"));
	record->last.told = json_is_true(json_object_get(last, "told"));
	record->last.at_s = json_integer_value(json_object_get(last, "at"));
	take_text(last, "version", record->last.version, sizeof(record->last.version));
	take_text(last, "from", record->last.from, sizeof(record->last.from));
	take_text(last, "reason", record->last.reason, sizeof(record->last.reason));
	if (record->last.phase >= UPGRADE_PHASE_MAX || record->last.slot >= SLOT_MAX ||
	    record->last.at_s < 0 || record->last.at_s > TIME_MAX)
		return -EBADMSG;
	return 0;
}

int upgrade_record_parse(const char *text, size_t len, struct upgrade_record *ret_record)
{
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	json_t *slots = json_object_get(root, "slots"), *last = json_object_get(root, "last");
	struct upgrade_record record = { 0 };
	int rc = json_is_object(slots) ? 0 : -EBADMSG;

	for (size_t i = 0; i < SLOT_MAX && !rc; i++)
		take_text(slots, slot_names[i], record.versions[i], sizeof(record.versions[i]));
	if (!rc && last)
		rc = read_last(last, &record);
	json_decref(root);
	if (!rc)
		*ret_record = record;
	return rc;
}

char *upgrade_record_format(const struct upgrade_record *record)
{
	json_t *root =
		json_pack("{s:{s:s, s:s}}", "slots", slot_names[SLOT_A], record->versions[SLOT_A],
			  slot_names[SLOT_B], record->versions[SLOT_B]);
	char *text;

	if (record->last.phase != UPGRADE_NONE)
		json_object_set_new(root, "last",
				    json_pack("{s:s, s:s, s:b, s:b, s:s, s:s, s:s, s:I}", "phase",
					      upgrade_phase_names[record->last.phase], "slot",
					      slot_names[record->last.slot], "rollback",
					      (int)record->last.rollback, "told",
					      (int)record->last.told, "version",
					      record->last.version, "from", record->last.from,
					      "reason", record->last.reason, "at",
					      (json_int_t)record->last.at_s));
	text = json_dumps(root, JSON_INDENT(2));
	json_decref(root);
	return text;
}

static int record_path(const char *dir, char path[static PATH_MAX])
{
	return snprintf(path, PATH_MAX, "%s/" NAME, dir) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

void upgrade_record_load(const char *dir, struct upgrade_record *ret_record)
{
	char path[PATH_MAX], *text;
	size_t len;

	*ret_record = (struct upgrade_record){ 0 };
	if (record_path(dir, path) || file_load(path, O_NOFOLLOW, SIZE_MAX_BYTES, &text, &len))
		return;
	(void)upgrade_record_parse(text, len, ret_record); /* else it is empty */
	free(text);
}

int upgrade_record_store(const char *dir, const struct upgrade_record *record)
{
	char path[PATH_MAX], *text = upgrade_record_format(record);
	int rc = text ? record_path(dir, path) : -ENOMEM;

	if (!rc)
		rc = file_make_directory(dir, 0700);
	if (!rc)
		rc = file_replace(path, text, strlen(text), 0600);
	free(text);
	return rc;
}

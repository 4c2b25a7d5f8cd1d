/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How several files become new at once. All of them are written into provision/next/, numbered, with
 * a list that says what each is to be; when all of it is on disk the directory is renamed to
 * provision/commit/. Up to then nothing has happened; from then on all of it has, as whoever finds that
 * directory copies from it, and begins again from the start if interrupted, before it removes it. The record
 * is the last of the files.
 */
#include "provision_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

#define RECORD "provision/record.json"
#define NEXT "provision/next"
#define COMMIT "provision/commit"
#define REPLACED "provision/replaced"
#define LIST "list.json"

void provision_digest(const char *text, size_t len, char ret_digest[static PROVISION_DIGEST_STRLEN])
{
	unsigned char hash[EVP_MAX_MD_SIZE] = { 0 };
	unsigned int n = 32;

	/* It fails without memory alone; then it is no file's digest. */
	(void)EVP_Digest(text, len, hash, &n, EVP_sha256(), NULL);
	for (size_t i = 0; i < 32; i++)
		snprintf(ret_digest + 2 * i, 3, "%02x", hash[i]);
}

int provision_change_add(struct provision_change *change, const char *path, char *text, size_t len,
			 mode_t mode, bool record)
{
	struct provision_file *file = &change->files[change->n_files];

	if (!text)
		return -ENOMEM;
	if (change->n_files == PROVISION_FILES_MAX || strlen(path) >= sizeof(file->path)) {
		explicit_bzero(text, len);
		free(text);
		return -ENOSPC;
	}
	*file = (struct provision_file){ .text = text, .len = len, .mode = mode, .record = record };
	strcpy(file->path, path);
	change->n_files++;
	return 0;
}

void provision_change_fini(struct provision_change *change)
{
	for (size_t i = 0; i < change->n_files; i++) {
		explicit_bzero(change->files[i].text, change->files[i].len);
		free(change->files[i].text);
	}
	change->n_files = 0;
}

/* ---- the record ---- */

/* Relative, into one of our directories, without "..": what a list or record may name. */
static bool is_path(const char *path)
{
	static const char *const dirs[] = { "netpas/", "network/", "ssh/", "provision/" };

	if (strlen(path) >= PROVISION_PATH_LEN || strstr(path, ".."))
		return false;
	if (!strcmp(path, "hostname"))
		return true;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		if (!strncmp(path, dirs[i], strlen(dirs[i])) && path[strlen(dirs[i])] &&
		    !strchr(path + strlen(dirs[i]), '/'))
			return true;
	}
	return false;
}

static void take_text(const json_t *object, const char *name, char *buf, size_t size)
{
	const char *text = json_string_value(json_object_get(object, name));

	if (text && strlen(text) < size)
		strcpy(buf, text);
}

static json_t *load_json(const char *data, const char *name, int *ret_error)
{
	char path[PATH_MAX], *text;
	json_t *json;
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", data, name);
	*ret_error = provision_file_read(path, &text, &len);
	if (*ret_error)
		return NULL;
	json = json_loadb(text, len, 0, NULL);
	free(text);
	if (!json_is_object(json)) {
		json_decref(json);
		*ret_error = -EINVAL;
		return NULL;
	}
	return json;
}

int provision_record_read(const char *data, struct provision_record *ret_record)
{
	struct provision_record *record = ret_record;
	json_t *json, *value;
	const char *name;
	int ret;

	*record = (struct provision_record){ 0 };
	json = load_json(data, RECORD, &ret);
	if (!json)
		return ret == -ENOENT || ret == -EINVAL ? 0 : ret;
	record->exists = true;
	take_text(json, "source", record->source, sizeof(record->source));
	take_text(json, "instance", record->instance, sizeof(record->instance));
	take_text(json, "user_data", record->digest, sizeof(record->digest));
	record->files = json_incref(json_object_get(json, "files"));
	json_object_foreach(json_object_get(json, "interfaces"), name, value)
	{
		struct provision_pin *pin = &record->pins[record->n_pins];

		if (record->n_pins < PROVISION_NICS_MAX && json_is_string(value) &&
		    strlen(name) < sizeof(pin->name) &&
		    !provision_mac_parse(json_string_value(value), pin->mac)) {
			strcpy(pin->name, name);
			record->n_pins++;
		}
	}
	json_decref(json);
	return 0;
}

void provision_record_fini(struct provision_record *record)
{
	json_decref(record->files);
	*record = (struct provision_record){ 0 };
}

/* Of the file as it is; "" if there is none. */
static void digest_now(const char *data, const char *name,
		       char ret_digest[static PROVISION_DIGEST_STRLEN])
{
	char path[PATH_MAX], *text;
	size_t len;
	int ret;

	*ret_digest = '\0';
	snprintf(path, sizeof(path), "%s/%s", data, name);
	ret = provision_file_read(path, &text, &len);
	if (ret == -ENOENT)
		return;
	if (ret) {
		strcpy(ret_digest, "unreadable");
		return;
	}
	provision_digest(text, len, ret_digest);
	explicit_bzero(text, len);
	free(text);
}

/* It is there, and not as it was written. */
static bool is_edited(const char *data, const struct provision_record *record, const char *path)
{
	const char *written = json_string_value(json_object_get(record->files, path));
	char now[PROVISION_DIGEST_STRLEN];

	digest_now(data, path, now);
	return *now && (!written || strcmp(written, now));
}

static void list_add(char *buf, size_t size, const char *path)
{
	size_t at = strlen(buf);

	if (at + strlen(path) + 3 <= size)
		snprintf(buf + at, size - at, "%s%s", at ? ", " : "", path);
}

static const struct provision_file *change_find(const struct provision_change *change,
						const char *path)
{
	for (size_t i = 0; i < change->n_files; i++) {
		if (!strcmp(change->files[i].path, path))
			return &change->files[i];
	}
	return NULL;
}

/* Files of the network that are no more are taken away; nothing else is. */
static bool is_obsolete(const struct provision_change *change, const char *path)
{
	return change->has_pins && !strncmp(path, "network/", 8) && is_path(path) &&
	       !change_find(change, path);
}

bool provision_record_edited(const char *data, const struct provision_record *record,
			     const struct provision_change *change, char *buf, size_t size)
{
	char now[PROVISION_DIGEST_STRLEN], wanted[PROVISION_DIGEST_STRLEN];
	const char *path;
	json_t *value;

	*buf = '\0';
	for (size_t i = 0; i < change->n_files; i++) {
		const struct provision_file *file = &change->files[i];

		if (!file->record || !is_edited(data, record, file->path))
			continue;
		digest_now(data, file->path, now);
		provision_digest(file->text, file->len, wanted);
		if (strcmp(now, wanted))
			list_add(buf, size, file->path);
	}
	json_object_foreach(record->files, path,
			    value) if (is_obsolete(change, path) && is_edited(data, record, path))
		list_add(buf, size, path);
	return *buf;
}

bool provision_record_changed(const char *data, const struct provision_record *record, char *buf,
			      size_t size)
{
	char now[PROVISION_DIGEST_STRLEN];
	const char *path;
	json_t *value;

	*buf = '\0';
	json_object_foreach(record->files, path, value)
	{
		digest_now(data, path, now);
		if (is_path(path) && strcmp(now, json_string_value(value) ?: ""))
			list_add(buf, size, path);
	}
	return *buf;
}

/* ---- writing ---- */

static int make_directory(const char *data, const char *name, mode_t mode)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", data, name);
	return file_make_directory(path, mode);
}

/* A directory of plain files, which is gone afterwards. */
static int remove_directory(const char *data, const char *name)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int ret = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", data, name);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!ret && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
		    unlinkat(dirfd(dir), entry->d_name, 0))
			ret = -errno;
	}
	closedir(dir);
	if (!ret && rmdir(path))
		ret = -errno;
	return ret ? ret : file_sync_directory(path);
}

static int write_file(const char *data, const char *name, const char *text, size_t len, mode_t mode)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", data, name);
	return file_replace(path, text, len, mode);
}

/* What the change does not write is still known of, unless it goes. */
static json_t *record_files(const struct provision_record *record,
			    const struct provision_change *change)
{
	char digest[PROVISION_DIGEST_STRLEN];
	json_t *files = json_object(), *value;
	const char *path;
	int ret = files ? 0 : -1;

	json_object_foreach(record->files, path, value) if (!is_obsolete(change, path)) ret |=
		json_object_set(files, path, value);
	for (size_t i = 0; i < change->n_files; i++) {
		if (!change->files[i].record)
			continue;
		provision_digest(change->files[i].text, change->files[i].len, digest);
		ret |= json_object_set_new(files, change->files[i].path, json_string(digest));
	}
	if (!ret)
		return files;
	json_decref(files);
	return NULL;
}

static char *record_text(const struct provision_record *record,
			 const struct provision_change *change)
{
	const struct provision_pin *pins = change->has_pins ? change->pins : record->pins;
	const size_t n_pins = change->has_pins ? change->n_pins : record->n_pins;
	json_t *files = record_files(record, change), *names = json_object(), *json;
	char mac[PROVISION_MAC_STRLEN], *text = NULL;
	int ret = files && names ? 0 : -1;

	for (size_t i = 0; i < n_pins; i++)
		ret |= json_object_set_new(names, pins[i].name,
					   json_string(provision_mac_format(pins[i].mac, mac)));
	json = json_pack("{s:s, s:s, s:s, s:o*, s:o*}", "source", change->source, "instance",
			 change->instance, "user_data", change->digest, "files", files,
			 "interfaces", names);
	if (json && !ret)
		text = json_dumps(json, JSON_INDENT(2));
	json_decref(json);
	return text;
}

static int list_file(json_t *list, const struct provision_file *file)
{
	return json_array_append_new(
		       list, json_pack("{s:s, s:i}", "path", file->path, "mode", (int)file->mode))
		       ? -ENOMEM
		       : 0;
}

/* provision/next/: files 0, 1, ..., and the list of what they are. */
static int stage(const char *data, const struct provision_record *record,
		 const struct provision_change *change, char *record_json)
{
	const struct provision_file last = { .path = RECORD, .mode = 0600 };
	json_t *list = json_array(), *removed = json_array(), *keep = json_array(), *json, *value;
	char name[PROVISION_PATH_LEN], *text = NULL;
	const char *path;
	int ret = list && removed && keep ? 0 : -ENOMEM;

	for (size_t i = 0; i < change->n_files && !ret; i++) {
		const struct provision_file *file = &change->files[i];

		ret = list_file(list, file);
		snprintf(name, sizeof(name), NEXT "/%zu", i);
		if (!ret)
			ret = write_file(data, name, file->text, file->len, 0600);
		if (!ret && file->record && is_edited(data, record, file->path))
			ret = json_array_append_new(keep, json_string(file->path)) ? -ENOMEM : 0;
	}
	json_object_foreach(record->files, path, value)
	{
		if (!ret && is_obsolete(change, path))
			ret = json_array_append_new(removed, json_string(path)) ? -ENOMEM : 0;
		if (!ret && is_obsolete(change, path) && is_edited(data, record, path))
			ret = json_array_append_new(keep, json_string(path)) ? -ENOMEM : 0;
	}
	if (!ret)
		ret = list_file(list, &last);
	snprintf(name, sizeof(name), NEXT "/%zu", change->n_files);
	if (!ret)
		ret = write_file(data, name, record_json, strlen(record_json), 0600);
	json = json_pack("{s:o*, s:o*, s:o*}", "files", list, "remove", removed, "keep", keep);
	if (!ret && json)
		text = json_dumps(json, JSON_INDENT(1));
	if (!ret)
		ret = text ? write_file(data, NEXT "/" LIST, text, strlen(text), 0600) : -ENOMEM;
	free(text);
	json_decref(json);
	return ret;
}

/* The old one of a file that somebody has edited; done again it finds the new one, and leaves it alone. */
static int keep_old(const char *data, const char *path, const char *new_digest)
{
	char from[PATH_MAX], name[PROVISION_PATH_LEN + 32], now[PROVISION_DIGEST_STRLEN], *text;
	const char *slash = strrchr(path, '/');
	size_t len;
	int ret;

	digest_now(data, path, now);
	if (!*now || !strcmp(now, new_digest))
		return 0;
	ret = make_directory(data, REPLACED, 0700);
	snprintf(from, sizeof(from), "%s/%s", data, path);
	if (!ret)
		ret = provision_file_read(from, &text, &len);
	if (ret)
		return ret;
	snprintf(name, sizeof(name), REPLACED "/%s", slash ? slash + 1 : path);
	ret = write_file(data, name, text, len, 0600);
	explicit_bzero(text, len);
	free(text);
	return ret;
}

static bool list_has(json_t *list, const char *path)
{
	json_t *value;
	size_t i;

	json_array_foreach(list, i, value) if (json_is_string(value) &&
					       !strcmp(json_string_value(value), path)) return true;
	return false;
}

static int finish_file(const char *data, size_t number, const char *path, mode_t mode, bool keep)
{
	char from[PATH_MAX], digest[PROVISION_DIGEST_STRLEN], *text;
	size_t len;
	int ret;

	snprintf(from, sizeof(from), "%s/" COMMIT "/%zu", data, number);
	ret = provision_file_read(from, &text, &len);
	if (ret)
		return ret;
	provision_digest(text, len, digest);
	if (keep)
		ret = keep_old(data, path, digest);
	if (!ret)
		ret = write_file(data, path, text, len, mode);
	explicit_bzero(text, len);
	free(text);
	return ret;
}

static int make_directories(const char *data)
{
	int ret = make_directory(data, "provision", 0700);

	if (!ret)
		ret = make_directory(data, "netpas", 0700);
	if (!ret)
		ret = make_directory(data, "ssh", 0700);
	/* systemd-networkd has a user of its own. */
	return ret ? ret : make_directory(data, "network", 0755);
}

static int remove_file(const char *data, const char *path, bool keep)
{
	char full[PATH_MAX];
	int ret = keep ? keep_old(data, path, "") : 0;

	snprintf(full, sizeof(full), "%s/%s", data, path);
	if (!ret && unlink(full) && errno != ENOENT)
		ret = -errno;
	return ret ? ret : file_sync_directory(full);
}

/* A directory by another name, from now on and after a power cut. */
static int rename_directory(const char *data, const char *name, const char *new_name)
{
	char from[PATH_MAX], to[PATH_MAX];

	snprintf(from, sizeof(from), "%s/%s", data, name);
	snprintf(to, sizeof(to), "%s/%s", data, new_name);
	return rename(from, to) ? -errno : file_sync_directory(to);
}

/* provision/commit/ is there: make it true. */
static int finish(const char *data)
{
	json_t *list, *value;
	const char *path;
	size_t i;
	int ret, mode;

	list = load_json(data, COMMIT "/" LIST, &ret);
	if (!list)
		return ret;
	ret = make_directories(data);
	json_array_foreach(json_object_get(list, "files"), i, value)
	{
		if (!ret && (json_unpack(value, "{s:s, s:i}", "path", &path, "mode", &mode) ||
			     !is_path(path)))
			ret = -EINVAL;
		if (!ret)
			ret = finish_file(data, i, path, (mode_t)mode & 0777,
					  list_has(json_object_get(list, "keep"), path));
	}
	json_array_foreach(json_object_get(list, "remove"), i,
			   value) if (!ret && json_is_string(value) &&
				      is_path(json_string_value(value))) ret =
		remove_file(data, json_string_value(value),
			    list_has(json_object_get(list, "keep"), json_string_value(value)));
	json_decref(list);
	if (ret)
		return ret;
	/* Under its first name, so that half of what is being removed is not taken for all of it. */
	ret = rename_directory(data, COMMIT, NEXT);
	return ret ? ret : remove_directory(data, NEXT);
}

int provision_store_recover(const char *data)
{
	char path[PATH_MAX];
	int ret;

	ret = remove_directory(data, NEXT);
	snprintf(path, sizeof(path), "%s/" COMMIT, data);
	if (ret || access(path, F_OK))
		return ret;
	ret = finish(data);
	/* Not written by us: there is nothing in it to make true. */
	return ret == -EINVAL || ret == -ENOENT ? remove_directory(data, COMMIT) : ret;
}

int provision_store_commit(const char *data, const struct provision_record *record,
			   const struct provision_change *change)
{
	char *text;
	int ret;

	ret = make_directories(data);
	if (!ret)
		ret = provision_store_recover(data);
	if (!ret)
		ret = make_directory(data, NEXT, 0700);
	if (ret)
		return ret;
	text = record_text(record, change);
	ret = text ? stage(data, record, change, text) : -ENOMEM;
	free(text);
	if (ret) {
		(void)remove_directory(data, NEXT); /* the next commit does, too */
		return ret;
	}
	ret = rename_directory(data, NEXT, COMMIT);
	return ret ? ret : finish(data);
}

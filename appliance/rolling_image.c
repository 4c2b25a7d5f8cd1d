/* SPDX-License-Identifier: GPL-2.0-only */
#include "rolling_image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bundle.h"
#include "clock.h"
#include "file.h"
#include "image_job.h"
#include "pair_message.h"
#include "upgrade_paths.h"

#define ASK_MS 10000
#define POLL_MS 100
#define PIECE (384 * 1024) /* of a bundle, a request */
#define RENEW_MS 1500	   /* well within ROLLING_LEASE_S */
#define TAKE_MS 30000	   /* in which a job is taken */
#define WRITE_MS 1800000
#define NAME "rolling.json"
#define RECORD_MAX 262144
#define LOG_MAX 300
#define AGE_MAX_S 3600 /* a run that ended longer ago is nothing to go on with unasked */
#define ID_LEN 64

static const char *const state_names[ROLLING_STATE_MAX] = {
	[ROLLING_RUNNING] = "running",
	[ROLLING_LEAVING] = "restarting",
	[ROLLING_OVER] = "done",
	[ROLLING_STOPPED] = "stopped",
};

struct rolling_run {
	const struct upgrade_paths *paths;
	int fd; /* of the bundle; -1: it is not needed any more */
	uint64_t size;
	enum rolling_state state;
	char reason[ROLLING_REASON_LEN];
	char boot_id[ID_LEN];
	json_t *log;
};

/* ---- the record ---- */

static void boot_id(const struct upgrade_paths *paths, char id[static ID_LEN])
{
	const int fd = open(paths->boot_id, O_RDONLY | O_CLOEXEC);
	size_t len = 0;

	*id = '\0';
	if (fd < 0)
		return;
	if (!file_read(fd, id, ID_LEN - 1, &len))
		id[len] = '\0';
	id[strcspn(id, "\n")] = '\0';
	close(fd);
}

static json_t *record_json(const struct rolling *r)
{
	const struct rolling_run *run = r->run;
	const struct rolling_wish *wish = &r->wish;

	return json_pack(
		"{s:s, s:s, s:s, s:I, s:s, s:o, s:o, s:o, s:b, s:{s:b, s:b, s:b, s:i, s:i}, s:O}",
		"state", state_names[run->state], "reason", run->reason, "version", wish->image,
		"at", (json_int_t)time(NULL), "boot_id", run->boot_id, "run",
		pair_number_new(r->record.run), "before_first",
		pair_number_new(r->record.before[0]), "before_second",
		pair_number_new(r->record.before[1]), "second_was_active", (int)r->record.active,
		"wish", "hand_back", (int)wish->hand_back, "older", (int)wish->older, "away",
		(int)wish->away, "soak_ms", (int)r->soak_ms, "deadline_ms", (int)r->deadline_ms,
		"log", run->log);
}

static void store(const struct rolling *r)
{
	json_t *root = record_json(r);
	char path[PATH_MAX], *text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
	const char *dir = r->run->paths->state_dir;
	int rc = text ? 0 : -ENOMEM;

	if (!rc && mkdir(dir, 0700) && errno != EEXIST)
		rc = -errno;
	if (!rc && snprintf(path, sizeof(path), "%s/" NAME, dir) < PATH_MAX)
		rc = file_replace(path, text, strlen(text), 0600);
	if (rc)
		fprintf(stderr, "netpas: %s/" NAME ": %s\n", dir, strerror(-rc));
	free(text);
	json_decref(root);
}

void rolling_image_enter(struct rolling *r, enum rolling_state state, const char *why)
{
	if (!r->run)
		return;
	r->run->state = state;
	snprintf(r->run->reason, sizeof(r->run->reason), "%s", why);
	store(r);
}

void rolling_image_log(const struct rolling *r, const char *line)
{
	if (!r->run || !r->run->log)
		return;
	if (json_array_size(r->run->log) >= LOG_MAX)
		(void)json_array_remove(r->run->log, 0);
	(void)json_array_append_new(r->run->log,
				    json_string(line)); /* at the worst it is shorter */
	if (r->holds)
		store(r);
}

static json_t *load(const struct upgrade_paths *paths)
{
	char path[PATH_MAX], *text = malloc(RECORD_MAX);
	json_t *root = NULL;
	size_t len = 0;
	int fd = -1;

	if (text && snprintf(path, sizeof(path), "%s/" NAME, paths->state_dir) < PATH_MAX)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0) {
		if (!file_read(fd, text, RECORD_MAX, &len))
			root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
		close(fd);
	}
	free(text);
	return root;
}

static const char *text_of(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static struct rolling_run *run_new(void)
{
	struct rolling_run *run = calloc(1, sizeof(*run));

	if (!run)
		return NULL;
	run->paths = upgrade_paths_here();
	run->fd = -1;
	run->log = json_array();
	boot_id(run->paths, run->boot_id);
	return run;
}

static bool is_left(json_t *root, const struct rolling_run *run,
		    char reason[static ROLLING_REASON_LEN])
{
	const char *state = text_of(root, "state");
	const json_int_t age = time(NULL) - json_integer_value(json_object_get(root, "at"));

	if (strcmp(state, state_names[ROLLING_RUNNING]) &&
	    strcmp(state, state_names[ROLLING_LEAVING]))
		snprintf(reason, ROLLING_REASON_LEN, "no rolling upgrade was left half-way");
	else if (!strcmp(text_of(root, "boot_id"), run->boot_id))
		snprintf(reason, ROLLING_REASON_LEN,
			 "this machine was not restarted since; say it again with the bundle");
	else if (age < 0 || age > AGE_MAX_S)
		snprintf(reason, ROLLING_REASON_LEN,
			 "the rolling upgrade to %s was left %" PRId64 " s ago, which is too long; "
			 "say it again with the bundle",
			 text_of(root, "version"), (int64_t)age);
	else
		return true;
	return false;
}

static bool read_wish(json_t *root, struct rolling *r, struct rolling_record *record)
{
	json_t *wish = json_object_get(root, "wish"), *log = json_object_get(root, "log");

	r->wish = (struct rolling_wish){
		.upgrade = true,
		.hand_back = json_is_true(json_object_get(wish, "hand_back")),
		.older = json_is_true(json_object_get(wish, "older")),
		.away = json_is_true(json_object_get(wish, "away")),
	};
	snprintf(r->wish.image, sizeof(r->wish.image), "%s", text_of(root, "version"));
	r->soak_ms = (unsigned int)json_integer_value(json_object_get(wish, "soak_ms"));
	r->deadline_ms = (unsigned int)json_integer_value(json_object_get(wish, "deadline_ms"));
	*record = (struct rolling_record){
		.active = json_is_true(json_object_get(root, "second_was_active")) ? 1 : 0,
		.kept = true
	};
	if (json_is_array(log)) {
		json_decref(r->run->log);
		r->run->log = json_incref(log);
	}
	return !bundle_version_check(r->wish.image) &&
	       !pair_number_get(root, "run", &record->run) && record->run &&
	       !pair_number_get(root, "before_first", &record->before[0]) &&
	       !pair_number_get(root, "before_second", &record->before[1]);
}

bool rolling_image_load(struct rolling *r, struct rolling_record *ret_record,
			char reason[static ROLLING_REASON_LEN])
{
	struct rolling_record record;
	json_t *root;
	bool left;

	r->run = run_new();
	if (!r->run) {
		snprintf(reason, ROLLING_REASON_LEN, "out of memory");
		return false;
	}
	root = load(r->run->paths);
	left = is_left(root, r->run, reason);
	if (left && !read_wish(root, r, &record)) {
		snprintf(reason, ROLLING_REASON_LEN, "%s/" NAME " makes no sense",
			 r->run->paths->state_dir);
		left = false;
	}
	json_decref(root);
	if (left) {
		r->record = record;
		*ret_record = record;
	}
	return left;
}

void rolling_image_forget(const struct upgrade_paths *paths, uint64_t run)
{
	json_t *root = load(paths);
	uint64_t left;
	char path[PATH_MAX];

	if (root && (pair_number_get(root, "run", &left) || left != run) &&
	    snprintf(path, sizeof(path), "%s/" NAME, paths->state_dir) < PATH_MAX)
		(void)unlink(path); /* else that one finds itself refused by the lease */
	json_decref(root);
}

void rolling_image_free(struct rolling *r)
{
	if (!r->run)
		return;
	if (r->run->fd >= 0)
		close(r->run->fd);
	json_decref(r->run->log);
	free(r->run);
	r->run = NULL;
}

int rolling_image_show(bool json)
{
	json_t *root = load(upgrade_paths_here()), *line;
	const char *reason = text_of(root, "reason");
	const time_t at = (time_t)json_integer_value(json_object_get(root, "at"));
	char text[32];
	struct tm tm;
	size_t i;

	if (!root) {
		puts(json ? "null" : "no rolling upgrade of the image was begun on this gateway");
		return 0;
	}
	if (json) {
		json_dumpf(root, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(root);
		return 0;
	}
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&at, &tm));
	printf("rolling upgrade to %s: %s%s%s, %s\n", text_of(root, "version"),
	       text_of(root, "state"), *reason ? ": " : "", reason, text);
	json_array_foreach(json_object_get(root, "log"), i, line)
		printf("  %s\n", json_string_value(line));
	json_decref(root);
	return 0;
}

/* ---- the bundle ---- */

int rolling_image_open(struct rolling *r, const char *file)
{
	char reason[BUNDLE_REASON_LEN];
	struct upgrade upgrade;
	struct bundle bundle;
	struct stat st;
	int rc;

	r->run = run_new();
	if (!r->run)
		return 1;
	if (upgrade_look(&upgrade, r->run->paths, &disk_real)) {
		rolling_complain(r, "refused: %s", upgrade.reason);
		return CLIENT_REFUSED;
	}
	r->run->fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (r->run->fd < 0 || fstat(r->run->fd, &st)) {
		rolling_complain(r, "%s: %s", file, strerror(errno));
		return 1;
	}
	if (!S_ISREG(st.st_mode)) {
		rolling_complain(r, "%s: a regular file is asked for, as it is read twice", file);
		return 1;
	}
	rc = bundle_open(r->run->fd, r->run->paths->keys, &bundle, reason);
	if (rc) {
		rolling_complain(r, "refused: %s: %s", file, reason);
		return rc == -EBADMSG || rc == -EKEYREJECTED ? CLIENT_REFUSED : 1;
	}
	r->run->size = (uint64_t)st.st_size;
	snprintf(r->wish.image, sizeof(r->wish.image), "%s", bundle.version);
	printf("the bundle is of %s, %" PRIu64 " MiB, and its signature is good\n", bundle.version,
	       r->run->size >> 20);
	return 0;
}

static int read_piece(const struct rolling_run *run, uint64_t offset, char *buf, size_t *ret_len)
{
	size_t len = 0;

	while (len < PIECE) {
		const ssize_t n = pread(run->fd, buf + len, PIECE - len, (off_t)(offset + len));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (!n)
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	*ret_len = len;
	return 0;
}

/* To the gateway that this runs on: netpasd would only copy it, too. -errno. */
static int put_here(const struct rolling *r, uint64_t offset, const char *buf, size_t len)
{
	char path[PATH_MAX];
	int fd, rc = image_job_bundle(r->paths->state_dir, path);

	if (rc)
		return rc;
	if (!offset && unlink(path) && errno != ENOENT)
		return -errno;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	rc = file_write(fd, buf, len);
	if (close(fd) && !rc)
		rc = -errno;
	return rc;
}

static int put_there(struct rolling *r, struct gateway *g, uint64_t offset, const char *buf,
		     size_t len)
{
	char *base64 = malloc(len / 3 * 4 + 5);
	json_t *answer = NULL;
	int rc;

	if (!base64)
		return -ENOMEM;
	EVP_EncodeBlock((unsigned char *)base64, (const unsigned char *)buf, (int)len);
	rc = rolling_ask(r, g, "image-put",
			 json_pack("{s:o, s:I, s:s}", "run", pair_number_new(r->record.run),
				   "offset", (json_int_t)offset, "data", base64),
			 ASK_MS, &answer);
	json_decref(answer);
	free(base64);
	return rc;
}

/* The exit code. */
static int give(struct rolling *r, struct gateway *g)
{
	int64_t looked_ms = clock_now_ms();
	char *buf = malloc(PIECE);
	uint64_t offset = 0;
	size_t len = PIECE;
	int rc = buf ? 0 : -ENOMEM;

	rolling_say(r, "giving the bundle to %s", g->name);
	while (!rc && offset < r->run->size && len && !rolling_interrupted() && !r->overtaken) {
		rc = read_piece(r->run, offset, buf, &len);
		if (!rc && len)
			rc = g->here ? put_here(r, offset, buf, len)
				     : put_there(r, g, offset, buf, len);
		offset += len;
		if (clock_now_ms() - looked_ms > RENEW_MS) {
			rolling_look(r);
			looked_ms = clock_now_ms();
		}
	}
	free(buf);
	if (!rc && offset >= r->run->size)
		return 0;
	rolling_complain(r, "refused: the bundle cannot be given to %s: %s", g->name,
			 rolling_interrupted() ? "interrupted"
			 : r->overtaken	       ? "another run has taken over"
			 : g->here	       ? strerror(rc ? -rc : EIO)
					       : g->silence);
	return CLIENT_REFUSED;
}

static bool lacks(const struct rolling *r, const struct gateway *g)
{
	const struct rolling_image *image = &g->now.image;

	return strcmp(image->version, r->wish.image) &&
	       (strcmp(image->phase, "written") || strcmp(image->written, r->wish.image));
}

static int ask_write(struct rolling *r, struct gateway *g)
{
	json_t *answer = NULL;
	int rc;

	rolling_say(r, "%s writes it into its other slot", g->name);
	rc = rolling_ask(r, g, "image-write",
			 json_pack("{s:o, s:s, s:b}", "run", pair_number_new(r->record.run),
				   "image", r->wish.image, "older", (int)r->wish.older),
			 ASK_MS, &answer);
	json_decref(answer);
	if (!rc)
		return 0;
	rolling_complain(r, "refused: %s: %s", g->name, g->silence);
	return CLIENT_REFUSED;
}

/* Has the job ended? With *ret_why if not well. */
static bool has_written(const struct rolling *r, const struct gateway *g, int64_t waited_ms,
			char why[static ROLLING_REASON_LEN])
{
	const struct rolling_image *image = &g->now.image;

	*why = '\0';
	if (!g->now.known)
		return false;
	if (image->job != r->record.run || !strcmp(image->job_state, "asked")) {
		if (waited_ms < TAKE_MS)
			return false;
		snprintf(why, ROLLING_REASON_LEN,
			 "nobody takes the job; is netpas-upgrade-job.path active there?");
		return true;
	}
	if (!strcmp(image->job_state, "running"))
		return false;
	if (!strcmp(image->job_state, "failed") || lacks(r, g))
		snprintf(why, ROLLING_REASON_LEN, "%s",
			 *image->job_reason ? image->job_reason : "it was not written");
	return true;
}

static int wait_written(struct rolling *r, const bool asked[static 2])
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000 };
	const int64_t began_ms = clock_now_ms();
	char why[ROLLING_REASON_LEN];
	bool waiting = true;

	while (waiting) {
		(void)nanosleep(&pause, NULL); /* a shorter pause is good too */
		rolling_look(r);
		waiting = false;
		for (size_t i = 0; i < 2; i++) {
			const struct gateway *g = &r->gateways[i];

			if (!asked[i])
				continue;
			if (!has_written(r, g, clock_now_ms() - began_ms, why))
				waiting = true;
			if (*why) {
				rolling_complain(r, "refused: %s: %s", g->name, why);
				return CLIENT_REFUSED;
			}
		}
		if (waiting && (rolling_interrupted() || r->overtaken ||
				clock_now_ms() - began_ms > WRITE_MS)) {
			rolling_complain(r, "stopped: %s",
					 r->overtaken		 ? "another run has taken over"
					 : rolling_interrupted() ? "interrupted"
								 : "it takes too long to write");
			return CLIENT_REFUSED;
		}
	}
	return 0;
}

int rolling_image_spread(struct rolling *r)
{
	bool asked[2] = { false, false };
	int rc = 0;

	rolling_look(r);
	for (size_t i = 0; i < 2 && !rc; i++) {
		struct gateway *g = &r->gateways[i];

		if (!g->now.known) {
			rolling_complain(r, "refused: %s: %s", g->name, g->silence);
			return CLIENT_REFUSED;
		}
		asked[i] = lacks(r, g);
		if (asked[i])
			rc = give(r, g);
		if (asked[i] && !rc)
			rc = ask_write(r, g);
	}
	return rc ? rc : wait_written(r, asked);
}

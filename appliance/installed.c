/* SPDX-License-Identifier: GPL-2.0-only */
#include "installed.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "child.h"
#include "event.h"
#include "pair_message.h"
#include "rolling.h"

#define TRIAL_US 20000000u /* of a large configuration on a busy machine */
#define TEXT_LEN 4096

static char **arguments;
static char program[PATH_MAX];
static uint64_t running;

struct installed {
	struct sd_event *event;
	struct sd_event_source *timer;
	struct child *child;
	const char *config_dir; /* borrowed */
	enum rolling_trial trial;
	struct stat file; /* that was tried */
	struct stat hashed;
	uint64_t hash; /* of that one */
	char version[ROLLING_NAME_LEN], error[ROLLING_WORD_LEN];
	char log_path[PATH_MAX];
};

/* ---- this process ---- */

/* As the shell finds it, so that links on the way are followed when they lead elsewhere one day. */
static void find_program(const char *name, char path[static PATH_MAX])
{
	const char *dirs = getenv("PATH");
	ssize_t len;

	if (strchr(name, '/') && realpath(name, path)) {
		if (*name == '/')
			snprintf(path, PATH_MAX, "%s", name);
		return;
	}
	while (!strchr(name, '/') && dirs && *dirs) {
		const int n = (int)strcspn(dirs, ":");

		if (*dirs == '/' && snprintf(path, PATH_MAX, "%.*s/%s", n, dirs, name) < PATH_MAX &&
		    !access(path, X_OK))
			return;
		dirs += n + (dirs[n] == ':');
	}
	len = readlink("/proc/self/exe", path, PATH_MAX - 1);
	path[len > 0 ? len : 0] = '\0';
}

void installed_remember(char **argv)
{
	arguments = argv;
	find_program(argv[0], program);
	if (installed_hash("/proc/self/exe", &running))
		running = 0;
}

uint64_t installed_running(void)
{
	return running;
}

int installed_exec(void)
{
	execv(program, arguments);
	return -errno;
}

static int hash_file(int fd, EVP_MD_CTX *ctx, uint64_t *ret_hash)
{
	unsigned char buf[65536], digest[EVP_MAX_MD_SIZE];
	uint64_t hash = 0;
	ssize_t n;

	if (!EVP_DigestInit_ex(ctx, EVP_sha256(), NULL))
		return -ENOTSUP;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (!EVP_DigestUpdate(ctx, buf, (size_t)n))
			return -ENOTSUP;
	if (n < 0)
		return -errno;
	if (!EVP_DigestFinal_ex(ctx, digest, NULL))
		return -ENOTSUP;
	for (int i = 0; i < 8; i++)
		hash = hash << 8 | digest[i];
	*ret_hash = hash;
	return 0;
}

int installed_hash(const char *path, uint64_t *ret_hash)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = fd < 0 ? -errno : -ENOMEM;

	if (fd >= 0 && ctx)
		rc = hash_file(fd, ctx, ret_hash);
	if (fd >= 0)
		close(fd);
	EVP_MD_CTX_free(ctx);
	return rc;
}

/* ---- the trial ---- */

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* It goes into JSON and onto terminals, and nobody knows what ran there. */
static void make_plain(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static void conclude(struct installed *i, enum rolling_trial trial, const char *error)
{
	const int len = (int)strcspn(error, "\n");

	i->timer = sd_event_source_disable_unref(i->timer);
	child_free(i->child);
	i->child = NULL;
	i->trial = trial;
	snprintf(i->error, sizeof(i->error), "%.*s", len, error);
	make_plain(i->error);
	if (trial == ROLLING_BAD)
		event_error(EVENT_ROLLING, "%s: tried, and does not do: %s", program, i->error);
	else
		event_info(EVENT_ROLLING, "%s: tried, is %s, and would do", program, i->version);
}

/* What it has said: its version in the first line, and what is wrong in those after that. */
static const char *read_words(struct installed *i, char text[static TEXT_LEN])
{
	FILE *file = fopen(i->log_path, "re");
	const size_t len = file ? fread(text, 1, TEXT_LEN - 1, file) : 0;
	const char *rest;

	text[len] = '\0';
	if (file)
		fclose(file);
	if (sscanf(text, "netpasd %63[^\n]", i->version) != 1) {
		i->version[0] = '\0';
		return text;
	}
	make_plain(i->version);
	rest = strchr(text, '\n');
	return rest ? rest + 1 : "";
}

static void trial_ended(struct child *child, int status, void *data)
{
	struct installed *i = data;
	char text[TEXT_LEN], error[ROLLING_WORD_LEN];
	const char *words = read_words(i, text);

	(void)child;
	if (WIFSIGNALED(status))
		snprintf(error, sizeof(error), "it ended by signal %d", WTERMSIG(status));
	else if (status)
		snprintf(error, sizeof(error), "exit code %d%s%s", WEXITSTATUS(status),
			 *words ? ": " : "", words);
	else
		snprintf(error, sizeof(error), "it is no netpasd: it says %s",
			 *text ? text : "nothing");
	conclude(i, !status && *i->version ? ROLLING_GOOD : ROLLING_BAD,
		 !status && *i->version ? "" : error);
}

static int trial_late(struct sd_event_source *source, uint64_t usec, void *data)
{
	struct installed *i = data;

	(void)source;
	(void)usec;
	(void)child_signal(i->child, SIGKILL); /* it may have ended in this very moment */
	conclude(i, ROLLING_BAD, "it hangs");
	return 0;
}

bool installed_try(struct installed *i)
{
	const char *const argv[] = { program, "-t", "-c", i->config_dir, NULL };
	int rc;

	if (i->trial == ROLLING_TRYING)
		return true;
	i->version[0] = '\0';
	if (stat(program, &i->file)) {
		conclude(i, ROLLING_BAD, strerror(errno));
		return false;
	}
	(void)unlink(i->log_path); /* of the last one; the child makes its own */
	rc = child_spawn(i->event, argv, NULL, i->log_path, trial_ended, i, &i->child);
	if (!rc)
		rc = sd_event_add_time_relative(i->event, &i->timer, CLOCK_MONOTONIC, TRIAL_US, 0,
						trial_late, i);
	if (rc < 0) {
		conclude(i, ROLLING_BAD, strerror(-rc));
		return false;
	}
	i->trial = ROLLING_TRYING;
	return true;
}

bool installed_good(struct installed *i)
{
	struct stat now;

	return i->trial == ROLLING_GOOD && !stat(program, &now) && is_same_file(&now, &i->file);
}

json_t *installed_status(struct installed *i)
{
	struct stat now;
	const bool there = !stat(program, &now);

	if (there && !is_same_file(&now, &i->hashed)) {
		i->hashed = now;
		if (installed_hash(program, &i->hash))
			i->hash = 0;
	}
	if (i->trial == ROLLING_GOOD && !installed_good(i))
		i->trial = ROLLING_UNTRIED;
	return json_pack("{s:s, s:s, s:o, s:s, s:s}", "path", program, "version",
			 *i->version ? i->version : "-", "build",
			 there ? pair_number_new(i->hash) : json_null(), "state",
			 rolling_trial_names[i->trial], "error", i->error);
}

int installed_new(struct sd_event *event, const char *config_dir, const char *run_dir,
		  struct installed **ret_installed)
{
	struct installed *i = calloc(1, sizeof(*i));

	if (!i)
		return -ENOMEM;
	i->event = event;
	i->config_dir = config_dir;
	snprintf(i->log_path, sizeof(i->log_path), "%s/log/trial.log", run_dir);
	*ret_installed = i;
	return 0;
}

void installed_free(struct installed *i)
{
	if (!i)
		return;
	sd_event_source_disable_unref(i->timer);
	if (i->child)
		(void)child_signal(i->child, SIGKILL); /* its result interests nobody any more */
	child_free(i->child);
	free(i);
}

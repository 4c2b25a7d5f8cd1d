/* SPDX-License-Identifier: GPL-2.0-only */
#include "support.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "dataplane.h"

/* ---- texts ---- */

struct text {
	char *v;
	size_t len, size;
};

/* Room for more, at the cost of the first half if it has become too long. False: no memory. */
static bool make_room(struct text *text, size_t more)
{
	char *larger;

	if (text->len + more <= text->size)
		return true;
	if (text->size >= SUPPORT_TEXT_MAX) {
		memmove(text->v, text->v + text->len / 2, text->len - text->len / 2);
		text->len -= text->len / 2;
		return true;
	}
	larger = realloc(text->v, text->size * 2 + more);
	if (!larger)
		return false;
	text->v = larger;
	text->size = text->size * 2 + more;
	return true;
}

static void add(struct text *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *text, const char *fmt, ...)
{
	char line[256];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (n > (int)sizeof(line) - 1)
		n = sizeof(line) - 1;
	if (n > 0 && make_room(text, (size_t)n)) {
		memcpy(text->v + text->len, line, (size_t)n);
		text->len += (size_t)n;
	}
}

/* 1: there may be more, 0: the end, or -errno. */
static int add_from(struct text *text, int fd)
{
	ssize_t n;

	if (!make_room(text, 65536))
		return -ENOMEM;
	n = read(fd, text->v + text->len, 65536);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 1 : -errno;
	text->len += (size_t)n;
	return n > 0;
}

char *support_read(const char *path, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), rc = 1;
	struct text text = { 0 };

	while (fd >= 0 && rc > 0)
		rc = add_from(&text, fd);
	if (fd < 0)
		rc = -errno;
	else
		close(fd);
	if (rc)
		add(&text, "%s: %s\n", path, strerror(-rc));
	*ret_len = text.len;
	return text.v;
}

/* ---- programs ---- */

static _Noreturn void become(const char *const args[], int out)
{
	const int null = open("/dev/null", O_RDONLY);

	if (null >= 0 && dup2(null, 0) >= 0 && dup2(out, 1) >= 0 && dup2(out, 2) >= 0) {
		(void)setenv("LC_ALL", "C", 1); /* a translation can be read, too */
		/* execvp() takes what it does not change as char * const *. */
		execvp(args[0], (char *const *)(uintptr_t)args);
		dprintf(2, "%s: %s\n", args[0], strerror(errno));
	}
	_exit(127);
}

/* 0: it has closed its output; -ETIMEDOUT: it has not in time. */
static int collect(struct text *text, int fd, int timeout_ms)
{
	const int64_t until = clock_now_ms() + timeout_ms;
	int rc = 1;

	while (rc > 0) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		const int64_t left = until - clock_now_ms();

		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&pfd, 1, (int)left) > 0)
			rc = add_from(text, fd);
	}
	return rc;
}

char *support_run(const char *const args[], int timeout_ms, size_t *ret_len)
{
	struct text text = { 0 };
	int ends[2], status = 0, rc;
	pid_t pid;

	add(&text, "$");
	for (size_t i = 0; args[i]; i++)
		add(&text, " %s", args[i]);
	add(&text, "\n");
	if (pipe2(ends, O_CLOEXEC)) {
		add(&text, "%s\n", strerror(errno));
		goto done;
	}
	pid = fork();
	if (!pid)
		become(args, ends[1]);
	close(ends[1]);
	rc = pid < 0 ? -errno : collect(&text, ends[0], timeout_ms);
	close(ends[0]);
	if (pid > 0 && rc)
		(void)kill(pid, SIGKILL); /* ours, and not waited for yet */
	if (pid > 0)
		(void)waitpid(pid, &status, 0);
	if (rc)
		add(&text, "\n(%s)\n",
		    rc == -ETIMEDOUT ? "not done in time, killed" : strerror(-rc));
	else if (WIFSIGNALED(status))
		add(&text, "\n(killed by signal %d)\n", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		add(&text, "\n(exit code %d)\n", WEXITSTATUS(status));
done:
	*ret_len = text.len;
	return text.v;
}

/* ---- BPF ---- */

static void print_program(__u32 id, FILE *out)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);
	const int fd = bpf_prog_get_fd_by_id(id);

	if (fd < 0)
		return; /* it has gone meanwhile */
	if (!bpf_obj_get_info_by_fd(fd, &info, &len))
		fprintf(out, "%6u %-16s %-10s %8u %8u %14llu %16llu %12llu\n", id, info.name,
			libbpf_bpf_prog_type_str((enum bpf_prog_type)info.type) ?: "?",
			info.jited_prog_len, info.xlated_prog_len, (unsigned long long)info.run_cnt,
			(unsigned long long)info.run_time_ns,
			(unsigned long long)info.recursion_misses);
	close(fd);
}

static unsigned int count_entries(int fd, const struct bpf_map_info *info)
{
	unsigned char *key = calloc(1, info->key_size ? info->key_size : 1);
	unsigned char *next = calloc(1, info->key_size ? info->key_size : 1);
	unsigned int n = 0;

	while (key && next && n < info->max_entries &&
	       !bpf_map_get_next_key(fd, n ? key : NULL, next)) {
		memcpy(key, next, info->key_size);
		n++;
	}
	free(key);
	free(next);
	return n;
}

static void print_map(const char *name, FILE *out)
{
	char path[sizeof(DP_PIN_DIR) + 258];
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	int fd;

	snprintf(path, sizeof(path), DP_PIN_DIR "/%s", name);
	fd = bpf_obj_get(path);
	if (fd < 0) {
		fprintf(out, "%-20s %s\n", name, strerror(errno));
		return;
	}
	/* For what is no map the kernel writes other fields, which have no key. */
	if (!bpf_obj_get_info_by_fd(fd, &info, &len) && len == sizeof(info))
		fprintf(out, "%-20s %6u %-12s key %3u value %4u entries %7u of %7u\n", name,
			info.id, libbpf_bpf_map_type_str((enum bpf_map_type)info.type) ?: "?",
			info.key_size, info.value_size,
			info.type == BPF_MAP_TYPE_RINGBUF ? 0 : count_entries(fd, &info),
			info.max_entries);
	close(fd);
}

void support_bpf(FILE *out)
{
	const struct dirent *entry;
	__u32 id = 0;
	DIR *dir;

	fprintf(out, "%6s %-16s %-10s %8s %8s %14s %16s %12s\n", "id", "program", "type", "jited",
		"xlated", "runs", "ns", "missed");
	while (!bpf_prog_get_next_id(id, &id))
		print_program(id, out);
	fprintf(out, "\n" DP_PIN_DIR ":\n");
	dir = opendir(DP_PIN_DIR);
	if (!dir) {
		fprintf(out, "%s\n", strerror(errno));
		return;
	}
	while ((entry = readdir(dir)))
		if (!strncmp(entry->d_name, "dp_", 3))
			print_map(entry->d_name, out);
		else if (*entry->d_name != '.')
			fprintf(out, "%s\n", entry->d_name);
	closedir(dir);
}

/* ---- clocks ---- */

static void print_clock(const char *name, clockid_t clock, FILE *out)
{
	struct timespec now = { 0 };

	clock_gettime(clock, &now);
	fprintf(out, "%-10s %lld.%09ld\n", name, (long long)now.tv_sec, now.tv_nsec);
}

void support_clock(FILE *out)
{
	struct timex timex = { 0 };
	const int state = adjtimex(&timex);

	print_clock("realtime", CLOCK_REALTIME, out);
	print_clock("monotonic", CLOCK_MONOTONIC, out);
	print_clock("boottime", CLOCK_BOOTTIME, out);
	print_clock("tai", CLOCK_TAI, out);
	fprintf(out, "adjtimex   %d (%s), offset %ld, maximum error %ld us, frequency %ld\n", state,
		state == TIME_ERROR ? "nobody synchronises this clock" : "synchronised",
		timex.offset, timex.maxerror, timex.freq);
}

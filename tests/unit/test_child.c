/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "child.h"
#include "process.h"

#define DEADLINE_US (20 * 1000000ull)
#define ARRAY(...)                     \
	(const char *const[])          \
	{                              \
		__VA_ARGS__, (char *)0 \
	}

struct seen {
	unsigned int times;
	int status;
	struct child *child;
};

static char log_path[] = "/tmp/netpas-child-XXXXXX";
static sd_event *event;

static int setup(void **state)
{
	int fd = mkstemp(log_path);

	(void)state;
	if (fd < 0)
		return -1;
	close(fd);
	unlink(log_path);
	return sd_event_new(&event);
}

static int teardown(void **state)
{
	(void)state;
	unlink(log_path);
	event = sd_event_unref(event);
	return 0;
}

static int log_remove(void **state)
{
	(void)state;
	unlink(log_path);
	return 0;
}

static const char *log_text(void)
{
	static char buf[65536];
	FILE *file = fopen(log_path, "r");
	size_t len;

	assert_non_null(file);
	len = fread(buf, 1, sizeof(buf) - 1, file);
	buf[len] = '\0';
	fclose(file);
	return buf;
}

static void exited(struct child *child, int status, void *data)
{
	struct seen *seen = data;

	seen->times++;
	seen->status = status;
	seen->child = child;
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void wait_exit(struct seen *seen)
{
	uint64_t end = now_us() + DEADLINE_US;

	while (!seen->times && now_us() < end)
		assert_true(sd_event_run(event, 100000) >= 0);
	assert_int_equal(seen->times, 1);
}

static void wait_log(const char *text)
{
	uint64_t end = now_us() + DEADLINE_US;
	const struct timespec pause = { .tv_nsec = 5000000 };

	while (now_us() < end) {
		if (!access(log_path, R_OK) && strstr(log_text(), text))
			return;
		nanosleep(&pause, NULL);
	}
	fail_msg("'%s' never came into the log", text);
}

/* Run a shell script to its end; its status. */
static int run(const char *script, const char *const env[])
{
	struct seen seen = { 0 };
	struct child *child;

	assert_int_equal(
		child_spawn(event, ARRAY("sh", "-c", script), env, log_path, exited, &seen, &child),
		0);
	wait_exit(&seen);
	assert_ptr_equal(seen.child, child);
	child_free(child);
	return seen.status;
}

static void test_status(void **state)
{
	int status;

	(void)state;
	status = run("exit 0", NULL);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	status = run("exit 3", NULL);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 3);
	status = run("exit 255", NULL);
	assert_int_equal(WEXITSTATUS(status), 255);
	status = run("kill -9 $$", NULL);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* all reaped */
	assert_int_equal(errno, ECHILD);
}

static void test_log(void **state)
{
	struct stat st;

	(void)state;
	umask(022);
	run("echo one; echo two >&2", NULL);
	run("echo three", NULL);
	assert_string_equal(log_text(), "one\ntwo\nthree\n");
	assert_int_equal(stat(log_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
}

static void test_env(void **state)
{
	(void)state;
	setenv("NETPAS_TEST_KEPT", "kept", 1);
	setenv("NETPAS_TEST_CHANGED", "old", 1);
	run("echo $NETPAS_TEST_KEPT $NETPAS_TEST_CHANGED $NETPAS_TEST_NEW",
	    ARRAY("NETPAS_TEST_CHANGED=new", "NETPAS_TEST_NEW=a=b"));
	assert_string_equal(log_text(), "kept new a=b\n");
	assert_string_equal(getenv("NETPAS_TEST_CHANGED"), "old");
}

/*
 * The C library keeps signals 32 and 33 to itself: where our own parent left them ignored (make
 * does, by posix_spawn), nobody can change that for a child.
 */
static unsigned long long ignored_for_good(void)
{
	unsigned long long ignored = 0;
	FILE *status = fopen("/proc/self/status", "re");
	char line[256];

	assert_non_null(status);
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "SigIgn: %llx", &ignored) == 1)
			break;
	fclose(status);
	return ignored & 3ULL << 31;
}

/* Nothing of the parent's: descriptors, mask, dispositions, session, standard input. */
static void test_clean(void **state)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
	struct rlimit limit;
	sigset_t set, old;
	char expect[128];
	int fds[3];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		fds[i] = open("/dev/zero", O_RDONLY); /* not close on exec */
		assert_true(fds[i] >= 0);
	}
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	fds[2] = fcntl(fds[0], F_DUPFD, (int)(limit.rlim_cur < 4096 ? limit.rlim_cur : 4096) - 1);
	assert_true(fds[2] > fds[1]);
	sigaction(SIGUSR1, &ignore, &before);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, &old);

	run("ls -l /proc/self/fd | sed -n 's/.* \\([0-9]*\\) -> .*zero.*/\\1/p'; "
	    "readlink /proc/self/fd/0; grep -E '^Sig(Blk|Ign):' /proc/self/status | "
	    "tr -d '\\t'; cut -d' ' -f6 /proc/$$/stat | grep -qx $$ && echo session",
	    NULL);
	snprintf(expect, sizeof(expect), "/dev/null\nSigBlk:%016x\nSigIgn:%016llx\nsession\n", 0,
		 ignored_for_good());
	assert_string_equal(log_text(), expect);

	/* And the parent's are as they were. */
	sigprocmask(SIG_SETMASK, &old, &set);
	assert_true(sigismember(&set, SIGUSR2));
	assert_false(sigismember(&set, SIGINT));
	sigaction(SIGUSR1, &before, NULL);
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
}

static size_t open_fds(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_exec_failure(void **state)
{
	struct child *untouched = (struct child *)(uintptr_t)1, *child = untouched;
	struct seen seen = { 0 };
	size_t before = open_fds();

	(void)state;
	assert_int_equal(child_spawn(event, ARRAY("netpas-no-such-program"), NULL, log_path, exited,
				     &seen, &child),
			 -ENOENT);
	assert_int_equal(
		child_spawn(event, ARRAY("/no/such/program"), NULL, NULL, exited, &seen, &child),
		-ENOENT);
	assert_int_equal(
		child_spawn(event, ARRAY("/etc/passwd"), NULL, NULL, exited, &seen, &child),
		-EACCES);
	assert_int_equal(child_spawn(event, ARRAY("true"), NULL, "/no/such/directory/log", exited,
				     &seen, &child),
			 -ENOENT);
	/* The process runs already when there turns out to be no event loop: it must not stay. */
	assert_int_equal(
		child_spawn(NULL, ARRAY("sleep", "1000"), NULL, NULL, exited, &seen, &child),
		-EINVAL);
	assert_ptr_equal(child, untouched);
	assert_int_equal(seen.times, 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(open_fds(), before);
}

/* With standard descriptors closed in the parent, pipes and files take their numbers. */
static void test_closed_standard(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (!pid) {
		struct child *child;
		sd_event *own = NULL;

		close(0);
		close(1);
		close(2);
		if (sd_event_new(&own) < 0 || child_spawn(own, ARRAY("/no/such/program"), NULL,
							  log_path, NULL, NULL, &child) != -ENOENT)
			_exit(1);
		if (child_spawn(own, ARRAY("sh", "-c", "echo out; echo err >&2; cat"), NULL,
				log_path, NULL, NULL, &child))
			_exit(2);
		child_stop(child, 10000);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_stop(void **state)
{
	struct seen seen = { 0 };
	struct child *child;
	uint64_t began;
	pid_t pid;

	(void)state;
	assert_int_equal(
		child_spawn(event, ARRAY("sleep", "1000"), NULL, NULL, exited, &seen, &child), 0);
	pid = child_pid(child);
	assert_int_equal(child_signal(child, 0), 0);
	began = now_us();
	child_stop(child, 15000);
	assert_true(now_us() - began < 10000000);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	assert_int_equal(seen.times, 0);
	child_stop(NULL, 0);
	child_free(NULL);
}

static void test_stop_ignored(void **state)
{
	struct seen seen = { 0 };
	struct child *child;
	uint64_t began, took;
	pid_t pid;

	(void)state;
	assert_int_equal(child_spawn(event,
				     ARRAY("sh", "-c",
					   "trap 'echo asked' TERM; echo ready; "
					   "while :; do sleep 0.02; done"),
				     NULL, log_path, exited, &seen, &child),
			 0);
	wait_log("ready\n");
	pid = child_pid(child);
	began = now_us();
	child_stop(child, 300);
	took = now_us() - began;
	assert_true(took >= 300000);
	assert_true(took < 4000000);
	assert_non_null(strstr(log_text(), "asked\n")); /* SIGTERM came first */
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	assert_int_equal(seen.times, 0);
}

/* A running process that is not our child: its parent ends at once. */
static pid_t stranger(void)
{
	pid_t pid, middle;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	middle = fork();
	if (!middle) {
		pid = fork();
		if (!pid) {
			execlp("sleep", "sleep", "1000", (char *)NULL);
			_exit(127);
		}
		if (write(fds[1], &pid, sizeof(pid)) != sizeof(pid))
			_exit(1);
		_exit(0);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &pid, sizeof(pid)), sizeof(pid));
	close(fds[0]);
	assert_int_equal(waitpid(middle, NULL, 0), middle);
	return pid;
}

static void test_adopt(void **state)
{
	struct seen seen = { 0 };
	struct child *child;
	pid_t pid = stranger();

	(void)state;
	assert_int_equal(child_adopt(event, pid, exited, &seen, &child), 0);
	assert_int_equal(child_pid(child), pid);
	assert_true(sd_event_run(event, 10000) >= 0);
	assert_int_equal(seen.times, 0);
	assert_int_equal(child_signal(child, SIGKILL), 0);
	wait_exit(&seen);
	assert_int_equal(seen.status, -1);
	assert_ptr_equal(seen.child, child);
	assert_int_equal(child_signal(child, SIGKILL), -ESRCH);
	assert_true(sd_event_run(event, 10000) >= 0);
	assert_int_equal(seen.times, 1); /* told once */
	child_free(child);

	pid = stranger();
	assert_int_equal(child_adopt(event, pid, exited, &seen, &child), 0);
	child_stop(child, 15000);
	assert_int_equal(seen.times, 1);
	assert_false(child_cmdline_has(pid, "sleep"));
}

static void test_adopt_gone(void **state)
{
	struct child *untouched = (struct child *)(uintptr_t)1, *child = untouched;
	struct seen seen = { 0 };
	pid_t pid;

	(void)state;
	assert_int_equal(child_adopt(event, 0, exited, &seen, &child), -ESRCH);
	assert_int_equal(child_adopt(event, -1, exited, &seen, &child), -ESRCH);
	pid = fork();
	if (!pid)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	/* It has ended, and nobody has reaped it. */
	assert_int_equal(child_adopt(event, pid, exited, &seen, &child), -ESRCH);
	assert_int_equal(child_adopt(event, pid, exited, &seen, &child), -ESRCH);
	assert_ptr_equal(child, untouched);
	assert_int_equal(seen.times, 0);
}

/* It outlives the handle, and is forgotten only. */
static void test_forget(void **state)
{
	struct seen seen = { 0 };
	struct child *child;
	pid_t pid;

	(void)state;
	assert_int_equal(
		child_spawn(event, ARRAY("sleep", "1000"), NULL, NULL, exited, &seen, &child), 0);
	pid = child_pid(child);
	child_free(child);
	assert_int_equal(kill(pid, 0), 0);
	/* Adopted again, it is our child still: the status can be had. */
	assert_int_equal(child_adopt(event, pid, exited, &seen, &child), 0);
	assert_int_equal(child_signal(child, SIGTERM), 0);
	wait_exit(&seen);
	assert_true(WIFSIGNALED(seen.status));
	assert_int_equal(WTERMSIG(seen.status), SIGTERM);
	child_free(child);
}

static void free_in_callback(struct child *child, int status, void *data)
{
	exited(child, status, data);
	child_free(child);
}

static void test_free_in_callback(void **state)
{
	struct seen seen = { 0 };
	struct child *child;

	(void)state;
	assert_int_equal(
		child_spawn(event, ARRAY("true"), NULL, NULL, free_in_callback, &seen, &child), 0);
	wait_exit(&seen);
}

static void test_backoff(void **state)
{
	static const unsigned int delays_ms[] = { 0,	100,  200,  400,  800,
						  1600, 3200, 5000, 5000, 5000 };
	struct child_backoff backoff = { 0 };
	uint64_t now = 1000000000;

	(void)state;
	for (size_t i = 0; i < sizeof(delays_ms) / sizeof(delays_ms[0]); i++) {
		uint64_t delay = child_backoff_delay_us(&backoff, now);

		assert_int_equal(delay, delays_ms[i] * 1000ull);
		now += delay + 5000; /* fails at once */
	}
	/* 9.9 s are not enough, 10 s are. */
	backoff.started_us = now;
	assert_int_equal(child_backoff_delay_us(&backoff, now + 9900000), 5000000);
	backoff.started_us = now;
	assert_int_equal(child_backoff_delay_us(&backoff, now + 10000000), 0);
	assert_int_equal(child_backoff_delay_us(&backoff, now + 10000001), 100000);
	/* A start in the future, as after a delay that was cut short, is no long run. */
	backoff.started_us = now + 60000000;
	assert_int_equal(child_backoff_delay_us(&backoff, now), 200000);
}

static void test_cmdline(void **state)
{
	struct seen seen = { 0 };
	struct child *child;
	pid_t pid;

	(void)state;
	assert_int_equal(child_spawn(event, ARRAY("sh", "-c", "sleep 1000; :", "name", "np3", ""),
				     NULL, NULL, exited, &seen, &child),
			 0);
	pid = child_pid(child);
	assert_true(child_cmdline_has(pid, "np3"));
	assert_true(child_cmdline_has(pid, "sh"));
	assert_true(child_cmdline_has(pid, ""));
	assert_false(child_cmdline_has(pid, "np"));
	assert_false(child_cmdline_has(pid, "np33"));
	assert_false(child_cmdline_has(pid, "sleep"));
	child_stop(child, 10000);
	assert_false(child_cmdline_has(pid, "np3"));
	assert_false(child_cmdline_has(0, "np3"));
}

static json_t *program_of(json_t *list, const char *name)
{
	json_t *program;
	size_t i;

	json_array_foreach(
		list, i,
		program) if (!strcmp(json_string_value(json_object_get(program, "process")),
				     name)) return program;
	return NULL;
}

static json_int_t count_of(const char *name, const char *key)
{
	json_t *list = process_list(), *program = program_of(list, name);
	const json_int_t number = program ? json_integer_value(json_object_get(program, key)) : -1;

	json_decref(list);
	return number;
}

/* By name, while they run and after. CPU time of one that has ended is not taken back. */
static void test_census(void **state)
{
	const char *const argv[] = { "dd", "if=/dev/zero", "of=/dev/null", NULL };
	struct seen seen = { 0 };
	struct child *first, *second;
	json_t *list;
	double cpu_s;

	(void)state;
	assert_int_equal(count_of("dd", "running"), -1);
	assert_int_equal(child_spawn(event, argv, NULL, log_path, exited, &seen, &first), 0);
	assert_int_equal(child_spawn(event, argv, NULL, log_path, exited, &seen, &second), 0);
	assert_int_equal(count_of("dd", "running"), 2);
	assert_true(count_of("dd", "rss_bytes") > 4096);
	list = process_list();
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "process")),
			    "netpasd");
	json_decref(list);

	/* It takes as much time as it gets. */
	do {
		list = process_list();
		cpu_s = json_real_value(json_object_get(program_of(list, "dd"), "cpu_s"));
		json_decref(list);
	} while (cpu_s < 0.05);
	child_stop(second, 5000);
	assert_int_equal(count_of("dd", "running"), 1);
	assert_int_equal(count_of("dd", "ended"), 0);
	assert_int_equal(child_signal(first, SIGKILL), 0);
	while (!seen.times)
		assert_true(sd_event_run(event, DEADLINE_US) > 0);
	child_free(first);
	assert_int_equal(count_of("dd", "running"), 0);
	assert_int_equal(count_of("dd", "ended"), 1);
	list = process_list();
	assert_true(json_real_value(json_object_get(program_of(list, "dd"), "cpu_s")) >= cpu_s);
	json_decref(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_census),
		cmocka_unit_test_teardown(test_status, log_remove),
		cmocka_unit_test_teardown(test_log, log_remove),
		cmocka_unit_test_teardown(test_env, log_remove),
		cmocka_unit_test_teardown(test_clean, log_remove),
		cmocka_unit_test_teardown(test_exec_failure, log_remove),
		cmocka_unit_test_teardown(test_closed_standard, log_remove),
		cmocka_unit_test_teardown(test_stop, log_remove),
		cmocka_unit_test_teardown(test_stop_ignored, log_remove),
		cmocka_unit_test_teardown(test_adopt, log_remove),
		cmocka_unit_test_teardown(test_adopt_gone, log_remove),
		cmocka_unit_test_teardown(test_forget, log_remove),
		cmocka_unit_test_teardown(test_free_in_callback, log_remove),
		cmocka_unit_test_teardown(test_backoff, log_remove),
		cmocka_unit_test_teardown(test_cmdline, log_remove),
	};

	return cmocka_run_group_tests_name("child", tests, setup, teardown);
}

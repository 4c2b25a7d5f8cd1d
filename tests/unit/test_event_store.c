/* SPDX-License-Identifier: GPL-2.0-only */
/* The events' log on disk: what is left of it after crashes, and how large it gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "event_record.h"
#include "event_store.h"
#include "scratch.h"

static const struct event_store_limits large = { 4, 1 << 20 }, small = { 3, 1000 };
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

static size_t make_line(unsigned int number, char line[static EVENT_RECORD_MAX])
{
	char text[64];
	json_t *record;
	size_t len;

	snprintf(text, sizeof(text), "record %u", number);
	record = event_record_new(1795191421123 + number, EVENT_PATH, LOG_LEVEL_INFO, text, NULL);
	len = event_record_line(record, line);
	json_decref(record);
	assert_true(len > 0);
	return len;
}

static int append(struct event_store *store, unsigned int number)
{
	char line[EVENT_RECORD_MAX];
	const size_t len = make_line(number, line);

	return event_store_append(store, line, len);
}

/* The records are number first to last, without a gap; bad lines are expected so many. */
static void expect(unsigned int first, unsigned int last, size_t bad)
{
	struct event_reader *reader;
	json_t *record;
	char text[64];

	assert_int_equal(event_reader_open(dir, &reader), 0);
	for (unsigned int i = first; i <= last; i++) {
		assert_int_equal(event_reader_next(reader, &record), 0);
		snprintf(text, sizeof(text), "record %u", i);
		assert_string_equal(json_string_value(json_object_get(record, "text")), text);
		json_decref(record);
	}
	assert_int_equal(event_reader_next(reader, &record), -EAGAIN);
	assert_int_equal(event_reader_bad(reader), bad);
	event_reader_close(reader);
}

static void path_of(unsigned int number, char path[static 128])
{
	snprintf(path, 128, "%s/%010u.jsonl", dir, number);
}

static void put(unsigned int file, const void *bytes, size_t len)
{
	char path[128];
	int fd;

	path_of(file, path);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

static struct event_store *open_store(const struct event_store_limits *limits, size_t cut)
{
	struct event_store *store = NULL;
	size_t seen = 0;

	assert_int_equal(event_store_open(dir, limits, &store, &seen), 0);
	assert_int_equal(seen, cut);
	return store;
}

static void it_goes_on_where_it_ended(void **state)
{
	struct event_store *store = open_store(&large, 0);

	(void)state;
	expect(1, 0, 0);
	for (unsigned int i = 1; i <= 3; i++)
		assert_int_equal(append(store, i), 0);
	event_store_close(store);
	store = open_store(&large, 0);
	assert_int_equal(append(store, 4), 0);
	assert_int_equal(event_store_sync(store), 0);
	event_store_close(store);
	expect(1, 4, 0);
}

/* Wherever a crash cuts the last record: that one goes, all others stay. */
static void a_torn_end_costs_one_record(void **state)
{
	char line[EVENT_RECORD_MAX];
	const size_t len = make_line(3, line);
	struct event_store *store;

	(void)state;
	for (size_t cut = 1; cut < len; cut++) {
		char path[128];

		path_of(1, path);
		(void)unlink(path);
		store = open_store(&large, 0);
		assert_int_equal(append(store, 1), 0);
		assert_int_equal(append(store, 2), 0);
		event_store_close(store);
		put(1, line, cut);
		store = open_store(&large, cut);
		assert_int_equal(append(store, 3), 0);
		event_store_close(store);
		expect(1, 3, 0);
	}
}

/* After a power cut a file may have its length, and zeros for its bytes. */
static void zeros_at_the_end_are_cut(void **state)
{
	static const char zeros[5000];
	struct event_store *store = open_store(&large, 0);

	(void)state;
	assert_int_equal(append(store, 1), 0);
	event_store_close(store);
	put(1, zeros, sizeof(zeros));
	store = open_store(&large, sizeof(zeros));
	assert_int_equal(append(store, 2), 0);
	event_store_close(store);
	expect(1, 2, 0);
}

/* What is damaged beyond what is looked at stays for whoever wants to look, and is passed over. */
static void a_file_that_is_rubbish_is_left(void **state)
{
	static char rubbish[100000];
	struct event_store *store = open_store(&large, 0);

	(void)state;
	assert_int_equal(append(store, 1), 0);
	event_store_close(store);
	memset(rubbish, 'x', sizeof(rubbish));
	put(1, rubbish, sizeof(rubbish));
	store = open_store(&large, 0);
	assert_int_equal(append(store, 2), 0);
	event_store_close(store);
	{
		struct event_reader *reader;
		json_t *record;

		assert_int_equal(event_reader_open(dir, &reader), 0);
		assert_int_equal(event_reader_next(reader, &record), 0);
		json_decref(record);
		assert_int_equal(event_reader_next(reader, &record), 0);
		assert_string_equal(json_string_value(json_object_get(record, "text")), "record 2");
		json_decref(record);
		assert_true(event_reader_bad(reader) > 0);
		event_reader_close(reader);
	}
}

static void lines_that_are_no_records_are_passed_over(void **state)
{
	struct event_store *store = open_store(&large, 0);

	(void)state;
	assert_int_equal(append(store, 1), 0);
	put(1, "rubbish\n{}\n[1]\n\n", 16);
	assert_int_equal(append(store, 2), 0);
	event_store_close(store);
	expect(1, 2, 4);
}

static size_t bytes_of_all(unsigned int *ret_files)
{
	size_t bytes = 0;

	*ret_files = 0;
	for (unsigned int i = 1; i < 1000; i++) {
		struct stat st;
		char path[128];

		path_of(i, path);
		if (stat(path, &st))
			continue;
		assert_int_equal(st.st_mode & 0777, 0600);
		bytes += (size_t)st.st_size;
		++*ret_files;
	}
	return bytes;
}

static void it_never_grows_beyond_its_size(void **state)
{
	struct event_store *store = open_store(&small, 0);
	char line[EVENT_RECORD_MAX];
	const size_t per_file = small.size / make_line(500, line);
	unsigned int files;

	(void)state;
	for (unsigned int i = 100; i < 600; i++) {
		assert_int_equal(append(store, i), 0);
		assert_true(bytes_of_all(&files) <= small.files * small.size);
		assert_true(files <= small.files);
	}
	event_store_close(store);
	/* The last ones are there, without a gap. */
	assert_int_equal(files, small.files);
	{
		struct event_reader *reader;
		unsigned int n = 0;
		json_t *record;
		char text[64];

		assert_int_equal(event_reader_open(dir, &reader), 0);
		while (!event_reader_next(reader, &record)) {
			snprintf(text, sizeof(text), "%s",
				 json_string_value(json_object_get(record, "text")));
			n++;
			json_decref(record);
		}
		event_reader_close(reader);
		assert_string_equal(text, "record 599");
		assert_true(n > (small.files - 1) * per_file);
	}
}

/* A reader that stays goes from file to file, and loses nothing while it keeps up. */
static void a_reader_follows(void **state)
{
	struct event_store *store = open_store(&small, 0);
	struct event_reader *reader;
	json_t *record;

	(void)state;
	assert_int_equal(event_reader_open(dir, &reader), 0);
	for (unsigned int i = 0; i < 200; i++) {
		char text[64];

		assert_int_equal(event_reader_next(reader, &record), -EAGAIN);
		assert_int_equal(append(store, i), 0);
		assert_int_equal(event_reader_next(reader, &record), 0);
		snprintf(text, sizeof(text), "record %u", i);
		assert_string_equal(json_string_value(json_object_get(record, "text")), text);
		json_decref(record);
	}
	assert_int_equal(event_reader_bad(reader), 0);
	event_reader_close(reader);
	event_store_close(store);
}

/*
 * In a process of its own, whose files may not grow: the kernel takes a part of a record and refuses
 * the rest, as a full disk does.
 */
static void a_full_disk_leaves_whole_records(void **state)
{
	char line[EVENT_RECORD_MAX];
	const size_t len = make_line(1, line);
	pid_t pid;
	int status;

	(void)state;
	pid = fork();
	if (!pid) {
		const struct rlimit tight = { len * 5 + len / 2, len * 20 };
		const struct rlimit wide = { len * 20, len * 20 };
		struct event_store *store = open_store(&large, 0);

		signal(SIGXFSZ, SIG_IGN);
		if (setrlimit(RLIMIT_FSIZE, &tight))
			_exit(2);
		for (unsigned int i = 1; i <= 5; i++)
			if (append(store, i))
				_exit(3);
		for (int i = 0; i < 3; i++)
			if (append(store, 6) != -ENOSPC)
				_exit(4);
		expect(1, 5, 0);
		if (setrlimit(RLIMIT_FSIZE, &wide) || append(store, 6))
			_exit(5);
		event_store_close(store);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	expect(1, 6, 0);
}

/* Killed at any moment, what it has said is there, and the next one goes on. */
static void a_writer_that_is_killed_loses_nothing(void **state)
{
	unsigned int begin = 0;

	(void)state;
	for (int round = 0; round < 10; round++) {
		struct event_store *store;
		int ends[2], status;
		unsigned int said;
		size_t cut = 0;
		pid_t pid;

		assert_int_equal(pipe(ends), 0);
		pid = fork();
		if (!pid) {
			if (event_store_open(dir, &large, &store, &cut))
				_exit(1);
			for (unsigned int i = begin;; i++)
				if (append(store, i) || write(ends[1], &i, sizeof(i)) != sizeof(i))
					_exit(1);
		}
		close(ends[1]);
		for (int i = 0; i < 20 * (round + 1); i++)
			assert_int_equal(read(ends[0], &said, sizeof(said)), sizeof(said));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		while (read(ends[0], &said, sizeof(said)) == sizeof(said))
			;
		close(ends[0]);
		assert_int_equal(event_store_open(dir, &large, &store, &cut), 0);
		/* It may have written one that it could not tell of any more. */
		{
			struct event_reader *reader;
			unsigned int n = 0;
			json_t *record;

			assert_int_equal(event_reader_open(dir, &reader), 0);
			while (!event_reader_next(reader, &record)) {
				json_decref(record);
				n++;
			}
			assert_int_equal(event_reader_bad(reader), 0);
			event_reader_close(reader);
			assert_in_range(n, said + 1, said + 2);
			begin = n;
		}
		event_store_close(store);
	}
	expect(0, begin - 1, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_goes_on_where_it_ended),
		TEST(a_torn_end_costs_one_record),
		TEST(zeros_at_the_end_are_cut),
		TEST(a_file_that_is_rubbish_is_left),
		TEST(lines_that_are_no_records_are_passed_over),
		TEST(it_never_grows_beyond_its_size),
		TEST(a_reader_follows),
		TEST(a_full_disk_leaves_whole_records),
		TEST(a_writer_that_is_killed_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* netpas top: the page again and again on a terminal, once elsewhere. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"
#include "control.h"
#include "top.h"
#include "wrap.h"

#define TIMEOUT_MS 5000
#define INTERVAL_MS 1000
#define ROWS_DEFAULT 24
#define COLUMNS_DEFAULT 80

static volatile sig_atomic_t ended;

static void on_end(int number)
{
	ended = number;
}

static void on_resize(int number)
{
	(void)number; /* poll() is interrupted, which is all that is wanted */
}

static int ask(const struct client_paths *paths, const char *command, json_t **ret_view)
{
	json_t *answer = NULL;
	int rc = control_request(paths->run_dir, command, TIMEOUT_MS, &answer);

	if (!rc)
		*ret_view = json_incref(json_object_get(answer, command));
	json_decref(answer);
	return rc;
}

/* It is too long for one read() only where there are thousands of interfaces. */
static int read_devices(struct top_sample *sample)
{
	FILE *file = fopen("/proc/self/net/dev", "re");
	char *text = NULL;
	size_t size = 0;
	int rc;

	if (!file)
		return -errno;
	rc = getdelim(&text, &size, '\0', file) < 0 ? -EIO : 0;
	fclose(file);
	if (!rc)
		rc = top_devices_parse(text, &sample->devices, &sample->n_devices);
	free(text);
	return rc;
}

static int take_sample(const struct client_paths *paths, struct top_sample *ret_sample)
{
	struct top_sample sample = { 0 };
	int rc = ask(paths, "status", &sample.status);

	if (!rc)
		rc = ask(paths, "paths", &sample.paths);
	if (!rc)
		rc = ask(paths, "drops", &sample.drops);
	if (!rc)
		rc = ask(paths, "events", &sample.events);
	sample.at_us = clock_now_us();
	(void)read_devices(&sample); /* without them there are no rates of tunnels */
	if (rc) {
		top_sample_fini(&sample);
		return rc;
	}
	*ret_sample = sample;
	return 0;
}

static const char *clock_text(char buf[static 32])
{
	const time_t now = time(NULL);
	struct tm tm;

	strftime(buf, 32, "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&now, &tm));
	return buf;
}

static void find_size(struct top_screen *screen)
{
	struct winsize size;

	screen->rows = ROWS_DEFAULT;
	screen->columns = COLUMNS_DEFAULT;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_row || !size.ws_col)
		return;
	screen->rows = size.ws_row;
	screen->columns = size.ws_col;
}

/* Line by line, each cleared behind its end: so nothing flickers. */
static void show(const char *page)
{
	fputs("\033[H", stdout);
	for (const char *line = page; *line;) {
		const size_t len = strcspn(line, "\n");

		printf("%.*s\033[K", (int)len, line);
		line += len;
		if (*line) {
			line++;
			if (*line)
				fputs("\r\n", stdout);
		}
	}
	fputs("\033[J", stdout);
	fflush(stdout);
}

static void show_sample(const struct top_sample *before, const struct top_sample *now, int rc)
{
	struct top_screen screen = { .colour = wrap_colour() };
	char *page = NULL, at[32];
	size_t size;
	FILE *out = open_memstream(&page, &size);

	if (!out)
		return;
	find_size(&screen);
	if (rc)
		fprintf(out, "%s\nnetpasd does not answer: %s\n", clock_text(at), strerror(-rc));
	else
		top_render(before->status ? before : NULL, now, clock_text(at), &screen, out);
	fclose(out);
	show(page);
	free(page);
}

/* True: leave. */
static bool wait_key(void)
{
	struct pollfd pfd = { .fd = STDIN_FILENO, .events = POLLIN };
	const int64_t until = clock_now_ms() + INTERVAL_MS;
	int64_t left;
	char key;

	while (!ended && (left = until - clock_now_ms()) > 0) {
		const int ready = poll(&pfd, 1, (int)left);

		if (ready < 0)
			return false; /* the size has changed, or it is the end */
		if (ready && (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q'))
			return true;
	}
	return ended;
}

static void run(const struct client_paths *paths)
{
	struct top_sample before = { 0 }, now = { 0 };

	do {
		int rc;

		if (now.status) {
			top_sample_fini(&before);
			before = now;
			now = (struct top_sample){ 0 };
		}
		rc = take_sample(paths, &now);
		show_sample(&before, &now, rc);
	} while (!wait_key());
	top_sample_fini(&before);
	top_sample_fini(&now);
}

static int run_on_terminal(const struct client_paths *paths)
{
	const struct sigaction end = { .sa_handler = on_end }, resize = { .sa_handler = on_resize };
	struct termios before, raw;

	if (tcgetattr(STDIN_FILENO, &before)) {
		perror("netpas: top");
		return 1;
	}
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	(void)sigaction(SIGINT, &end, NULL); /* these cannot fail */
	(void)sigaction(SIGTERM, &end, NULL);
	(void)sigaction(SIGHUP, &end, NULL);
	(void)sigaction(SIGWINCH, &resize, NULL);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw); /* else q wants a return after it */
	fputs("\033[?1049h\033[?25l", stdout);
	run(paths);
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &before); /* nothing more can be done */
	return 0;
}

static int run_once(const struct client_paths *paths)
{
	const struct timespec pause = { .tv_nsec = INTERVAL_MS % 1000 * 1000000,
					.tv_sec = INTERVAL_MS / 1000 };
	struct top_screen screen = { .rows = 0, .columns = COLUMNS_DEFAULT };
	struct top_sample before = { 0 }, now = { 0 };
	char at[32];
	int rc = take_sample(paths, &before);

	if (!rc) {
		(void)nanosleep(&pause, NULL); /* shorter is as good */
		rc = take_sample(paths, &now);
	}
	if (rc)
		fprintf(stderr, "netpas: top: netpasd does not answer: %s\n", strerror(-rc));
	else
		top_render(&before, &now, clock_text(at), &screen, stdout);
	top_sample_fini(&before);
	top_sample_fini(&now);
	return rc ? 1 : 0;
}

int client_top(const struct client_paths *paths, int argc, char **argv)
{
	if (argc > 1) {
		fprintf(stderr, "netpas: top takes no argument, got '%s'\n", argv[1]);
		return 2;
	}
	return isatty(STDOUT_FILENO) && isatty(STDIN_FILENO) ? run_on_terminal(paths)
							     : run_once(paths);
}

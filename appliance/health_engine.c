/* SPDX-License-Identifier: GPL-2.0-only */
#include "health_engine.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "clock.h"
#include "event.h"
#include "wireguard.h"

#define ANSWER_US 1000000u /* an engine answers within milliseconds */
#define ASK_US 2000000u	   /* between two questions */
#define STUCK_US 12000000u /* WireGuard tries a handshake every five seconds at the most */
#define ANSWER_MAX 4096	   /* bytes, of one peer */

struct suspect {
	struct suspect *next;
	struct health_engine *health;
	char ifname[CONFIG_IFNAME_LEN];
	struct sd_event_source *io, *deadline;
	int fd; /* -1: not asked now */
	uint64_t named_us, asked_us;
	uint64_t sent_us; /* when tx_bytes was another one the last time; 0: not known yet */
	uint64_t tx_bytes;
	uint64_t ended_us; /* 0: it was not */
	const char *how;
	char *answer;
	size_t len;
};

struct health_engine {
	struct sd_event *event;
	struct engines *engines;
	struct suspect *list;
};

int health_engine_new(struct sd_event *event, struct engines *engines,
		      struct health_engine **ret_health)
{
	struct health_engine *health = calloc(1, sizeof(*health));

	if (!health)
		return -ENOMEM;
	health->event = event;
	health->engines = engines;
	*ret_health = health;
	return 0;
}

static void forget_question(struct suspect *suspect)
{
	suspect->io = sd_event_source_disable_unref(suspect->io);
	suspect->deadline = sd_event_source_disable_unref(suspect->deadline);
	if (suspect->fd >= 0)
		close(suspect->fd);
	suspect->fd = -1;
	if (suspect->answer)
		explicit_bzero(suspect->answer, ANSWER_MAX);
	free(suspect->answer);
	suspect->answer = NULL;
	suspect->len = 0;
}

static struct suspect **find(struct health_engine *health, const char *ifname)
{
	struct suspect **suspect = &health->list;

	while (*suspect && strcmp((*suspect)->ifname, ifname))
		suspect = &(*suspect)->next;
	return suspect;
}

static void suspect_free(struct suspect **suspect)
{
	struct suspect *gone = *suspect;

	forget_question(gone);
	*suspect = gone->next;
	free(gone);
}

void health_engine_free(struct health_engine *health)
{
	if (!health)
		return;
	while (health->list)
		suspect_free(&health->list);
	free(health);
}

static void end_engine(struct suspect *suspect, const char *how)
{
	int rc;

	forget_question(suspect);
	event_error(EVENT_ENGINE, "engine %s: %s (pid %d), ending it", suspect->ifname, how,
		    (int)engines_pid(suspect->health->engines, suspect->ifname));
	suspect->how = how;
	suspect->ended_us = clock_now_us();
	suspect->sent_us = 0;
	rc = engines_kill(suspect->health->engines, suspect->ifname);
	if (rc)
		event_error(EVENT_ENGINE, "engine %s: %s", suspect->ifname, strerror(-rc));
}

/* It has hellos to send, and handshakes where these cannot go: its counter has to move. */
static void judge_answer(struct suspect *suspect)
{
	struct state_tunnel tunnel = { .engine = STATE_ENGINE_USER };
	struct wireguard_stats stats = { 0 };
	const uint64_t now = clock_now_us();
	const int rc = wireguard_uapi_parse(suspect->answer, suspect->len, &tunnel, &stats);

	key_wipe(&tunnel.private_key);
	forget_question(suspect);
	if (rc)
		return; /* reading the tunnel finds that, and builds it anew */
	if (!suspect->sent_us || stats.tx_bytes != suspect->tx_bytes) {
		suspect->sent_us = now;
		suspect->tx_bytes = stats.tx_bytes;
	} else if (now - suspect->sent_us >= STUCK_US) {
		end_engine(suspect, "sends nothing");
	}
}

static int answer_readable(struct sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct suspect *suspect = data;
	ssize_t got;

	(void)source;
	(void)revents;
	got = recv(fd, suspect->answer + suspect->len, ANSWER_MAX - suspect->len, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got > 0)
		suspect->len += (size_t)got;
	if (suspect->len >= 2 && !memcmp(suspect->answer + suspect->len - 2, "\n\n", 2))
		judge_answer(suspect);
	else if (got <= 0 || suspect->len == ANSWER_MAX)
		forget_question(suspect); /* it lives, or is noticed as gone by others */
	return 0;
}

/* If this daemon was held up the answer may be there all the same. */
static int deadline_due(struct sd_event_source *source, uint64_t usec, void *data)
{
	struct suspect *suspect = data;

	(void)source;
	(void)usec;
	(void)answer_readable(NULL, suspect->fd, 0, suspect);
	if (suspect->fd >= 0)
		end_engine(suspect, "does not answer");
	return 0;
}

static void ask(struct suspect *suspect)
{
	struct sd_event *event = suspect->health->event;

	suspect->asked_us = clock_now_us();
	suspect->fd = wireguard_uapi_ask(suspect->ifname);
	if (suspect->fd == -EAGAIN) {
		end_engine(suspect, "takes no questions");
		return;
	}
	if (suspect->fd < 0)
		return;
	suspect->answer = malloc(ANSWER_MAX);
	if (!suspect->answer ||
	    sd_event_add_io(event, &suspect->io, suspect->fd, EPOLLIN, answer_readable, suspect) <
		    0 ||
	    sd_event_add_time_relative(event, &suspect->deadline, CLOCK_MONOTONIC, ANSWER_US, 1000,
				       deadline_due, suspect) < 0)
		forget_question(suspect);
}

void health_engine_see(struct health_engine *health, const char *ifname, bool silent)
{
	struct suspect **found = find(health, ifname);
	struct suspect *suspect = *found;

	if (!silent) {
		if (suspect)
			suspect_free(found);
		return;
	}
	if (!suspect) {
		suspect = calloc(1, sizeof(*suspect));
		if (!suspect)
			return;
		suspect->health = health;
		suspect->fd = -1;
		snprintf(suspect->ifname, sizeof(suspect->ifname), "%s", ifname);
		suspect->next = health->list;
		health->list = suspect;
	}
	suspect->named_us = clock_now_us();
	if (suspect->fd < 0 && suspect->named_us - suspect->asked_us >= ASK_US)
		ask(suspect);
}

void health_engine_forget(struct health_engine *health, uint64_t since_us)
{
	for (struct suspect **suspect = &health->list; *suspect;) {
		if ((*suspect)->named_us < since_us)
			suspect_free(suspect);
		else
			suspect = &(*suspect)->next;
	}
}

bool health_engine_hung(const struct health_engine *health, char *reason, size_t size)
{
	for (const struct suspect *suspect = health->list; suspect; suspect = suspect->next) {
		if (!suspect->ended_us)
			continue;
		snprintf(reason, size, "the engine of %s hung (%s) and was ended; not heard since",
			 suspect->ifname, suspect->how);
		return true;
	}
	return false;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "role.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE(s) (1u << ROLE_##s)
#define ANY (STATE(STANDBY) | STATE(ACTIVE) | STATE(FAULT))

const char *const role_state_names[ROLE_STATE_MAX] = {
	[ROLE_STANDBY] = "standby",
	[ROLE_ACTIVE] = "active",
	[ROLE_FAULT] = "fault",
};

/* A higher number cannot be; two gateways that both got there are told apart by their ids. */
static void action_claim(struct role *role)
{
	if (role->seen_generation < UINT64_MAX)
		role->seen_generation++;
	role->generation = role->seen_generation;
}

static void action_none(struct role *role)
{
	(void)role;
}

/*
 * What is not listed changes nothing: keepalived repeats its state when it is reloaded, and a
 * repeated MASTER must not make a new claim.
 */
static const struct {
	unsigned int states;
	enum notify_event event;
	void (*action)(struct role *role);
	enum role_state next;
} transitions[] = {
	{ STATE(STANDBY) | STATE(FAULT), NOTIFY_MASTER, action_claim, ROLE_ACTIVE },
	{ ANY, NOTIFY_BACKUP, action_none, ROLE_STANDBY },
	{ ANY, NOTIFY_FAULT, action_none, ROLE_FAULT },
	{ ANY, NOTIFY_STOP, action_none, ROLE_STANDBY },
	{ ANY, NOTIFY_DELETED, action_none, ROLE_STANDBY },
};

bool role_event(struct role *role, enum notify_event event)
{
	for (size_t i = 0; i < sizeof(transitions) / sizeof(transitions[0]); i++) {
		enum role_state old = role->state;

		if (transitions[i].event != event || !(transitions[i].states & 1u << old))
			continue;
		transitions[i].action(role);
		role->state = transitions[i].next;
		return role->state != old;
	}
	return false;
}

void role_seen(struct role *role, uint64_t generation)
{
	if (generation > role->seen_generation)
		role->seen_generation = generation;
}

/* The text has one form only, so whatever differs from that was not written by role_save(). */
static int generation_format(uint64_t generation, char *buf, size_t size)
{
	return snprintf(buf, size, "generation %" PRIu64 "\n", generation);
}

static int generation_parse(const char *text, size_t len, uint64_t *ret_generation)
{
	static const char prefix[] = "generation ";
	uint64_t generation = 0;
	char again[48];
	size_t i;

	if (len < sizeof(prefix) || memcmp(text, prefix, sizeof(prefix) - 1) != 0)
		return -EBADMSG;
	for (i = sizeof(prefix) - 1; i < len && text[i] >= '0' && text[i] <= '9'; i++)
		if (__builtin_mul_overflow(generation, 10, &generation) ||
		    __builtin_add_overflow(generation, text[i] - '0', &generation))
			return -EBADMSG;
	if ((size_t)generation_format(generation, again, sizeof(again)) != len ||
	    memcmp(text, again, len) != 0)
		return -EBADMSG;
	*ret_generation = generation;
	return 0;
}

static int read_all(int fd, char *buf, size_t size, size_t *ret_len)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, buf + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

static int write_all(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

int role_load(const char *path, struct role *role)
{
	uint64_t generation = 0;
	char buf[64];
	size_t len = 0;
	int fd, err;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno != ENOENT)
		return -errno;
	if (fd >= 0) {
		err = read_all(fd, buf, sizeof(buf), &len);
		(void)close(fd); /* only read from */
		if (!err)
			err = generation_parse(buf, len, &generation);
		if (err)
			return err;
	}
	role->generation = generation;
	role_seen(role, generation);
	return 0;
}

/* A rename is on the disk only when its directory is. */
static int directory_sync(const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX] = ".";
	int fd, err = 0;

	if (slash == path)
		strcpy(dir, "/");
	else if (slash)
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		err = -errno;
	(void)close(fd); /* only read from */
	return err;
}

int role_save(const char *path, const struct role *role)
{
	char temp[PATH_MAX], text[48];
	int fd, err, len;

	if ((size_t)snprintf(temp, sizeof(temp), "%s.new", path) >= sizeof(temp))
		return -ENAMETOOLONG;
	len = generation_format(role->generation, text, sizeof(text));

	/* What a crash has left there may have any mode and any links: never write into it. */
	if (unlink(temp) < 0 && errno != ENOENT)
		return -errno;
	fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	err = write_all(fd, text, (size_t)len);
	if (!err && fsync(fd) < 0)
		err = -errno;
	if (close(fd) < 0 && !err)
		err = -errno;
	if (err)
		goto remove;
	if (rename(temp, path) < 0) {
		err = -errno;
		goto remove;
	}
	return directory_sync(path);

remove:
	(void)unlink(temp); /* the next call removes it too */
	return err;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "health_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "log.h"

#define INTERVAL_US 10000000u
#define AGAIN_US 2000000u /* after a failure: the end of it should not be waited for */
#define HANGS_US 5000000u

struct health_disk {
	struct sd_event *event;
	struct sd_event_source *timer, *io;
	pid_t child; /* 0: none is trying */
	int result;  /* what it says comes here */
	char path[PATH_MAX];
	uint64_t begun_us;
	int outcome; /* of this try, errno */
	int error;   /* of the last one that ended */
};

/* A block, which is more than what the inode of some file systems holds. */
static int write_block(const char *path)
{
	char text[4096];

	memset(text, '.', sizeof(text));
	text[sizeof(text) - 1] = '\n';
	return -file_replace(path, text, sizeof(text), 0600);
}

static void schedule(struct health_disk *disk, uint64_t delay_us)
{
	sd_event_source_set_time_relative(disk->timer, delay_us);
	sd_event_source_set_enabled(disk->timer, SD_EVENT_ONESHOT);
}

static void forget(struct health_disk *disk)
{
	disk->io = sd_event_source_disable_unref(disk->io);
	close(disk->result);
	disk->child = 0;
}

/* It says how it went, and ends; or ends without a word. Nobody is waited for: it is gone then. */
static int tried(struct sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct health_disk *disk = data;
	unsigned char error;

	(void)source;
	(void)revents;
	if (read(fd, &error, 1) == 1) {
		disk->outcome = error;
		return 0;
	}
	disk->error = disk->outcome;
	(void)waitpid(disk->child, NULL, 0);
	forget(disk);
	schedule(disk, disk->error ? AGAIN_US : INTERVAL_US);
	return 0;
}

/*
 * The child keeps nothing of ours open: it may hang for longer than this daemon lives, and the lock of
 * the run directory would go on being held.
 */
static _Noreturn void work(const char *path, int result)
{
	unsigned char error = EIO;

	if (dup2(result, 3) == 3 && !close_range(4, ~0u, 0))
		error = (unsigned char)write_block(path);
	(void)!write(3, &error, 1); /* who does not hear it takes it for an error */
	_exit(0);
}

static int begin(struct health_disk *disk)
{
	int fds[2], rc;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	disk->child = fork();
	if (!disk->child)
		work(disk->path, fds[1]);
	rc = disk->child < 0 ? -errno : 0;
	close(fds[1]);
	disk->result = fds[0];
	disk->begun_us = clock_now_us();
	disk->outcome = EIO;
	if (!rc)
		rc = sd_event_add_io(disk->event, &disk->io, fds[0], EPOLLIN, tried, disk);
	if (rc < 0)
		forget(disk);
	return rc < 0 ? rc : 0;
}

static void try(struct health_disk *disk)
{
	const int rc = begin(disk);

	if (!rc)
		return;
	log_error("%s: not tried: %s", disk->path, strerror(-rc));
	schedule(disk, INTERVAL_US);
}

static int due(struct sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	try(data);
	return 0;
}

int health_disk_new(struct sd_event *event, const char *dir, struct health_disk **ret_disk)
{
	struct health_disk *disk = calloc(1, sizeof(*disk));
	int rc;

	if (!disk)
		return -ENOMEM;
	disk->event = event;
	snprintf(disk->path, sizeof(disk->path), "%s/" HEALTH_DISK_FILE, dir);
	rc = sd_event_add_time_relative(event, &disk->timer, CLOCK_MONOTONIC, AGAIN_US, 100000, due,
					disk);
	if (rc < 0) {
		free(disk);
		return rc;
	}
	*ret_disk = disk;
	return 0;
}

void health_disk_free(struct health_disk *disk)
{
	if (!disk)
		return;
	sd_event_source_disable_unref(disk->timer);
	if (disk->child)
		forget(disk);
	free(disk);
}

bool health_disk_fails(const struct health_disk *disk, char *reason, size_t size)
{
	if (disk->child > 0 && clock_now_us() - disk->begun_us >= HANGS_US)
		snprintf(reason, size, "writing %s does not end", disk->path);
	else if (disk->error)
		snprintf(reason, size, "%s: %s", disk->path, strerror(disk->error));
	else
		return false;
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* netpas upgrade job: what netpasd has laid down for this gateway's part in a rolling upgrade. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client_upgrade.h"
#include "image_job.h"
#include "rolling_image.h"

static enum upgrade_outcome refuse(struct upgrade *upgrade, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static enum upgrade_outcome refuse(struct upgrade *upgrade, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(upgrade->reason, sizeof(upgrade->reason), fmt, args); /* may be cut */
	va_end(args);
	return UPGRADE_REFUSED;
}

static bool is_written(const struct upgrade *upgrade, const char *version)
{
	return upgrade->record.last.phase == UPGRADE_WRITTEN &&
	       upgrade->record.last.slot == slot_other(upgrade->running) &&
	       !strcmp(upgrade->record.last.version, version);
}

static enum upgrade_outcome do_write(const struct upgrade_machine *machine, struct upgrade *upgrade,
				     const struct image_job *job)
{
	enum upgrade_outcome outcome;
	char path[PATH_MAX];
	int fd;

	if (image_job_bundle(machine->client->state_dir, path))
		return refuse(upgrade, "%s: too long", machine->client->state_dir);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return refuse(upgrade, "%s: %s", path, strerror(errno));
	outcome = upgrade_write(upgrade, fd, job->older, NULL);
	close(fd);
	(void)unlink(path); /* at the worst its place is used in vain */
	if (!outcome && strcmp(upgrade->record.last.version, job->version))
		return refuse(upgrade, "the bundle has %s, not %s", upgrade->record.last.version,
			      job->version);
	return outcome;
}

static enum upgrade_outcome do_try(const struct upgrade_machine *machine, struct upgrade *upgrade,
				   const struct image_job *job)
{
	if (upgrade_is_trial(upgrade))
		return refuse(upgrade, "slot %s runs for its trial", slot_names[upgrade->running]);
	if (!is_written(upgrade, job->version))
		return refuse(upgrade, "%s does not lie in slot %s", job->version,
			      slot_names[slot_other(upgrade->running)]);
	if (!upgrade_try(machine, upgrade))
		return UPGRADE_DONE;
	if (upgrade->state.trial != SLOT_NONE)
		(void)upgrade_roll_back(
			upgrade); /* else the next restart, whyever, were the trial */
	return UPGRADE_UNDONE;
}

int upgrade_job(const struct upgrade_machine *machine)
{
	const char *run_dir = machine->client->run_dir;
	enum upgrade_outcome outcome;
	struct upgrade upgrade;
	struct image_job job;
	int rc = image_job_take(run_dir, &job);

	if (rc == -ENOENT)
		return 0; /* somebody else has taken it */
	if (rc) {
		fprintf(stderr, "netpas: upgrade: job: %s\n", strerror(-rc));
		return 1;
	}
	rolling_image_forget(machine->paths, job.run);
	job.state = IMAGE_JOB_RUNNING;
	(void)image_job_tell(run_dir, &job); /* who waits for the end waits on */
	outcome = upgrade_open(&upgrade, machine->paths, machine->disk);
	if (!outcome) {
		outcome = job.kind == IMAGE_JOB_WRITE ? do_write(machine, &upgrade, &job)
						      : do_try(machine, &upgrade, &job);
		upgrade_close(&upgrade);
	}
	job.state = outcome ? IMAGE_JOB_FAILED : IMAGE_JOB_DONE;
	snprintf(job.reason, sizeof(job.reason), "%.*s", IMAGE_JOB_REASON_LEN - 1,
		 outcome && !*upgrade.reason ? "it cannot be restarted"
		 : outcome		     ? upgrade.reason
					     : "");
	printf("job %s of %s: %s%s%s\n", image_job_kinds[job.kind], job.version,
	       image_job_states[job.state], *job.reason ? ": " : "", job.reason);
	rc = image_job_tell(run_dir, &job);
	return rc ? 1 : (int)outcome;
}

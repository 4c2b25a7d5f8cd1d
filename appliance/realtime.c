/* SPDX-License-Identifier: GPL-2.0-only */
#include "realtime.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "log.h"

/* Of the process, as scheduling is. */
static bool wanted;
static unsigned int pauses;

static int schedule(bool realtime)
{
	const struct sched_param param = { .sched_priority = realtime ? REALTIME_PRIORITY : 0 };
	const int policy = realtime ? SCHED_RR | SCHED_RESET_ON_FORK : SCHED_OTHER;

	return sched_setscheduler(0, policy, &param) ? -errno : 0;
}

bool realtime_possible(void)
{
	if (wanted)
		return true;
	if (schedule(true))
		return false;
	/* Back to where it was, which needs no privilege. */
	(void)schedule(false);
	return true;
}

int realtime_set(bool on)
{
	int rc = 0;

	if (on == wanted)
		return 0;
	if (!pauses)
		rc = schedule(on);
	if (!rc)
		wanted = on;
	return rc;
}

void realtime_pause(void)
{
	if (wanted && !pauses && schedule(false))
		log_warning("netpasd keeps its real-time priority: %s", strerror(errno));
	pauses++;
}

void realtime_resume(void)
{
	int rc;

	if (--pauses || !wanted)
		return;
	rc = schedule(true);
	if (rc)
		log_warning("netpasd has lost its real-time priority: %s", strerror(-rc));
}

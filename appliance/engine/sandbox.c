/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/sandbox.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

int sandbox_before(void)
{
	const struct rlimit none = { 0, 0 }, all = { RLIM_INFINITY, RLIM_INFINITY };

	if (setrlimit(RLIMIT_CORE, &none) || prctl(PR_SET_DUMPABLE, 0))
		return -errno;
	/* Where it is not allowed (a container) keys may be paged out: better than no tunnel. */
	if (!setrlimit(RLIMIT_MEMLOCK, &all))
		(void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
	return 0;
}

int sandbox_enter(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
}

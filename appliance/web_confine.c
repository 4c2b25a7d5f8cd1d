/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The system call filter lists what may be called; all else fails with EPERM, so that a library that tries
 * something new gets an error and not its end. It is inherited and cannot be taken off.
 */
#include "web_confine.h"

#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534
#define FDS_MAX 512
#define MEMORY_MAX (512u << 20) /* bytes of address space */

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#define FOREIGN 0x40000000u /* calls of the x32 ABI have this bit */
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#define FOREIGN UINT32_MAX /* no other ABI: never reached */
#else
/* cppcheck-suppress preprocessorErrorDirective */
#error "web_confine.c: add the architecture's AUDIT_ARCH_*"
#endif

#define ALLOW(CALL)                                            \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##CALL, 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static const struct sock_filter filter[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FOREIGN, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	/* Connections. */
	ALLOW(accept4),
	ALLOW(recvfrom),
	ALLOW(recvmsg),
	ALLOW(sendto),
	ALLOW(sendmsg),
	ALLOW(read),
	ALLOW(write),
	ALLOW(writev),
	ALLOW(pread64),
	ALLOW(close),
	ALLOW(shutdown),
	ALLOW(fcntl),
	ALLOW(setsockopt),
	ALLOW(getsockopt),
	ALLOW(getsockname),
	ALLOW(getpeername),
/* Waiting. */
#ifdef SYS_poll
	ALLOW(poll),
#endif
	ALLOW(ppoll),
#ifdef SYS_epoll_wait
	ALLOW(epoll_wait),
#endif
	ALLOW(epoll_pwait),
	ALLOW(epoll_ctl),
	ALLOW(futex),
	ALLOW(clock_gettime),
	ALLOW(clock_nanosleep),
	/* Memory and the process itself. */
	ALLOW(brk),
	ALLOW(mmap),
	ALLOW(munmap),
	ALLOW(mremap),
	ALLOW(mprotect),
	ALLOW(madvise),
	ALLOW(getrandom),
	ALLOW(getpid),
	ALLOW(getrusage),
	ALLOW(rt_sigaction),
	ALLOW(rt_sigprocmask),
	ALLOW(rt_sigreturn),
	ALLOW(restart_syscall),
	ALLOW(exit),
	ALLOW(exit_group),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
};

static int limit(int resource, rlim_t max)
{
	const struct rlimit limit = { max, max };

	return setrlimit(resource, &limit);
}

/* Real-time priority is the daemon's alone. */
static int give_way(void)
{
	const struct sched_param param = { 0 };

	return sched_setscheduler(0, SCHED_OTHER, &param);
}

static int drop_user(void)
{
	if (geteuid()) /* somebody tries it out: there is nothing to give up */
		return 0;
	return setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
			       setresuid(NOBODY, NOBODY, NOBODY)
		       ? -1
		       : 0;
}

/* The change of user has emptied these already, unless somebody had set them to be kept. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return (int)syscall(SYS_capset, &header, none);
}

static int filter_calls(void)
{
	const struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(filter[0]),
		.filter = (struct sock_filter *)(uintptr_t)filter,
	};

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int web_confine(const char **ret_step)
{
	const char *step = "limits";

	if (limit(RLIMIT_NOFILE, FDS_MAX) || limit(RLIMIT_NPROC, 0) || limit(RLIMIT_CORE, 0) ||
	    limit(RLIMIT_AS, MEMORY_MAX) || give_way())
		goto err;
	(void)setpriority(PRIO_PROCESS, 0, 5); /* behind the engines; works without, too */
	step = "user";
	if (drop_user())
		goto err;
	step = "capabilities";
	if (drop_capabilities())
		goto err;
	step = "new privileges";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0))
		goto err;
	step = "system call filter";
	if (filter_calls())
		goto err;
	return 0;

err:
	*ret_step = step;
	return -errno;
}

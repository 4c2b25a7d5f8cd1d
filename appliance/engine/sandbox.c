/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define SANDBOX_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define SANDBOX_ARCH AUDIT_ARCH_AARCH64
#endif

/* Not where a sanitizer has to look at the process in its own ways. */
#if defined(SANDBOX_ARCH) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SANDBOX_FILTER
#endif

int sandbox_before(void)
{
	const struct rlimit none = { 0, 0 }, all = { RLIM_INFINITY, RLIM_INFINITY };
	struct rlimit files;

	if (setrlimit(RLIMIT_CORE, &none) || prctl(PR_SET_DUMPABLE, 0))
		return -errno;
	/* An interface has three descriptors a worker; what is polled has no limit of select(2). */
	if (!getrlimit(RLIMIT_NOFILE, &files) && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files); /* fewer interfaces, then */
	}
	/* Where it is not allowed (a container) keys may be paged out: better than no tunnel. */
	(void)setrlimit(RLIMIT_MEMLOCK, &all);
	(void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
	return 0;
}

/* Of the thread: those of `wanted` that it has. */
static int keep(const uint64_t wanted)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data))
		return -errno;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted &= (uint32_t)(wanted >> 32 * i);
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

int sandbox_thread(void)
{
	return keep(1ULL << CAP_IPC_LOCK);
}

#ifdef SANDBOX_FILTER
static const int allowed_calls[] = {
	/* packets and requests */
	SYS_read,
	SYS_write,
	SYS_readv,
	SYS_writev,
	SYS_recvmsg,
	SYS_sendmsg,
	SYS_recvmmsg,
	SYS_sendmmsg,
	SYS_recvfrom,
	SYS_sendto,
	SYS_epoll_ctl,
	SYS_epoll_pwait,
	SYS_ppoll,
	SYS_accept4,
	/* another port, another mark */
	SYS_socket,
	SYS_bind,
	SYS_listen,
	SYS_connect,
	SYS_getsockname,
	SYS_getsockopt,
	SYS_setsockopt,
	SYS_close,
	SYS_ioctl,
	SYS_fcntl,
	SYS_shutdown,
	SYS_dup3,
	/* memory, threads, time */
	SYS_mmap,
	SYS_munmap,
	SYS_mremap,
	SYS_mprotect,
	SYS_madvise,
	SYS_brk,
	SYS_futex,
	SYS_sched_yield,
	SYS_clock_gettime,
	SYS_clock_nanosleep,
	SYS_nanosleep,
	SYS_gettimeofday,
	SYS_getrandom,
	SYS_rseq,
	SYS_set_robust_list,
	SYS_membarrier,
	SYS_getpid,
	SYS_gettid,
	/* the end */
	SYS_rt_sigreturn,
	SYS_rt_sigprocmask,
	SYS_rt_sigaction,
	SYS_restart_syscall,
	SYS_tgkill,
	SYS_exit,
	SYS_exit_group,
	SYS_newfstatat,
	SYS_unlinkat,
#ifdef SYS_unlink
	SYS_unlink,
	SYS_poll,
	SYS_epoll_wait,
	SYS_dup2,
#endif
};

static int filter_enter(void)
{
	enum {
		CALLS = sizeof(allowed_calls) / sizeof(allowed_calls[0]),
		HEAD = 4,
		TAIL = 2
	};
	struct sock_filter code[HEAD + CALLS + TAIL] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SANDBOX_ARCH, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	const struct sock_fprog program = { .len = HEAD + CALLS + TAIL, .filter = code };

	_Static_assert(CALLS + 1 < 256, "a jump reaches 255 further");
	for (int i = 0; i < CALLS; i++)
		code[HEAD + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							      (uint32_t)allowed_calls[i],
							      (uint8_t)(CALLS - i), 0);
	code[HEAD + CALLS] =
		(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	code[HEAD + CALLS + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program))
		return 0;
	/* A kernel without: the capabilities are gone all the same. */
	return errno == ENOSYS || errno == EINVAL ? 0 : -errno;
}
#else
static int filter_enter(void)
{
	return 0;
}
#endif

int sandbox_enter(void)
{
	int rc = keep(1ULL << CAP_NET_ADMIN | 1ULL << CAP_NET_BIND_SERVICE | 1ULL << CAP_IPC_LOCK);

	if (!rc && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		rc = -errno;
	return rc ? rc : filter_enter();
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "teardown.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "log.h"
#include "programs.h"
#include "rundir.h"
#include "sysctl.h"
#include "usage_agent.h"

static void kept_path(const char *run_dir, char path[static PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/sysctls", run_dir);
}

int teardown_remember(const struct state *wanted, const char *run_dir)
{
	char path[PATH_MAX], value[32];
	FILE *file;

	kept_path(run_dir, path);
	file = fopen(path, "wxe");
	if (!file)
		return errno == EEXIST ? 0 : -errno;
	for (size_t i = 0; i < wanted->n_sysctls; i++)
		if (!sysctl_read(wanted->sysctls[i].path, value, sizeof(value)))
			fprintf(file, "%s %s\n", wanted->sysctls[i].path, value);
	if (ferror(file) | fclose(file)) {
		(void)unlink(path); /* half a list is worse than none */
		return -EIO;
	}
	return 0;
}

static void restore_sysctls(const char *run_dir)
{
	char path[PATH_MAX], line[160];
	FILE *file;

	kept_path(run_dir, path);
	file = fopen(path, "re");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		char *value = strchr(line, ' ');

		if (!value)
			continue;
		*value++ = '\0';
		value[strcspn(value, "\n")] = '\0';
		/* The interface that it belonged to may be gone. */
		if (strncmp(line, "net/", 4) || strstr(line, "..") || sysctl_write(line, value))
			log_debug("%s: not set back to %s", line, value);
	}
	fclose(file);
	(void)unlink(path);
}

int teardown(struct kernel *kernel, const char *run_dir, char error[static KERNEL_ERROR_LEN])
{
	struct state *nothing = state_new(), *running = NULL;
	struct plan *plan = NULL;
	int rc = -ENOMEM;

	if (!nothing)
		goto out;
	rc = kernel_read(kernel, nothing, &running);
	if (rc)
		goto out;
	rc = plan_make(running, nothing, &plan);
	if (rc)
		goto out;
	rc = kernel_apply_all(kernel, plan, error);
	plan_free(plan);
	restore_sysctls(run_dir);
out:
	if (rc && !*error)
		snprintf(error, KERNEL_ERROR_LEN, "%s", strerror(-rc));
	state_free(running);
	state_free(nothing);
	return rc;
}

static void ignore_exit(const char *ifname, int status, void *data)
{
	(void)ifname;
	(void)status;
	(void)data;
}

static void ignore_role(const struct role *role, enum role_state before, void *data)
{
	(void)role;
	(void)before;
	(void)data;
}

/* VIPs that nobody gave up are found by the configuration, if it can be read. */
static void stop_vrrp(struct sd_event *event, struct kernel *kernel,
		      const struct daemon_paths *paths)
{
	const struct vrrp_paths vrrp_paths = { paths->run_dir, paths->state_dir };
	struct diag_list *diags = diag_list_new();
	struct config *config = NULL;
	struct vrrp *vrrp;

	if (diags)
		(void)config_load(paths->config_dir, diags, &config);
	diag_list_free(diags);
	if (config && config->is_relay)
		goto out; /* there is none */
	if (!vrrp_new(event, kernel->route, &vrrp_paths, ignore_role, NULL, &vrrp)) {
		vrrp_stop(vrrp, config);
		vrrp_free(vrrp);
	}
out:
	config_free(config);
}

static void stop_usage(struct sd_event *event, const struct daemon_paths *paths)
{
	struct usage_agent *agent;

	if (usage_agent_new(event, paths->run_dir, paths->state_dir, &agent))
		return;
	usage_agent_find(agent);
	usage_agent_stop(agent);
	usage_agent_free(agent);
}

int teardown_offline(const struct daemon_paths *paths, char error[static KERNEL_ERROR_LEN])
{
	struct sd_event *event = NULL;
	char reason[PROGRAMS_REASON_LEN];
	struct kernel kernel;
	int lock, rc;

	lock = rundir_lock(paths->run_dir, paths->state_dir);
	if (lock < 0) {
		snprintf(error, KERNEL_ERROR_LEN, "%s: %s", paths->run_dir,
			 lock == -EBUSY ? "netpasd is running but does not answer"
					: strerror(-lock));
		return lock;
	}
	rc = sd_event_new(&event);
	if (rc < 0)
		goto out;
	rc = kernel_open(event, paths->run_dir, ignore_exit, NULL, &kernel);
	if (rc) {
		snprintf(error, KERNEL_ERROR_LEN, "netlink: %s", strerror(-rc));
		goto out;
	}
	stop_vrrp(event, &kernel, paths);
	rc = teardown(&kernel, paths->run_dir, error);
	kernel_close(&kernel);
	if (programs_down(reason) && !rc) {
		snprintf(error, KERNEL_ERROR_LEN, "data plane: %s", reason);
		rc = -EIO;
	}
	stop_usage(event, paths);
out:
	sd_event_unref(event);
	close(lock);
	return rc;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "provision_system.h"

#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "provision_network.h"
#include "provision_nic.h"
#include "provision_seed.h"
#include "provision_store.h"

#define FIRST_DIR "/run/systemd/network"
#define FIRST_FILE FIRST_DIR "/90-netpas-first.network"
#define NICS_WAIT_MS 15000

extern char **environ;

/* Run it to its end. 0, -errno, or -EIO if it failed, which it has told. */
static int run(const char *const argv[])
{
	char *const *args;
	int status, ret;
	pid_t pid;

	/* posix_spawn() leaves them alone. */
	memcpy(&args, &argv, sizeof(args));
	ret = posix_spawnp(&pid, argv[0], NULL, NULL, args, environ);
	if (ret) {
		fprintf(stderr, "netpas-provision: %s: %s\n", argv[0], strerror(ret));
		return -ret;
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

/* ---- SSH ---- */

static int sync_file(const char *path)
{
	FILE *file = fopen(path, "re");
	int ret = 0;

	if (!file)
		return -errno;
	if (fsync(fileno(file)))
		ret = -errno;
	fclose(file);
	return ret;
}

int provision_system_host_keys(const char *data)
{
	char key[PATH_MAX], temporary[PATH_MAX], pub[PATH_MAX + 8], new_pub[PATH_MAX + 8];
	const char *const argv[] = { "ssh-keygen", "-q", "-t", "ed25519", "-N", "",
				     "-C",	   "",	 "-f", temporary, NULL };
	int ret;

	snprintf(key, sizeof(key), "%s/ssh", data);
	ret = file_make_directory(key, 0700);
	if (ret)
		return ret;
	snprintf(key, sizeof(key), "%s/ssh/ssh_host_ed25519_key", data);
	snprintf(temporary, sizeof(temporary), "%s/ssh/new_key", data);
	snprintf(pub, sizeof(pub), "%s.pub", key);
	snprintf(new_pub, sizeof(new_pub), "%s.pub", temporary);
	/* The private one is renamed last: it is there only with the public one. */
	if (!access(key, F_OK))
		return 0;
	if ((unlink(temporary) && errno != ENOENT) || (unlink(new_pub) && errno != ENOENT))
		return -errno;
	ret = run(argv);
	if (!ret)
		ret = sync_file(temporary);
	if (!ret)
		ret = sync_file(new_pub);
	if (!ret && (rename(new_pub, pub) || rename(temporary, key)))
		ret = -errno;
	return ret ? ret : file_sync_directory(key);
}

void provision_system_fingerprints(const char *data)
{
	char key[PATH_MAX];
	const char *const argv[] = { "ssh-keygen", "-l", "-f", key, NULL };

	snprintf(key, sizeof(key), "%s/ssh/ssh_host_ed25519_key.pub", data);
	if (!access(key, F_OK))
		(void)run(argv); /* it says itself what it does not like */
}

/* ---- interfaces and names ---- */

void provision_system_settle(void)
{
	static const char *const settle[] = { "udevadm", "settle", "--timeout=20", NULL };

	(void)run(
		settle); /* what is late then is not seen; it is looked for again at the next boot */
}

static bool all_there(const struct provision_record *record, const struct provision_nic *nics,
		      size_t n)
{
	for (size_t p = 0; p < record->n_pins; p++) {
		bool found = false;

		for (size_t i = 0; i < n; i++)
			found |= !memcmp(nics[i].mac, record->pins[p].mac, PROVISION_MAC_LEN);
		if (!found)
			return false;
	}
	return true;
}

/* Drivers may still be looking for what was there last time. */
static size_t wait_for_nics(const char *sys, const struct provision_record *record,
			    struct provision_nic nics[static PROVISION_NICS_MAX])
{
	const struct timespec pause = { .tv_nsec = 100000000 };
	const int64_t deadline = clock_now_ms() + NICS_WAIT_MS;
	size_t n = 0;

	while (!provision_nics_read(sys, nics, &n) && !all_there(record, nics, n) &&
	       clock_now_ms() < deadline)
		(void)nanosleep(&pause, NULL);
	return n;
}

void provision_system_names(const char *data, const char *sys)
{
	struct provision_rename renames[2 * PROVISION_NICS_MAX];
	struct provision_nic nics[PROVISION_NICS_MAX];
	struct provision_record record;
	char mac[PROVISION_MAC_STRLEN];
	size_t n, n_renames;
	int ret;

	if (provision_record_read(data, &record))
		return;
	n = wait_for_nics(sys, &record, nics);
	for (size_t p = 0; p < record.n_pins; p++) {
		const struct provision_record one = { .pins = { record.pins[p] }, .n_pins = 1 };

		if (!all_there(&one, nics, n))
			fprintf(stderr,
				"netpas-provision: interface %s with MAC address %s is missing; "
				"'netpas-provision nics' lists what there is\n",
				record.pins[p].name, provision_mac_format(record.pins[p].mac, mac));
	}
	n_renames = provision_nics_plan(nics, n, record.pins, record.n_pins, renames);
	for (size_t i = 0; i < n_renames; i++) {
		ret = provision_nic_rename(renames[i].from, renames[i].to);
		fprintf(stderr,
			"netpas-provision: interface %s -> %s, as it was called before%s%s\n",
			renames[i].from, renames[i].to, ret ? ": " : "", ret ? strerror(-ret) : "");
	}
	provision_record_fini(&record);
}

void provision_system_hostname(const char *data)
{
	char path[PATH_MAX], *text;
	size_t len;

	snprintf(path, sizeof(path), "%s/hostname", data);
	if (provision_file_read(path, &text, &len))
		return;
	text[strcspn(text, " \t\r\n")] = '\0';
	if (provision_hostname_good(text) && sethostname(text, strlen(text)))
		fprintf(stderr, "netpas-provision: host name '%s': %s\n", text, strerror(errno));
	free(text);
}

/* Not all that there are: a virtual function is not to have the address of what stands for it. */
int provision_system_first_network(const char *sys)
{
	char names[PROVISION_NICS_MAX * CONFIG_IFNAME_LEN + 1] = "", *text;
	struct provision_nic nics[PROVISION_NICS_MAX];
	size_t n = 0, at = 0;
	int ret;

	ret = provision_nics_read(sys, nics, &n);
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%s", i ? " " : "",
				       nics[i].name);
	if (ret || !n)
		return ret;
	text = provision_network_first(names);
	if (!text)
		return -ENOMEM;
	(void)mkdir("/run/systemd", 0755); /* both: what follows fails without them */
	(void)mkdir(FIRST_DIR, 0755);
	ret = file_replace(FIRST_FILE, text, strlen(text), 0644);
	if (ret)
		fprintf(stderr, "netpas-provision: " FIRST_FILE ": %s\n", strerror(-ret));
	free(text);
	return ret;
}

void provision_system_activate(bool network, bool gateway)
{
	/* networkctl would need a message bus. Started again it takes what is there as its own. */
	static const char *const reload[] = { "systemctl", "restart", "systemd-networkd.service",
					      NULL };
	static const char *const start[] = { "systemctl", "--no-block", "restart",
					     "netpasd.service", NULL };

	if (network)
		(void)unlink(
			FIRST_FILE); /* of the lowest rank anyway, and gone with the next boot */
	/* Each says itself what it does not like; the files are there for the next boot. */
	if (network)
		(void)run(reload);
	if (gateway)
		(void)run(start);
}

void provision_system_mark(const char *run_dir, const char *name)
{
	char path[PATH_MAX];

	(void)mkdir(run_dir, 0755); /* the file cannot be written otherwise */
	snprintf(path, sizeof(path), "%s/%s", run_dir, name);
	if (file_replace(path, "", 0, 0644))
		fprintf(stderr, "netpas-provision: cannot write %s\n", path);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netpas support: all that somebody needs who is to find out from afar what is wrong, without a key.
 * Every text goes through redact() on its way into the archive.
 *
 * keepalived is not asked to write what it knows (SIGUSR1): it writes that itself, and sends no
 * advertisements until the disk has taken it.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "archive.h"
#include "client.h"
#include "config.h"
#include "control.h"
#include "diag.h"
#include "event_record.h"
#include "event_store.h"
#include "key.h"
#include "paths_text.h"
#include "redact.h"
#include "status.h"
#include "support.h"

#define ASK_TIMEOUT_MS 10000
#define RUN_TIMEOUT_MS 10000

struct support {
	const struct client_paths *paths;
	struct archive *archive;
	struct config *config; /* NULL: it is not valid */
	char prefix[72];       /* directory in the archive */
	struct redact_known known;
	char (*public_keys)[KEY_STRLEN];
	size_t redacted;
	bool progress;
	int rc; /* of the archive: first error */
};

/* ---- putting in ---- */

/* text is taken. */
static void put(struct support *s, const char *name, char *text, size_t len)
{
	char path[ARCHIVE_NAME_MAX + 1];

	if (text && !s->rc) {
		s->redacted += redact(text, len, &s->known);
		snprintf(path, sizeof(path), "%s/%s", s->prefix, name);
		s->rc = archive_add(s->archive, path, text, len);
	}
	free(text);
}

static void tell(const struct support *s, const char *name)
{
	if (s->progress)
		fprintf(stderr, "\r\033[K%s", name);
}

static void put_file(struct support *s, const char *name, const char *path)
{
	size_t len = 0;
	char *text;

	tell(s, name);
	text = support_read(path, &len);
	put(s, name, text, len);
}

/* Regular files of a directory, those with this suffix. */
static void put_directory(struct support *s, const char *to, const char *from, const char *suffix)
{
	const struct dirent *entry;
	DIR *dir = opendir(from);

	while (dir && (entry = readdir(dir))) {
		const size_t len = strlen(entry->d_name), n = strlen(suffix);
		char path[PATH_MAX], name[ARCHIVE_NAME_MAX + 1];

		if (*entry->d_name == '.' || len < n || strcmp(entry->d_name + len - n, suffix))
			continue;
		snprintf(path, sizeof(path), "%s/%s", from, entry->d_name);
		if ((size_t)snprintf(name, sizeof(name) - sizeof(s->prefix), "%s/%s", to,
				     entry->d_name) < sizeof(name) - sizeof(s->prefix))
			put_file(s, name, path);
	}
	if (dir)
		closedir(dir);
}

static void put_json(struct support *s, const char *name, json_t *json)
{
	char *text = json_dumps(json, JSON_INDENT(2));

	put(s, name, text, text ? strlen(text) : 0);
}

/* ---- what there is ---- */

static void put_view(struct support *s, const char *command, void (*print)(json_t *view, FILE *out))
{
	json_t *answer = NULL;
	char name[64], *text = NULL;
	size_t len = 0;
	FILE *out;
	int rc;

	tell(s, command);
	rc = control_request(s->paths->run_dir, command, ASK_TIMEOUT_MS, &answer);
	if (rc) {
		snprintf(name, sizeof(name), "%s.txt", command);
		len = (size_t)asprintf(&text, "netpasd does not answer: %s\n", strerror(-rc));
		put(s, name, len == (size_t)-1 ? NULL : text, len);
		return;
	}
	snprintf(name, sizeof(name), "%s.json", command);
	put_json(s, name, json_object_get(answer, command));
	out = open_memstream(&text, &len);
	if (out) {
		print(json_object_get(answer, command), out);
		fclose(out);
		snprintf(name, sizeof(name), "%s.txt", command);
		put(s, name, text, len);
	}
	json_decref(answer);
}

static void print_status(json_t *status, FILE *out)
{
	status_print(status, false, out);
}

static void put_print(struct support *s, const char *name, void (*print)(FILE *out))
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	tell(s, name);
	if (!out)
		return;
	print(out);
	fclose(out);
	put(s, name, text, len);
}

static void put_events(struct support *s)
{
	struct event_reader *reader;
	char dir[PATH_MAX], line[EVENT_RECORD_MAX], *text = NULL;
	size_t len = 0;
	json_t *record;
	FILE *out;

	tell(s, "events");
	snprintf(dir, sizeof(dir), "%s/" EVENT_STORE_DIR, s->paths->state_dir);
	if (event_reader_open(dir, &reader))
		return;
	out = open_memstream(&text, &len);
	while (out && !event_reader_next(reader, &record)) {
		const size_t n = event_record_line(record, line);

		fwrite(line, 1, n, out);
		json_decref(record);
	}
	event_reader_close(reader);
	if (out) {
		fclose(out);
		put(s, "events.jsonl", text, len);
	}
}

/* The configuration as it lies there, and what is to be said against it. */
static void put_config(struct support *s, const struct diag_list *diags)
{
	char path[PATH_MAX], *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	snprintf(path, sizeof(path), "%s/mesh.yaml", s->paths->config_dir);
	put_file(s, "config/mesh.yaml", path);
	snprintf(path, sizeof(path), "%s/node.yaml", s->paths->config_dir);
	put_file(s, "config/node.yaml", path);
	if (!out)
		return;
	diag_print(diags, out);
	fprintf(out, s->config ? "valid\n" : "not valid\n");
	fclose(out);
	put(s, "config/check.txt", text, len);
}

static void put_commands(struct support *s)
{
	static const struct {
		const char *name;
		const char *args[10];
	} commands[] = {
		{ "net/links.txt", { "ip", "-d", "-s", "link" } },
		{ "net/addresses.txt", { "ip", "address" } },
		{ "net/routes4.txt", { "ip", "-4", "route", "show", "table", "all" } },
		{ "net/routes6.txt", { "ip", "-6", "route", "show", "table", "all" } },
		{ "net/rules4.txt", { "ip", "-4", "rule" } },
		{ "net/rules6.txt", { "ip", "-6", "rule" } },
		{ "net/neighbours.txt", { "ip", "-s", "neighbour" } },
		{ "net/nft.txt", { "nft", "list", "ruleset" } },
		{ "net/qdiscs.txt", { "tc", "-s", "qdisc", "show" } },
		{ "net/sockets.txt", { "ss", "-n", "-u", "-t", "-a", "-m", "-i" } },
		{ "net/wireguard.txt", { "wg", "show" } }, /* it shows no private key */
		{ "system/processes.txt",
		  { "ps", "-e", "-o",
		    "pid,ppid,cls,rtprio,ni,stat,etime,time,rss,wchan:20,comm" } },
		{ "system/sysctl.txt",
		  { "sysctl", "-a", "-r",
		    "^(net\\.(core|ipv4|ipv6)|kernel\\.(bpf|unpriv|osrel|sched))" } },
		{ "system/packages.txt",
		  { "dpkg-query", "-W", "keepalived", "wireguard*", "nftables", "iproute2",
		    "libbpf*", "linux-image*" } },
		{ "system/keepalived-version.txt", { "keepalived", "--version" } },
		{ "log/journal.txt",
		  { "journalctl", "--no-pager", "-o", "short-iso-precise", "-n", "20000", "-u",
		    "netpasd" } },
		{ "log/kernel.txt", { "dmesg", "-T" } },
		/* Where a machine that fell over stopped talking. */
		{ "log/boot-before.txt",
		  { "journalctl", "--no-pager", "-o", "short-iso-precise", "-n", "3000", "-b",
		    "-1" } },
		{ "log/panics.txt",
		  { "find", "/var/lib/systemd/pstore", "-name", "dmesg.txt", "-exec", "cat", "{}",
		    "+" } },
	};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		size_t len = 0;
		char *text;

		tell(s, commands[i].name);
		text = support_run(commands[i].args, RUN_TIMEOUT_MS, &len);
		put(s, commands[i].name, text, len);
	}
}

static void put_files(struct support *s)
{
	static const char *const files[][2] = {
		{ "net/dev.txt", "/proc/net/dev" },
		{ "net/snmp.txt", "/proc/net/snmp" },
		{ "net/netstat.txt", "/proc/net/netstat" },
		{ "net/softnet.txt", "/proc/net/softnet_stat" },
		{ "system/os-release.txt", "/etc/os-release" },
		{ "system/version.txt", "/proc/version" },
		{ "system/cpuinfo.txt", "/proc/cpuinfo" },
		{ "system/meminfo.txt", "/proc/meminfo" },
		{ "system/interrupts.txt", "/proc/interrupts" },
		{ "system/loadavg.txt", "/proc/loadavg" },
		{ "system/uptime.txt", "/proc/uptime" },
		{ "system/pressure-cpu.txt", "/proc/pressure/cpu" },
		{ "system/mounts.txt", "/proc/self/mounts" },
	};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		put_file(s, files[i][0], files[i][1]);
	put_directory(s, "keepalived", s->paths->run_dir, ".conf");
	put_directory(s, "keepalived", s->paths->run_dir, ".track");
	snprintf(path, sizeof(path), "%s/log", s->paths->run_dir);
	put_directory(s, "log", path, ".log");
	snprintf(path, sizeof(path), "%s/generation", s->paths->state_dir);
	put_file(s, "state/generation", path);
}

static void put_readme(struct support *s, const char *node, time_t now)
{
	char at[EVENT_TIME_LEN], *text = NULL;
	const int len = asprintf(
		&text,
		"netpas " NETPAS_VERSION ", node %s, %s\n\nKeys and what looks like a key or a "
		"password are replaced by '*' (%zu so far).\nAddresses, names and public keys "
		"are as they are.\n\nconfig/      as it lies there, and what netpas check says\n"
		"status.*     and paths, drops: what netpasd says\nevents.jsonl what happened\n"
		"net/ bpf.txt what the kernel has\nlog/         of netpasd, engines, keepalived, and the end of the boot before\n"
		"keepalived/  its configuration and what decides its priority\n"
		"state/       what outlives a reboot\nsystem/      machine, versions\n",
		node, event_time_format((int64_t)now * 1000, at), s->redacted);

	put(s, "README", len < 0 ? NULL : text, len < 0 ? 0 : (size_t)len);
}

/* ---- the whole ---- */

static int know_public_keys(struct support *s)
{
	const struct config_mesh *mesh = &s->config->mesh;
	const char **keys;
	size_t n = 0, max = mesh->n_relays;

	for (size_t i = 0; i < mesh->n_sites; i++)
		max += mesh->sites[i].n_gateways;
	s->public_keys = calloc(max + 1, sizeof(*s->public_keys));
	keys = calloc(max + 1, sizeof(*keys));
	if (!s->public_keys || !keys) {
		free(keys);
		return -ENOMEM;
	}
	for (size_t i = 0; i < mesh->n_sites; i++)
		for (size_t g = 0; g < mesh->sites[i].n_gateways; g++)
			key_format(&mesh->sites[i].gateways[g].public_key, s->public_keys[n++]);
	for (size_t i = 0; i < mesh->n_relays; i++)
		key_format(&mesh->relays[i].public_key, s->public_keys[n++]);
	for (size_t i = 0; i < n; i++)
		keys[i] = s->public_keys[i];
	s->known.keys = keys;
	s->known.n = n;
	return 0;
}

static void collect_all(struct support *s, const struct diag_list *diags, const char *node,
			time_t now)
{
	put_view(s, "status", print_status);
	put_view(s, "paths", paths_print);
	put_view(s, "drops", drops_print);
	put_config(s, diags);
	put_events(s);
	put_print(s, "bpf.txt", support_bpf);
	put_print(s, "clock.txt", support_clock);
	put_commands(s);
	put_files(s);
	put_readme(s, node, now);
	if (s->progress)
		fputs("\r\033[K", stderr);
}

static int make_archive(struct support *s, const char *path)
{
	struct diag_list *diags = diag_list_new();
	char host[HOST_NAME_MAX + 1] = "node";
	const time_t now = time(NULL);
	const char *node = host;
	char at[24], made[PATH_MAX];
	struct tm tm;
	int rc = diags ? 0 : -ENOMEM, end;

	if (!rc && config_load(s->paths->config_dir, diags, &s->config))
		s->config = NULL;
	if (!rc && s->config)
		rc = know_public_keys(s);
	(void)gethostname(host, sizeof(host) - 1); /* then it is called that */
	if (s->config)
		node = s->config->node.name;
	strftime(at, sizeof(at), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
	snprintf(s->prefix, sizeof(s->prefix), "netpas-support-%.24s-%s", node, at);
	if (!path) {
		snprintf(made, sizeof(made), "%s.tar.gz", s->prefix);
		path = made;
	}
	if (!rc)
		rc = archive_create(path, now, &s->archive);
	if (!rc) {
		collect_all(s, diags, node, now);
		end = archive_close(s->archive);
		rc = s->rc ? s->rc : end;
		if (rc)
			(void)unlink(path); /* half of it helps nobody */
	}
	if (rc)
		fprintf(stderr, "netpas: support: %s: %s\n", path, strerror(-rc));
	else
		printf("%s\n", path);
	diag_list_free(diags);
	return rc;
}

int client_support(const struct client_paths *paths, int argc, char **argv)
{
	struct support s = { .paths = paths, .progress = isatty(STDERR_FILENO) };
	const char *path = NULL;
	int rc;

	if (argc > 2 || (argc == 2 && *argv[1] == '-')) {
		fprintf(stderr,
			"netpas: support takes the archive's name and no option, got '%s'\n",
			argv[argc > 2 ? 2 : 1]);
		return 2;
	}
	if (argc == 2)
		path = argv[1];
	rc = make_archive(&s, path);
	config_free(s.config);
	free(s.public_keys);
	free((void *)(uintptr_t)s.known.keys);
	return rc ? 1 : 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* netpasd: options, signals, notification of the service manager; the rest is daemon.c. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "daemon.h"
#include "event_log.h"
#include "installed.h"
#include "log.h"
#include "realtime.h"

static void usage(FILE *out)
{
	fputs("usage: netpasd [-c DIR] [-r RUNDIR] [-s STATEDIR] [-tv]\n"
	      "  -c DIR       configuration: mesh.yaml, node.yaml and the key (/etc/netpas)\n"
	      "  -r RUNDIR    sockets, logs, lock (/run/netpas)\n"
	      "  -s STATEDIR  what must survive a reboot (/var/lib/netpas)\n"
	      "  -t           look at the configuration, say whether it is good, and do nothing\n"
	      "  -v           log debugging messages too\n"
	      "  -V           print the version\n",
	      out);
}

static int on_reload(struct sd_event_source *source, const struct signalfd_siginfo *si, void *data)
{
	char *text = NULL;

	(void)source;
	(void)si;
	(void)sd_notify(0, "RELOADING=1"); /* without a service manager nobody listens */
	(void)daemon_reload(data, &text);  /* logs its result */
	(void)sd_notify(0, "READY=1");
	free(text);
	return 0;
}

static int on_stop(struct sd_event_source *source, const struct signalfd_siginfo *si, void *data)
{
	char why[64];

	(void)data;
	snprintf(why, sizeof(why), "signal %u; the data plane goes on", si->ssi_signo);
	event_log_end(why);
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int add_signals(struct sd_event *event)
{
	static const int signals[] = { SIGTERM, SIGINT };
	sigset_t mask;
	int rc;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &mask, NULL))
		return -errno;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		rc = sd_event_add_signal(event, NULL, signals[i], on_stop, NULL);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Keys are in memory: no core file, no tracing by others. */
static void protect_memory(void)
{
	const struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none); /* lowering cannot fail */
	(void)prctl(PR_SET_DUMPABLE, 0);
}

/* What an upgrade asks of the program that it is about to run: does it, with this configuration? */
static int test(const char *config_dir)
{
	struct diag_list *diags = diag_list_new();
	struct config *config = NULL;
	int rc = -ENOMEM;

	puts("netpasd " NETPAS_VERSION);
	fflush(stdout);
	if (diags)
		rc = config_load(config_dir, diags, &config);
	if (rc == -EINVAL)
		diag_print(diags, stderr);
	else if (rc)
		fprintf(stderr, "netpasd: %s: %s\n", config_dir, strerror(-rc));
	diag_list_free(diags);
	config_free(config);
	return !rc ? 0 : rc == -EINVAL ? EX_CONFIG : 1;
}

/*
 * On as the program on disk, under the same pid: whoever supervises sees a service that reloads. What
 * the real-time class and the children leave behind would outlive the exec.
 */
static int restart(void)
{
	int rc;

	(void)realtime_set(false);	   /* it is asked for again if it is wanted then */
	(void)sd_notify(0, "RELOADING=1"); /* without a service manager nobody listens */
	rc = installed_exec();
	log_error("restart: %s", strerror(-rc));
	return 1; /* whoever supervises starts it */
}

int main(int argc, char **argv)
{
	struct daemon_paths paths = { "/etc/netpas", "/run/netpas", "/var/lib/netpas" };
	struct daemon *daemon = NULL;
	struct sd_event *event = NULL;
	bool debug = false, only_test = false;
	int option, rc;

	installed_remember(argv);
	while ((option = getopt(argc, argv, "c:r:s:tvVh")) != -1) {
		switch (option) {
		case 'c':
			paths.config_dir = optarg;
			break;
		case 'r':
			paths.run_dir = optarg;
			break;
		case 's':
			paths.state_dir = optarg;
			break;
		case 't':
			only_test = true;
			break;
		case 'v':
			debug = true;
			break;
		case 'V':
			puts("netpasd " NETPAS_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "netpasd: unexpected argument '%s'\n", argv[optind]);
		usage(stderr);
		return 2;
	}
	if (only_test)
		return test(paths.config_dir);
	log_init(debug);
	protect_memory();
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	/* Children that ended while another program was in this process, see restart(). */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;

	rc = sd_event_default(&event);
	if (rc >= 0)
		rc = add_signals(event);
	if (rc < 0) {
		log_error("event loop: %s", strerror(-rc));
		return 1;
	}
	rc = daemon_start(event, &paths, &daemon);
	if (rc)
		return rc == -EINVAL ? EX_CONFIG : 1;
	rc = sd_event_add_signal(event, NULL, SIGHUP, on_reload, daemon);
	if (rc >= 0)
		rc = sd_event_set_watchdog(event, true);
	if (rc < 0) {
		log_error("event loop: %s", strerror(-rc));
		daemon_free(daemon);
		return 1;
	}
	(void)sd_notify(0, "READY=1"); /* without a service manager nobody listens */
	rc = sd_event_loop(event);
	if (rc != DAEMON_RESTART)
		(void)sd_notify(0, "STOPPING=1");
	daemon_free(daemon);
	sd_event_unref(event);
	if (rc == DAEMON_RESTART)
		return restart();
	return rc < 0 ? 1 : rc;
}

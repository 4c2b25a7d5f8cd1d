/* SPDX-License-Identifier: GPL-2.0-only */
/* netpas upgrade: what upgrade.h and boot_check.h do, with words around it. */
#include "client_upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "boot_check.h"
#include "clock.h"
#include "control.h"
#include "upgrade.h"
#include "upgrade_pair.h"
#include "upgrade_paths.h"

#define DEADLINE_S 300 /* of the check, from its start */
#define DEADLINE_MAX_S \
	1200 /* well before netpas-trial-deadline.timer, 30 minutes after the start */
#define DEADLINE_PACED UINT_MAX
#define SOAK_S 10 /* all has to be in order for so long */
#define SECONDS_MAX 86400
#define POLL_MS 1000
#define PATIENCE_MS 10000 /* after which it is said what is waited for */
#define EVENT_TRIES 30	  /* a second apart, for netpasd to take the news */
#define FAILED_TRIES 3	  /* if the machine is restarted then */

struct wish {
	bool older, stay, json, boot, pair;
	unsigned int deadline_s, soak_s; /* DEADLINE_PACED: by what the machine is like */
	const char *file;
};

static int complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int complain(const char *fmt, ...)
{
	va_list args;

	fputs("netpas: upgrade: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return 1;
}

/* The exit code. */
static int report(const struct upgrade *upgrade, enum upgrade_outcome outcome)
{
	switch (outcome) {
	case UPGRADE_DONE:
		break;
	case UPGRADE_ERROR:
		(void)complain("%s", upgrade->reason);
		break;
	case UPGRADE_REFUSED:
		(void)complain("refused: %s", upgrade->reason);
		break;
	case UPGRADE_UNDONE:
		(void)complain(
			"%s; slot %s is of no use now, slot %s goes on and is what is started",
			upgrade->reason, slot_names[slot_other(upgrade->running)],
			slot_names[upgrade->running]);
		break;
	}
	return (int)outcome;
}

static void pause_ms(long ms)
{
	const struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	(void)nanosleep(&time, NULL); /* a shorter pause is good too */
}

/* ---- restarting ---- */

static int restart(const struct upgrade_machine *machine)
{
	pid_t pid;
	int status, rc;

	fflush(stdout);
	rc = posix_spawnp(&pid, machine->reboot[0], NULL, NULL, machine->reboot, environ);
	if (!rc && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	return complain("%s %s: %s; restart the machine by hand", machine->reboot[0],
			machine->reboot[1], rc ? strerror(rc) : "it fails");
}

/* An active gateway of a pair gives the role away first, so that nothing is lost. Exit code. */
static int hand_over(const struct client_paths *paths, json_t *look)
{
	json_t *status = json_object_get(json_object_get(look, "answer"), "status");
	json_t *partner = json_object_get(status, "partner");
	const char *role = json_string_value(json_object_get(status, "role"));
	char *argv[] = { (char[]){ "switchover" }, NULL };

	if (!role || strcmp(role, "active") || !json_is_object(partner))
		return 0;
	if (json_is_true(json_object_get(partner, "alive")) && !client_switchover(paths, 1, argv))
		return 0;
	(void)complain("not restarted: this gateway is active, and the other one %s. The next "
		       "restart is the trial; 'netpas upgrade rollback' takes that back",
		       json_is_true(json_object_get(partner, "alive")) ? "does not take over"
								       : "is not heard");
	return CLIENT_UNDONE;
}

/* Nothing speaks against a trial now; or it is said, and in the upgrade's reason. */
static bool is_pair_free(const struct upgrade_machine *machine, const struct wish *wish,
			 struct upgrade *upgrade)
{
	char reason[ROLLING_REASON_LEN];

	if (wish->pair || upgrade_pair_free(machine->client, reason))
		return true;
	snprintf(upgrade->reason, sizeof(upgrade->reason), "%s", reason);
	(void)complain("refused: %s; wait for its end, or say --force-pair", reason);
	return false;
}

/* What the trial is compared with is of just before it. */
static int arm(const struct upgrade_machine *machine, struct upgrade *upgrade, bool rollback,
	       const struct wish *wish)
{
	bool stay = wish->stay;
	json_t *look = boot_check_look(machine->client);
	const int kept = look ? boot_check_keep(machine->paths->state_dir, look) : -ENOMEM;
	const enum slot other = slot_other(upgrade->running);
	int rc = kept ? complain("%s: %s", machine->paths->state_dir, strerror(-kept)) : 0;

	if (!rc)
		rc = report(upgrade, rollback ? upgrade_roll_back(upgrade) : upgrade_arm(upgrade));
	if (!rc && upgrade->state.trial != SLOT_NONE && !is_pair_free(machine, wish, upgrade)) {
		/* Both may have looked before either was set. */
		(void)report(upgrade, upgrade_roll_back(upgrade));
		rc = CLIENT_UNDONE;
	}
	if (!rc && upgrade->state.trial == SLOT_NONE) {
		printf("slot %s is not going to be tried any more\n", slot_names[other]);
		stay = true;
	} else if (!rc) {
		printf("slot %s: %s, for a trial at the next start\n", slot_names[other],
		       *upgrade->record.last.version ? upgrade->record.last.version
						     : "version unknown");
	}
	if (!rc && !stay)
		rc = hand_over(machine->client, look);
	if (!rc && !stay)
		rc = restart(machine);
	json_decref(look);
	return rc;
}

/* Nobody is asked about the pair: who laid the job down holds both. */
int upgrade_try(const struct upgrade_machine *machine, struct upgrade *upgrade)
{
	const struct wish wish = { .pair = true };

	return arm(machine, upgrade, false, &wish);
}

/* ---- progress ---- */

struct bar {
	const char *doing;
	unsigned int percent;
};

static void draw(const char *doing, uint64_t done, uint64_t of, void *data)
{
	const unsigned int percent = (unsigned int)(done * 100 / of);
	struct bar *bar = data;

	if (doing == bar->doing && percent == bar->percent)
		return;
	*bar = (struct bar){ doing, percent };
	printf("\r%-12s %3u %% of %" PRIu64 " MiB%s", doing, percent, of >> 20,
	       done == of ? "\n" : "");
	fflush(stdout);
}

/* ---- the verbs ---- */

static int take_bundle(const struct upgrade_machine *machine, const struct wish *wish)
{
	struct bar bar = { 0 };
	const struct upgrade_progress progress = { draw, &bar };
	const bool pipe = !strcmp(wish->file, "-");
	const int fd = pipe ? STDIN_FILENO : open(wish->file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct upgrade upgrade;
	int rc;

	if (fd < 0)
		return complain("%s: %s", wish->file, strerror(errno));
	rc = report(&upgrade, upgrade_open(&upgrade, machine->paths, machine->disk));
	if (rc)
		goto close_bundle;
	if (!is_pair_free(machine, wish, &upgrade))
		rc = CLIENT_REFUSED;
	if (!rc)
		rc = report(&upgrade, upgrade_write(&upgrade, fd, wish->older,
						    isatty(STDOUT_FILENO) ? &progress : NULL));
	if (!rc)
		rc = arm(machine, &upgrade, false, wish);
	upgrade_close(&upgrade);
close_bundle:
	if (!pipe)
		close(fd);
	return rc;
}

static int roll_back(const struct upgrade_machine *machine, const struct wish *wish)
{
	struct upgrade upgrade;
	int rc = report(&upgrade, upgrade_open(&upgrade, machine->paths, machine->disk));

	if (rc)
		return rc;
	if (upgrade.state.trial == SLOT_NONE && !is_pair_free(machine, wish, &upgrade))
		rc = CLIENT_REFUSED;
	if (!rc)
		rc = arm(machine, &upgrade, true, wish);
	upgrade_close(&upgrade);
	return rc;
}

static const char *slot_word(const struct upgrade *upgrade, enum slot slot)
{
	const struct slot_state *state = &upgrade->state;

	if (state->trial == slot)
		return "started for a trial by the next start";
	if (upgrade->running == slot && upgrade_is_trial(upgrade))
		return "runs for its trial, not confirmed yet";
	if (!state->slots[slot].good)
		return upgrade->running == slot ? "runs, and is not marked good"
						: "empty or not good, is not started";
	if (state->slots[slot].tries >= SLOT_TRIES && upgrade->running != slot)
		return "did not come up in three starts";
	return state->first == slot ? "good, is what is started" : "good, is kept beside";
}

static const char *phase_words[UPGRADE_PHASE_MAX] = {
	[UPGRADE_NONE] = "",
	[UPGRADE_WRITING] = "is being written, or was interrupted",
	[UPGRADE_WRITTEN] = "is written, and not tried yet",
	[UPGRADE_BROKEN] = "was not written whole",
	[UPGRADE_ARMED] = "waits for its trial",
	[UPGRADE_CANCELLED] = "was taken back",
	[UPGRADE_TRYING] = "is tried",
	[UPGRADE_CONFIRMED] = "was tried and confirmed",
	[UPGRADE_FAILED] = "was tried and found bad",
	[UPGRADE_RETURNED] = "was tried and left again",
};

static void print_time(int64_t at_s)
{
	const time_t at = (time_t)at_s;
	char text[32];
	struct tm tm;

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&at, &tm));
	printf(", %s", text);
}

static void print_status(const struct upgrade *upgrade)
{
	const struct upgrade_record *record = &upgrade->record;

	for (enum slot slot = 0; slot < SLOT_MAX; slot++)
		printf("slot %s    %-28s %s%s\n", slot_names[slot],
		       *record->versions[slot] ? record->versions[slot] : "-",
		       upgrade->running == slot ? "runs; " : "", slot_word(upgrade, slot));
	if (record->last.phase != UPGRADE_NONE) {
		printf("last      %s to %s in slot %s %s",
		       record->last.rollback ? "rollback" : "upgrade",
		       *record->last.version ? record->last.version : "-",
		       slot_names[record->last.slot], phase_words[record->last.phase]);
		print_time(record->last.at_s);
		printf("%s%s\n", *record->last.reason ? "\n          " : "", record->last.reason);
	}
	if (upgrade->env_lost)
		puts("warning   neither file on the ESP says what is started; the next start "
		     "mends that");
	else if (upgrade->env_bad)
		puts("warning   one of the two files on the ESP is damaged; the next start mends "
		     "that");
}

static void print_json(const struct upgrade *upgrade)
{
	const struct upgrade_record *record = &upgrade->record;
	const struct slot_state *state = &upgrade->state;
	json_t *slots = json_object();
	json_t *root =
		json_pack("{s:s, s:s, s:b, s:s?, s:s, s:o, s:{s:s, s:b, s:s, s:s, s:s, s:s, s:I}}",
			  "running", slot_names[upgrade->running], "version", upgrade->version,
			  "trial", (int)upgrade_is_trial(upgrade), "next_trial",
			  state->trial < SLOT_MAX ? slot_names[state->trial] : NULL, "preferred",
			  slot_names[state->first], "slots", slots, "last", "phase",
			  upgrade_phase_names[record->last.phase], "rollback",
			  (int)record->last.rollback, "slot", slot_names[record->last.slot],
			  "version", record->last.version, "from", record->last.from, "reason",
			  record->last.reason, "at", (json_int_t)record->last.at_s);

	for (enum slot slot = 0; slot < SLOT_MAX; slot++)
		json_object_set_new(slots, slot_names[slot],
				    json_pack("{s:s, s:b, s:i}", "version", record->versions[slot],
					      "good", (int)state->slots[slot].good, "tries",
					      (int)state->slots[slot].tries));
	json_dumpf(root, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(root);
}

static int show(const struct upgrade_machine *machine, const struct wish *wish)
{
	struct upgrade upgrade;
	const int rc = report(&upgrade, upgrade_look(&upgrade, machine->paths, machine->disk));

	if (rc)
		return rc;
	if (wish->json)
		print_json(&upgrade);
	else
		print_status(&upgrade);
	return 0;
}

/* ---- the check ---- */

/*
 * A machine that took long to come this far takes long for what is left, too: an emulated one, or one whose host
 * is busy. In a cloud it is half a minute, and the deadline five.
 */
static unsigned int deadline_of(const struct upgrade_machine *machine, const struct wish *wish)
{
	const unsigned int paced_s =
		machine->up_s < DEADLINE_MAX_S / 3 ? machine->up_s * 3 : DEADLINE_MAX_S;

	if (wish->deadline_s != DEADLINE_PACED)
		return wish->deadline_s;
	return wish->boot && paced_s > DEADLINE_S ? paced_s : DEADLINE_S;
}

/* Until all is in order and stays so, or the deadline. False with the reason. */
static bool wait_until_good(const struct upgrade_machine *machine, const struct wish *wish,
			    char reason[static ROLLING_REASON_LEN])
{
	json_t *before = boot_check_kept(machine->paths->state_dir);
	const unsigned int deadline_s = deadline_of(machine, wish);
	const int64_t deadline = clock_now_ms() + deadline_s * INT64_C(1000);
	int64_t good_ms = -1, said_ms = clock_now_ms();
	bool done = false;

	snprintf(reason, ROLLING_REASON_LEN, "there was no time to look");
	for (;;) {
		json_t *now = boot_check_look(machine->client);
		const bool good = now && boot_check_good(before, now, reason);

		json_decref(now);
		if (good && good_ms < 0)
			good_ms = clock_now_ms();
		else if (!good)
			good_ms = -1;
		done = good && clock_now_ms() - good_ms >= wish->soak_s * INT64_C(1000);
		if (done || clock_now_ms() >= deadline)
			break;
		if (!good && clock_now_ms() - said_ms > PATIENCE_MS) {
			printf("waiting: %s\n", reason);
			fflush(stdout);
			said_ms = clock_now_ms();
		}
		pause_ms(POLL_MS);
	}
	if (!done && good_ms >= 0)
		snprintf(reason, ROLLING_REASON_LEN, "it was in order too late, just before %u s",
			 deadline_s);
	json_decref(before);
	return done;
}

/* Into netpasd's events, once it listens; a machine that has none keeps it in the record alone. */
static void tell_news(const struct upgrade_machine *machine, struct upgrade *upgrade,
		      unsigned int tries)
{
	char text[2 * UPGRADE_REASON_LEN];
	json_t *request, *answer;

	upgrade_news(upgrade, text);
	if (!*text)
		return;
	puts(text);
	fflush(stdout);
	if (!boot_check_configured(machine->client)) {
		(void)upgrade_told(upgrade); /* no netpasd runs: the journal has it */
		return;
	}
	request = json_pack("{s:s, s:s, s:b}", "command", "upgrade-event", "text", text, "good",
			    (int)(upgrade->record.last.phase == UPGRADE_CONFIRMED));
	for (unsigned int i = 0; request && i < tries; i++) {
		bool taken;

		answer = NULL;
		taken = !control_exchange(machine->client->run_dir, request, POLL_MS, &answer) &&
			json_is_true(json_object_get(answer, "ok"));
		json_decref(answer);
		if (taken) {
			(void)upgrade_told(upgrade); /* else it is told once more */
			break;
		}
		pause_ms(POLL_MS);
	}
	json_decref(request);
}

static int try_slot(const struct upgrade_machine *machine, const struct wish *wish,
		    struct upgrade *upgrade)
{
	char reason[ROLLING_REASON_LEN];
	int rc;

	if (wait_until_good(machine, wish, reason)) {
		rc = report(upgrade, upgrade_confirm(upgrade));
		if (!rc)
			printf("slot %s is confirmed\n", slot_names[upgrade->running]);
		return rc;
	}
	(void)complain("slot %s is not confirmed: %s", slot_names[upgrade->running], reason);
	if (!wish->boot)
		return CLIENT_UNDONE;
	(void)upgrade_fail(upgrade, reason);
	return CLIENT_UNDONE;
}

static int confirm(const struct upgrade_machine *machine, const struct wish *wish)
{
	struct upgrade upgrade;
	bool trial;
	int rc = report(&upgrade, upgrade_open(&upgrade, machine->paths, machine->disk));

	if (rc)
		return rc;
	if (wish->boot)
		rc = report(&upgrade, upgrade_settle(&upgrade));
	trial = upgrade_is_trial(&upgrade);
	if (!rc && (trial || (!wish->boot && !upgrade.state.slots[upgrade.running].good)))
		rc = try_slot(machine, wish, &upgrade);
	else if (!rc && !wish->boot)
		printf("slot %s is good already\n", slot_names[upgrade.running]);
	/* Why a trial has failed is told again after the return, which it does not hold up. */
	if (wish->boot)
		tell_news(machine, &upgrade,
			  rc && trial && machine->event_tries > FAILED_TRIES
				  ? FAILED_TRIES
				  : machine->event_tries);
	upgrade_close(&upgrade);
	/* The trial was struck off before it began: any restart goes back. */
	if (rc && wish->boot && trial)
		(void)restart(machine);
	return rc;
}

/* ---- the command line ---- */

struct option_word {
	const char *name;
	bool *flag;
	unsigned int *seconds;
};

static int usage(const char *got)
{
	fprintf(stderr,
		"netpas: upgrade: %s%s%s; there are 'netpas upgrade BUNDLE|- [--force-older] "
		"[--no-reboot] [--force-pair]', 'netpas upgrade status [--json]', 'netpas upgrade "
		"rollback [--no-reboot] [--force-pair]' and 'netpas upgrade confirm [--boot] [--deadline SECONDS] "
		"[--soak SECONDS]'\n",
		*got ? "'" : "", *got ? got : "what?", *got ? "' is not known" : "");
	return 2;
}

static int take_seconds(const struct option_word *option, const char *text)
{
	char *end;
	const unsigned long seconds = text ? strtoul(text, &end, 10) : 0;

	if (!text || *text < '0' || *text > '9' || *end || seconds > SECONDS_MAX) {
		fprintf(stderr, "netpas: upgrade: %s takes seconds, 0 to %d, got '%s'\n",
			option->name, SECONDS_MAX, text ? text : "nothing");
		return 2;
	}
	*option->seconds = (unsigned int)seconds;
	return 0;
}

static int take_options(const struct option_word *options, int argc, char **argv)
{
	for (int i = 2; i < argc; i++) {
		const struct option_word *option = options;

		while (option->name && strcmp(argv[i], option->name))
			option++;
		if (!option->name)
			return usage(argv[i]);
		if (option->flag)
			*option->flag = true;
		else if (take_seconds(option, i + 1 < argc ? argv[i + 1] : NULL))
			return 2;
		else
			i++;
	}
	return 0;
}

int upgrade_command(const struct upgrade_machine *machine, int argc, char **argv)
{
	struct wish wish = { .deadline_s = DEADLINE_PACED, .soak_s = SOAK_S };
	const struct option_word of_bundle[] = { { "--force-older", &wish.older, NULL },
						 { "--no-reboot", &wish.stay, NULL },
						 { "--force-pair", &wish.pair, NULL },
						 { 0 } };
	const struct option_word of_status[] = { { "--json", &wish.json, NULL }, { 0 } };
	const struct option_word of_rollback[] = { { "--no-reboot", &wish.stay, NULL },
						   { "--force-pair", &wish.pair, NULL },
						   { 0 } };
	const struct option_word of_confirm[] = { { "--boot", &wish.boot, NULL },
						  { "--deadline", NULL, &wish.deadline_s },
						  { "--soak", NULL, &wish.soak_s },
						  { 0 } };
	const struct {
		const char *name;
		const struct option_word *options;
		int (*run)(const struct upgrade_machine *machine, const struct wish *wish);
	} verbs[] = {
		{ "status", of_status, show },
		{ "rollback", of_rollback, roll_back },
		{ "confirm", of_confirm, confirm },
	};
	int rc;

	if (argc < 2)
		return usage("");
	if (!strcmp(argv[1], "job"))
		return argc == 2 ? upgrade_job(machine) : usage(argv[2]);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(argv[1], verbs[i].name))
			continue;
		rc = take_options(verbs[i].options, argc, argv);
		return rc ? rc : verbs[i].run(machine, &wish);
	}
	if (argv[1][0] == '-' && argv[1][1])
		return usage(argv[1]);
	wish.file = argv[1];
	rc = take_options(of_bundle, argc, argv);
	return rc ? rc : take_bundle(machine, &wish);
}

/* Since the machine was started. */
static unsigned int up_s(void)
{
	struct timespec now;

	return clock_gettime(CLOCK_BOOTTIME, &now) ? 0 : (unsigned int)now.tv_sec;
}

int client_upgrade(const struct client_paths *paths, int argc, char **argv)
{
	char *reboot[] = { (char[]){ "systemctl" }, (char[]){ "reboot" }, NULL };
	const struct upgrade_machine machine = {
		.client = paths,
		.paths = upgrade_paths_here(),
		.disk = &disk_real,
		.reboot = reboot,
		.event_tries = EVENT_TRIES,
		.up_s = up_s(),
	};

	return upgrade_command(&machine, argc, argv);
}

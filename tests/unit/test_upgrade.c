/* SPDX-License-Identifier: GPL-2.0-only */
/* Upgrades from a bundle into the other slot: what is done, what is refused, and what is said of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "client_upgrade.h"
#include "slot_world.h"

#define V1 "20261101.0900-g1111111"
#define V2 "20261102.0900-g2222222"
#define V3 "20261103.0900-g3333333"

static struct world w;
static char run_dir[128], config_dir[128];

static int setup(void **state)
{
	(void)state;
	world_make(&w, V1);
	snprintf(run_dir, sizeof(run_dir), "%s/run", w.dir);
	snprintf(config_dir, sizeof(config_dir), "%s/etc", w.dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_remove(&w);
	return 0;
}

/* The command as it is typed, on this machine; restarts do nothing. */
static int command(const char *a, const char *b, const char *c)
{
	char *reboot[] = { (char[]){ "true" }, (char[]){ "x" }, NULL };
	const struct client_paths client = { config_dir, run_dir, w.dir };
	const struct upgrade_machine machine = {
		.client = &client,
		.paths = &w.paths,
		.disk = &disk_real,
		.reboot = reboot,
		.event_tries = 0,
	};
	const char *words[] = { "upgrade", a, b, c, NULL, NULL, NULL };
	char *argv[7] = { 0 };
	int argc = 0, rc;

	if (a && !strcmp(a, "confirm") && b && !strcmp(b, "--boot")) {
		words[3] = "--soak";
		words[4] = "0";
	}
	for (; words[argc]; argc++)
		argv[argc] = strdup(words[argc]);
	rc = upgrade_command(&machine, argc, argv);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	return rc;
}

static enum upgrade_outcome write_fd(int fd, bool older, char reason[static UPGRADE_REASON_LEN])
{
	struct upgrade upgrade;
	enum upgrade_outcome outcome = upgrade_open(&upgrade, &w.paths, &disk_real);

	if (!outcome)
		outcome = upgrade_write(&upgrade, fd, older, NULL);
	if (!outcome)
		outcome = upgrade_arm(&upgrade);
	strcpy(reason, upgrade.reason);
	upgrade_close(&upgrade);
	close(fd);
	return outcome;
}

static void expect(int fd, bool older, enum upgrade_outcome wanted, const char *words)
{
	char reason[UPGRADE_REASON_LEN] = "";
	const enum upgrade_outcome outcome = write_fd(fd, older, reason);

	if (outcome != wanted || !strstr(reason, words))
		fail_msg("%d, '%s'; wanted are %d, '%s'", (int)outcome, reason, (int)wanted, words);
}

static void expect_start(enum slot slot, bool trial, const char *version)
{
	char got[BUNDLE_VERSION_LEN];
	bool is_trial;

	assert_int_equal(world_restart(&w, &is_trial, got), slot);
	assert_int_equal(is_trial, trial);
	assert_string_equal(got, version);
	assert_true(world_has(&w, slot, version));
}

static struct upgrade_record record(void)
{
	struct upgrade_record got;

	upgrade_record_load(w.paths.state_dir, &got);
	return got;
}

static void expect_phase(enum upgrade_phase phase, const char *words)
{
	const struct upgrade_record got = record();

	assert_string_equal(upgrade_phase_names[got.last.phase], upgrade_phase_names[phase]);
	if (!strstr(got.last.reason, words))
		fail_msg("'%s'; wanted is '%s'", got.last.reason, words);
}

/* Boot check of a machine without a configuration: it has come up. */
static void check(void)
{
	assert_int_equal(command("confirm", "--boot", NULL), 0);
}

static void upgrade_to(const char *version)
{
	expect(world_bundle(&w, version), false, UPGRADE_DONE, "");
}

static void test_there_and_there_again(void **state)
{
	(void)state;
	expect_start(SLOT_A, false, V1);
	check();
	upgrade_to(V2);
	expect_phase(UPGRADE_ARMED, "");
	expect_start(SLOT_B, true, V2);
	check();
	expect_phase(UPGRADE_CONFIRMED, "");
	for (unsigned int i = 0; i < 5; i++) {
		expect_start(SLOT_B, false, V2);
		check();
	}
	upgrade_to(V3);
	expect_start(SLOT_A, true, V3);
	check();
	expect_start(SLOT_A, false, V3);
	assert_string_equal(record().versions[SLOT_A], V3);
	assert_string_equal(record().versions[SLOT_B], V2);
	assert_int_equal(command("status", NULL, NULL), 0);
	assert_int_equal(command("status", "--json", NULL), 0);
}

static void test_hangs_in_its_trial(void **state)
{
	(void)state;
	upgrade_to(V2);
	expect_start(SLOT_B, true, V2);
	/* It gets nowhere; the watchdog, or somebody, restarts the machine. */
	expect_start(SLOT_A, false, V1);
	check();
	expect_phase(UPGRADE_RETURNED, "did not come up");
	expect_start(SLOT_A, false, V1);
}

static void test_power_fails_during_the_check(void **state)
{
	struct upgrade upgrade;

	(void)state;
	upgrade_to(V2);
	expect_start(SLOT_B, true, V2);
	assert_int_equal(upgrade_open(&upgrade, &w.paths, &disk_real), 0);
	assert_int_equal(upgrade_settle(&upgrade), 0);
	assert_true(upgrade_is_trial(&upgrade));
	upgrade_close(&upgrade);
	expect_start(SLOT_A, false, V1);
	check();
	expect_phase(UPGRADE_RETURNED, "before its check was over");
}

static void test_found_bad(void **state)
{
	struct upgrade upgrade;
	char news[2 * UPGRADE_REASON_LEN];

	(void)state;
	upgrade_to(V2);
	expect_start(SLOT_B, true, V2);
	assert_int_equal(upgrade_open(&upgrade, &w.paths, &disk_real), 0);
	assert_int_equal(upgrade_settle(&upgrade), 0);
	assert_int_equal(upgrade_fail(&upgrade, "fra-a has no live tunnel to sin-a"), 0);
	upgrade_close(&upgrade);
	expect_start(SLOT_A, false, V1);
	assert_int_equal(upgrade_open(&upgrade, &w.paths, &disk_real), 0);
	assert_int_equal(upgrade_settle(&upgrade), 0);
	expect_phase(UPGRADE_RETURNED, "no live tunnel to sin-a");
	upgrade_news(&upgrade, news);
	assert_string_equal(news, "upgrade to " V2 " in slot b: trial -> returned (fra-a has no "
				  "live tunnel to sin-a)");
	assert_int_equal(upgrade_told(&upgrade), 0);
	upgrade_news(&upgrade, news);
	assert_string_equal(news, "");
	upgrade_close(&upgrade);
	/* Once more, now with success. */
	upgrade_to(V2);
	expect_start(SLOT_B, true, V2);
	check();
	expect_start(SLOT_B, false, V2);
}

static void test_rollback(void **state)
{
	(void)state;
	assert_int_equal(command("rollback", NULL, NULL), UPGRADE_REFUSED); /* to nothing */
	upgrade_to(V2);
	/* Taken back before the trial. */
	assert_int_equal(command("rollback", NULL, NULL), 0);
	expect_phase(UPGRADE_CANCELLED, "");
	expect_start(SLOT_A, false, V1);
	upgrade_to(V2);
	expect_start(SLOT_B, true, V2);
	assert_int_equal(command("rollback", NULL, NULL), UPGRADE_REFUSED); /* within it */
	check();
	expect_start(SLOT_B, false, V2);
	check();
	/* To what ran before, with a trial of its own. */
	assert_int_equal(command("rollback", "--no-reboot", NULL), 0);
	assert_true(record().last.rollback);
	expect_start(SLOT_A, true, V1);
	expect_start(SLOT_B, false, V2); /* it was not confirmed */
	check();
	expect_phase(UPGRADE_RETURNED, "did not come up");
	assert_int_equal(command("rollback", NULL, NULL), 0);
	expect_start(SLOT_A, true, V1);
	check();
	expect_phase(UPGRADE_CONFIRMED, "");
	expect_start(SLOT_A, false, V1);
}

/* Not by an upgrade's fault: what was good for long does not come up any more. */
static void test_three_starts(void **state)
{
	struct upgrade upgrade;

	(void)state;
	upgrade_to(V2);
	expect_start(SLOT_B, true, V2);
	check();
	for (unsigned int i = 0; i < SLOT_TRIES; i++)
		expect_start(SLOT_B, false, V2);
	expect_start(SLOT_A, false, V1);
	check();
	expect_start(SLOT_A, false, V1);
	check();
	assert_int_equal(upgrade_look(&upgrade, &w.paths, &disk_real), 0);
	assert_int_equal(upgrade.state.first, SLOT_A);
	assert_true(upgrade.state.slots[SLOT_B].good);
	/* Neither comes up: both are started in turn, for ever. */
	for (unsigned int i = 0; i < SLOT_TRIES; i++)
		expect_start(SLOT_A, false, V1);
	for (unsigned int i = 0; i < SLOT_TRIES; i++)
		expect_start(SLOT_B, false, V2);
	expect_start(SLOT_A, false, V1);
}

static void refuse(struct made made, const char *words)
{
	char texts[2][SLOT_ENV_SIZE];
	struct upgrade before, after;

	assert_int_equal(upgrade_look(&before, &w.paths, &disk_real), 0);
	expect(world_file(&w, made.text, made.len), false, UPGRADE_REFUSED, words);
	assert_int_equal(upgrade_look(&after, &w.paths, &disk_real), 0);
	slot_env_format(&before.state, texts[0]);
	slot_env_format(&after.state, texts[1]);
	assert_memory_equal(texts[0], texts[1], SLOT_ENV_SIZE);
	free(made.text);
}

static void test_refusals(void **state)
{
	char *image = make_image(V2, WORLD_SLOT + BUNDLE_BLOCK), manifest[1024];
	EVP_PKEY *other = make_key();
	struct made made;

	(void)state;
	world_fill(&w, SLOT_B, V3);
	refuse(make_bundle(V2, other, image, WORLD_IMAGE), "not by the key");
	refuse(make_bundle(V2, NULL, image, WORLD_IMAGE), "not signed");
	made = make_bundle(V2, w.key, image, WORLD_IMAGE);
	made.len--;
	refuse(made, "truncated");
	made = make_bundle(V2, w.key, image, WORLD_IMAGE);
	made.text = realloc(made.text, ++made.len);
	made.text[made.len - 1] = '\n';
	refuse(made, "behind its end");
	refuse(make_bundle(V1, w.key, image, WORLD_IMAGE), "what runs already");
	refuse(make_bundle("20261031.2359-gfffffff", w.key, image, WORLD_IMAGE), "older than");
	refuse(make_bundle(V2, w.key, image, WORLD_SLOT + BUNDLE_BLOCK), "the slot only");
	manifest_of("other", V2, NULL, image, WORLD_IMAGE, manifest);
	refuse(bundle_of(manifest, w.key, image, WORLD_IMAGE), "product 'other'");
	manifest_of("netpas", V2, "sparc", image, WORLD_IMAGE, manifest);
	refuse(bundle_of(manifest, w.key, image, WORLD_IMAGE), "it is for sparc");
	/* Nothing of all that has touched the slot. */
	assert_true(world_has(&w, SLOT_B, V3));
	/* Exactly the slot's size goes. */
	made = make_bundle(V2, w.key, image, WORLD_SLOT);
	expect(world_file(&w, made.text, made.len), false, UPGRADE_DONE, "");
	free(made.text);
	EVP_PKEY_free(other);
	free(image);
}

static void test_older_by_force(void **state)
{
	(void)state;
	expect(world_bundle(&w, "20260101.0000-g0"), true, UPGRADE_DONE, "");
	expect_start(SLOT_B, true, "20260101.0000-g0");
	check();
	expect(world_bundle(&w, "20260101.0000-g0"), false, UPGRADE_REFUSED, "already");
	expect(world_bundle(&w, "20260101.0000-g0"), true, UPGRADE_DONE, "");
}

static void test_while_another_one_is_pending(void **state)
{
	const int lock = open(w.paths.lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_int_equal(flock(lock, LOCK_EX), 0);
	expect(world_bundle(&w, V2), false, UPGRADE_REFUSED, "under way");
	assert_int_equal(command("status", NULL, NULL), 0);
	close(lock);
	upgrade_to(V2);
	expect(world_bundle(&w, V3), false, UPGRADE_REFUSED, "slot b is set for its trial");
	expect_start(SLOT_B, true, V2);
	expect(world_bundle(&w, V3), false, UPGRADE_REFUSED, "not confirmed yet");
}

static void test_no_image(void **state)
{
	(void)state;
	world_put(w.paths.cmdline, "quiet\n", 6);
	expect(world_bundle(&w, V2), false, UPGRADE_REFUSED, "not the appliance image");
	assert_int_equal(command("status", NULL, NULL), UPGRADE_REFUSED);
	world_boot(&w, SLOT_A, false, V1);
	world_put(w.paths.os_release, "ID=debian\n", 10);
	expect(world_bundle(&w, V2), false, UPGRADE_REFUSED, "IMAGE_VERSION");
}

/* By a pipe only what comes tells that it is not the image of the manifest. */
static int feed(const char *text, size_t len)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	if (!fork()) {
		close(fds[0]);
		while (len) {
			const ssize_t n = write(fds[1], text, len);

			if (n <= 0)
				break;
			text += n;
			len -= (size_t)n;
		}
		_exit(0);
	}
	close(fds[1]);
	return fds[0];
}

static void test_from_a_pipe(void **state)
{
	char *image = make_image(V2, WORLD_IMAGE);
	struct made made = make_bundle(V2, w.key, image, WORLD_IMAGE);
	struct upgrade upgrade;

	(void)state;
	assert_int_equal(upgrade_look(&upgrade, &w.paths, &disk_real), 0);
	upgrade.state.slots[SLOT_B].good = true;
	assert_int_equal(slot_env_write(&disk_real, w.paths.env_dir, &upgrade.state), 0);
	made.text = realloc(made.text, made.len + 1);
	made.text[made.len] = 'x';
	expect(feed(made.text, made.len - 1), false, UPGRADE_UNDONE, "truncated");
	expect_phase(UPGRADE_BROKEN, "truncated");
	assert_int_equal(upgrade_look(&upgrade, &w.paths, &disk_real), 0);
	assert_false(upgrade.state.slots[SLOT_B].good);
	assert_false(world_has(&w, SLOT_B, V2));
	expect_start(SLOT_A, false, V1);
	expect(feed(made.text, made.len + 1), false, UPGRADE_UNDONE, "behind its end");
	assert_false(world_has(&w, SLOT_B, V2));
	made.text[made.len - 5] ^= 1;
	expect(feed(made.text, made.len), false, UPGRADE_UNDONE, "damaged");
	made.text[made.len - 5] ^= 1;
	made.text[made.image + 2] ^= 1; /* in the sector that is written last */
	expect(feed(made.text, made.len), false, UPGRADE_UNDONE, "damaged");
	made.text[made.image + 2] ^= 1;
	expect_start(SLOT_A, false, V1);
	expect(feed(made.text, made.len), false, UPGRADE_DONE, "");
	expect_start(SLOT_B, true, V2);
	free(made.text);
	free(image);
}

/* A disk that loses a write: what it says it has written is not there. */
struct liar {
	off_t at;
};

static int write_lie(int fd, const void *buf, size_t len, off_t at, void *data)
{
	const struct liar *liar = data;
	char *copy = malloc(len);
	int rc;

	memcpy(copy, buf, len);
	if (liar->at >= at && liar->at < at + (off_t)len)
		copy[liar->at - at] ^= 1;
	rc = disk_real.write(fd, copy, len, at, NULL);
	free(copy);
	return rc;
}

static int write_full(int fd, const void *buf, size_t len, off_t at, void *data)
{
	(void)data;
	return at > 0 ? -EIO : disk_real.write(fd, buf, len, at, NULL);
}

static int sync_lie(int fd, void *data)
{
	(void)data;
	return disk_real.sync(fd, NULL);
}

static void expect_disk(const struct disk *disk, const char *words)
{
	const int fd = world_bundle(&w, V2);
	struct upgrade upgrade;

	assert_int_equal(upgrade_open(&upgrade, &w.paths, disk), 0);
	assert_int_equal(upgrade_write(&upgrade, fd, false, NULL), UPGRADE_UNDONE);
	if (!strstr(upgrade.reason, words))
		fail_msg("'%s'; wanted is '%s'", upgrade.reason, words);
	upgrade_close(&upgrade);
	close(fd);
	expect_phase(UPGRADE_BROKEN, words);
	expect_start(SLOT_A, false, V1);
}

static void test_bad_disks(void **state)
{
	struct liar liar = { WORLD_IMAGE - 77 };
	struct disk disk = { write_lie, sync_lie, &liar };

	(void)state;
	expect_disk(&disk, "the disk is bad: what is read back");
	liar.at = 5;
	expect_disk(&disk, "the disk is bad: its first sector");
	disk.write = write_full;
	expect_disk(&disk, "writing at byte 512: Input/output error");
}

static void test_files_of_the_esp(void **state)
{
	struct upgrade upgrade;
	char path[128];

	(void)state;
	upgrade_to(V2);
	expect_start(SLOT_B, true, V2);
	check();
	/* The first one is damaged: the other one counts, and the next start mends it. */
	snprintf(path, sizeof(path), "%s/%s", w.paths.env_dir, slot_env_names[0]);
	world_put(path, "nothing", 7);
	expect_start(SLOT_B, false, V2);
	assert_int_equal(command("status", NULL, NULL), 0);
	check();
	assert_int_equal(upgrade_look(&upgrade, &w.paths, &disk_real), 0);
	assert_int_equal(upgrade.env_bad, 0);
	/* Both: slot a, which is whole; nothing is known of b but that it is not what runs. */
	world_put(path, "nothing", 7);
	snprintf(path, sizeof(path), "%s/%s", w.paths.env_dir, slot_env_names[1]);
	assert_int_equal(unlink(path), 0);
	expect_start(SLOT_A, false, V1);
	assert_int_equal(command("status", NULL, NULL), 0);
	check();
	expect_start(SLOT_A, false, V1);
	assert_int_equal(upgrade_look(&upgrade, &w.paths, &disk_real), 0);
	assert_false(upgrade.env_lost);
	assert_false(upgrade.state.slots[SLOT_B].good);
}

/* What `make bundle` makes is what is taken. */
static void test_the_script(void **state)
{
	char line[512], path[128], *image = make_image(V2, WORLD_IMAGE);
	FILE *out;

	(void)state;
	snprintf(path, sizeof(path), "%s/key.pem", w.dir);
	out = fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(PEM_write_PrivateKey(out, w.key, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(fclose(out), 0);
	snprintf(path, sizeof(path), "%s/image", w.dir);
	world_put(path, image, WORLD_IMAGE);
	free(image);
	snprintf(line, sizeof(line),
		 "firmware-image/bundle %s/image " V2 " %s/key.pem %s/made.bundle", w.dir, w.dir,
		 w.dir);
	assert_int_equal(system(line), 0);
	snprintf(path, sizeof(path), "%s/made.bundle", w.dir);
	assert_int_equal(command(path, "--no-reboot", NULL), 0);
	expect_start(SLOT_B, true, V2);
}

static void test_the_command_line(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/bundle", w.dir);
	assert_int_equal(command(NULL, NULL, NULL), 2);
	assert_int_equal(command("--force-older", path, NULL), 2);
	assert_int_equal(command(path, "--json", NULL), 2);
	assert_int_equal(command("status", "--no-reboot", NULL), 2);
	assert_int_equal(command("confirm", "--deadline", NULL), 2);
	assert_int_equal(command("confirm", "--deadline", "-1"), 2);
	assert_int_equal(command("confirm", "--deadline", "1s"), 2);
	assert_int_equal(command(path, NULL, NULL), 1); /* there is none */
	close(world_bundle(&w, "20200101.0000-g0"));
	assert_int_equal(command(path, "--no-reboot", NULL), UPGRADE_REFUSED);
	assert_int_equal(command(path, "--no-reboot", "--force-older"), 0);
	assert_int_equal(command("confirm", NULL, NULL), 0);
	expect_start(SLOT_B, true, "20200101.0000-g0");
}

/* A record that is damaged, or of a clock that went wrong, is none. */
static void test_record(void **state)
{
	static const int64_t times[] = { -1, 253402300800, INT64_MAX };
	struct upgrade_record bad = { .last = { .phase = UPGRADE_CONFIRMED, .version = "1" } };

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		bad.last.at_s = times[i];
		assert_int_equal(upgrade_record_store(w.paths.state_dir, &bad), 0);
		assert_int_equal(command("status", NULL, NULL), 0);
		expect_phase(UPGRADE_NONE, "");
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_there_and_there_again),
		TEST(test_hangs_in_its_trial),
		TEST(test_power_fails_during_the_check),
		TEST(test_found_bad),
		TEST(test_rollback),
		TEST(test_three_starts),
		TEST(test_refusals),
		TEST(test_older_by_force),
		TEST(test_while_another_one_is_pending),
		TEST(test_no_image),
		TEST(test_from_a_pipe),
		TEST(test_bad_disks),
		TEST(test_files_of_the_esp),
		TEST(test_the_script),
		TEST(test_the_command_line),
		TEST(test_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* What a rolling upgrade of appliance images has beyond test_rolling.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "image_job.h"
#include "rolling.h"
#include "rolling_image.h"
#include "upgrade_pair.h"

#define OLD "20261101.0900-g1111111"
#define NEW "20261102.0900-g2222222"

/* ---- two appliances that are well; 0: standby, 1: active ---- */

struct pair {
	struct rolling_view before[2], now[2];
	struct rolling_record record;
	struct rolling_wish wish;
};

static void pair_init(struct pair *pair)
{
	*pair = (struct pair){ .wish = { .upgrade = true, .image = NEW } };
	for (unsigned int i = 0; i < 2; i++) {
		struct rolling_view *view = &pair->now[i];

		*view = (struct rolling_view){
			.known = true,
			.role = "standby",
			.id = (uint16_t)(i + 1),
			.instance = 0x10 + i,
			.digest = 0xd1,
			.active = i,
			.partner_alive = true,
			.image = { .known = true,
				   .version = OLD,
				   .phase = "written",
				   .written = NEW },
		};
		snprintf(view->name, sizeof(view->name), "fra-%c", (char)('a' + i));
		if (i)
			strcpy(view->role, "active");
		pair->before[i] = *view;
	}
}

/* Steps as letters, the gateway's number behind each; or the reason. */
static const char *plan_of(const struct pair *pair, bool *ret_resumed)
{
	static const char letters[ROLLING_STEP_MAX] = { 'D', 'Q', 'R', 'T', 'C', 'P', 'F', 'B' };
	static char text[ROLLING_REASON_LEN];
	struct rolling_plan plan = { 0 };

	if (rolling_plan_make(&pair->wish, pair->now, &pair->record, &plan, text) != ROLLING_DONE)
		return text;
	for (size_t i = 0; i < plan.n; i++)
		snprintf(&text[2 * i], 3, "%c%u", letters[plan.v[i].step], plan.v[i].gateway);
	if (ret_resumed)
		*ret_resumed = plan.resumed;
	return text;
}

static void says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s' in: %s", part, text);
}

/* ---- the plan ---- */

static void standby_is_tried_first(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair);
	assert_string_equal(plan_of(&pair, NULL), "D0Q0T0C0P0F0D1Q1T1C1P1F1");
	pair.wish.hand_back = true;
	assert_string_equal(plan_of(&pair, NULL), "D0Q0T0C0P0F0D1Q1T1C1P1F1B1");
	strcpy(pair.now[0].image.version, NEW);
	assert_string_equal(plan_of(&pair, NULL), "D1Q1T1C1P1F1B1");
	strcpy(pair.now[1].image.version, NEW);
	says(plan_of(&pair, NULL), "nothing to do");
}

static void is_refused(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair);
	pair.now[1].image.known = false;
	says(plan_of(&pair, NULL), "fra-b is not the appliance image");
	pair_init(&pair);
	pair.now[0].image.trial = true;
	says(plan_of(&pair, NULL), "for its trial, not confirmed yet");
	pair_init(&pair);
	strcpy(pair.now[1].image.phase, "armed");
	says(plan_of(&pair, NULL), "fra-b is set for a trial");
	pair_init(&pair);
	strcpy(pair.now[1].far, "sin-b of sin is drained");
	says(plan_of(&pair, NULL), "sin-b of sin is drained");
	pair.wish.away = true;
	says(plan_of(&pair, NULL), "D0Q0");
	pair_init(&pair);
	strcpy(pair.wish.image, "20260101.0900-g0000000");
	says(plan_of(&pair, NULL), "is older than");
	pair.wish.older = true;
	says(plan_of(&pair, NULL), "D0Q0");
	pair_init(&pair);
	pair.now[1].drained = true;
	says(plan_of(&pair, NULL), "drained");
}

/* The gateway that runs it has restarted, whichever of the two it is, and whoever is active now. */
static void is_gone_on_with(void **state)
{
	struct pair pair;
	bool resumed;

	(void)state;
	pair_init(&pair);
	pair.wish.hand_back = true;
	pair.record = (struct rolling_record){ .run = 7, .kept = true, .active = 1 };
	/* The first one is on its trial. */
	pair.now[0].drained = true;
	pair.now[0].image.trial = true;
	strcpy(pair.now[0].image.version, NEW);
	strcpy(pair.now[1].far, "sin-b of sin is not heard");
	assert_string_equal(plan_of(&pair, &resumed), "C0P0F0D1Q1T1C1P1F1B1");
	assert_true(resumed);
	/* The second one is. */
	strcpy(pair.now[1].image.version, NEW);
	assert_string_equal(plan_of(&pair, NULL), "C0P0F0");
	pair.record.active = 0;
	assert_string_equal(plan_of(&pair, NULL), "C0P0F0B0");
	/* All is done but for the last step. */
	pair.now[0].drained = false;
	pair.now[0].image.trial = false;
	assert_string_equal(plan_of(&pair, NULL), "B0");
	pair.record.active = 1;
	says(plan_of(&pair, NULL), "nothing to do");
	/* It lost power, and the one on trial had to take over. */
	pair_init(&pair);
	pair.record = (struct rolling_record){ .run = 7, .kept = true, .active = 0 };
	pair.now[1].drained = true;
	strcpy(pair.now[1].image.version, NEW);
	assert_string_equal(plan_of(&pair, NULL), "F1D0Q0T0C0P0F0");
	pair.record.kept = false;
	says(plan_of(&pair, NULL), "active all the same");
}

/* ---- the steps ---- */

static enum rolling_verdict see(struct rolling_watch *watch, struct pair *pair, int64_t now_ms,
				char *reason)
{
	return rolling_see(watch, &pair->before[0], &pair->now[0], &pair->before[1], &pair->now[1],
			   now_ms, reason);
}

static void trial_is_waited_for(void **state)
{
	struct rolling_watch boot = { .step = ROLLING_BOOT, .image = NEW };
	struct rolling_watch trial = { .step = ROLLING_TRIAL, .image = NEW };
	char reason[ROLLING_REASON_LEN];
	struct pair pair;

	(void)state;
	pair_init(&pair);
	pair.now[0].drained = true;
	assert_int_equal(see(&boot, &pair, 0, reason), ROLLING_WAIT);
	pair.now[0].known = false;
	assert_int_equal(see(&boot, &pair, 90000, reason), ROLLING_WAIT);
	pair.now[0].known = true;
	pair.now[0].instance = 0x99;
	strcpy(pair.now[0].image.version, NEW);
	strcpy(pair.now[0].image.phase, "trying");
	pair.now[0].image.trial = true;
	assert_int_equal(see(&boot, &pair, 100000, reason), ROLLING_DONE);
	assert_int_equal(see(&trial, &pair, 100000, reason), ROLLING_WAIT);
	says(reason, "not confirmed yet");
	/* It was found bad, and goes down: netpasd starts another time. */
	strcpy(pair.now[0].image.phase, "failed");
	assert_int_equal(see(&trial, &pair, 100000, reason), ROLLING_WAIT);
	strcpy(pair.now[0].image.phase, "confirmed");
	pair.now[0].image.trial = false;
	assert_int_equal(see(&trial, &pair, 120000, reason), ROLLING_DONE);
	assert_int_equal(trial.instance, 0x99);
}

static void return_stops_it(void **state)
{
	static const enum rolling_step steps[] = { ROLLING_BOOT, ROLLING_TRIAL };
	char reason[ROLLING_REASON_LEN];
	struct pair pair;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct rolling_watch watch = { .step = steps[i], .image = NEW };

		pair_init(&pair);
		pair.now[0].drained = true;
		/* What was left of an earlier trial is none of this one's. */
		strcpy(pair.now[0].image.phase, "returned");
		assert_true(rolling_returned(&pair.now[0].image, NEW));
		assert_int_equal(see(&watch, &pair, 0, reason), ROLLING_WAIT);
		pair.now[0].instance = 0x99;
		strcpy(pair.now[0].image.reason, "a tunnel is missing");
		assert_int_equal(see(&watch, &pair, 10, reason), ROLLING_DOUBT);
		says(reason, "fra-a has come back to " OLD ": a tunnel is missing");
	}
	assert_false(rolling_returned(&pair.now[0].image, OLD));
}

static void job_that_fails_stops_it(void **state)
{
	struct rolling_watch watch = { .step = ROLLING_BOOT, .image = NEW };
	char reason[ROLLING_REASON_LEN];
	struct pair pair;

	(void)state;
	pair_init(&pair);
	pair.now[0].drained = true;
	strcpy(pair.now[0].image.job_name, "try");
	strcpy(pair.now[0].image.job_state, "running");
	assert_int_equal(see(&watch, &pair, 0, reason), ROLLING_WAIT);
	strcpy(pair.now[0].image.job_state, "failed");
	strcpy(pair.now[0].image.job_reason, "it does not lie there");
	assert_int_equal(see(&watch, &pair, 0, reason), ROLLING_DOUBT);
	says(reason, "fra-a: it does not lie there");
}

/* ---- jobs, the pair, the record ---- */

static char dir[] = "/tmp/test_rolling_image.XXXXXX";

static void put(const char *name, const char *text)
{
	char path[96];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	out = fopen(path, "w");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static void job_is_taken_once(void **state)
{
	struct image_job job = { .run = 0x123456789abcdef0, .kind = IMAGE_JOB_TRY, .version = NEW };
	struct image_job got;

	(void)state;
	assert_int_equal(image_job_take(dir, &got), -ENOENT);
	assert_int_equal(image_job_ask(dir, &job), 0);
	assert_int_equal(image_job_look(dir, &got), 0);
	assert_int_equal(got.state, IMAGE_JOB_ASKED);
	assert_int_equal(image_job_take(dir, &got), 0);
	assert_int_equal(got.run, job.run);
	assert_int_equal(got.kind, IMAGE_JOB_TRY);
	assert_string_equal(got.version, NEW);
	assert_int_equal(image_job_take(dir, &got), -ENOENT);
	job.state = IMAGE_JOB_FAILED;
	strcpy(job.reason, "no room");
	assert_int_equal(image_job_tell(dir, &job), 0);
	assert_int_equal(image_job_look(dir, &got), 0);
	assert_int_equal(got.state, IMAGE_JOB_FAILED);
	assert_string_equal(got.reason, "no room");
	/* One that makes no sense is gone, too. */
	put("image-job.json", "{\"run\": 7}");
	assert_int_equal(image_job_take(dir, &got), -EBADMSG);
	assert_int_equal(image_job_take(dir, &got), -ENOENT);
}

static bool judge(const char *here, const char *there, char *reason)
{
	json_t *a = json_loads(here, 0, NULL), *b = json_loads(there, 0, NULL);
	const bool good = upgrade_pair_judge(a, b, reason);

	json_decref(a);
	json_decref(b);
	return good;
}

static void one_of_a_pair_at_a_time(void **state)
{
	static const char idle[] = "{\"rolling\": {\"held\": false, \"image\": {\"trial\": false, "
				   "\"phase\": \"confirmed\", \"written\": \"" NEW "\"}}}";
	char reason[ROLLING_REASON_LEN];

	(void)state;
	assert_true(judge(idle, idle, reason));
	assert_true(judge(idle, "{}", reason)); /* of a version that does not know */
	assert_true(judge("{}", "{}", reason));
	assert_false(judge(idle,
			   "{\"status\": {\"node\": \"fra-b\"}, \"rolling\": {\"image\": "
			   "{\"trial\": true, \"phase\": \"trying\", \"written\": \"" NEW "\"}}}",
			   reason));
	assert_string_equal(reason, "the other gateway, fra-b, is in its trial of " NEW);
	assert_false(judge(idle,
			   "{\"status\": {\"node\": \"fra-b\"}, \"rolling\": {\"image\": "
			   "{\"trial\": false, \"phase\": \"armed\", \"written\": \"" NEW "\"}}}",
			   reason));
	says(reason, "is set for its trial");
	assert_false(judge("{\"rolling\": {\"held\": true, \"record\": {\"kind\": \"upgrade\", "
			   "\"by\": \"fra-a\"}}}",
			   idle, reason));
	says(reason, "a rolling upgrade is under way");
	/* That this one is itself on trial is somebody else's to see. */
	assert_true(judge("{\"rolling\": {\"image\": {\"trial\": true}}}", idle, reason));
}

static bool left(const char *run_state, const char *id, long age_s, struct rolling *r,
		 struct rolling_record *record, char *reason)
{
	char text[1024];
	bool good;

	snprintf(text, sizeof(text),
		 "{\"state\": \"%s\", \"version\": \"" NEW "\", \"at\": %lld, \"boot_id\": \"%s\","
		 " \"run\": \"0000000000000007\", \"before_first\": \"0000000000000010\","
		 " \"before_second\": \"0000000000000011\", \"second_was_active\": true,"
		 " \"wish\": {\"hand_back\": true, \"soak_ms\": 1000, \"deadline_ms\": 0},"
		 " \"log\": [\"one\"], \"later\": 1}",
		 run_state, (long long)time(NULL) - age_s, id);
	put("upgrade/rolling.json", text);
	*r = (struct rolling){ 0 };
	good = rolling_image_load(r, record, reason);
	rolling_image_free(r);
	return good;
}

static void run_is_gone_on_with_once(void **state)
{
	struct rolling_record record = { 0 };
	char reason[ROLLING_REASON_LEN];
	struct rolling r = { 0 };
	char path[96], kept[128];
	const struct upgrade_paths upgrade_paths = { .state_dir = path };

	(void)state;
	snprintf(path, sizeof(path), "%s/upgrade", dir);
	snprintf(kept, sizeof(kept), "%s/rolling.json", path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(setenv("NETPAS_MACHINE", dir, 1), 0);
	put("boot-id", "second\n");
	assert_false(rolling_image_load(&r, &record, reason));
	rolling_image_free(&r);
	assert_true(left("restarting", "first", 60, &r, &record, reason));
	assert_true(record.kept);
	assert_int_equal(record.run, 7);
	assert_int_equal(record.before[1], 0x11);
	assert_int_equal(record.active, 1);
	assert_true(r.wish.upgrade && r.wish.hand_back);
	assert_string_equal(r.wish.image, NEW);
	assert_int_equal(r.soak_ms, 1000);
	/* A power cut in between. */
	assert_true(left("running", "first", 60, &r, &record, reason));
	assert_false(left("done", "first", 60, &r, &record, reason));
	assert_false(left("stopped", "first", 60, &r, &record, reason));
	assert_false(left("running", "second", 60, &r, &record, reason));
	says(reason, "was not restarted since");
	assert_false(left("running", "first", 7200, &r, &record, reason));
	says(reason, "too long");
	put("upgrade/rolling.json", "{\"state\": \"running\", \"at\": ");
	assert_false(rolling_image_load(&r, &record, reason));
	rolling_image_free(&r);
	/* Another run has come here meanwhile. */
	assert_true(left("running", "first", 60, &r, &record, reason));
	rolling_image_forget(&upgrade_paths, 7);
	assert_int_equal(access(kept, F_OK), 0);
	rolling_image_forget(&upgrade_paths, 8);
	assert_int_not_equal(access(kept, F_OK), 0);
}

static int begin(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int end(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(standby_is_tried_first),
		cmocka_unit_test(is_refused),
		cmocka_unit_test(is_gone_on_with),
		cmocka_unit_test(trial_is_waited_for),
		cmocka_unit_test(return_stops_it),
		cmocka_unit_test(job_that_fails_stops_it),
		cmocka_unit_test(job_is_taken_once),
		cmocka_unit_test(one_of_a_pair_at_a_time),
		cmocka_unit_test(run_is_gone_on_with_once),
	};

	return cmocka_run_group_tests(tests, begin, end);
}

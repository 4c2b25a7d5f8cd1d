/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes as GRUB's environment, as a bundle's first line, manifest and signature, as the record of
 * upgrades, as the kernel's line. The first byte says which.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundle.h"
#include "slot.h"
#include "upgrade_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int good)
{
	if (!good)
		abort();
}

/* What is taken is one of the states there are, and is written as it was read. */
static void check_env(const char *text, size_t len)
{
	struct slot_state state, again;
	char buf[SLOT_ENV_SIZE];

	if (slot_env_parse(text, len, &state))
		return;
	check(state.first < SLOT_MAX && state.trial <= SLOT_NONE);
	check(state.slots[SLOT_A].tries <= SLOT_TRIES && state.slots[SLOT_B].tries <= SLOT_TRIES);
	slot_env_format(&state, buf);
	check(!slot_env_parse(buf, sizeof(buf), &again));
	check(again.first == state.first && again.trial == state.trial &&
	      again.slots[SLOT_A].good == state.slots[SLOT_A].good &&
	      again.slots[SLOT_B].tries == state.slots[SLOT_B].tries);
}

static void check_header(const char *text, size_t len)
{
	char reason[BUNDLE_REASON_LEN] = "";
	size_t manifest_len;

	if (bundle_header_parse(text, len, &manifest_len, reason))
		check(*reason);
	else
		check(manifest_len > 0 && manifest_len <= BUNDLE_MANIFEST_MAX);
}

static void check_manifest(const char *text, size_t len)
{
	char reason[BUNDLE_REASON_LEN] = "";
	struct bundle bundle;

	if (bundle_manifest_parse(text, len, &bundle, reason)) {
		check(*reason);
		return;
	}
	check(!bundle_version_check(bundle.version));
	check(bundle.size && !(bundle.size % BUNDLE_BLOCK));
}

/* Nothing of a fuzzer's is signed by anybody, and keys may be any bytes, too. */
static void check_signature(const char *text, size_t len)
{
	static const uint8_t signature[BUNDLE_SIGNATURE_LEN];
	char reason[BUNDLE_REASON_LEN] = "";

	check(bundle_verify(text, len, "upgrade.pub", text, len, signature, reason));
	check(*reason);
}

static void check_record(const char *text, size_t len)
{
	struct upgrade_record record, again;
	char *line;

	if (upgrade_record_parse(text, len, &record))
		return;
	check(record.last.phase < UPGRADE_PHASE_MAX && record.last.slot < SLOT_MAX);
	line = upgrade_record_format(&record);
	/* A text that was cut within a character is none any more. */
	if (line) {
		check(!upgrade_record_parse(line, strlen(line), &again));
		check(again.last.phase == record.last.phase);
	}
	free(line);
}

static void check_line(const char *text, size_t len)
{
	char *line = strndup(text, len);
	enum slot slot;
	bool trial;

	if (!slot_cmdline_parse(line, &slot, &trial))
		check(slot < SLOT_MAX);
	free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const checks[])(const char *text, size_t len) = {
		check_env, check_header, check_manifest, check_signature, check_record, check_line,
	};

	if (size)
		checks[data[0] % 6]((const char *)data + 1, size - 1);
	return 0;
}

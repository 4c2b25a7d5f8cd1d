/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is remembered of upgrades, on the data partition, for people: which versions lie in the slots, and
 * what became of the last upgrade. Nothing is ever started because of it; that is slot.h's.
 *
 *	writing -> written -> armed -> trying -> confirmed
 *	   |                   |        |  `-> failed -> returned
 *	   v                   v        v
 *	broken             cancelled  returned (as it hung, or lost power)
 */
#ifndef NETPAS_UPGRADE_RECORD_H
#define NETPAS_UPGRADE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bundle.h"
#include "slot.h"

enum upgrade_phase {
	UPGRADE_NONE,
	UPGRADE_WRITING,
	UPGRADE_WRITTEN,   /* lies there whole, and is not going to be started */
	UPGRADE_BROKEN,	   /* was not written whole */
	UPGRADE_ARMED,	   /* is started by the next start */
	UPGRADE_CANCELLED, /* before that */
	UPGRADE_TRYING,	   /* has come up, and is looked at */
	UPGRADE_CONFIRMED,
	UPGRADE_FAILED,	  /* was found bad; the machine returns */
	UPGRADE_RETURNED, /* the old slot runs again */
	UPGRADE_PHASE_MAX,
};
extern const char *const upgrade_phase_names[UPGRADE_PHASE_MAX];

#define UPGRADE_REASON_LEN BUNDLE_REASON_LEN

struct upgrade_record {
	char versions[SLOT_MAX][BUNDLE_VERSION_LEN]; /* "": not known, or none */
	struct {
		enum upgrade_phase phase;
		bool rollback;	/* nothing was written: the other slot as it was */
		bool told;	/* its end was said to the events' log */
		enum slot slot; /* the new one */
		char version[BUNDLE_VERSION_LEN], from[BUNDLE_VERSION_LEN];
		char reason[UPGRADE_REASON_LEN];
		int64_t at_s; /* of the phase */
	} last;
};

/* 0, -EBADMSG. */
int upgrade_record_parse(const char *text, size_t len, struct upgrade_record *ret_record);
/* free() it; NULL: out of memory. */
char *upgrade_record_format(const struct upgrade_record *record);

/* dir/record.json. What is not there, or makes no sense, is an empty record. */
void upgrade_record_load(const char *dir, struct upgrade_record *ret_record);
int upgrade_record_store(const char *dir, const struct upgrade_record *record);

#endif

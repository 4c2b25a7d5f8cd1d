/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a rolling upgrade has to be done on a gateway to its slots. netpasd, which may not write there,
 * lays the job into its run directory; netpas-upgrade-job.path sees it, and `netpas upgrade job` takes
 * and does it, and leaves beside it what came of it. A job does not outlive a restart of the machine.
 */
#ifndef NETPAS_IMAGE_JOB_H
#define NETPAS_IMAGE_JOB_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "upgrade.h"

#define IMAGE_JOB_REASON_LEN 200

enum image_job_kind {
	IMAGE_JOB_WRITE, /* the bundle in the state directory into the other slot */
	IMAGE_JOB_TRY,	 /* what lies there: restart into it */
	IMAGE_JOB_KIND_MAX,
};
extern const char *const image_job_kinds[IMAGE_JOB_KIND_MAX];

enum image_job_state {
	IMAGE_JOB_ASKED,
	IMAGE_JOB_RUNNING,
	IMAGE_JOB_DONE,
	IMAGE_JOB_FAILED,
	IMAGE_JOB_STATE_MAX,
};
extern const char *const image_job_states[IMAGE_JOB_STATE_MAX];

struct image_job {
	uint64_t run;
	enum image_job_kind kind;
	enum image_job_state state;
	bool older; /* may be older than what runs */
	char version[BUNDLE_VERSION_LEN];
	char reason[IMAGE_JOB_REASON_LEN];
};

/* STATE_DIR/image.bundle: where the bundle is put for it. 0 or -ENAMETOOLONG. */
int image_job_bundle(const char *state_dir, char path[static PATH_MAX]);

/* For netpasd: lay it down as asked for. 0 or -errno. */
int image_job_ask(const char *run_dir, const struct image_job *job);
/* For who does it: take it away. 0, -ENOENT, -EBADMSG or -errno. */
int image_job_take(const char *run_dir, struct image_job *ret_job);
int image_job_tell(const char *run_dir, const struct image_job *job);
/* What was told of the last one, or asked for. 0 or -errno. */
int image_job_look(const char *run_dir, struct image_job *ret_job);

json_t *image_job_json(const struct image_job *job); /* a new reference */

#endif

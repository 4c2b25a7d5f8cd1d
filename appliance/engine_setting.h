/* SPDX-License-Identifier: GPL-2.0-only */
/* What the configuration's `engine` means on this machine, now. */
#ifndef NETPAS_ENGINE_SETTING_H
#define NETPAS_ENGINE_SETTING_H

#include "config.h"
#include "engine_choice.h"
#include "kernel.h"

struct engine_setting {
	enum state_engine engine;
	char reason[ENGINE_REASON_LEN];
	char damage[ENGINE_RECORD_WORDS]; /* of the record, which was ignored; "" none */
};

/* -EOPNOTSUPP: what is configured is not here, and ret_error says so; -errno: it could not be found out, likewise. */
int engine_setting_make(struct kernel *kernel, const struct config *config, const char *state_dir,
			struct engine_setting *ret_setting, const char **ret_error);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine_setting.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

/* The processor and the program are looked at only if there is a record of them. */
static enum state_engine choose(bool kernel, const char *state_dir, struct engine_setting *setting)
{
	struct engine_machine machine;
	struct engine_record record;
	char program[PATH_MAX], words[ENGINE_RECORD_WORDS];
	struct engine_facts facts = {
		.kernel = kernel,
		.netpas_wg = engines_installed(ENGINE_PROGRAM, program),
	};
	int rc = engine_record_read(state_dir, &record, words);

	if (!rc) {
		engine_machine_read(facts.netpas_wg ? program : NULL, &machine);
		facts.machine = &machine;
		facts.record = &record;
	} else if (rc != -ENOENT) {
		snprintf(setting->damage, sizeof(setting->damage), "%s", words);
		facts.damaged = true;
	}
	return engine_choose(&facts, setting->reason) == ENGINE_KERNEL ? STATE_ENGINE_KERNEL
								       : STATE_ENGINE_USER;
}

int engine_setting_make(struct kernel *kernel, const struct config *config, const char *state_dir,
			struct engine_setting *ret_setting, const char **ret_error)
{
	const enum config_engine wish = config->node.engine;
	struct engine_setting setting = { .damage = "" };

	int rc = 0;

	if (wish == CONFIG_ENGINE_KERNEL || wish == CONFIG_ENGINE_AUTO)
		rc = kernel_probe_wireguard(kernel);
	if (rc && rc != -EOPNOTSUPP) {
		*ret_error = "this kernel does not say now whether it has WireGuard; its log may "
			     "tell why";
		return rc;
	}
	snprintf(setting.reason, sizeof(setting.reason), "configured");
	switch (wish) {
	case CONFIG_ENGINE_USER:
	case CONFIG_ENGINE_WIREGUARD_GO:
		setting.engine = STATE_ENGINE_USER;
		break;
	case CONFIG_ENGINE_KERNEL:
		setting.engine = STATE_ENGINE_KERNEL;
		if (!rc)
			break;
		*ret_error =
			"engine is 'kernel', but this kernel has no WireGuard; use 'auto' or 'user'";
		return -EOPNOTSUPP;
	case CONFIG_ENGINE_AUTO:
		setting.engine = choose(!rc, state_dir, &setting);
		break;
	case CONFIG_ENGINE_MAX:
		return -EINVAL;
	}
	*ret_setting = setting;
	return 0;
}

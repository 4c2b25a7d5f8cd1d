/* SPDX-License-Identifier: GPL-2.0-only */
/* First boot of the appliance, see netpas-provision(8). */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "provision_run.h"
#include "provision_setup.h"

static const struct {
	const char *name;
	int (*run)(const struct provision_options *options);
} commands[] = {
	{ "local", provision_run_local }, { "network", provision_run_network },
	{ "setup", provision_setup },	  { "console", provision_console },
	{ "show", provision_run_show },	  { "nics", provision_run_nics },
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int usage(void)
{
	fprintf(stderr,
		"usage: netpas-provision local|network|show|nics|setup|console [-data DIR] [-run DIR]\n"
		"       [-sys DIR] [-dev DIR] [-seed DIR] [-cloud NAME] [-metadata URL] [-files-only]\n");
	return 2;
}

/* What takes an argument. */
static const char **option_slot(struct provision_options *options, const char *name)
{
	const struct {
		const char *name;
		const char **slot;
	} known[] = {
		{ "-data", &options->data },	     { "-run", &options->run },
		{ "-sys", &options->sys },	     { "-dev", &options->dev },
		{ "-seed", &options->seed },	     { "-cloud", &options->cloud },
		{ "-metadata", &options->metadata },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!strcmp(known[i].name, name))
			return known[i].slot;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct provision_options options = {
		.data = "/data",
		.run = "/run/netpas-provision",
		.sys = "/sys",
		.dev = "/dev",
	};
	const char **slot;

	if (argc < 2)
		return usage();
	for (int i = 2; i < argc; i++) {
		slot = option_slot(&options, argv[i]);
		if (!strcmp(argv[i], "-files-only"))
			options.files_only = true;
		else if (slot && i + 1 < argc)
			*slot = argv[++i];
		else
			return usage();
	}
	umask(0022);
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (!strcmp(commands[i].name, argv[1]))
			return commands[i].run(&options);
	}
	return usage();
}

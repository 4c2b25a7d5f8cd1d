/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The netpas command. -c, -r and -s are the same for all commands and may stand before or after
 * the command's name; what else begins with '-' belongs to the command.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "config.h"
#include "diag.h"
#include "drill_client.h"
#include "key.h"
#include "word.h"

enum exit_code {
	EXIT_GOOD = 0,
	EXIT_ERROR = 1,
	EXIT_USAGE = 2,
};

struct command {
	const char *name, *arguments, *help;
	int (*run)(const struct client_paths *paths, int argc, char **argv);
	int max_arguments; /* -1: the command looks at its arguments and options itself */
};

static int run_check(const struct client_paths *paths, int argc, char **argv);
static int run_show(const struct client_paths *paths, int argc, char **argv);
static int run_keygen(const struct client_paths *paths, int argc, char **argv);
static int run_pubkey(const struct client_paths *paths, int argc, char **argv);
static int run_version(const struct client_paths *paths, int argc, char **argv);
static int run_help(const struct client_paths *paths, int argc, char **argv);

static const struct command commands[] = {
	{ "check", "", "check the configuration and say what it is", run_check, 0 },
	{ "show", "config [mesh|node]", "print the configuration in full, in canonical form",
	  run_show, 2 },
	{ "keygen", "[FILE]", "make a private key, print its public key", run_keygen, 1 },
	{ "pubkey", "[FILE]", "print the public key of a private key", run_pubkey, 1 },
	{ "status", "[--json]", "show this node, its peers and its role", client_status, -1 },
	{ "paths", "[--json]", "show the paths to each peer, and which are chosen", client_paths,
	  -1 },
	{ "drops", "[--json]", "show what the data plane's programs counted", client_drops, -1 },
	{ "events", "[--since TIME] [--kind KIND,...] [--last N] [--follow] [--json]",
	  "show what happened, and why", client_events, -1 },
	{ "top", "", "show what happens now, refreshing; q quits", client_top, -1 },
	{ "support", "[FILE]", "put all that helps to find a fault into one archive, without keys",
	  client_support, -1 },
	{ "capture", "[OPTION...] FILE|-",
	  "packets as the data plane saw them, with what it did and why, as pcapng", client_capture,
	  -1 },
	{ "drill", "list|plan|run|report|history|key ...",
	  "break something on purpose, and measure", drill_client, -1 },
	{ "plan", "", "show what would change to match the configuration", client_plan, -1 },
	{ "reload", "", "have the daemon read the configuration again", client_reload, -1 },
	{ "switchover", "[--force]",
	  "hand the active role to the other gateway of the site, or "
	  "take it from there",
	  client_switchover, -1 },
	{ "drain", "[--end] [--force]", "keep this gateway from being active, for maintenance",
	  client_drain, -1 },
	{ "rolling", "restart|upgrade [BUNDLE]|status ...",
	  "restart the pair, one gateway after the other, or upgrade it", client_rolling, -1 },
	{ "upgrade", "BUNDLE|-|status|rollback ...",
	  "take another version of the appliance image, in its other slot", client_upgrade, -1 },
	{ "sync", "[--dry-run|--yes]", "give the other gateway of the site this mesh.yaml",
	  client_sync, -1 },
	{ "cloud", "check", "ask the cloud's API what it would take to become active", client_cloud,
	  -1 },
	{ "usage", "[merge|export] ...", "what was carried, by site, subnet, class, day, month",
	  client_usage, -1 },
	{ "bench", "engine [--trials N] [--seconds N] [--force] [--json]",
	  "measure this machine's WireGuard engines; 'engine: auto' goes by it", client_bench, -1 },
	{ "setup", "", "configure an appliance by questions, in place of user data", client_setup,
	  -1 },
	{ "down", "", "remove everything netpas has set up on this node", client_down, -1 },
	{ "version", "", "print the version", run_version, 0 },
	{ "help", "[COMMAND]", "print this, or about one command", run_help, 1 },
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct {
	const char *name, *argument, *help;
	size_t offset; /* in struct client_paths */
} options[] = {
	{ "-c", "DIR", "configuration directory (/etc/netpas)",
	  offsetof(struct client_paths, config_dir) },
	{ "-r", "DIR", "directory of the daemon's socket (/run/netpas)",
	  offsetof(struct client_paths, run_dir) },
	{ "-s", "DIR", "directory of what outlives a reboot (/var/lib/netpas)",
	  offsetof(struct client_paths, state_dir) },
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

static const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	}
	return NULL;
}

static void print_help(FILE *out)
{
	fputs("usage: netpas [-c DIR] [-r DIR] [-s DIR] COMMAND [ARGUMENT...]\n\ncommands:\n", out);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(out, "  %-10s %-18s %s\n", commands[i].name, commands[i].arguments,
			commands[i].help);
	fputs("\noptions:\n", out);
	for (size_t i = 0; i < N_OPTIONS; i++)
		fprintf(out, "  %s %-22s  %s\n", options[i].name, options[i].argument,
			options[i].help);
}

static void print_usage(const struct command *command, FILE *out)
{
	fprintf(out, "usage: netpas [-c DIR] [-r DIR] [-s DIR] %s%s%s\n", command->name,
		*command->arguments ? " " : "", command->arguments);
}

/* "netpas: MESSAGE" and, if there is one, the nearest word. Returns EXIT_USAGE. */
static int usage_error(const struct word_guess *guess, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static int usage_error(const struct word_guess *guess, const char *fmt, ...)
{
	va_list args;

	fputs("netpas: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	if (guess && guess->nearest)
		fprintf(stderr, "; did you mean '%s'?\n", guess->nearest);
	else
		fputs("; see 'netpas help'\n", stderr);
	return EXIT_USAGE;
}

static int unknown_option(const char *option)
{
	struct word_guess guess;

	word_guess_init(&guess, option);
	for (size_t i = 0; i < N_OPTIONS; i++)
		word_guess_offer(&guess, options[i].name);
	word_guess_offer(&guess, "--help");
	word_guess_offer(&guess, "--version");
	return usage_error(&guess, "unknown option '%s'", option);
}

static int unknown_command(const char *name)
{
	struct word_guess guess;

	word_guess_init(&guess, name);
	for (size_t i = 0; i < N_COMMANDS; i++)
		word_guess_offer(&guess, commands[i].name);
	return usage_error(&guess, "unknown command '%s'", name);
}

/* Load, or print what is wrong. NULL: exit with EXIT_ERROR. */
static struct config *load(const struct client_paths *paths)
{
	struct diag_list *diags = diag_list_new();
	struct config *config = NULL;
	int ret = -ENOMEM;

	if (diags)
		ret = config_load(paths->config_dir, diags, &config);
	if (ret == -EINVAL) {
		diag_print(diags, stderr);
		fprintf(stderr, "%zu error%s; nothing was applied\n", diag_count(diags),
			diag_count(diags) == 1 ? "" : "s");
	} else if (ret) {
		fprintf(stderr, "netpas: cannot load the configuration: %s\n", strerror(-ret));
	}
	diag_list_free(diags);
	return config;
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static int run_check(const struct client_paths *paths, int argc, char **argv)
{
	size_t n_gateways = 0, n_subnets = 0;
	const struct config_mesh *mesh;
	struct config *config;

	(void)argc;
	(void)argv;
	config = load(paths);
	if (!config)
		return EXIT_ERROR;
	mesh = &config->mesh;
	for (size_t i = 0; i < mesh->n_sites; i++) {
		n_gateways += mesh->sites[i].n_gateways;
		n_subnets += mesh->sites[i].n_subnets;
	}
	printf("ok: %zu site%s, %zu gateway%s, %zu relay%s, %zu subnet%s; "
	       "this node is %s (id %u)%s%s\n",
	       mesh->n_sites, plural(mesh->n_sites), n_gateways, plural(n_gateways), mesh->n_relays,
	       plural(mesh->n_relays), n_subnets, plural(n_subnets), config->node.name,
	       config_self_id(config), config->is_relay ? ", a relay" : " of site ",
	       config->is_relay ? "" : config_self_site(config)->name);
	config_free(config);
	return EXIT_GOOD;
}

static int run_show(const struct client_paths *paths, int argc, char **argv)
{
	static const char *const parts[] = { "mesh", "node" };
	const char *part = argc > 2 ? argv[2] : NULL;
	struct word_guess guess;
	struct config *config;

	if (argc < 2)
		return usage_error(NULL, "show what? 'config' is what there is");
	if (strcmp(argv[1], "config")) {
		word_guess_init(&guess, argv[1]);
		word_guess_offer(&guess, "config");
		return usage_error(&guess, "cannot show '%s'", argv[1]);
	}
	if (part && strcmp(part, parts[0]) && strcmp(part, parts[1])) {
		word_guess_init(&guess, part);
		word_guess_offer(&guess, parts[0]);
		word_guess_offer(&guess, parts[1]);
		return usage_error(&guess, "there is no configuration of '%s'", part);
	}
	config = load(paths);
	if (!config)
		return EXIT_ERROR;
	if (!part)
		puts("# mesh.yaml");
	if (!part || !strcmp(part, parts[0]))
		config_print_mesh(config, stdout);
	if (!part)
		puts("\n# node.yaml");
	if (!part || !strcmp(part, parts[1]))
		config_print_node(config, stdout);
	config_free(config);
	return EXIT_GOOD;
}

/* The file that is named, or the default one; free() it. */
static char *key_path(const struct client_paths *paths, int argc, char **argv)
{
	size_t len = strlen(paths->config_dir);
	char *path;

	if (argc > 1)
		return strdup(argv[1]);
	if (asprintf(&path, "%s%sprivate.key", paths->config_dir,
		     !len || paths->config_dir[len - 1] == '/' ? "" : "/") < 0)
		return NULL;
	return path;
}

static void print_public(const struct key *private_key)
{
	struct key public_key;
	char text[KEY_STRLEN];

	key_public(private_key, &public_key);
	puts(key_format(&public_key, text));
}

static int run_keygen(const struct client_paths *paths, int argc, char **argv)
{
	char *path = key_path(paths, argc, argv);
	struct key private_key;
	int ret = -ENOMEM;

	if (path) {
		key_generate(&private_key);
		ret = key_file_create(path, &private_key);
		if (!ret)
			print_public(&private_key);
		key_wipe(&private_key);
	}
	if (ret == -EEXIST)
		fprintf(stderr, "netpas: %s is there already and was left as it is\n", path);
	else if (ret)
		fprintf(stderr, "netpas: cannot write %s: %s\n", path ? path : "the key",
			strerror(-ret));
	free(path);
	return ret ? EXIT_ERROR : EXIT_GOOD;
}

static int run_pubkey(const struct client_paths *paths, int argc, char **argv)
{
	char *path = key_path(paths, argc, argv);
	struct key private_key;
	const char *reason;
	int ret = -ENOMEM;

	if (path)
		ret = key_file_read(path, &private_key);
	if (!ret) {
		print_public(&private_key);
		key_wipe(&private_key);
	} else {
		reason = ret == -EPERM	   ? "open to group or others; chmod 600 it"
			 : ret == -EUCLEAN ? "belongs to another user"
			 : ret == -EINVAL  ? "does not hold a private key"
					   : strerror(-ret);
		fprintf(stderr, "netpas: %s: %s\n", path ? path : "key file", reason);
	}
	free(path);
	return ret ? EXIT_ERROR : EXIT_GOOD;
}

static int run_version(const struct client_paths *paths, int argc, char **argv)
{
	(void)paths;
	(void)argc;
	(void)argv;
	puts("netpas " NETPAS_VERSION);
	return EXIT_GOOD;
}

static int run_help(const struct client_paths *paths, int argc, char **argv)
{
	const struct command *command;

	(void)paths;
	if (argc < 2) {
		print_help(stdout);
		return EXIT_GOOD;
	}
	command = command_find(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	print_usage(command, stdout);
	printf("  %s\n", command->help);
	return EXIT_GOOD;
}

/*
 * Take -c, -r and -s out of argv[1..]; the rest moves up. Returns the new argc, or -EXIT_USAGE.
 * After "--" nothing is an option.
 */
static int take_options(int argc, char **argv, struct client_paths *paths)
{
	int kept = 1;

	for (int i = 1; i < argc; i++) {
		const char **field = NULL;
		size_t o;

		if (!strcmp(argv[i], "--")) {
			while (i < argc)
				argv[kept++] = argv[i++];
			break;
		}
		for (o = 0; o < N_OPTIONS && strncmp(argv[i], options[o].name, 2); o++)
			;
		if (o == N_OPTIONS) {
			argv[kept++] = argv[i];
			continue;
		}
		field = (const char **)((char *)paths + options[o].offset);
		if (argv[i][2])
			*field = argv[i] + 2;
		else if (i + 1 < argc)
			*field = argv[++i];
		else
			return -usage_error(NULL, "option '%s' needs a directory", argv[i]);
	}
	argv[kept] = NULL;
	return kept;
}

/* For commands that have no options of their own. argv[0] is the command. */
static int check_arguments(const struct command *command, int argc, char **argv)
{
	int n = 0;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--")) {
			memmove(argv + i, argv + i + 1, (size_t)(argc - i) * sizeof(*argv));
			argc--;
			n = argc - 1;
			break;
		}
		if (*argv[i] == '-')
			return -unknown_option(argv[i]);
		n++;
	}
	if (n > command->max_arguments) {
		fprintf(stderr, "netpas: too many arguments for '%s'\n", command->name);
		print_usage(command, stderr);
		return -EXIT_USAGE;
	}
	return argc;
}

int main(int argc, char **argv)
{
	struct client_paths paths = {
		.config_dir = "/etc/netpas",
		.run_dir = "/run/netpas",
		.state_dir = "/var/lib/netpas",
	};
	const struct command *command;
	int ret;

	argc = take_options(argc, argv, &paths);
	if (argc < 0)
		return -argc;
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		command = command_find("help");
	} else if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		command = command_find("version");
	} else {
		command = command_find(argv[1]);
		if (!command)
			return *argv[1] == '-' ? unknown_option(argv[1]) : unknown_command(argv[1]);
	}
	argc--;
	argv++;
	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		print_usage(command, stdout);
		printf("  %s\n", command->help);
		return EXIT_GOOD;
	}
	if (command->max_arguments >= 0) {
		argc = check_arguments(command, argc, argv);
		if (argc < 0)
			return -argc;
	}
	ret = command->run(&paths, argc, argv);
	if (fflush(stdout) || ferror(stdout)) {
		perror("netpas: cannot write the output");
		return EXIT_ERROR;
	}
	return ret;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The answers become a "#netpas" document, and that goes the way of all user data. Each is checked as soon as
 * it is given, by the code that checks the document; what is wrong is asked for again.
 */
#include "provision_setup.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cloud/adapter.h"
#include "cloud_http.h"
#include "config.h"
#include "diag.h"
#include "provision_nic.h"
#include "provision_screen.h"
#include "provision_store.h"
#include "tree.h"

#define NODES_MAX 512
#define LOOK_MS 5000 /* between two looks whether a console shows what is so */

struct choice {
	char name[CONFIG_NAME_MAX], site[CONFIG_NAME_MAX]; /* site "": a relay */
};

struct wizard {
	const struct provision_options *options;
	struct provision_nic nics[PROVISION_NICS_MAX];
	size_t n_nics;
	char *mesh;
	size_t mesh_len;
	struct choice *nodes;
	size_t n_nodes;
	const struct choice *node;
	size_t lan, wans[PROVISION_WANS_MAX], n_wans; /* in nics; lan SIZE_MAX: none */
	FILE *out;				      /* the document */
};

/* ---- questions ---- */

/* A line without its end; NULL: the input has ended. free() it. */
static char *read_line(void)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	fflush(stdout);
	len = getline(&line, &size, stdin);
	if (len < 0) {
		free(line);
		return NULL;
	}
	while (len && strchr(" \t\r\n", line[len - 1]))
		line[--len] = '\0';
	return line;
}

/* Empty answers are the default. NULL: the input has ended, or no memory. */
static char *ask(const char *otherwise, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static char *ask(const char *otherwise, const char *fmt, ...)
{
	va_list args;
	char *line;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	if (otherwise && *otherwise)
		printf(" [%s]", otherwise);
	printf(": ");
	line = read_line();
	if (line && !*line && otherwise) {
		free(line);
		line = strdup(otherwise);
	}
	return line;
}

/*
 * Ask until an answer is good. check says what is wrong with it, or returns NULL. NULL: the input has
 * ended.
 */
typedef const char *check_fn(struct wizard *wizard, char *answer);

static char *insist(struct wizard *wizard, check_fn *check, const char *otherwise,
		    const char *question)
{
	const char *fault;
	char *answer;

	while ((answer = ask(otherwise, "%s", question))) {
		fault = check(wizard, answer);
		if (!fault)
			return answer;
		printf("  %s\n", fault);
		free(answer);
	}
	return NULL;
}

/* It was given; it is freed. */
static bool done_with(char *answer)
{
	const bool given = answer;

	free(answer);
	return given;
}

/* Calls for each item of a list by commas or white space; the first fault, or NULL. */
static const char *each(struct wizard *wizard, const char *list, check_fn *check)
{
	const char *fault = NULL;
	char *copy = strdup(list), *at = copy, *item;

	while (copy && !fault && (item = strsep(&at, ", \t"))) {
		if (*item)
			fault = check(wizard, item);
	}
	free(copy);
	return copy ? fault : "out of memory";
}

/* ---- mesh and node ---- */

static const struct tree_node *find(const struct tree_node *map, const char *word)
{
	for (const struct tree_node *key = map->kind == TREE_MAP ? map->first : NULL; key;
	     key = key->next) {
		if (key->kind == TREE_SCALAR && !strcmp(key->text, word))
			return key->value;
	}
	return NULL;
}

static const char *name_of(const struct tree_node *map)
{
	const struct tree_node *name = find(map, "name");

	return name && name->kind == TREE_SCALAR ? name->text : "";
}

static void add_nodes(struct wizard *wizard, const struct tree_node *list, const char *site)
{
	struct choice *node;

	if (!list || list->kind != TREE_LIST)
		return;
	for (const struct tree_node *item = list->first; item && wizard->n_nodes < NODES_MAX;
	     item = item->next) {
		node = &wizard->nodes[wizard->n_nodes];
		if (!*name_of(item) || strlen(name_of(item)) >= sizeof(node->name) ||
		    strlen(site) >= sizeof(node->site))
			continue;
		strcpy(node->name, name_of(item));
		strcpy(node->site, site);
		wizard->n_nodes++;
	}
}

static void list_nodes(struct wizard *wizard, const struct tree_node *root)
{
	const struct tree_node *sites = find(root, "sites");

	wizard->n_nodes = 0;
	for (const struct tree_node *site = sites && sites->kind == TREE_LIST ? sites->first : NULL;
	     site; site = site->next) {
		const struct tree_node *gateways = find(site, "gateways");

		if (*name_of(site))
			add_nodes(wizard, gateways, name_of(site));
	}
	if (find(root, "relays"))
		add_nodes(wizard, find(root, "relays"), "");
}

/* As `netpas check` does, as whichever node. True after no error. */
static bool mesh_good(struct wizard *wizard)
{
	struct diag_list *diags = diag_list_new();
	struct config *config = NULL;
	struct tree *tree = NULL;
	char node[128] = "node: none\ninterfaces: {lan: lan, wan: [wan]}\n";
	int source, ret = -ENOMEM;

	if (!diags)
		return false;
	source = diag_source_add(diags, "mesh.yaml", wizard->mesh, wizard->mesh_len);
	if (source >= 0)
		ret = tree_parse(wizard->mesh, wizard->mesh_len, diags, source, &tree);
	if (!ret)
		list_nodes(wizard, tree_root(tree));
	tree_free(tree);
	if (!ret && wizard->n_nodes)
		snprintf(node, sizeof(node), "node: %s\ninterfaces: {%swan: [wan]}\n",
			 wizard->nodes[0].name, *wizard->nodes[0].site ? "lan: lan, " : "");
	if (!ret && !diag_count(diags))
		ret = config_parse("mesh.yaml", wizard->mesh, wizard->mesh_len, "node", node,
				   strlen(node), true, diags, &config);
	config_free(config);
	fflush(stdout);
	diag_print(diags, stdout);
	if (ret == -ENOMEM)
		puts("  out of memory");
	ret = ret || diag_count(diags) || !wizard->n_nodes;
	diag_list_free(diags);
	return !ret;
}

/* Lines up to one with a single dot, also where they are too many to be kept. False: the input has ended. */
static bool paste(struct wizard *wizard)
{
	FILE *out;
	char *line;
	bool ended = false, whole = true;

	puts("Paste mesh.yaml now, and then a line with a single dot.");
	out = open_memstream(&wizard->mesh, &wizard->mesh_len);
	while (out && (line = read_line())) {
		ended = !strcmp(line, ".");
		whole = whole && ftell(out) + strlen(line) < PROVISION_TEXT_MAX;
		if (!ended && whole)
			fprintf(out, "%s\n", line);
		free(line);
		if (ended)
			break;
	}
	if (!out || fclose(out))
		return false;
	if (!whole) {
		puts("  more than 4 MiB: no mesh.yaml is as long");
		free(wizard->mesh);
		wizard->mesh = NULL;
	}
	return ended;
}

static void fetch(struct wizard *wizard, const char *url)
{
	struct cloud_request request;
	struct cloud_response response = { 0 };
	char reason[CLOUD_ERROR_LEN] = "";
	struct cloud_http *http;

	if (cloud_http_new(NULL, -1, &http))
		return;
	cloud_request_init(&request, CLOUD_GET, strdup(url), NULL);
	if (!request.url || cloud_http_exchange(&request, &response, reason, http)) {
		printf("  %s\n", reason);
	} else if (response.status != 200) {
		printf("  %s: status %u\n", url, response.status);
	} else {
		wizard->mesh = response.body;
		wizard->mesh_len = response.len;
		response.body = NULL;
	}
	cloud_response_fini(&response);
	cloud_request_fini(&request);
	cloud_http_free(http);
}

/* One try. False: the input has ended. */
static bool take_mesh(struct wizard *wizard)
{
	char *where = ask("paste", "mesh.yaml: 'paste', or an https address, or a file's path");
	bool going = where != NULL;
	int ret;

	if (!where)
		return false;
	if (!strcmp(where, "paste")) {
		going = paste(wizard);
	} else if (!strncmp(where, "https://", 8)) {
		fetch(wizard, where);
	} else if (!strncmp(where, "http://", 7)) {
		puts("  anybody on the way could change it: use https, or paste it");
	} else {
		ret = provision_file_read(where, &wizard->mesh, &wizard->mesh_len);
		if (ret)
			printf("  %s: %s\n", where, strerror(-ret));
	}
	free(where);
	return going;
}

static bool ask_mesh(struct wizard *wizard)
{
	wizard->nodes = calloc(NODES_MAX, sizeof(*wizard->nodes));
	while (wizard->nodes && take_mesh(wizard)) {
		if (wizard->mesh && mesh_good(wizard))
			return true;
		if (wizard->mesh)
			puts("  This mesh cannot be used. Put it right, and give it again.");
		free(wizard->mesh);
		wizard->mesh = NULL;
	}
	return false;
}

/* The place in a list of n that a number stands for; SIZE_MAX: it is none of them. */
static size_t place_of(const char *answer, size_t n)
{
	char *end;
	const unsigned long number = strtoul(answer, &end, 10);

	return *end || !number || number > n ? SIZE_MAX : number - 1;
}

/* A name may begin with a number, or be one. */
static const char *check_node(struct wizard *wizard, char *answer)
{
	size_t number = 0;

	while (number < wizard->n_nodes && strcmp(answer, wizard->nodes[number].name))
		number++;
	if (number == wizard->n_nodes)
		number = place_of(answer, wizard->n_nodes);
	if (number == SIZE_MAX)
		return "one of the names above, or its number";
	wizard->node = &wizard->nodes[number];
	return NULL;
}

static bool ask_node(struct wizard *wizard)
{
	char *answer;

	for (size_t i = 0; i < wizard->n_nodes; i++) {
		const struct choice *node = &wizard->nodes[i];

		printf("  %zu: %s (%s%s)\n", i + 1, node->name,
		       *node->site ? "gateway of " : "relay", node->site);
	}
	answer = insist(wizard, check_node, NULL, "Which node is this");
	return done_with(answer);
}

static const char *check_hostname(struct wizard *wizard, char *answer)
{
	(void)wizard;
	return provision_hostname_good(answer) ? NULL
					       : "letters, digits and '-', with dots between";
}

static bool ask_hostname(struct wizard *wizard)
{
	char *answer = insist(wizard, check_hostname, wizard->node->name, "Host name");

	if (answer)
		fprintf(wizard->out, "hostname: \"%s\"\n", answer);
	return done_with(answer);
}

/* ---- interfaces ---- */

/* A name or a number of the list; SIZE_MAX: none. */
static size_t nic_number(const struct wizard *wizard, const char *answer)
{
	for (size_t i = 0; i < wizard->n_nics; i++) {
		if (!strcmp(answer, wizard->nics[i].name))
			return i;
	}
	return place_of(answer, wizard->n_nics);
}

static const char *check_lan(struct wizard *wizard, char *answer)
{
	wizard->lan = nic_number(wizard, answer);
	return wizard->lan == SIZE_MAX ? "one of the interfaces above: its name or number" : NULL;
}

static const char *add_wan(struct wizard *wizard, char *answer)
{
	const size_t number = nic_number(wizard, answer);

	if (number == SIZE_MAX)
		return "interfaces of the list above: their names or numbers, by commas";
	if (number == wizard->lan)
		return "that is the LAN's interface";
	for (size_t i = 0; i < wizard->n_wans; i++) {
		if (wizard->wans[i] == number)
			return "one of them is there twice";
	}
	if (wizard->n_wans == PROVISION_WANS_MAX)
		return "more than eight";
	wizard->wans[wizard->n_wans++] = number;
	return NULL;
}

static const char *check_wans(struct wizard *wizard, char *answer)
{
	const char *fault;

	wizard->n_wans = 0;
	fault = each(wizard, answer, add_wan);
	return fault ? fault : wizard->n_wans ? NULL : "at least one";
}

static bool ask_nics(struct wizard *wizard)
{
	const bool gateway = *wizard->node->site;
	char text[PROVISION_NIC_STRLEN], *answer;

	puts("Network interfaces:");
	for (size_t i = 0; i < wizard->n_nics; i++)
		printf("  %s\n", provision_nic_format(&wizard->nics[i], i + 1, text));
	if (wizard->n_nics < (gateway ? 2 : 1)) {
		printf("  This machine has %zu; a %s needs %s. Add one, and boot again.\n",
		       wizard->n_nics, gateway ? "gateway" : "relay",
		       gateway ? "two, LAN and WAN" : "one");
		return false;
	}
	wizard->lan = SIZE_MAX;
	if (gateway) {
		answer = insist(wizard, check_lan, "2", "LAN interface");
		if (!done_with(answer))
			return false;
	}
	answer = insist(wizard, check_wans, wizard->lan ? "1" : "2", "WAN interfaces");
	if (!done_with(answer))
		return false;
	fputs("interfaces:\n", wizard->out);
	if (gateway)
		fprintf(wizard->out, "  lan: {mac: \"%s\"}\n",
			provision_mac_format(wizard->nics[wizard->lan].mac, text));
	fputs("  wan:\n", wizard->out);
	for (size_t i = 0; i < wizard->n_wans; i++)
		fprintf(wizard->out, "    - {mac: \"%s\"}\n",
			provision_mac_format(wizard->nics[wizard->wans[i]].mac, text));
	return true;
}

/* ---- addresses ---- */

static const char *is_address(struct wizard *wizard, char *answer)
{
	struct provision_address address;

	(void)wizard;
	return provision_address_parse(answer, &address)
		       ? "addresses have a length, such as 192.0.2.10/24"
		       : NULL;
}

static const char *is_bare_address(struct wizard *wizard, char *answer)
{
	struct ip_addr addr;

	(void)wizard;
	return ip_addr_parse(answer, &addr) ? "addresses without a length, such as 192.0.2.1"
					    : NULL;
}

static const char *is_prefix(struct wizard *wizard, char *answer)
{
	struct ip_prefix prefix;
	int ret = ip_prefix_parse(answer, &prefix);

	(void)wizard;
	return ret == -EDOM ? "this prefix has host bits set"
	       : ret	    ? "prefixes, such as 198.51.100.0/24"
			    : NULL;
}

static const char *check_addressing(struct wizard *wizard, char *answer)
{
	return !strcmp(answer, "dhcp") || !strcmp(answer, "mesh")
		       ? NULL
		       : each(wizard, answer, is_address);
}

static const char *check_bare_list(struct wizard *wizard, char *answer)
{
	return each(wizard, answer, is_bare_address);
}

static const char *check_prefix_list(struct wizard *wizard, char *answer)
{
	return each(wizard, answer, is_prefix);
}

/* "word: [a, b]", if there are any. */
static void print_list(FILE *out, const char *indent, const char *word, const char *list)
{
	char *copy = strdup(list), *at = copy, *item;
	bool first = true;

	while (copy && (item = strsep(&at, ", \t"))) {
		if (!*item)
			continue;
		if (first)
			fprintf(out, "%s%s: [\"%s\"", indent, word, item);
		else
			fprintf(out, ", \"%s\"", item);
		first = false;
	}
	if (!first)
		fputs("]\n", out);
	free(copy);
}

static bool ask_list(struct wizard *wizard, const char *indent, const char *word,
		     const char *question)
{
	char *answer = insist(wizard, check_bare_list, "", question);

	if (answer)
		print_list(wizard->out, indent, word, answer);
	return done_with(answer);
}

static bool ask_wan(struct wizard *wizard, size_t number)
{
	char question[96], *answer;
	bool is_static;

	snprintf(question, sizeof(question), "WAN %s: 'dhcp', or addresses with length",
		 wizard->nics[wizard->wans[number]].name);
	answer = insist(wizard, check_addressing, "dhcp", question);
	if (!answer)
		return false;
	is_static = strcmp(answer, "dhcp") && strcmp(answer, "mesh");
	if (is_static)
		print_list(wizard->out, "    - ", "addresses", answer);
	else
		fputs("    - dhcp\n", wizard->out);
	free(answer);
	return !is_static || (ask_list(wizard, "      ", "gateway", "  Default gateway") &&
			      ask_list(wizard, "      ", "dns", "  DNS servers"));
}

static bool ask_addresses(struct wizard *wizard)
{
	char *answer;

	fputs("network:\n", wizard->out);
	if (wizard->lan != SIZE_MAX) {
		answer =
			insist(wizard, check_addressing, "mesh",
			       "LAN: 'mesh' for the addresses that are there, 'dhcp', or addresses "
			       "with length");
		if (answer && !strcmp(answer, "dhcp"))
			fputs("  lan: dhcp\n", wizard->out);
		else if (answer && strcmp(answer, "mesh")) {
			fputs("  lan:\n", wizard->out);
			print_list(wizard->out, "    ", "addresses", answer);
		}
		if (!done_with(answer))
			return false;
	}
	fputs("  wan:\n", wizard->out);
	for (size_t i = 0; i < wizard->n_wans; i++) {
		if (!ask_wan(wizard, i))
			return false;
	}
	return true;
}

/* ---- who may log in ---- */

static const char *check_key(struct wizard *wizard, char *answer)
{
	(void)wizard;
	return *answer ? provision_key_fault(answer, strlen(answer)) : NULL;
}

static bool ask_login(struct wizard *wizard, char **ret_allow)
{
	char *answer;
	bool any = false;

	while ((answer = insist(wizard, check_key, NULL,
				any ? "Another SSH public key, or nothing"
				    : "SSH public key that may log in, or nothing"))) {
		if (!*answer)
			break;
		/* Comments may have anything in them; in quotes of YAML two characters matter. */
		fprintf(wizard->out, "%s  - \"", any ? "" : "ssh_authorized_keys:\n");
		for (const char *at = answer; *at; at++)
			fprintf(wizard->out, strchr("\\\"", *at) ? "\\%c" : "%c", *at);
		fputs("\"\n", wizard->out);
		any = true;
		free(answer);
	}
	if (!done_with(answer))
		return false;
	*ret_allow = insist(wizard, check_prefix_list, "",
			    "Prefixes from which SSH may come, by commas, or nothing");
	return *ret_allow;
}

/* ---- the document ---- */

static void print_node(struct wizard *wizard, const char *allow)
{
	char *copy = strdup(allow), *at = copy, *item;
	const char *line = wizard->mesh, *end = line + wizard->mesh_len;
	size_t len;
	bool any = false;

	fprintf(wizard->out, "node:\n  node: %s\n", wizard->node->name);
	while (copy && (item = strsep(&at, ", \t"))) {
		if (*item)
			fprintf(wizard->out, "%s    - {from: \"%s\", tcp: 22}\n",
				any ? "" : "  allow:\n", item);
		any |= *item;
	}
	free(copy);
	fputs("mesh:\n", wizard->out);
	for (; line < end; line += len + 1) {
		const char *eol = memchr(line, '\n', (size_t)(end - line));

		len = (size_t)((eol ? eol : end) - line);
		if (len >= 3 && !memcmp(line, "---", 3)) /* where a document begins */
			continue;
		fprintf(wizard->out, "  %.*s\n", (int)len, line);
	}
}

/* 1: all is answered; 0: the input has ended. */
static int ask_all(struct wizard *wizard)
{
	char *allow = NULL;
	bool done;

	fputs("#netpas\n", wizard->out);
	done = ask_mesh(wizard) && ask_node(wizard) && ask_hostname(wizard) && ask_nics(wizard) &&
	       ask_addresses(wizard) && ask_login(wizard, &allow);
	if (done)
		print_node(wizard, allow);
	free(allow);
	return done;
}

static int apply(const struct wizard *wizard, char *document, size_t len)
{
	struct provision_seed seed = { .source = "setup", .by_hand = true };
	bool changed = false;
	char *answer;
	int ret;

	answer = ask("yes", "Write this configuration");
	if (!answer || strcmp(answer, "yes")) {
		puts("Nothing is written.");
		return done_with(answer) ? 1 : 130;
	}
	free(answer);
	seed.user_data = document;
	seed.user_data_len = len;
	ret = provision_run_apply(wizard->options, &seed, &changed);
	if (changed) {
		puts("Done.");
		provision_run_activate(wizard->options);
	}
	return ret ? 1 : 0;
}

int provision_setup(const struct provision_options *options)
{
	struct wizard wizard = { .options = options };
	char *document = NULL;
	size_t len = 0;
	int ret = 1;

	puts("\nNetpas setup. Nothing is written before the last question. An empty answer takes "
	     "what\nstands in brackets. This box:");
	if (provision_run_show(options) ||
	    provision_nics_read(options->sys, wizard.nics, &wizard.n_nics))
		return 1;
	wizard.out = open_memstream(&document, &len);
	if (!wizard.out)
		return 1;
	ret = ask_all(&wizard) ? 0 : 130;
	if (fclose(wizard.out))
		ret = 1;
	if (!ret)
		ret = apply(&wizard, document, len);
	else if (feof(stdin))
		puts("\nThe input has ended; nothing is written.");
	free(document);
	free(wizard.mesh);
	free(wizard.nodes);
	return ret;
}

/* ---- consoles ---- */

static bool is_configured(const struct provision_options *options)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/netpas/node.yaml", options->data);
	return !access(path, F_OK);
}

/* Until Enter is pressed (true), or there is something else to show, or the input ends. */
static bool wait_for_enter(const struct provision_options *options, const char *state)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	bool same = true;
	char *text;

	fflush(stdout);
	while (same) {
		int n = poll(&input, 1, LOOK_MS);

		if (n < 0 && errno != EINTR)
			return false;
		text = n > 0 ? read_line() : provision_screen_state(options);
		if (n > 0) {
			free(text);
			return text;
		}
		same = !text || !state || !strcmp(text, state);
		free(text);
	}
	return false;
}

static void print_text(char *text)
{
	if (text)
		fputs(text, stdout);
	free(text);
}

int provision_console(const struct provision_options *options)
{
	char *state;

	/* What is typed is looked for by poll(), which does not see what was read ahead. */
	setvbuf(stdin, NULL, _IONBF, 0);
	while (!feof(stdin) && !ferror(stdin)) {
		const bool configured = is_configured(options);

		state = provision_screen_state(options);
		putchar('\n');
		print_text(provision_screen_facts(options));
		(void)provision_run_show(options); /* says itself what is wrong */
		print_text(provision_screen_next(options));
		puts(configured ? "There is no login here. Press Enter to see this again."
				: "Press Enter to begin.");
		if (wait_for_enter(options, state) && !configured && !is_configured(options))
			(void)provision_setup(options); /* again, if it has not come to its end */
		free(state);
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netpas-cloud: what an active gateway says to its cloud's API.
 *
 *	netpas-cloud agent SOCKET	run by netpasd: lines of JSON by a Unix socket, both ways
 *	netpas-cloud check DIR		read, change nothing, say what is there (netpas cloud check)
 *
 * A process of its own, so that netpasd never waits for a name server, a handshake or an answer,
 * holds no keys, and lives on whatever an answer does to a parser. It ends with its connection.
 *
 * From netpasd: {"config": {...}} first, then {"active": true, "generation": 7} at every change. To
 * it: a status, at every change of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "cloud/claim.h"
#include "cloud_http.h"
#include "config.h"
#include "log.h"

#define LINE_MAX_LEN (64u << 10)
#define LOOK_AGAIN_MS 10000 /* after a look while standby that failed */

struct agent {
	int fd;
	char line[LINE_MAX_LEN];
	size_t len;
	struct cloud_config *config;
	struct cloud_http *http;
	struct cloud_session session;
	struct claim claim;
	struct cloud_view view; /* of the last read */
	int64_t view_ms;
	char error[CLOUD_ERROR_LEN]; /* of the last try; "" it was good */
	char *said;		     /* the last status */
	bool ended;
};

static int64_t now_s(void)
{
	return time(NULL);
}

/* ---- with netpasd ---- */

static void take_config(struct agent *agent, json_t *json)
{
	uint64_t seed = 1;

	if (agent->config || cloud_config_unpack(json, &agent->config)) {
		log_error("cloud: the configuration from netpasd is not understood");
		agent->ended = true;
		return;
	}
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = (uint64_t)getpid();
	if (cloud_http_new(agent->config->words[CLOUD_WORD_CA], agent->fd, &agent->http)) {
		log_error("cloud: out of memory");
		agent->ended = true;
		return;
	}
	agent->session = (struct cloud_session){
		.config = agent->config,
		.exchange = cloud_http_exchange,
		.now_s = now_s,
		.data = agent->http,
	};
	claim_init(&agent->claim, agent->config->node, agent->config->verify_ms, seed,
		   clock_now_ms());
}

static void take_line(struct agent *agent, const char *line, size_t len)
{
	json_error_t where;
	json_t *json = json_loadb(line, len, 0, &where);
	json_t *config = json_object_get(json, "config"), *active = json_object_get(json, "active");
	const json_int_t generation = json_integer_value(json_object_get(json, "generation"));

	if (config)
		take_config(agent, config);
	else if (agent->config && json_is_boolean(active) && generation >= 0)
		claim_role(&agent->claim, json_is_true(active), (uint64_t)generation,
			   clock_now_ms());
	json_decref(json);
}

/* Wait up to timeout_ms for lines, and take them. */
static void listen_for(struct agent *agent, int64_t timeout_ms)
{
	struct pollfd pfd = { .fd = agent->fd, .events = POLLIN };
	char *newline;
	ssize_t n;

	if (poll(&pfd, 1, timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms) <= 0)
		return;
	n = recv(agent->fd, agent->line + agent->len, sizeof(agent->line) - agent->len,
		 MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		agent->ended = true;
		return;
	}
	agent->len += (size_t)n;
	while ((newline = memchr(agent->line, '\n', agent->len))) {
		const size_t len = (size_t)(newline - agent->line);

		take_line(agent, agent->line, len);
		agent->len -= len + 1;
		memmove(agent->line, newline + 1, agent->len);
	}
	if (agent->len == sizeof(agent->line))
		agent->ended = true;
}

static json_t *make_status(const struct agent *agent)
{
	const struct claim *claim = &agent->claim;
	const struct cloud_view *view = &agent->view;
	uint64_t highest = view->rival_generation;

	if (view->own_generation > highest)
		highest = view->own_generation;
	return json_pack("{s:s, s:b, s:I, s:I, s:s, s:I, s:I, s:s, s:s}", "state",
			 claim_state_names[claim->state], "held", claim->held, "since",
			 (json_int_t)(now_s() - (clock_now_ms() - claim->since_ms) / 1000),
			 "generation", (json_int_t)claim->generation, "rival", view->rival,
			 "rival_generation", (json_int_t)view->rival_generation, "highest",
			 (json_int_t)highest, "elsewhere", view->misplaced ? view->where : "",
			 "error", agent->error);
}

/* Tell netpasd if anything of it has changed. A second more or less of "since" is no change. */
static void tell(struct agent *agent)
{
	json_t *status = make_status(agent);
	char *text, *line;
	size_t len;

	json_t *since = json_object_get(status, "since");

	json_incref(since);
	json_object_del(status, "since");
	text = json_dumps(status, JSON_COMPACT | JSON_SORT_KEYS);
	json_object_set_new(status, "since", since);
	if (text && (!agent->said || strcmp(text, agent->said))) {
		line = json_dumps(status, JSON_COMPACT);
		len = line ? strlen(line) : 0;
		if (line)
			line[len] = '\n'; /* takes the place of the NUL */
		if (!line || send(agent->fd, line, len + 1, MSG_NOSIGNAL) != (ssize_t)len + 1)
			agent->ended = true;
		free(line);
		free(agent->said);
		agent->said = text;
		text = NULL;
	}
	free(text);
	json_decref(status);
}

/* ---- work ---- */

static void work_done(struct agent *agent, int rc, enum claim_event event)
{
	const struct cloud_session *session = &agent->session;

	if (rc == -ECANCELED) /* the line that came says what to do now */
		return;
	if (rc)
		memcpy(agent->error, session->error, sizeof(agent->error));
	claim_take(&agent->claim, rc ? CLAIM_EVENT_FAILED : event,
		   rc ? session->retry_after_s * 1000 : 0, clock_now_ms());
}

static int look(struct agent *agent)
{
	const int64_t before_ms = clock_now_ms();
	struct cloud_view view;
	int rc = cloud_read(&agent->session, &view);

	if (rc)
		return rc;
	agent->view = view;
	agent->view_ms = before_ms;
	return 0;
}

static void work_read(struct agent *agent)
{
	enum claim_event event = CLAIM_EVENT_FAILED;
	const bool asserted = agent->claim.asserted;
	int rc = look(agent);

	if (!rc) {
		event = claim_judge(&agent->claim, &agent->view);
		agent->error[0] = '\0';
		if (event == CLAIM_EVENT_MISPLACED && asserted)
			snprintf(agent->error, sizeof(agent->error),
				 "asked for and not done: %.240s", agent->view.where);
	}
	work_done(agent, rc, event);
}

static void work_look(struct agent *agent)
{
	int rc = look(agent);

	if (rc == -ECANCELED)
		agent->claim.due_ms = clock_now_ms(); /* unless there is better to do now */
	else if (rc)
		memcpy(agent->error, agent->session.error, sizeof(agent->error));
	else
		agent->error[0] = '\0';
	if (rc && rc != -ECANCELED)
		agent->claim.due_ms = clock_now_ms() + LOOK_AGAIN_MS;
}

static void work_assert(struct agent *agent)
{
	/* A process that was stopped or starved knows nothing any more. */
	if (clock_now_ms() - agent->view_ms > CLAIM_FRESH_MS) {
		snprintf(agent->error, sizeof(agent->error),
			 "what was read is too old to act upon: reading again");
		claim_take(&agent->claim, CLAIM_EVENT_FAILED, 0, clock_now_ms());
		return;
	}
	work_done(agent, cloud_assert(&agent->session, &agent->view, agent->claim.generation),
		  CLAIM_EVENT_WRITTEN);
}

static void run(struct agent *agent)
{
	int64_t delay_ms;

	while (!agent->ended) {
		if (!agent->config) {
			listen_for(agent, -1);
			continue;
		}
		switch (claim_work(&agent->claim, clock_now_ms(), &delay_ms)) {
		case CLAIM_WORK_NONE:
			break;
		case CLAIM_WORK_LOOK:
			work_look(agent);
			break;
		case CLAIM_WORK_CLAIM:
			work_done(agent, cloud_claim(&agent->session, agent->claim.generation),
				  CLAIM_EVENT_WRITTEN);
			break;
		case CLAIM_WORK_READ:
			work_read(agent);
			break;
		case CLAIM_WORK_ASSERT:
			work_assert(agent);
			break;
		}
		tell(agent);
		listen_for(agent, delay_ms);
	}
}

static int run_agent(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct agent *agent = calloc(1, sizeof(*agent));
	int rc = 1;

	if (!agent || strlen(path) >= sizeof(address.sun_path))
		goto out;
	strcpy(address.sun_path, path);
	agent->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (agent->fd < 0 ||
	    connect(agent->fd, (const struct sockaddr *)&address, sizeof(address))) {
		log_error("cloud: %s: %s", path, strerror(errno));
		goto out;
	}
	run(agent);
	rc = 0;
	cloud_session_fini(&agent->session);
	cloud_http_free(agent->http);
	cloud_config_free(agent->config);
	free(agent->said);
	close(agent->fd);
out:
	free(agent);
	return rc;
}

/* ---- check ---- */

static void print_items(const struct cloud_config *config, const struct cloud_view *view)
{
	char text[192];

	for (size_t i = 0; i < config->n_items; i++)
		printf("%-9s %s\n", view->misplaced >> i & 1 ? "elsewhere" : "here",
		       cloud_item_text(&config->items[i], text));
	if (view->misplaced)
		printf("first     %s\n", view->where);
}

/* Nothing is written: that this is permitted too shows when the gateway becomes active. */
static int check_cloud(const struct cloud_config *config)
{
	struct cloud_session session = { .config = config,
					 .exchange = cloud_http_exchange,
					 .now_s = now_s };
	struct cloud_http *http = NULL;
	struct cloud_view view;
	int rc = cloud_http_new(config->words[CLOUD_WORD_CA], -1, &http);

	session.data = http;
	printf("provider  %s\n", cloud_provider_names[config->provider]);
	if (rc)
		fprintf(stderr, "netpas: out of memory\n");
	if (!rc) {
		rc = cloud_keys_ready(&session);
		printf("keys      %s\n", rc ? "none" : "there");
	}
	if (!rc)
		rc = cloud_read(&session, &view);
	if (rc && *session.error) {
		fprintf(stderr, "netpas: %s\n", session.error);
	} else if (!rc) {
		printf("claim     of this node: ");
		if (view.own_generation)
			printf("%" PRIu64 "\n", view.own_generation);
		else
			printf("none yet\n");
		if (*view.rival)
			printf("claim     of %s: %" PRIu64 "\n", view.rival, view.rival_generation);
		print_items(config, &view);
	}
	cloud_session_fini(&session);
	cloud_http_free(http);
	return rc ? 1 : 0;
}

static int run_check(const char *dir)
{
	struct diag_list *diags = diag_list_new();
	struct config *config = NULL;
	int rc = diags ? config_load(dir, diags, &config) : -ENOMEM;

	if (rc == -EINVAL)
		diag_print(diags, stderr);
	else if (rc)
		fprintf(stderr, "netpas: cannot load the configuration: %s\n", strerror(-rc));
	diag_list_free(diags);
	if (rc)
		return 1;
	if (config->node.cloud) {
		rc = check_cloud(config->node.cloud);
	} else {
		fprintf(stderr, "netpas: node.yaml has no 'cloud' section\n");
		rc = 1;
	}
	config_free(config);
	return rc;
}

int main(int argc, char **argv)
{
	log_init(false);
	/* No core, and nobody's debugger: there are keys in memory. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && !strcmp(argv[1], "agent"))
		return run_agent(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "check"))
		return run_check(argv[2]);
	fprintf(stderr, "usage: netpas-cloud agent SOCKET | check DIR\n"
			"netpasd and 'netpas cloud check' run it\n");
	return 2;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "drill_agent.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "drill_fault.h"
#include "drill_serve.h"
#include "event.h"
#include "log.h"

#define RETRY_US 1000000 /* while an agent of an earlier netpasd has the port */

struct drill_agent {
	struct sd_event *event;
	const char *run_dir;
	const struct config *config;
	struct sd_event_source *io, *end, *retry;
	struct drill_keys keys;
	uint16_t port; /* that fd is bound to */
	int fd;
	int end_fd; /* ends with the agent */
	bool complained;
	bool cleaned;
};

static void lock_path(const char *run_dir, char path[static PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/drill.lock", run_dir);
}

/* Held by agents and their guards. The lock, or -EBUSY. */
static int take_lock(const char *run_dir)
{
	char path[PATH_MAX];
	int fd;

	lock_path(run_dir, path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		close(fd);
		return -EBUSY;
	}
	return fd;
}

/*
 * In the agent. What netpasd has open is not ours: its lock would outlive it with us, its sockets
 * would be answered by nobody.
 */
static void become_agent(struct drill_agent *agent, int end_fd, const struct drill_packet *first)
{
	const unsigned int low = (unsigned int)(agent->fd < end_fd ? agent->fd : end_fd);
	const unsigned int high = (unsigned int)(agent->fd < end_fd ? end_fd : agent->fd);
	sigset_t none;

	/* It fails on an empty range alone. */
	(void)close_range(3, low - 1, 0);
	(void)close_range(low + 1, high - 1, 0);
	(void)close_range(high + 1, ~0u, 0);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_NAME, "netpas-drill");
	if (take_lock(agent->run_dir) < 0)
		_exit(1);
	drill_serve(agent->config, agent->run_dir, agent->fd, first);
	_exit(0);
}

static int agent_ended(struct sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct drill_agent *agent = data;

	(void)revents;
	agent->end = sd_event_source_disable_unref(source);
	close(fd);
	agent->end_fd = -1;
	event_info(EVENT_DRILL, "drill: the agent has ended");
	if (agent->io)
		sd_event_source_set_enabled(agent->io, SD_EVENT_ON);
	return 0;
}

/* As a child of nobody: netpasd need not wait for it, and may end before it. */
static void start_agent(struct drill_agent *agent, const struct drill_packet *first)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return;
	pid = fork();
	if (!pid) {
		if (setsid() < 0 || fork())
			_exit(0);
		become_agent(agent, ends[1], first);
	}
	close(ends[1]);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0); /* it ends at once */
	if (pid < 0 ||
	    sd_event_add_io(agent->event, &agent->end, ends[0], EPOLLIN, agent_ended, agent) < 0) {
		event_error(EVENT_DRILL, "drill: no agent can be started: %s", strerror(errno));
		close(ends[0]);
		return;
	}
	agent->end_fd = ends[0];
	sd_event_source_set_enabled(agent->io, SD_EVENT_OFF);
	event_info(EVENT_DRILL, "drill: a gateway asks for it, the agent is started");
}

static int agent_readable(struct sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct drill_agent *agent = data;
	struct drill_message message;
	struct drill_packet packet;
	socklen_t from_len = sizeof(packet.from);
	ssize_t n;

	(void)source;
	(void)revents;
	n = recvfrom(fd, packet.buf, sizeof(packet.buf), MSG_DONTWAIT,
		     (struct sockaddr *)&packet.from, &from_len);
	if (n <= 0)
		return 0;
	packet.len = (size_t)n;
	if (!drill_serve_read(&agent->keys, &packet, &message) && message.type == DRILL_HELLO)
		start_agent(agent, &packet);
	return 0;
}

static int bind_port(uint16_t port)
{
	const struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	const int off = 0, buffer = 4 << 20;
	int fd, rc;

	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Room for what comes while the agent is not given a CPU. Less is as good where it is not allowed. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)))
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) ||
	    bind(fd, (const struct sockaddr *)&any, sizeof(any))) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static void stop_listening(struct drill_agent *agent)
{
	agent->io = sd_event_source_disable_unref(agent->io);
	if (agent->fd >= 0)
		close(agent->fd);
	agent->fd = -1;
	agent->port = 0;
}

static int retry_due(struct sd_event_source *source, uint64_t usec, void *data)
{
	struct drill_agent *agent = data;

	(void)usec;
	agent->retry = sd_event_source_unref(source);
	drill_agent_configure(agent, agent->config);
	return 0;
}

/* What was left is undone when it is sure that nobody else does it. */
static void clean(struct drill_agent *agent)
{
	const int lock = take_lock(agent->run_dir);

	if (lock < 0)
		return;
	drill_fault_clean(agent->config, agent->run_dir);
	agent->cleaned = true;
	close(lock);
}

void drill_agent_configure(struct drill_agent *agent, const struct config *config)
{
	const uint32_t port =
		config->mesh.port_base + DRILL_PORT_AGENT * (uint32_t)CONFIG_LANE_PORTS;
	const uint32_t last =
		config->mesh.port_base + DRILL_PORT_PROBE * (uint32_t)CONFIG_LANE_PORTS;

	if (agent->config != config)
		agent->keys = (struct drill_keys){ .config = config };
	agent->config = config;
	if (config->is_relay)
		return;
	if (!agent->cleaned)
		clean(agent);
	if (agent->port == port && agent->fd >= 0 && config->node.drills != CONFIG_DRILLS_OFF)
		return;
	stop_listening(agent);
	if (last > UINT16_MAX || config->node.drills == CONFIG_DRILLS_OFF)
		return;
	agent->fd = bind_port((uint16_t)port);
	if (agent->fd >= 0 && sd_event_add_io(agent->event, &agent->io, agent->fd, EPOLLIN,
					      agent_readable, agent) >= 0) {
		agent->port = (uint16_t)port;
		return;
	}
	if (!agent->complained && agent->fd != -EADDRINUSE)
		log_error("drill: UDP port %u: %s", port, strerror(-agent->fd));
	agent->complained = true;
	stop_listening(agent);
	if (!agent->retry)
		(void)sd_event_add_time_relative(agent->event, &agent->retry, CLOCK_MONOTONIC,
						 RETRY_US, 0, retry_due,
						 agent); /* else no drills */
}

int drill_agent_new(struct sd_event *event, const char *run_dir, struct drill_agent **ret_agent)
{
	struct drill_agent *agent = calloc(1, sizeof(*agent));

	if (!agent)
		return -ENOMEM;
	agent->event = event;
	agent->run_dir = run_dir;
	agent->fd = -1;
	agent->end_fd = -1;
	*ret_agent = agent;
	return 0;
}

void drill_agent_free(struct drill_agent *agent)
{
	if (!agent)
		return;
	stop_listening(agent);
	sd_event_source_disable_unref(agent->retry);
	sd_event_source_disable_unref(agent->end);
	if (agent->end_fd >= 0)
		close(agent->end_fd);
	explicit_bzero(&agent->keys, sizeof(agent->keys));
	free(agent);
}

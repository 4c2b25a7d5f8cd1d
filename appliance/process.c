/* SPDX-License-Identifier: GPL-2.0-only */
#include "process.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define NAME_LEN 16 /* of /proc/PID/comm */
#define PROGRAMS_MAX 8
#define OWN_NAME "netpasd" /* also that of a trial of what is installed, which is no part of this */

struct program {
	char name[NAME_LEN]; /* "": free */
	unsigned int running;
	unsigned long ended;
	double cpu_s; /* of those that are gone */
	uint64_t rss_bytes;
};

struct process {
	struct process *next;
	struct program *program;
	pid_t pid;
	double cpu_s; /* when last looked at */
};

static struct program programs[PROGRAMS_MAX];
static struct process *processes;

/* ---- /proc ---- */

static void read_name(pid_t pid, char name[static NAME_LEN])
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	name[0] = '\0';
	file = fopen(path, "re");
	if (!file)
		return;
	if (fgets(name, NAME_LEN, file))
		name[strcspn(name, "\n")] = '\0';
	fclose(file);
}

static bool read_stat(pid_t pid, double *ret_cpu_s, uint64_t *ret_rss_bytes)
{
	unsigned long user, system;
	long rss;
	char path[64], line[512];
	const char *end;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	end = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	fclose(file);
	/* Behind the name: state, and eleven that are of no use here (proc(5)). */
	if (!end || sscanf(end + 1,
			   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d"
			   " %*d %*d %*d %*u %*u %ld",
			   &user, &system, &rss) != 3)
		return false;
	*ret_cpu_s = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
	*ret_rss_bytes = (uint64_t)rss * (uint64_t)sysconf(_SC_PAGESIZE);
	return true;
}

/* It and its children: keepalived does its work in one. */
static void look(struct process *process, uint64_t *ret_rss_bytes)
{
	double cpu_s = 0, one_s;
	uint64_t rss = 0, one;
	char path[64];
	FILE *file;
	int child;

	if (read_stat(process->pid, &one_s, &one)) {
		cpu_s = one_s;
		rss = one;
	}
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)process->pid,
		 (int)process->pid);
	file = fopen(path, "re");
	while (file && fscanf(file, "%d", &child) == 1)
		if (read_stat(child, &one_s, &one)) {
			cpu_s += one_s;
			rss += one;
		}
	if (file)
		fclose(file);
	/* A child that has ended takes its time with it. */
	if (cpu_s > process->cpu_s)
		process->cpu_s = cpu_s;
	*ret_rss_bytes = rss;
}

/* ---- who is counted ---- */

static struct program *find_program(const char *name)
{
	size_t i = 0;

	while (i < PROGRAMS_MAX && *programs[i].name && strcmp(programs[i].name, name))
		i++;
	if (i == PROGRAMS_MAX)
		return NULL;
	memcpy(programs[i].name, name, NAME_LEN);
	return &programs[i];
}

struct process *process_watch(pid_t pid)
{
	struct process *process;
	struct program *program;
	char name[NAME_LEN] = { 0 };

	read_name(pid, name);
	program = *name && strcmp(name, OWN_NAME) ? find_program(name) : NULL;
	process = program ? calloc(1, sizeof(*process)) : NULL;
	if (!process)
		return NULL;
	process->pid = pid;
	process->program = program;
	process->next = processes;
	processes = process;
	program->running++;
	return process;
}

void process_forget(struct process *process, bool unasked)
{
	struct process **at = &processes;
	uint64_t rss;

	if (!process)
		return;
	while (*at != process)
		at = &(*at)->next;
	*at = process->next;
	look(process, &rss); /* one that has ended and was not waited for still tells */
	process->program->running--;
	process->program->ended += unasked;
	process->program->cpu_s += process->cpu_s;
	free(process);
}

/* ---- the list ---- */

static double own_cpu_s(void)
{
	struct rusage usage = { 0 };

	(void)getrusage(RUSAGE_SELF, &usage); /* cannot fail */
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static json_t *make_entry(const char *name, unsigned int running, unsigned long ended, double cpu_s,
			  uint64_t rss_bytes)
{
	return json_pack("{s:s, s:i, s:I, s:f, s:I}", "process", name, "running", (int)running,
			 "ended", (json_int_t)ended, "cpu_s", cpu_s, "rss_bytes",
			 (json_int_t)rss_bytes);
}

json_t *process_list(void)
{
	double cpu_s[PROGRAMS_MAX], own_s;
	json_t *list = json_array();
	uint64_t rss = 0;

	for (size_t i = 0; i < PROGRAMS_MAX; i++) {
		cpu_s[i] = programs[i].cpu_s;
		programs[i].rss_bytes = 0;
	}
	for (struct process *process = processes; process; process = process->next) {
		look(process, &rss);
		process->program->rss_bytes += rss;
		cpu_s[process->program - programs] += process->cpu_s;
	}
	rss = 0;
	(void)read_stat(getpid(), &own_s, &rss); /* its ticks are coarser than getrusage() */
	json_array_append_new(list, make_entry(OWN_NAME, 1, 0, own_cpu_s(), rss));
	for (size_t i = 0; i < PROGRAMS_MAX && *programs[i].name; i++)
		json_array_append_new(list, make_entry(programs[i].name, programs[i].running,
						       programs[i].ended, cpu_s[i],
						       programs[i].rss_bytes));
	return list;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What netpasd and the programs that it keeps running cost, by name of the program: engines are many
 * processes, keepalived is several. CPU time only grows while netpasd lives: that of a process that
 * has ended stays counted, as far as it was last looked at.
 */
#ifndef NETPAS_PROCESS_H
#define NETPAS_PROCESS_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

struct process;

/* From now on it is counted; NULL: there is no memory for it, and it is not. */
struct process *process_watch(pid_t pid);

/* Not any more. Free. unasked: it has ended, and nobody had asked for that. NULL is fine. */
void process_forget(struct process *process, bool unasked);

/*
 * [{"process", "running", "ended", "cpu_s", "rss_bytes"}]: this process first. ended: how often one
 * of that name ended unasked. NULL: out of memory.
 */
json_t *process_list(void);

#endif

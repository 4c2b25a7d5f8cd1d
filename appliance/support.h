/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the texts of `netpas support` come from. */
#ifndef NETPAS_SUPPORT_H
#define NETPAS_SUPPORT_H

#include <stddef.h>
#include <stdio.h>

#define SUPPORT_TEXT_MAX (16u << 20) /* of one of them, bytes; of longer ones the end is kept */

/*
 * What a program prints on both its outputs, and at the end how it ended; one that is not done in
 * time is killed. args[0] is looked for in PATH. What goes wrong is told in the text.
 */
char *support_run(const char *const args[], int timeout_ms, size_t *ret_len);

/* A file, or why it cannot be read. For those of /proc too, whose size is not known. */
char *support_read(const char *path, size_t *ret_len);

/* Programs and maps of the kernel with their names, counts and memory; and what is pinned. */
void support_bpf(FILE *out);

/* This machine's clocks, and whether somebody keeps them right. */
void support_clock(FILE *out);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The page of `netpas top`, out of what the daemon says and what the kernel counts. */
#ifndef NETPAS_TOP_H
#define NETPAS_TOP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Counters of one interface. */
struct top_device {
	char name[16];
	uint64_t rx_bytes, rx_packets, tx_bytes, tx_packets;
};

/* All as of one moment; what is NULL is not known. */
struct top_sample {
	uint64_t at_us; /* CLOCK_MONOTONIC */
	json_t *status, *paths, *drops, *events;
	struct top_device *devices;
	size_t n_devices;
};

struct top_screen {
	unsigned int rows, columns; /* rows 0: as many as it takes */
	bool colour;
};

/* Interfaces in the text of /proc/net/dev. 0 or -ENOMEM; what cannot be read is left out. */
int top_devices_parse(const char *text, struct top_device **ret_devices, size_t *ret_n);

/* Up to six characters: "0", "12.3k", "1.23G". */
#define TOP_NUMBER_LEN 16
const char *top_number(double value, char buf[static TOP_NUMBER_LEN]);

/*
 * Lines, none longer than the screen is wide, and no more than it has rows. Rates are those between
 * before (NULL: none are known yet) and now. time: what the clock says, for the first line.
 */
void top_render(const struct top_sample *before, const struct top_sample *now, const char *time,
		const struct top_screen *screen, FILE *out);

void top_sample_fini(struct top_sample *sample);

#endif

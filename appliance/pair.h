/* SPDX-License-Identifier: GPL-2.0-only */
/* What this gateway does when its partner asks (pair_channel.h), and where it listens for that. */
#ifndef NETPAS_PAIR_H
#define NETPAS_PAIR_H

struct config;
struct daemon;
struct pair;

/*
 * Listen as this configuration says (not needed after the call); the first call makes daemon->pair.
 * What fails is logged once, shown in the status, and tried again by the next call: two gateways that
 * cannot talk forward all the same.
 */
void pair_configure(struct daemon *daemon, const struct config *config);
void pair_free(struct pair *pair);

/* Why the partner cannot ask anything; "" if it can, or there is none. */
const char *pair_problem(const struct pair *pair);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Burstable billing: the average rates of five minutes, the highest 5 % dropped, the next one
 * counts. Samples that were not taken are missing and not zero: they are neither in the list nor in
 * its length. Of in and out, each with its own percentile, the larger is billed. Pure.
 */
#ifndef NETPAS_USAGE_RATE_H
#define NETPAS_USAGE_RATE_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of slots, in any order (which is changed). 0: none. */
uint64_t usage_p95_bytes(uint64_t *bytes, size_t n);

/* Bits a second of so many bytes in so many seconds, rounded down. */
uint64_t usage_bps(uint64_t bytes, uint64_t seconds);

/*
 * "100M", "1.5G", "800k", "2000000": bits a second, in powers of 1000; "bit/s", "bps" may follow.
 * 0 or -EINVAL.
 */
int usage_rate_parse(const char *text, uint64_t *ret_bps);

#define USAGE_RATE_LEN 16
/* At most 7 columns: "123.4M", "9.99G", "0"; of bits a second, or of bytes. Returns buf. */
const char *usage_number_format(uint64_t value, char buf[static USAGE_RATE_LEN]);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Any frame: refused and nothing touched, or an answer to us; the first byte says which protocol. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "solicit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t own4[4] = { 172, 16, 1, 2 };
	static const uint8_t own6[16] = { 0xfd, 0, 0, 0x16, 0, 1, [15] = 2 };
	struct solicit_answer before, answer;
	int err;

	if (!size)
		return 0;
	memset(&before, 0x5a, sizeof(before));
	memcpy(&answer, &before, sizeof(answer));
	if (data[0] & 1)
		err = solicit_parse_arp(data + 1, size - 1, own4, &answer);
	else
		err = solicit_parse_nd(data + 1, size - 1, own6, &answer);
	if (err) {
		check(err == -EBADMSG);
		check(memcmp(&answer, &before, sizeof(answer)) == 0);
		return 0;
	}
	check(answer.family == (data[0] & 1 ? 4 : 6));
	check(size - 1 >= (data[0] & 1 ? SOLICIT_ARP_LEN : 64));
	return 0;
}

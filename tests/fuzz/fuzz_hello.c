/* SPDX-License-Identifier: GPL-2.0-only */
/* Any datagram: refused and nothing touched, or a hello that says the same when sent on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hello before, hello, again;
	uint8_t buf[HELLO_LEN], buf_again[HELLO_LEN];
	int err;

	memset(&before, 0x5a, sizeof(before));
	memset(&again, 0x5a, sizeof(again));
	memcpy(&hello, &before, sizeof(hello));
	err = hello_decode(data, size, &hello);
	if (err) {
		check(err == -EBADMSG || err == -EPROTO);
		check(memcmp(&hello, &before, sizeof(hello)) == 0);
		return 0;
	}
	check(size >= HELLO_LEN_MIN);
	check(hello.role < HELLO_ROLE_MAX && hello.from && hello.to);

	/* Nothing of it is ignored. */
	hello_encode(&hello, buf);
	check(memcmp(buf, data, size < HELLO_LEN ? HELLO_LEN_MIN : HELLO_LEN) == 0);
	check(hello_decode(buf, sizeof(buf), &again) == 0);
	hello_encode(&again, buf_again);
	check(memcmp(buf, buf_again, sizeof(buf)) == 0);
	return 0;
}

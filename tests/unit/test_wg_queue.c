/* SPDX-License-Identifier: GPL-2.0-only */
/* The queue of handshake messages under a flood: whom there is room for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "engine/runtime.h"

#define S 1000000000ULL

struct fixture {
	struct runtime *runtime;
	struct device *device;
	struct cookie_maker maker;
	struct endpoint from; /* a cookie is for it */
	struct message_initiation message;
};

static int set_up(void **state)
{
	static struct fixture f;
	const uint8_t key[32] = { 7, 7 };

	memset(&f, 0, sizeof(f));
	f.device = calloc(1, sizeof(*f.device));
	if (!f.device || runtime_new(0, NULL, &f.runtime))
		return -1;
	pthread_mutex_init(&f.device->checker_lock, NULL);
	noise_identity_set(&f.device->identity, key);
	cookie_checker_init(&f.device->checker, f.device->identity.public_key);
	cookie_maker_init(&f.maker, f.device->identity.public_key);
	f.from.in = (struct sockaddr_in){ .sin_family = AF_INET,
					  .sin_port = htons(51820),
					  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	f.message.type = htole32(MESSAGE_INITIATION);
	cookie_sign(&f.maker, &f.message, sizeof(f.message), runtime_now());
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	runtime_free(f->runtime);
	pthread_mutex_destroy(&f->device->checker_lock);
	free(f->device);
	return 0;
}

static bool takes(struct fixture *f)
{
	unsigned int before = f->runtime->queue_count;

	runtime_queue_message(f->runtime, f->device, &f->from, (const uint8_t *)&f->message,
			      sizeof(f->message));
	return f->runtime->queue_count == before + 1;
}

/* Until there is no more; how many it holds then. */
static unsigned int fill(struct fixture *f)
{
	for (int i = 0; i < RUNTIME_QUEUE + 1; i++)
		if (!takes(f))
			break;
	return f->runtime->queue_count;
}

/* As the control thread answers it. */
static void give_cookie(struct fixture *f, uint64_t now_ns)
{
	uint8_t address[6];
	struct message_cookie reply;

	memcpy(address, &f->from.in.sin_addr, 4);
	memcpy(address + 4, &f->from.in.sin_port, 2);
	cookie_renew(&f->device->checker, now_ns);
	cookie_reply(&f->device->checker, &f->message, sizeof(f->message), address, sizeof(address),
		     &reply);
	assert_int_equal(cookie_accept(&f->maker, &reply, now_ns), 0);
	cookie_sign(&f->maker, &f->message, sizeof(f->message), now_ns);
}

static void half_is_for_those_who_show_a_cookie(void **state)
{
	struct fixture *f = *state;
	uint64_t now_ns = runtime_now();

	assert_int_equal(fill(f), RUNTIME_QUEUE_OPEN);
	/* Anything in the place of a mac2. */
	memset(f->message.macs.mac2, 0x5a, sizeof(f->message.macs.mac2));
	assert_false(takes(f));
	give_cookie(f, now_ns);
	assert_true(takes(f));
	f->from.in.sin_port ^= 1;
	assert_false(takes(f));
	f->from.in.sin_port ^= 1;
	f->message.macs.mac1[0] ^= 1;
	assert_false(takes(f));
	f->message.macs.mac1[0] ^= 1;
	/* Of a secret that has had its life. */
	f->device->checker.secret_ns = now_ns - COOKIE_SECRET_S * S;
	assert_false(takes(f));
	f->device->checker.secret_ns = now_ns;
	assert_int_equal(fill(f), RUNTIME_QUEUE);
}

/* They carry no mac. */
static void cookie_replies_have_the_open_half(void **state)
{
	struct fixture *f = *state;
	struct message_cookie reply = { .type = htole32(MESSAGE_COOKIE) };

	randombytes_buf(reply.nonce, sizeof(reply) - offsetof(struct message_cookie, nonce));
	for (int i = 0; i < RUNTIME_QUEUE; i++)
		runtime_queue_message(f->runtime, f->device, &f->from, (const uint8_t *)&reply,
				      sizeof(reply));
	assert_int_equal(f->runtime->queue_count, RUNTIME_QUEUE_OPEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(half_is_for_those_who_show_a_cookie, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(cookie_replies_have_the_open_half, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

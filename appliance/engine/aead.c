/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ipsec-mb where it is built and the CPU has AVX2: two to five times OpenSSL at the sizes of packets,
 * because an EVP context costs most of a microsecond to be given its next nonce. OpenSSL everywhere.
 */
#include "engine/aead.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#ifdef __x86_64__
#include <intel-ipsec-mb.h>
#endif

enum {
	KEY_LEN = 32,
	NONCE_LEN = 12,
	TAG_LEN = PACKET_TAILROOM,
	CHUNK = 64,
};

struct aead {
	const struct aead_provider *provider;
	void *state;
};

static void nonce_write(uint8_t nonce[NONCE_LEN], uint64_t counter)
{
	uint64_t le = htole64(counter);

	memset(nonce, 0, 4);
	memcpy(nonce + 4, &le, sizeof(le));
}

#ifdef __x86_64__
static bool imb_usable(void)
{
	return __builtin_cpu_supports("avx2");
}

static void *imb_new(void)
{
	IMB_MGR *manager = alloc_mb_mgr(0);
	IMB_ARCH arch;

	if (!manager)
		return NULL;
	init_mb_mgr_auto(manager, &arch);
	if (imb_get_errno(manager)) {
		free_mb_mgr(manager);
		return NULL;
	}
	return manager;
}

static void imb_free(void *state)
{
	free_mb_mgr(state);
}

/* A job that does not complete has the packet not ok: `done` says which did. */
static void imb_take(const IMB_JOB *job)
{
	bool *done = job->user_data;

	*done = job->status == IMB_STATUS_COMPLETED;
}

static void imb_run(IMB_MGR *manager, IMB_CIPHER_DIRECTION direction, struct packet *packets,
		    size_t n, uint8_t tags[][TAG_LEN], bool *done)
{
	/* Not initialised: written before they are read, and 64 nonces a call cost as much as a packet. */
	uint8_t nonces[CHUNK][NONCE_LEN];
	IMB_JOB *job;

	for (size_t i = 0; i < n; i++) {
		struct packet *p = &packets[i];

		done[i] = false;
		nonce_write(nonces[i], p->counter);
		job = IMB_GET_NEXT_JOB(manager);
		job->enc_keys = p->key;
		job->dec_keys = p->key;
		job->key_len_in_bytes = KEY_LEN;
		job->src = p->data;
		job->dst = p->data;
		job->cipher_start_src_offset_in_bytes = 0;
		job->hash_start_src_offset_in_bytes = 0;
		job->msg_len_to_cipher_in_bytes = p->padded;
		job->msg_len_to_hash_in_bytes = p->padded;
		job->iv = nonces[i];
		job->iv_len_in_bytes = NONCE_LEN;
		job->auth_tag_output = tags ? tags[i] : p->data + p->padded;
		job->auth_tag_output_len_in_bytes = TAG_LEN;
		job->u.CHACHA20_POLY1305.aad = NULL;
		job->u.CHACHA20_POLY1305.aad_len_in_bytes = 0;
		job->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
		job->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
		job->cipher_direction = direction;
		job->chain_order = direction == IMB_DIR_ENCRYPT ? IMB_ORDER_CIPHER_HASH
								: IMB_ORDER_HASH_CIPHER;
		job->user_data = &done[i];
		job = IMB_SUBMIT_JOB_NOCHECK(manager);
		if (job)
			imb_take(job);
	}
	while ((job = IMB_FLUSH_JOB(manager)))
		imb_take(job);
}

static void imb_seal(void *state, struct packet *packets, size_t n)
{
	bool done[CHUNK];

	imb_run(state, IMB_DIR_ENCRYPT, packets, n, NULL, done);
	for (size_t i = 0; i < n; i++) {
		packets[i].ok = done[i];
		if (!done[i])
			memset(packets[i].data, 0, packets[i].padded + TAG_LEN);
	}
}

static void imb_open(void *state, struct packet *packets, size_t n)
{
	uint8_t tags[CHUNK][TAG_LEN];
	bool done[CHUNK];

	imb_run(state, IMB_DIR_DECRYPT, packets, n, tags, done);
	for (size_t i = 0; i < n; i++)
		packets[i].ok =
			done[i] &&
			CRYPTO_memcmp(tags[i], packets[i].data + packets[i].padded, TAG_LEN) == 0;
}

static const struct aead_provider imb = {
	.name = "ipsec-mb",
	.usable = imb_usable,
	.state_new = imb_new,
	.state_free = imb_free,
	.seal = imb_seal,
	.open = imb_open,
};
#endif

static bool evp_usable(void)
{
	return true;
}

static void *evp_new(void)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (ctx && EVP_CipherInit_ex(ctx, EVP_chacha20_poly1305(), NULL, NULL, NULL, 1) != 1) {
		EVP_CIPHER_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static void evp_free(void *state)
{
	EVP_CIPHER_CTX_free(state);
}

static bool evp_one(EVP_CIPHER_CTX *ctx, struct packet *p, int seal)
{
	uint8_t nonce[NONCE_LEN], *tag = p->data + p->padded, none[1];
	int len;

	nonce_write(nonce, p->counter);
	if (EVP_CipherInit_ex(ctx, NULL, NULL, p->key, nonce, seal) != 1)
		return false;
	if (!seal && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) != 1)
		return false;
	/* A keepalive has no bytes; with a length of 0 the call would be the final one. */
	if (p->padded && EVP_CipherUpdate(ctx, p->data, &len, p->data, (int)p->padded) != 1)
		return false;
	if (EVP_CipherFinal_ex(ctx, none, &len) != 1)
		return false;
	return !seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, tag) == 1;
}

static void evp_seal(void *state, struct packet *packets, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		packets[i].ok = evp_one(state, &packets[i], 1);
		if (!packets[i].ok)
			memset(packets[i].data, 0, packets[i].padded + TAG_LEN);
	}
}

static void evp_open(void *state, struct packet *packets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		packets[i].ok = evp_one(state, &packets[i], 0);
}

static const struct aead_provider evp = {
	.name = "openssl",
	.usable = evp_usable,
	.state_new = evp_new,
	.state_free = evp_free,
	.seal = evp_seal,
	.open = evp_open,
};

const struct aead_provider *const aead_providers[] = {
#ifdef __x86_64__
	&imb,
#endif
	&evp,
	NULL,
};

const struct aead_provider *aead_best(void)
{
	const struct aead_provider *const *provider = aead_providers;

	while (!(*provider)->usable())
		provider++;
	return *provider;
}

struct aead *aead_new(const struct aead_provider *provider)
{
	struct aead *aead = malloc(sizeof(*aead));

	if (!aead)
		return NULL;
	aead->provider = provider ? provider : aead_best();
	aead->state = aead->provider->state_new();
	if (!aead->state) {
		free(aead);
		return NULL;
	}
	return aead;
}

void aead_free(struct aead *aead)
{
	if (!aead)
		return;
	aead->provider->state_free(aead->state);
	free(aead);
}

const char *aead_name(const struct aead *aead)
{
	return aead->provider->name;
}

void aead_seal(struct aead *aead, struct packet *packets, size_t n)
{
	for (size_t i = 0; i < n; i += CHUNK)
		aead->provider->seal(aead->state, packets + i, n - i < CHUNK ? n - i : CHUNK);
}

void aead_open(struct aead *aead, struct packet *packets, size_t n)
{
	for (size_t i = 0; i < n; i += CHUNK)
		aead->provider->open(aead->state, packets + i, n - i < CHUNK ? n - i : CHUNK);
}

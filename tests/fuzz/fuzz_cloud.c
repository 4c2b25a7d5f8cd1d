/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any answers to an adapter's questions. The first byte chooses the provider, the second what is
 * asked of it; then come answers: a byte for the status, two for the length, the body.
 */
#include <stdlib.h>
#include <string.h>

#include "cloud/claim.h"
#include "cloud/cloud.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t size;
	unsigned int requests;
};

static int exchange(const struct cloud_request *request, struct cloud_response *response,
		    char reason[static CLOUD_ERROR_LEN], void *data)
{
	static const unsigned int statuses[] = { 200, 201, 204, 400, 401, 404, 409, 412, 429, 500 };
	struct input *input = data;
	size_t len;

	if (!request->url)
		abort();
	if (input->size < 3 || input->requests++ > 64) {
		strcpy(reason, "no more answers");
		return -1;
	}
	response->status = statuses[input->data[0] % (sizeof(statuses) / sizeof(statuses[0]))];
	len = (size_t)input->data[1] << 8 | input->data[2];
	input->data += 3;
	input->size -= 3;
	if (len > input->size)
		len = input->size;
	response->body = malloc(len + 1);
	if (!response->body)
		return -1;
	memcpy(response->body, input->data, len);
	response->body[len] = '\0';
	response->len = len;
	input->data += len;
	input->size -= len;
	strcpy(response->token, "token");
	return 0;
}

static int64_t now_s(void)
{
	return 1795350000;
}

static char *text(const char *constant)
{
	char *copy = strdup(constant);

	if (!copy)
		abort();
	return copy;
}

static char own[] = "eni-a", partner[] = "eni-b", api[] = "https://api.example.net";
static char local[] = "http://169.254.169.254", table[] = "rtb-1", prefix[] = "10.2.0.0/16";
static char address[] = "172.16.1.254", havip[] = "havip-1";

static const struct cloud_item route = { CLOUD_ROUTE, table, prefix };
static const struct cloud_item vip = { CLOUD_ADDRESS, address, NULL };
static const struct cloud_item third = { CLOUD_HAVIP, havip, NULL };

static void prepare(struct cloud_config *config, struct cloud_item items[static 2])
{
	for (size_t i = 0; i < CLOUD_WORD_MAX; i++)
		config->words[i] = partner;
	config->words[CLOUD_WORD_INTERFACE] = own;
	config->words[CLOUD_WORD_CREDENTIALS] = NULL;
	config->words[CLOUD_WORD_FENCE] = NULL;
	config->words[CLOUD_WORD_ENDPOINT] = api;
	config->words[CLOUD_WORD_METADATA] = local;
	config->next_hop4 = own;
	config->items = items;
	config->n_items = 2;
	items[0] = config->provider == CLOUD_OPENSTACK ? vip : route;
	items[1] = config->provider == CLOUD_ALIBABA				      ? third
		   : config->provider == CLOUD_AZURE || config->provider == CLOUD_GCP ? route
										      : vip;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cloud_config config = { .site = "fra", .node = "fra-a" };
	struct cloud_session session = { .config = &config, .exchange = exchange, .now_s = now_s };
	struct cloud_view view = { .misplaced = 3 }, before;
	struct cloud_item items[2];
	struct input input;
	unsigned int what;
	int rc;

	if (size < 2)
		return 0;
	config.provider = data[0] % CLOUD_PROVIDER_MAX;
	what = data[1];
	prepare(&config, items);
	input = (struct input){ data + 2, size - 2, 0 };
	session.data = &input;
	if (what & 4) { /* keys are there already */
		session.keys.id = text("id");
		session.keys.secret = text("a secret of some length");
		session.keys.expires_s = now_s() + 86400;
	}
	before = view;
	switch (what & 3) {
	case 0:
		rc = cloud_keys_ready(&session);
		break;
	case 1:
		rc = cloud_read(&session, &view);
		if (rc && memcmp(&view, &before, sizeof(view)))
			abort();
		if (!rc && (view.misplaced >> config.n_items ||
			    (*view.rival && !strcmp(view.rival, "fra-a"))))
			abort();
		break;
	case 2:
		rc = cloud_claim(&session, 7);
		break;
	default:
		rc = cloud_assert(&session, &view, 7);
		break;
	}
	/* Who fails says why, and keeps to itself what is secret. */
	if (rc && (!*session.error || strlen(session.error) >= sizeof(session.error) ||
		   strstr(session.error, "a secret of some length")))
		abort();
	cloud_session_fini(&session);
	return 0;
}

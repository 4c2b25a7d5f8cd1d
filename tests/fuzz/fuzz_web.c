/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What netpas-web reads of strangers beside libmicrohttpd (token by header, cookie, form), and what it makes
 * of a view, whatever that is. The first byte says which; nothing that was made up may pass for the token.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web_metrics.h"
#include "web_model.h"
#include "web_token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_token(const uint8_t *data, size_t size)
{
	static const struct key token = {
		.bytes = { 0x8d, 0x2f, 0xc1, 0x77, 0x09, 0x5a, 0xee, 0x31, 0x42, 0x9b, 0xd0,
			   0x16, 0x6c, 0xf3, 0x28, 0x84, 0x1d, 0x50, 0xb7, 0x9e, 0x03, 0xca,
			   0x65, 0xf8, 0x2a, 0x71, 0xdc, 0x48, 0x93, 0x0e, 0xb5, 0x67 }
	};
	char *text = malloc(size + 1);

	if (!text)
		return;
	memcpy(text, data, size);
	text[size] = '\0';
	if (web_token_bearer(&token, text) || web_token_cookie_good(&token, text, 1800000000) ||
	    web_token_form(&token, text, size))
		abort();
	free(text);
}

static void try_view(const uint8_t *data, size_t size)
{
	const struct web_counts counts = { 0 };
	json_t *view = json_loadb((const char *)data, size, 0, NULL);
	struct web_model *model;
	char *text = NULL;
	size_t len;
	FILE *out;

	if (!view || web_model_new(&model)) {
		json_decref(view);
		return;
	}
	out = open_memstream(&text, &len);
	if (out) {
		web_metrics_print(view, &counts, size & 1, out);
		fclose(out);
		free(text);
	}
	web_model_take(model, json_object(), 1);
	web_model_take(model, json_incref(view), 20000);
	web_model_take(model, view, 40000);
	free(web_model_first(model));
	free(web_model_events(model));
	web_model_free(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] & 1)
		try_token(data + 1, size - 1);
	else
		try_view(data + 1, size - 1);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "web_page.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* appliance.mk makes these of the files; each ends in a NUL. */
extern const char web_page_html[], web_page_login_html[], web_page_css[], web_page_js[];

#define HASH_LEN 32
#define HASH_STRLEN 45 /* base64 with NUL */

static char *page, *login, *login_failed;
static char policy[512];

static void make_hash(const char *text, char ret_base64[static HASH_STRLEN])
{
	uint8_t hash[HASH_LEN] = { 0 };

	/* Without memory the hash fits nothing, and the browser runs nothing. */
	(void)EVP_Digest(text, strlen(text), hash, NULL, EVP_sha256(), NULL);
	(void)EVP_EncodeBlock((uint8_t *)ret_base64, hash, sizeof(hash));
}

/* The text with what stands in place of a mark, once. NULL: out of memory, or no such mark. */
static char *put(char *text, const char *mark, const char *with)
{
	char *at = text ? strstr(text, mark) : NULL, *all = NULL;

	if (at && asprintf(&all, "%.*s%s%s", (int)(at - text), text, with, at + strlen(mark)) < 0)
		all = NULL;
	free(text);
	return all;
}

int web_page_init(void)
{
	static const char wrong[] = "<p class=\"bad\" role=\"alert\">That is not the token.</p>";
	char css[HASH_STRLEN], js[HASH_STRLEN];

	page = put(put(strdup(web_page_html), "<!--css-->", web_page_css), "<!--js-->",
		   web_page_js);
	login = put(put(strdup(web_page_login_html), "<!--css-->", web_page_css), "<!--wrong-->",
		    "");
	login_failed = put(put(strdup(web_page_login_html), "<!--css-->", web_page_css),
			   "<!--wrong-->", wrong);
	if (!page || !login || !login_failed)
		return -ENOMEM;
	make_hash(web_page_css, css);
	make_hash(web_page_js, js);
	snprintf(policy, sizeof(policy),
		 "default-src 'none'; script-src 'sha256-%s'; style-src 'sha256-%s'; "
		 "connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; "
		 "frame-ancestors 'none'",
		 js, css);
	return 0;
}

const char *web_page_text(size_t *ret_len)
{
	*ret_len = strlen(page);
	return page;
}

const char *web_page_login(bool failed, size_t *ret_len)
{
	const char *text = failed ? login_failed : login;

	*ret_len = strlen(text);
	return text;
}

const char *web_page_policy(void)
{
	return policy;
}

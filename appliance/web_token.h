/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who may see the page: one token, by the header "Authorization: Bearer TOKEN" or, in browsers, by a cookie that
 * proves that its holder knew the token. The cookie has the time at which it ends and a MAC of that under
 * the token: nothing is kept of sessions, and a new token ends them all. Pure.
 */
#ifndef NETPAS_WEB_TOKEN_H
#define NETPAS_WEB_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "key.h"

#define WEB_TOKEN_COOKIE "netpas"
#define WEB_TOKEN_COOKIE_LEN 81 /* 16 digits of the time, 64 of the MAC, NUL */
#define WEB_TOKEN_SESSION_S (12 * 3600)
#define WEB_TOKEN_FORM_MAX 512

/* The text is the token, in base64 as in its file. In constant time once it has the form of one. */
bool web_token_matches(const struct key *token, const char *text, size_t len);

/* The value of a header "Authorization"; NULL is none. */
bool web_token_bearer(const struct key *token, const char *header);

/* The value of a cookie that is good until expires_s. */
void web_token_cookie(const struct key *token, uint64_t expires_s,
		      char ret_value[static WEB_TOKEN_COOKIE_LEN]);

/* One of the cookies in the value of a header "Cookie" is ours, and good at now_s; NULL is none. */
bool web_token_cookie_good(const struct key *token, const char *header, uint64_t now_s);

/* The body of the form: "token=...", percent-encoded. */
bool web_token_form(const struct key *token, const char *body, size_t len);

#endif

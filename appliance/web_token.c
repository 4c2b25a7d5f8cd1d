/* SPDX-License-Identifier: GPL-2.0-only */
#include "web_token.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MAC_LEN 32
#define TIME_DIGITS 16

bool web_token_matches(const struct key *token, const char *text, size_t len)
{
	char buf[KEY_STRLEN];
	struct key given;
	bool good;

	if (len != KEY_STRLEN - 1 || memchr(text, '\0', len))
		return false;
	memcpy(buf, text, len);
	buf[len] = '\0';
	good = !key_parse(buf, &given) && key_equal(token, &given);
	explicit_bzero(buf, sizeof(buf));
	key_wipe(&given);
	return good;
}

bool web_token_bearer(const struct key *token, const char *header)
{
	static const char scheme[] = "Bearer";
	const size_t n = sizeof(scheme) - 1;

	if (!header || strncasecmp(header, scheme, n) || header[n] != ' ')
		return false;
	header += n;
	header += strspn(header, " ");
	return web_token_matches(token, header, strcspn(header, " \t"));
}

/* Over a name too, so that it is the MAC of nothing else. */
static void make_mac(const struct key *token, const char *time, uint8_t mac[static MAC_LEN])
{
	char text[64];
	unsigned int len = MAC_LEN;
	const int n = snprintf(text, sizeof(text), "netpas page session %s", time);

	if (!HMAC(EVP_sha256(), token->bytes, sizeof(token->bytes), (const uint8_t *)text,
		  (size_t)n, mac, &len))
		memset(mac, 0, MAC_LEN); /* no memory: good for nothing, see below */
}

void web_token_cookie(const struct key *token, uint64_t expires_s,
		      char ret_value[static WEB_TOKEN_COOKIE_LEN])
{
	uint8_t mac[MAC_LEN];

	snprintf(ret_value, TIME_DIGITS + 1, "%016" PRIx64, expires_s);
	make_mac(token, ret_value, mac);
	for (size_t i = 0; i < MAC_LEN; i++)
		snprintf(ret_value + TIME_DIGITS + 2 * i, 3, "%02x", mac[i]);
}

static bool value_good(const struct key *token, const char *value, size_t len, uint64_t now_s)
{
	static const uint8_t none[MAC_LEN];
	char time[TIME_DIGITS + 1], wanted[WEB_TOKEN_COOKIE_LEN];
	uint8_t mac[MAC_LEN];
	uint64_t expires_s;

	if (len != WEB_TOKEN_COOKIE_LEN - 1)
		return false;
	memcpy(time, value, TIME_DIGITS);
	time[TIME_DIGITS] = '\0';
	if (strspn(time, "0123456789abcdef") != TIME_DIGITS ||
	    sscanf(time, "%16" SCNx64, &expires_s) != 1 || expires_s <= now_s ||
	    expires_s - now_s > WEB_TOKEN_SESSION_S)
		return false;
	make_mac(token, time, mac);
	web_token_cookie(token, expires_s, wanted);
	return CRYPTO_memcmp(mac, none, sizeof(mac)) && !CRYPTO_memcmp(wanted, value, len);
}

bool web_token_cookie_good(const struct key *token, const char *header, uint64_t now_s)
{
	static const char name[] = WEB_TOKEN_COOKIE "=";

	while (header && *header) {
		const size_t len = strcspn(header, ";");

		if (len >= sizeof(name) && !strncmp(header, name, sizeof(name) - 1) &&
		    value_good(token, header + sizeof(name) - 1, len - (sizeof(name) - 1), now_s))
			return true;
		header += len;
		header += strspn(header, "; ");
	}
	return false;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'		    ? c - '0'
	       : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
						    : -1;
}

bool web_token_form(const struct key *token, const char *body, size_t len)
{
	static const char name[] = "token=";
	char text[KEY_STRLEN];
	size_t n = 0;
	bool good;

	if (len < sizeof(name) - 1 || memcmp(body, name, sizeof(name) - 1))
		return false;
	for (size_t i = sizeof(name) - 1; i < len && body[i] != '&'; i++) {
		char c = body[i];

		if (c == '%') {
			if (len - i < 3 || hex_digit(body[i + 1]) < 0 || hex_digit(body[i + 2]) < 0)
				return false;
			c = (char)(hex_digit(body[i + 1]) << 4 | hex_digit(body[i + 2]));
			i += 2;
		}
		/* What was pasted may have a line's end, or spaces, around it. */
		if (c == '+' && body[i] == '+')
			c = ' ';
		if (c && strchr(" \t\r\n", c))
			continue;
		if (n == sizeof(text))
			return false;
		text[n++] = c;
	}
	good = web_token_matches(token, text, n);
	explicit_bzero(text, sizeof(text));
	return good;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "redact.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define BASE64_LEN 43 /* of 32 bytes, without the '=' */

static const char *const words[] = { "secret",	   "token",	   "password",	    "passwd",
				     "passphrase", "private_key",  "preshared_key", "credential",
				     "bearer",	   "authorization" };

static void hide(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] != '\n')
			text[i] = '*';
}

static bool is_key_char(char c)
{
	return isalnum((unsigned char)c) || c == '+' || c == '/' || c == '-' || c == '_';
}

static bool is_known(const struct redact_known *known, const char *text, size_t len)
{
	for (size_t i = 0; i < known->n; i++)
		if (strlen(known->keys[i]) == len && !memcmp(known->keys[i], text, len))
			return true;
	return false;
}

static bool is_hex(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isxdigit((unsigned char)text[i]))
			return false;
	return true;
}

/* One run of the characters that keys are made of. */
static size_t redact_run(char *text, size_t len, bool padded, const struct redact_known *known)
{
	const bool key = len == BASE64_LEN || (is_hex(text, len) && (len == 64 || len == 128));

	if (!key || (padded && is_known(known, text, len + 1)))
		return 0;
	hide(text, len);
	return 1;
}

static size_t redact_keys(char *text, size_t len, const struct redact_known *known)
{
	size_t found = 0;

	for (size_t i = 0; i < len;) {
		size_t end = i;

		while (end < len && is_key_char(text[end]))
			end++;
		i += i && end > i && text[i - 1] == '\\'; /* the letter of an escape */
		if (end > i)
			found +=
				redact_run(text + i, end - i, end < len && text[end] == '=', known);
		i = end + 1;
	}
	return found;
}

/* A path such as /home/x/KEY: the run has '/' in it and is longer; so each part is looked at, too. */
static size_t redact_parts(char *text, size_t len, const struct redact_known *known)
{
	size_t found = 0;

	for (size_t i = 0; i < len;) {
		size_t end = i;

		while (end < len && is_key_char(text[end]) && text[end] != '/')
			end++;
		i += i && end > i && text[i - 1] == '\\'; /* the letter of an escape */
		if (end > i)
			found +=
				redact_run(text + i, end - i, end < len && text[end] == '=', known);
		i = end + 1;
	}
	return found;
}

/* The value behind a word: in quotation marks up to the next one, else up to the end of the line. */
static size_t redact_value(char *line, size_t len, size_t at)
{
	size_t begin, end = len;
	char quote;

	while (at < len && (isalnum((unsigned char)line[at]) || line[at] == '_'))
		at++; /* tokens, secret_file */
	if (at < len && (line[at] == '"' || line[at] == '\''))
		at++;
	while (at < len && line[at] == ' ')
		at++;
	if (at == len || (line[at] != ':' && line[at] != '='))
		return 0;
	at++;
	while (at < len && line[at] == ' ')
		at++;
	begin = at;
	quote = at < len ? line[at] : 0;
	if (quote == '"' || quote == '\'') {
		begin = ++at;
		while (at < len && line[at] != quote)
			at += line[at] == '\\' ? 2 : 1;
		end = at < len ? at : len;
	}
	if (begin >= end)
		return 0;
	hide(line + begin, end - begin);
	return 1;
}

static size_t redact_words(char *line, size_t len)
{
	size_t found = 0, first = 0;

	while (first < len && isspace((unsigned char)line[first]))
		first++;
	if (len - first > 5 && !strncasecmp(line + first, "auth_", 5)) {
		while (first < len && !isspace((unsigned char)line[first]))
			first++;
		/* A type is none. */
		if (len - first > 1 && !memchr(line + first, '{', len - first)) {
			hide(line + first + 1, len - first - 1);
			found++;
		}
	}
	for (size_t i = 0; i < len; i++)
		for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++) {
			const size_t word_len = strlen(words[w]);

			if (len - i >= word_len && !strncasecmp(line + i, words[w], word_len))
				found += redact_value(line, len, i + word_len);
		}
	return found;
}

static size_t redact_blocks(char *text, size_t len)
{
	static const char begin[] = "PRIVATE KEY-----", end[] = "-----END";
	size_t found = 0;
	char *at = text;

	while ((at = memmem(at, len - (size_t)(at - text), begin, sizeof(begin) - 1))) {
		char *stop;

		at += sizeof(begin) - 1;
		stop = memmem(at, len - (size_t)(at - text), end, sizeof(end) - 1);
		if (!stop)
			stop = text + len;
		hide(at, (size_t)(stop - at));
		found++;
		at = stop;
		if (at + sizeof(end) > text + len)
			break;
		at += sizeof(end) - 1; /* "-----END PRIVATE KEY-----" begins nothing */
		at = memchr(at, '\n', len - (size_t)(at - text));
		if (!at)
			break;
	}
	return found;
}

size_t redact(char *text, size_t len, const struct redact_known *known)
{
	size_t found = redact_blocks(text, len);

	found += redact_keys(text, len, known);
	found += redact_parts(text, len, known);
	for (size_t i = 0; i < len;) {
		const char *newline = memchr(text + i, '\n', len - i);
		const size_t end = newline ? (size_t)(newline - text) : len;

		found += redact_words(text + i, end - i);
		i = end + 1;
	}
	return found;
}

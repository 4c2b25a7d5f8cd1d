/* SPDX-License-Identifier: GPL-2.0-only */
#include "provision_text.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

/* What is looked through, and the best that was found so far. */
struct search {
	struct provision_part *part;
	bool found;
	unsigned int number;  /* of the MIME part that is looked at */
	unsigned int n_parts; /* counted over all messages */
	char *reason;	      /* PROVISION_REASON_LEN: of the first thing that is no document */
};

static int search_text(struct search *search, const char *data, size_t len, unsigned int depth);

void provision_part_fini(struct provision_part *part)
{
	if (part->text)
		explicit_bzero(part->text, part->len);
	free(part->text);
	*part = (struct provision_part){ 0 };
}

static void wipe_free(char *text, size_t len)
{
	if (text)
		explicit_bzero(text, len);
	free(text);
}

static bool is_base64(char c)
{
	return isalnum((unsigned char)c) || c == '+' || c == '/';
}

int provision_text_base64(const char *data, size_t len, char **ret_text, size_t *ret_len)
{
	char *plain, *text;
	size_t n = 0, padding = 0;
	int made;

	plain = malloc(len + 1);
	if (!plain)
		return -ENOMEM;
	for (size_t i = 0; i < len; i++) {
		if (strchr(" \t\r\n", data[i]) && data[i])
			continue;
		if (data[i] == '=')
			padding++;
		else if (padding || !is_base64(data[i]))
			goto invalid;
		plain[n++] = data[i];
	}
	if (!n || n % 4 || padding > 2 || n > PROVISION_TEXT_MAX * 2)
		goto invalid;
	text = malloc(n / 4 * 3 + 1);
	if (!text) {
		free(plain);
		return -ENOMEM;
	}
	made = EVP_DecodeBlock((unsigned char *)text, (const unsigned char *)plain, (int)n);
	wipe_free(plain, n);
	if (made < (int)padding) {
		free(text);
		return -EINVAL;
	}
	*ret_len = (size_t)made - padding; /* padding comes out as zero bytes */
	text[*ret_len] = '\0';
	*ret_text = text;
	return 0;
invalid:
	free(plain);
	return -EINVAL;
}

/* 0, -EINVAL (damaged), -EFBIG or -ENOMEM. */
static int gunzip(const char *data, size_t len, char **ret_text, size_t *ret_len)
{
	z_stream stream = { .avail_in = (uInt)len };
	char *text = NULL, *more;
	size_t size = 0;
	int rc = Z_OK, ret;

	/* zlib does not write to what it reads. */
	memcpy(&stream.next_in, &data, sizeof(data));
	if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK)
		return -ENOMEM;
	while (rc == Z_OK) {
		ret = -EFBIG;
		if (size > PROVISION_TEXT_MAX)
			goto fail;
		size = size ? size * 2 : 16384;
		more = realloc(text, size + 1);
		ret = -ENOMEM;
		if (!more)
			goto fail;
		text = more;
		stream.next_out = (unsigned char *)text + stream.total_out;
		stream.avail_out = (uInt)(size - stream.total_out);
		rc = inflate(&stream, Z_NO_FLUSH);
	}
	ret = -EINVAL;
	if (rc != Z_STREAM_END)
		goto fail;
	ret = -EFBIG;
	if (stream.total_out > PROVISION_TEXT_MAX)
		goto fail;
	*ret_len = stream.total_out;
	text[*ret_len] = '\0';
	*ret_text = text;
	(void)inflateEnd(&stream); /* its state is freed, whatever it says */
	return 0;
fail:
	wipe_free(text, stream.total_out);
	(void)inflateEnd(&stream);
	return ret;
}

static bool starts_with(const char *data, size_t len, const char *word)
{
	return len >= strlen(word) && !memcmp(data, word, strlen(word));
}

/* The first line is this word, and white space at most. */
static bool first_line_is(const char *data, size_t len, const char *word)
{
	if (!starts_with(data, len, word))
		return false;
	for (size_t i = strlen(word); i < len && data[i] != '\n'; i++) {
		if (!strchr(" \t\r", data[i]))
			return false;
	}
	return true;
}

/* The value of a header field in the head of a message, lower or upper case; NULL: it is not there. */
static const char *header_find(const char *head, size_t len, const char *name, size_t *ret_len)
{
	const size_t name_len = strlen(name);
	const char *end = head + len, *line = head, *eol, *stop;

	for (; line < end; line = eol + 1) {
		eol = memchr(line, '\n', (size_t)(end - line));
		if (!eol)
			eol = end;
		if ((size_t)(eol - line) <= name_len || strncasecmp(line, name, name_len) ||
		    line[name_len] != ':')
			continue;
		/* Lines that begin with white space continue it. */
		for (stop = eol; stop + 1 < end && (stop[1] == ' ' || stop[1] == '\t');) {
			stop = memchr(stop + 1, '\n', (size_t)(end - stop - 1));
			if (!stop)
				stop = end;
		}
		line += name_len + 1;
		while (line < stop && isspace((unsigned char)*line))
			line++;
		*ret_len = (size_t)(stop - line);
		return line;
	}
	return NULL;
}

/* Where the body begins: after the first empty line; len if there is none. */
static size_t body_offset(const char *text, size_t len)
{
	if (starts_with(text, len, "\n") || starts_with(text, len, "\r\n"))
		return *text == '\n' ? 1 : 2;
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '\n')
			continue;
		if (i + 1 < len && text[i + 1] == '\n')
			return i + 2;
		if (i + 2 < len && text[i + 1] == '\r' && text[i + 2] == '\n')
			return i + 3;
	}
	return len;
}

/* The value of "boundary" in a content type; 0 or -EINVAL (RFC 2046: 1 to 70 characters). */
static int boundary_find(const char *type, size_t len, char ret_boundary[static 71])
{
	static const char name[] = "boundary=";
	const size_t name_len = sizeof(name) - 1;
	size_t n = 0;
	bool quoted;

	for (size_t i = 0; i + name_len < len; i++) {
		if (strncasecmp(type + i, name, name_len))
			continue;
		i += name_len;
		quoted = type[i] == '"';
		for (i += quoted; i < len && n < 70; i++) {
			if (quoted ? type[i] == '"'
				   : type[i] == ';' || isspace((unsigned char)type[i]))
				break;
			ret_boundary[n++] = type[i];
		}
		ret_boundary[n] = '\0';
		return n ? 0 : -EINVAL;
	}
	return -EINVAL;
}

static int search_part(struct search *search, const char *data, size_t len, unsigned int depth)
{
	const size_t body = body_offset(data, len);
	const char *encoding, *type;
	size_t n = 0, decoded_len;
	char *decoded;
	int ret;

	type = header_find(data, body, "content-type", &n);
	if (type && n > 10 && !strncasecmp(type, "multipart/", 10))
		return search_text(search, data, len, depth + 1);
	encoding = header_find(data, body, "content-transfer-encoding", &n);
	if (!encoding || n < 6 || strncasecmp(encoding, "base64", 6))
		return search_text(search, data + body, len - body, depth + 1);
	ret = provision_text_base64(data + body, len - body, &decoded, &decoded_len);
	if (ret == -EINVAL && !*search->reason)
		snprintf(search->reason, PROVISION_REASON_LEN,
			 "part %u of the message is said to be base64, and is not", search->number);
	if (ret)
		return ret == -EINVAL ? 0 : ret;
	ret = search_text(search, decoded, decoded_len, depth + 1);
	wipe_free(decoded, decoded_len);
	return ret;
}

static int search_message(struct search *search, const char *data, size_t len, unsigned int depth)
{
	const size_t body = body_offset(data, len);
	const char *end = data + len, *at = data + body, *part = NULL, *eol;
	char boundary[71];
	const char *type;
	size_t n = 0, boundary_len;
	int ret;

	type = header_find(data, body, "content-type", &n);
	if (!type || boundary_find(type, n, boundary)) {
		if (!*search->reason)
			snprintf(search->reason, PROVISION_REASON_LEN,
				 "a MIME message without a boundary; send the document itself");
		return 0;
	}
	boundary_len = strlen(boundary);
	for (; at < end; at = eol + 1) {
		eol = memchr(at, '\n', (size_t)(end - at));
		if (!eol)
			eol = end;
		if ((size_t)(eol - at) < boundary_len + 2 || at[0] != '-' || at[1] != '-' ||
		    memcmp(at + 2, boundary, boundary_len))
			continue;
		if (part) {
			if (++search->n_parts > PROVISION_PARTS_MAX)
				return 0;
			search->number = search->n_parts;
			ret = search_part(search, part, (size_t)(at - part), depth);
			if (ret)
				return ret;
		}
		part = eol < end ? eol + 1 : end;
		if ((size_t)(eol - at) >= boundary_len + 4 && at[boundary_len + 2] == '-' &&
		    at[boundary_len + 3] == '-')
			break;
	}
	return 0;
}

static int take(struct search *search, enum provision_kind kind, const char *data, size_t len)
{
	char *text;

	/* The first of the better kind. */
	if (search->found && search->part->kind <= kind)
		return 0;
	text = malloc(len + 1);
	if (!text)
		return -ENOMEM;
	memcpy(text, data, len);
	text[len] = '\0';
	provision_part_fini(search->part);
	search->part->kind = kind;
	search->part->text = text;
	search->part->len = len;
	search->part->number = search->number;
	search->found = true;
	return 0;
}

/* What it looks like, for who has to find out. */
static void describe(char reason[static PROVISION_REASON_LEN], const char *data, size_t len)
{
	static const struct {
		const char *start, *name;
	} known[] = {
		{ "#!", "a script" },
		{ "#include", "a list of addresses to fetch" },
		{ "#cloud-boothook", "a boot hook of cloud-init" },
		{ "## template", "a template of cloud-init" },
		{ "{", "JSON" },
		{ "<", "XML" },
		{ "\xef\xbb\xbf", "a byte order mark" },
		{ "PK", "a ZIP archive" },
		{ "BZh", "bzip2" },
		{ "\xfd"
		  "7zXZ",
		  "xz" },
	};
	char line[41];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!starts_with(data, len, known[i].start))
			continue;
		snprintf(reason, PROVISION_REASON_LEN,
			 "%s; the first line must be '#netpas', a YAML document follows",
			 known[i].name);
		return;
	}
	if (first_line_is(data, len, "#netpas")) {
		snprintf(reason, PROVISION_REASON_LEN,
			 "white space before '#netpas', which must be the very first line");
		return;
	}
	for (; n < len && n < sizeof(line) - 1 && data[n] != '\n' && data[n] != '\r'; n++)
		line[n] = data[n] >= ' ' && data[n] <= '~' ? data[n] : '?';
	line[n] = '\0';
	snprintf(reason, PROVISION_REASON_LEN,
		 "its first line is '%s'; it must be '#netpas', a YAML document follows", line);
}

static int search_text(struct search *search, const char *data, size_t len, unsigned int depth)
{
	size_t unwrapped_len, start = 0, n = 0;
	char *unwrapped;
	int ret;

	if (first_line_is(data, len, "#netpas"))
		return take(search, PROVISION_NETPAS, data, len);
	if (first_line_is(data, len, "#cloud-config"))
		return take(search, PROVISION_CLOUD_CONFIG, data, len);
	while (start < len && strchr(" \t\r\n", data[start]) && data[start])
		start++;
	if (start == len)
		return 0;
	if (depth > PROVISION_WRAPS_MAX) {
		if (!*search->reason)
			snprintf(search->reason, PROVISION_REASON_LEN, "wrapped more than %d times",
				 PROVISION_WRAPS_MAX);
		return 0;
	}
	if (starts_with(data, len, "\x1f\x8b")) {
		ret = gunzip(data, len, &unwrapped, &unwrapped_len);
		if ((ret == -EINVAL || ret == -EFBIG) && !*search->reason)
			snprintf(search->reason, PROVISION_REASON_LEN,
				 ret == -EINVAL ? "gzip, and damaged" : "gzip of more than 4 MiB");
		if (ret)
			return ret == -ENOMEM ? ret : 0;
	} else if (header_find(data, body_offset(data, len), "content-type", &n)) {
		return search_message(search, data, len, depth);
	} else {
		ret = provision_text_base64(data, len, &unwrapped, &unwrapped_len);
		if (ret == -EINVAL && !*search->reason)
			describe(search->reason, data + start, len - start);
		if (ret)
			return ret == -ENOMEM ? ret : 0;
	}
	ret = search_text(search, unwrapped, unwrapped_len, depth + 1);
	wipe_free(unwrapped, unwrapped_len);
	return ret;
}

int provision_text_unwrap(const char *data, size_t len, struct provision_part *ret_part,
			  char reason[static PROVISION_REASON_LEN])
{
	struct provision_part part = { 0 };
	struct search search = { .part = &part, .reason = reason };
	int ret;

	*reason = '\0';
	if (len > PROVISION_TEXT_MAX) {
		snprintf(reason, PROVISION_REASON_LEN, "more than 4 MiB");
		return -EINVAL;
	}
	ret = search_text(&search, data, len, 0);
	if (!ret && !search.found)
		ret = *reason ? -EINVAL : -ENODATA;
	if (ret)
		provision_part_fini(&part);
	else
		*ret_part = part;
	return ret;
}

/* What follows the word, to the end of its line; also on the next one. */
static void mask_value(char *text, size_t len, size_t at)
{
	while (at < len && text[at] && strchr(" \t\r\n:\"'|>-", text[at]))
		at++;
	for (; at < len && text[at] != '\n'; at++) {
		if (is_base64(text[at]) || text[at] == '=')
			text[at] = '*';
	}
}

/* The line up to here ends in "public_key:" and what may stand between. */
static bool is_public(const char *text, size_t at)
{
	static const char word[] = "public_key";
	size_t n = sizeof(word) - 1;

	while (at && text[at - 1] && strchr(" \t:\"'", text[at - 1]))
		at--;
	return at >= n && !memcmp(text + at - n, word, n);
}

void provision_text_mask(char *text, size_t len)
{
	static const char word[] = "private_key";
	size_t n;

	for (size_t at = 0; at + sizeof(word) - 1 <= len; at++) {
		if (!memcmp(text + at, word, sizeof(word) - 1))
			mask_value(text, len, at + sizeof(word) - 1);
	}
	for (size_t at = 0; at < len; at += n + 1) {
		for (n = 0; at + n < len && is_base64(text[at + n]); n++)
			;
		/* Characters may have been lost, or come too much. */
		if (n >= 36 && n <= 60 && !is_public(text, at))
			memset(text + at, '*', n);
	}
}

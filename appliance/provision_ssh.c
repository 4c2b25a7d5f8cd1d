/* SPDX-License-Identifier: GPL-2.0-only */
#include "provision_ssh.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "provision_text.h"

static const char *const types[] = {
	"ssh-ed25519",
	"ecdsa-sha2-nistp256",
	"ecdsa-sha2-nistp384",
	"ecdsa-sha2-nistp521",
	"ssh-rsa",
	"sk-ssh-ed25519@openssh.com",
	"sk-ecdsa-sha2-nistp256@openssh.com",
};

#define RSA_BITS_MIN 2048 /* RequiredRSASize of sshd_config.d/netpas.conf */

/* Bits of the number that stands in len bytes as RFC 4251 has it, after another one: of n, after e. */
static size_t second_bits(const uint8_t *at, size_t len)
{
	size_t n = 0;

	for (int i = 0; i < 2; i++) {
		if (len < 4)
			return 0;
		n = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
		at += 4;
		len -= 4;
		if (n > len)
			return 0;
		if (!i) {
			at += n;
			len -= n;
		}
	}
	for (; n && !*at; n--)
		at++;
	return n ? 8 * n - (size_t)(__builtin_clz(*at) - 24) : 0;
}

/* What it encodes begins with the length and the name of its type. */
static const char *check_blob(const char *base64, size_t len, const char *type, size_t type_len)
{
	const char *fault = NULL;
	size_t blob_len;
	char *blob;

	if (provision_text_base64(base64, len, &blob, &blob_len))
		return "it is not base64 after the type: cut off, or broken over lines";
	if (blob_len < 4 + type_len + 4 || blob[0] || blob[1] || blob[2] ||
	    (uint8_t)blob[3] != type_len || memcmp(blob + 4, type, type_len))
		fault = "it is not a key of the type that it says";
	else if (type_len == 7 && !memcmp(type, "ssh-rsa", 7) &&
		 second_bits((const uint8_t *)blob + 4 + type_len, blob_len - 4 - type_len) <
			 RSA_BITS_MIN)
		fault = "it is an RSA key of less than 2048 bits, and refused";
	free(blob);
	return fault;
}

const char *provision_key_fault(const char *line, size_t len)
{
	const char *space = memchr(line, ' ', len), *base64;
	size_t type_len, n;

	if (len >= PROVISION_KEY_LEN)
		return "it is too long";
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			return "it has a control character in it";
	}
	if (len > 10 && !memcmp(line, "-----BEGIN", 10))
		return "it is a key file; the line of the .pub file is wanted";
	if (!space)
		return "write 'type base64 comment', as in the .pub file";
	type_len = (size_t)(space - line);
	for (n = 0; n < sizeof(types) / sizeof(types[0]); n++) {
		if (strlen(types[n]) == type_len && !memcmp(types[n], line, type_len))
			break;
	}
	if (n == sizeof(types) / sizeof(types[0]))
		return !memcmp(line, "ssh-dss", len < 7 ? len : 7)
			       ? "DSA keys are too weak, and refused"
			       : "it does not begin with a type of keys, such as ssh-ed25519";
	base64 = space + 1;
	n = len - type_len - 1;
	space = memchr(base64, ' ', n);
	return check_blob(base64, space ? (size_t)(space - base64) : n, line, type_len);
}

int provision_keys_add(struct provision_keys *keys, const char *line, size_t len)
{
	char *copy;

	while (len && strchr(" \t\r\n", line[len - 1]))
		len--;
	if (provision_key_fault(line, len))
		return -EINVAL;
	for (size_t i = 0; i < keys->n; i++) {
		if (strlen(keys->lines[i]) == len && !memcmp(keys->lines[i], line, len))
			return 0;
	}
	if (keys->n == PROVISION_KEYS_MAX)
		return -ENOSPC;
	copy = strndup(line, len);
	if (!copy)
		return -ENOMEM;
	keys->lines[keys->n++] = copy;
	return 0;
}

int provision_keys_add_text(struct provision_keys *keys, const char *text, size_t *ret_bad)
{
	size_t len;
	int ret;

	for (; *text; text += len + !!text[len]) {
		len = strcspn(text, "\n");
		if (strspn(text, " \t\r") >= len || *text == '#')
			continue;
		ret = provision_keys_add(keys, text, len);
		if (ret == -ENOMEM)
			return ret;
		*ret_bad += !!ret;
	}
	return 0;
}

char *provision_keys_text(const struct provision_keys *keys)
{
	size_t size = 1, at = 0;
	char *text;

	for (size_t i = 0; i < keys->n; i++)
		size += strlen(keys->lines[i]) + 1;
	text = malloc(size);
	if (!text)
		return NULL;
	*text = '\0';
	for (size_t i = 0; i < keys->n; i++)
		at += (size_t)snprintf(text + at, size - at, "%s\n", keys->lines[i]);
	return text;
}

void provision_keys_fini(struct provision_keys *keys)
{
	for (size_t i = 0; i < keys->n; i++)
		free(keys->lines[i]);
	keys->n = 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "key.h"

#include <embeddable-wg-library/wireguard.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

_Static_assert(sizeof(wg_key) == KEY_LEN, "key length");
_Static_assert(sizeof(wg_key_b64_string) == KEY_STRLEN, "key text length");

int key_parse(const char *text, struct key *ret_key)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				       "0123456789+/";
	struct key key;

	/* The library shifts negative values about when it meets any other character. */
	if (strlen(text) != KEY_STRLEN - 1 || strspn(text, alphabet) != KEY_STRLEN - 2 ||
	    text[KEY_STRLEN - 2] != '=')
		return -EINVAL;
	if (wg_key_from_base64(key.bytes, text))
		return -EINVAL;
	*ret_key = key;
	key_wipe(&key);
	return 0;
}

const char *key_format(const struct key *key, char buf[static KEY_STRLEN])
{
	wg_key_to_base64(buf, key->bytes);
	return buf;
}

bool key_equal(const struct key *a, const struct key *b)
{
	volatile uint8_t difference = 0;

	for (size_t i = 0; i < KEY_LEN; i++)
		difference |= a->bytes[i] ^ b->bytes[i];
	return !difference;
}

bool key_is_zero(const struct key *key)
{
	return wg_key_is_zero(key->bytes);
}

void key_generate(struct key *ret_private)
{
	wg_generate_private_key(ret_private->bytes);
}

void key_public(const struct key *private_key, struct key *ret_public)
{
	wg_generate_public_key(ret_public->bytes, private_key->bytes);
}

void key_wipe(struct key *key)
{
	explicit_bzero(key, sizeof(*key));
}

int key_file_read(const char *path, struct key *ret_private)
{
	char buf[KEY_STRLEN + 8];
	struct stat st;
	struct key key;
	size_t len = 0;
	int fd, ret;

	/* O_NONBLOCK: a FIFO put in its place must not hang us. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	ret = -errno;
	if (fstat(fd, &st))
		goto close_fd;
	ret = -EINVAL;
	if (!S_ISREG(st.st_mode))
		goto close_fd;
	ret = -EUCLEAN;
	if (st.st_uid != geteuid() && st.st_uid != 0)
		goto close_fd;
	ret = -EPERM;
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		goto close_fd;
	ret = file_read(fd, buf, sizeof(buf) - 1, &len);
	if (ret)
		goto close_fd;
	ret = -EINVAL;
	if (len == sizeof(buf) - 1 || memchr(buf, '\0', len))
		goto wipe;
	while (len > 0 && strchr(" \t\r\n", buf[len - 1]))
		len--;
	buf[len] = '\0';
	ret = key_parse(buf, &key);
	if (ret)
		goto wipe;
	if (key_is_zero(&key))
		ret = -EINVAL;
	else
		*ret_private = key;
	key_wipe(&key);
wipe:
	explicit_bzero(buf, sizeof(buf));
close_fd:
	close(fd);
	return ret;
}

int key_file_create(const char *path, const struct key *private_key)
{
	char text[KEY_STRLEN + 1];
	char *temporary;
	int fd, ret;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
	if (fd < 0) {
		ret = -errno;
		goto free_name;
	}
	key_format(private_key, text);
	text[KEY_STRLEN - 1] = '\n';
	ret = file_write(fd, text, KEY_STRLEN);
	explicit_bzero(text, sizeof(text));
	if (!ret && fsync(fd))
		ret = -errno;
	if (close(fd) && !ret)
		ret = -errno;
	/* link() and not rename(): it never replaces what is there. */
	if (!ret && link(temporary, path))
		ret = -errno;
	(void)unlink(temporary); /* ours; what is left of it if this fails is harmless to path */
	if (!ret)
		ret = file_sync_directory(path);
free_name:
	free(temporary);
	return ret;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dpmap del MAP: take one entry out of a pinned map of the data plane, as somebody else might, and
 * print its key.
 * dpmap has MAP KEY: whether there is one with this key, in hexadecimal.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dataplane.h"

#define KEY_MAX 64
#define VALUE_MAX 4096

static int map_open(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), DP_PIN_DIR "/%s", name);
	return bpf_obj_get(path);
}

static int del(int fd)
{
	struct bpf_map_info info = { 0 };
	unsigned char key[KEY_MAX];
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len) || info.key_size > sizeof(key) ||
	    bpf_map_get_next_key(fd, NULL, key) || bpf_map_delete_elem(fd, key))
		return -errno;
	for (__u32 i = 0; i < info.key_size; i++)
		printf("%02x", key[i]);
	putchar('\n');
	return 0;
}

static int has(int fd, const char *hex)
{
	unsigned char key[KEY_MAX] = { 0 }, value[VALUE_MAX];

	for (size_t i = 0; i < sizeof(key) && sscanf(hex + 2 * i, "%2hhx", &key[i]) == 1; i++)
		;
	return bpf_map_lookup_elem(fd, key, value) ? -errno : 0;
}

int main(int argc, char **argv)
{
	int fd, rc;

	if (argc < 3 || (strcmp(argv[1], "del") && (strcmp(argv[1], "has") || argc < 4))) {
		fprintf(stderr, "usage: dpmap del MAP | has MAP KEY\n");
		return 2;
	}
	fd = map_open(argv[2]);
	if (fd < 0) {
		fprintf(stderr, "dpmap: %s: %s\n", argv[2], strerror(errno));
		return 2;
	}
	rc = *argv[1] == 'd' ? del(fd) : has(fd, argv[3]);
	if (rc)
		fprintf(stderr, "dpmap: %s: %s\n", argv[2], strerror(-rc));
	return !!rc;
}

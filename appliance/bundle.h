/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A bundle: one file with which an appliance is upgraded. It can be read from a pipe: what has to be
 * known before the first byte is written stands before the first byte that is.
 *
 *	"netpas-bundle 1 00000312\n"	format, length of the manifest
 *	manifest			JSON: {"product": "netpas", "version": "20261122.1530-g1234abc",
 *					"architecture": "x86_64", "image": {"size": 1, "sha256": "..."}}
 *	64 bytes			Ed25519 signature of the manifest
 *	image				a squashfs, nothing behind it
 *
 * Nothing of the manifest is looked at before its signature was found good.
 */
#ifndef NETPAS_BUNDLE_H
#define NETPAS_BUNDLE_H

#include <stddef.h>
#include <stdint.h>

#define BUNDLE_HEADER_LEN 25
#define BUNDLE_SIGNATURE_LEN 64
#define BUNDLE_HASH_LEN 32
#define BUNDLE_MANIFEST_MAX 65536
#define BUNDLE_VERSION_LEN 64
#define BUNDLE_BLOCK 4096 /* the image is a multiple of it */
#define BUNDLE_REASON_LEN 512

struct bundle {
	char version[BUNDLE_VERSION_LEN];
	char architecture[32];
	uint64_t offset; /* of the image, from the bundle's beginning */
	uint64_t size;	 /* of the image */
	uint8_t hash[BUNDLE_HASH_LEN];
};

/* These say in words what is wrong, and return -EBADMSG then. */

int bundle_header_parse(const char *buf, size_t len, size_t *ret_manifest_len,
			char reason[static BUNDLE_REASON_LEN]);
int bundle_manifest_parse(const char *text, size_t len, struct bundle *ret_bundle,
			  char reason[static BUNDLE_REASON_LEN]);

/* keys: one or more public keys in PEM; the name is for the words. -EKEYREJECTED: by none of them. */
int bundle_verify(const char *keys, size_t keys_len, const char *keys_name, const char *manifest,
		  size_t len, const uint8_t signature[static BUNDLE_SIGNATURE_LEN],
		  char reason[static BUNDLE_REASON_LEN]);

/*
 * Read all that stands before the image, check it, and leave fd at the image's first byte. If fd is a file,
 * its length has to be right, too.
 */
int bundle_open(int fd, const char *keys_path, struct bundle *ret_bundle,
		char reason[static BUNDLE_REASON_LEN]);

/* "20261122.1530-g1234abc" and the like: a digit first, then letters, digits, '.', '-', '+', '~'. */
int bundle_version_check(const char *version); /* 0, -EINVAL */

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mesh.yaml as a file: replaced as a whole by the other gateway's, and put back. Whenever it ends,
 * by a crash or a full disk, there is the old file or the new one.
 */
#ifndef NETPAS_MESH_FILE_H
#define NETPAS_MESH_FILE_H

#include <stddef.h>
#include <stdint.h>

#define MESH_FILE "mesh.yaml"
#define MESH_FILE_OLD "mesh.yaml.1" /* what was there before, its owner and mode included */

struct mesh_file {
	char *text; /* not terminated */
	size_t len;
	uint64_t hash; /* of the bytes, see mesh_file_hash() */
};

/* Tells versions of the file apart; no protection against anybody. FNV-1a, 64 bits. */
uint64_t mesh_file_hash(const char *text, size_t len);

/*
 * 0; -ELOOP: a symbolic link, -EISDIR: no regular file, -EFBIG: longer than configurations may be;
 * -errno.
 */
int mesh_file_read(const char *dir, struct mesh_file *ret_file);
void mesh_file_fini(struct mesh_file *file);

/*
 * Replace the file, if its hash is still this one (else -ESTALE). Owner and mode stay, the old file
 * is kept as MESH_FILE_OLD. After an error the file is as it was.
 */
int mesh_file_store(const char *dir, const char *text, size_t len, uint64_t replaces);

/* Take a mesh_file_store() back, if nobody has replaced what it stored (else -ESTALE). */
int mesh_file_restore(const char *dir, uint64_t stored);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The new file is written and synced under a temporary name. Then the old one gets its second name
 * by a link, so that it never is without one, and a rename puts the new one in its place.
 */
#include "mesh_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "file.h"

struct paths {
	char file[PATH_MAX], new[PATH_MAX], old[PATH_MAX], old_new[PATH_MAX];
};

static int paths_init(struct paths *paths, const char *dir)
{
	const struct {
		char *path;
		const char *name;
	} table[] = {
		{ paths->file, MESH_FILE },
		{ paths->new, MESH_FILE ".new" },
		{ paths->old, MESH_FILE_OLD },
		{ paths->old_new, MESH_FILE_OLD ".new" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (snprintf(table[i].path, PATH_MAX, "%s/%s", dir, table[i].name) >= PATH_MAX)
			return -ENAMETOOLONG;
	return 0;
}

uint64_t mesh_file_hash(const char *text, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)text[i]) * 0x100000001b3;
	return hash;
}

static int read_open(int fd, struct mesh_file *ret_file, struct stat *ret_st)
{
	struct mesh_file file = { 0 };
	int rc;

	if (fstat(fd, ret_st))
		return -errno;
	rc = file_read_all(fd, CONFIG_FILE_MAX, &file.text, &file.len);
	if (rc)
		return rc;
	file.hash = mesh_file_hash(file.text, file.len);
	*ret_file = file;
	return 0;
}

static int read_path(const char *path, struct mesh_file *ret_file, struct stat *ret_st)
{
	int rc, fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	rc = read_open(fd, ret_file, ret_st);
	close(fd);
	return rc;
}

int mesh_file_read(const char *dir, struct mesh_file *ret_file)
{
	struct paths paths;
	struct stat st;
	int rc = paths_init(&paths, dir);

	return rc ? rc : read_path(paths.file, ret_file, &st);
}

void mesh_file_fini(struct mesh_file *file)
{
	free(file->text);
	*file = (struct mesh_file){ 0 };
}

/* The file is the one that the caller knows. *ret_st: of it. */
static int check_hash(const struct paths *paths, uint64_t hash, struct stat *ret_st)
{
	struct mesh_file file;
	int rc = read_path(paths->file, &file, ret_st);

	if (rc)
		return rc;
	rc = file.hash == hash ? 0 : -ESTALE;
	mesh_file_fini(&file);
	return rc;
}

/* The mode first: a file that is somebody else's by then is not ours to change. */
static int write_new(int fd, const char *text, size_t len, const struct stat *old)
{
	int rc = file_write(fd, text, len);

	if (rc)
		return rc;
	if (fchmod(fd, old->st_mode & 07777))
		return -errno;
	if ((old->st_uid != geteuid() || old->st_gid != getegid()) &&
	    fchown(fd, old->st_uid, old->st_gid))
		return -errno;
	return fsync(fd) ? -errno : 0;
}

static int create_new(const struct paths *paths, const char *text, size_t len,
		      const struct stat *old)
{
	int rc, fd;

	/* What a crash has left there may have any mode and any links: never write into it. */
	if (unlink(paths->new) && errno != ENOENT)
		return -errno;
	fd = open(paths->new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	rc = write_new(fd, text, len, old);
	if (close(fd) && !rc)
		rc = -errno;
	return rc;
}

static int keep_old(const struct paths *paths)
{
	if (unlink(paths->old_new) && errno != ENOENT)
		return -errno;
	if (link(paths->file, paths->old_new) || rename(paths->old_new, paths->old))
		return -errno;
	/* If both names were one file already the rename did nothing, and left both. */
	(void)unlink(paths->old_new);
	return 0;
}

int mesh_file_store(const char *dir, const char *text, size_t len, uint64_t replaces)
{
	struct paths paths;
	struct stat old;
	int rc = paths_init(&paths, dir);

	if (!rc)
		rc = check_hash(&paths, replaces, &old);
	if (rc)
		return rc;
	rc = create_new(&paths, text, len, &old);
	if (!rc)
		rc = keep_old(&paths);
	if (!rc && rename(paths.new, paths.file))
		rc = -errno;
	if (rc) {
		(void)unlink(paths.new); /* the next call removes it too */
		return rc;
	}
	rc = file_sync_directory(paths.file);
	if (rc)
		(void)rename(paths.old,
			     paths.file); /* as it was, as far as this disk does anything */
	return rc;
}

int mesh_file_restore(const char *dir, uint64_t stored)
{
	struct paths paths;
	struct stat st;
	int rc = paths_init(&paths, dir);

	if (!rc)
		rc = check_hash(&paths, stored, &st);
	if (!rc && rename(paths.old, paths.file))
		rc = -errno;
	return rc ? rc : file_sync_directory(paths.file);
}

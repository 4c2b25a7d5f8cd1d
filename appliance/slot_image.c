/* SPDX-License-Identifier: GPL-2.0-only */
#include "slot_image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "upgrade.h"

#define CHUNK (1024 * 1024)	/* a multiple of BUNDLE_BLOCK */
#define SYNC_BYTES (32 * CHUNK) /* so much waits in memory at most */

static int because(char reason[static BUNDLE_REASON_LEN], int rc, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int because(char reason[static BUNDLE_REASON_LEN], int rc, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(reason, BUNDLE_REASON_LEN, fmt, args); /* a cut one is better than none */
	va_end(args);
	return rc;
}

int slot_image_open(struct slot_image *image, const struct disk *disk, const char *path,
		    const struct bundle *bundle, char reason[static BUNDLE_REASON_LEN])
{
	off_t size;
	int rc;

	*image = (struct slot_image){ .disk = disk, .bundle = bundle, .path = path };
	/* O_EXCL: a device that is mounted is not opened. */
	image->fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
	if (image->fd < 0)
		return because(reason, -errno, "%s: %s", path, strerror(errno));
	size = lseek(image->fd, 0, SEEK_END);
	if (size < 0)
		rc = because(reason, -errno, "%s: %s", path, strerror(errno));
	else if ((uint64_t)size < bundle->size)
		rc = because(reason, -EFBIG,
			     "its image has %" PRIu64 " bytes, and the slot only %" PRIu64,
			     bundle->size, (uint64_t)size);
	else
		rc = posix_memalign((void **)&image->buf, BUNDLE_BLOCK, CHUNK)
			     ? because(reason, -ENOMEM, "out of memory")
			     : 0;
	if (rc)
		close(image->fd);
	return rc;
}

void slot_image_close(struct slot_image *image)
{
	close(image->fd); /* what counts was synced */
	free(image->buf);
}

static void tell(const struct upgrade_progress *progress, const char *doing, uint64_t done,
		 uint64_t of)
{
	if (progress)
		progress->tell(doing, done, of, progress->data);
}

static int put(struct slot_image *image, const void *buf, size_t len, uint64_t at,
	       char reason[static BUNDLE_REASON_LEN])
{
	const int rc = disk_write(image->disk, image->fd, buf, len, (off_t)at);

	return rc ? because(reason, rc, "%s: writing at byte %" PRIu64 ": %s", image->path, at,
			    strerror(-rc))
		  : 0;
}

static int settle(struct slot_image *image, char reason[static BUNDLE_REASON_LEN])
{
	const int rc = disk_sync(image->disk, image->fd);

	return rc ? because(reason, rc, "%s: writing: %s", image->path, strerror(-rc)) : 0;
}

static int wipe(struct slot_image *image, char reason[static BUNDLE_REASON_LEN])
{
	static const char zeros[SLOT_IMAGE_FIRST];
	int rc = put(image, zeros, sizeof(zeros), 0, reason);

	return rc ? rc : settle(image, reason);
}

/* A chunk; the first sector of the first one is kept, and goes to the disk at the end. */
static int take(struct slot_image *image, int from, uint64_t at, size_t wanted, EVP_MD_CTX *hash,
		char reason[static BUNDLE_REASON_LEN])
{
	const size_t skip = at ? 0 : SLOT_IMAGE_FIRST;
	size_t len = 0;
	int rc = file_read(from, image->buf, wanted, &len);

	if (rc)
		return because(reason, rc, "the bundle cannot be read: %s", strerror(-rc));
	if (len < wanted)
		return because(reason, -EBADMSG,
			       "it is truncated: the image ends after %" PRIu64 " of %" PRIu64
			       " bytes",
			       at + len, image->bundle->size);
	if (EVP_DigestUpdate(hash, image->buf, len) != 1)
		return because(reason, -ENOMEM, "out of memory");
	memcpy(image->first, image->buf, skip);
	return put(image, image->buf + skip, len - skip, at + skip, reason);
}

static int check_hash(const struct slot_image *image, EVP_MD_CTX *hash, const char *what,
		      char reason[static BUNDLE_REASON_LEN])
{
	uint8_t got[BUNDLE_HASH_LEN];
	unsigned int len = 0;

	if (EVP_DigestFinal_ex(hash, got, &len) != 1)
		return because(reason, -ENOMEM, "out of memory");
	return memcmp(got, image->bundle->hash, sizeof(got))
		       ? because(reason, -EBADMSG, "%s its manifest says", what)
		       : 0;
}

static int copy(struct slot_image *image, int from, EVP_MD_CTX *hash,
		const struct upgrade_progress *progress, char reason[static BUNDLE_REASON_LEN])
{
	const uint64_t size = image->bundle->size;
	size_t more = 0;
	int rc = 0;

	for (uint64_t at = 0; at < size && !rc; at += CHUNK) {
		tell(progress, "writing", at, size);
		rc = take(image, from, at, size - at < CHUNK ? (size_t)(size - at) : CHUNK, hash,
			  reason);
		if (!rc && at % SYNC_BYTES == SYNC_BYTES - CHUNK)
			rc = settle(image, reason);
	}
	if (!rc && (file_read(from, image->buf, 1, &more) || more))
		rc = because(reason, -EBADMSG, "it has bytes behind its end");
	if (!rc)
		rc = check_hash(image, hash, "it is damaged: its image is not the one that",
				reason);
	if (!rc)
		rc = settle(image, reason);
	if (!rc)
		tell(progress, "writing", size, size);
	return rc;
}

/* Past the cache where that can be done; elsewhere what the cache has is dropped. */
static int open_back(const struct slot_image *image)
{
	int fd = open(image->path, O_RDONLY | O_CLOEXEC | O_DIRECT);

	if (fd < 0 && errno == EINVAL) {
		fd = open(image->path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); /* a wish */
	}
	return fd;
}

static int get(struct slot_image *image, int fd, size_t wanted, uint64_t at,
	       char reason[static BUNDLE_REASON_LEN])
{
	size_t len = 0;
	int rc = file_read(fd, image->buf, wanted, &len);

	return rc || len < wanted
		       ? because(reason, rc ? rc : -EIO, "%s: reading back at byte %" PRIu64 ": %s",
				 image->path, at, rc ? strerror(-rc) : "it ends")
		       : 0;
}

static int compare(struct slot_image *image, int fd, EVP_MD_CTX *hash,
		   const struct upgrade_progress *progress, char reason[static BUNDLE_REASON_LEN])
{
	const uint64_t size = image->bundle->size;
	int rc = 0;

	for (uint64_t at = 0; at < size && !rc; at += CHUNK) {
		const size_t len = size - at < CHUNK ? (size_t)(size - at) : CHUNK;

		tell(progress, "reading back", at, size);
		rc = get(image, fd, len, at, reason);
		if (!rc && !at)
			memcpy(image->buf, image->first, sizeof(image->first));
		if (!rc && EVP_DigestUpdate(hash, image->buf, len) != 1)
			rc = because(reason, -ENOMEM, "out of memory");
	}
	if (!rc)
		rc = check_hash(image, hash, "the disk is bad: what is read back is not what",
				reason);
	if (!rc)
		tell(progress, "reading back", size, size);
	return rc;
}

static int put_first(struct slot_image *image, char reason[static BUNDLE_REASON_LEN])
{
	int fd, rc = put(image, image->first, sizeof(image->first), 0, reason);

	if (!rc)
		rc = settle(image, reason);
	if (rc)
		return rc;
	fd = open_back(image);
	if (fd < 0)
		return because(reason, -errno, "%s: %s", image->path, strerror(errno));
	rc = get(image, fd, BUNDLE_BLOCK, 0, reason); /* O_DIRECT takes no less */
	if (!rc && memcmp(image->buf, image->first, sizeof(image->first)))
		rc = because(reason, -EIO,
			     "the disk is bad: its first sector is not what was written");
	close(fd);
	return rc;
}

static int write_with(struct slot_image *image, int from, EVP_MD_CTX *hash,
		      const struct upgrade_progress *progress,
		      char reason[static BUNDLE_REASON_LEN])
{
	int fd, rc = wipe(image, reason);

	if (!rc && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1)
		rc = because(reason, -ENOMEM, "out of memory");
	if (!rc)
		rc = copy(image, from, hash, progress, reason);
	if (rc)
		return rc;
	fd = open_back(image);
	if (fd < 0)
		return because(reason, -errno, "%s: %s", image->path, strerror(errno));
	if (EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1)
		rc = because(reason, -ENOMEM, "out of memory");
	else
		rc = compare(image, fd, hash, progress, reason);
	close(fd);
	return rc ? rc : put_first(image, reason);
}

int slot_image_write(struct slot_image *image, int from, const struct upgrade_progress *progress,
		     char reason[static BUNDLE_REASON_LEN])
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	int rc = hash ? write_with(image, from, hash, progress, reason)
		      : because(reason, -ENOMEM, "out of memory");

	EVP_MD_CTX_free(hash);
	return rc;
}

/* SPDX-License-Identifier: MIT */
/* What a file on the disk contains: its size, its time and its sha256. A path is followed part by
 * part from a directory, and no part may be a symbolic link, so it cannot lead elsewhere. */
#ifndef WHORL_GET_DISK_FILE_H
#define WHORL_GET_DISK_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include <whorl/base.h>

#include "tools/get/hash.h"

/* Set the fields above the blank line. */
struct disk_file {
    int dir_fd;
    const char *path; /* manifest_is_safe(); borrowed */
    int64_t size;     /* a file of another size is not read; -1: any */
    int64_t mtime_ns; /* a file that was last changed then is not read; -1: none */

    bool is_read;               /* `sha256` is valid */
    char sha256[HASH_HEX_SIZE]; /* of the whole file */
    int64_t found_size, found_mtime_ns;
};

/**
 * Looks at the file on a thread of the run's pool, and reads it unless the fields say otherwise.
 *
 * Returns:  0; -ENOENT; -ELOOP and -ENOTDIR for a symbolic link; -EISDIR or -EINVAL for something
 *           else than a regular file; -errno.
 * Suspends: until the file was read.
 * Cancel:   -ECANCELED.
 */
WHORL_SUSPENDS int disk_file_look(struct disk_file *file);

/**
 * Reads an open file from its first byte on a thread of the run's pool.
 *
 * @see  called there with all bytes, in their order
 *
 * Returns:  0; -ENOMEM; -errno.
 * Suspends: until the file was read.
 * Cancel:   -ECANCELED.
 */
WHORL_SUSPENDS int disk_file_read(int fd, void (*see)(void *arg, const char *bytes, size_t len),
                                  void *arg);

#endif

/* SPDX-License-Identifier: MIT */
/* A file that gets its name when it is complete.
 *
 *     new_file_open()      no name (O_TMPFILE)                 .NAME.RANDOM.part (O_EXCL)
 *     the owner writes to `fd`
 *     new_file_complete()                                      close(2)
 *     new_file_take()      linkat(2) to the name, close(2)     rename(2) to the name
 *                          the name is taken, to be replaced:
 *                          linkat(2) to .NAME.RANDOM.part,
 *                          rename(2)
 *     new_file_discard()   after any failure: close(2)         close(2), unlink(2)
 *
 * A file without a name needs one change of the directory instead of two. The kernel frees it when
 * the process ends, even by SIGKILL. On file systems without such files, or where they cannot get a
 * name later, the file has a temporary name.
 *
 * These functions make system calls that wait for the disk. Call them on threads that may block.
 * They need no task.
 */
#ifndef IO_FD_NEW_FILE_H
#define IO_FD_NEW_FILE_H

#include <stddef.h>

#include "io/fd/place.h"

struct new_file {
    int dir_fd;
    const char *path; /* relative to `dir_fd`; borrowed */
    mode_t mode;      /* permissions, if `has_mode`; else 0666 without the bits of the umask */
    bool has_mode;
    bool is_named; /* the file gets a temporary name in any case */
    struct place place;
    int fd;     /* for reading and writing; -1: closed */
    char *temp; /* owned: the temporary name; NULL: it has had none */
    bool temp_exists;
};

/* Creates the file. Returns 0 or -errno, as open(2). */
int new_file_open(struct new_file *file);

/* Writes all bytes. Returns 0 or -errno. */
int new_file_write(struct new_file *file, const char *buf, size_t len);

/* Call this when all bytes are written. With `sync`, makes the file durable. Returns 0 or -errno:
 * some file systems report a full disk only now. */
int new_file_complete(struct new_file *file, bool sync);

/* Gives the file its name: a path in the same directory as `file->path`. With `sync`, the name is
 * made durable too. With `replace`, a file that already has the name is replaced.
 *
 * Returns: 0, and the file is closed; -EEXIST: another name may be tried; other -errno. */
int new_file_take(struct new_file *file, const char *path, bool replace, bool sync);

/* Closes and removes the unfinished file. For a file without a name the kernel frees the blocks
 * now, which takes long if there are many. Does nothing after a success. Does not free `temp`. */
void new_file_discard(struct new_file *file);

#endif

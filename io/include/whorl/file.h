/* SPDX-License-Identifier: MIT */
/* Files and folders through the ring. Each call is the system call of its name; see fd.h for what
 * is common to all: results are -errno, all suspend, all are cancel points. Paths are relative to
 * `dir_fd`, AT_FDCWD for the working folder, and borrowed until the call returns.
 *
 *     int fd = whorl_openat(AT_FDCWD, "page.html", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
 *     if (fd < 0)
 *         return fd;
 *     int err = whorl_pwrite_all(fd, page, page_len, 0);
 *     whorl_close(fd);
 */
#ifndef WHORL_FILE_H
#define WHORL_FILE_H

#include <fcntl.h>
#include <sys/stat.h>

#include <whorl/base.h>

struct statx;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * openat(2) with O_CLOEXEC added.
 *
 * Open FIFOs with O_NONBLOCK: without it io_uring does not wait for the other end either (-ENXIO for a
 * writer), and the epoll driver does, in a thread that no cancel can interrupt.
 *
 * Returns: the descriptor, or -errno.
 * Cancel:  -ECANCELED, and no descriptor is left open; but if the kernel was faster, the descriptor,
 *          which is the caller's to close, and the next call reports the cancel.
 */
WHORL_API WHORL_SUSPENDS int whorl_openat(int dir_fd, const char *path, int flags, mode_t mode);

/** fsync(2), or fdatasync(2) when `data_only`. */
WHORL_API WHORL_SUSPENDS int whorl_fsync(int fd, bool data_only);

/** fallocate(2). */
WHORL_API WHORL_SUSPENDS int whorl_fallocate(int fd, int mode, int64_t offset, int64_t len);

/** statx(2); needs _GNU_SOURCE for struct statx. */
WHORL_API WHORL_SUSPENDS int whorl_statx(int dir_fd, const char *path, int flags, unsigned mask,
                                         struct statx *ret);

/** renameat2(2). */
WHORL_API WHORL_SUSPENDS int whorl_renameat(int old_dir_fd, const char *old_path, int new_dir_fd,
                                            const char *new_path, unsigned flags);

/** unlinkat(2); AT_REMOVEDIR in `flags` removes a folder. */
WHORL_API WHORL_SUSPENDS int whorl_unlinkat(int dir_fd, const char *path, int flags);

/** mkdirat(2). */
WHORL_API WHORL_SUSPENDS int whorl_mkdirat(int dir_fd, const char *path, mode_t mode);

#ifdef __cplusplus
}
#endif

#endif

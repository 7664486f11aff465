/* SPDX-License-Identifier: MIT */
/* Files, directories and links by their paths. Each call is the system call of its name, carried
 * out by the run's driver, so other tasks run while the disk works. A path is relative to the
 * directory `dir_fd`, or to the working directory when that is AT_FDCWD. Paths are borrowed for the
 * call.
 *
 *     static WHORL_SUSPENDS int write_page(const char *page, size_t page_len)
 *     {
 *         WHORL_AUTO(fd) file = whorl_fd_own(
 *             whorl_openat(AT_FDCWD, "page.html", O_WRONLY | O_CREAT | O_EXCL, 0644));
 *         int fd = whorl_fd_get(&file);
 *         return fd < 0 ? fd : whorl_pwrite_all(fd, page, page_len, 0);
 *     }
 *
 * fd.h says what is common to all calls: they return what the system call returns or -errno, they
 * suspend, and they are cancel points. A request that a thread or the kernel has begun is not
 * interrupted by a cancel; the call waits for it and returns its result. Calls for which the
 * kernel's io_uring has no operation (this depends on its version) run on threads, as they do in
 * the epoll driver. When neither the kernel nor the library can start a thread (RLIMIT_NPROC,
 * pids.max), the run's own thread executes calls that wait only for a disk, and other calls return
 * -EAGAIN. A close always closes.
 */
#ifndef WHORL_FILE_H
#define WHORL_FILE_H

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include <whorl/base.h>
#include <whorl/fd.h>

struct statx;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * openat(2) with O_CLOEXEC added.
 *
 * Open a FIFO with O_NONBLOCK. Without it the drivers differ: io_uring does not wait for the other
 * end (a writer gets -ENXIO), and the epoll driver waits in a thread that a cancel cannot
 * interrupt.
 *
 * Returns: the descriptor; -errno.
 * Cancel:  -ECANCELED, and no descriptor is left open. If the open was faster than the cancel, the
 *          descriptor is returned as usual and belongs to the caller; the next call reports the
 *          cancel.
 */
WHORL_API WHORL_SUSPENDS int whorl_openat(int dir_fd, const char *path, int flags, mode_t mode);

/** fsync(2), or fdatasync(2) when `data_only` is set. */
WHORL_API WHORL_SUSPENDS int whorl_fsync(int fd, bool data_only);

/** fallocate(2). */
WHORL_API WHORL_SUSPENDS int whorl_fallocate(int fd, int mode, int64_t offset, int64_t len);

/** ftruncate(2): cuts the file to `len` bytes, or extends it with zeros. */
WHORL_API WHORL_SUSPENDS int whorl_ftruncate(int fd, int64_t len);

/** statx(2). Programs need _GNU_SOURCE for struct statx. */
WHORL_API WHORL_SUSPENDS int whorl_statx(int dir_fd, const char *path, int flags, unsigned mask,
                                         struct statx *ret);

/**
 * utimensat(2): sets the times of a file.
 *
 * @times  the time of the last access, then of the last change; tv_nsec may be UTIME_NOW or
 *         UTIME_OMIT. NULL: both are now. Borrowed for the call
 * @flags  AT_SYMLINK_NOFOLLOW
 */
WHORL_API WHORL_SUSPENDS int whorl_utimensat(int dir_fd, const char *path,
                                             const struct timespec times[2], int flags);

/** renameat2(2). */
WHORL_API WHORL_SUSPENDS int whorl_renameat(int old_dir_fd, const char *old_path, int new_dir_fd,
                                            const char *new_path, unsigned flags);

/** unlinkat(2). AT_REMOVEDIR in `flags` removes a directory. */
WHORL_API WHORL_SUSPENDS int whorl_unlinkat(int dir_fd, const char *path, int flags);

/** mkdirat(2). dir.h reads directories. */
WHORL_API WHORL_SUSPENDS int whorl_mkdirat(int dir_fd, const char *path, mode_t mode);

/** linkat(2): gives a file a second name. */
WHORL_API WHORL_SUSPENDS int whorl_linkat(int old_dir_fd, const char *old_path, int new_dir_fd,
                                          const char *new_path, int flags);

/** symlinkat(2): makes `path` a symbolic link that contains `target`. */
WHORL_API WHORL_SUSPENDS int whorl_symlinkat(const char *target, int dir_fd, const char *path);

/**
 * readlinkat(2): reads what a symbolic link contains into `ret`. No NUL is added.
 *
 * Returns: the count of bytes; a count of `size` may mean that the rest was cut off; -errno.
 */
WHORL_API WHORL_SUSPENDS ssize_t whorl_readlinkat(int dir_fd, const char *path, char *ret,
                                                  size_t size);

/**
 * flock(2): LOCK_SH or LOCK_EX locks an open file, LOCK_UN unlocks it. With LOCK_NB the call does
 * not wait.
 *
 * While another open file holds the lock, the call tries again after pauses that grow from 1 ms to
 * 50 ms. So a lock that becomes free is taken up to 50 ms later, and the waiters have no order. The
 * reason is cancellation: a thread that waits inside flock(2) cannot be interrupted. A few such
 * threads would hold up every other file operation, including those of the task that has the lock.
 *
 * Returns:  0; -EWOULDBLOCK when the lock is held elsewhere and LOCK_NB is set; -errno.
 * Suspends: until the file is locked or unlocked.
 * Cancel:   -ECANCELED; the file is not locked. LOCK_UN is not a cancel point and works in a
 *           cancelled scope.
 */
WHORL_API WHORL_SUSPENDS int whorl_flock(int fd, int operation);

#ifdef __cplusplus
}
#endif

#endif

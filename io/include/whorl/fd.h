/* SPDX-License-Identifier: MIT */
/* Reading and writing descriptors of any kind without holding up the other tasks.
 *
 * Each call is the system call of its name, carried out by the ring. Buffers belong to the kernel
 * until the call returns and never longer, also when it is cancelled. Descriptors should be left
 * blocking: the ring waits for them. Those that are not are waited for all the same, at the cost of
 * a poll where the kernel says -EAGAIN.
 *
 * Common to all calls here:
 *
 *     Returns:  what the system call returns, or -errno; WHORL_ENOTASK; WHORL_ENOIO in a run
 *               without I/O, and in a child forked from a task: the ring is its parent's.
 *     Suspends: until the kernel has completed the request.
 *     Cancel:   -ECANCELED once the kernel has let go of the memory; but if bytes moved, their count
 *               (the next call reports the cancel). Requests on regular files that the kernel has
 *               begun are not interruptible and are waited for.
 */
#ifndef WHORL_FD_H
#define WHORL_FD_H

#include <sys/uio.h>

#include <whorl/base.h>
#include <whorl/select.h>

#ifdef __cplusplus
extern "C" {
#endif

/** read(2) at the descriptor's position. 0 is the end. Short counts are normal. */
WHORL_API WHORL_SUSPENDS ssize_t whorl_read(int fd, void *buf, size_t len);

/** write(2) at the descriptor's position. Short counts are possible; see whorl_write_all(). -EPIPE where
 *  nobody reads any more, without a SIGPIPE. */
WHORL_API WHORL_SUSPENDS ssize_t whorl_write(int fd, const void *buf, size_t len);

/** readv(2). `iov` is borrowed until the call returns. At most 1024 parts. */
WHORL_API WHORL_SUSPENDS ssize_t whorl_readv(int fd, const struct iovec *iov, int iov_count);

/** writev(2). */
WHORL_API WHORL_SUSPENDS ssize_t whorl_writev(int fd, const struct iovec *iov, int iov_count);

/** pread(2): at `offset`, the descriptor's position is left alone. */
WHORL_API WHORL_SUSPENDS ssize_t whorl_pread(int fd, void *buf, size_t len, int64_t offset);

/** pwrite(2): at `offset`, the descriptor's position is left alone. */
WHORL_API WHORL_SUSPENDS ssize_t whorl_pwrite(int fd, const void *buf, size_t len, int64_t offset);

/**
 * Writes all of `buf`, going on after short counts.
 *
 * Returns:  0 once everything is written; else the error (what was written before it is unknown).
 */
WHORL_API WHORL_SUSPENDS int whorl_write_all(int fd, const void *buf, size_t len);

/** whorl_write_all() at an offset. */
WHORL_API WHORL_SUSPENDS int whorl_pwrite_all(int fd, const void *buf, size_t len, int64_t offset);

/**
 * close(2). The descriptor is gone whatever the result. No request may be in flight on it: shut a
 * socket down or cancel its users first. Under a cancelled scope, and outside a run, it still closes.
 *
 * Cancel: not a cancel point.
 */
WHORL_API WHORL_SUSPENDS_SHIELDED int whorl_close(int fd);

/**
 * Waits until `fd` is ready. This is how libraries that do their own system calls live on the loop.
 *
 * @events  POLLIN, POLLOUT, ... as in poll(2)
 *
 * Returns:  the events that hold (POLLERR and POLLHUP may be among them), greater than 0; -errno.
 * Suspends: until one of them holds.
 * Cancel:   -ECANCELED.
 */
WHORL_API WHORL_SUSPENDS int whorl_poll_fd(int fd, unsigned events);

/** pipe(2), close-on-exec. Never suspends. */
WHORL_API WHORL_CHECKED int whorl_pipe(int ret_fds[2]);

/**
 * splice(2): moves bytes from one descriptor to another, one of which is a pipe, at their positions and
 * without copying them through the program.
 *
 * Returns:  how many bytes, at most `len`; 0 at the end of the input; -EINVAL when neither is a pipe.
 */
WHORL_API WHORL_SUSPENDS ssize_t whorl_splice(int in_fd, int out_fd, size_t len);

/**
 * Sends `len` bytes of a file from `offset` on to a socket or pipe, going on after short counts, without
 * copying them through the program. The file's position is left alone. No signal is raised for a peer
 * that has hung up.
 *
 * Returns:  how many bytes were sent: all of `len`, fewer at the end of the file or where an error came
 *           after some (the next call, from there on, reports it); 0 at the end; -errno.
 * Suspends: until all are handed over.
 * Cancel:   how many went out; -ECANCELED when none did.
 */
WHORL_API WHORL_SUSPENDS int64_t whorl_sendfile(int out_fd, int file_fd, int64_t offset,
                                                int64_t len);

/** A descriptor being ready, for whorl_select(). Result as of whorl_poll_fd(). */
WHORL_API struct whorl_case whorl_case_fd(int fd, unsigned events);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* Reading and writing descriptors of any kind; other tasks run while a call waits.
 *
 *     static WHORL_SUSPENDS int copy_head(const char *from, int to)
 *     {
 *         WHORL_AUTO(fd) file = whorl_fd_own(whorl_openat(AT_FDCWD, from, O_RDONLY, 0));
 *         char buf[4096];
 *         int fd = whorl_fd_get(&file);
 *         if (fd < 0)
 *             return fd;
 *         ssize_t n = whorl_read(fd, buf, sizeof buf);
 *         return n < 0 ? (int)n : whorl_write_all(to, buf, (size_t)n);
 *     }
 *
 * Each call is the system call of its name, carried out by the run's driver. The kernel uses the
 * buffers until the call returns, but not longer, even when the call is cancelled. Leave
 * descriptors blocking. The calls also work with O_NONBLOCK, and they wait in that case too, but
 * each wait then needs an additional poll.
 *
 * Common to all calls here:
 *
 *     Returns:  what the system call returns, or -errno; WHORL_ENOTASK; WHORL_ENOIO in a run
 *               without I/O, and in a child forked from a task, because the ring is its parent's.
 *     Suspends: until the kernel has completed the request.
 *     Cancel:   -ECANCELED once the kernel no longer uses the memory. If bytes moved, their count
 *               is returned instead, and the next call reports the cancel. A request on a regular
 *               file that the kernel has begun cannot be interrupted; the call waits for it.
 */
#ifndef WHORL_FD_H
#define WHORL_FD_H

#include <sys/uio.h>

#include <whorl/base.h>
#include <whorl/select.h>

/* Owns a descriptor, which is closed when the block is left: WHORL_AUTO(fd). A zero-initialised
 * owner owns nothing. Use the functions below instead of the field. */
struct whorl_fd {
    int fd_plus_one; /* the descriptor or negative code, plus 1: 0 means that it owns nothing */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes an owner of `fd`. If `fd` is a negative code, the owner owns nothing and remembers the
 * code. So the result of an open can be passed unchecked: whorl_fd_get() returns the error.
 */
static inline struct whorl_fd whorl_fd_own(int fd)
{
    struct whorl_fd owner = {fd + 1};

    return owner;
}

/** The descriptor, which the owner keeps; or the negative code given to whorl_fd_own(); or -1 when
 *  the owner owns nothing. */
static inline int whorl_fd_get(const struct whorl_fd *owner)
{
    return owner->fd_plus_one - 1;
}

/** Returns what whorl_fd_get() returns. From then on the caller owns the descriptor. */
static inline int whorl_fd_take(struct whorl_fd *owner)
{
    int fd = owner->fd_plus_one - 1;

    owner->fd_plus_one = 0;
    return fd;
}

/**
 * Closes the descriptor, if there is one, with close(2). The owner then owns nothing. No request
 * may be in flight on it. Never suspends: where a close may take long, as on a network file system,
 * call whorl_close(whorl_fd_take(owner)) instead.
 */
WHORL_API void whorl_fd_finish(struct whorl_fd *owner);

static inline void whorl_auto_fd(struct whorl_fd *owner)
{
    whorl_fd_finish(owner);
}

/** read(2) at the descriptor's position. 0 is the end. Short counts are normal. */
WHORL_API WHORL_SUSPENDS ssize_t whorl_read(int fd, void *buf, size_t len);

/**
 * Reads exactly `len` bytes at the descriptor's position; continues after short counts.
 *
 * Returns:  0; -ENODATA when the end comes first; other errors. After a failure, the bytes that
 *           were already read are lost.
 * Suspends: until all have arrived.
 * Cancel:   -ECANCELED; the bytes that were already read are lost.
 */
WHORL_API WHORL_SUSPENDS int whorl_read_exact(int fd, void *buf, size_t len);

/**
 * Reads from the descriptor's position to the end.
 *
 * @len_max  the largest number of bytes to accept
 * @ret      the bytes, followed by a NUL; free them with free()
 * @ret_len  the number of bytes, without the NUL; may be NULL
 *
 * Returns:  0; -EFBIG when there are more than `len_max` bytes; -ENOMEM; other errors. After a
 *           failure, the bytes that were already read are lost.
 * Suspends: until the end.
 * Cancel:   -ECANCELED; the bytes that were already read are lost.
 */
WHORL_API WHORL_SUSPENDS int whorl_read_to_end(int fd, size_t len_max, char **ret, size_t *ret_len);

/** write(2) at the descriptor's position. Short counts are possible, see whorl_write_all(). For a
 *  pipe or socket that nothing reads any more, it returns -EPIPE and raises no SIGPIPE. */
WHORL_API WHORL_SUSPENDS ssize_t whorl_write(int fd, const void *buf, size_t len);

/** readv(2). `iov` is borrowed for the call and has at most 1024 parts. */
WHORL_API WHORL_SUSPENDS ssize_t whorl_readv(int fd, const struct iovec *iov, int iov_count);

/** writev(2). `iov` is borrowed for the call and has at most 1024 parts. */
WHORL_API WHORL_SUSPENDS ssize_t whorl_writev(int fd, const struct iovec *iov, int iov_count);

/** pread(2): reads at `offset` and does not change the descriptor's position. */
WHORL_API WHORL_SUSPENDS ssize_t whorl_pread(int fd, void *buf, size_t len, int64_t offset);

/** whorl_read_exact() at `offset`; does not change the descriptor's position. */
WHORL_API WHORL_SUSPENDS int whorl_pread_exact(int fd, void *buf, size_t len, int64_t offset);

/** pwrite(2): writes at `offset` and does not change the descriptor's position. */
WHORL_API WHORL_SUSPENDS ssize_t whorl_pwrite(int fd, const void *buf, size_t len, int64_t offset);

/** preadv(2): whorl_readv() at `offset`; does not change the descriptor's position. */
WHORL_API WHORL_SUSPENDS ssize_t whorl_preadv(int fd, const struct iovec *iov, int iov_count,
                                              int64_t offset);

/** pwritev(2): whorl_writev() at `offset`; does not change the descriptor's position. */
WHORL_API WHORL_SUSPENDS ssize_t whorl_pwritev(int fd, const struct iovec *iov, int iov_count,
                                               int64_t offset);

/**
 * Writes all of `buf`; continues after short counts.
 *
 * Returns:  0 once everything is written; otherwise an error, and the number of bytes that were
 *           written before it is unknown.
 */
WHORL_API WHORL_SUSPENDS int whorl_write_all(int fd, const void *buf, size_t len);

/** whorl_write_all() at an offset. */
WHORL_API WHORL_SUSPENDS int whorl_pwrite_all(int fd, const void *buf, size_t len, int64_t offset);

/**
 * close(2). The descriptor is closed whatever the result, also in a cancelled scope and outside a
 * run.
 *
 * Tasks that wait for the descriptor are woken first: their calls return the bytes that they have
 * moved, or -EBADF. If requests of this run are in flight on a file, the close waits for their end.
 * So no call that began before the close uses the next file that gets the number. A plain close(2)
 * does not guarantee this, because it wakes no task.
 *
 * Cancel: not a cancel point.
 */
WHORL_API WHORL_SUSPENDS_SHIELDED int whorl_close(int fd);

/**
 * Waits until `fd` is ready. A library that makes its own system calls can use this to wait in a
 * task.
 *
 * @events  POLLIN, POLLOUT, ... as in poll(2)
 *
 * Returns:  the events that hold (POLLERR and POLLHUP may be among them), greater than 0; -EINVAL
 *           when a file of this kind can never report any of `events`; -errno. A regular file is
 *           always readable and writable.
 * Suspends: until one of them holds.
 * Cancel:   -ECANCELED.
 */
WHORL_API WHORL_SUSPENDS int whorl_poll_fd(int fd, unsigned events);

/** pipe(2), close-on-exec. Never suspends. */
WHORL_API WHORL_CHECKED int whorl_pipe(int ret_fds[2]);

/**
 * splice(2): moves bytes from one descriptor to another inside the kernel. One of the two is a
 * pipe. Both are used at their positions. A peer that has hung up raises no signal.
 *
 * Returns:  the count of bytes, at most `len`; 0 at the end of the input; -EINVAL when neither is a
 *           pipe.
 */
WHORL_API WHORL_SUSPENDS ssize_t whorl_splice(int in_fd, int out_fd, size_t len);

/**
 * Sends `len` bytes of a file, from `offset` on, to a socket or pipe inside the kernel; continues
 * after short counts. The file's position does not change. A peer that has hung up raises no
 * signal. As in whorl_splice(), the input comes first; in sendfile(2) the output does.
 *
 * Returns:  the count of bytes sent: `len`, or fewer when the file ends or when an error occurs
 *           after them (the next call, which continues from there, reports the error); 0 at the end
 *           of the file; -errno.
 * Suspends: until all are sent.
 * Cancel:   the count of bytes sent; -ECANCELED when there are none.
 */
WHORL_API WHORL_SUSPENDS int64_t whorl_sendfile(int file_fd, int out_fd, int64_t offset,
                                                int64_t len);

/** A case for whorl_select(), ready when `fd` is. Its result is that of whorl_poll_fd(). */
WHORL_API struct whorl_case whorl_case_fd(int fd, unsigned events);

#ifdef __cplusplus
}
#endif

#endif

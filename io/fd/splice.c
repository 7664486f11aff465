/* SPDX-License-Identifier: MIT */
/* Moves bytes between descriptors inside the kernel. Creates pipes, which this needs. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <whorl/error.h>
#include <whorl/fd.h>
#include <whorl/task.h>

#include "io/driver/op.h"
#include "io/driver/syscall.h"

#define AT_POSITION UINT64_MAX
#define LEN_MAX     ((size_t)0x7ffff000) /* the most bytes that the kernel moves in one call */

enum {
    CHUNK = 1 << 20, /* bytes moved at a time; the default of /proc/sys/fs/pipe-max-size */
};

int whorl_pipe(int ret_fds[2])
{
    return pipe2(ret_fds, O_CLOEXEC) < 0 ? -errno : 0;
}

WHORL_SUSPENDS static ssize_t splice_once(int in_fd, uint64_t in_offset, int out_fd, size_t len,
                                          unsigned flags)
{
    struct io_op op = {
        .code = IO_OP_SPLICE,
        .fd = out_fd,
        .off = AT_POSITION,
        .addr = in_offset,
        .addr2 = (uint64_t)in_fd,
        .len = (uint32_t)(len < LEN_MAX ? len : LEN_MAX),
        .flags = flags,
    };

    return io_op_run(&op, "splice");
}

/* Waits until both ends can be spliced. If one of them is a file, which is always ready, waits for
 * the other. */
WHORL_SUSPENDS static int await_both(int in_fd, int out_fd)
{
    int err = whorl_poll_fd(in_fd, POLLIN);

    if (err == -EPERM) /* a file, which cannot be polled */
        err = 0;
    if (err >= 0)
        err = whorl_poll_fd(out_fd, POLLOUT);
    return err < 0 && err != -EPERM ? err : 0;
}

/* A splice between sockets and pipes is a system call of the run's thread. io_uring would give it
 * to a thread of the kernel, and the copy of 4 GiB from TCP to TCP would need 1.4 times the CPU
 * time, as measured on loopback. Other files are polled first, because a splice that waits would
 * occupy a thread of the kernel. */
WHORL_SUSPENDS ssize_t whorl_splice(int in_fd, int out_fd, size_t len)
{
    int err = whorl_task_self() ? whorl_check_cancelled() : WHORL_ENOTASK;

    if (err == 0 && !io_driver_current()) /* SIGPIPE is blocked only in a run with I/O */
        err = WHORL_ENOIO;
    while (err == 0) {
        ssize_t n = syscall_splice_now(in_fd, out_fd, len);
        if (n == -EPERM) {
            err = await_both(in_fd, out_fd);
            n = err ? err : splice_once(in_fd, AT_POSITION, out_fd, len, SPLICE_F_NONBLOCK);
        } else if (n > 0) {
            /* Two fast peers must not keep other tasks from running. The next call will report a
             * cancellation. */
            (void)!whorl_yield();
        } else if (n == -EAGAIN) {
            err = await_both(in_fd, out_fd);
        }
        if (n != -EAGAIN)
            return n;
    }
    return err;
}

/* Sends the `len` bytes that are in the pipe. Returns how many it sent; if fewer, sets
 * `ret_err`. */
WHORL_SUSPENDS static size_t drain(int pipe_fd, int out_fd, size_t len, bool more, int *ret_err)
{
    size_t sent = 0;

    while (sent < len) {
        int events = whorl_poll_fd(out_fd, POLLOUT);
        ssize_t n =
            events < 0 && events != -EPERM
                ? events
                : splice_once(pipe_fd, AT_POSITION, out_fd, len - sent,
                              SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0));
        if (n == -EAGAIN)
            continue;
        if (n <= 0) {
            *ret_err = n < 0 ? (int)n : -EIO;
            break;
        }
        sent += (size_t)n;
    }
    return sent;
}

WHORL_SUSPENDS int64_t whorl_sendfile(int file_fd, int out_fd, int64_t offset, int64_t len)
{
    int64_t sent = 0;
    int fds[2];

    if (offset < 0 || len < 0)
        return -EINVAL;
    int err = whorl_check_cancelled();
    if (err == 0)
        err = whorl_pipe(fds);
    if (err)
        return err;
    int room = fcntl(fds[1], F_SETPIPE_SZ, CHUNK);
    if (room < 0)
        room = fcntl(fds[1], F_GETPIPE_SZ);
    while (sent < len && err == 0) {
        size_t part = len - sent < room ? (size_t)(len - sent) : (size_t)room;
        ssize_t n = splice_once(file_fd, (uint64_t)(offset + sent), fds[1], part, SPLICE_F_MOVE);
        if (n <= 0) {
            err = (int)n;
            break;
        }
        sent += (int64_t)drain(fds[0], out_fd, (size_t)n, len - sent > n, &err);
    }
    /* Bytes left in the pipe are lost with it, but the file still has them. */
    close(fds[0]);
    close(fds[1]);
    return sent > 0 ? sent : err;
}

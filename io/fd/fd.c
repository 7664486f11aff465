/* SPDX-License-Identifier: MIT */
/* Reads, writes, closes and polls descriptors of any kind. */
#include <errno.h>
#include <unistd.h>

#include <whorl/error.h>
#include <whorl/fd.h>
#include <whorl/task.h>

#include "io/driver/op.h"

#define AT_POSITION UINT64_MAX
#define LEN_MAX     ((size_t)0x7ffff000) /* the most bytes that the kernel moves in one call */

static uint32_t clamp(size_t len)
{
    return (uint32_t)(len < LEN_MAX ? len : LEN_MAX);
}

WHORL_SUSPENDS static ssize_t transfer(enum io_op_code code, int fd, const void *addr, uint32_t len,
                                       uint64_t off, const char *what)
{
    struct io_op op = {
        .code = code, .fd = fd, .addr = (uint64_t)(uintptr_t)addr, .len = len, .off = off};

    return io_op_run(&op, what);
}

WHORL_SUSPENDS ssize_t whorl_read(int fd, void *buf, size_t len)
{
    return transfer(IO_OP_READ, fd, buf, clamp(len), AT_POSITION, "read");
}

WHORL_SUSPENDS ssize_t whorl_write(int fd, const void *buf, size_t len)
{
    return transfer(IO_OP_WRITE, fd, buf, clamp(len), AT_POSITION, "write");
}

WHORL_SUSPENDS ssize_t whorl_readv(int fd, const struct iovec *iov, int iov_count)
{
    if (iov_count < 0)
        return -EINVAL;
    return transfer(IO_OP_READV, fd, iov, (uint32_t)iov_count, AT_POSITION, "readv");
}

WHORL_SUSPENDS ssize_t whorl_writev(int fd, const struct iovec *iov, int iov_count)
{
    if (iov_count < 0)
        return -EINVAL;
    return transfer(IO_OP_WRITEV, fd, iov, (uint32_t)iov_count, AT_POSITION, "writev");
}

WHORL_SUSPENDS ssize_t whorl_pread(int fd, void *buf, size_t len, int64_t offset)
{
    if (offset < 0) /* -1 would mean the file position */
        return -EINVAL;
    return transfer(IO_OP_READ, fd, buf, clamp(len), (uint64_t)offset, "pread");
}

WHORL_SUSPENDS ssize_t whorl_pwrite(int fd, const void *buf, size_t len, int64_t offset)
{
    if (offset < 0)
        return -EINVAL;
    return transfer(IO_OP_WRITE, fd, buf, clamp(len), (uint64_t)offset, "pwrite");
}

WHORL_SUSPENDS ssize_t whorl_preadv(int fd, const struct iovec *iov, int iov_count, int64_t offset)
{
    if (iov_count < 0 || offset < 0)
        return -EINVAL;
    return transfer(IO_OP_READV, fd, iov, (uint32_t)iov_count, (uint64_t)offset, "preadv");
}

WHORL_SUSPENDS ssize_t whorl_pwritev(int fd, const struct iovec *iov, int iov_count, int64_t offset)
{
    if (iov_count < 0 || offset < 0)
        return -EINVAL;
    return transfer(IO_OP_WRITEV, fd, iov, (uint32_t)iov_count, (uint64_t)offset, "pwritev");
}

WHORL_SUSPENDS int whorl_read_exact(int fd, void *buf, size_t len)
{
    char *at = buf;

    if (len == 0)
        return whorl_check_cancelled();
    while (len > 0) {
        ssize_t n = whorl_read(fd, at, len);
        if (n <= 0)
            return n < 0 ? (int)n : -ENODATA;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

WHORL_SUSPENDS int whorl_pread_exact(int fd, void *buf, size_t len, int64_t offset)
{
    char *at = buf;

    if (len == 0)
        return whorl_check_cancelled();
    while (len > 0) {
        ssize_t n = whorl_pread(fd, at, len, offset);
        if (n <= 0)
            return n < 0 ? (int)n : -ENODATA;
        at += n;
        len -= (size_t)n;
        offset += n;
    }
    return 0;
}

WHORL_SUSPENDS int whorl_write_all(int fd, const void *buf, size_t len)
{
    const char *at = buf;

    if (len == 0)
        return whorl_check_cancelled();
    while (len > 0) {
        ssize_t n = whorl_write(fd, at, len);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return -EIO; /* a device that accepts no bytes and reports no error */
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

WHORL_SUSPENDS int whorl_pwrite_all(int fd, const void *buf, size_t len, int64_t offset)
{
    const char *at = buf;

    if (len == 0)
        return whorl_check_cancelled();
    while (len > 0) {
        ssize_t n = whorl_pwrite(fd, at, len, offset);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return -EIO;
        at += n;
        len -= (size_t)n;
        offset += n;
    }
    return 0;
}

WHORL_SUSPENDS_SHIELDED int whorl_close(int fd)
{
    struct io_op op = {.code = IO_OP_CLOSE, .fd = fd};

    int err = io_op_run_uncancellable(&op, "close");
    if (err != WHORL_ENOTASK && err != WHORL_ENOIO && err != -ENOMEM && err != -ECANCELED)
        return err;
    /* There is no driver, or no memory for the request; or the request was made before a fork, and
     * this is the child. This call promises to close the descriptor, so close it directly. */
    if (close(fd) == 0 || errno == EINTR)
        return 0;
    return -errno;
}

void whorl_fd_finish(struct whorl_fd *owner)
{
    int fd = whorl_fd_take(owner);

    if (fd >= 0)
        close(fd);
}

WHORL_SUSPENDS int whorl_poll_fd(int fd, unsigned events)
{
    struct io_op op = {.code = IO_OP_POLL, .fd = fd, .len = events};

    return io_op_run(&op, "poll");
}

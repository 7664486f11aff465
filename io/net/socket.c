/* SPDX-License-Identifier: MIT */
/* Sockets: the system calls of the same names. Those that may wait are requests to the driver. */
#include "io/net/socket.h"

#include <errno.h>
#include <fcntl.h>

#include <whorl/net.h>
#include <whorl/task.h>

#include "io/driver/op.h"
#include "io/driver/syscall.h"

#define LEN_MAX ((size_t)0x7ffff000) /* the most bytes that the kernel moves in one call */

int whorl_socket(int family, int type, int protocol)
{
    int fd = socket(family, type | SOCK_CLOEXEC, protocol);

    return fd < 0 ? -errno : fd;
}

int whorl_bind(int fd, const struct whorl_addr *addr)
{
    return bind(fd, &addr->sa, addr->len) < 0 ? -errno : 0;
}

int whorl_shutdown(int fd, int how)
{
    return shutdown(fd, how) < 0 ? -errno : 0;
}

WHORL_SUSPENDS int whorl_connect(int fd, const struct whorl_addr *addr)
{
    struct io_op op = {
        .code = IO_OP_CONNECT,
        .fd = fd,
        .addr = (uint64_t)(uintptr_t)&addr->sa,
        .len = addr->len,
    };

    return io_op_run(&op, "connect");
}

WHORL_SUSPENDS static ssize_t transfer(enum io_op_code code, int fd, const void *buf, size_t len,
                                       int flags, bool is_stream, const char *what)
{
    struct io_op op = {
        .code = code,
        .fd = fd,
        .addr = (uint64_t)(uintptr_t)buf,
        .len = (uint32_t)(len < LEN_MAX ? len : LEN_MAX),
        .flags = (uint32_t)flags,
        .is_stream = is_stream,
    };

    return io_op_run(&op, what);
}

/* With MSG_WAITALL, io_uring continues after a short count also where recv(2) does not: it joins
 * the packets of a SOCK_SEQPACKET socket, and with MSG_PEEK it returns the same bytes several
 * times. Reading the error queue never blocks in recv(2), but it would block in io_uring. */
static int recv_flags(int fd, int flags)
{
    if (flags & MSG_WAITALL && (flags & MSG_PEEK || !syscall_is_stream_socket(fd)))
        flags &= ~MSG_WAITALL;
    return flags & MSG_ERRQUEUE ? flags | MSG_DONTWAIT : flags;
}

WHORL_SUSPENDS ssize_t whorl_recv(int fd, void *buf, size_t len, int flags)
{
    if (__builtin_expect(flags & (MSG_WAITALL | MSG_ERRQUEUE), 0))
        flags = recv_flags(fd, flags);
    return transfer(IO_OP_RECV, fd, buf, len, flags, false, "recv");
}

WHORL_SUSPENDS ssize_t whorl_send(int fd, const void *buf, size_t len, int flags)
{
    return transfer(IO_OP_SEND, fd, buf, len, flags | MSG_NOSIGNAL, false, "send");
}

WHORL_SUSPENDS ssize_t socket_send_stream(int fd, const void *buf, size_t len)
{
    return transfer(IO_OP_SEND, fd, buf, len, MSG_NOSIGNAL | MSG_WAITALL, true, "send");
}

WHORL_SUSPENDS int whorl_send_all(int fd, const void *buf, size_t len, int flags)
{
    const char *at = buf;

    if (len == 0)
        return whorl_check_cancelled();
    while (len > 0) {
        /* With MSG_WAITALL the driver itself continues after a short count, where it can. */
        ssize_t n = whorl_send(fd, at, len, flags | MSG_WAITALL);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return -EIO;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

WHORL_SUSPENDS ssize_t whorl_recvmsg(int fd, struct msghdr *msg, int flags)
{
    if (__builtin_expect(flags & (MSG_WAITALL | MSG_ERRQUEUE), 0))
        flags = recv_flags(fd, flags);
    return transfer(IO_OP_RECVMSG, fd, msg, 0, flags, false, "recvmsg");
}

WHORL_SUSPENDS ssize_t whorl_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    bool is_stream = false;

    if (__builtin_expect(flags & MSG_WAITALL, 0)) {
        is_stream = syscall_is_stream_socket(fd);
        /* io_uring continues after a short count, but not on a non-blocking socket. */
        if (fcntl(fd, F_GETFL) & O_NONBLOCK)
            flags &= ~MSG_WAITALL;
    }

    return transfer(IO_OP_SENDMSG, fd, msg, 0, flags | MSG_NOSIGNAL, is_stream, "sendmsg");
}

WHORL_SUSPENDS ssize_t socket_sendmsg_stream(int fd, const struct msghdr *msg)
{
    return transfer(IO_OP_SENDMSG, fd, msg, 0, MSG_NOSIGNAL | MSG_WAITALL, true, "sendmsg");
}

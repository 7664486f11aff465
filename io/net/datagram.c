/* SPDX-License-Identifier: MIT */
/* Datagrams over UDP and Unix sockets. */
#include <errno.h>
#include <unistd.h>

#include <whorl/net.h>

int whorl_socket_udp(const struct whorl_addr *addr)
{
    int fd = whorl_socket(addr->sa.sa_family, SOCK_DGRAM, 0);
    int err = fd < 0 ? fd : whorl_bind(fd, addr);

    if (fd >= 0 && err) {
        close(fd);
        return err;
    }
    return fd;
}

WHORL_SUSPENDS ssize_t whorl_sendto(int fd, const void *buf, size_t len, int flags,
                                    const struct whorl_addr *to)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};

    if (to) {
        msg.msg_name = (void *)(uintptr_t)&to->sa;
        msg.msg_namelen = to->len;
    }
    return whorl_sendmsg(fd, &msg, flags);
}

WHORL_SUSPENDS ssize_t whorl_recvfrom(int fd, void *buf, size_t len, int flags,
                                      struct whorl_addr *ret_from)
{
    struct iovec part = {.iov_base = buf, .iov_len = len};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
    struct whorl_addr from = {.len = 0};

    if (ret_from) {
        msg.msg_name = &from.un;
        msg.msg_namelen = sizeof from.un;
    }
    ssize_t n = whorl_recvmsg(fd, &msg, flags);
    if (n < 0)
        return n;
    if (ret_from) {
        from.len = msg.msg_namelen;
        *ret_from = from;
    }
    /* The rest of the datagram is lost, and a short count would look like a short datagram. */
    if (msg.msg_flags & MSG_TRUNC && !(flags & MSG_TRUNC))
        return -EMSGSIZE;
    return n;
}

/* SPDX-License-Identifier: MIT */
/* Sockets: the system calls on the ring, addresses as values, and dialling by name.
 *
 * A server, whole:
 *
 *     static int serve(void *arg)                     // a task per connection
 *     {
 *         int fd = *(int *)arg;
 *         char buf[4096];
 *         ssize_t n;
 *         while ((n = whorl_recv(fd, buf, sizeof buf, 0)) > 0)
 *             if (whorl_send_all(fd, buf, (size_t)n, 0) < 0)
 *                 break;
 *         whorl_close(fd);
 *         return 0;
 *     }
 *
 *     struct whorl_addr addr;
 *     WHORL_AUTO(listener) *listener = NULL;
 *     int err = whorl_addr_parse("127.0.0.1", 7000, &addr);
 *     if (err == 0)
 *         err = whorl_listen(&addr, NULL, &listener);
 *     while (err == 0 && (err = whorl_accept(listener, NULL)) >= 0)
 *         err = whorl_spawn_copy(&group, serve, &(int){err});
 *
 * What is common to all suspending calls stands in fd.h.
 */
#ifndef WHORL_NET_H
#define WHORL_NET_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <whorl/base.h>
#include <whorl/error.h>

/* A socket address of family AF_INET, AF_INET6 or AF_UNIX. A plain value. */
struct whorl_addr {
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    };
    socklen_t len;
};

/* Room for any address as text: "[ipv6%scope]:65535" or a Unix path. */
#define WHORL_ADDR_TEXT_MAX 128

/* Descriptors that can be passed in one message: what the kernel allows. */
#define WHORL_PASSED_FDS_MAX 253

#ifdef __cplusplus
extern "C" {
#endif

/** Parses a literal IPv4 or IPv6 address (no brackets). 0, or -EINVAL. Never suspends. */
WHORL_API WHORL_CHECKED int whorl_addr_parse(const char *ip, uint16_t port, struct whorl_addr *ret);

/** A Unix-domain address; a leading '@' means the abstract namespace. 0, or -ENAMETOOLONG. */
WHORL_API WHORL_CHECKED int whorl_addr_unix(const char *path, struct whorl_addr *ret);

/** Writes "1.2.3.4:80", "[::1]:80" or a path into `text`, cut to `size` with its NUL; returns `text`.
 *  WHORL_ADDR_TEXT_MAX is always enough. */
WHORL_API const char *whorl_addr_text(const struct whorl_addr *addr, char *text, size_t size);

/** The port of an IP address; 0 for others. */
WHORL_API uint16_t whorl_addr_port(const struct whorl_addr *addr);

/** Sets the port of an IP address. */
WHORL_API void whorl_addr_set_port(struct whorl_addr *addr, uint16_t port);

/** The local address of a socket. 0, or -errno. Never suspends. */
WHORL_API WHORL_CHECKED int whorl_addr_local(int fd, struct whorl_addr *ret);

/** The peer's address of a socket. 0, or -errno. Never suspends. */
WHORL_API WHORL_CHECKED int whorl_addr_peer(int fd, struct whorl_addr *ret);

/** socket(2), close-on-exec. Never suspends. */
WHORL_API WHORL_CHECKED int whorl_socket(int family, int type, int protocol);

/** bind(2). Never suspends. */
WHORL_API WHORL_CHECKED int whorl_bind(int fd, const struct whorl_addr *addr);

/** connect(2). */
WHORL_API WHORL_SUSPENDS int whorl_connect(int fd, const struct whorl_addr *addr);

/** recv(2). 0 is the end. */
WHORL_API WHORL_SUSPENDS ssize_t whorl_recv(int fd, void *buf, size_t len, int flags);

/** send(2) with MSG_NOSIGNAL added. Short counts are possible. */
WHORL_API WHORL_SUSPENDS ssize_t whorl_send(int fd, const void *buf, size_t len, int flags);

/** Sends all of `buf`: 0, or an error (how much was sent before it is unknown). */
WHORL_API WHORL_SUSPENDS int whorl_send_all(int fd, const void *buf, size_t len, int flags);

/** recvmsg(2). `msg` and what it points at are borrowed until the call returns. */
WHORL_API WHORL_SUSPENDS ssize_t whorl_recvmsg(int fd, struct msghdr *msg, int flags);

/** sendmsg(2) with MSG_NOSIGNAL added. */
WHORL_API WHORL_SUSPENDS ssize_t whorl_sendmsg(int fd, const struct msghdr *msg, int flags);

/**
 * A datagram socket bound to `addr` (UDP, or Unix datagrams for a Unix address), close-on-exec.
 *
 * Returns: the descriptor; a socket(2) or bind(2) error. Never suspends.
 */
WHORL_API WHORL_CHECKED int whorl_socket_udp(const struct whorl_addr *addr);

/** sendto(2) with MSG_NOSIGNAL added: one datagram, whole. @to NULL where the socket is connected */
WHORL_API WHORL_SUSPENDS ssize_t whorl_sendto(int fd, const void *buf, size_t len, int flags,
                                              const struct whorl_addr *to);

/**
 * recvfrom(2): one datagram. One that does not fit is lost and reported as -EMSGSIZE, unless the flags
 * say MSG_TRUNC: then its whole length is returned.
 *
 * @ret_from  who sent it; may be NULL
 */
WHORL_API WHORL_SUSPENDS ssize_t whorl_recvfrom(int fd, void *buf, size_t len, int flags,
                                                struct whorl_addr *ret_from);

/**
 * Sends descriptors along with bytes over a Unix socket. They stay open here.
 *
 * @len  at least 1; on a stream the descriptors go with the first byte, and the count may be short
 *
 * Returns: how many bytes; -EINVAL for no byte or more than WHORL_PASSED_FDS_MAX descriptors; -EBADF.
 */
WHORL_API WHORL_SUSPENDS ssize_t whorl_send_fds(int fd, const void *buf, size_t len, const int *fds,
                                                size_t fds_count);

/**
 * Receives bytes and the descriptors that came along, close-on-exec.
 *
 * @fds        room for `fds_max`
 * @ret_count  how many came; may be NULL only if none can
 *
 * Returns: how many bytes, 0 at the end; -EMSGSIZE when more descriptors came than expected, -EMFILE when
 *          this process may not have as many. Then all are closed, and the bytes are gone.
 */
WHORL_API WHORL_SUSPENDS ssize_t whorl_recv_fds(int fd, void *buf, size_t len, int *fds,
                                                size_t fds_max, size_t *ret_count);

/** shutdown(2). Wakes those who wait in whorl_recv() on the socket. Works in a cancelled scope. */
WHORL_API int whorl_shutdown(int fd, int how);

struct whorl_listener;

/* Zero-initialised is valid. */
struct whorl_listen_options {
    int backlog;     /* 0: 4096, which the kernel caps at net.core.somaxconn */
    bool reuse_port; /* SO_REUSEPORT */
    bool v6_only;    /* IPV6_V6ONLY */
    bool no_delay;   /* TCP_NODELAY on accepted connections */
};

/**
 * Opens a listening stream socket with SO_REUSEADDR. Port 0 takes a free one; see
 * whorl_listener_addr(). A Unix path must not exist yet; it is removed by the close.
 *
 * Returns: 0; -EADDRINUSE and other bind(2) and listen(2) errors; -ENOMEM. Never suspends.
 */
WHORL_API WHORL_CHECKED int whorl_listen(const struct whorl_addr *addr,
                                         const struct whorl_listen_options *options,
                                         struct whorl_listener **ret);

/**
 * The next connection. Several tasks may wait in it; they are served in turn.
 *
 * One multishot accept stays armed where the kernel has it, so connections that arrive between two
 * calls are taken and kept: up to 64, and what arrives in one go on top. The others wait in the
 * kernel's backlog.
 *
 * @ret_peer  the peer's address; may be NULL, which saves a system call. All zero when the peer has
 *            hung up already
 *
 * Returns:  the connection's descriptor, close-on-exec; -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM
 *           (the caller should pause, then try again); -EPIPE once the listener is closed.
 * Suspends: until there is one.
 * Cancel:   -ECANCELED; no connection is lost.
 */
WHORL_API WHORL_SUSPENDS int whorl_accept(struct whorl_listener *listener,
                                          struct whorl_addr *ret_peer);

/** The address it listens on, with the port the kernel chose. */
WHORL_API const struct whorl_addr *whorl_listener_addr(const struct whorl_listener *listener);

/** Closes it: waiting accepts return -EPIPE, connections not yet handed out are closed. Accepts
 *  NULL. Never suspends. */
WHORL_API void whorl_listener_close(struct whorl_listener *listener);

static inline void whorl_auto_listener(struct whorl_listener **listener)
{
    whorl_listener_close(*listener);
}

#ifdef __cplusplus
}
#endif

#endif

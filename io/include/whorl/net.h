/* SPDX-License-Identifier: MIT */
/* Sockets: the system calls, carried out by the run's driver; addresses as values; and listeners.
 * dial.h connects to hosts by name.
 *
 *     static int serve(void *arg)                     // one task per connection
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
 *     static WHORL_SUSPENDS int serve_all(struct whorl_group *group)
 *     {
 *         struct whorl_addr addr;
 *         WHORL_AUTO(listener) *listener = NULL;
 *         int err = whorl_addr_parse("127.0.0.1", 7000, &addr);
 *         if (err == 0)
 *             err = whorl_listen(&addr, NULL, &listener);
 *         while (err == 0 && (err = whorl_accept(listener, NULL)) >= 0)
 *             err = whorl_spawn_copy(group, serve, &(int){err});
 *         return err;
 *     }
 *
 * Several processes can serve one address: a program opens the listener, forks before it begins a
 * run, and each child begins a run of its own. The kernel gives each connection to one of them.
 *
 *     static int serve_here(void *listener)                   // in each process
 *     {
 *         WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
 *         int fd;
 *         while ((fd = whorl_accept(listener, NULL)) >= 0)
 *             if (whorl_spawn_copy(&group, serve, &fd) < 0)
 *                 whorl_close(fd);
 *         return fd;
 *     }
 *
 *     static int serve_in_processes(struct whorl_listener *listener, int count)
 *     {
 *         for (int i = 0; i < count; i++)
 *             if (fork() == 0)
 *                 _exit(whorl_io_run(serve_here, listener) < 0);
 *         while (wait(NULL) > 0)
 *             ;
 *         whorl_listener_close(listener);                     // removes the path of a Unix socket
 *         return 0;
 *     }
 *
 * A listener that was made before a fork works in the runs of parent and child. Each process closes
 * its own copy, as with close(2): the other processes continue to accept. The process that bound a
 * Unix socket removes its path. A child does not get the connections that its parent has already
 * accepted.
 *
 * fd.h says what is common to all suspending calls.
 */
#ifndef WHORL_NET_H
#define WHORL_NET_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <whorl/base.h>
#include <whorl/error.h>
#include <whorl/select.h>

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

/* The largest number of descriptors that one message can pass; the kernel's limit. */
#define WHORL_PASSED_FDS_MAX 253

#ifdef __cplusplus
extern "C" {
#endif

/** Parses a literal IPv4 or IPv6 address (no brackets). 0, or -EINVAL. Never suspends. */
WHORL_API WHORL_CHECKED int whorl_addr_parse(const char *ip, uint16_t port, struct whorl_addr *ret);

/**
 * Makes a Unix-domain address. A leading '@' means the abstract namespace. Never suspends.
 *
 * Returns: 0; -EINVAL when `path` is empty; -ENAMETOOLONG.
 */
WHORL_API WHORL_CHECKED int whorl_addr_unix(const char *path, struct whorl_addr *ret);

/** Writes "1.2.3.4:80", "[::1]:80" or a path to `ret`, with a NUL and at most `size` bytes; returns
 *  `ret`. WHORL_ADDR_TEXT_MAX is always enough. Never suspends. */
WHORL_API const char *whorl_addr_text(const struct whorl_addr *addr, char *ret, size_t size);

/** The port of an IP address; 0 for other families. */
WHORL_API uint16_t whorl_addr_port(const struct whorl_addr *addr);

/** Sets the port of an IP address. */
WHORL_API void whorl_addr_set_port(struct whorl_addr *addr, uint16_t port);

/** The local address of a socket. 0, or -errno. Never suspends. */
WHORL_API WHORL_CHECKED int whorl_addr_local(int fd, struct whorl_addr *ret);

/** The address of a socket's peer. 0, or -errno. Never suspends. */
WHORL_API WHORL_CHECKED int whorl_addr_peer(int fd, struct whorl_addr *ret);

/** socket(2), close-on-exec. Never suspends. */
WHORL_API WHORL_CHECKED int whorl_socket(int family, int type, int protocol);

/** bind(2). Never suspends. */
WHORL_API WHORL_CHECKED int whorl_bind(int fd, const struct whorl_addr *addr);

/** connect(2). If the backlog of a Unix socket is full, waits for room, also on a non-blocking
 *  socket. */
WHORL_API WHORL_SUSPENDS int whorl_connect(int fd, const struct whorl_addr *addr);

/** recv(2). 0 is the end. MSG_WAITALL has an effect on stream sockets only, and none with MSG_PEEK.
 *  MSG_ERRQUEUE never waits: it returns -EAGAIN when the queue of errors is empty. */
WHORL_API WHORL_SUSPENDS ssize_t whorl_recv(int fd, void *buf, size_t len, int flags);

/** send(2) with MSG_NOSIGNAL added. Short counts are possible. */
WHORL_API WHORL_SUSPENDS ssize_t whorl_send(int fd, const void *buf, size_t len, int flags);

/** Sends all of `buf`. 0, or an error; the number of bytes that were sent before it is unknown. */
WHORL_API WHORL_SUSPENDS int whorl_send_all(int fd, const void *buf, size_t len, int flags);

/** recvmsg(2), with the flags as in whorl_recv(). `msg` and the memory that it points to are
 *  borrowed for the call. */
WHORL_API WHORL_SUSPENDS ssize_t whorl_recvmsg(int fd, struct msghdr *msg, int flags);

/** sendmsg(2) with MSG_NOSIGNAL added. */
WHORL_API WHORL_SUSPENDS ssize_t whorl_sendmsg(int fd, const struct msghdr *msg, int flags);

/**
 * Opens a datagram socket bound to `addr`, close-on-exec: UDP, or Unix datagrams for a Unix
 * address.
 *
 * Returns: the descriptor; a socket(2) or bind(2) error. Never suspends.
 */
WHORL_API WHORL_CHECKED int whorl_socket_udp(const struct whorl_addr *addr);

/**
 * sendto(2) with MSG_NOSIGNAL added: sends one datagram as a whole.
 *
 * @to  NULL when the socket is connected
 */
WHORL_API WHORL_SUSPENDS ssize_t whorl_sendto(int fd, const void *buf, size_t len, int flags,
                                              const struct whorl_addr *to);

/**
 * recvfrom(2): receives one datagram. A datagram that does not fit into `buf` is lost, and the call
 * returns -EMSGSIZE; with MSG_TRUNC in `flags` it returns the datagram's whole length instead.
 *
 * @ret_from  the address of the sender; may be NULL
 */
WHORL_API WHORL_SUSPENDS ssize_t whorl_recvfrom(int fd, void *buf, size_t len, int flags,
                                                struct whorl_addr *ret_from);

/**
 * Sends descriptors together with bytes over a Unix socket. They stay open in this process.
 *
 * @len  at least 1. On a stream socket the descriptors go with the first byte, and the count may be
 *       short
 *
 * Returns: the count of bytes; -EINVAL for no byte or more than WHORL_PASSED_FDS_MAX descriptors;
 *          -EBADF; other sendmsg(2) errors.
 */
WHORL_API WHORL_SUSPENDS ssize_t whorl_send_fds(int fd, const void *buf, size_t len, const int *fds,
                                                size_t fds_count);

/**
 * Receives bytes and the descriptors that were sent with them, close-on-exec.
 *
 * @ret_fds    the descriptors; room for `fds_max`
 * @ret_count  how many descriptors arrived; may be NULL only if there can be none
 *
 * Returns: the count of bytes, 0 at the end; -EMSGSIZE when more than `fds_max` descriptors
 *          arrived; -EMFILE when this process may not open that many; other recvmsg(2) errors.
 *          After -EMSGSIZE and -EMFILE all these descriptors are closed and the bytes are lost.
 */
WHORL_API WHORL_SUSPENDS ssize_t whorl_recv_fds(int fd, void *buf, size_t len, int *ret_fds,
                                                size_t fds_max, size_t *ret_count);

/** shutdown(2). Wakes the tasks that wait in whorl_recv() on the socket. Never suspends, so it
 *  works in a cancelled scope. */
WHORL_API WHORL_CHECKED int whorl_shutdown(int fd, int how);

struct whorl_listener;

/* Zero-initialised is valid. */
struct whorl_listen_options {
    int backlog;     /* 0: 4096, which the kernel caps at net.core.somaxconn */
    bool reuse_port; /* SO_REUSEPORT */
    bool v6_only;    /* IPV6_V6ONLY */
    bool no_delay;   /* TCP_NODELAY on accepted connections */
};

/**
 * Opens a listening stream socket with SO_REUSEADDR. Port 0 means any free port;
 * whorl_listener_addr() returns the chosen one. A Unix path must not exist yet; the close removes
 * it.
 *
 * @options  NULL for the defaults
 * @ret      the listener; close it with whorl_listener_close()
 *
 * Returns: 0; -EADDRINUSE and other bind(2) and listen(2) errors; -ENOMEM. Never suspends.
 */
WHORL_API WHORL_CHECKED int whorl_listen(const struct whorl_addr *addr,
                                         const struct whorl_listen_options *options,
                                         struct whorl_listener **ret);

/**
 * whorl_listen() on a literal IPv4 or IPv6 address.
 *
 * @options  NULL for the defaults
 * @ret      the listener; close it with whorl_listener_close()
 *
 * Returns: 0; -EINVAL when `ip` is no address; errors of whorl_listen(). Never suspends.
 */
WHORL_API WHORL_CHECKED int whorl_listen_ip(const char *ip, uint16_t port,
                                            const struct whorl_listen_options *options,
                                            struct whorl_listener **ret);

/**
 * Makes a listener from a socket that already listens: one that systemd passes to a service, or one
 * that was opened before the process forked. It becomes close-on-exec. In the epoll driver it
 * becomes non-blocking, also for other processes that share it.
 *
 * The close removes no Unix path, and other processes that share the socket can still accept. As
 * with whorl_listen(), connections that this process has accepted and kept are closed. The same may
 * happen to connections that arrive before the next turn of the loop.
 *
 * @options  `no_delay` applies, and `backlog` when it is not 0. The other options matter only
 *           before the bind, and are ignored. NULL for the defaults
 *
 * Returns: 0; -EINVAL when the socket does not listen; -EBADF; -ENOTSOCK; -ENOMEM; listen(2) and
 *          setsockopt(2) errors. Never suspends.
 * Owns:    `fd`, on success.
 */
WHORL_API WHORL_CHECKED int whorl_listen_fd(int fd, const struct whorl_listen_options *options,
                                            struct whorl_listener **ret);

/**
 * Waits for the next connection. Any number of tasks may wait; they are served in the order in
 * which they came.
 *
 * If the kernel supports multishot accept, such a request stays armed. Connections that arrive
 * between two calls are then accepted and kept. At most 64 are kept, or a few more when several
 * arrive at once; further connections wait in the kernel's backlog. A listener that other processes
 * may share keeps no connections. This is one from whorl_listen_fd(), or one that was made before a
 * fork.
 *
 * @ret_peer  the peer's address; may be NULL, which saves a system call. All zero when the peer has
 *            already hung up
 *
 * Returns:  the connection's descriptor, close-on-exec; -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM (pause,
 *           then try again); -EPIPE once the listener is closed; WHORL_ENOTASK; WHORL_ENOIO.
 * Suspends: until there is a connection.
 * Cancel:   -ECANCELED; no connection is lost.
 */
WHORL_API WHORL_SUSPENDS int whorl_accept(struct whorl_listener *listener,
                                          struct whorl_addr *ret_peer);

/** A case for whorl_select(), ready when there is a connection. Its result is that of
 *  whorl_accept(): the descriptor, or an error. `ret_peer` may be NULL. A case that is not taken
 *  loses no connection. */
WHORL_API struct whorl_case whorl_case_accept(struct whorl_listener *listener,
                                              struct whorl_addr *ret_peer);

/** The address of the listener, with the port that the kernel chose. Valid until the close. */
WHORL_API const struct whorl_addr *whorl_listener_addr(const struct whorl_listener *listener);

/** Closes the listener. Waiting accepts return -EPIPE; connections that no task has accepted are
 *  closed. The socket stops listening at once, or, when this process has forked since it made the
 *  listener, once all processes have closed their copies. Accepts NULL. Never suspends. */
WHORL_API void whorl_listener_close(struct whorl_listener *listener);

static inline void whorl_auto_listener(struct whorl_listener **listener)
{
    whorl_listener_close(*listener);
}

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* Serving: accepts connections, and runs a task for each of them.
 *
 *     static int greet(void *arg, struct whorl_stream *stream)     // in the connection's own task
 *     {
 *         return whorl_stream_write(stream, arg, strlen(arg));     // then it is closed
 *     }
 *
 *     static int root(void *arg)
 *     {
 *         WHORL_AUTO(listener) *listener = NULL;
 *
 *         int err = whorl_listen(arg, NULL, &listener);
 *         return err ? err : whorl_serve(&listener, 1, NULL, greet, "hello\n");
 *     }
 *
 * A server ends gracefully when the task that calls whorl_serve() is asked to stop (see stop.h). It
 * then accepts no more connections. The tasks of the open connections are asked to stop too:
 * whorl_stop_requested() and whorl_case_stop() report the request to them. They have a grace period
 * to end. After that they are cancelled.
 */
#ifndef WHORL_SERVE_H
#define WHORL_SERVE_H

#include <whorl/base.h>
#include <whorl/net.h>
#include <whorl/stream.h>
#include <whorl/tls_server.h>

/* Serves one connection. The stream is closed when the function returns, whatever the result.
 * whorl_stream_option_fd() returns the stream's socket. A negative result means that this
 * connection failed: the result is passed to `failed`, and the other connections continue. */
typedef WHORL_SUSPENDS int (*whorl_serve_fn)(void *arg, struct whorl_stream *stream);

/* Zero-initialised is valid. */
struct whorl_serve_options {
    /* The largest number of open connections. Further connections wait in the kernel's backlog. 0:
     * no limit except the process's limit on descriptors. */
    size_t conns_max;
    /* How long the connections may take to end after the request to stop; 0: 10 s. */
    int64_t grace_ns;
    size_t stack_size; /* of the connections' tasks; 0: the run's default */
    /* Serve TLS: the handshake is done before the function is called, with a TLS stream. Borrowed
     * for the call; replace its certificates with whorl_tls_server_reload(). NULL: no TLS. */
    struct whorl_tls_server *tls;
    /* Called when a connection or its TLS handshake has failed (`stream` is still open), and when
     * the server pauses because a connection could not be accepted or given a task (`stream` is
     * NULL): -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM, -EAGAIN. It must not suspend. NULL: not
     * called. */
    void (*failed)(void *arg, struct whorl_stream *stream, int err);
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Serves connections from all of the listeners until the running task is asked to stop.
 *
 * When the process has no descriptor or no memory for another connection, the server pauses for 50
 * milliseconds. No connection is lost: those that wait stay in the backlog.
 *
 * @listeners  borrowed for the call; they stay open
 * @options    borrowed for the call; NULL for the defaults
 * @fn, @arg   called as fn(arg, stream) in a task of its own for each connection
 *
 * Returns:  0 after a request to stop; -ETIMEDOUT when connections had to be cancelled after the
 *           grace period; -EINVAL when there is no listener; -EPIPE when a listener was closed, and
 *           other errors of whorl_accept(): the open connections then end as after a request to
 *           stop; -ENOMEM; WHORL_ENOTASK; WHORL_ENOIO.
 * Suspends: until all connections have ended.
 * Cancel:   -ECANCELED; the connections are cancelled at once.
 */
WHORL_API WHORL_SUSPENDS int whorl_serve(struct whorl_listener *const *listeners, size_t count,
                                         const struct whorl_serve_options *options,
                                         whorl_serve_fn fn, void *arg);

/**
 * Makes listeners from the sockets that the service manager has passed to this process. The
 * variables LISTEN_PID and LISTEN_FDS describe them (sd_listen_fds(3)). The call removes the
 * variables from the environment, so that programs started by this one do not read them. Never
 * suspends.
 *
 * @options    as for whorl_listen_fd()
 * @ret        the listeners; close each with whorl_listener_close()
 * @ret_max    room in `ret`
 * @ret_count  the number of listeners; 0 when no sockets were passed
 *
 * Returns: 0; -E2BIG when more than `ret_max` were passed; -EINVAL when the variables are
 *          malformed, or a descriptor is not a listening socket; errors of whorl_listen_fd(). After
 *          a failure there is no listener, and the descriptors are closed.
 */
WHORL_API WHORL_CHECKED int whorl_listen_inherited(const struct whorl_listen_options *options,
                                                   struct whorl_listener **ret, size_t ret_max,
                                                   size_t *ret_count);

#ifdef __cplusplus
}
#endif

#endif

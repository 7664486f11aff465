/* SPDX-License-Identifier: MIT */
/* Streams in memory, for tests: a client and a server in one run, without sockets.
 *
 * They need no kernel events, so they work in virtual runs (see run.h): a test of a one-hour
 * timeout takes a millisecond and gives the same result each time.
 *
 *     static int test_idle_timeout(void *arg)              // the root task of whorl_run_virtual()
 *     {
 *         struct whorl_memory_options options = {.latency_ns = 20 * WHORL_MILLISECOND};
 *         WHORL_AUTO(stream) *client = NULL;
 *         WHORL_AUTO(stream) *server = NULL;
 *         WHORL_AUTO(group) group = {0};
 *         char byte;
 *
 *         int err = whorl_stream_pair(&options, &client, &server);
 *         if (err == 0)
 *             err = whorl_spawn(&group, serve, server);
 *         if (err == 0)
 *             err = (int)whorl_stream_read(client, &byte, 1);   // 0: the server has hung up
 *         assert(err == 0 && whorl_now() == 30 * WHORL_MINUTE);
 *         return 0;
 *     }
 *
 * Both ends behave like those of a Unix socket: bytes that were written before the close can still
 * be read, and a write to an end that is closed returns -EPIPE.
 */
#ifndef WHORL_MEMORY_H
#define WHORL_MEMORY_H

#include <whorl/base.h>
#include <whorl/error.h>
#include <whorl/stream.h>

struct whorl_memory_listener;

/* How the streams behave. Zero-initialised is valid. */
struct whorl_memory_options {
    size_t capacity;    /* how many unread bytes each direction can hold; a writer waits while it is
                           full; 0: 65536 */
    size_t read_max;    /* bytes that one read returns at most; 0: no limit. 1 finds parsers that
                           expect too much at once */
    int64_t latency_ns; /* bytes, and the end, arrive this long after they were written */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes two connected streams. Never suspends.
 *
 * @options         NULL for the defaults
 * @ret_a, @ret_b   close each with whorl_stream_close(), in any order
 *
 * Returns: 0; -ENOMEM.
 */
WHORL_API WHORL_CHECKED int whorl_stream_pair(const struct whorl_memory_options *options,
                                              struct whorl_stream **ret_a,
                                              struct whorl_stream **ret_b);

/**
 * Makes a listener: whorl_memory_listener_dial() connects to it, and whorl_memory_listener_accept()
 * returns the server's end of the connection. Never suspends.
 *
 * @options  of the streams; NULL for the defaults
 * @ret      destroy it with whorl_memory_listener_destroy()
 *
 * Returns: 0; -ENOMEM; WHORL_ENOTASK outside a run.
 */
WHORL_API WHORL_CHECKED int whorl_memory_listener_create(const struct whorl_memory_options *options,
                                                         struct whorl_memory_listener **ret);

/** Closes the listener and frees it. Connections that were not accepted are closed. No task may be
 *  waiting on the listener. Accepts NULL. Never suspends. */
WHORL_API void whorl_memory_listener_destroy(struct whorl_memory_listener *listener);

/** Refuses new connections, and wakes the tasks that wait. Never suspends. */
WHORL_API void whorl_memory_listener_close(struct whorl_memory_listener *listener);

/**
 * Connects.
 *
 * @ret  the client's end; close it with whorl_stream_close()
 *
 * Returns:  0; -ECONNREFUSED when the listener is closed; -ENOMEM; WHORL_ENOTASK.
 * Suspends: while 128 connections wait to be accepted.
 * Cancel:   -ECANCELED; there is no connection.
 */
WHORL_API WHORL_SUSPENDS int whorl_memory_listener_dial(struct whorl_memory_listener *listener,
                                                        struct whorl_stream **ret);

/**
 * The same as whorl_http_dialer.dial, so that an HTTP session talks to a server in memory. Host and
 * port are ignored.
 *
 * @listener  a struct whorl_memory_listener
 *
 * Returns:  as whorl_memory_listener_dial().
 * Suspends: as whorl_memory_listener_dial().
 * Cancel:   as whorl_memory_listener_dial().
 */
WHORL_API WHORL_SUSPENDS int whorl_memory_dial_host(void *listener, const char *host, uint16_t port,
                                                    struct whorl_error *error,
                                                    struct whorl_stream **ret);

/**
 * Waits for the next connection.
 *
 * @ret  the server's end; close it with whorl_stream_close()
 *
 * Returns:  0; -EPIPE when the listener is closed and no connection is left; WHORL_ENOTASK.
 * Suspends: until there is a connection.
 * Cancel:   -ECANCELED; no connection is lost.
 */
WHORL_API WHORL_SUSPENDS int whorl_memory_listener_accept(struct whorl_memory_listener *listener,
                                                          struct whorl_stream **ret);

static inline void whorl_auto_memory_listener(struct whorl_memory_listener **listener)
{
    whorl_memory_listener_destroy(*listener);
}

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* Dialling: connecting to a host by its name. The name is resolved, and the addresses are tried
 * with Happy Eyeballs (RFC 8305), so a broken IPv6 or one dead server delays the connection only a
 * little.
 *
 *     static WHORL_SUSPENDS int say_hello(void)
 *     {
 *         struct whorl_error error;
 *         WHORL_AUTO(stream) *stream = NULL;
 *         int err = whorl_dial_stream("example.org", 80, NULL, &error, &stream);
 *         if (err) {
 *             fprintf(stderr, "%s: %s\n", error.step, error.text);
 *             return err;
 *         }
 *         return whorl_stream_write(stream, "hello\n", 6);
 *     }
 */
#ifndef WHORL_DIAL_H
#define WHORL_DIAL_H

#include <whorl/base.h>
#include <whorl/error.h>
#include <whorl/net.h>
#include <whorl/stream.h>

/* The steps of a dial, in their order. Several attempts may be under way at the same time. A host
 * that is a literal address has no lookup. */
enum whorl_dial_step {
    WHORL_DIAL_RESOLVE,   /* the lookup begins */
    WHORL_DIAL_RESOLVED,  /* `addrs` are known, the first 8 in the order of the attempts; the lookup
                             of the other family may still be under way */
    WHORL_DIAL_TRY,       /* an attempt at `addr` begins */
    WHORL_DIAL_FAILED,    /* the attempt at `addr` has failed with `err` */
    WHORL_DIAL_CONNECTED, /* to `addr` */
};

/* What a watch is told. Pointers are valid during the call; those that the step does not name are
 * NULL. */
struct whorl_dial_event {
    enum whorl_dial_step step;
    const char *host;
    const struct whorl_addr *addr;
    const struct whorl_addr *addrs;
    size_t addrs_count;
    int err;
};

/* A function that is told of each step. It may run outside a task, and it must not suspend. */
struct whorl_dial_watch {
    void (*event)(void *arg, const struct whorl_dial_event *event);
    void *arg;
};

/* Zero-initialised is valid. */
struct whorl_dial_options {
    int family;               /* AF_INET, AF_INET6, or AF_UNSPEC for both */
    int64_t attempt_delay_ns; /* between two attempts (RFC 8305 §5); 0: 250 ms */
    bool delay_small_writes;  /* leave Nagle's algorithm on; the default is TCP_NODELAY */
    const struct whorl_dial_watch *watch; /* borrowed for the call; NULL: none */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Connects to a host by its name.
 *
 * Addresses of both families are tried in turn. A new attempt starts every 250 ms, or as soon as an
 * attempt fails. The first connection wins, and all other sockets are closed.
 *
 * @host      a DNS name or a literal address without brackets
 * @options   NULL for the defaults
 * @error     set on failure; its step is "resolve" or "connect"; may be NULL; borrowed for the call
 * @ret_peer  the address that was reached; may be NULL
 *
 * Returns:  the connected socket, blocking and close-on-exec. Otherwise the socket(2) or connect(2)
 *           error of the attempt that failed last; when there was no attempt, the error of
 *           whorl_resolve().
 * Suspends: until connected. Only a scope limits the time.
 * Cancel:   -ECANCELED; no socket is left open.
 */
WHORL_API WHORL_SUSPENDS int whorl_dial_tcp(const char *host, uint16_t port,
                                            const struct whorl_dial_options *options,
                                            struct whorl_error *error, struct whorl_addr *ret_peer);

/**
 * Like whorl_dial_tcp(), but makes a stream of the connection.
 *
 * @ret  the stream; close it with whorl_stream_close()
 *
 * Returns:  0; -ENOMEM; errors of whorl_dial_tcp().
 * Suspends: until connected.
 * Cancel:   -ECANCELED; no socket is left open.
 */
WHORL_API WHORL_SUSPENDS int whorl_dial_stream(const char *host, uint16_t port,
                                               const struct whorl_dial_options *options,
                                               struct whorl_error *error,
                                               struct whorl_stream **ret);

#ifdef __cplusplus
}
#endif

#endif

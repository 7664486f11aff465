/* SPDX-License-Identifier: MIT */
/* Dialling: connecting to a host by its name. The name is resolved, and the addresses are tried
 * with Happy Eyeballs (RFC 8305), so a broken IPv6 or one dead server delays the connection only a
 * little. The options choose another address, family, local address, interface or a Unix socket.
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
#include <whorl/dns.h>
#include <whorl/error.h>
#include <whorl/net.h>
#include <whorl/stream.h>

/* The steps of a dial, in their order. Several attempts may be under way at the same time. A host
 * that is a literal address or has an override has no lookup. */
enum whorl_dial_step {
    WHORL_DIAL_RESOLVE,   /* the lookup begins */
    WHORL_DIAL_RESOLVED,  /* `addrs` are known, the first 8 in the order of the attempts; the lookup
                             of the other family may still be under way */
    WHORL_DIAL_TRY,       /* an attempt at `addr` begins */
    WHORL_DIAL_FAILED,    /* the attempt at `addr` has failed with `err` */
    WHORL_DIAL_CONNECTED, /* to `addr` */
};

/* A step of a dial. Pointers are valid during the call; those that the step does not name are
 * NULL. */
struct whorl_dial_event {
    enum whorl_dial_step step;
    const char *host;
    const struct whorl_addr *addr;
    const struct whorl_addr *addrs;
    size_t addrs_count;
    int err;
};

/* A function that is called at each step of a dial. It may run outside a task, and it must not
 * suspend. */
struct whorl_dial_watch {
    void (*event)(void *arg, const struct whorl_dial_event *event);
    void *arg;
};

/* Zero-initialised is valid. All strings are borrowed for the call.
 *
 * An override has the form "HOST:PORT:ADDR[,ADDR...]". HOST is a name, compared without case and
 * without a trailing dot; a literal address, IPv6 in brackets; or "*", which means every host. PORT
 * is a number. Connections to this host and port go to the addresses, in their order, and no name
 * is looked up. The addresses are IPv4 or IPv6, with or without brackets. The first override that
 * names the host applies; the first one with "*" applies if no other names the host.
 *
 * An interface limits the connection to it with SO_BINDTODEVICE. Where the kernel does not permit
 * that (before 5.7 it needs CAP_NET_RAW), the connection comes from the interface's first address
 * of the family instead, and the routing table decides which way its packets leave; with a
 * `local_addr` too, it fails with -EPERM. */
struct whorl_dial_options {
    int family;                     /* AF_INET, AF_INET6, or AF_UNSPEC for both */
    int64_t attempt_delay_ns;       /* between two attempts (RFC 8305 §5); 0: 250 ms */
    bool delay_small_writes;        /* leave Nagle's algorithm on; the default is TCP_NODELAY */
    struct whorl_resolver resolver; /* default: whorl_resolve() */
    const char *const *overrides;   /* `overrides_count` of them, see above */
    size_t overrides_count;
    const char *local_addr; /* a literal address that the connection comes from; NULL: any. Only
                               addresses of its family are tried */
    const char *interface;  /* name of the network interface to use, such as "eth0"; NULL: any */
    const char *unix_path;  /* connect to this Unix stream socket, whatever the host; "@name" is in
                               the abstract namespace; NULL: TCP. Not with a family, resolver,
                               overrides, local_addr or interface */
    const struct whorl_dial_watch *watch; /* borrowed for the call; NULL: none */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Checks options, and says what is wrong with them. The calls below do the same checks. Whether the
 * local address and the interface exist shows when a connection is made. Never suspends.
 *
 * @error  its step is "options", and its text names the field and the cause; may be NULL; borrowed
 *         for the call
 *
 * Returns: 0; -EINVAL; -ENAMETOOLONG for `unix_path`.
 */
WHORL_API WHORL_CHECKED int whorl_dial_options_check(const struct whorl_dial_options *options,
                                                     struct whorl_error *error);

/**
 * Connects to a host by its name.
 *
 * The addresses are sorted as RFC 6724 §6 says, with the default policy table: one without a route
 * comes last. Then the families alternate. A new attempt starts every 250 ms, or as soon as an
 * attempt fails. The first connection wins, and all other sockets are closed.
 *
 * @host      a DNS name or a literal address without brackets
 * @options   NULL for the defaults
 * @error     set on failure; its step is "options", "resolve" or "connect"; may be NULL; borrowed
 *            for the call
 * @ret_peer  the address that was reached; may be NULL
 *
 * Returns:  the connected socket, blocking and close-on-exec. Otherwise the socket(2), bind(2) or
 *           connect(2) error of the attempt that failed last; -ENODEV: there is no such interface;
 *           when there was no attempt, the error of whorl_dial_options_check() or the resolver.
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

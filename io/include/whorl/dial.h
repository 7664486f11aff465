/* SPDX-License-Identifier: MIT */
/* Dialling: connecting to a host by name.
 *
 *     struct whorl_error error;
 *     int fd = whorl_dial_tcp("example.org", 80, NULL, &error, NULL);
 *     if (fd < 0)
 *         fprintf(stderr, "%s: %s\n", error.step, error.text);
 */
#ifndef WHORL_DIAL_H
#define WHORL_DIAL_H

#include <whorl/base.h>
#include <whorl/error.h>
#include <whorl/net.h>

/* Zero-initialised is valid. */
struct whorl_dial_options {
    int family;               /* AF_INET, AF_INET6, or AF_UNSPEC for both */
    int64_t attempt_delay_ns; /* between two attempts (RFC 8305 §5); 0: 250 ms */
    bool delay_small_writes;  /* leave Nagle's algorithm on; the default is TCP_NODELAY */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Connects to a host by name with Happy Eyeballs (RFC 8305).
 *
 * Addresses of both families are tried in turn. A new attempt starts after each 250 ms, or as soon
 * as an attempt fails. The first connection wins and all other sockets are closed.
 *
 * @options   NULL for the defaults
 * @error     set on failure; its step is "resolve" or "connect"; may be NULL; borrowed for the call
 * @ret_peer  the address that was reached; may be NULL
 *
 * Returns:  the connected socket, blocking and close-on-exec; the socket(2) or connect(2) error of
 *           the attempt that failed last; if no attempt was made, the error of whorl_resolve().
 * Suspends: until connected. Only a scope limits the time.
 * Cancel:   -ECANCELED; no socket is left open.
 */
WHORL_API WHORL_SUSPENDS int whorl_dial_tcp(const char *host, uint16_t port,
                                            const struct whorl_dial_options *options,
                                            struct whorl_error *error, struct whorl_addr *ret_peer);

#ifdef __cplusplus
}
#endif

#endif

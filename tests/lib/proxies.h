/* SPDX-License-Identifier: MIT */
/* Real proxies on free ports of 127.0.0.1. They run until the test ends. A test is skipped when the
 * proxy is not installed.
 *
 *     uint16_t port = proxy_start_squid(&(struct proxy_options){.user = "me", .password = "x"});
 */
#ifndef TEST_PROXIES_H
#define TEST_PROXIES_H

#include <stdbool.h>
#include <stdint.h>

/* Zero-initialised options are valid. */
struct proxy_options {
    const char *user, *password; /* that clients need; NULL: none. Squid accepts any password,
                                    unless `digest` is set */
    bool digest;                 /* squid: ask for Digest only. A nonce is stale after its third
                                    request */
    const char *cert;            /* squid: speak TLS with this certificate of certs.h; NULL: none */
};

/* Start a proxy and return its port. Squid and tinyproxy are HTTP proxies, microsocks speaks
 * SOCKS5. `options` may be NULL. */
uint16_t proxy_start_squid(const struct proxy_options *options);
uint16_t proxy_start_tinyproxy(const struct proxy_options *options);
uint16_t proxy_start_microsocks(const struct proxy_options *options);

#endif

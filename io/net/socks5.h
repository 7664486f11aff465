/* SPDX-License-Identifier: MIT */
/* The client's side of SOCKS version 5 (RFC 1928) with user name and password (RFC 1929): asks a
 * proxy for a connection to a server.
 *
 * The protocol is without I/O: it says which bytes to send, and how many to receive.
 *
 *     struct socks5 s;
 *     socks5_init(&s, &request);
 *     while (socks5_wants(&s) > 0) {
 *         ... send the s.out_len bytes of s.out, if there are any ...
 *         ... receive exactly socks5_wants(&s) bytes ...
 *         err = socks5_feed(&s, bytes, &why);
 *     }
 *
 * So it never reads bytes that belong to the server. socks5_connect.h does this on a stream.
 *
 *     client                                   proxy
 *     5, methods ------------------------->
 *            <------------------------- 5, method
 *     1, name, password ------------------>          with method 2
 *            <------------------------- 1, status
 *     5, CONNECT, address, port ---------->
 *            <------------------------- 5, reply, address, port
 */
#ifndef IO_NET_SOCKS5_H
#define IO_NET_SOCKS5_H

#include <stdint.h>

#include <whorl/base.h>
#include <whorl/error.h>

enum {
    SOCKS5_TEXT_MAX = 255,                    /* bytes of a name or password */
    SOCKS5_OUT_MAX = 3 + 2 * SOCKS5_TEXT_MAX, /* bytes of the longest message */
    SOCKS5_WANTS_MAX = SOCKS5_TEXT_MAX + 2,   /* bytes to receive at a time */
};

/* Borrowed until the end. */
struct socks5_request {
    const char *host; /* a literal address without brackets, or a name, which the proxy resolves */
    uint16_t port;
    const char *user, *password; /* 1 to 255 bytes each; `user` is NULL: none */
};

struct socks5 {
    const struct socks5_request *request;
    uint8_t out[SOCKS5_OUT_MAX]; /* to be sent now */
    size_t out_len;              /* 0: nothing */
    size_t wants;
    uint8_t state; /* enum state, in socks5.c */
};

/** Begins. Returns 0; WHORL_EDNS_BADNAME: the host is longer than 255 bytes or empty. */
int socks5_init(struct socks5 *s, const struct socks5_request *request);

/** How many bytes to receive next; 0: the connection is made. */
size_t socks5_wants(const struct socks5 *s);

/**
 * Takes exactly the wanted bytes.
 *
 * @ret_why  on errors: what the proxy says, or what is wrong with it
 *
 * Returns: 0; WHORL_EHTTP_PROXY_AUTH; WHORL_EHTTP_PROXY_REFUSED; WHORL_EHTTP_PROXY_FAILED;
 *          WHORL_EHTTP_PROXY_PROTOCOL. After an error only the end of the connection follows.
 */
int socks5_feed(struct socks5 *s, const uint8_t *bytes, const char **ret_why);

#endif

/* SPDX-License-Identifier: MIT */
/* Queries to name servers: a c-ares channel whose sockets are watched by the run's driver.
 *
 *     dns_channel_ask ---> queued ---> ares_getaddrinfo ---> sockets, watched by IO_OP_POLL
 *                                                                   |
 *     fn(arg, answer) <--- settle <--- finished <--- ares_process_fd (a socket is ready, a timeout)
 *
 * c-ares must not be called from its own callbacks, so the callbacks only note what happened. After
 * every call of c-ares has returned, settle() runs: it delivers answers, starts queued queries,
 * polls the sockets and sets the timer.
 */
#ifndef IO_DNS_CHANNEL_H
#define IO_DNS_CHANNEL_H

#include "io/dns/cache.h"

struct dns_channel;

struct dns_server {
    struct dns_ip ip;
    uint16_t port;
};

struct dns_channel_options {
    const struct dns_server *servers; /* borrowed for the call */
    size_t server_count;              /* 0: the servers of resolv_conf are used */
    const char *resolv_conf;          /* path; not read when servers are given */
    uint16_t resolv_conf_port;        /* port of the servers in resolv_conf */
    int64_t timeout_ns; /* of the first round of tries; each further round doubles it */
    int tries;          /* per server */
};

/* Called once per query, perhaps before dns_channel_ask() returns. May call dns_channel_ask(). */
typedef void (*dns_answer_fn)(void *arg, const struct dns_answer *answer);

/* Returns 0; -ENOMEM; WHORL_EDNS. Reads the configuration files with blocking calls. */
int dns_channel_create(const struct dns_channel_options *options, struct dns_channel **ret);

/* Queries the addresses of one name and family. `name` is borrowed until `fn` is called.
 * Returns 0; -ENOMEM: `fn` is not called. */
int dns_channel_ask(struct dns_channel *channel, const char *name, int family, dns_answer_fn fn,
                    void *arg);

/* Destroys the channel as soon as all its queries are answered, perhaps at once. Calls `gone` just
 * before that. */
void dns_channel_retire(struct dns_channel *channel,
                        void (*gone)(struct dns_channel *channel, void *arg), void *arg);

/* Answers all queries with -ECANCELED and cancels the polls of the sockets. Polls may still be in
 * flight; they must complete before dns_channel_destroy() may be called. */
void dns_channel_stop(struct dns_channel *channel);

/* Frees a stopped channel. None of its polls may be in flight. Accepts NULL. */
void dns_channel_destroy(struct dns_channel *channel);

#endif

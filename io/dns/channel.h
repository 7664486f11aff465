/* SPDX-License-Identifier: MIT */
/* Questions to name servers: a c-ares channel whose sockets are watched by the run's driver.
 *
 *     dns_channel_ask ---> queued ---> ares_getaddrinfo ---> sockets, watched by IO_OP_POLL
 *                                                                   |
 *     fn(arg, answer) <--- settle <--- finished <--- ares_process_fd (a socket is ready, a timeout)
 *
 * c-ares must not be entered from its own callbacks, so these only note what happened. settle() runs
 * after every entry into c-ares, once it has returned: it delivers answers, asks what was queued,
 * watches the sockets and sets the timer.
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
    const struct dns_server *servers; /* borrowed for the call; with none: those of resolv_conf */
    size_t server_count;
    const char *resolv_conf;   /* its path; not used at all when servers are given */
    uint16_t resolv_conf_port; /* of the servers in it */
    int64_t timeout_ns;        /* of the first try; each further round doubles it */
    int tries;                 /* per server */
};

/* Called once per question, perhaps before dns_channel_ask() returns; may ask again. */
typedef void (*dns_answer_fn)(void *arg, const struct dns_answer *answer);

/* Returns 0; -ENOMEM; WHORL_EDNS. Reads the configuration files, blocking. */
int dns_channel_create(const struct dns_channel_options *options, struct dns_channel **ret);

/* Asks for the addresses of one name and family. `name` is borrowed until `fn` is called.
 * Returns 0; -ENOMEM when `fn` will not be called. */
int dns_channel_ask(struct dns_channel *channel, const char *name, int family, dns_answer_fn fn,
                    void *arg);

/* Destroys the channel as soon as everything asked has been answered, perhaps at once; calls `gone`
 * just before. */
void dns_channel_retire(struct dns_channel *channel,
                        void (*gone)(struct dns_channel *channel, void *arg), void *arg);

/* Answers everything with -ECANCELED and lets go of the sockets. Requests may still have to
 * complete before dns_channel_destroy() may be called. */
void dns_channel_stop(struct dns_channel *channel);

/* Frees a stopped channel none of whose requests is in flight. Accepts NULL. */
void dns_channel_destroy(struct dns_channel *channel);

#endif

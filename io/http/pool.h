/* SPDX-License-Identifier: MIT */
/* The pool: which connection a request gets, and who waits for one.
 *
 * A connection belongs to a host (a key) from its birth to its end and counts against two caps: those
 * open to its host, and those open at all. A request asks for one and gets, in this order, the most
 * recently used idle connection of its host, leave to open a new one, or a place in the queue:
 *
 *     http_pool_try_acquire --> idle one of this host -------------------------> conn, stream set
 *                           --> below both caps -------------------------------> conn, stream NULL
 *                           --> total reached, another host idles: close that -> conn, stream NULL
 *     http_pool_wait        --> the host's queue ... woken --------------------> either
 *     http_pool_release     --> to the longest waiter | idle | closed
 *
 * Nobody starves: a host held back by the total alone stands in `starved`, ordered by how long its
 * first waiter has been there. A connection that comes free goes to that waiter, by closing it and
 * giving its place away, unless its own host has one who has waited longer. Hence these hold between
 * any two calls:
 *
 *     a host with waiters has no idle connection and is at its cap, or stands in `starved`
 *     while `starved` is not empty the total is reached and no connection is idle anywhere
 */
#ifndef IO_HTTP_POOL_H
#define IO_HTTP_POOL_H

#include <sys/queue.h>

#include <whorl/base.h>
#include <whorl/park.h>

#include "io/http/conn.h"

struct http_host;
struct whorl_tls_config;

/* Everything that changes what the peer thinks of us. Two requests may share a connection only when
 * all of it is equal. Strings are compared byte by byte; NULL equals NULL only. */
struct http_pool_key {
    bool is_tls; /* the scheme */
    uint16_t port;
    const char *host;                   /* canonical, as whorl_url gives it */
    const struct whorl_tls_config *tls; /* compared by identity; NULL for plain */
    const char *proxy;                  /* through which proxy; NULL: direct */
    const char *credentials;            /* bound to the connection; NULL: none */
};

TAILQ_HEAD(http_conn_list, http_conn);
TAILQ_HEAD(http_host_list, http_host);

struct http_pool {
    size_t conns_max, conns_per_host_max, idle_max;
    int64_t idle_ns;

    struct http_host **buckets; /* by hash of the key; a power of two of them */
    size_t buckets_count, hosts_count;
    struct http_conn_list idle;    /* of all hosts, the longest idle first */
    struct http_host_list starved; /* the host of the longest waiter first */
    struct whorl_timer expiry;     /* armed at or before the moment the first of `idle` expires */
    uint64_t arrivals;             /* number of the next waiter */
    size_t open_count, idle_count, queued_count;
};

/* Whether a connection made for `a` may carry a request for `b`. */
bool http_pool_key_equal(const struct http_pool_key *a, const struct http_pool_key *b);

/* Prepares an empty pool; the caps stand in it already. 0 or -ENOMEM. */
int http_pool_init(struct http_pool *pool);

/* Closes idle connections. None may be out and nobody may wait. */
void http_pool_finish(struct http_pool *pool);

/* Takes a connection for `key`, which is borrowed for the call, without waiting. When its `stream`
 * is NULL the caller opens it. It must come back through http_pool_release().
 * 0; -EAGAIN: http_pool_wait() would wait; -ENOMEM. */
WHORL_CHECKED int http_pool_try_acquire(struct http_pool *pool, const struct http_pool_key *key,
                                        struct http_conn **ret);

/* Queues for a connection, to be called when http_pool_try_acquire() has said -EAGAIN. Handed over
 * already, it is returned also when the caller was cancelled in the same turn.
 * 0; -ENOMEM; -ECANCELED: the place in the queue is given up, whoever is next is next. */
WHORL_SUSPENDS int http_pool_wait(struct http_pool *pool, const struct http_pool_key *key,
                                  struct http_conn **ret);

/* Takes a connection back. `reusable`: it is open and may carry another exchange; else it ends here.
 * Never suspends. */
void http_pool_release(struct http_pool *pool, struct http_conn *conn, bool reusable);

/* Closes what is idle now. Never suspends. */
void http_pool_close_idle(struct http_pool *pool);

#endif

/* SPDX-License-Identifier: MIT */
/* The pool: which connection a request gets, and which requests wait for one.
 *
 * A connection belongs to one host (a key) all its life. It counts against two caps: the
 * connections open to its host, and all open connections. A request gets the first of these that is
 * possible: the most recently used idle connection of its host, permission to open a new one, a
 * place in the queue:
 *
 *     http_pool_try_acquire --> idle one of this host -------------------------> conn, stream set
 *                           --> below both caps -------------------------------> conn, stream NULL
 *                           --> total reached: close another host's idle one -> conn, stream NULL
 *     http_pool_wait        --> the host's queue ... woken -------------------> one of the above
 *     http_pool_release     --> to the longest waiter | idle | closed
 *
 * An HTTP/2 connection is shared: any number of requests have it at the same time, up to its
 * capacity. It is idle while no request has it. A host that is known to speak HTTP/2 opens one
 * connection at a time, and only if it has none that takes requests. The other requests wait in the
 * queue for the end of the handshake, or until one of the requests ends:
 *
 *     http_pool_opened   the handshake has shown the version: a shared connection takes waiters
 *     conn->changed      the peer has changed the capacity, or the connection has ended
 *
 * No waiter starves. A host that only the total cap holds back is in the list `starved`, which is
 * ordered by the arrival of each host's first waiter. When a connection becomes free, it is closed
 * and its place goes to the first waiter in `starved`, unless a waiter of its own host has waited
 * longer. So these hold between any two calls:
 *
 *     a host with waiters has no idle connection, and it may not open one or is in `starved`
 *     while `starved` is not empty, the total cap is reached and no connection is idle
 */
#ifndef IO_HTTP_POOL_H
#define IO_HTTP_POOL_H

#include <sys/queue.h>

#include <whorl/base.h>
#include <whorl/dns.h>
#include <whorl/park.h>
#include <whorl/timer.h>

#include "io/http/conn.h"

struct http_host;
struct whorl_tls_config;

/* How a connection is dialled, see dial.h. */
struct http_pool_dial {
    int family;
    bool delay_small_writes;
    const char *local_addr, *interface, *unix_path;
    const char *server_override, *proxy_override; /* those that apply to their hosts */
    struct whorl_resolver resolver;               /* compared by function and argument */
};

/* Everything that changes how the peer treats a connection. Two requests may share one only when
 * all valid fields are equal. Strings are compared byte by byte; NULL equals NULL only. */
struct http_pool_key {
    bool is_tls; /* the scheme */
    uint16_t port;
    const char *host;                   /* canonical, as in struct whorl_url */
    const struct whorl_tls_config *tls; /* compared by identity; NULL for plain */
    const char *proxy;                  /* NULL: a direct connection */
    const char *credentials;            /* that the connection is bound to; NULL: none */
    enum whorl_http_version version;    /* that is asked for */
    bool has_dial;                      /* false: dialled with the defaults, `dial` is not valid */
    struct http_pool_dial dial;
};

TAILQ_HEAD(http_conn_list, http_conn);
TAILQ_HEAD(http_host_list, http_host);

enum { HTTP_CLOSED_NOTES = 64 };

struct http_pool {
    size_t conns_max, conns_per_host_max, idle_max;
    int64_t idle_ns;

    struct http_host **buckets; /* by hash of the key; the count is a power of two */
    size_t buckets_count, hosts_count;
    struct http_host *last;        /* the host of the last request; NULL: none */
    struct http_conn_list idle;    /* of all hosts; the longest idle is first */
    struct http_host_list starved; /* the host of the longest waiter first */
    struct whorl_timer expiry;     /* armed for when the first of `idle` expires, or earlier */
    uint64_t arrivals;             /* number of the next waiter */
    size_t open_count, idle_count, queued_count;

    /* Why the last connection of a key was closed, so that a new one can say why it is needed.
     * Found by the hash of the key; a key whose hash falls on the same place takes it over. */
    struct http_closed_note {
        uint32_t mark; /* of the key; 0: empty */
        enum whorl_http_reuse why;
    } closed[HTTP_CLOSED_NOTES];
};

/* Whether a connection made for `a` may carry a request for `b`. */
bool http_pool_key_equal(const struct http_pool_key *a, const struct http_pool_key *b);

/* Prepares an empty pool. The caller has set the caps. 0 or -ENOMEM. */
int http_pool_init(struct http_pool *pool);

/* Closes the idle connections and frees the memory. No connection may be in use and no task may
 * wait. */
void http_pool_finish(struct http_pool *pool);

/* Takes a connection for `key` without waiting. If it is not open, its `why` says why it is a new
 * one; the caller opens it and calls http_pool_opened(). The caller returns it with
 * http_pool_release(). `key` is borrowed for the call.
 *
 * 0; -EAGAIN: http_pool_wait() would wait; -ENOMEM. */
WHORL_CHECKED int http_pool_try_acquire(struct http_pool *pool, const struct http_pool_key *key,
                                        struct http_conn **ret);

/* Waits in the queue for a connection; to be called when http_pool_try_acquire() has returned
 * -EAGAIN. A connection that was handed over is returned, even when the caller is cancelled in the
 * same turn. 0; -ENOMEM; -ECANCELED: the caller has left the queue. */
WHORL_SUSPENDS int http_pool_wait(struct http_pool *pool, const struct http_pool_key *key,
                                  struct http_conn **ret);

/* The caller has opened a connection from the pool. If it is an HTTP/2 connection, other requests
 * share it from now on. Never suspends. */
void http_pool_opened(struct http_pool *pool, struct http_conn *conn);

/* Returns a connection to the pool. `reusable`: it is open and may carry another exchange; else it
 * is closed, when no other request has it, and the caller has set its `why`. `now_ns` is the time.
 * Never suspends. */
void http_pool_release_at(struct http_pool *pool, struct http_conn *conn, bool reusable,
                          int64_t now_ns);

/* The same, for a caller that does not know the time. */
static inline void http_pool_release(struct http_pool *pool, struct http_conn *conn, bool reusable)
{
    http_pool_release_at(pool, conn, reusable, whorl_now());
}

/* Closes the connections that are idle now. Never suspends. */
void http_pool_close_idle(struct http_pool *pool);

#endif

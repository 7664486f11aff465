/* SPDX-License-Identifier: MIT */
/* The pool: caps, queue and idle connections; see pool.h for the rules. */
#include "io/http/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/stream.h>
#include <whorl/timer.h>

#include "io/http/conn.h"
#include "runtime/base/check.h"

enum { BUCKETS_MIN = 16 };

/* An entry of a host's queue; on the stack of the waiting task. */
struct pool_waiter {
    struct whorl_waiter waiter; /* woken with 0 and `conn`, or with -ENOMEM */
    TAILQ_ENTRY(pool_waiter) link;
    struct http_pool *pool;
    struct http_host *host;
    struct http_conn *conn;
    uint64_t arrival; /* a lower number has waited longer */
};

/* The connections and waiters of one key. Exists while there are any. */
struct http_host {
    struct http_host *next; /* in the bucket */
    struct http_pool_key key;
    uint32_t hash;
    bool is_starved; /* is in pool->starved */
    TAILQ_ENTRY(http_host) starved;
    TAILQ_HEAD(, pool_waiter) waiters;
    struct http_conn_list idle;   /* of HTTP/1.1; the most recently used first */
    struct http_conn_list shared; /* of HTTP/2; that take more requests */
    bool speaks_http2;            /* as the last handshake has shown, or the key says */
    size_t open_count, opening_count;
    char strings[]; /* the key's */
};

/* Keys and hosts */

static bool strings_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool dials_equal(const struct http_pool_dial *a, const struct http_pool_dial *b)
{
    return a->family == b->family && a->delay_small_writes == b->delay_small_writes &&
           strings_equal(a->local_addr, b->local_addr) &&
           strings_equal(a->interface, b->interface) && strings_equal(a->unix_path, b->unix_path) &&
           strings_equal(a->server_override, b->server_override) &&
           strings_equal(a->proxy_override, b->proxy_override) &&
           a->resolver.resolve == b->resolver.resolve && a->resolver.arg == b->resolver.arg;
}

bool http_pool_key_equal(const struct http_pool_key *a, const struct http_pool_key *b)
{
    return a->is_tls == b->is_tls && a->port == b->port && strings_equal(a->host, b->host) &&
           a->tls == b->tls && strings_equal(a->proxy, b->proxy) &&
           strings_equal(a->credentials, b->credentials) && a->version == b->version &&
           a->has_dial == b->has_dial && (!a->has_dial || dials_equal(&a->dial, &b->dial));
}

/* FNV-1a of the host and port; the other fields are nearly always equal. */
static uint32_t key_hash(const struct http_pool_key *key)
{
    uint32_t hash = 2166136261u ^ key->port;
    for (const char *p = key->host; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    return hash;
}

static uint32_t hash_text(uint32_t hash, const char *text)
{
    for (const char *p = text ? text : ""; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    return hash;
}

/* Of all fields, never 0. */
static uint32_t key_mark(const struct http_host *host)
{
    const struct http_pool_key *key = &host->key;
    uint32_t mark = hash_text(hash_text(host->hash, key->proxy), key->credentials);

    mark = (mark ^ (uint32_t)((uintptr_t)key->tls >> 4)) * 16777619u;
    mark = (mark ^ ((uint32_t)key->version << 1 | key->is_tls)) * 16777619u;
    return mark ? mark : 1;
}

static size_t string_size(const char *s)
{
    return s ? strlen(s) + 1 : 0;
}

static const char *copy_string(char **to, const char *s)
{
    size_t size = string_size(s);
    if (!s)
        return NULL;
    char *copy = memcpy(*to, s, size);
    *to += size;
    return copy;
}

enum { KEY_STRINGS = 8 };

/* Returns the addresses of the fields of a key that are strings. */
static void list_strings(struct http_pool_key *key, const char **ret[static KEY_STRINGS])
{
    const char **const list[KEY_STRINGS] = {&key->host,
                                            &key->proxy,
                                            &key->credentials,
                                            &key->dial.local_addr,
                                            &key->dial.interface,
                                            &key->dial.unix_path,
                                            &key->dial.server_override,
                                            &key->dial.proxy_override};

    memcpy(ret, list, sizeof list);
}

/* Doubles the buckets when there are as many hosts as buckets. Without memory the chains get
 * longer. */
static void grow_buckets(struct http_pool *pool)
{
    size_t count = pool->buckets_count * 2;
    struct http_host **buckets = calloc(count, sizeof *buckets);
    if (!buckets)
        return;
    for (size_t i = 0; i < pool->buckets_count; i++) {
        struct http_host *host, *next;
        for (host = pool->buckets[i]; host; host = next) {
            next = host->next;
            host->next = buckets[host->hash & (count - 1)];
            buckets[host->hash & (count - 1)] = host;
        }
    }
    free(pool->buckets);
    pool->buckets = buckets;
    pool->buckets_count = count;
}

/* Makes a host with a copy of the key; NULL when there is no memory. */
static struct http_host *host_create(const struct http_pool_key *key)
{
    static const struct http_pool_dial no_dial;
    struct http_pool_key copy = *key;
    const char **strings[KEY_STRINGS];
    size_t size = sizeof(struct http_host);

    if (!key->has_dial)
        copy.dial = no_dial;
    list_strings(&copy, strings);
    for (size_t i = 0; i < KEY_STRINGS; i++)
        size += string_size(*strings[i]);
    struct http_host *host = calloc(1, size);
    if (!host)
        return NULL;
    char *to = host->strings;
    host->key = copy;
    list_strings(&host->key, strings);
    for (size_t i = 0; i < KEY_STRINGS; i++)
        *strings[i] = copy_string(&to, *strings[i]);
    return host;
}

/* Finds the host of a key, or makes it; NULL when there is no memory. */
static struct http_host *host_get(struct http_pool *pool, const struct http_pool_key *key)
{
    if (pool->last && http_pool_key_equal(&pool->last->key, key))
        return pool->last;
    uint32_t hash = key_hash(key);
    struct http_host *host = pool->buckets[hash & (pool->buckets_count - 1)];

    while (host && !(host->hash == hash && http_pool_key_equal(&host->key, key)))
        host = host->next;
    if (host)
        return pool->last = host;
    if (pool->hosts_count >= pool->buckets_count)
        grow_buckets(pool);
    host = host_create(key);
    if (!host)
        return NULL;
    host->hash = hash;
    TAILQ_INIT(&host->waiters);
    TAILQ_INIT(&host->idle);
    TAILQ_INIT(&host->shared);
    host->speaks_http2 = key->version == WHORL_HTTP_2;
    host->next = pool->buckets[hash & (pool->buckets_count - 1)];
    pool->buckets[hash & (pool->buckets_count - 1)] = host;
    pool->hosts_count++;
    return pool->last = host;
}

/* Frees a host that has neither connections nor waiters. */
static void host_drop_unused(struct http_pool *pool, struct http_host *host)
{
    if (host->open_count > 0 || !TAILQ_EMPTY(&host->waiters))
        return;
    whorl_check(!host->is_starved);
    struct http_host **link = &pool->buckets[host->hash & (pool->buckets_count - 1)];
    while (*link != host)
        link = &(*link)->next;
    *link = host->next;
    pool->hosts_count--;
    if (pool->last == host)
        pool->last = NULL;
    free(host);
}

/* Reasons */

/* A connection of the host is closed. */
static void note_closed(struct http_pool *pool, const struct http_host *host,
                        enum whorl_http_reuse why)
{
    uint32_t mark = key_mark(host);

    pool->closed[mark % HTTP_CLOSED_NOTES] = (struct http_closed_note){.mark = mark, .why = why};
}

/* Whether there are connections to the host and port of `host` with another key. */
static bool has_other_key(const struct http_pool *pool, const struct http_host *host)
{
    const struct http_host *other = pool->buckets[host->hash & (pool->buckets_count - 1)];

    while (other &&
           !(other != host && other->open_count > 0 && other->hash == host->hash &&
             other->key.port == host->key.port && strings_equal(other->key.host, host->key.host)))
        other = other->next;
    return other;
}

/* Why the host needs a new connection. */
static enum whorl_http_reuse why_new(const struct http_pool *pool, const struct http_host *host)
{
    uint32_t mark = key_mark(host);
    const struct http_closed_note *note = &pool->closed[mark % HTTP_CLOSED_NOTES];

    if (host->open_count > 0)
        return WHORL_HTTP_NEW_BUSY;
    if (note->mark == mark)
        return note->why;
    return has_other_key(pool, host) ? WHORL_HTTP_NEW_OTHER : WHORL_HTTP_NEW_FIRST;
}

/* The hosts that only the total cap holds back */

static uint64_t first_arrival(const struct http_host *host)
{
    return TAILQ_FIRST(&host->waiters)->arrival;
}

/* Whether only the total cap may keep the host from opening a connection. */
static bool may_open(const struct http_pool *pool, const struct http_host *host)
{
    return host->open_count < pool->conns_per_host_max &&
           !(host->speaks_http2 && (host->opening_count > 0 || !TAILQ_EMPTY(&host->shared)));
}

/* Inserts the host into `starved`, moves it to its place there, or removes it. Called after its
 * waiters or connections have changed. */
static void update_starved(struct http_pool *pool, struct http_host *host)
{
    if (host->is_starved)
        TAILQ_REMOVE(&pool->starved, host, starved);
    host->is_starved = !TAILQ_EMPTY(&host->waiters) && may_open(pool, host);
    if (!host->is_starved)
        return;
    struct http_host *before = TAILQ_LAST(&pool->starved, http_host_list);
    while (before && first_arrival(before) > first_arrival(host))
        before = TAILQ_PREV(before, http_host_list, starved);
    if (before)
        TAILQ_INSERT_AFTER(&pool->starved, before, host, starved);
    else
        TAILQ_INSERT_HEAD(&pool->starved, host, starved);
}

/* Connections */

static void conn_changed(struct http_conn *conn);

static struct http_conn *conn_open(struct http_pool *pool, struct http_host *host)
{
    struct http_conn *conn = http_conn_create();
    if (!conn)
        return NULL;
    conn->place.host = host;
    conn->place.pool = pool;
    conn->place.is_opening = true;
    conn->changed = conn_changed;
    conn->why = why_new(pool, host);
    host->open_count++;
    host->opening_count++;
    pool->open_count++;
    return conn;
}

/* The connection is open, or opening it has failed. */
static void end_opening(struct http_conn *conn)
{
    if (conn->place.is_opening)
        conn->place.host->opening_count--;
    conn->place.is_opening = false;
}

/* From now on no other request gets this connection. */
static void stop_sharing(struct http_conn *conn)
{
    if (conn->place.is_shared)
        TAILQ_REMOVE(&conn->place.host->shared, conn, place.shared);
    conn->place.is_shared = false;
}

/* Closes a connection that is not idle. The host may be unused afterwards. */
static void conn_close(struct http_pool *pool, struct http_conn *conn, enum whorl_http_reuse why)
{
    if (http_conn_is_open(conn))
        note_closed(pool, conn->place.host, why);
    end_opening(conn);
    stop_sharing(conn);
    conn->place.host->open_count--;
    pool->open_count--;
    http_conn_destroy(conn);
}

static void idle_add(struct http_pool *pool, struct http_conn *conn, int64_t now_ns)
{
    conn->place.idle_since_ns = now_ns;
    if (!conn->http2)
        TAILQ_INSERT_HEAD(&conn->place.host->idle, conn, place.host_idle);
    TAILQ_INSERT_TAIL(&pool->idle, conn, place.idle);
    pool->idle_count++;
    http_conn_rest(conn, now_ns);
}

static void idle_remove(struct http_pool *pool, struct http_conn *conn)
{
    if (!conn->http2)
        TAILQ_REMOVE(&conn->place.host->idle, conn, place.host_idle);
    TAILQ_REMOVE(&pool->idle, conn, place.idle);
    pool->idle_count--;
}

/* Closes an idle connection. If its host has waiters, because the peer of an HTTP/2 connection took
 * no more requests, the host becomes starved: the caller calls serve_starved() when it is done. */
static void idle_close(struct http_pool *pool, struct http_conn *conn, enum whorl_http_reuse why)
{
    struct http_host *host = conn->place.host;
    idle_remove(pool, conn);
    conn_close(pool, conn, why);
    update_starved(pool, host);
    host_drop_unused(pool, host);
}

static void serve_starved(struct http_pool *pool);

static int64_t expires_at(const struct http_pool *pool, const struct http_conn *conn)
{
    int64_t since_ns = conn->place.idle_since_ns;
    return pool->idle_ns > WHORL_FOREVER - since_ns ? WHORL_FOREVER : since_ns + pool->idle_ns;
}

/* Closes the connections that have been idle too long. The timer is not moved each time a
 * connection is taken or returned, so it may fire early; then it is armed for the connection that
 * is now oldest. */
static void expire(struct whorl_timer *timer)
{
    struct http_pool *pool =
        (struct http_pool *)(void *)((char *)timer - offsetof(struct http_pool, expiry));
    int64_t now_ns = whorl_now();
    struct http_conn *conn;

    while ((conn = TAILQ_FIRST(&pool->idle)) && expires_at(pool, conn) <= now_ns)
        idle_close(pool, conn, WHORL_HTTP_NEW_EXPIRED);
    if (conn)
        whorl_timer_arm_background(timer, expires_at(pool, conn), expire);
    serve_starved(pool);
}

/* The queue */

/* Takes the longest waiter of a host out of the queue and wakes it. */
static void serve_first(struct http_pool *pool, struct http_host *host, struct http_conn *conn)
{
    struct pool_waiter *waiter = TAILQ_FIRST(&host->waiters);
    TAILQ_REMOVE(&host->waiters, waiter, link);
    pool->queued_count--;
    waiter->conn = conn;
    if (conn && conn->http2)
        conn->place.users++;
    whorl_wake(&waiter->waiter, conn ? 0 : -ENOMEM);
}

/* Gives places under the total cap to the hosts in `starved`, the longest waiter first. Idle
 * connections give way. */
static void serve_starved(struct http_pool *pool)
{
    struct http_host *host;
    while ((host = TAILQ_FIRST(&pool->starved))) {
        if (pool->open_count < pool->conns_max) {
            serve_first(pool, host, conn_open(pool, host));
            update_starved(pool, host);
            host_drop_unused(pool, host); /* without memory it may have nothing left */
        } else if (pool->idle_count > 0) {
            idle_close(pool, TAILQ_FIRST(&pool->idle), WHORL_HTTP_NEW_LIMIT);
        } else {
            break;
        }
    }
}

/* Gives a shared connection to the waiters of its host, up to its capacity. */
static void serve_shared(struct http_pool *pool, struct http_conn *conn)
{
    struct http_host *host = conn->place.host;

    if (TAILQ_EMPTY(&host->waiters) || conn->place.users >= http_conn_capacity(conn))
        return;
    if (conn->place.users == 0)
        idle_remove(pool, conn);
    while (!TAILQ_EMPTY(&host->waiters) && conn->place.users < http_conn_capacity(conn))
        serve_first(pool, host, conn);
    update_starved(pool, host);
}

/* An HTTP/2 connection takes more requests than before, or no more. */
static void conn_changed(struct http_conn *conn)
{
    struct http_host *host = conn->place.host;
    struct http_pool *pool = conn->place.pool;

    if (!conn->place.is_shared)
        return; /* not open yet, or known to be ending */
    if (http_conn_is_usable(conn)) {
        serve_shared(pool, conn);
        return;
    }
    stop_sharing(conn);
    if (conn->place.users == 0)
        idle_close(pool, conn, WHORL_HTTP_NEW_ENDED);
    else
        update_starved(pool, host);
    serve_starved(pool);
}

static enum whorl_abort leave_queue(struct whorl_waiter *waiter)
{
    struct pool_waiter *self = container_of(waiter, struct pool_waiter, waiter);
    TAILQ_REMOVE(&self->host->waiters, self, link);
    self->pool->queued_count--;
    update_starved(self->pool, self->host);
    host_drop_unused(self->pool, self->host);
    return WHORL_ABORT_DONE;
}

/* Takes a shared connection that has room for another request. */
static struct http_conn *take_shared(struct http_pool *pool, struct http_host *host)
{
    struct http_conn *conn;

    TAILQ_FOREACH(conn, &host->shared, place.shared)
    if (conn->place.users < http_conn_capacity(conn)) {
        if (conn->place.users++ == 0)
            idle_remove(pool, conn);
        return conn;
    }
    return NULL;
}

/* Takes the most recently used idle connection that is still good; closes those that are not. */
static struct http_conn *take_idle(struct http_pool *pool, struct http_host *host)
{
    struct http_conn *conn;
    while ((conn = TAILQ_FIRST(&host->idle))) {
        idle_remove(pool, conn);
        if (http_conn_is_usable(conn))
            return conn;
        conn_close(pool, conn, WHORL_HTTP_NEW_ENDED);
    }
    return NULL;
}

static int take_new(struct http_pool *pool, struct http_host *host, struct http_conn **ret)
{
    if (pool->open_count >= pool->conns_max) {
        host->open_count++; /* so that the host stays if the connection is its own */
        idle_close(pool, TAILQ_FIRST(&pool->idle), WHORL_HTTP_NEW_LIMIT);
        host->open_count--;
    }
    *ret = conn_open(pool, host);
    int err = *ret ? 0 : -ENOMEM;
    host_drop_unused(pool, host);
    serve_starved(pool);
    return err;
}

int http_pool_init(struct http_pool *pool)
{
    pool->buckets_count = BUCKETS_MIN;
    pool->buckets = calloc(pool->buckets_count, sizeof(struct http_host *));
    TAILQ_INIT(&pool->idle);
    TAILQ_INIT(&pool->starved);
    return pool->buckets ? 0 : -ENOMEM;
}

void http_pool_finish(struct http_pool *pool)
{
    http_pool_close_idle(pool);
    whorl_check(pool->open_count == 0 && pool->queued_count == 0 && pool->hosts_count == 0);
    free(pool->buckets);
    pool->buckets = NULL;
}

int http_pool_try_acquire(struct http_pool *pool, const struct http_pool_key *key,
                          struct http_conn **ret)
{
    struct http_host *host = host_get(pool, key);
    if (!host)
        return -ENOMEM;
    if (!TAILQ_EMPTY(&host->waiters))
        return -EAGAIN;
    struct http_conn *conn = take_shared(pool, host);
    if (!conn)
        conn = take_idle(pool, host);
    if (conn) {
        *ret = conn;
        return 0;
    }
    if (may_open(pool, host) && (pool->open_count < pool->conns_max || pool->idle_count > 0))
        return take_new(pool, host, ret);
    host_drop_unused(pool, host);
    return -EAGAIN;
}

WHORL_SUSPENDS int http_pool_wait(struct http_pool *pool, const struct http_pool_key *key,
                                  struct http_conn **ret)
{
    struct http_host *host = host_get(pool, key);
    if (!host)
        return -ENOMEM;
    struct pool_waiter self = {
        .pool = pool, .host = host, .arrival = pool->arrivals++, .waiter = WHORL_WAITER_INIT};

    TAILQ_INSERT_TAIL(&host->waiters, &self, link);
    pool->queued_count++;
    update_starved(pool, host);
    int err = (int)whorl_park(&self.waiter, leave_queue, "HTTP connection");
    if (err)
        return err;
    /* The connection comes directly from another exchange, so it has not been checked. If it is
     * dead, its place remains ours. */
    if (self.conn->stream && !http_conn_is_usable(self.conn))
        http_conn_reset(self.conn, WHORL_HTTP_NEW_ENDED);
    *ret = self.conn;
    return 0;
}

void http_pool_opened(struct http_pool *pool, struct http_conn *conn)
{
    struct http_host *host = conn->place.host;

    end_opening(conn);
    if (conn->http2) {
        host->speaks_http2 = true;
        conn->place.users = 1;
        conn->place.is_shared = true;
        TAILQ_INSERT_TAIL(&host->shared, conn, place.shared);
        serve_shared(pool, conn);
    } else {
        host->speaks_http2 = false;
    }
    update_starved(pool, host);
    serve_starved(pool);
}

/* A request returns a shared connection. Returns whether it is still in use, or closed here. */
static bool release_shared(struct http_pool *pool, struct http_conn *conn)
{
    struct http_host *host = conn->place.host;

    if (!http_conn_is_usable(conn))
        stop_sharing(conn);
    if (--conn->place.users == 0)
        return false;
    if (conn->place.is_shared)
        serve_shared(pool, conn);
    update_starved(pool, host);
    serve_starved(pool);
    return true;
}

void http_pool_release_at(struct http_pool *pool, struct http_conn *conn, bool reusable,
                          int64_t now_ns)
{
    if (conn->http2) {
        reusable = http_conn_is_usable(conn);
        if (release_shared(pool, conn))
            return;
    }
    struct http_host *host = conn->place.host;
    struct http_host *starved = TAILQ_FIRST(&pool->starved);
    bool wanted_here = !TAILQ_EMPTY(&host->waiters);

    if (starved && wanted_here && first_arrival(starved) >= first_arrival(host))
        starved = NULL;
    if (reusable && !starved && wanted_here && http_conn_capacity(conn) > 0) {
        serve_first(pool, host, conn);
        update_starved(pool, host);
    } else if (reusable && !starved && pool->idle_max > 0) {
        if (pool->idle_count >= pool->idle_max)
            /* `host` stays: it has `conn` open */
            idle_close(pool, TAILQ_FIRST(&pool->idle), WHORL_HTTP_NEW_LIMIT);
        idle_add(pool, conn, now_ns);
        if (!pool->expiry.next && pool->idle_ns != WHORL_FOREVER)
            whorl_timer_arm_background(&pool->expiry, expires_at(pool, conn), expire);
        serve_starved(pool); /* which may close the connection */
    } else {
        conn_close(pool, conn, reusable ? WHORL_HTTP_NEW_LIMIT : conn->why);
        update_starved(pool, host);
        if (!host->is_starved)
            host_drop_unused(pool, host);
        serve_starved(pool);
    }
}

void http_pool_close_idle(struct http_pool *pool)
{
    struct http_conn *conn;
    while ((conn = TAILQ_FIRST(&pool->idle)))
        idle_close(pool, conn, WHORL_HTTP_NEW_ASKED);
    whorl_timer_disarm(&pool->expiry);
    serve_starved(pool);
}

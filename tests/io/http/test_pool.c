/* SPDX-License-Identifier: MIT */
/* The pool: keys, caps, the queue's order, idle connections. */
#include <stdlib.h>

#include <whorl/group.h>
#include <whorl/scope.h>
#include <whorl/stream.h>
#include <whorl/task.h>

#include "io/http/conn.h"
#include "io/http/pool.h"
#include "test.h"

/* A stream that supports only checks and closing. */
struct dummy {
    struct whorl_stream stream;
    bool dead;
    char name;
};

static int dummies;

static bool dummy_is_idle(struct whorl_stream *stream)
{
    return !((struct dummy *)stream)->dead;
}

static void dummy_close(struct whorl_stream *stream)
{
    test_log("-%c", ((struct dummy *)stream)->name);
    dummies--;
    free(stream);
}

static const struct whorl_stream_ops dummy_ops = {
    .name = "dummy", .is_idle = dummy_is_idle, .close = dummy_close};

static struct http_pool pool;

static void start(size_t conns_max, size_t per_host_max)
{
    pool = (struct http_pool){.conns_max = conns_max,
                              .conns_per_host_max = per_host_max,
                              .idle_max = conns_max,
                              .idle_ns = 30 * WHORL_SECOND};
    CHECK_OK(http_pool_init(&pool));
}

static void finish(void)
{
    http_pool_finish(&pool);
    CHECK_EQ(dummies, 0);
}

static struct http_pool_key key_of(const char *host)
{
    return (struct http_pool_key){.host = host, .port = 80};
}

/* Gives a stream called `name` to a connection that must be opened. */
static struct http_conn *opened(struct http_conn *conn, char name)
{
    CHECK(!conn->stream);
    struct dummy *dummy = calloc(1, sizeof *dummy);
    CHECK(dummy);
    dummy->stream.ops = &dummy_ops;
    dummy->name = name;
    dummies++;
    conn->stream = &dummy->stream;
    return conn;
}

static char name_of(const struct http_conn *conn)
{
    return conn->stream ? ((struct dummy *)conn->stream)->name : '?';
}

/* Acquires a connection without waiting. NULL: it would have to wait. */
static struct http_conn *take(const char *host)
{
    struct http_pool_key key = key_of(host);
    struct http_conn *conn = NULL;
    int err = http_pool_try_acquire(&pool, &key, &conn);
    CHECK(err == 0 || err == -EAGAIN);
    return conn;
}

static WHORL_SUSPENDS int resolve(void *arg, const char *host, uint16_t port, int family,
                                  struct whorl_addr *ret, size_t ret_max)
{
    (void)arg;
    return whorl_resolve(host, port, family, ret, ret_max);
}

TEST_VIRTUAL(key_equal_compares_every_field)
{
    struct whorl_tls_config *tls1 = (void *)"1", *tls2 = (void *)"2";
    const struct http_pool_key base = {.is_tls = true,
                                       .port = 443,
                                       .host = "a.test",
                                       .tls = tls1,
                                       .proxy = "p:1",
                                       .credentials = "u:p",
                                       .has_dial = true};
    char host[] = "a.test";
    struct http_pool_key other = base;
    other.host = host;
    CHECK(http_pool_key_equal(&base, &other));
#define DIFFERS(field, value)                       \
    do {                                            \
        other = base;                               \
        other.field = value;                        \
        CHECK(!http_pool_key_equal(&base, &other)); \
        CHECK(!http_pool_key_equal(&other, &base)); \
    } while (0)
    DIFFERS(is_tls, false);
    DIFFERS(port, 80);
    DIFFERS(host, "b.test");
    DIFFERS(tls, tls2);
    DIFFERS(tls, NULL);
    DIFFERS(proxy, "p:2");
    DIFFERS(proxy, NULL);
    DIFFERS(credentials, "u:q");
    DIFFERS(credentials, NULL);
    DIFFERS(version, WHORL_HTTP_1);
    DIFFERS(has_dial, false);
    DIFFERS(dial.family, AF_INET);
    DIFFERS(dial.delay_small_writes, true);
    DIFFERS(dial.local_addr, "127.0.0.1");
    DIFFERS(dial.interface, "lo");
    DIFFERS(dial.unix_path, "/socket");
    DIFFERS(dial.server_override, "a.test:443:127.0.0.1");
    DIFFERS(dial.proxy_override, "p:1:127.0.0.1");
    DIFFERS(dial.resolver.resolve, resolve);
    DIFFERS(dial.resolver.arg, host);
}

TEST_VIRTUAL(connections_are_shared_only_when_every_field_is_equal)
{
    struct whorl_tls_config *tls1 = (void *)"1", *tls2 = (void *)"2";
    const struct http_pool_key base = {
        .is_tls = true, .port = 443, .host = "a.test", .tls = tls1, .has_dial = true};
    enum { OTHERS = 17 };
    struct http_pool_key others[OTHERS];
    struct http_conn *conn, *same;

    for (int i = 0; i < OTHERS; i++)
        others[i] = base;
    others[0].is_tls = false;
    others[1].port = 444;
    others[2].host = "b.test";
    others[3].tls = tls2;
    others[4].proxy = "p:1";
    others[5].credentials = "u:p";
    others[6].version = WHORL_HTTP_1;
    others[7].dial.family = AF_INET;
    others[8].dial.delay_small_writes = true;
    others[9].dial.local_addr = "127.0.0.1";
    others[10].dial.interface = "lo";
    others[11].dial.unix_path = "/socket";
    others[12].dial.server_override = "a.test:443:127.0.0.1";
    others[13].dial.proxy_override = "p:1:127.0.0.1";
    others[14].dial.resolver.resolve = resolve;
    others[15].dial.resolver.arg = &pool;
    others[16].has_dial = false;

    start(32, 32);
    CHECK_OK(http_pool_try_acquire(&pool, &base, &conn));
    http_pool_release(&pool, opened(conn, 'a'), true);
    for (int i = 0; i < OTHERS; i++) {
        CHECK_OK(http_pool_try_acquire(&pool, &others[i], &conn));
        CHECK(!conn->stream);
        http_pool_release(&pool, conn, false);
    }
    CHECK_OK(http_pool_try_acquire(&pool, &base, &same));
    CHECK_EQ(name_of(same), 'a');
    http_pool_release(&pool, same, true);
    finish();
}

TEST_VIRTUAL(the_pool_has_its_own_copy_of_every_string_of_a_key)
{
    char strings[8][8];
    struct http_pool_key key = {.host = strings[0],
                                .proxy = strings[1],
                                .credentials = strings[2],
                                .has_dial = true,
                                .dial = {.local_addr = strings[3],
                                         .interface = strings[4],
                                         .unix_path = strings[5],
                                         .server_override = strings[6],
                                         .proxy_override = strings[7]}};
    struct http_conn *conn;

    start(2, 2);
    for (int i = 0; i < 8; i++)
        snprintf(strings[i], sizeof strings[i], "key %d", i);
    CHECK_OK(http_pool_try_acquire(&pool, &key, &conn));
    http_pool_release(&pool, opened(conn, 'a'), true);
    memset(strings, 'x', sizeof strings);
    for (int i = 0; i < 8; i++)
        snprintf(strings[i], sizeof strings[i], "key %d", i);
    CHECK_OK(http_pool_try_acquire(&pool, &key, &conn));
    CHECK_EQ(name_of(conn), 'a');
    http_pool_release(&pool, conn, true);
    for (int i = 0; i < 8; i++) {
        strings[i][0] = 'x';
        CHECK_OK(http_pool_try_acquire(&pool, &key, &conn));
        CHECK(!conn->stream);
        http_pool_release(&pool, conn, false);
        strings[i][0] = 'k';
    }
    finish();
}

TEST_VIRTUAL(the_most_recently_used_idle_connection_is_taken_first)
{
    start(8, 8);
    struct http_conn *a = opened(take("h"), 'a'), *b = opened(take("h"), 'b');
    http_pool_release(&pool, a, true);
    http_pool_release(&pool, b, true);
    CHECK_EQ(pool.idle_count, 2);
    CHECK_EQ(name_of(b = take("h")), 'b');
    CHECK_EQ(name_of(a = take("h")), 'a');
    CHECK_EQ(pool.idle_count, 0);
    http_pool_release(&pool, a, false);
    http_pool_release(&pool, b, false);
    CHECK_EQ(pool.open_count, 0);
    CHECK_EQ(pool.hosts_count, 0);
    finish();
}

TEST_VIRTUAL(dead_idle_connections_are_noticed_before_use)
{
    start(8, 8);
    struct http_conn *a = opened(take("h"), 'a'), *b = opened(take("h"), 'b');
    http_pool_release(&pool, a, true);
    http_pool_release(&pool, b, true);
    ((struct dummy *)b->stream)->dead = true;
    CHECK_EQ(name_of(a = take("h")), 'a');
    CHECK_STR(test_logged(), "-b");
    ((struct dummy *)a->stream)->dead = true;
    http_pool_release(&pool, a, true);
    a = take("h");
    CHECK(!a->stream);
    CHECK_STR(test_logged(), "-b -a");
    CHECK_EQ(pool.open_count, 1);
    http_pool_release(&pool, a, false);
    finish();
}

TEST_VIRTUAL(caps_per_host_and_in_total_are_exact)
{
    struct http_conn *conns[5];
    start(5, 2);
    CHECK((conns[0] = take("a")));
    CHECK((conns[1] = take("a")));
    CHECK(!take("a"));
    CHECK((conns[2] = take("b")));
    CHECK((conns[3] = take("b")));
    CHECK(!take("b"));
    CHECK((conns[4] = take("c")));
    CHECK(!take("c"));
    CHECK(!take("d"));
    CHECK_EQ(pool.open_count, 5);
    CHECK_EQ(pool.hosts_count, 3); /* the pool has no entry for d */
    http_pool_release(&pool, conns[0], false);
    CHECK((conns[0] = take("d")));
    for (int i = 0; i < 5; i++)
        http_pool_release(&pool, conns[i], false);
    finish();
}

TEST_VIRTUAL(an_idle_connection_of_another_host_gives_way_the_oldest_first)
{
    struct http_conn *a, *b, *c;
    start(2, 2);
    a = opened(take("a"), 'a');
    b = opened(take("b"), 'b');
    http_pool_release(&pool, b, true);
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    http_pool_release(&pool, a, true);
    c = opened(take("c"), 'c');
    CHECK_STR(test_logged(), "-b");
    http_pool_release(&pool, c, true);
    CHECK_EQ(pool.open_count, 2);
    finish();
}

TEST_VIRTUAL(idle_connections_expire)
{
    struct http_conn *a, *b;
    start(8, 8);
    a = opened(take("a"), 'a');
    b = opened(take("a"), 'b');
    http_pool_release(&pool, a, true);
    CHECK_OK(whorl_sleep(20 * WHORL_SECOND));
    http_pool_release(&pool, b, true);
    CHECK_OK(whorl_sleep(10 * WHORL_SECOND - 1));
    CHECK_STR(test_logged(), "");
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    CHECK_STR(test_logged(), "-a");
    CHECK_OK(whorl_sleep(18 * WHORL_SECOND));
    CHECK_STR(test_logged(), "-a");
    CHECK_OK(whorl_sleep(2 * WHORL_SECOND));
    CHECK_STR(test_logged(), "-a -b");
    CHECK_EQ(pool.open_count, 0);
    CHECK_EQ(pool.hosts_count, 0);
    finish();
}

TEST_VIRTUAL(a_connection_in_use_does_not_expire_and_its_idle_time_restarts)
{
    start(8, 8);
    struct http_conn *a = opened(take("a"), 'a');
    http_pool_release(&pool, a, true);
    CHECK_OK(whorl_sleep(20 * WHORL_SECOND));
    CHECK_EQ(name_of(a = take("a")), 'a');
    CHECK_OK(whorl_sleep(20 * WHORL_SECOND));
    http_pool_release(&pool, a, true);
    CHECK_OK(whorl_sleep(29 * WHORL_SECOND));
    CHECK_STR(test_logged(), "");
    CHECK_OK(whorl_sleep(2 * WHORL_SECOND));
    CHECK_STR(test_logged(), "-a");
    finish();
}

TEST_VIRTUAL(no_more_than_idle_max_are_kept)
{
    start(8, 8);
    pool.idle_max = 1;
    struct http_conn *a = opened(take("a"), 'a'), *b = opened(take("b"), 'b');
    http_pool_release(&pool, a, true);
    http_pool_release(&pool, b, true);
    CHECK_STR(test_logged(), "-a");
    CHECK_EQ(pool.idle_count, 1);
    finish();
}

/* Tasks that queue */

struct customer {
    const char *host;
    char name;
    int64_t hold_ns;
    bool keep;
};

static int queue_up(void *arg)
{
    const struct customer *c = arg;
    struct http_pool_key key = key_of(c->host);
    struct http_conn *conn;

    int err = http_pool_try_acquire(&pool, &key, &conn);
    if (err == -EAGAIN)
        err = http_pool_wait(&pool, &key, &conn);
    if (err) {
        test_log("%c:%s", c->name, whorl_error_name(err));
        return err;
    }
    test_log("%c%s", c->name, conn->stream ? "=" : "+");
    if (!conn->stream)
        opened(conn, c->name);
    err = whorl_sleep(c->hold_ns);
    http_pool_release(&pool, conn, c->keep && err == 0);
    return 0;
}

static WHORL_SUSPENDS_SHIELDED void run_customers(const struct customer *customers, size_t n)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    for (size_t i = 0; i < n; i++)
        CHECK_OK(whorl_spawn_copy(&group, queue_up, &customers[i]));
    CHECK_OK(whorl_group_wait(&group));
}

TEST_VIRTUAL(waiters_of_a_host_are_served_in_the_order_of_arrival)
{
    static const struct customer customers[] = {
        {"a", '1', 1, true}, {"a", '2', 1, true}, {"a", '3', 1, true}, {"a", '4', 1, true}};
    start(8, 1);
    run_customers(customers, 4);
    CHECK_STR(test_logged(), "1+ 2= 3= 4=");
    CHECK_EQ(pool.queued_count, 0);
    finish();
}

TEST_VIRTUAL(a_waiter_may_open_a_new_connection_when_one_ends)
{
    static const struct customer customers[] = {{"a", '1', 1, false}, {"a", '2', 1, true}};
    start(8, 1);
    run_customers(customers, 2);
    CHECK_STR(test_logged(), "1+ -1 2+");
    finish();
}

TEST_VIRTUAL(a_newcomer_does_not_overtake_the_queue)
{
    static const struct customer customers[] = {{"a", '1', 10, true}, {"a", '2', 10, true}};
    struct http_pool_key key = key_of("a");
    struct http_conn *conn;
    WHORL_AUTO(group) group = {0};

    start(8, 1);
    CHECK_OK(whorl_spawn_copy(&group, queue_up, &customers[0]));
    CHECK_OK(whorl_spawn_copy(&group, queue_up, &customers[1]));
    CHECK_OK(whorl_sleep(5));
    CHECK_EQ(pool.queued_count, 1);
    CHECK_ERR(http_pool_try_acquire(&pool, &key, &conn), -EAGAIN);
    CHECK_OK(http_pool_wait(&pool, &key, &conn));
    CHECK_STR(test_logged(), "1+ 2=");
    http_pool_release(&pool, conn, true);
    CHECK_OK(whorl_group_wait(&group));
    finish();
}

/* A busy host does not keep others from using the total limit: the task that has waited longest is
 * next. */
TEST_VIRTUAL(no_host_starves_another_when_the_total_is_reached)
{
    static const struct customer customers[] = {{"a", '1', 10, true}, {"a", '2', 10, true},
                                                {"b", '3', 10, true}, {"a", '4', 10, true},
                                                {"c", '5', 10, true}, {"b", '6', 10, true}};
    start(1, 1);
    run_customers(customers, 6);
    CHECK_STR(test_logged(), "1+ 2= -1 3+ -3 4+ -4 5+ -5 6+");
    finish();
}

TEST_VIRTUAL(a_place_passes_by_waiters_whose_host_is_at_its_cap)
{
    /* Host a has reached its own limit; b and c wait only for the total limit. */
    static const struct customer customers[] = {{"a", '1', 30, true},
                                                {"x", '2', 10, true},
                                                {"a", '3', 10, true},
                                                {"b", '4', 10, true},
                                                {"c", '5', 10, true}};
    start(2, 1);
    run_customers(customers, 5);
    CHECK_STR(test_logged(), "1+ 2+ -2 4+ -4 5+ 3=");
    finish();
}

static int cancel_after(void *arg)
{
    CHECK_OK(whorl_sleep(5));
    whorl_group_cancel(arg);
    return 0;
}

TEST_VIRTUAL(a_cancelled_waiter_leaves_no_trace_and_its_turn_passes_on)
{
    static const struct customer customers[] = {
        {"a", '1', 10, true}, {"a", '2', 10, true}, {"a", '3', 10, true}};
    WHORL_AUTO(group) keep = {.policy = WHORL_GROUP_COLLECT};
    WHORL_AUTO(group) doomed = {.policy = WHORL_GROUP_COLLECT};

    start(8, 1);
    CHECK_OK(whorl_spawn_copy(&keep, queue_up, &customers[0]));
    CHECK_OK(whorl_spawn_copy(&doomed, queue_up, &customers[1]));
    CHECK_OK(whorl_spawn_copy(&keep, queue_up, &customers[2]));
    CHECK_OK(whorl_spawn(&keep, cancel_after, &doomed));
    CHECK_OK(whorl_group_wait(&keep));
    whorl_group_finish(&doomed);
    CHECK_STR(test_logged(), "1+ 2:ECANCELED 3=");
    CHECK_EQ(pool.queued_count, 0);
    finish();
}

TEST_VIRTUAL(a_cancelled_last_waiter_of_a_host_leaves_no_host)
{
    static const struct customer holder = {"a", '1', 100, true}, other = {"b", '2', 10, true};
    WHORL_AUTO(group) keep = {.policy = WHORL_GROUP_COLLECT};
    WHORL_AUTO(group) doomed = {.policy = WHORL_GROUP_COLLECT};

    start(1, 1);
    CHECK_OK(whorl_spawn_copy(&keep, queue_up, &holder));
    CHECK_OK(whorl_spawn_copy(&doomed, queue_up, &other));
    CHECK_OK(whorl_sleep(5));
    CHECK_EQ(pool.hosts_count, 2);
    whorl_group_finish(&doomed);
    CHECK_EQ(pool.hosts_count, 1);
    CHECK_EQ(pool.queued_count, 0);
    CHECK_OK(whorl_group_wait(&keep));
    CHECK_STR(test_logged(), "1+ 2:ECANCELED");
    CHECK_EQ(pool.idle_count, 1); /* no waiter is left that needs it closed */
    finish();
}

/* The waiter gets a connection and is cancelled before it runs: the connection is not lost. */
TEST_VIRTUAL(a_waiter_cancelled_after_it_was_served_returns_the_connection)
{
    static const struct customer waiting = {"a", '2', 10, true};
    WHORL_AUTO(group) doomed = {.policy = WHORL_GROUP_COLLECT};

    start(1, 1);
    struct http_conn *conn = opened(take("a"), '1');
    CHECK_OK(whorl_spawn_copy(&doomed, queue_up, &waiting));
    CHECK_OK(whorl_sleep(5));
    CHECK_EQ(pool.queued_count, 1);
    http_pool_release(&pool, conn, true);
    whorl_group_finish(&doomed);
    CHECK_STR(test_logged(), "2= -1"); /* its sleep was cancelled, so the connection was not kept */
    CHECK_EQ(pool.open_count, 0);
    finish();
}

TEST_VIRTUAL(a_connection_that_died_on_the_way_to_a_waiter_is_reopened)
{
    static const struct customer waiting = {"a", '2', 10, true};
    WHORL_AUTO(group) group = {0};

    start(1, 1);
    struct http_conn *conn = opened(take("a"), '1');
    CHECK_OK(whorl_spawn_copy(&group, queue_up, &waiting));
    CHECK_OK(whorl_sleep(5));
    ((struct dummy *)conn->stream)->dead = true;
    http_pool_release(&pool, conn, true);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "-1 2+");
    finish();
}

TEST_VIRTUAL(many_hosts_and_waiters_all_get_their_turn)
{
    enum { HOSTS = 100, EACH = 20 };
    static char hosts[HOSTS][8];
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    uint32_t seed = 1;

    start(7, 3);
    for (int i = 0; i < HOSTS * EACH; i++) {
        seed = seed * 1664525 + 1013904223;
        struct customer c = {.name = 'x', .hold_ns = seed % 50, .keep = seed & 1};
        snprintf(hosts[i % HOSTS], sizeof hosts[0], "h%d", i % HOSTS);
        c.host = hosts[i % HOSTS];
        CHECK_OK(whorl_spawn_copy(&group, queue_up, &c));
        if (i % 17 == 0)
            CHECK_OK(whorl_sleep(1));
        CHECK(pool.open_count <= 7);
    }
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(pool.queued_count, 0);
    CHECK_EQ(pool.open_count, pool.idle_count);
    finish();
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT */
/* Which URL whorl-get fetches next. */
#include <errno.h>
#include <stdlib.h>

#include <whorl/error.h>
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/task.h>

#include "faults.h"
#include "test.h"
#include "tools/get/schedule.h"

static struct schedule schedule;
static char cause[SCHEDULE_CAUSE_SIZE];

static void add(const char *url)
{
    CHECK_OK(schedule_add(&schedule, url, "", NULL, 0));
}

/* Adds `count` URLs of a host, http://HOST/0 and so on. */
static void add_many(const char *host, int count)
{
    char url[64];

    for (int i = 0; i < count; i++) {
        snprintf(url, sizeof url, "http://%s/%d", host, i);
        add(url);
    }
}

/* The next item, or NULL when none can start now. */
static WHORL_SUSPENDS_SHIELDED struct schedule_item *next(void)
{
    struct schedule_item *item = NULL;
    struct whorl_scope scope;

    whorl_scope_enter(&scope, whorl_now());
    int n = schedule_next(&schedule, &item);
    whorl_scope_leave(&scope, 0);
    CHECK(n == 1 || n == -ECANCELED);
    return n == 1 ? item : NULL;
}

/* Starts all items that can start. Logs the URL of each, without http://. */
static WHORL_SUSPENDS_SHIELDED size_t start_all(struct schedule_item **ret, size_t max)
{
    struct schedule_item *item;
    size_t n = 0;

    while ((item = next())) {
        CHECK(n < max);
        ret[n++] = item;
        test_log("%s", item->url + strlen("http://"));
    }
    return n;
}

static void end_all(struct schedule_item **items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        schedule_end(&schedule, items[i]);
}

TEST_VIRTUAL(order_is_that_of_arrival)
{
    struct schedule_item *items[8];

    schedule_init(&schedule, 8, 8, 0);
    add("http://a/1");
    add("http://b/1");
    add("http://a/2");
    add("http://c/1");
    size_t n = start_all(items, 8);
    CHECK_STR(test_logged(), "a/1 b/1 a/2 c/1");
    end_all(items, n);
    schedule_finish(&schedule);
}

TEST_VIRTUAL(a_busy_host_holds_up_only_itself)
{
    struct schedule_item *items[12], *more[12];

    schedule_init(&schedule, 12, 3, 0);
    add_many("a", 6);
    add_many("b", 6);
    add("http://c/0");
    size_t n = start_all(items, 12);
    CHECK_STR(test_logged(), "a/0 a/1 a/2 b/0 b/1 b/2 c/0");
    test_log_clear();
    schedule_end(&schedule, items[4]); /* b/1 */
    schedule_end(&schedule, items[0]); /* a/0 */
    size_t m = start_all(more, 12);
    CHECK_STR(test_logged(), "a/3 b/3");
    end_all(more, m);
    schedule_end(&schedule, items[1]);
    schedule_end(&schedule, items[2]);
    schedule_end(&schedule, items[3]);
    end_all(items + 5, n - 5);
    schedule_finish(&schedule);
}

TEST_VIRTUAL(further_connections_count_for_their_host)
{
    struct schedule_item *items[4];

    schedule_init(&schedule, 10, 2, 0);
    add("http://a/0");
    CHECK_EQ(start_all(items, 4), 1);
    CHECK(schedule_take_connection(&schedule, items[0]));
    CHECK(!schedule_take_connection(&schedule, items[0]));
    add("http://a/1"); /* waits: the host has two connections */
    CHECK_EQ(start_all(items + 1, 3), 0);
    schedule_free_connection(&schedule, items[0]);
    CHECK_EQ(start_all(items + 1, 3), 1);
    schedule_end(&schedule, items[1]);
    add("http://a/2"); /* comes before a further connection of another item */
    add("http://b/0");
    CHECK(!schedule_take_connection(&schedule, items[0]));
    CHECK_EQ(start_all(items + 1, 3), 2);
    end_all(items, 3);
    schedule_close(&schedule);
    schedule_finish(&schedule);
}

TEST_VIRTUAL(jobs_bound_what_runs)
{
    struct schedule_item *items[4];

    schedule_init(&schedule, 4, 2, 0);
    add_many("a", 5);
    add_many("b", 5);
    CHECK_EQ(start_all(items, 4), 4);
    CHECK_EQ(schedule.running, 4);
    CHECK_EQ(schedule.count, 6);
    end_all(items, 4);
    schedule_finish(&schedule);
}

TEST_VIRTUAL(a_host_is_a_name_and_a_port)
{
    struct schedule_item *items[8];

    schedule_init(&schedule, 8, 1, 0);
    add("http://a/1");
    add("http://A:80/2"); /* the same host */
    add("http://a:81/3");
    add("http://[::1]/4");
    add("http://[0::1]:80/5"); /* the same host */
    size_t n = start_all(items, 8);
    CHECK_STR(test_logged(), "a/1 a:81/3 [::1]/4");
    CHECK_STR(schedule_host_name(items[0]), "a:80");
    CHECK_STR(schedule_host_name(items[2]), "[::1]:80");
    end_all(items, n);
    schedule_finish(&schedule);
}

TEST_VIRTUAL(bad_urls_wait_for_no_host)
{
    struct schedule_item *items[8];

    schedule_init(&schedule, 8, 1, 0);
    add("http://a/1");
    add("http://a/2");
    add("http://:x");
    add("http://:y");
    size_t n = start_all(items, 8);
    CHECK_STR(test_logged(), "a/1 :x :y");
    CHECK_STR(schedule_host_name(items[1]), "");
    end_all(items, n);
    schedule_finish(&schedule);
}

static int read_slowly(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        CHECK_OK(whorl_sleep(WHORL_SECOND));
        add_many("a", 1);
    }
    schedule_close(&schedule);
    return 0;
}

TEST_VIRTUAL(items_start_while_the_list_is_still_read)
{
    WHORL_AUTO(group) group = {0};
    struct schedule_item *item;
    int64_t start = whorl_now();
    int n = 0;

    schedule_init(&schedule, 1, 1, 0);
    CHECK_OK(whorl_spawn(&group, read_slowly, NULL));
    while (schedule_next(&schedule, &item) == 1) {
        n++;
        CHECK_EQ(whorl_now() - start, n * WHORL_SECOND);
        schedule_end(&schedule, item);
    }
    CHECK_EQ(n, 3);
    CHECK_OK(whorl_group_wait(&group));
    schedule_finish(&schedule);
}

static int add_beyond_the_window(void *arg)
{
    char url[64];

    (void)arg;
    for (int i = 0; i < 3 * SCHEDULE_ITEMS_MAX; i++) {
        snprintf(url, sizeof url, "http://h%d/", i);
        add(url);
        CHECK_OK(schedule_wait_room(&schedule));
    }
    schedule_close(&schedule);
    return 0;
}

TEST_VIRTUAL(the_window_is_bounded_and_nothing_is_lost)
{
    WHORL_AUTO(group) group = {0};
    struct schedule_item *item;
    uint64_t n = 0;

    schedule_init(&schedule, 3, 1, 0);
    CHECK_OK(whorl_spawn(&group, add_beyond_the_window, NULL));
    while (schedule_next(&schedule, &item) == 1) {
        CHECK(schedule.count < SCHEDULE_ITEMS_MAX);
        CHECK_EQ(item->number, n++);
        schedule_end(&schedule, item);
    }
    CHECK_EQ(n, 3 * SCHEDULE_ITEMS_MAX);
    CHECK_EQ(schedule.hosts_count, 0);
    CHECK_OK(whorl_group_wait(&group));
    schedule_finish(&schedule);
}

TEST_VIRTUAL(long_urls_fill_the_window_by_their_bytes)
{
    size_t len = 60000;
    char *url = malloc(len + 1);
    struct whorl_scope scope;

    memcpy(url, "http://a/", 9);
    memset(url + 9, 'x', len - 9);
    url[len] = '\0';
    schedule_init(&schedule, 1, 1, 0);
    whorl_scope_enter(&scope, whorl_after(WHORL_SECOND));
    while (schedule_wait_room(&schedule) == 0)
        add(url);
    CHECK_EQ(whorl_scope_leave(&scope, -ECANCELED), -ETIMEDOUT);
    CHECK(schedule.count * len > SCHEDULE_BYTES_MAX - 2 * len);
    CHECK(schedule.bytes < SCHEDULE_BYTES_MAX + 2 * len);
    free(url);
    schedule_finish(&schedule);
}

/* Items that pause let others run, and come first when they resume. */

static int resume(void *arg)
{
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    CHECK_OK(schedule_resume(&schedule, arg));
    test_log("resumed:%s", ((struct schedule_item *)arg)->url + strlen("http://"));
    schedule_answered(&schedule, arg, -1);
    return 0;
}

TEST_VIRTUAL(a_pause_lets_another_item_run_and_ends_before_others_start)
{
    WHORL_AUTO(group) group = {0};
    struct schedule_item *first, *second;

    schedule_init(&schedule, 1, 1, 0);
    add("http://a/1");
    add("http://b/1");
    add("http://c/1");
    first = next();
    CHECK(first && !next());
    schedule_pause(&schedule, first);
    CHECK_OK(whorl_spawn(&group, resume, first));
    second = next();
    CHECK_STR(second->url, "http://b/1");
    CHECK_OK(whorl_sleep(2 * WHORL_SECOND)); /* the first item wants to resume now */
    CHECK_STR(test_logged(), "");
    schedule_end(&schedule, second);
    CHECK(!next());
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "resumed:a/1");
    CHECK(!next());
    schedule_end(&schedule, first);
    CHECK_EQ(schedule.paused, 0);
    CHECK_EQ(schedule.running, 0);
    schedule_finish(&schedule);
}

TEST_VIRTUAL(items_in_a_pause_are_bounded)
{
    struct schedule_item *items[8];
    size_t n = 0;

    schedule_init(&schedule, 2, 1, 0);
    for (char host = 'a'; host < 'h'; host++)
        add_many((char[]){host, '\0'}, 1);
    while ((items[n] = next())) {
        schedule_pause(&schedule, items[n++]);
    }
    CHECK_EQ(n, 4);
    for (size_t i = 0; i < n; i++) {
        CHECK_OK(schedule_resume(&schedule, items[i]));
        schedule_end(&schedule, items[i]);
    }
    schedule_finish(&schedule);
}

/* Hosts that are not asked too fast */

/* Waits for the next item; NULL after the last one. */
static WHORL_SUSPENDS struct schedule_item *wait_next(void)
{
    struct schedule_item *item = NULL;

    CHECK(schedule_next(&schedule, &item) >= 0);
    return item;
}

TEST_VIRTUAL(a_rate_spreads_the_requests_to_each_host)
{
    struct schedule_item *item;

    schedule_init(&schedule, 100, 100, 4);
    int64_t start_ns = whorl_now();
    add_many("a", 3);
    add_many("b", 2);
    schedule_close(&schedule);
    while ((item = wait_next())) {
        test_log("%s:%lld", item->url + strlen("http://"),
                 (long long)((whorl_now() - start_ns) / WHORL_MILLISECOND));
        schedule_end(&schedule, item);
    }
    CHECK_STR(test_logged(), "a/0:0 b/0:0 a/1:250 b/1:250 a/2:500");
    schedule_leave(&schedule);
    schedule_finish(&schedule);
}

static int leave_while_a_host_is_silent(void *arg)
{
    struct schedule_item *item;

    (void)arg;
    schedule_init(&schedule, 100, 1, 0);
    add_many("a", 2);
    item = wait_next();
    schedule_answered(&schedule, item, 60 * WHORL_SECOND);
    schedule_end(&schedule, item);
    schedule_leave(&schedule);
    return 0;
}

TEST_VIRTUAL(one_refusal_silences_the_host_and_no_other)
{
    struct schedule_item *refused, *item;

    schedule_init(&schedule, 100, 1, 0);
    int64_t start_ns = whorl_now();
    add_many("a", 3);
    refused = wait_next();
    schedule_answered(&schedule, refused, 5 * WHORL_SECOND);
    CHECK_EQ(schedule_silence_ns(refused), 5 * WHORL_SECOND);
    schedule_end(&schedule, refused);
    add_many("b", 1);
    schedule_close(&schedule);
    while ((item = wait_next())) {
        test_log("%s:%lld", item->url + strlen("http://"),
                 (long long)((whorl_now() - start_ns) / WHORL_SECOND));
        schedule_answered(&schedule, item, -1);
        schedule_end(&schedule, item);
    }
    CHECK_STR(test_logged(), "b/0:0 a/1:5 a/2:9"); /* 5 s, and then four fifths of it */
    schedule_finish(&schedule);
}

/* The schedule is freed after the run. */
TEST(a_host_may_still_be_silent_at_the_end_of_the_run)
{
    CHECK_OK(whorl_run(leave_while_a_host_is_silent, NULL));
    schedule_finish(&schedule);
}

TEST_VIRTUAL(what_is_retried_comes_before_what_is_new)
{
    WHORL_AUTO(group) group = {0};
    struct schedule_item *first, *item;

    schedule_init(&schedule, 100, 2, 0);
    add_many("a", 2);
    first = wait_next();
    schedule_answered(&schedule, first, 3 * WHORL_SECOND);
    schedule_pause(&schedule, first);
    CHECK_OK(whorl_spawn(&group, resume, first));
    schedule_close(&schedule);
    item = wait_next();
    test_log("started:%s", item->url + strlen("http://"));
    CHECK_STR(test_logged(), "resumed:a/0 started:a/1");
    CHECK_OK(whorl_group_wait(&group));
    schedule_end(&schedule, item);
    schedule_end(&schedule, first);
    schedule_finish(&schedule);
}

TEST_VIRTUAL(a_host_that_asks_for_too_long_a_pause_is_down)
{
    struct schedule_item *item;

    schedule_init(&schedule, 100, 1, 0);
    add_many("a", 2);
    item = wait_next();
    schedule_silence(&schedule, item);
    schedule_end(&schedule, item);
    item = wait_next();
    CHECK(schedule_is_down(item));
    CHECK_EQ(schedule_item_down_cause(item, cause), -ECONNREFUSED);
    CHECK_STR(cause, "it has asked for a pause that is too long");
    schedule_note_dial(&schedule, "a", 80, 0); /* it still accepts connections */
    CHECK(schedule_is_down(item));
    schedule_end(&schedule, item);
    schedule_finish(&schedule);
}

/* Hosts that are down */

static void refuse(const char *host, int times)
{
    for (int i = 0; i < times; i++)
        schedule_note_dial(&schedule, host, 80, -ECONNREFUSED);
}

TEST_VIRTUAL(a_host_that_refuses_is_down_for_a_minute)
{
    struct schedule_item *item, *items[100];

    schedule_init(&schedule, 100, 2, 0);
    add_many("a", 20);
    add_many("b", 3);
    item = next();
    refuse("a", 4);
    CHECK(!schedule_is_down(item));
    schedule_give_up(&schedule, "a", 80, 4);
    CHECK(schedule_is_down(item));
    schedule_end(&schedule, item);
    size_t n = start_all(items, 100);
    CHECK_EQ(n, 19 + 2); /* of b as many as before */
    for (size_t i = 0; i < n; i++)
        CHECK_EQ(schedule_is_down(items[i]), items[i]->url[7] == 'a');
    end_all(items, n);
    n = start_all(items, 100);
    CHECK_EQ(n, 1);
    end_all(items, n);

    add_many("a", 3); /* it is remembered */
    item = next();
    CHECK(schedule_is_down(item));
    CHECK_OK(whorl_sleep(WHORL_MINUTE));
    CHECK(!schedule_is_down(item));
    schedule_end(&schedule, item);
    CHECK_EQ(start_all(items, 100), 2);
    end_all(items, 2);

    add_many("a", 2);
    item = next();
    refuse("a", 1);
    schedule_give_up(&schedule, "a", 80, 1);
    CHECK(schedule_is_down(item));
    schedule_note_dial(&schedule, "a", 80, 0); /* it accepts a connection: it is up again */
    CHECK(!schedule_is_down(item));
    schedule_end(&schedule, item);
    schedule_finish(&schedule);
}

TEST_VIRTUAL(a_host_that_was_silent_may_be_down_for_another_cause)
{
    struct schedule_item *item;

    schedule_init(&schedule, 100, 1, 0);
    add_many("a", 2);
    item = wait_next();
    schedule_silence(&schedule, item);
    CHECK_OK(whorl_sleep(WHORL_MINUTE));
    CHECK(!schedule_is_down(item));
    refuse("a", 1);
    schedule_give_up(&schedule, "a", 80, 1);
    CHECK(schedule_is_down(item));
    schedule_item_down_cause(item, cause);
    CHECK_STR(cause, "it has refused the connections of another URL");
    schedule_note_dial(&schedule, "a", 80, 0);
    CHECK(!schedule_is_down(item));
    schedule_end(&schedule, item);
    schedule_finish(&schedule);
}

TEST_VIRTUAL(a_host_that_accepts_now_and_then_is_not_down)
{
    struct schedule_item *item;

    schedule_init(&schedule, 1, 1, 0);
    add("http://a/");
    item = next();
    refuse("a", 3);
    schedule_note_dial(&schedule, "a", 80, 0);
    refuse("a", 3);
    refuse("a:81", 9);
    schedule_note_dial(&schedule, "a", 80, -ETIMEDOUT);
    schedule_give_up(&schedule, "a", 80, 4);
    CHECK(!schedule_is_down(item));
    schedule_end(&schedule, item);
    CHECK_EQ(schedule.hosts_count, 0);
    schedule_finish(&schedule);
}

TEST_VIRTUAL(a_host_that_only_redirects_lead_to_can_be_down)
{
    struct schedule_item *item;

    schedule_init(&schedule, 1, 1, 0);
    add("http://a/");
    item = next();
    schedule_note_dial(&schedule, "other", 443, -ECONNREFUSED);
    CHECK(!schedule_is_host_down(&schedule, "other", 443));
    schedule_give_up(&schedule, "other", 443, 1);
    CHECK(schedule_is_host_down(&schedule, "other", 443));
    CHECK(!schedule_is_host_down(&schedule, "other", 80));
    CHECK(!schedule_is_down(item));
    CHECK_EQ(schedule.hosts_count, 2);
    CHECK_OK(whorl_sleep(WHORL_MINUTE));
    CHECK(!schedule_is_host_down(&schedule, "other", 443));
    schedule_give_up(&schedule, "b", 80,
                     1); /* when a host is added, those of the past are dropped */
    CHECK_EQ(schedule.hosts_count, 2);
    schedule_end(&schedule, item);
    schedule_finish(&schedule);
    CHECK_EQ(schedule.hosts_count, 0);
}

static void fail(const char *host, int err, int times)
{
    for (int i = 0; i < times; i++)
        schedule_fail(&schedule, host, 80, err, err == WHORL_ETLS_NAME);
}

TEST_VIRTUAL(a_host_is_down_after_equal_failures_in_a_row)
{
    struct schedule_item *item, *items[100];

    schedule_init(&schedule, 100, 1, 0);
    add_many("a", 20);
    add("http://b/");
    item = next();
    fail("a", -ETIMEDOUT, SCHEDULE_FAILURES_MAX - 1);
    fail("a", -EHOSTUNREACH, SCHEDULE_FAILURES_MAX - 1); /* another reason begins another row */
    CHECK(!schedule_is_down(item));
    fail("a", -EHOSTUNREACH, 1);
    CHECK(schedule_is_down(item));
    CHECK_EQ(schedule_item_down_cause(item, cause), -EHOSTUNREACH);
    CHECK_STR(cause, "3 URLs in a row have failed: no route to host");
    schedule_end(&schedule, item);
    size_t n = start_all(items, 100);
    CHECK_EQ(n, 20);
    for (size_t i = 0; i < n; i++)
        CHECK_EQ(schedule_is_down(items[i]), items[i]->url[7] == 'a');
    end_all(items, n);

    add("http://a/"); /* a minute later it is tried again, and the row goes on */
    CHECK_OK(whorl_sleep(WHORL_MINUTE));
    item = next();
    CHECK(!schedule_is_down(item));
    fail("a", -EHOSTUNREACH, 1);
    CHECK(schedule_is_down(item));
    schedule_end(&schedule, item);
    schedule_finish(&schedule);
    CHECK_EQ(schedule.hosts_count, 0);
}

TEST_VIRTUAL(a_success_ends_the_row_of_failures)
{
    struct schedule_item *item;

    schedule_init(&schedule, 1, 1, 0);
    add("http://a/");
    item = next();
    fail("a", -ETIMEDOUT, 2);
    schedule_note_dial(&schedule, "a", 80, 0);
    fail("a", -ETIMEDOUT, 2);
    schedule_answered(&schedule, item, -1);
    fail("a", -ETIMEDOUT, 2);
    CHECK(!schedule_is_down(item));
    fail("a", WHORL_ETLS_NAME, 2);
    schedule_note_dial(&schedule, "a", 80, 0); /* each failure of TLS follows a connection */
    fail("a", WHORL_ETLS_NAME, 1);
    CHECK(schedule_is_down(item));
    schedule_note_dial(&schedule, "a", 80, 0);
    CHECK(schedule_is_down(item));
    schedule_answered(&schedule, item, -1); /* to a request that was in flight */
    CHECK(!schedule_is_down(item));
    fail("a", WHORL_ETLS_NAME, 2);
    CHECK(!schedule_is_down(item));
    schedule_end(&schedule, item);
    schedule_finish(&schedule);
}

TEST_VIRTUAL(failures_of_hosts_that_no_url_names_count_for_a_minute)
{
    schedule_init(&schedule, 1, 1, 0);
    fail("proxy", -ETIMEDOUT, 2);
    CHECK_OK(whorl_sleep(WHORL_MINUTE / 2));
    fail("proxy", -ETIMEDOUT, 1);
    CHECK(schedule_is_host_down(&schedule, "proxy", 80));
    CHECK_EQ(schedule_down_cause(&schedule, "proxy", 80, cause), -ETIMEDOUT);
    CHECK_OK(whorl_sleep(WHORL_MINUTE));
    fail("x", -ETIMEDOUT, 1); /* those of the past are dropped */
    CHECK_EQ(schedule.hosts_count, 1);
    schedule_finish(&schedule);
    CHECK_EQ(schedule.hosts_count, 0);
}

TEST_VIRTUAL(hosts_that_are_down_are_forgotten_in_time)
{
    char host[32], url[64];

    schedule_init(&schedule, 1, 1, 0);
    for (int i = 0; i < 30000; i++) {
        struct schedule_item *item;
        snprintf(host, sizeof host, "h%d", i);
        snprintf(url, sizeof url, "http://%s/", host);
        add(url);
        item = next();
        refuse(host, 1);
        schedule_give_up(&schedule, host, 80, 1);
        CHECK(schedule_is_down(item));
        schedule_end(&schedule, item);
        CHECK(schedule.hosts_count <= 10001);
    }
    CHECK_OK(whorl_sleep(WHORL_MINUTE));
    add("http://x/");
    struct schedule_item *item = next();
    refuse("x", 1);
    schedule_give_up(&schedule, "x", 80, 1);
    schedule_end(&schedule, item);
    CHECK_EQ(schedule.hosts_count, 1);
    schedule_finish(&schedule);
    CHECK_EQ(schedule.hosts_count, 0);
}

TEST_VIRTUAL(what_never_started_can_be_taken)
{
    struct schedule_item *item, *started[2];

    schedule_init(&schedule, 2, 1, 0);
    add_many("a", 3);
    add_many("b", 2);
    CHECK_EQ(start_all(started, 2), 2);
    end_all(started, 2);
    test_log_clear();
    while ((item = schedule_take(&schedule))) {
        test_log("%s", item->url + strlen("http://"));
        schedule_end(&schedule, item);
    }
    CHECK_STR(test_logged(), "a/1 a/2 b/1");
    schedule_finish(&schedule);
}

/* Random use, compared with a slow model: the next item is the first of the window whose host has
 * room. */
TEST_SEEDS(the_first_item_that_can_start_is_next)
{
    enum { HOSTS = 9, JOBS = 12, PER_HOST = 3 };
    uint64_t random = test_seed() + 1;
    struct schedule_item *running[JOBS], *item;
    size_t count = 0;

    schedule_init(&schedule, JOBS, PER_HOST, 0);
    for (int step = 0; step < 3000; step++) {
        if (test_draw(&random, 3) == 0) {
            add_many((char[]){(char)('a' + test_draw(&random, HOSTS)), '\0'}, 1);
        } else if (count > 0 && test_draw(&random, 2) == 0) {
            size_t i = test_draw(&random, count);
            schedule_end(&schedule, running[i]);
            running[i] = running[--count];
        } else {
            struct schedule_item *expected = NULL;
            TAILQ_FOREACH(item, &schedule.window, in_window)
            {
                int active = 0;
                for (size_t i = 0; i < count; i++)
                    active += running[i]->url[7] == item->url[7];
                if (active < PER_HOST && !expected && count < JOBS)
                    expected = item;
            }
            item = next();
            CHECK(item == expected);
            if (item)
                running[count++] = item;
        }
    }
    end_all(running, count);
    schedule_finish(&schedule);
}

static int fill_and_empty(void *arg)
{
    struct schedule_item *item;
    int err = 0;

    (void)arg;
    schedule_init(&schedule, 4, 2, 0);
    for (char host = 'a'; err == 0 && host < 'a' + 20; host++)
        err = schedule_add(&schedule, (char[]){'h', 't', 't', 'p', ':', '/', '/', host, '\0'}, "",
                           NULL, 0);
    while ((item = schedule_take(&schedule)))
        schedule_end(&schedule, item);
    schedule_finish(&schedule);
    return err;
}

TEST(every_allocation_may_fail)
{
    CHECK(faults_sweep(fill_and_empty, NULL) > 20);
}

/* A mirror may be on a host that is busy. */
static int resume_moved(void *arg)
{
    struct schedule_item *item = arg;

    CHECK_OK(schedule_resume(&schedule, item));
    test_log("moved");
    schedule_end(&schedule, item);
    return 0;
}

TEST_VIRTUAL(an_item_that_moves_waits_for_its_new_host_and_holds_up_no_other)
{
    WHORL_AUTO(group) group = {0};
    struct schedule_item *items[8], *more[8];

    schedule_init(&schedule, 3, 1, 0);
    add("http://a/1");
    add("http://b/1");
    CHECK_EQ(start_all(items, 8), 2);
    schedule_pause(&schedule, items[0]);
    CHECK_OK(schedule_move(&schedule, items[0], "http://b/mirror"));
    CHECK_STR(schedule_host_name(items[0]), "b:80");
    CHECK_OK(whorl_spawn(&group, resume_moved, items[0]));
    CHECK_OK(whorl_sleep(1));
    add("http://a/2");
    add("http://c/1");
    CHECK_EQ(start_all(more, 8), 2);
    test_log("end");
    schedule_end(&schedule, items[1]);
    end_all(more, 2);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a/1 b/1 a/2 c/1 end moved");
    schedule_leave(&schedule);
    schedule_finish(&schedule);
}

TEST_VIRTUAL(a_connection_to_a_mirror_counts_for_its_host)
{
    struct schedule_item *items[8];

    schedule_init(&schedule, 8, 2, 0);
    struct schedule_host *one = schedule_take_place(&schedule, "http://m/f");
    struct schedule_host *two = schedule_take_place(&schedule, "http://m/f");
    CHECK(one && one == two && !schedule_take_place(&schedule, "http://m/f"));
    CHECK(!schedule_take_place(&schedule, "no url"));
    add("http://m/1");
    CHECK_EQ(start_all(items, 8), 0);
    schedule_free_place(&schedule, one);
    CHECK(!schedule_take_place(&schedule, "http://m/f")); /* items that wait come first */
    CHECK_EQ(start_all(items, 8), 1);
    schedule_free_place(&schedule, two);
    end_all(items, 1);
    CHECK_EQ(schedule.hosts_count, 0);
    schedule_finish(&schedule);
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT */
/* Wait groups: counting down, and up again. */
#include <signal.h>

#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/sync.h>

#include "child.h"
#include "test.h"

static int wait_and_log(void *arg)
{
    int err = whorl_wait_group_wait(arg);
    test_log("%d@%d", err, (int)whorl_now());
    return err;
}

static int done_later(void *arg)
{
    int err = whorl_sleep(5);
    whorl_wait_group_done(arg);
    return err;
}

TEST_VIRTUAL(wait_group_lets_all_go_at_zero)
{
    struct whorl_wait_group wait_group = {.count = 2};
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, wait_and_log, &wait_group));
    CHECK_OK(whorl_spawn(&group, wait_and_log, &wait_group));
    CHECK_OK(whorl_sleep(1));
    whorl_wait_group_done(&wait_group);
    whorl_wait_group_add(&wait_group, 2);
    CHECK_OK(whorl_sleep(1));
    CHECK_STR(test_logged(), "");
    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_spawn(&group, done_later, &wait_group));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "0@7 0@7");
    CHECK_OK(whorl_wait_group_wait(&wait_group)); /* does not wait any more */
}

static struct whorl_wait_group start = {.count = 1};

static int wait_for_start(void *arg)
{
    int err = whorl_wait_group_wait(&start);
    test_log("%s", (const char *)arg);
    return err;
}

TEST_VIRTUAL(wait_group_lets_go_in_the_order_of_arrival)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, wait_for_start, "a"));
    CHECK_OK(whorl_spawn(&group, wait_for_start, "b"));
    CHECK_OK(whorl_spawn(&group, wait_for_start, "c"));
    CHECK_OK(whorl_yield());
    whorl_wait_group_done(&start);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a b c");
}

TEST_VIRTUAL(wait_group_can_be_used_again)
{
    struct whorl_wait_group wait_group = {0};
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_wait_group_wait(&wait_group));
    whorl_wait_group_add(&wait_group, 1);
    CHECK_OK(whorl_spawn(&group, wait_and_log, &wait_group));
    CHECK_OK(whorl_sleep(1));
    whorl_wait_group_done(&wait_group);
    whorl_wait_group_add(&wait_group, 1); /* does not affect the tasks that were already woken */
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "0@1");
    whorl_wait_group_done(&wait_group);
}

TEST_VIRTUAL(wait_group_waiter_that_is_cancelled_leaves_the_count_alone)
{
    struct whorl_wait_group wait_group = {.count = 1};
    struct whorl_scope scope;

    whorl_scope_enter(&scope, whorl_after(3));
    CHECK_ERR(whorl_scope_leave(&scope, whorl_wait_group_wait(&wait_group)), -ETIMEDOUT);
    CHECK_EQ(wait_group.count, 1);
    CHECK(!wait_group.waiters.first);
    whorl_wait_group_done(&wait_group);
    CHECK_OK(whorl_wait_group_wait(&wait_group));
}

/* --- in any order ----------------------------------------------------------------------------- */

/* The wait group, its expected count, and the instants at which the count became zero. */
static struct {
    struct whorl_wait_group wait_group;
    size_t count;
    int64_t zero_at[512];
    int zeros;
} history;

static void count_up(size_t n)
{
    whorl_wait_group_add(&history.wait_group, n);
    history.count += n;
    CHECK_EQ(history.wait_group.count, history.count);
}

static void count_down(void)
{
    if (--history.count == 0)
        history.zero_at[history.zeros++] = whorl_now();
    whorl_wait_group_done(&history.wait_group);
    CHECK_EQ(history.wait_group.count, history.count);
}

static int count_now_and_then(void *arg)
{
    uint64_t *random = arg;

    for (int i = 0; i < 20; i++) {
        size_t n = 1 + test_draw(random, 3);
        count_up(n);
        for (size_t k = 0; k < n; k++) {
            CHECK_OK(whorl_sleep((int64_t)test_draw(random, 3)));
            count_down();
        }
        CHECK_OK(whorl_sleep((int64_t)test_draw(random, 8)));
    }
    return 0;
}

/* The wait may miss a zero only if it happens at the deadline or later. */
static int wait_now_and_then(void *arg)
{
    uint64_t *random = arg;

    for (int i = 0; i < 20; i++) {
        struct whorl_scope scope;
        int64_t deadline = whorl_after((int64_t)test_draw(random, 8));
        bool was_zero = history.count == 0;
        int before = history.zeros;
        whorl_scope_enter(&scope, deadline);
        int err = whorl_wait_group_wait(&history.wait_group);
        (void)whorl_scope_leave(&scope, err);
        if (err == 0) {
            CHECK(was_zero || history.zeros > before);
        } else {
            CHECK_ERR(err, -ECANCELED);
            CHECK(whorl_now() >= deadline);
            CHECK(history.zeros == before || history.zero_at[before] >= deadline);
        }
        CHECK_OK(whorl_sleep((int64_t)test_draw(random, 4)));
    }
    return whorl_wait_group_wait(&history.wait_group); /* at the end the count stays zero */
}

TEST_SEEDS(wait_group_that_reaches_zero_is_missed_by_no_waiter)
{
    WHORL_AUTO(group) group = {0};

    memset(&history, 0, sizeof history);
    for (uint64_t i = 0; i < 3; i++)
        CHECK_OK(whorl_spawn_copy(&group, count_now_and_then, &(uint64_t){test_seed() + i}));
    for (uint64_t i = 3; i < 9; i++)
        CHECK_OK(whorl_spawn_copy(&group, wait_now_and_then, &(uint64_t){test_seed() + i}));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(history.wait_group.count, 0);
    CHECK(history.zeros > 0 && !history.wait_group.waiters.first);
}

/* --- what is not allowed --------------------------------------------------------------------- */

static void done_once_too_often(void *arg)
{
    (void)arg;
    whorl_wait_group_done(&(struct whorl_wait_group){0});
}

static void add_too_much(void *arg)
{
    struct whorl_wait_group wait_group = {.count = 2};
    (void)arg;
    whorl_wait_group_add(&wait_group, SIZE_MAX);
}

TEST(wait_group_below_zero_or_above_the_top_ends_the_process)
{
    struct child child;

    child_run(&child, done_once_too_often, NULL);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "below zero"));
    child_run(&child, add_too_much, NULL);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "overflowed"));
}

TEST(wait_group_outside_a_task_is_refused)
{
    struct whorl_wait_group wait_group = {0};
    CHECK_ERR(whorl_wait_group_wait(&wait_group), WHORL_ENOTASK);
}

TEST_MAIN()

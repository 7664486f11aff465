/* SPDX-License-Identifier: MIT */
/* Latches: counting down, and up again. */
#include <signal.h>

#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/sync.h>

#include "child.h"
#include "test.h"

static int wait_and_log(void *arg)
{
    int err = whorl_latch_wait(arg);
    test_log("%d@%d", err, (int)whorl_now());
    return err;
}

static int done_later(void *arg)
{
    int err = whorl_sleep(5);
    whorl_latch_done(arg);
    return err;
}

TEST_VIRTUAL(latch_lets_all_go_at_zero)
{
    struct whorl_latch latch = {.count = 2};
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, wait_and_log, &latch));
    CHECK_OK(whorl_spawn(&group, wait_and_log, &latch));
    CHECK_OK(whorl_sleep(1));
    whorl_latch_done(&latch);
    whorl_latch_add(&latch, 2);
    CHECK_OK(whorl_sleep(1));
    CHECK_STR(test_logged(), "");
    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_spawn(&group, done_later, &latch));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "0@7 0@7");
    CHECK_OK(whorl_latch_wait(&latch)); /* open from now on */
}

TEST_VIRTUAL(latch_can_be_used_again)
{
    struct whorl_latch latch = {0};
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_latch_wait(&latch));
    whorl_latch_add(&latch, 1);
    CHECK_OK(whorl_spawn(&group, wait_and_log, &latch));
    CHECK_OK(whorl_sleep(1));
    whorl_latch_done(&latch);
    whorl_latch_add(&latch, 1); /* those who were let go do not mind */
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "0@1");
    whorl_latch_done(&latch);
}

TEST_VIRTUAL(latch_waiter_that_is_cancelled_leaves_the_count_alone)
{
    struct whorl_latch latch = {.count = 1};
    struct whorl_scope scope;

    whorl_scope_enter(&scope, whorl_after(3));
    CHECK_ERR(whorl_scope_leave(&scope, whorl_latch_wait(&latch)), -ETIMEDOUT);
    CHECK_EQ(latch.count, 1);
    CHECK(!latch.waiters.first);
    whorl_latch_done(&latch);
    CHECK_OK(whorl_latch_wait(&latch));
}

static void done_once_too_often(void *arg)
{
    (void)arg;
    whorl_latch_done(&(struct whorl_latch){0});
}

static void add_too_much(void *arg)
{
    struct whorl_latch latch = {.count = 2};
    (void)arg;
    whorl_latch_add(&latch, SIZE_MAX);
}

TEST(latch_below_zero_or_above_the_top_ends_the_process)
{
    struct child child;

    child_run(&child, done_once_too_often, NULL);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "below zero"));
    child_run(&child, add_too_much, NULL);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "too high"));
}

TEST(latch_outside_a_task_is_refused)
{
    struct whorl_latch latch = {0};
    CHECK_ERR(whorl_latch_wait(&latch), WHORL_ENOTASK);
}

TEST_MAIN()

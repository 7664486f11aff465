/* SPDX-License-Identifier: MIT */
/* Once: one task runs the function, the others wait, and a failure is retried. */
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/sync.h>
#include <whorl/trace.h>

#include "test.h"

static struct whorl_once once;
static int calls, failures;

static int open_it(void *arg)
{
    (void)arg;
    calls++;
    int err = whorl_sleep(10);
    if (err)
        return err;
    return calls <= failures ? -EIO : 0;
}

static int use(void *arg)
{
    int err = whorl_once_run(&once, open_it, NULL);
    test_log("%s%d@%d", (const char *)arg, err, (int)whorl_now());
    return 0;
}

TEST_VIRTUAL(once_runs_once_and_the_others_wait)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, use, "a"));
    CHECK_OK(whorl_spawn(&group, use, "b"));
    CHECK_OK(whorl_spawn(&group, use, "c"));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a0@10 b0@10 c0@10");
    CHECK_OK(whorl_once_run(&once, open_it, NULL));
    CHECK_EQ(calls, 1);
    CHECK_EQ(whorl_now(), 10);
}

TEST_VIRTUAL(once_that_fails_is_tried_by_the_longest_waiter)
{
    WHORL_AUTO(group) group = {0};

    failures = 2;
    CHECK_OK(whorl_spawn(&group, use, "a"));
    CHECK_OK(whorl_spawn(&group, use, "b"));
    CHECK_OK(whorl_spawn(&group, use, "c"));
    CHECK_OK(whorl_spawn(&group, use, "d"));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a-5@10 b-5@20 c0@30 d0@30");
    CHECK_EQ(calls, 3);
}

static int fail_and_look(void *arg)
{
    char text[4096] = "";

    (void)arg;
    CHECK_ERR(whorl_once_run(&once, open_it, NULL), -EIO);
    FILE *to = fmemopen(text, sizeof text, "w");
    whorl_run_dump_tasks(to);
    fclose(to);
    CHECK(strstr(text, " run by no task"));
    return 0;
}

/* The first task has failed, the second one is next but has not run yet, and the third one
 * waits. */
TEST_VIRTUAL(once_is_run_by_no_task_between_two_tries)
{
    WHORL_AUTO(group) group = {0};

    failures = 1;
    CHECK_OK(whorl_spawn(&group, fail_and_look, NULL));
    CHECK_OK(whorl_spawn(&group, use, "b"));
    CHECK_OK(whorl_spawn(&group, use, "c"));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "b0@20 c0@20");
}

TEST_VIRTUAL(once_that_failed_with_nobody_waiting_is_tried_by_the_next)
{
    failures = 1;
    CHECK_ERR(whorl_once_run(&once, open_it, NULL), -EIO);
    CHECK_EQ(once.state, WHORL_ONCE_NEW);
    CHECK_OK(whorl_once_run(&once, open_it, NULL));
    CHECK_EQ(calls, 2);
}

static int succeed_with_7(void *arg)
{
    (void)arg;
    calls++;
    int err = whorl_sleep(10);
    return err ? err : 7;
}

static int use_7(void *arg)
{
    test_log("%s%d", (const char *)arg, whorl_once_run(&once, succeed_with_7, NULL));
    return 0;
}

TEST_VIRTUAL(once_takes_a_positive_result_for_success_and_says_0_to_all)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, use_7, "a"));
    CHECK_OK(whorl_spawn(&group, use_7, "b"));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(use_7("c"));
    CHECK_STR(test_logged(), "a0 b0 c0");
    CHECK_EQ(calls, 1);
}

static int open_again(void *arg)
{
    return whorl_once_run(&once, arg ? open_again : open_it, NULL);
}

TEST_VIRTUAL(once_inside_itself_is_refused)
{
    CHECK_ERR(whorl_once_run(&once, open_again, "again"), -EDEADLK);
    CHECK_EQ(once.state, WHORL_ONCE_NEW); /* the call failed */
    CHECK_OK(whorl_once_run(&once, open_it, NULL));
}

static int use_briefly(void *arg)
{
    struct whorl_scope scope;

    whorl_scope_enter(&scope, whorl_after(5));
    int err = whorl_scope_leave(&scope, whorl_once_run(&once, open_it, NULL));
    test_log("%s%d@%d", (const char *)arg, err, (int)whorl_now());
    return 0;
}

TEST_VIRTUAL(once_whose_runner_is_cancelled_is_tried_by_a_waiter)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, use_briefly, "a"));
    CHECK_OK(whorl_spawn(&group, use, "b"));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a-110@5 b0@15");
}

TEST_VIRTUAL(once_waiter_that_is_cancelled_is_not_given_the_turn)
{
    WHORL_AUTO(group) group = {0};

    failures = 1;
    CHECK_OK(whorl_spawn(&group, use, "a"));
    CHECK_OK(whorl_spawn(&group, use_briefly, "b"));
    CHECK_OK(whorl_spawn(&group, use, "c"));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "b-110@5 a-5@10 c0@20");
}

static int cancel_first(void *arg)
{
    WHORL_AUTO(group) group = {0};
    int err = whorl_spawn(&group, use, "b");

    (void)arg;
    err = err ? err : whorl_sleep(10); /* wakes together with the failure, before `b` has run */
    return err;
}

/* A waiter that becomes the next one and is cancelled at the same instant passes its turn on. */
TEST_VIRTUAL(once_is_passed_on_by_a_waiter_cancelled_as_its_turn_comes)
{
    WHORL_AUTO(group) group = {0};

    failures = 1;
    CHECK_OK(whorl_spawn(&group, use, "a"));
    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_spawn(&group, cancel_first, NULL));
    CHECK_OK(whorl_sleep(1));
    CHECK_OK(whorl_spawn(&group, use, "c"));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a-5@10 b-125@10 c0@20");
}

/* --- in any order ----------------------------------------------------------------------------- */

static struct {
    struct whorl_once once;
    int running, calls, succeeded;
} work;

/* Fails, is cancelled or succeeds. The caller gets the result. */
static int try_it(void *arg)
{
    uint64_t *random = arg;

    work.calls++;
    CHECK_EQ(++work.running, 1);
    CHECK_EQ(work.succeeded, 0);
    int err = whorl_sleep((int64_t)test_draw(random, 4));
    if (err == 0 && test_draw(random, 4))
        err = -EIO;
    work.running--;
    work.succeeded += err == 0;
    return err;
}

static int come_by(void *arg)
{
    uint64_t *random = arg;

    for (int i = 0; i < 5; i++) {
        struct whorl_scope scope;
        int64_t deadline =
            test_draw(random, 2) ? WHORL_FOREVER : whorl_after((int64_t)test_draw(random, 4));
        int tries = work.calls;
        whorl_scope_enter(&scope, deadline);
        int err = whorl_once_run(&work.once, try_it, random);
        (void)whorl_scope_leave(&scope, err);
        if (err == 0)
            CHECK_EQ(work.succeeded, 1);
        else if (err == -ECANCELED)
            CHECK(whorl_now() >= deadline);
        else
            CHECK(err == -EIO && work.calls > tries); /* the failure of its own call */
        CHECK_OK(whorl_sleep((int64_t)test_draw(random, 4)));
    }
    return 0;
}

TEST_SEEDS(once_succeeds_once_and_keeps_nobody_waiting)
{
    WHORL_AUTO(group) group = {0};

    memset(&work, 0, sizeof work);
    for (uint64_t i = 0; i < 6; i++)
        CHECK_OK(whorl_spawn_copy(&group, come_by, &(uint64_t){test_seed() + i}));
    CHECK_OK(whorl_group_wait(&group)); /* a lost turn would cause a deadlock */
    CHECK_EQ(work.running, 0);
    CHECK_EQ(work.once.state == WHORL_ONCE_DONE, work.succeeded == 1);
    CHECK(!work.once.waiters.first);
}

TEST(once_outside_a_task_is_refused)
{
    CHECK_ERR(whorl_once_run(&once, open_it, NULL), WHORL_ENOTASK);
    CHECK_EQ(calls, 0);
}

TEST_MAIN()

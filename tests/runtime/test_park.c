/* SPDX-License-Identifier: MIT */
/* Parking and waking: the protocol between a task that waits and the code that wakes it. */
#include <signal.h>

#include <whorl/group.h>
#include <whorl/park.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/task.h>

#include "child.h"
#include "runtime/park_hook.h"
#include "test.h"

/* A wait whose abort function returns what the test chooses. */
struct wait {
    struct whorl_waiter waiter;
    struct whorl_scope scope;
    enum whorl_abort answer;
    int aborts;
    int64_t result;
    bool uncuttable;
    bool in_scope;
};

static struct wait *wait_of(struct whorl_waiter *waiter)
{
    return (struct wait *)((char *)waiter - offsetof(struct wait, waiter));
}

static enum whorl_abort on_abort(struct whorl_waiter *waiter)
{
    struct wait *wait = wait_of(waiter);
    wait->aborts++;
    return wait->answer;
}

static int park(void *arg)
{
    struct wait *wait = arg;

    whorl_scope_enter(&wait->scope, WHORL_FOREVER);
    wait->in_scope = true;
    wait->result = whorl_park(&wait->waiter, wait->uncuttable ? NULL : on_abort, "test");
    wait->in_scope = false;
    (void)whorl_scope_leave(&wait->scope, 0);
    test_log("back");
    return 0;
}

TEST_VIRTUAL(park_returns_what_it_was_woken_with)
{
    WHORL_AUTO(group) group = {0};
    struct wait wait = {.waiter = WHORL_WAITER_INIT};

    CHECK_OK(whorl_spawn(&group, park, &wait));
    CHECK_OK(whorl_yield());
    CHECK(wait.in_scope);
    whorl_wake(&wait.waiter, INT64_C(123456789012345));
    CHECK(wait.in_scope); /* it is ready but does not run yet */
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(wait.result, INT64_C(123456789012345));
    CHECK_EQ(wait.aborts, 0);
}

TEST_VIRTUAL(a_waiter_woken_before_it_parks_does_not_wait)
{
    struct wait wait = {.waiter = WHORL_WAITER_INIT};
    struct whorl_run_stats before, after;

    whorl_wake(&wait.waiter, 7);
    CHECK_OK(whorl_run_get_stats(&before));
    CHECK_EQ(whorl_park(&wait.waiter, on_abort, "test"), 7);
    CHECK_OK(whorl_run_get_stats(&after));
    CHECK_EQ(after.switches, before.switches);
}

TEST_VIRTUAL(a_waiter_woken_before_it_parks_wins_over_a_cancelled_scope)
{
    struct wait wait = {.waiter = WHORL_WAITER_INIT};

    whorl_scope_enter(&wait.scope, WHORL_FOREVER);
    whorl_scope_cancel(&wait.scope);
    whorl_wake(&wait.waiter, 7);
    CHECK_EQ(whorl_park(&wait.waiter, on_abort, "test"), 7);
    CHECK_EQ(wait.aborts, 0);
    CHECK_OK(whorl_scope_leave(&wait.scope, 0));
}

TEST_VIRTUAL(tasks_run_in_the_order_in_which_they_were_woken)
{
    WHORL_AUTO(group) group = {0};
    struct wait waits[4] = {0};

    for (int i = 0; i < 4; i++)
        CHECK_OK(whorl_spawn(&group, park, &waits[i]));
    CHECK_OK(whorl_yield());
    static const int order[] = {2, 0, 3, 1};
    for (int i = 0; i < 4; i++)
        whorl_wake(&waits[order[i]].waiter, i);
    for (int i = 0; i < 4; i++)
        CHECK(waits[i].in_scope);
    CHECK_OK(whorl_group_wait(&group));
    for (int i = 0; i < 4; i++)
        CHECK_EQ(waits[order[i]].result, i);
}

/* --- cancellation ---------------------------------------------------------------------------- */

TEST_VIRTUAL(abort_done_ends_the_park_with_ecanceled)
{
    WHORL_AUTO(group) group = {0};
    struct wait wait = {.answer = WHORL_ABORT_DONE};

    CHECK_OK(whorl_spawn(&group, park, &wait));
    CHECK_OK(whorl_yield());
    whorl_scope_cancel(&wait.scope);
    CHECK_EQ(wait.aborts, 1);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(wait.result, -ECANCELED);
    CHECK_EQ(wait.aborts, 1);
}

TEST_VIRTUAL(abort_pending_goes_on_waiting_for_the_wake)
{
    WHORL_AUTO(group) group = {0};
    struct wait wait = {.answer = WHORL_ABORT_PENDING};

    CHECK_OK(whorl_spawn(&group, park, &wait));
    CHECK_OK(whorl_yield());
    whorl_scope_cancel(&wait.scope);
    CHECK_EQ(wait.aborts, 1);
    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    CHECK(wait.in_scope);
    whorl_wake(&wait.waiter, 99);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(wait.result, 99);
}

TEST_VIRTUAL(abort_is_called_once_however_often_it_is_cancelled)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct wait wait = {.answer = WHORL_ABORT_PENDING};

    CHECK_OK(whorl_spawn(&group, park, &wait));
    CHECK_OK(whorl_yield());
    whorl_scope_cancel(&wait.scope);
    whorl_scope_cancel(&wait.scope);
    whorl_group_cancel(&group);
    whorl_scope_set_deadline(&wait.scope, 0);
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    CHECK_EQ(wait.aborts, 1);
    whorl_wake(&wait.waiter, 0);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(wait.aborts, 1);
}

TEST_VIRTUAL(parking_in_a_cancelled_scope_aborts_at_once)
{
    WHORL_AUTO(group) group = {0};
    struct wait done = {.answer = WHORL_ABORT_DONE}, pending = {.answer = WHORL_ABORT_PENDING};

    whorl_scope_enter(&done.scope, WHORL_FOREVER);
    whorl_scope_cancel(&done.scope);
    CHECK_EQ(whorl_park(&done.waiter, on_abort, "test"), -ECANCELED);
    CHECK_EQ(done.aborts, 1);
    CHECK_OK(whorl_scope_leave(&done.scope, 0));

    CHECK_OK(whorl_spawn(&group, park, &pending));
    whorl_group_cancel(&group); /* before the task has run */
    CHECK_OK(whorl_yield());
    CHECK_EQ(pending.aborts, 1);
    CHECK(pending.in_scope);
    whorl_wake(&pending.waiter, 5);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(pending.result, 5);
    CHECK_EQ(pending.aborts, 1);
}

TEST_VIRTUAL(a_task_woken_and_then_cancelled_returns_what_it_was_woken_with)
{
    WHORL_AUTO(group) group = {0};
    struct wait wait = {.answer = WHORL_ABORT_DONE};

    CHECK_OK(whorl_spawn(&group, park, &wait));
    CHECK_OK(whorl_yield());
    whorl_wake(&wait.waiter, 42);
    whorl_scope_cancel(&wait.scope);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(wait.result, 42);
    CHECK_EQ(wait.aborts, 0);
}

TEST_VIRTUAL(a_wait_without_an_abort_cannot_be_cut_short)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct wait before = {.uncuttable = true}, during = before;

    CHECK_OK(whorl_spawn(&group, park, &during));
    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_spawn(&group, park, &before));
    whorl_group_cancel(&group);
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    CHECK(before.in_scope && during.in_scope);
    whorl_wake(&before.waiter, 1);
    whorl_wake(&during.waiter, 2);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(before.result, 1);
    CHECK_EQ(during.result, 2);
}

static struct wait *other;

static enum whorl_abort wake_other(struct whorl_waiter *waiter)
{
    (void)waiter;
    whorl_wake(&other->waiter, 11);
    return WHORL_ABORT_DONE;
}

static int park_waking_other(void *arg)
{
    struct wait *wait = arg;
    wait->result = whorl_park(&wait->waiter, wake_other, "test");
    return 0;
}

TEST_VIRTUAL(an_abort_may_wake_other_waiters)
{
    WHORL_AUTO(group) first = {0}, second = {0};
    struct wait a = {0}, b = {0};

    other = &b;
    CHECK_OK(whorl_spawn(&first, park_waking_other, &a));
    CHECK_OK(whorl_spawn(&second, park, &b));
    CHECK_OK(whorl_yield());
    whorl_group_cancel(&first);
    CHECK_OK(whorl_group_wait(&first));
    CHECK_OK(whorl_group_wait(&second));
    CHECK_EQ(a.result, -ECANCELED);
    CHECK_EQ(b.result, 11);
}

/* --- what is not allowed ---------------------------------------------------------------------- */

static int wake_twice(void *arg)
{
    struct whorl_waiter waiter = WHORL_WAITER_INIT;

    (void)arg;
    whorl_wake(&waiter, 0);
    whorl_wake(&waiter, 0);
    return 0;
}

static void run_wake_twice(void *arg)
{
    test_ignore(whorl_run_virtual(NULL, wake_twice, arg));
}

TEST(waking_twice_aborts_with_a_word_why)
{
    struct child child;

    child_run(&child, run_wake_twice, NULL);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "woken twice"));
}

static WHORL_SUSPENDS_SHIELDED void park_outside(void *arg)
{
    struct whorl_waiter waiter = WHORL_WAITER_INIT;

    (void)arg;
    test_ignore(whorl_park(&waiter, NULL, "test"));
}

TEST(parking_outside_a_task_aborts_with_a_word_why)
{
    struct child child;

    child_run(&child, park_outside, NULL);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "outside a task"));
}

/* --- the tests' own hook ---------------------------------------------------------------------- */

static void log_what(const char *what)
{
    test_log("%s", what);
}

TEST_VIRTUAL(the_hook_sees_every_wait)
{
    WHORL_AUTO(group) group = {0};
    struct wait wait = {0};

    sched_park_hook = log_what;
    CHECK_OK(whorl_spawn(&group, park, &wait));
    CHECK_OK(whorl_sleep(1));
    whorl_wake(&wait.waiter, 0);
    CHECK_OK(whorl_group_wait(&group));
    sched_park_hook = NULL;
    CHECK_STR(test_logged(), "sleep test group back");
}

TEST_MAIN()

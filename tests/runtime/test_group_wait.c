/* SPDX-License-Identifier: MIT */
/* Waiting for groups: whole groups, below a number of tasks, by several tasks, in a select,
 * for daemons, and by owners whose scope a failure cancels. */
#include <stdlib.h>

#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/stop.h>
#include <whorl/task.h>

#include "group_jobs.h"
#include "test.h"

/* --- waiting --------------------------------------------------------------------------------- */

TEST_VIRTUAL(a_wait_with_a_deadline_leaves_the_tasks_running)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_scope scope;

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", 10 * MS)));
    for (int i = 1; i <= 3; i++) {
        whorl_scope_enter(&scope, whorl_after(2 * MS));
        CHECK_ERR(whorl_scope_leave(&scope, whorl_group_wait(&group)), -ETIMEDOUT);
        CHECK_EQ(whorl_now(), i * 2 * MS);
        CHECK_EQ(whorl_group_alive(&group), 1);
    }
    whorl_scope_enter(&scope, 0); /* expires at once */
    CHECK_ERR(whorl_scope_leave(&scope, whorl_group_wait(&group)), -ETIMEDOUT);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a@10");
}

static int wait_for_children(void *arg)
{
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};

    (void)arg;
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", WHORL_HOUR)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("b", 5 * MS, .shielded = true)));
    int err = whorl_group_wait(&group); /* no clean-up joins the tasks after this */
    CHECK_EQ(whorl_group_alive(&group), 0);
    test_log("joined@%lld", (long long)(whorl_now() / MS));
    return err;
}

TEST_VIRTUAL(a_cancelled_wait_joins_the_tasks_cancelled_with_it)
{
    struct whorl_group group = {0};

    CHECK_OK(whorl_spawn(&group, wait_for_children, NULL));
    CHECK_OK(whorl_sleep(MS));
    whorl_group_cancel(&group);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    CHECK_STR(test_logged(), "!a@1 b@5 joined@5");
}

static WHORL_SUSPENDS int cancel_and_wait(void *arg)
{
    struct whorl_group group = {0};

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", 5 * MS, .shielded = true)));
    CHECK_OK(whorl_sleep(MS));
    whorl_scope_cancel(arg);
    CHECK_OK(whorl_group_wait(&group));
    return 0;
}

TEST_VIRTUAL(a_wait_begun_when_cancelled_joins_too)
{
    struct whorl_scope scope;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    CHECK_OK(cancel_and_wait(&scope));
    CHECK_ERR(whorl_scope_leave(&scope, whorl_check_cancelled()), -ECANCELED);
    CHECK_STR(test_logged(), "a@5");
}

TEST_VIRTUAL(a_wait_finds_what_ended_before_it)
{
    struct whorl_group group = {0};
    struct whorl_scope scope;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a")));
    CHECK_OK(whorl_sleep(MS));
    whorl_scope_cancel(&scope);
    CHECK_OK(whorl_group_wait(&group)); /* completion wins */
    CHECK_ERR(whorl_scope_leave(&scope, whorl_check_cancelled()), -ECANCELED);
}

TEST_VIRTUAL(wait_below_keeps_so_many_at_a_time)
{
    WHORL_AUTO(group) group = {0};
    size_t most = 0;

    CHECK_ERR(whorl_group_wait_below(&group, 0), -EINVAL);
    CHECK_OK(whorl_group_wait_below(&group, 1)); /* the group has no task yet */
    for (int i = 0; i < 20; i++) {
        CHECK_OK(whorl_group_wait_below(&group, 3));
        CHECK_OK(whorl_spawn_copy(&group, work, JOB("x", (1 + i % 3) * MS)));
        if (whorl_group_alive(&group) > most)
            most = whorl_group_alive(&group);
    }
    CHECK_OK(whorl_group_wait_below(&group, 1));
    CHECK_EQ(whorl_group_alive(&group), 0);
    CHECK_EQ(most, 3);
    CHECK_EQ(whorl_now(), 14 * MS); /* 6 x 1 + 7 x 2 + 7 x 3 ms of work, three at a time */
}

TEST_VIRTUAL(wait_below_reports_a_failure_at_once)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", 2 * MS, -EIO)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("b", 9 * MS, .shielded = true)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("c", 9 * MS, .shielded = true)));
    CHECK_ERR(whorl_group_wait_below(&group, 1), -EIO);
    CHECK_EQ(whorl_now(), 2 * MS);
    CHECK_EQ(whorl_group_alive(&group), 2);
    CHECK_ERR(whorl_group_wait(&group), -EIO);
    CHECK_EQ(whorl_now(), 9 * MS);
}

TEST_VIRTUAL(wait_below_of_a_collecting_group_waits_in_spite_of_failures)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", 2 * MS, -EIO)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("b", 9 * MS)));
    CHECK_OK(whorl_group_wait_below(&group, 1));
    CHECK_EQ(whorl_now(), 9 * MS);
    CHECK_ERR(whorl_group_wait(&group), -EIO);
}

static int wait_below_two(void *arg)
{
    struct whorl_group group = {0};

    (void)arg;
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", WHORL_HOUR)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("b", WHORL_HOUR)));
    int err = whorl_group_wait_below(&group, 2);
    whorl_group_finish(&group);
    return err;
}

TEST_VIRTUAL(a_cancelled_wait_below_says_ecanceled)
{
    struct whorl_group group = {0};

    CHECK_OK(whorl_spawn(&group, wait_below_two, NULL));
    CHECK_OK(whorl_sleep(MS));
    whorl_group_cancel(&group);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    CHECK_STR(test_logged(), "!a@1 !b@1");
}

/* --- a wait that is cut short ----------------------------------------------------------------- */

static int cancel_in_5(void *arg)
{
    CHECK_OK(whorl_sleep(5));
    whorl_scope_cancel(arg);
    return 0;
}

static int end_in_5(void *arg)
{
    (void)arg;
    return whorl_sleep(5);
}

/* The last task ends after the wait was cancelled and before the owner has run, when no task
 * waits. */
TEST_VIRTUAL(the_end_of_a_task_does_not_wake_an_owner_whose_wait_was_cancelled)
{
    WHORL_AUTO(group) other = {0};
    WHORL_AUTO(group) group = {0};
    struct whorl_scope scope;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    CHECK_OK(whorl_spawn(&other, cancel_in_5, &scope));
    (void)whorl_scope_leave(&scope, 0);
    CHECK_OK(whorl_spawn(&group, end_in_5, NULL));
    whorl_scope_enter(&scope, WHORL_FOREVER);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ECANCELED);
    CHECK_EQ(whorl_group_alive(&group), 0);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(whorl_group_wait(&other));
}

/* --- several tasks wait ----------------------------------------------------------------------- */

static int log_wait(void *arg)
{
    int err = whorl_group_wait(arg);

    test_log("%d@%lld", err, (long long)(whorl_now() / MS));
    return 0;
}

TEST_VIRTUAL(several_tasks_wait_for_one_group_and_get_its_result)
{
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT}, waiters = {0};

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", MS, -EIO)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("b", 2 * MS)));
    CHECK_OK(whorl_spawn(&waiters, log_wait, &group));
    CHECK_OK(whorl_spawn(&waiters, log_wait, &group));
    CHECK_ERR(whorl_group_wait(&group), -EIO);
    CHECK_OK(whorl_group_wait(&waiters));
    CHECK_STR(test_logged(), "a@1 b@2 -5@2 -5@2");
}

TEST_VIRTUAL(a_group_that_another_task_waits_for_stays_open_for_its_owner)
{
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", MS, -EIO)));
    in_another_task(log_wait, &group);
    in_another_task(log_wait, &group); /* now without tasks */
    CHECK(group.opened);
    CHECK_ERR(whorl_group_wait(&group), -EIO);
    in_another_task(log_wait, &group); /* closed */
    CHECK_STR(test_logged(), "a@1 -5@1 -5@1 0@1");
}

static int wait_with_a_deadline(void *arg)
{
    struct whorl_scope scope;

    whorl_scope_enter(&scope, whorl_after(2 * MS));
    CHECK_ERR(whorl_scope_leave(&scope, whorl_group_wait(arg)), -ETIMEDOUT);
    return 0;
}

TEST_VIRTUAL(another_tasks_wait_that_times_out_leaves_the_group_alone)
{
    struct whorl_group group = {0};

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", 5 * MS)));
    in_another_task(wait_with_a_deadline, &group);
    CHECK_EQ(whorl_now(), 2 * MS);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(whorl_now(), 5 * MS);
}

static int wait_below_1(void *arg)
{
    return whorl_group_wait_below(arg, 1);
}

static int stop_within_5(void *arg)
{
    return whorl_group_stop(arg, 5 * MS);
}

static int select_group(void *arg)
{
    struct whorl_case cases[] = {whorl_case_group(arg), whorl_case_group(arg)};
    int taken = whorl_select(cases, 2);

    return taken < 0 ? taken : cases[taken].result;
}

static const whorl_task_fn ways_to_wait[] = {wait_for, wait_below_1, stop_within_5, select_group};

static int begun;

struct wait {
    whorl_task_fn way;
    struct whorl_group *group;
};

static int begin_to_wait(void *arg)
{
    struct wait *wait = arg;

    begun++;
    return wait->way(wait->group);
}

/* The owner frees the group as soon as it has joined it, while the other tasks have been woken and
 * may not have run yet. */
static WHORL_SUSPENDS int join_and_free(void *arg)
{
    int result = *(int *)arg;
    struct whorl_group waiters = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_group *group = calloc(1, sizeof *group);

    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_spawn_copy(group, work, JOB("a", (1 + i) * MS / 2, result)));
    for (int i = begun = 0; i < 8; i++)
        CHECK_OK(
            whorl_spawn_copy(&waiters, begin_to_wait, &(struct wait){ways_to_wait[i % 4], group}));
    while (begun < 8)
        CHECK_OK(whorl_yield());
    int err = whorl_group_wait(group);
    free(group);
    CHECK_ERR(err, result);
    CHECK_ERR(whorl_group_wait(&waiters), result);
    CHECK_EQ(waiters.failed, result ? 8 : 0);
    return 0;
}

TEST_SEEDS(tasks_that_wait_for_a_foreign_group_do_not_look_at_it_once_it_is_joined)
{
    CHECK_OK(join_and_free(&(int){-EIO}));
    CHECK_OK(join_and_free(&(int){0}));
}

static int wait_for_own_group(void *arg)
{
    for (int i = 0; i < 3; i++)
        CHECK_ERR(ways_to_wait[i](arg), -EDEADLK);
    return 0;
}

static int wait_for_outer_group(void *arg)
{
    struct whorl_scope scope;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    in_another_task(wait_for_own_group, arg);
    return whorl_scope_leave(&scope, 0);
}

TEST_VIRTUAL(waiting_for_a_group_from_inside_is_edeadlk)
{
    struct whorl_group group = {0};

    CHECK_OK(whorl_spawn(&group, wait_for_own_group, &group));
    CHECK_OK(whorl_spawn(&group, wait_for_outer_group, &group));
    CHECK_OK(whorl_group_wait(&group));
}

static int most_alive;

static int spawn_three_below_4(void *arg)
{
    for (int i = 0; i < 3; i++) {
        int err = whorl_group_wait_below(arg, 4);
        if (err == 0)
            err = whorl_spawn_copy(arg, work, JOB("x", MS));
        if (err)
            return err;
        if ((int)whorl_group_alive(arg) > most_alive)
            most_alive = (int)whorl_group_alive(arg);
    }
    return 0;
}

TEST_SEEDS(tasks_limit_the_group_that_they_are_in)
{
    struct whorl_group group = {0};

    most_alive = 0;
    CHECK_OK(whorl_spawn(&group, spawn_three_below_4, &group));
    CHECK_OK(whorl_spawn(&group, spawn_three_below_4, &group));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(most_alive, 4);
    CHECK_EQ(group.succeeded, 8);
}

static int wait_below_2(void *arg)
{
    return whorl_group_wait_below(arg, 2);
}

/* Each waits for the end of the other one. */
TEST_VIRTUAL(a_cancel_reaches_tasks_that_limit_the_group_that_they_are_in)
{
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_scope scope;

    whorl_scope_enter_timeout(&scope, 5 * MS);
    for (int i = 0; i < 2; i++)
        CHECK_OK(whorl_spawn(&group, wait_below_2, &group));
    CHECK_ERR(whorl_scope_leave(&scope, whorl_group_wait(&group)), -ETIMEDOUT);
    CHECK_EQ(group.failed, 2);
}

static int wait_for_group(void *arg)
{
    return whorl_group_wait(arg);
}

/* The group's tasks end late, perhaps because they wait for the end of the waiter. */
TEST_VIRTUAL(a_cancel_reaches_a_task_that_waits_for_a_cancelled_group)
{
    WHORL_AUTO(group) elsewhere = {0};
    struct whorl_group slow = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_spawn_copy(&slow, work, JOB("a", 9 * MS, .shielded = true)));
    CHECK_OK(whorl_spawn(&elsewhere, wait_for_group, &slow));
    CHECK_OK(whorl_yield());
    whorl_group_cancel(&slow);
    whorl_group_cancel(&elsewhere);
    CHECK_ERR(whorl_group_wait(&elsewhere), -ECANCELED);
    CHECK_EQ(whorl_now(), 0);
    CHECK_OK(whorl_group_wait(&slow));
}

/* --- select ----------------------------------------------------------------------------------- */

TEST_VIRTUAL(a_failure_ends_a_select_on_a_group_that_fails_fast)
{
    struct whorl_group group = {0};
    struct whorl_event never = {0};
    struct whorl_case cases[] = {whorl_case_event(&never), whorl_case_group(&group)};

    CHECK_EQ(whorl_try_select(cases, 2), 1); /* no task yet */
    CHECK_OK(cases[1].result);
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", 2 * MS, -EIO)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("b", 9 * MS, .shielded = true)));
    CHECK_ERR(whorl_try_select(cases, 2), -EAGAIN);
    for (int i = 0; i < 2; i++) { /* the case stays ready */
        cases[1].result = 1;
        CHECK_EQ(whorl_select(cases, 2), 1);
        CHECK_ERR(cases[1].result, -EIO);
        CHECK_EQ(whorl_now(), 2 * MS);
    }
    CHECK_ERR(whorl_group_wait(&group), -EIO);
    CHECK_EQ(whorl_now(), 9 * MS);
}

TEST_VIRTUAL(a_success_ends_a_select_on_a_race)
{
    struct whorl_group group = {.policy = WHORL_GROUP_RACE};
    struct whorl_case c = whorl_case_group(&group);

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", MS, -EIO)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("b", 2 * MS)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("c", 9 * MS, .shielded = true)));
    CHECK_EQ(whorl_select(&c, 1), 0);
    CHECK_OK(c.result);
    CHECK_EQ(whorl_now(), 2 * MS);
    CHECK_OK(whorl_group_wait(&group));
}

TEST_VIRTUAL(a_select_on_a_collecting_group_waits_for_the_last_task)
{
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_case c = whorl_case_group(&group);

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", MS, -EIO)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("b", 9 * MS)));
    CHECK_EQ(whorl_select(&c, 1), 0);
    CHECK_ERR(c.result, -EIO);
    CHECK_EQ(whorl_now(), 9 * MS);
    CHECK_ERR(whorl_group_wait(&group), -EIO);
}

TEST_VIRTUAL(a_select_that_takes_another_case_leaves_the_group)
{
    struct whorl_group group = {0};
    struct whorl_case cases[] = {whorl_case_group(&group), whorl_case_deadline(MS)};

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", 5 * MS)));
    CHECK_EQ(whorl_select(cases, 2), 1);
    CHECK(!group.waiters.first);
    CHECK_OK(whorl_group_wait(&group));
}

/* --- a failure wakes the owner ---------------------------------------------------------------- */

static WHORL_SUSPENDS int wait_in_scope(struct whorl_group *group, struct whorl_scope *scope,
                                        int64_t sleep_ns)
{
    whorl_scope_enter(scope, WHORL_FOREVER);
    CHECK_OK(whorl_spawn_copy(group, work, JOB("a", 2 * MS, -EIO)));
    CHECK_OK(whorl_spawn_copy(group, work, JOB("b", 3 * MS, .shielded = true)));
    return whorl_scope_leave(scope, whorl_sleep(sleep_ns));
}

TEST_VIRTUAL(a_failure_cancels_the_scope_that_the_owner_named)
{
    struct whorl_scope scope;
    struct whorl_group group = {.owner_scope = &scope};

    CHECK_ERR(wait_in_scope(&group, &scope, WHORL_HOUR), -ECANCELED);
    CHECK_EQ(whorl_now(), 2 * MS);
    CHECK(!whorl_scope_has_timed_out(&scope));
    CHECK_OK(whorl_check_cancelled()); /* only that scope */
    CHECK_ERR(whorl_group_wait(&group), -EIO);
    CHECK_EQ(whorl_now(), 3 * MS);
}

TEST_VIRTUAL(a_failure_cancels_no_scope_that_the_owner_has_left)
{
    struct whorl_scope scope, reused;
    struct whorl_group group = {.owner_scope = &scope};

    CHECK_OK(wait_in_scope(&group, &scope, MS));
    memset(&scope, 0xee, sizeof scope);
    whorl_scope_enter(&reused, WHORL_FOREVER);
    CHECK_ERR(whorl_group_wait(&group), -EIO);
    CHECK_OK(whorl_scope_leave(&reused, whorl_check_cancelled()));
}

TEST_VIRTUAL(a_failure_reaches_the_owner_in_scopes_inside_and_not_in_a_shield)
{
    struct whorl_scope scope, inner, shield;
    struct whorl_group group = {.owner_scope = &scope};

    whorl_scope_enter(&scope, WHORL_FOREVER);
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", 2 * MS, -EIO)));
    whorl_scope_enter_shield(&shield, WHORL_FOREVER);
    CHECK_OK(whorl_sleep(5 * MS));
    CHECK_OK(whorl_scope_leave(&shield, 0));
    whorl_scope_enter(&inner, WHORL_FOREVER);
    CHECK_ERR(whorl_sleep(MS), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&inner, -ECANCELED), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ECANCELED);
    CHECK_ERR(whorl_group_wait(&group), -EIO);
}

TEST_VIRTUAL(a_failure_that_cancels_its_owners_wait_is_what_the_wait_returns)
{
    struct whorl_scope scope;
    struct whorl_group group = {.owner_scope = &scope};

    for (int i = 0; i < 2; i++) {
        whorl_scope_enter(&scope, WHORL_FOREVER);
        CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", 2 * MS, -EIO)));
        CHECK_OK(whorl_spawn_copy(&group, work, JOB("b", 3 * MS, .shielded = true)));
        int err = i == 0 ? whorl_group_wait_below(&group, 1) : whorl_group_wait(&group);
        CHECK_ERR(whorl_scope_leave(&scope, err), -EIO);
        CHECK_ERR(whorl_group_wait(&group), i == 0 ? -EIO : 0);
    }
}

TEST_VIRTUAL(a_cancel_and_collected_failures_do_not_reach_the_owner)
{
    struct whorl_scope scope;
    struct whorl_group cancelled = {.owner_scope = &scope};
    struct whorl_group collects = {.policy = WHORL_GROUP_COLLECT, .owner_scope = &scope};

    whorl_scope_enter(&scope, WHORL_FOREVER);
    CHECK_OK(whorl_spawn_copy(&cancelled, work, JOB("a", WHORL_HOUR)));
    CHECK_OK(whorl_spawn_copy(&collects, work, JOB("b", MS, -EIO)));
    whorl_group_cancel(&cancelled);
    CHECK_OK(whorl_sleep(5 * MS));
    CHECK_ERR(whorl_group_wait(&cancelled), -ECANCELED);
    CHECK_ERR(whorl_group_wait(&collects), -EIO);
    CHECK_OK(whorl_scope_leave(&scope, whorl_check_cancelled()));
}

TEST_VIRTUAL(a_won_race_cancels_the_scope_of_its_owner)
{
    struct whorl_scope scope;
    struct whorl_group race = {.policy = WHORL_GROUP_RACE, .owner_scope = &scope};

    whorl_scope_enter(&scope, WHORL_FOREVER);
    CHECK_OK(whorl_spawn_copy(&race, work, JOB("a", MS, -EIO)));
    CHECK_OK(whorl_spawn_copy(&race, work, JOB("b", 2 * MS)));
    CHECK_ERR(whorl_scope_leave(&scope, whorl_sleep(WHORL_HOUR)), -ECANCELED);
    CHECK_EQ(whorl_now(), 2 * MS);
    CHECK_OK(whorl_group_wait(&race));
}

/* --- waiting for daemons ---------------------------------------------------------------------- */

static int wait_for_daemons(void *arg)
{
    struct whorl_group *daemons = whorl_root_group();

    (void)arg;
    CHECK_OK(whorl_group_wait(daemons));
    CHECK_OK(whorl_spawn_copy(daemons, work, JOB("a", 2 * MS)));
    CHECK_OK(whorl_spawn_copy(daemons, work, JOB("b", MS, -EIO)));
    in_another_task(log_wait, daemons);
    CHECK_OK(whorl_group_wait(daemons)); /* the failure was reported */
    CHECK_OK(whorl_spawn(daemons, daemon_until_cancelled, NULL));
    CHECK_OK(whorl_sleep(MS));
    return 0;
}

TEST(daemons_are_waited_for_and_more_are_started_afterwards)
{
    CHECK_OK(whorl_run_virtual(NULL, wait_for_daemons, NULL));
    CHECK_STR(test_logged(), "b@1 a@2 -5@2 daemon asked daemon ended@8");
}

static int end_daemons_each_way(void *arg)
{
    struct whorl_group *daemons = whorl_root_group();

    (void)arg;
    for (int i = 0; i < 3; i++) {
        CHECK_OK(whorl_spawn_copy(daemons, work, JOB("a", WHORL_HOUR)));
        if (i == 0) {
            whorl_group_cancel(daemons);
            CHECK_ERR(whorl_spawn_copy(daemons, work, JOB("b")), -ECANCELED);
            CHECK_ERR(whorl_group_wait(daemons), -ECANCELED);
        } else if (i == 1) {
            CHECK_ERR(whorl_group_stop(daemons, MS), -ETIMEDOUT);
        } else {
            whorl_group_finish(daemons);
        }
        CHECK_EQ(whorl_group_alive(daemons), 0);
        CHECK_OK(whorl_spawn(daemons, log_stop, NULL));
        CHECK_OK(whorl_group_wait(daemons));
    }
    return 0;
}

TEST(daemons_are_cancelled_stopped_and_finished_and_the_group_goes_on)
{
    CHECK_OK(whorl_run_virtual(NULL, end_daemons_each_way, NULL));
    CHECK_STR(test_logged(), "!a@0 0 !a@1 0 !a@1 0");
}

static int start_daemon_that_waits_for_daemons(void *arg)
{
    (void)arg;
    CHECK_OK(whorl_spawn(whorl_root_group(), wait_for_own_group, whorl_root_group()));
    return whorl_sleep(1);
}

TEST(a_daemon_that_waits_for_the_daemons_is_edeadlk)
{
    CHECK_OK(whorl_run_virtual(NULL, start_daemon_that_waits_for_daemons, NULL));
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT */
/* Graceful stop: a request, a grace period, then cancellation. */
#include <whorl/group.h>
#include <whorl/poller.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/select.h>
#include <whorl/stop.h>
#include <whorl/task.h>

#include "test.h"

/* A task that works until asked to stop, then takes `tidy` to finish. */
struct worker {
    const char *name;
    int64_t tidy;
    int result;
};

static int work(void *arg)
{
    struct worker *w = arg;
    int err = whorl_stop_wait_requested();

    if (err == 0)
        err = whorl_sleep(w->tidy);
    test_log("%s%d@%d", w->name, err, (int)whorl_now());
    return err ? err : w->result;
}

TEST_VIRTUAL(stop_asks_and_joins_tasks_that_finish)
{
    WHORL_AUTO(group) group = {0};
    struct worker a = {"a", 5, 0}, b = {"b", 9, 0};

    CHECK_OK(whorl_spawn(&group, work, &a));
    CHECK_OK(whorl_spawn(&group, work, &b));
    CHECK_OK(whorl_sleep(100));
    CHECK(!whorl_stop_requested());
    CHECK_OK(whorl_group_stop(&group, 50));
    CHECK_STR(test_logged(), "a0@105 b0@109");
    CHECK_EQ(whorl_now(), 109); /* the stop ends when the last task ends */
    CHECK(!whorl_stop_requested());
}

TEST_VIRTUAL(stop_cancels_tasks_that_take_too_long)
{
    WHORL_AUTO(group) group = {0};
    struct worker a = {"a", 5, 0}, b = {"b", 900, 0};

    CHECK_OK(whorl_spawn(&group, work, &a));
    CHECK_OK(whorl_spawn(&group, work, &b));
    CHECK_OK(whorl_yield());
    CHECK_ERR(whorl_group_stop(&group, 50), -ETIMEDOUT);
    CHECK_STR(test_logged(), "a0@5 b-125@50");
    CHECK_EQ(whorl_group_alive(&group), 0);
}

TEST_VIRTUAL(stop_returns_the_failure_of_a_task)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct worker a = {"a", 5, -EIO}, b = {"b", 900, 0};

    CHECK_OK(whorl_spawn(&group, work, &a));
    CHECK_OK(whorl_spawn(&group, work, &b));
    CHECK_OK(whorl_yield());
    CHECK_ERR(whorl_group_stop(&group, 50), -EIO);
}

TEST_VIRTUAL(stop_without_grace_cancels_at_once)
{
    WHORL_AUTO(group) group = {0};
    struct worker a = {"a", 5, 0};

    CHECK_OK(whorl_spawn(&group, work, &a));
    CHECK_OK(whorl_yield());
    CHECK_ERR(whorl_group_stop(&group, 0), -ETIMEDOUT);
    CHECK_EQ(whorl_now(), 0);
    CHECK_STR(test_logged(), "a-125@0");
}

TEST_VIRTUAL(stop_of_a_group_without_tasks_is_done)
{
    WHORL_AUTO(group) group = {0};
    struct worker a = {"a", 5, 0};

    CHECK_OK(whorl_group_stop(&group, WHORL_SECOND));
    CHECK_OK(whorl_spawn(&group, work, &a)); /* the group can be used */
    CHECK_OK(whorl_group_stop(&group, WHORL_SECOND));
    CHECK_EQ(whorl_now(), 5);
    CHECK_OK(whorl_spawn(&group, work, &a)); /* again, with a new request */
    CHECK_OK(whorl_sleep(10));
    CHECK_EQ(whorl_group_alive(&group), 1);
    CHECK_OK(whorl_group_stop(&group, WHORL_SECOND));
}

TEST(stop_outside_a_task_is_refused)
{
    struct whorl_group group = {0};

    CHECK_ERR(whorl_group_stop(&group, 0), WHORL_ENOTASK);
    CHECK_ERR(whorl_stop_wait_requested(), WHORL_ENOTASK);
    CHECK(!whorl_stop_requested());
}

/* --- nesting ---------------------------------------------------------------------------------- */

static int nest(void *arg)
{
    WHORL_AUTO(group) group = {0};
    int err = whorl_spawn(&group, work, arg);
    err = err ? err : whorl_group_wait(&group);
    test_log("nest%d", err);
    return err;
}

TEST_VIRTUAL(stop_reaches_groups_inside)
{
    WHORL_AUTO(group) group = {0};
    struct worker a = {"a", 5, 0};

    CHECK_OK(whorl_spawn(&group, nest, &a));
    CHECK_OK(whorl_sleep(1));
    CHECK_OK(whorl_group_stop(&group, 100));
    CHECK_STR(test_logged(), "a0@6 nest0");
}

static int nest_when_asked(void *arg)
{
    struct whorl_scope shield;

    CHECK_OK(whorl_stop_wait_requested());
    whorl_scope_enter_shield(&shield, WHORL_FOREVER);
    CHECK(whorl_stop_requested());
    int err = nest(arg);
    return whorl_scope_leave(&shield, err);
}

TEST_VIRTUAL(stop_is_inherited_by_groups_opened_later)
{
    WHORL_AUTO(group) group = {0};
    struct worker a = {"a", 5, 0};

    CHECK_OK(whorl_spawn(&group, nest_when_asked, &a));
    CHECK_OK(whorl_sleep(1));
    CHECK_OK(whorl_group_stop(&group, 100));
    CHECK_STR(test_logged(), "a0@6 nest0");
}

TEST_VIRTUAL(stop_asked_before_the_first_task_is_heard_by_it)
{
    WHORL_AUTO(group) group = {0};
    struct worker a = {"a", 5, 0};

    whorl_group_request_stop(&group);
    CHECK_OK(whorl_spawn(&group, work, &a));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a0@5");
}

TEST_VIRTUAL(stop_of_one_group_leaves_its_siblings_alone)
{
    WHORL_AUTO(group) one = {0};
    WHORL_AUTO(group) two = {0};
    struct worker a = {"a", 5, 0}, b = {"b", 5, 0};

    CHECK_OK(whorl_spawn(&one, work, &a));
    CHECK_OK(whorl_spawn(&two, work, &b));
    CHECK_OK(whorl_sleep(1));
    CHECK_OK(whorl_group_stop(&one, 100));
    CHECK_OK(whorl_sleep(100));
    CHECK_EQ(whorl_group_alive(&two), 1);
    CHECK_STR(test_logged(), "a0@6");
}

/* --- waiting to be asked ---------------------------------------------------------------------- */

static int select_stop(void *arg)
{
    int n = 0;

    (void)arg;
    for (;;) {
        struct whorl_case cases[] = {whorl_case_stop(), whorl_case_deadline(whorl_after(10))};
        int k = whorl_select(cases, 2);
        if (k != 1) {
            test_log("%d after %d", k < 0 ? k : cases[k].result, n);
            return k < 0 ? k : 0;
        }
        n++;
    }
}

TEST_VIRTUAL(stop_can_be_selected)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_case c = whorl_case_stop();

    CHECK_OK(whorl_spawn(&group, select_stop, NULL));
    CHECK_OK(whorl_sleep(35));
    CHECK_ERR(whorl_try_select(&c, 1), -EAGAIN);
    CHECK_OK(whorl_group_stop(&group, 100));
    CHECK_STR(test_logged(), "0 after 3");
    CHECK_EQ(whorl_now(), 35);
}

static int select_after_being_asked(void *arg)
{
    struct whorl_case cases[] = {{0}, whorl_case_stop()};

    (void)arg;
    while (!whorl_stop_requested())
        CHECK_OK(whorl_sleep(1));
    CHECK_EQ(whorl_select(cases, 2), 1);
    return cases[1].result;
}

TEST_VIRTUAL(stop_asked_before_the_select_is_taken_at_once)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, select_after_being_asked, NULL));
    CHECK_OK(whorl_sleep(5));
    CHECK_OK(whorl_group_stop(&group, 100));
    CHECK(whorl_now() < 10);
}

static int sleep_until_stop(void *arg)
{
    struct whorl_scope scope;

    whorl_scope_enter_until_stop(&scope, arg ? *(int64_t *)arg : WHORL_FOREVER);
    int err = whorl_scope_leave(&scope, whorl_sleep(500));
    test_log("%d@%d:%d", err, (int)whorl_now(), whorl_stop_requested());
    err = whorl_check_cancelled(); /* the task itself is not cancelled */
    return err ? err : whorl_sleep(1);
}

TEST_VIRTUAL(stop_ends_a_scope_that_lasts_until_then)
{
    WHORL_AUTO(group) group = {0};
    int64_t deadline_ns = 40;

    CHECK_OK(whorl_spawn(&group, sleep_until_stop, NULL));
    CHECK_OK(whorl_spawn(&group, sleep_until_stop, &deadline_ns));
    CHECK_OK(whorl_sleep(100));
    CHECK_OK(whorl_group_stop(&group, 50));
    CHECK_STR(test_logged(), "-110@40:0 -125@100:1");
}

static int sleep_in_a_scope_used_before(void *arg)
{
    struct whorl_scope scope;

    (void)arg;
    whorl_scope_enter_until_stop(&scope, WHORL_FOREVER);
    int err = whorl_scope_leave(&scope, 0);
    whorl_scope_enter(&scope, WHORL_FOREVER);
    return whorl_scope_leave(&scope, err ? err : whorl_sleep(120));
}

TEST_VIRTUAL(stop_does_not_end_a_scope_whose_memory_lasted_until_then_before)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, sleep_in_a_scope_used_before, NULL));
    CHECK_OK(whorl_sleep(100));
    CHECK_OK(whorl_group_stop(&group, 50));
    CHECK_EQ(whorl_now(), 120);
}

TEST_VIRTUAL(stop_asked_before_ends_a_scope_that_lasts_until_then_at_once)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, sleep_until_stop, NULL));
    CHECK_OK(whorl_group_stop(&group, 50));
    CHECK_STR(test_logged(), "-125@0:1");
}

TEST_VIRTUAL(stop_wait_that_is_cancelled_leaves_no_trace)
{
    struct whorl_scope scope;

    whorl_scope_enter(&scope, whorl_after(10)); /* the root task is never asked */
    CHECK_ERR(whorl_scope_leave(&scope, whorl_stop_wait_requested()), -ETIMEDOUT);
    struct whorl_case cases[] = {whorl_case_stop(), whorl_case_deadline(whorl_after(10))};
    CHECK_EQ(whorl_select(cases, 2), 1);
}

/* --- cancelled while it stops ----------------------------------------------------------------- */

static int stop_in_group(void *arg)
{
    WHORL_AUTO(group) group = {0};
    struct worker a = {"a", 900, 0};

    CHECK_OK(whorl_spawn(&group, work, &a));
    CHECK_OK(whorl_yield());
    *(int *)arg = whorl_group_stop(&group, WHORL_SECOND);
    CHECK(!group.opened); /* joined in spite of the cancellation */
    return 0;
}

TEST_VIRTUAL(stop_that_is_cancelled_ends_the_grace_and_joins)
{
    WHORL_AUTO(group) group = {0};
    int err = 1;

    CHECK_OK(whorl_spawn(&group, stop_in_group, &err));
    CHECK_OK(whorl_sleep(50));
    whorl_group_cancel(&group);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(whorl_now(), 50);
    CHECK_ERR(err, -ECANCELED);
    CHECK_STR(test_logged(), "a-125@50");
}

/* The group is outside the scope whose deadline passes, so its tasks are not cancelled with that
 * scope. */
TEST_VIRTUAL(stop_under_a_deadline_ends_the_grace_and_joins)
{
    WHORL_AUTO(group) group = {0};
    struct worker a = {"a", 900, 0};
    struct whorl_scope scope;

    CHECK_OK(whorl_spawn(&group, work, &a));
    CHECK_OK(whorl_yield());
    whorl_scope_enter(&scope, whorl_after(50));
    int err = whorl_group_stop(&group, WHORL_SECOND);
    CHECK_ERR(err, -ECANCELED);
    CHECK_EQ(whorl_group_alive(&group), 0);
    CHECK(!group.opened);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    CHECK_STR(test_logged(), "a-125@50");
}

/* Ends some time after it was cancelled. */
static int end_late(void *arg)
{
    struct whorl_scope shield;

    (void)arg;
    int err = whorl_sleep(WHORL_HOUR);
    whorl_scope_enter_shield(&shield, WHORL_FOREVER);
    CHECK_OK(whorl_sleep(20));
    test_log("late%d@%d", err, (int)whorl_now());
    return whorl_scope_leave(&shield, err);
}

static int cancel_at_50(void *arg)
{
    CHECK_OK(whorl_sleep(50));
    whorl_scope_cancel(arg);
    return 0;
}

TEST_VIRTUAL(stop_cancelled_from_an_inner_scope_joins_tasks_that_end_late)
{
    WHORL_AUTO(group) other = {0};
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct worker a = {"a", 900, 0};
    struct whorl_scope scope;

    CHECK_OK(whorl_spawn(&group, work, &a));
    CHECK_OK(whorl_spawn(&group, end_late, NULL));
    whorl_scope_enter(&scope, WHORL_FOREVER);
    CHECK_OK(whorl_spawn(&other, cancel_at_50, &scope));
    CHECK_ERR(whorl_group_stop(&group, WHORL_SECOND), -ECANCELED);
    CHECK(!group.opened);
    CHECK_EQ(whorl_now(), 70);
    CHECK_STR(test_logged(), "a-125@50 late-125@70");
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ECANCELED);
    CHECK_OK(whorl_group_wait(&other));
}

TEST_VIRTUAL(stop_in_a_scope_that_is_cancelled_already_joins_too)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct worker a = {"a", 900, 0};
    struct whorl_scope scope;

    CHECK_OK(whorl_spawn(&group, work, &a));
    CHECK_OK(whorl_spawn(&group, end_late, NULL));
    CHECK_OK(whorl_sleep(1));
    whorl_scope_enter(&scope, WHORL_FOREVER);
    whorl_scope_cancel(&scope);
    CHECK_ERR(whorl_group_stop(&group, WHORL_SECOND), -ECANCELED);
    CHECK(!group.opened);
    CHECK_STR(test_logged(), "a-125@1 late-125@21");
    (void)whorl_scope_leave(&scope, 0);
}

/* --- from another task ------------------------------------------------------------------------ */

struct stop {
    struct whorl_group *group;
    int64_t after_ns, grace_ns;
};

static int stop_later(void *arg)
{
    const struct stop *stop = arg;

    CHECK_OK(whorl_sleep(stop->after_ns));
    int err = whorl_group_stop(stop->group, stop->grace_ns);
    test_log("stop%d@%d", err, (int)whorl_now());
    return 0;
}

TEST_VIRTUAL(stop_from_another_task_while_the_owner_waits)
{
    WHORL_AUTO(group) group = {0};
    WHORL_AUTO(group) other = {0};
    struct worker a = {"a", 5, 0}, b = {"b", 9, 0};

    CHECK_OK(whorl_spawn(&group, work, &a));
    CHECK_OK(whorl_spawn(&group, work, &b));
    CHECK_OK(whorl_spawn_copy(&other, stop_later, &(struct stop){&group, 100, 50}));
    CHECK_OK(whorl_group_wait(&group));
    CHECK(!group.opened);
    CHECK_OK(whorl_group_wait(&other));
    CHECK_STR(test_logged(), "a0@105 b0@109 stop0@109");
}

TEST_VIRTUAL(stop_from_another_task_cancels_those_who_take_too_long)
{
    WHORL_AUTO(group) group = {0};
    WHORL_AUTO(group) other = {0};
    struct worker a = {"a", 900, 0};

    CHECK_OK(whorl_spawn(&group, work, &a));
    CHECK_OK(whorl_spawn_copy(&other, stop_later, &(struct stop){&group, 100, 50}));
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    CHECK_OK(whorl_group_wait(&other));
    CHECK_STR(test_logged(), "a-125@150 stop-110@150");
}

TEST_VIRTUAL(stop_from_two_tasks_ends_with_the_shorter_grace)
{
    WHORL_AUTO(group) group = {0};
    WHORL_AUTO(group) other = {0};
    struct worker a = {"a", 900, 0};

    CHECK_OK(whorl_spawn(&group, work, &a));
    CHECK_OK(whorl_spawn_copy(&other, stop_later, &(struct stop){&group, 100, 500}));
    CHECK_OK(whorl_spawn_copy(&other, stop_later, &(struct stop){&group, 120, 30}));
    CHECK_OK(whorl_group_wait(&other));
    CHECK(group.opened);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    CHECK_STR(test_logged(), "a-125@150 stop-125@150 stop-110@150");
}

TEST_VIRTUAL(stop_of_a_foreign_group_without_tasks_is_done)
{
    WHORL_AUTO(group) group = {0};
    WHORL_AUTO(group) other = {0};
    struct worker a = {"a", 5, 0};

    whorl_group_request_stop(&group);
    CHECK_OK(whorl_spawn(&group, work, &a));
    CHECK_OK(whorl_sleep(10));
    CHECK_OK(whorl_spawn_copy(&other, stop_later, &(struct stop){&group, 0, 50}));
    CHECK_OK(whorl_group_wait(&other)); /* open, but all tasks have ended */
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(whorl_spawn_copy(&other, stop_later, &(struct stop){&group, 0, 50}));
    CHECK_OK(whorl_group_wait(&other)); /* closed */
    CHECK_STR(test_logged(), "a0@5 stop0@10 stop0@10");
}

TEST_VIRTUAL(stop_from_a_task_that_is_cancelled_ends_the_grace)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    WHORL_AUTO(group) other = {0};
    struct worker a = {"a", 900, 0};

    CHECK_OK(whorl_spawn(&group, work, &a));
    CHECK_OK(whorl_spawn(&group, end_late, NULL));
    CHECK_OK(whorl_spawn_copy(&other, stop_later, &(struct stop){&group, 0, 500}));
    CHECK_OK(whorl_sleep(30));
    whorl_group_cancel(&other);
    CHECK_OK(whorl_group_wait(&other));
    CHECK_STR(test_logged(), "a-125@30 late-125@50 stop-125@50");
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
}

TEST_VIRTUAL(stop_from_inside_the_group_is_edeadlk)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn_copy(&group, stop_later, &(struct stop){&group, 1, 50}));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "stop-35@1");
}

/* Spawns unless the owner has already run. */
static int spawn_late(void *arg)
{
    static struct worker late = {"late", 900, 0};
    struct whorl_group *group = arg;

    CHECK_OK(whorl_stop_wait_requested());
    CHECK_OK(whorl_sleep(5));
    return group->opened ? whorl_spawn(group, work, &late) : 0;
}

/* The last task ends at 5 ns and wakes the owner. Before that runs, in some orders, another task
 * spawns into the group. */
TEST_SEEDS(stop_ends_the_grace_of_a_task_that_was_spawned_at_the_last_moment)
{
    WHORL_AUTO(group) group = {0};
    WHORL_AUTO(group) other = {0};
    struct worker a = {"a", 5, 0};

    CHECK_OK(whorl_spawn(&other, spawn_late, &group));
    CHECK_OK(whorl_spawn(&group, work, &a));
    CHECK_OK(whorl_yield());
    whorl_group_request_stop(&other);
    bool late = whorl_group_stop(&group, 50) == -ETIMEDOUT;
    CHECK(!group.opened);
    CHECK_EQ(whorl_now(), late ? 50 : 5);
    CHECK(late == !!strstr(test_logged(), "late-125@50"));
    CHECK_OK(whorl_group_wait(&other));
}

/* A clock that advances while a task computes, like a real clock. */
static int64_t running_now;

static int64_t running_clock(struct whorl_poller *poller)
{
    (void)poller;
    return running_now;
}

static int running_wait(struct whorl_poller *poller, int64_t deadline_ns)
{
    (void)poller;
    if (deadline_ns != WHORL_FOREVER && deadline_ns > running_now)
        running_now = deadline_ns;
    return 0;
}

static size_t nothing_pending(struct whorl_poller *poller)
{
    (void)poller;
    return 0;
}

static bool computed;

static int compute_when_asked(void *arg)
{
    (void)arg;
    CHECK_OK(whorl_stop_wait_requested());
    running_now += 100;
    computed = true;
    return 0;
}

/* Yields, so that the loop has a turn; the last of these tasks then spawns into the group. */
static int yield_and_spawn(void *arg)
{
    static struct worker late = {"late", WHORL_HOUR, 0};
    struct whorl_group *group = arg;

    while (!computed)
        CHECK_OK(whorl_yield());
    if (!group)
        return 0;
    CHECK(group->opened);
    return whorl_spawn(group, work, &late);
}

static int stop_past_the_grace(void *arg)
{
    WHORL_AUTO(group) group = {0};
    WHORL_AUTO(group) other = {0};

    (void)arg;
    CHECK_OK(whorl_spawn(&group, compute_when_asked, NULL));
    CHECK_OK(whorl_sleep(1));
    for (int i = 1; i <= 100; i++)
        CHECK_OK(whorl_spawn(&other, yield_and_spawn, i == 100 ? &group : NULL));
    CHECK_ERR(whorl_group_stop(&group, 50), -ETIMEDOUT);
    CHECK_EQ(whorl_now(), 101);
    CHECK_STR(test_logged(), "late-125@101");
    return whorl_group_wait(&other);
}

/* The grace period ends after the last task has woken the owner and before the owner runs. A task
 * that is spawned then is cancelled too. */
TEST(stop_ends_a_grace_that_is_over_when_a_task_is_spawned)
{
    static const struct whorl_poller_ops ops = {
        .name = "running", .now = running_clock, .wait = running_wait, .pending = nothing_pending};
    struct whorl_poller poller = {.ops = &ops};

    CHECK_OK(whorl_run_on(&poller, NULL, stop_past_the_grace, NULL));
}

TEST_MAIN()

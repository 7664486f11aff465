/* SPDX-License-Identifier: MIT */
/* Scopes: how far a cancellation and a deadline reach, and the result of leaving a scope. */
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include <whorl/chan.h>
#include <whorl/group.h>
#include <whorl/poller.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/select.h>
#include <whorl/step.h>
#include <whorl/sync.h>
#include <whorl/task.h>

#include "child.h"
#include "test.h"

#define MS WHORL_MILLISECOND

/* --- cancelling ------------------------------------------------------------------------------ */

TEST_VIRTUAL(every_call_in_a_cancelled_scope_says_so_until_it_is_left)
{
    WHORL_AUTO(chan) *chan = NULL;
    CHECK_OK(whorl_chan_create(sizeof(int), 1, &chan));
    struct whorl_semaphore semaphore = {.permits = 1};
    struct whorl_event event = {.is_set = true};
    struct whorl_mutex mutex = {0};
    struct whorl_scope scope;
    int value = 1;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    CHECK_OK(whorl_check_cancelled());
    CHECK(!whorl_scope_is_cancelled(&scope));
    whorl_scope_cancel(&scope);
    whorl_scope_cancel(&scope);
    CHECK(whorl_scope_is_cancelled(&scope));
    for (int i = 0; i < 3; i++) {
        CHECK_ERR(whorl_check_cancelled(), -ECANCELED);
        CHECK_ERR(whorl_yield(), -ECANCELED);
        CHECK_ERR(whorl_sleep(1), -ECANCELED);
        CHECK_ERR(whorl_sleep(0), -ECANCELED);
        CHECK_ERR(whorl_sleep_until(0), -ECANCELED);
        /* None of these calls would have to wait. */
        CHECK_ERR(whorl_chan_send(chan, &value), -ECANCELED);
        CHECK_ERR(whorl_event_wait(&event), -ECANCELED);
        CHECK_ERR(whorl_mutex_lock(&mutex), -ECANCELED);
        CHECK_ERR(whorl_semaphore_acquire(&semaphore), -ECANCELED);
    }
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ECANCELED);
    CHECK_OK(whorl_check_cancelled());
    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_chan_send(chan, &value));
    CHECK_OK(whorl_mutex_lock(&mutex));
    whorl_mutex_unlock(&mutex);
    CHECK_EQ(semaphore.permits, 1);
}

TEST_VIRTUAL(an_inner_scope_is_cancelled_with_the_outer_one_and_not_the_reverse)
{
    struct whorl_scope outer, middle, inner;

    whorl_scope_enter(&outer, WHORL_FOREVER);
    whorl_scope_enter(&middle, WHORL_FOREVER);
    whorl_scope_enter(&inner, WHORL_FOREVER);
    whorl_scope_cancel(&middle);
    CHECK(!whorl_scope_is_cancelled(&outer));
    CHECK(whorl_scope_is_cancelled(&middle));
    CHECK(whorl_scope_is_cancelled(&inner));
    CHECK_ERR(whorl_yield(), -ECANCELED);
    CHECK_OK(whorl_scope_leave(&inner, 0));
    whorl_scope_enter(&inner, WHORL_FOREVER); /* a scope that is entered later is cancelled too */
    CHECK_ERR(whorl_yield(), -ECANCELED);
    CHECK_OK(whorl_scope_leave(&inner, 0));
    CHECK_OK(whorl_scope_leave(&middle, 0));
    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_scope_leave(&outer, 0));
}

struct cancel_later {
    struct whorl_scope *scope;
    int64_t at_ns;
};

static int cancel_later(void *arg)
{
    struct cancel_later *c = arg;

    CHECK_OK(whorl_sleep_until(c->at_ns));
    whorl_scope_cancel(c->scope);
    return 0;
}

TEST_VIRTUAL(another_task_cancels_a_wait)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_scope outer, inner;

    whorl_scope_enter(&outer, WHORL_FOREVER);
    whorl_scope_enter(&inner, WHORL_FOREVER);
    CHECK_OK(whorl_spawn_copy(&group, cancel_later, &(struct cancel_later){&outer, 5 * MS}));
    /* The group is inside the cancelled scope, but its task has already ended. */
    CHECK_ERR(whorl_sleep(WHORL_HOUR), -ECANCELED);
    CHECK_EQ(whorl_now(), 5 * MS);
    CHECK_ERR(whorl_scope_leave(&inner, -ECANCELED), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&outer, -ECANCELED), -ECANCELED);
    CHECK_OK(whorl_sleep(1));
}

static int sleep_and_log(void *arg)
{
    CHECK_ERR(whorl_sleep(WHORL_HOUR), -ECANCELED);
    test_log("%s", (const char *)arg);
    return 0;
}

TEST_VIRTUAL(tasks_are_cancelled_in_the_order_in_which_they_were_started)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_spawn(&group, sleep_and_log, "a"));
    CHECK_OK(whorl_spawn(&group, sleep_and_log, "b"));
    CHECK_OK(whorl_spawn(&group, sleep_and_log, "c"));
    CHECK_OK(whorl_spawn(&group, sleep_and_log, "d"));
    CHECK_OK(whorl_sleep(1));
    whorl_group_cancel(&group);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a b c d");
}

static int sleep_in_scope_and_log(void *arg)
{
    struct whorl_scope scope;

    whorl_scope_enter(&scope, whorl_after(2 * WHORL_HOUR));
    int err = sleep_and_log(arg);
    return whorl_scope_leave(&scope, err);
}

TEST_VIRTUAL(tasks_in_scopes_of_their_own_are_cancelled_in_order_too)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_spawn(&group, sleep_in_scope_and_log, "a"));
    CHECK_OK(whorl_spawn(&group, sleep_in_scope_and_log, "b"));
    CHECK_OK(whorl_spawn(&group, sleep_in_scope_and_log, "c"));
    CHECK_OK(whorl_spawn(&group, sleep_in_scope_and_log, "d"));
    CHECK_OK(whorl_sleep(1));
    whorl_group_cancel(&group);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a b c d");
}

/* --- deadlines ------------------------------------------------------------------------------- */

TEST_VIRTUAL(a_deadline_ends_a_wait_and_its_scope_says_etimedout)
{
    struct whorl_scope scope;

    whorl_scope_enter(&scope, whorl_after(5 * MS));
    CHECK_EQ(whorl_task_deadline(), 5 * MS);
    CHECK_OK(whorl_sleep(5 * MS - 1));
    CHECK_ERR(whorl_sleep(2), -ECANCELED);
    CHECK_EQ(whorl_now(), 5 * MS);
    CHECK_ERR(whorl_sleep(2), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ETIMEDOUT);
    CHECK_EQ(whorl_task_deadline(), WHORL_FOREVER);
    CHECK_OK(whorl_sleep(WHORL_SECOND));
}

TEST_VIRTUAL(a_deadline_changes_no_other_result)
{
    struct whorl_scope scope;

    whorl_scope_enter(&scope, 0);
    CHECK_OK(whorl_scope_leave(&scope, 0));
    whorl_scope_enter(&scope, 0);
    CHECK_ERR(whorl_scope_leave(&scope, -EIO), -EIO);
    whorl_scope_enter(&scope, whorl_after(MS));
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ECANCELED); /* another scope was cancelled */
    struct whorl_run_stats stats;
    CHECK_OK(whorl_run_get_stats(&stats));
    CHECK_EQ(stats.timers_armed, 0);
}

TEST_VIRTUAL(only_the_scope_that_owns_the_deadline_says_etimedout)
{
    struct whorl_scope outer, inner;

    whorl_scope_enter(&outer, whorl_after(5 * MS));
    whorl_scope_enter(&inner, whorl_after(10 * MS));
    CHECK_EQ(whorl_task_deadline(), 5 * MS);
    CHECK_ERR(whorl_sleep(WHORL_SECOND), -ECANCELED);
    CHECK_EQ(whorl_now(), 5 * MS);
    CHECK_ERR(whorl_scope_leave(&inner, -ECANCELED), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&outer, -ECANCELED), -ETIMEDOUT);

    whorl_scope_enter(&outer, whorl_after(10 * MS));
    whorl_scope_enter(&inner, whorl_after(5 * MS));
    CHECK_ERR(whorl_sleep(WHORL_SECOND), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&inner, -ECANCELED), -ETIMEDOUT);
    CHECK_OK(whorl_sleep(MS));
    CHECK_OK(whorl_scope_leave(&outer, 0));
}

TEST_VIRTUAL(when_both_have_passed_the_outer_deadline_is_the_reason)
{
    struct whorl_scope outer, inner, shield;

    whorl_scope_enter(&outer, whorl_after(10 * MS));
    whorl_scope_enter(&inner, whorl_after(5 * MS));
    CHECK_ERR(whorl_sleep(WHORL_SECOND), -ECANCELED);
    whorl_scope_enter_shield(&shield, WHORL_FOREVER);
    CHECK_OK(whorl_sleep(20 * MS)); /* a long clean-up */
    CHECK_OK(whorl_scope_leave(&shield, 0));
    CHECK_ERR(whorl_scope_leave(&inner, -ECANCELED), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&outer, -ECANCELED), -ETIMEDOUT);
}

TEST_VIRTUAL(a_scope_cancelled_before_its_deadline_does_not_say_etimedout)
{
    struct whorl_scope scope, shield;

    whorl_scope_enter(&scope, whorl_after(5 * MS));
    whorl_scope_cancel(&scope);
    whorl_scope_enter_shield(&shield, WHORL_FOREVER);
    CHECK_OK(whorl_sleep(10 * MS));
    CHECK_OK(whorl_scope_leave(&shield, 0));
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ECANCELED);
}

TEST_VIRTUAL(a_deadline_in_the_past_cancels_at_once)
{
    struct whorl_scope scope;

    CHECK_OK(whorl_sleep(WHORL_SECOND));
    int64_t past[] = {WHORL_SECOND, WHORL_SECOND - 1, 1, 0, -1, INT64_MIN};
    for (size_t i = 0; i < sizeof past / sizeof past[0]; i++) {
        whorl_scope_enter(&scope, past[i]);
        CHECK(whorl_scope_is_cancelled(&scope));
        CHECK_ERR(whorl_yield(), -ECANCELED);
        CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ETIMEDOUT);
        whorl_scope_enter(&scope, WHORL_FOREVER);
        whorl_scope_set_deadline(&scope, past[i]);
        CHECK(whorl_scope_is_cancelled(&scope));
        CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ETIMEDOUT);
    }
    whorl_scope_enter(&scope, whorl_after(1));
    CHECK(!whorl_scope_is_cancelled(&scope));
    CHECK_OK(whorl_scope_leave(&scope, 0));
}

static int pass_at_the_end_of_time(void *arg)
{
    static const int64_t past[] = {INT64_MAX - 2, INT64_MAX - 3, 0, INT64_MIN};
    struct whorl_scope scope;

    (void)arg;
    for (int i = 0; i < 4; i++) {
        whorl_scope_enter(&scope, past[i]);
        CHECK(whorl_scope_is_cancelled(&scope));
        CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ETIMEDOUT);
    }
    whorl_scope_enter(&scope, INT64_MAX - 1);
    CHECK(!whorl_scope_is_cancelled(&scope));
    CHECK_ERR(whorl_scope_leave(&scope, whorl_sleep(WHORL_HOUR)), -ETIMEDOUT);
    CHECK_EQ(whorl_now(), INT64_MAX - 1);
    return 0;
}

TEST(deadlines_pass_until_the_end_of_time)
{
    struct whorl_virtual_options options = {.start_ns = INT64_MAX - 2};

    CHECK_OK(whorl_run_virtual(&options, pass_at_the_end_of_time, NULL));
}

/* A clock that advances while the task computes, like a real clock. */
static int64_t running_now;

static int64_t running_clock(struct whorl_poller *poller)
{
    (void)poller;
    return running_now;
}

static int running_wait(struct whorl_poller *poller, int64_t deadline_ns)
{
    (void)poller;
    if (deadline_ns > running_now)
        running_now = deadline_ns;
    return 0;
}

static size_t nothing_pending(struct whorl_poller *poller)
{
    (void)poller;
    return 0;
}

static const struct whorl_poller_ops running_ops = {
    .name = "running", .now = running_clock, .wait = running_wait, .pending = nothing_pending};

static int enter_after_computing(void *arg)
{
    struct whorl_scope scope;

    (void)arg;
    CHECK_OK(whorl_sleep(1));
    running_now += 110 * MS; /* the task computes */
    whorl_scope_enter(&scope, whorl_now() - 10 * MS);
    CHECK(whorl_scope_is_cancelled(&scope));
    CHECK_ERR(whorl_scope_leave(&scope, whorl_check_cancelled()), -ETIMEDOUT);
    return 0;
}

static int enter_after_computing_for_long(void *arg)
{
    struct whorl_scope scope;

    (void)arg;
    CHECK_OK(whorl_sleep(1));
    running_now += 10 * WHORL_SECOND;
    whorl_scope_enter(&scope, whorl_now() - WHORL_SECOND);
    CHECK_ERR(whorl_sleep(WHORL_SECOND), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&scope, whorl_check_cancelled()), -ETIMEDOUT);
    return 0;
}

TEST(a_deadline_that_passed_while_the_task_computed_cancels_at_once)
{
    struct whorl_poller poller = {.ops = &running_ops};

    CHECK_OK(whorl_run_on(&poller, NULL, enter_after_computing, NULL));
}

TEST(a_deadline_that_passed_during_a_long_computation_cancels_at_the_next_wait)
{
    struct whorl_poller poller = {.ops = &running_ops};

    CHECK_OK(whorl_run_on(&poller, NULL, enter_after_computing_for_long, NULL));
}

static int clean_up(void *arg)
{
    struct whorl_scope shield;

    CHECK_ERR(whorl_sleep(WHORL_HOUR), -ECANCELED);
    whorl_scope_enter_shield(&shield, whorl_now() - 1);
    *(bool *)arg = whorl_scope_is_cancelled(&shield);
    return whorl_scope_leave(&shield, 0);
}

TEST(a_deadline_that_passed_before_the_host_ended_the_run_cancels_at_once)
{
    struct whorl_poller poller = {.ops = &running_ops};
    bool cancelled = false;
    int result;

    {
        WHORL_AUTO(stepped) *run = NULL;

        CHECK_OK(whorl_stepped_create(&poller, NULL, clean_up, &cancelled, &run));
        CHECK(!whorl_stepped_run(run, 4, &result));
        running_now += WHORL_SECOND; /* time that the host uses */
    }
    CHECK(cancelled);
}

TEST_VIRTUAL(a_timeout_is_a_deadline_from_now)
{
    struct whorl_scope scope;

    CHECK_OK(whorl_sleep(WHORL_SECOND));
    whorl_scope_enter_timeout(&scope, 5 * MS);
    CHECK_EQ(whorl_task_deadline(), WHORL_SECOND + 5 * MS);
    CHECK_ERR(whorl_scope_leave(&scope, whorl_sleep(WHORL_SECOND)), -ETIMEDOUT);
    CHECK_EQ(whorl_now(), WHORL_SECOND + 5 * MS);
    whorl_scope_enter_timeout(&scope, WHORL_FOREVER);
    CHECK_EQ(whorl_task_deadline(), WHORL_FOREVER);
    CHECK_OK(whorl_scope_leave(&scope, whorl_sleep(WHORL_HOUR)));
    int64_t none[] = {0, -1, INT64_MIN};
    for (int i = 0; i < 3; i++) {
        whorl_scope_enter_timeout(&scope, none[i]);
        CHECK(whorl_scope_is_cancelled(&scope));
        CHECK_ERR(whorl_scope_leave(&scope, whorl_yield()), -ETIMEDOUT);
    }
}

TEST_VIRTUAL(a_shield_has_a_timeout_too)
{
    struct whorl_scope outer, shield;

    whorl_scope_enter_timeout(&outer, MS);
    whorl_scope_enter_shield_timeout(&shield, 5 * MS);
    CHECK_OK(whorl_sleep(3 * MS));
    CHECK_ERR(whorl_scope_leave(&shield, whorl_sleep(WHORL_HOUR)), -ETIMEDOUT);
    CHECK_EQ(whorl_now(), 5 * MS);
    CHECK_ERR(whorl_scope_leave(&outer, whorl_yield()), -ETIMEDOUT);
}

/* --- deadlines that pass while a task computes ----------------------------------------------- */

/* Asks until it is cancelled, for at most a second. Returns what it was told last. */
static int compute(void)
{
    struct timespec began, now;
    int err;

    clock_gettime(CLOCK_MONOTONIC, &began);
    do {
        err = whorl_check_cancelled();
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (err == 0 &&
             (now.tv_sec - began.tv_sec) * 1000000000LL + (now.tv_nsec - began.tv_nsec) <
                 WHORL_SECOND);
    return err;
}

static int compute_in_scope(void *arg)
{
    struct whorl_scope scope;
    int64_t began = whorl_now();

    (void)arg;
    whorl_scope_enter_timeout(&scope, 20 * MS);
    int err = compute();
    CHECK_ERR(err, -ECANCELED);
    CHECK(whorl_now() >= began + 20 * MS);
    CHECK(whorl_scope_is_cancelled(&scope));
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    CHECK(whorl_scope_has_timed_out(&scope));
    return whorl_check_cancelled();
}

TEST(a_deadline_is_noticed_by_a_task_that_computes)
{
    CHECK_OK(whorl_run(compute_in_scope, NULL));
}

static int compute_and_log(void *arg)
{
    (void)arg;
    test_log("%d", compute());
    return 0;
}

static int compute_in_groups_scope(void *arg)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_scope scope;

    (void)arg;
    whorl_scope_enter_timeout(&scope, 20 * MS);
    CHECK_OK(whorl_spawn(&group, compute_and_log, NULL));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_ERR(whorl_scope_leave(&scope, whorl_yield()), -ETIMEDOUT);
    CHECK_STR(test_logged(), "-125");
    return 0;
}

TEST(a_deadline_around_a_group_is_noticed_by_its_task_that_computes)
{
    CHECK_OK(whorl_run(compute_in_groups_scope, NULL));
}

static int compute_in_shield(void *arg)
{
    struct whorl_scope outer, shield;

    (void)arg;
    whorl_scope_enter_timeout(&outer, 10 * MS);
    whorl_scope_enter_shield(&shield, WHORL_FOREVER);
    CHECK_OK(compute());
    CHECK_OK(whorl_scope_leave(&shield, 0));
    return whorl_scope_leave(&outer, compute());
}

TEST(a_shield_keeps_a_deadline_from_a_task_that_computes)
{
    CHECK_ERR(whorl_run(compute_in_shield, NULL), -ETIMEDOUT);
}

static int ask_after_computing(void *arg)
{
    struct whorl_scope scope;

    (void)arg;
    whorl_scope_enter_timeout(&scope, 10 * MS);
    CHECK(!whorl_scope_has_timed_out(&scope));
    running_now += 9 * MS;
    CHECK(!whorl_scope_has_timed_out(&scope));
    running_now += MS;
    CHECK(whorl_scope_has_timed_out(&scope)); /* while it is entered the answer is exact */
    CHECK_ERR(whorl_check_cancelled(), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&scope, whorl_check_cancelled()), -ETIMEDOUT);

    whorl_scope_enter_timeout(&scope, 10 * MS);
    running_now += 20 * MS;
    CHECK_OK(whorl_scope_leave(&scope, 0));
    CHECK(!whorl_scope_has_timed_out(&scope)); /* nobody had noticed */
    return 0;
}

TEST(a_scope_is_asked_whether_its_deadline_has_passed)
{
    struct whorl_poller poller = {.ops = &running_ops};

    CHECK_OK(whorl_run_on(&poller, NULL, ask_after_computing, NULL));
}

static int swallow_cancellation(void *arg)
{
    (void)arg;
    CHECK_ERR(whorl_sleep(WHORL_HOUR), -ECANCELED);
    return 0;
}

TEST_VIRTUAL(a_scope_whose_tasks_swallow_the_cancellation_has_timed_out_nevertheless)
{
    struct whorl_scope scope;
    WHORL_AUTO(group) group = {0};

    whorl_scope_enter_timeout(&scope, 5 * MS);
    CHECK_OK(whorl_spawn(&group, swallow_cancellation, NULL));
    CHECK_OK(whorl_scope_leave(&scope, whorl_group_wait(&group)));
    CHECK(whorl_scope_has_timed_out(&scope));

    whorl_scope_enter_timeout(&scope, 5 * MS); /* cancelled for another reason before */
    whorl_scope_cancel(&scope);
    CHECK_ERR(whorl_sleep(WHORL_HOUR), -ECANCELED);
    CHECK(!whorl_scope_has_timed_out(&scope));
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ECANCELED);
    CHECK(!whorl_scope_has_timed_out(&scope));

    whorl_scope_enter_timeout(&scope, 5 * MS); /* nothing has passed */
    CHECK_OK(whorl_scope_leave(&scope, whorl_sleep(1)));
    CHECK(!whorl_scope_has_timed_out(&scope));
}

/* --- durations in place of instants ---------------------------------------------------------- */

static int enter_for_5_ms(void *arg)
{
    struct whorl_scope scope;

    (void)arg;
    whorl_scope_enter(&scope, 5 * MS);
    return whorl_scope_leave(&scope, whorl_sleep(1));
}

static int set_deadline_to_5_ms(void *arg)
{
    struct whorl_scope scope;

    (void)arg;
    whorl_scope_enter(&scope, WHORL_FOREVER);
    whorl_scope_set_deadline(&scope, 5 * MS);
    return whorl_scope_leave(&scope, whorl_sleep(1));
}

static int sleep_until_5_ms(void *arg)
{
    (void)arg;
    return whorl_sleep_until(5 * MS);
}

static int select_5_ms(void *arg)
{
    struct whorl_case c = whorl_case_deadline(5 * MS);

    (void)arg;
    return whorl_select(&c, 1);
}

static WHORL_SUSPENDS int use_instants(void *arg)
{
    struct whorl_scope scope;
    struct whorl_case c = whorl_case_deadline(whorl_now());

    (void)arg;
    whorl_scope_enter(&scope, whorl_after(WHORL_HOUR));
    whorl_scope_set_deadline(&scope, WHORL_FOREVER);
    CHECK_OK(whorl_sleep_until(0)); /* "at once" is no duration */
    CHECK_EQ(whorl_select(&c, 1), 0);
    return whorl_scope_leave(&scope, 0);
}

static void run_checked(void *arg)
{
    setenv("WHORL_DEBUG", "check", 1);
    int err = whorl_run(*(whorl_task_fn *)arg, NULL);
    fprintf(stderr, "the run returned %s\n", whorl_error_name(err));
}

TEST(with_checks_a_duration_in_place_of_an_instant_aborts)
{
    static const whorl_task_fn mistakes[] = {enter_for_5_ms, set_deadline_to_5_ms, sleep_until_5_ms,
                                             select_5_ms};
    static struct child child;

    for (int i = 0; i < 4; i++) {
        child_run(&child, run_checked, (void *)(uintptr_t)&mistakes[i]);
        CHECK_EQ(child.signal, SIGABRT);
        CHECK(strstr(child.err, "before the start of the run"));
    }
    child_run(&child, run_checked, &(whorl_task_fn){use_instants});
    CHECK_STR(child.err, "the run returned OK\n");
    CHECK_ERR(whorl_run(enter_for_5_ms, NULL), -ETIMEDOUT); /* without checks */
}

TEST_VIRTUAL(a_deadline_can_be_moved)
{
    struct whorl_scope scope;

    whorl_scope_enter(&scope, whorl_after(5 * MS));
    whorl_scope_set_deadline(&scope, whorl_after(20 * MS));
    CHECK_EQ(whorl_task_deadline(), 20 * MS);
    CHECK_OK(whorl_sleep(10 * MS));
    whorl_scope_set_deadline(&scope, whorl_after(5 * MS));
    CHECK_ERR(whorl_sleep(10 * MS), -ECANCELED);
    CHECK_EQ(whorl_now(), 15 * MS);
    /* A cancelled scope stays cancelled. */
    whorl_scope_set_deadline(&scope, WHORL_FOREVER);
    CHECK_ERR(whorl_yield(), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ETIMEDOUT);

    whorl_scope_enter(&scope, whorl_after(MS));
    whorl_scope_set_deadline(&scope, WHORL_FOREVER);
    CHECK_OK(whorl_sleep(WHORL_HOUR));
    CHECK_OK(whorl_scope_leave(&scope, 0));
}

static int shorten(void *arg)
{
    whorl_scope_set_deadline(arg, whorl_after(3 * MS));
    return 0;
}

TEST_VIRTUAL(another_task_moves_the_deadline_of_a_wait)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_scope scope;

    whorl_scope_enter(&scope, whorl_after(WHORL_HOUR));
    CHECK_OK(whorl_spawn(&group, shorten, &scope));
    CHECK_ERR(whorl_sleep(WHORL_HOUR), -ECANCELED);
    CHECK_EQ(whorl_now(), 3 * MS);
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ETIMEDOUT);
}

/* --- shields --------------------------------------------------------------------------------- */

TEST_VIRTUAL(a_shield_keeps_outer_cancellation_out)
{
    struct whorl_scope outer, shield, inner;

    whorl_scope_enter(&outer, whorl_after(5 * MS));
    whorl_scope_enter_shield(&shield, WHORL_FOREVER);
    whorl_scope_enter(&inner, WHORL_FOREVER);
    CHECK_EQ(whorl_task_deadline(), WHORL_FOREVER);
    CHECK_OK(whorl_sleep(10 * MS));
    CHECK(whorl_scope_is_cancelled(&outer));
    CHECK_OK(whorl_check_cancelled());
    CHECK_OK(whorl_sleep(10 * MS));
    CHECK_OK(whorl_scope_leave(&inner, 0));
    CHECK_OK(whorl_scope_leave(&shield, 0));
    CHECK_ERR(whorl_yield(), -ECANCELED);
    whorl_scope_enter_shield(&shield, WHORL_FOREVER); /* a shield that is entered later works too */
    CHECK_OK(whorl_sleep(MS));
    CHECK_OK(whorl_scope_leave(&shield, 0));
    CHECK_ERR(whorl_scope_leave(&outer, whorl_check_cancelled()), -ETIMEDOUT);
}

TEST_VIRTUAL(a_shield_has_deadlines_and_cancellation_of_its_own)
{
    struct whorl_scope outer, shield, inner;

    whorl_scope_enter(&outer, whorl_after(5 * MS));
    whorl_scope_enter_shield(&shield, whorl_after(20 * MS));
    CHECK_EQ(whorl_task_deadline(), 20 * MS);
    whorl_scope_enter(&inner, whorl_after(10 * MS));
    CHECK_EQ(whorl_task_deadline(), 10 * MS);
    CHECK_ERR(whorl_sleep(WHORL_SECOND), -ECANCELED);
    CHECK_EQ(whorl_now(), 10 * MS);
    CHECK_ERR(whorl_scope_leave(&inner, -ECANCELED), -ETIMEDOUT);
    CHECK_ERR(whorl_sleep(WHORL_SECOND), -ECANCELED);
    CHECK_EQ(whorl_now(), 20 * MS);
    /* The shield's own deadline was the reason, although the outer scope is cancelled too. */
    CHECK_ERR(whorl_scope_leave(&shield, -ECANCELED), -ETIMEDOUT);
    whorl_scope_enter_shield(&shield, WHORL_FOREVER);
    whorl_scope_cancel(&shield);
    CHECK_ERR(whorl_yield(), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&shield, -ECANCELED), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&outer, -ECANCELED), -ETIMEDOUT);
}

/* --- groups in scopes ------------------------------------------------------------------------ */

static int64_t ten_ms = 10 * MS, twenty_ms = 20 * MS;

static int sleep_long(void *arg)
{
    int err = whorl_sleep(arg ? *(int64_t *)arg : WHORL_HOUR);
    test_log("%s@%lld", err ? "cancelled" : "slept", (long long)(whorl_now() / MS));
    return err;
}

TEST_VIRTUAL(a_deadline_reaches_the_tasks_of_groups_inside)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_scope scope;

    whorl_scope_enter(&scope, whorl_after(5 * MS));
    CHECK_OK(whorl_spawn(&group, sleep_long, NULL));
    CHECK_OK(whorl_spawn(&group, sleep_long, NULL));
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    CHECK_STR(test_logged(), "cancelled@5 cancelled@5");
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ETIMEDOUT);
}

TEST_VIRTUAL(a_group_opened_outside_is_not_reached)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_scope scope;

    CHECK_OK(whorl_spawn(&group, sleep_long, &ten_ms));
    whorl_scope_enter(&scope, whorl_after(5 * MS));
    CHECK_OK(whorl_spawn(&group, sleep_long, &twenty_ms));
    CHECK_ERR(whorl_sleep(WHORL_SECOND), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ETIMEDOUT);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "slept@10 slept@20");
}

TEST_VIRTUAL(a_group_that_outlives_its_scope_belongs_to_the_one_around_it)
{
    WHORL_AUTO(group) a = {0}, b = {0}, c = {0};
    struct whorl_scope outer, inner;

    whorl_scope_enter(&outer, whorl_after(20 * MS));
    whorl_scope_enter(&inner, whorl_after(5 * MS));
    CHECK_OK(whorl_spawn(&a, sleep_long, NULL));
    CHECK_OK(whorl_spawn(&b, sleep_long, &ten_ms));
    CHECK_OK(whorl_spawn(&c, sleep_long, NULL));
    CHECK_OK(whorl_scope_leave(&inner, 0));
    CHECK_OK(whorl_sleep(15 * MS)); /* the deadline of `inner` no longer applies */
    CHECK_ERR(whorl_group_wait(&a), -ECANCELED);
    CHECK_EQ(whorl_now(), 20 * MS);
    CHECK_OK(whorl_group_wait(&b));
    CHECK_ERR(whorl_group_wait(&c), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&outer, -ECANCELED), -ETIMEDOUT);
    CHECK_STR(test_logged(), "slept@10 cancelled@20 cancelled@20");
}

TEST_VIRTUAL(a_cancelled_group_stays_cancelled_when_its_scope_is_left)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_scope scope;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    CHECK_OK(whorl_spawn(&group, sleep_long, NULL));
    whorl_scope_cancel(&scope);
    CHECK_OK(whorl_scope_leave(&scope, 0));
    CHECK_ERR(whorl_spawn(&group, sleep_long, NULL), -ECANCELED);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    CHECK_STR(test_logged(), "cancelled@0");
}

/* The group moves from the shield to the cancelled scope. Its tasks must be cancelled, in whichever
 * scope they are. */
TEST_VIRTUAL(a_group_handed_up_out_of_a_shield_is_cancelled_with_the_scope_around)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_scope outer, shield;

    whorl_scope_enter(&outer, WHORL_FOREVER);
    whorl_scope_cancel(&outer);
    whorl_scope_enter_shield(&shield, WHORL_FOREVER);
    CHECK_OK(whorl_spawn(&group, sleep_long, NULL));
    CHECK_OK(whorl_spawn(&group, sleep_in_scope_and_log, "nested"));
    CHECK_OK(whorl_sleep(5 * MS));
    CHECK_STR(test_logged(), "");
    CHECK_OK(whorl_scope_leave(&shield, 0));
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    CHECK_EQ(whorl_now(), 5 * MS);
    CHECK_STR(test_logged(), "cancelled@5 nested");
    CHECK_ERR(whorl_scope_leave(&outer, -ECANCELED), -ECANCELED);
}

/* --- depth ----------------------------------------------------------------------------------- */

static int nest_and_sleep(void *arg)
{
    enum { DEPTH = 20000 };
    struct whorl_scope *scopes = calloc(DEPTH, sizeof *scopes);

    (void)arg;
    for (int i = 0; i < DEPTH; i++)
        whorl_scope_enter(&scopes[i], i % 2 ? whorl_after(WHORL_HOUR + i) : WHORL_FOREVER);
    CHECK_EQ(whorl_task_deadline(), WHORL_HOUR + 1);
    CHECK_ERR(whorl_sleep(WHORL_HOUR * 2), -ECANCELED);
    CHECK_EQ(whorl_now(), MS);
    for (int i = DEPTH - 1; i >= 0; i--) {
        CHECK(whorl_scope_is_cancelled(&scopes[i]));
        CHECK_ERR(whorl_scope_leave(&scopes[i], -ECANCELED), -ECANCELED);
    }
    free(scopes);
    return 0;
}

TEST_VIRTUAL(scopes_nest_twenty_thousand_deep)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, nest_and_sleep, NULL));
    CHECK_OK(whorl_sleep(MS));
    whorl_group_cancel(&group);
    CHECK_OK(whorl_group_wait(&group));
}

static int descend(void *arg)
{
    int depth = *(int *)arg - 1;
    WHORL_AUTO(group) group = {0};

    if (depth == 0)
        return whorl_sleep(WHORL_HOUR);
    int err = whorl_spawn(&group, descend, &depth);
    return err ? err : whorl_group_wait(&group);
}

TEST_VIRTUAL(cancelling_reaches_down_a_deep_tree_of_groups)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_run_stats stats;
    int depth = 2000;

    CHECK_OK(whorl_spawn(&group, descend, &depth));
    CHECK_OK(whorl_sleep(MS));
    CHECK_OK(whorl_run_get_stats(&stats));
    CHECK_EQ(stats.tasks_alive, 2001);
    whorl_group_cancel(&group);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    CHECK_EQ(whorl_now(), MS);
    CHECK_OK(whorl_run_get_stats(&stats));
    CHECK_EQ(stats.tasks_alive, 1);
    CHECK_EQ(stats.timers_armed, 0);
}

/* --- in any order ----------------------------------------------------------------------------- */

/* What nested scopes mean: the earliest deadline of this scope and the scopes around it, up to the
 * next shield. */
struct nest {
    uint64_t *random;
    int64_t deadline;
    int depth;
};

/* A sleep ends at its end or at the deadline, whichever comes first. When they are the same
 * instant, either may win. */
static WHORL_SUSPENDS int sleep_within(const struct nest *nest)
{
    int64_t end = whorl_after((int64_t)test_draw(nest->random, 12));
    int64_t begun = whorl_now();

    int err = whorl_sleep_until(end);
    if (err == 0) {
        CHECK_EQ(whorl_now(), end);
        CHECK(end <= nest->deadline);
    } else {
        CHECK_ERR(err, -ECANCELED);
        CHECK_EQ(whorl_now(), begun < nest->deadline ? nest->deadline : begun);
        CHECK(nest->deadline <= end);
    }
    return err;
}

static WHORL_SUSPENDS int nest_scopes(const struct nest *outer)
{
    struct nest nest = {outer->random, WHORL_FOREVER, outer->depth + 1};
    int64_t deadline = test_draw(nest.random, 3) ? whorl_after((int64_t)test_draw(nest.random, 24))
                                                 : WHORL_FOREVER;
    bool shielded = test_draw(nest.random, 4) == 0;
    struct whorl_scope scope;
    int err = 0;

    nest.deadline = shielded || deadline < outer->deadline ? deadline : outer->deadline;
    if (shielded)
        whorl_scope_enter_shield(&scope, deadline);
    else
        whorl_scope_enter(&scope, deadline);
    for (uint64_t n = test_draw(nest.random, 3); n > 0 && err == 0; n--)
        err =
            nest.depth < 5 && test_draw(nest.random, 2) ? nest_scopes(&nest) : sleep_within(&nest);
    bool outer_passed = !shielded && outer->deadline <= whorl_now();
    int left = whorl_scope_leave(&scope, err);
    if (err == -ECANCELED)
        CHECK_ERR(left, outer_passed ? -ECANCELED : -ETIMEDOUT);
    else
        CHECK_ERR(left, err);
    return left == -ETIMEDOUT ? 0 : left; /* its own deadline */
}

static int nest_again_and_again(void *arg)
{
    struct nest nest = {arg, WHORL_FOREVER, 0};

    for (int i = 0; i < 20; i++)
        CHECK_OK(nest_scopes(&nest));
    return 0;
}

TEST_SEEDS(scopes_in_scopes_end_at_the_earliest_deadline_and_say_whose_it_was)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_run_stats stats;

    for (uint64_t i = 0; i < 6; i++)
        CHECK_OK(whorl_spawn_copy(&group, nest_again_and_again, &(uint64_t){test_seed() + i}));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(whorl_run_get_stats(&stats));
    CHECK_EQ(stats.timers_armed, 0);
}

/* --- what is not allowed --------------------------------------------------------------------- */

static int leave_in_wrong_order(void *arg)
{
    struct whorl_scope outer, inner;

    (void)arg;
    whorl_scope_enter(&outer, WHORL_FOREVER);
    whorl_scope_enter(&inner, WHORL_FOREVER);
    return whorl_scope_leave(&outer, 0);
}

static int never_leave(void *arg)
{
    struct whorl_scope scope;

    (void)arg;
    whorl_scope_enter(&scope, WHORL_FOREVER);
    return 0;
}

static WHORL_SUSPENDS int spawn_never_leave(void *arg)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, never_leave, arg));
    return whorl_group_wait(&group);
}

static void run_root(void *arg)
{
    test_ignore(whorl_run_virtual(NULL, *(whorl_task_fn *)arg, NULL));
}

static void enter_outside(void *arg)
{
    struct whorl_scope scope;

    (void)arg;
    whorl_scope_enter(&scope, WHORL_FOREVER);
}

static void move_deadline_outside(void *arg)
{
    struct whorl_scope scope = {0};

    (void)arg;
    whorl_scope_set_deadline(&scope, WHORL_FOREVER);
}

TEST(mistakes_with_scopes_abort_with_a_word_why)
{
    static struct child child;

    child_run(&child, run_root, &(whorl_task_fn){leave_in_wrong_order});
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "scopes must be left in reverse order"));
    child_run(&child, run_root, &(whorl_task_fn){never_leave});
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "a task ended inside a scope"));
    child_run(&child, run_root, &(whorl_task_fn){spawn_never_leave});
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "a task ended inside a scope"));
    child_run(&child, enter_outside, NULL);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "outside a task"));
    child_run(&child, move_deadline_outside, NULL);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "outside a run"));
}

TEST_MAIN()

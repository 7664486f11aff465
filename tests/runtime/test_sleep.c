/* SPDX-License-Identifier: MIT */
/* Sleeping and the clock. */
#include <signal.h>
#include <sys/time.h>
#include <time.h>

#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/task.h>

#include "test.h"

#define MS WHORL_MILLISECOND

static int sleep_and_log(void *arg)
{
    int ms = *(int *)arg;
    int err = whorl_sleep(ms * MS);

    test_log("%d%s", ms, err ? "!" : "");
    return err;
}

TEST_VIRTUAL(sleepers_wake_in_the_order_of_their_deadlines)
{
    WHORL_AUTO(group) group = {0};
    static const int ms[] = {5, 1, 9, 3, 7};

    for (int i = 0; i < 5; i++)
        CHECK_OK(whorl_spawn_copy(&group, sleep_and_log, &ms[i]));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "1 3 5 7 9");
    CHECK_EQ(whorl_now(), 9 * MS);
}

static int sleep_until_and_log(void *arg)
{
    CHECK_OK(whorl_sleep_until(7 * MS));
    test_log("%s", (const char *)arg);
    return 0;
}

TEST_VIRTUAL(sleepers_to_one_instant_wake_in_the_order_in_which_they_fell_asleep)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, sleep_until_and_log, "a"));
    CHECK_OK(whorl_sleep(3 * MS));
    CHECK_OK(whorl_spawn(&group, sleep_until_and_log, "b"));
    CHECK_OK(whorl_spawn(&group, sleep_until_and_log, "c"));
    CHECK_OK(whorl_sleep(4 * MS - 1));
    CHECK_OK(whorl_spawn(&group, sleep_until_and_log, "d"));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a b c d");
}

TEST_VIRTUAL(the_virtual_clock_jumps_exactly)
{
    static const int64_t steps[] = {1,           2,          16383,           16384,
                                    16385,       WHORL_HOUR, 24 * WHORL_HOUR, 365 * 24 * WHORL_HOUR,
                                    WHORL_SECOND};
    int64_t now = 0;

    CHECK_EQ(whorl_now(), 0);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        CHECK_OK(whorl_sleep(steps[i]));
        now += steps[i];
        CHECK_EQ(whorl_now(), now);
        for (int k = 0; k < 3; k++)
            CHECK_OK(whorl_yield()); /* yielding takes no virtual time */
        CHECK_EQ(whorl_now(), now);
    }
}

static int yield_and_log(void *arg)
{
    for (int i = 0; i < 3; i++) {
        test_log("%s%d", (const char *)arg, i);
        CHECK_OK(whorl_yield());
    }
    return 0;
}

TEST_VIRTUAL(sleeping_no_time_gives_way_once)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, yield_and_log, "a"));
    CHECK_OK(whorl_sleep(0));
    test_log("m");
    CHECK_OK(whorl_sleep(-5));
    test_log("m");
    CHECK_OK(whorl_sleep(INT64_MIN));
    test_log("m");
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a0 m a1 m a2 m");
}

TEST_VIRTUAL(sleeping_until_an_instant_in_the_past_returns_at_once)
{
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    CHECK_OK(whorl_sleep_until(WHORL_SECOND));
    CHECK_OK(whorl_sleep_until(5));
    CHECK_OK(whorl_sleep_until(-5));
    CHECK_OK(whorl_sleep_until(INT64_MIN));
    CHECK_EQ(whorl_now(), WHORL_SECOND);
}

static int sleep_for_ever(void *arg)
{
    int err = arg ? whorl_sleep(WHORL_FOREVER) : whorl_sleep_until(WHORL_FOREVER);
    test_log("%lld", (long long)(whorl_now() / MS));
    return err;
}

TEST_VIRTUAL(sleeping_for_ever_ends_when_cancelled)
{
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_spawn(&group, sleep_for_ever, NULL));
    CHECK_OK(whorl_spawn(&group, sleep_for_ever, "by duration"));
    CHECK_OK(whorl_sleep(5 * MS));
    whorl_group_cancel(&group);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    CHECK_STR(test_logged(), "5 5");
}

TEST_VIRTUAL(a_cancelled_sleep_leaves_no_timer)
{
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_run_stats stats;

    for (int i = 1; i <= 50; i++)
        CHECK_OK(whorl_spawn_copy(&group, sleep_and_log, &i));
    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_run_get_stats(&stats));
    CHECK_EQ(stats.timers_armed, 50);
    whorl_group_cancel(&group);
    CHECK_OK(whorl_run_get_stats(&stats));
    CHECK_EQ(stats.timers_armed, 0);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    CHECK_EQ(whorl_now(), 0);
}

static struct whorl_scope *to_cancel;

static int cancel_at_the_same_instant(void *arg)
{
    CHECK_OK(whorl_sleep_until(*(int64_t *)arg));
    whorl_scope_cancel(to_cancel);
    return 0;
}

/* The timer has fired, and the task is ready but has not run. The sleep is over: completion
 * wins. */
TEST_VIRTUAL(a_sleep_that_is_over_is_not_cancelled_any_more)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_scope scope;
    int64_t at = 5 * MS;

    to_cancel = &scope;
    CHECK_OK(whorl_spawn(&group, cancel_at_the_same_instant, &at));
    CHECK_OK(whorl_yield());
    whorl_scope_enter(&scope, WHORL_FOREVER);
    CHECK_OK(whorl_sleep_until(at)); /* armed second, fires second, in the same turn */
    CHECK(whorl_scope_is_cancelled(&scope));
    CHECK_ERR(whorl_sleep(1), -ECANCELED);
    CHECK_OK(whorl_scope_leave(&scope, 0));
}

TEST(outside_a_run_sleeping_says_so_and_the_clock_is_the_machines)
{
    struct timespec before, after;

    CHECK_ERR(whorl_sleep(1), WHORL_ENOTASK);
    CHECK_ERR(whorl_sleep(0), WHORL_ENOTASK);
    CHECK_ERR(whorl_sleep_until(0), WHORL_ENOTASK);
    CHECK_ERR(whorl_yield(), WHORL_ENOTASK);
    clock_gettime(CLOCK_MONOTONIC, &before);
    int64_t now = whorl_now();
    clock_gettime(CLOCK_MONOTONIC, &after);
    CHECK(now >= before.tv_sec * WHORL_SECOND + before.tv_nsec);
    CHECK(now <= after.tv_sec * WHORL_SECOND + after.tv_nsec);
}

TEST_VIRTUAL(instants_saturate)
{
    CHECK_OK(whorl_sleep(100));
    CHECK_EQ(whorl_after(0), 100);
    CHECK_EQ(whorl_after(-7), 100);
    CHECK_EQ(whorl_after(INT64_MIN), 100);
    CHECK_EQ(whorl_after(7), 107);
    CHECK_EQ(whorl_after(WHORL_FOREVER - 100), WHORL_FOREVER);
    CHECK_EQ(whorl_after(WHORL_FOREVER - 101), WHORL_FOREVER - 1);
    CHECK_EQ(whorl_after(WHORL_FOREVER), WHORL_FOREVER);
}

static int sleep_for_real(void *arg)
{
    struct whorl_run_stats before, after;
    int64_t start = whorl_now();

    (void)arg;
    CHECK_OK(whorl_run_get_stats(&before));
    CHECK_OK(whorl_sleep(400 * WHORL_MICROSECOND));
    CHECK_OK(whorl_run_get_stats(&after));
    CHECK(whorl_now() - start >= 400 * WHORL_MICROSECOND);
    CHECK(after.polls - before.polls <= 3); /* the loop does not spin for less than a millisecond */
    for (int i = 0; i < 20; i++) {
        start = whorl_now();
        CHECK_OK(whorl_sleep(i * 37 * WHORL_MICROSECOND));
        CHECK(whorl_now() - start >= i * 37 * WHORL_MICROSECOND); /* never too early */
    }
    return 0;
}

TEST(a_real_sleep_is_not_short_and_does_not_spin)
{
    CHECK_OK(whorl_run(sleep_for_real, NULL));
}

static void on_signal(int signal)
{
    (void)signal;
}

static int sleep_50_ms(void *arg)
{
    int64_t start = whorl_now();

    (void)arg;
    CHECK_OK(whorl_sleep(50 * MS));
    CHECK(whorl_now() - start >= 50 * MS);
    return 0;
}

/* A sleep that restarts after each signal would never end. */
TEST(a_sleep_that_signals_interrupt_goes_on_with_what_is_left)
{
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART */
    struct itimerval often = {{0, 1000}, {0, 1000}}, never = {0};

    CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
    CHECK_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
    CHECK_OK(whorl_run(sleep_50_ms, NULL));
    CHECK_EQ(setitimer(ITIMER_REAL, &never, NULL), 0);
}

static int sleep_beside_yielder(void *arg)
{
    int64_t start = whorl_now(), *late = arg;

    for (int i = 0; i < 20; i++)
        CHECK_OK(whorl_sleep(MS));
    *late = whorl_now() - start - 20 * MS;
    return 0;
}

static int yield_all_the_time(void *arg)
{
    (void)arg;
    for (;;) {
        int err = whorl_yield();
        if (err)
            return 0;
    }
}

static int sleep_in_company(void *arg)
{
    WHORL_AUTO(group) group = {0}, yielders = {0};

    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_spawn(&yielders, yield_all_the_time, NULL));
    CHECK_OK(whorl_spawn(&group, sleep_beside_yielder, arg));
    return whorl_group_wait(&group);
}

TEST(tasks_that_are_always_ready_do_not_delay_timers)
{
    int64_t late;

    CHECK_OK(whorl_run(sleep_in_company, &late));
    CHECK(late < 100 * MS * test_timeout_scale()); /* the machine may be busy */
}

TEST_MAIN()

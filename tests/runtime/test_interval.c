/* SPDX-License-Identifier: MIT */
/* Intervals: the instants, missed ticks, and select. */
#include <limits.h>

#include <whorl/group.h>
#include <whorl/interval.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/sync.h>

#include "test.h"

TEST_VIRTUAL(ticks_lie_on_the_grid_whatever_the_work_between_takes)
{
    struct whorl_interval interval;
    int64_t start = whorl_now();
    whorl_interval_init(&interval, 1000);
    for (int i = 1; i <= 1000000; i++) {
        CHECK_EQ(whorl_interval_wait(&interval), 1);
        CHECK_EQ(whorl_now(), start + i * 1000);
        if (i % 4 == 0)
            CHECK_OK(whorl_sleep(i % 1000));
    }
}

TEST_VIRTUAL(missed_ticks_are_counted_and_the_next_is_where_it_would_have_been)
{
    struct whorl_interval interval;
    int64_t start = whorl_now();
    whorl_interval_init(&interval, 100);
    CHECK_OK(whorl_sleep(350));
    CHECK_EQ(whorl_interval_wait(&interval), 3);
    CHECK_EQ(whorl_now(), start + 350); /* did not wait */
    CHECK_EQ(whorl_interval_wait(&interval), 1);
    CHECK_EQ(whorl_now(), start + 400);
    CHECK_OK(whorl_sleep(100));
    CHECK_EQ(whorl_interval_wait(&interval), 1);
    CHECK_EQ(whorl_now(), start + 500);
    CHECK_OK(whorl_sleep(199));
    CHECK_EQ(whorl_interval_wait(&interval), 1);
    CHECK_EQ(whorl_interval_wait(&interval), 1);
    CHECK_EQ(whorl_now(), start + 700);
}

TEST_VIRTUAL(the_first_tick_can_be_any_instant)
{
    struct whorl_interval interval;
    int64_t start = whorl_now();
    whorl_interval_init_at(&interval, start, 100);
    CHECK_EQ(whorl_interval_wait(&interval), 1);
    CHECK_EQ(whorl_now(), start);
    whorl_interval_init_at(&interval, start - 250, 100);
    CHECK_EQ(whorl_interval_wait(&interval), 3);
    CHECK_EQ(whorl_interval_wait(&interval), 1);
    CHECK_EQ(whorl_now(), start + 50);
}

TEST_VIRTUAL(odd_periods_neither_spin_nor_overflow)
{
    struct whorl_interval interval;
    struct whorl_scope scope;
    whorl_interval_init(&interval, 0);
    CHECK_EQ(whorl_interval_wait(&interval), 1);
    whorl_interval_init(&interval, -5);
    CHECK_EQ(interval.period_ns, 1);
    CHECK_OK(whorl_sleep(10));
    CHECK_EQ(whorl_interval_wait(&interval), 10);
    whorl_interval_init_at(&interval, whorl_now(), INT64_MAX);
    CHECK_EQ(whorl_interval_wait(&interval), 1);
    whorl_scope_enter(&scope, whorl_after(WHORL_HOUR));
    CHECK_ERR(whorl_interval_wait(&interval), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ETIMEDOUT);
    whorl_interval_init_at(&interval, INT64_MIN, 1); /* more ticks than fit into the result */
    CHECK_EQ(whorl_interval_wait(&interval), INT64_MAX);
    CHECK_EQ(interval.next_ns, whorl_now() + 1);
}

TEST_VIRTUAL(a_cancelled_wait_loses_no_tick)
{
    struct whorl_interval interval;
    struct whorl_scope scope;
    whorl_interval_init(&interval, 100);
    whorl_scope_enter(&scope, whorl_after(50));
    CHECK_ERR(whorl_interval_wait(&interval), -ECANCELED);
    CHECK_ERR(whorl_interval_wait(&interval), -ECANCELED);
    whorl_scope_leave(&scope, 0);
    CHECK_OK(whorl_sleep(150));
    CHECK_EQ(whorl_interval_wait(&interval), 2);
}

TEST(outside_a_task_there_is_no_waiting)
{
    struct whorl_interval interval;
    whorl_interval_init(&interval, 1);
    CHECK_ERR(whorl_interval_wait(&interval), WHORL_ENOTASK);
}

TEST_VIRTUAL(select_takes_ticks_and_leaves_those_of_a_lost_case)
{
    struct whorl_interval fast, slow;
    int64_t start = whorl_now();
    whorl_interval_init(&fast, 300);
    whorl_interval_init(&slow, 1000);
    struct whorl_case cases[] = {whorl_case_interval(&fast), whorl_case_interval(&slow)};
    for (int i = 0; i < 13; i++) {
        int which = whorl_select(cases, 2);
        CHECK_EQ(cases[which].result, 1);
        test_log("%c%d", which ? 's' : 'f', (int)(whorl_now() - start) / 100);
    }
    CHECK_STR(test_logged(), "f3 f6 f9 s10 f12 f15 f18 s20 f21 f24 f27 f30 s30");
    CHECK_OK(whorl_sleep(900));
    CHECK_EQ(whorl_try_select(cases, 1), 0);
    CHECK_EQ(cases[0].result, 3);
    CHECK_ERR(whorl_try_select(cases, 2), -EAGAIN);
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT */
/* Barriers: rounds of tasks that wait for each other. */
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/sync.h>

#include "test.h"

struct party {
    struct whorl_barrier *barrier;
    const char *name;
    int64_t step;
    int rounds, lasts;
    int *round; /* shared: how many parties have finished each round */
    struct whorl_scope *scope;
};

static int take_part(void *arg)
{
    struct party *p = arg;

    for (int i = 0; i < p->rounds; i++) {
        CHECK_OK(whorl_sleep(p->step));
        if (p->round)
            p->round[i]++;
        int last = whorl_barrier_wait(p->barrier);
        CHECK(last == 0 || last == 1);
        p->lasts += last;
        if (p->round)
            CHECK_EQ(p->round[i], (int)p->barrier->parties); /* no task passes too early */
        else
            test_log("%s%d", p->name, last);
    }
    return 0;
}

TEST_VIRTUAL(barrier_lets_all_go_when_the_last_arrives_and_tells_it)
{
    struct whorl_barrier barrier = {.parties = 3};
    WHORL_AUTO(group) group = {0};
    struct party parties[] = {{&barrier, "a", 3, 1, 0, NULL, NULL},
                              {&barrier, "b", 1, 1, 0, NULL, NULL},
                              {&barrier, "c", 2, 1, 0, NULL, NULL}};

    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_spawn(&group, take_part, &parties[i]));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a1 b0 c0");
    CHECK_EQ(whorl_now(), 3);
    CHECK_EQ(barrier.arrived, 0);
}

TEST_SEEDS(barrier_keeps_rounds_apart_with_one_last_in_each)
{
    struct whorl_barrier barrier = {.parties = 4};
    WHORL_AUTO(group) group = {0};
    struct party parties[4];
    int round[50] = {0}, lasts = 0;

    for (int i = 0; i < 4; i++) {
        parties[i] = (struct party){&barrier, "", i % 2, 50, 0, round, NULL};
        CHECK_OK(whorl_spawn(&group, take_part, &parties[i]));
    }
    CHECK_OK(whorl_group_wait(&group));
    for (int i = 0; i < 4; i++)
        lasts += parties[i].lasts;
    CHECK_EQ(lasts, 50);
}

TEST_VIRTUAL(barrier_of_one_never_waits_and_of_none_is_invalid)
{
    struct whorl_barrier one = {.parties = 1}, none = {0};

    CHECK_EQ(whorl_barrier_wait(&one), 1);
    CHECK_EQ(whorl_barrier_wait(&one), 1);
    CHECK_ERR(whorl_barrier_wait(&none), -EINVAL);
}

static int wait_in_scope(void *arg)
{
    struct party *p = arg;
    struct whorl_scope scope;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    p->scope = &scope;
    int err = whorl_barrier_wait(p->barrier);
    test_log("%s%d", p->name, err);
    (void)whorl_scope_leave(&scope, 0);
    return 0;
}

TEST_VIRTUAL(barrier_does_not_count_a_party_that_was_cancelled)
{
    struct whorl_barrier barrier = {.parties = 3};
    WHORL_AUTO(group) group = {0};
    struct party a = {.barrier = &barrier, .name = "a"}, b = {.barrier = &barrier, .name = "b"};
    struct party c = {.barrier = &barrier, .name = "c"};

    CHECK_OK(whorl_spawn(&group, wait_in_scope, &a));
    CHECK_OK(whorl_spawn(&group, wait_in_scope, &b));
    CHECK_OK(whorl_yield());
    CHECK_EQ(barrier.arrived, 2);
    whorl_scope_cancel(a.scope);
    CHECK_EQ(barrier.arrived, 1);
    CHECK_OK(whorl_spawn(&group, wait_in_scope, &c));
    CHECK_OK(whorl_sleep(1));
    CHECK_EQ(whorl_group_alive(&group), 2);
    CHECK_EQ(whorl_barrier_wait(&barrier), 1);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a-125 b0 c0");
}

TEST_VIRTUAL(barrier_party_cancelled_after_the_last_has_come_is_through)
{
    struct whorl_barrier barrier = {.parties = 2};
    WHORL_AUTO(group) group = {0};
    struct party a = {.barrier = &barrier, .name = "a"};

    CHECK_OK(whorl_spawn(&group, wait_in_scope, &a));
    CHECK_OK(whorl_yield());
    CHECK_EQ(whorl_barrier_wait(&barrier), 1);
    whorl_scope_cancel(a.scope);
    CHECK_EQ(barrier.arrived, 0);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a0");
}

TEST(barrier_outside_a_task_is_refused)
{
    struct whorl_barrier barrier = {.parties = 1};
    CHECK_ERR(whorl_barrier_wait(&barrier), WHORL_ENOTASK);
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT */
/* Semaphores: a number of permits, given in order of arrival. */
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/sync.h>
#include <whorl/task.h>

#include "test.h"

static struct whorl_semaphore semaphore;
static int inside, most, turns;

static int hold_for_a_while(void *arg)
{
    for (int i = 0; i < 5; i++) {
        CHECK_OK(whorl_semaphore_acquire(&semaphore));
        if (++inside > most)
            most = inside;
        CHECK_OK(i % 2 ? whorl_yield() : whorl_sleep((int64_t)(uintptr_t)arg));
        inside--;
        turns++;
        whorl_semaphore_release(&semaphore);
    }
    return 0;
}

TEST_SEEDS(no_more_are_inside_than_there_are_permits)
{
    WHORL_AUTO(group) group = {0};

    semaphore = (struct whorl_semaphore){.permits = 3};
    turns = most = 0;
    for (uintptr_t i = 1; i <= 10; i++)
        CHECK_OK(whorl_spawn(&group, hold_for_a_while, (void *)i));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(turns, 50);
    CHECK_EQ(most, 3);
    CHECK_EQ(semaphore.permits, 3);
}

static int acquire_and_log(void *arg)
{
    int err = whorl_semaphore_acquire(&semaphore);

    test_log("%s%s", (const char *)arg, err ? "!" : "");
    return err;
}

TEST_VIRTUAL(permits_go_to_the_longest_waiters)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, acquire_and_log, "a"));
    CHECK_OK(whorl_spawn(&group, acquire_and_log, "b"));
    CHECK_OK(whorl_spawn(&group, acquire_and_log, "c"));
    CHECK_OK(whorl_yield());
    for (int i = 0; i < 2; i++) {
        whorl_semaphore_release(&semaphore);
        /* The permit belongs to b or c. */
        CHECK_ERR(whorl_semaphore_try_acquire(&semaphore), -EAGAIN);
    }
    CHECK_OK(whorl_sleep(1));
    CHECK_STR(test_logged(), "a b");
    whorl_semaphore_release(&semaphore);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a b c");
    CHECK_EQ(semaphore.permits, 0);
}

TEST_VIRTUAL(releasing_adds_permits_when_nobody_waits)
{
    for (int i = 0; i < 3; i++)
        whorl_semaphore_release(&semaphore);
    CHECK_EQ(semaphore.permits, 3);
    CHECK_OK(whorl_semaphore_acquire(&semaphore));
    CHECK_OK(whorl_semaphore_try_acquire(&semaphore));
    CHECK_OK(whorl_semaphore_acquire(&semaphore));
    CHECK_ERR(whorl_semaphore_try_acquire(&semaphore), -EAGAIN);
}

TEST_VIRTUAL(a_cancelled_waiter_takes_no_permit)
{
    struct whorl_group stay = {0}, go = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_spawn(&go, acquire_and_log, "x"));
    CHECK_OK(whorl_spawn(&stay, acquire_and_log, "a"));
    CHECK_OK(whorl_spawn(&go, acquire_and_log, "y"));
    CHECK_OK(whorl_yield());
    whorl_group_cancel(&go);
    whorl_semaphore_release(&semaphore);
    CHECK_ERR(whorl_group_wait(&go), -ECANCELED);
    CHECK_OK(whorl_group_wait(&stay));
    CHECK_STR(test_logged(), "x! y! a");
    CHECK_EQ(semaphore.permits, 0);
    CHECK(!semaphore.waiters.first && !semaphore.waiters.last);
}

TEST_VIRTUAL(a_waiter_given_a_permit_and_cancelled_in_one_turn_has_it)
{
    struct whorl_group group = {0};

    CHECK_OK(whorl_spawn(&group, acquire_and_log, "a"));
    CHECK_OK(whorl_yield());
    whorl_semaphore_release(&semaphore);
    whorl_group_cancel(&group);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(semaphore.permits, 0);
}

static int sometimes_cancelled(void *arg)
{
    uintptr_t x = (uintptr_t)arg;

    for (int i = 0; i < 20; i++) {
        struct whorl_scope scope;
        x = x * 1103515245 + 12345;
        whorl_scope_enter(&scope, whorl_after((int64_t)(x >> 16 & 7)));
        int err = whorl_semaphore_acquire(&semaphore);
        (void)whorl_scope_leave(&scope, err);
        if (err == 0) {
            CHECK_OK(whorl_sleep((int64_t)(x >> 20 & 3)));
            whorl_semaphore_release(&semaphore);
        }
    }
    return 0;
}

TEST_SEEDS(timeouts_at_any_instant_lose_no_permit)
{
    WHORL_AUTO(group) group = {0};

    semaphore = (struct whorl_semaphore){.permits = 2};
    for (uintptr_t i = 1; i <= 8; i++)
        CHECK_OK(whorl_spawn(&group, sometimes_cancelled, (void *)(i * 7919)));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(semaphore.permits, 2);
    CHECK(!semaphore.waiters.first);
}

TEST(acquiring_outside_a_task_says_so)
{
    semaphore.permits = 1;
    CHECK_ERR(whorl_semaphore_acquire(&semaphore), WHORL_ENOTASK);
    CHECK_OK(whorl_semaphore_try_acquire(&semaphore)); /* needs no task */
}

TEST_MAIN()

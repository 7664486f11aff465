/* SPDX-License-Identifier: MIT */
/* Mutexes: one owner at a time, in order of arrival. */
#include <signal.h>

#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/sync.h>
#include <whorl/task.h>

#include "child.h"
#include "test.h"

static struct whorl_mutex mutex;
static int inside, turns;

static int take_turns(void *arg)
{
    for (int i = 0; i < 5; i++) {
        CHECK_OK(whorl_mutex_lock(&mutex));
        CHECK_EQ(++inside, 1);
        int before = turns;
        CHECK_OK(i % 2 ? whorl_yield() : whorl_sleep(1));
        CHECK_EQ(turns, before);
        turns++;
        inside--;
        if (arg)
            test_log("%s", (const char *)arg);
        whorl_mutex_unlock(&mutex);
    }
    return 0;
}

TEST_SEEDS(no_two_tasks_are_inside_at_once)
{
    WHORL_AUTO(group) group = {0};

    turns = 0;
    for (int i = 0; i < 10; i++)
        CHECK_OK(whorl_spawn(&group, take_turns, NULL));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(turns, 50);
    CHECK(!mutex.owner);
}

TEST_VIRTUAL(it_is_handed_to_the_longest_waiter)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, take_turns, "a"));
    CHECK_OK(whorl_spawn(&group, take_turns, "b"));
    CHECK_OK(whorl_spawn(&group, take_turns, "c"));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a b c a b c a b c a b c a b c");
}

static int lock_and_log(void *arg)
{
    int err = whorl_mutex_lock(&mutex);

    test_log("%s%s", (const char *)arg, err ? "!" : "");
    if (err == 0) {
        test_ignore(whorl_yield());
        whorl_mutex_unlock(&mutex);
    }
    return err;
}

/* Unlocking passes the mutex on at once: the caller can lock it again only after the waiter has had
 * it. */
TEST_VIRTUAL(no_task_gets_the_mutex_between_unlock_and_the_waiters_turn)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_mutex_lock(&mutex));
    CHECK_OK(whorl_spawn(&group, lock_and_log, "a"));
    CHECK_OK(whorl_yield());
    whorl_mutex_unlock(&mutex);
    CHECK_ERR(whorl_mutex_try_lock(&mutex), -EAGAIN);
    CHECK_OK(whorl_mutex_lock(&mutex));
    test_log("m");
    whorl_mutex_unlock(&mutex);
    CHECK_OK(whorl_mutex_try_lock(&mutex));
    whorl_mutex_unlock(&mutex);
    CHECK_STR(test_logged(), "a m");
}

TEST_VIRTUAL(locking_twice_is_a_deadlock)
{
    CHECK_OK(whorl_mutex_lock(&mutex));
    CHECK_ERR(whorl_mutex_lock(&mutex), -EDEADLK);
    CHECK_ERR(whorl_mutex_try_lock(&mutex), -EAGAIN);
    whorl_mutex_unlock(&mutex);
    CHECK_OK(whorl_mutex_lock(&mutex));
    whorl_mutex_unlock(&mutex);
}

TEST_VIRTUAL(a_cancelled_waiter_leaves_no_trace)
{
    struct whorl_group stay = {0}, go = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_mutex_lock(&mutex));
    CHECK_OK(whorl_spawn(&go, lock_and_log, "x"));
    CHECK_OK(whorl_spawn(&stay, lock_and_log, "a"));
    CHECK_OK(whorl_spawn(&go, lock_and_log, "y"));
    CHECK_OK(whorl_spawn(&stay, lock_and_log, "b"));
    CHECK_OK(whorl_spawn(&go, lock_and_log, "z"));
    CHECK_OK(whorl_yield());
    whorl_group_cancel(&go);
    CHECK_ERR(whorl_group_wait(&go), -ECANCELED);
    CHECK_STR(test_logged(), "x! y! z!");
    whorl_mutex_unlock(&mutex);
    CHECK_OK(whorl_group_wait(&stay));
    CHECK_STR(test_logged(), "x! y! z! a b");
    CHECK(!mutex.owner && !mutex.waiters.first && !mutex.waiters.last);
}

/* A waiter that got the mutex owns it and unlocks it as usual, even if it was cancelled before it
 * ran. */
TEST_VIRTUAL(a_waiter_handed_the_mutex_and_cancelled_in_one_turn_owns_it)
{
    struct whorl_group go = {0}, stay = {0};

    CHECK_OK(whorl_mutex_lock(&mutex));
    CHECK_OK(whorl_spawn(&go, lock_and_log, "a"));
    CHECK_OK(whorl_spawn(&stay, lock_and_log, "b"));
    CHECK_OK(whorl_yield());
    whorl_mutex_unlock(&mutex);
    whorl_group_cancel(&go);
    CHECK_OK(whorl_group_wait(&go));
    CHECK_OK(whorl_group_wait(&stay));
    CHECK_STR(test_logged(), "a b");
    CHECK(!mutex.owner);
}

/* In reverse order: first cancelled, then unlocked. The wake-up goes to the next waiter. */
TEST_VIRTUAL(a_waiter_cancelled_just_before_the_unlock_costs_no_other_its_turn)
{
    struct whorl_group go = {0}, stay = {0};

    CHECK_OK(whorl_mutex_lock(&mutex));
    CHECK_OK(whorl_spawn(&go, lock_and_log, "a"));
    CHECK_OK(whorl_spawn(&stay, lock_and_log, "b"));
    CHECK_OK(whorl_yield());
    whorl_group_cancel(&go);
    whorl_mutex_unlock(&mutex);
    CHECK_ERR(whorl_group_wait(&go), -ECANCELED);
    CHECK_OK(whorl_group_wait(&stay));
    CHECK_STR(test_logged(), "a! b");
    CHECK(!mutex.owner);
}

static int sometimes_cancelled(void *arg)
{
    uintptr_t x = (uintptr_t)arg;

    for (int i = 0; i < 20; i++) {
        struct whorl_scope scope;
        x = x * 1103515245 + 12345;
        whorl_scope_enter(&scope, whorl_after((int64_t)(x >> 16 & 7)));
        int err = whorl_mutex_lock(&mutex);
        if (err == 0) {
            struct whorl_scope shield;
            whorl_scope_enter_shield(&shield, WHORL_FOREVER);
            CHECK_EQ(++inside, 1);
            CHECK_OK(whorl_sleep((int64_t)(x >> 20 & 3)));
            inside--;
            turns++;
            CHECK_OK(whorl_scope_leave(&shield, 0));
            whorl_mutex_unlock(&mutex);
        }
        (void)whorl_scope_leave(&scope, err);
        CHECK(err == 0 || err == -ECANCELED);
    }
    return 0;
}

TEST_SEEDS(timeouts_at_any_instant_lose_no_wake_up)
{
    WHORL_AUTO(group) group = {0};

    turns = 0;
    for (uintptr_t i = 1; i <= 8; i++)
        CHECK_OK(whorl_spawn(&group, sometimes_cancelled, (void *)(i * 7919)));
    CHECK_OK(whorl_group_wait(&group));
    CHECK(turns > 20 && turns < 160);
    CHECK(!mutex.owner && !mutex.waiters.first);
}

/* --- what is not allowed --------------------------------------------------------------------- */

static int unlock_unowned(void *arg)
{
    (void)arg;
    whorl_mutex_unlock(&mutex);
    return 0;
}

static WHORL_SUSPENDS int unlock_anothers(void *arg)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_mutex_lock(&mutex));
    CHECK_OK(whorl_spawn(&group, unlock_unowned, arg));
    return whorl_group_wait(&group);
}

static void run_root(void *arg)
{
    test_ignore(whorl_run_virtual(NULL, *(whorl_task_fn *)arg, NULL));
}

TEST(unlocking_what_one_does_not_own_aborts_with_a_word_why)
{
    static struct child child;

    child_run(&child, run_root, &(whorl_task_fn){unlock_unowned});
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "by the task that locked it"));
    child_run(&child, run_root, &(whorl_task_fn){unlock_anothers});
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "by the task that locked it"));
}

TEST(locking_outside_a_task_says_so)
{
    CHECK_ERR(whorl_mutex_lock(&mutex), WHORL_ENOTASK);
    CHECK_ERR(whorl_mutex_try_lock(&mutex), WHORL_ENOTASK);
}

TEST_MAIN()

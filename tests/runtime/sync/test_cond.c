/* SPDX-License-Identifier: MIT */
/* Condition variables: no signal is lost, and the mutex is always held on return. */
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/sync.h>

#include "test.h"

static struct whorl_mutex mutex;
static struct whorl_cond cond;

struct waiting {
    const char *name;
    struct whorl_scope *scope;
};

static int wait_once(void *arg)
{
    struct waiting *w = arg;
    struct whorl_scope scope;

    CHECK_OK(whorl_mutex_lock(&mutex));
    whorl_scope_enter(&scope, WHORL_FOREVER);
    w->scope = &scope;
    int err = whorl_cond_wait(&cond, &mutex);
    CHECK(mutex.owner == whorl_task_self());
    (void)whorl_scope_leave(&scope, 0);
    test_log("%s%d", w->name, err);
    whorl_mutex_unlock(&mutex);
    return 0;
}

static WHORL_SUSPENDS_SHIELDED void spawn_three(struct whorl_group *group, struct waiting *w)
{
    for (int i = 0; i < 3; i++) {
        w[i].name = (const char *[]){"a", "b", "c"}[i];
        CHECK_OK(whorl_spawn(group, wait_once, &w[i]));
    }
    CHECK_OK(whorl_sleep(1));
    CHECK(!mutex.owner); /* all tasks wait and have unlocked it */
}

TEST_VIRTUAL(cond_signal_wakes_the_longest_waiter_only)
{
    WHORL_AUTO(group) group = {0};
    struct waiting w[3] = {0};

    whorl_cond_signal(&cond); /* no task waits: the signal is not stored */
    whorl_cond_broadcast(&cond);
    spawn_three(&group, w);
    whorl_cond_signal(&cond);
    CHECK_OK(whorl_sleep(1));
    CHECK_STR(test_logged(), "a0");
    whorl_cond_signal(&cond);
    whorl_cond_signal(&cond);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a0 b0 c0");
}

TEST_VIRTUAL(cond_broadcast_wakes_all_one_after_the_other)
{
    WHORL_AUTO(group) group = {0};
    struct waiting w[3] = {0};

    spawn_three(&group, w);
    CHECK_OK(whorl_mutex_lock(&mutex));
    whorl_cond_broadcast(&cond);
    CHECK_OK(whorl_sleep(1));
    CHECK_STR(test_logged(), ""); /* the waiters do not have the mutex yet */
    whorl_mutex_unlock(&mutex);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a0 b0 c0");
}

TEST_VIRTUAL(cond_waiter_that_is_cancelled_returns_with_the_mutex)
{
    WHORL_AUTO(group) group = {0};
    struct waiting w[3] = {0};

    spawn_three(&group, w);
    CHECK_OK(whorl_mutex_lock(&mutex));
    whorl_scope_cancel(w[0].scope);
    CHECK_OK(whorl_sleep(1));
    CHECK_STR(test_logged(), ""); /* the cancelled task waits for the mutex, shielded */
    whorl_mutex_unlock(&mutex);
    CHECK_OK(whorl_sleep(1));
    CHECK_STR(test_logged(), "a-125");
    whorl_cond_broadcast(&cond);
    CHECK_OK(whorl_group_wait(&group));
}

TEST_VIRTUAL(cond_passes_on_the_signal_of_a_waiter_cancelled_after_it)
{
    WHORL_AUTO(group) group = {0};
    struct waiting w[3] = {0};

    spawn_three(&group, w);
    whorl_cond_signal(&cond);
    whorl_scope_cancel(w[0].scope);
    CHECK_OK(whorl_sleep(1));
    CHECK_STR(test_logged(), "a-125 b0");
    whorl_cond_signal(&cond);
    CHECK_OK(whorl_group_wait(&group));
}

TEST_VIRTUAL(cond_passes_on_the_signal_of_a_waiter_cancelled_while_it_waits_for_the_mutex)
{
    WHORL_AUTO(group) group = {0};
    struct waiting w[3] = {0};

    spawn_three(&group, w);
    CHECK_OK(whorl_mutex_lock(&mutex));
    whorl_cond_signal(&cond);
    CHECK_OK(whorl_sleep(1));
    whorl_scope_cancel(w[0].scope);
    whorl_mutex_unlock(&mutex);
    CHECK_OK(whorl_sleep(1));
    CHECK_STR(test_logged(), "a-125 b0");
    whorl_cond_broadcast(&cond);
    CHECK_OK(whorl_group_wait(&group));
}

TEST_VIRTUAL(cond_in_a_cancelled_scope_does_not_let_go_of_the_mutex)
{
    struct whorl_scope scope;

    CHECK_OK(whorl_mutex_lock(&mutex));
    whorl_scope_enter(&scope, WHORL_FOREVER);
    whorl_scope_cancel(&scope);
    CHECK_ERR(whorl_cond_wait(&cond, &mutex), -ECANCELED);
    CHECK(mutex.owner == whorl_task_self());
    (void)whorl_scope_leave(&scope, 0);
    whorl_mutex_unlock(&mutex);
}

TEST(cond_outside_a_task_is_refused)
{
    CHECK_ERR(whorl_cond_wait(&cond, &mutex), WHORL_ENOTASK);
}

/* --- producers and consumers ------------------------------------------------------------------ */

#define ITEMS 40

struct store {
    struct whorl_mutex mutex;
    struct whorl_cond filled, emptied;
    int items, consumed, produced;
    uint64_t random;
};

static int64_t draw(struct store *store, int64_t n)
{
    store->random = store->random * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)(store->random >> 33) % n;
}

static int produce(void *arg)
{
    struct store *store = arg;

    for (int i = 0; i < ITEMS; i++) {
        CHECK_OK(whorl_mutex_lock(&store->mutex));
        while (store->items == 2)
            CHECK_OK(whorl_cond_wait(&store->emptied, &store->mutex));
        store->items++;
        store->produced++;
        whorl_cond_signal(&store->filled);
        whorl_mutex_unlock(&store->mutex);
        if (draw(store, 2))
            CHECK_OK(whorl_sleep(draw(store, 3)));
    }
    return 0;
}

/* Sometimes waits with a time limit. A task that waits without a limit must not miss a signal
 * because of that. */
static int consume(void *arg)
{
    struct store *store = arg;

    for (int i = 0; i < ITEMS;) {
        struct whorl_scope scope;
        int err = 0;
        whorl_scope_enter(&scope, draw(store, 2) ? WHORL_FOREVER : whorl_after(draw(store, 3)));
        CHECK(whorl_mutex_lock(&store->mutex) == 0 || whorl_check_cancelled());
        if (store->mutex.owner == whorl_task_self()) {
            while (store->items == 0 && err == 0)
                err = whorl_cond_wait(&store->filled, &store->mutex);
            if (err == 0) {
                store->items--;
                store->consumed++;
                i++;
                whorl_cond_signal(&store->emptied);
            }
            whorl_mutex_unlock(&store->mutex);
        }
        (void)whorl_scope_leave(&scope, 0);
        CHECK_OK(whorl_yield());
    }
    return 0;
}

TEST_SEEDS(cond_loses_no_wake_up_in_any_order)
{
    struct store store = {.random = test_seed()};
    WHORL_AUTO(group) group = {0};

    for (int i = 0; i < 3; i++) {
        CHECK_OK(whorl_spawn(&group, produce, &store));
        CHECK_OK(whorl_spawn(&group, consume, &store));
    }
    CHECK_OK(whorl_group_wait(&group)); /* a lost signal would cause a deadlock */
    CHECK_EQ(store.consumed, 3 * ITEMS);
    CHECK_EQ(store.items, 0);
}

/* --- deadlock --------------------------------------------------------------------------------- */

static int hold_shielded(void *arg)
{
    struct whorl_event never = {0};
    struct whorl_scope shield;

    (void)arg;
    CHECK_OK(whorl_mutex_lock(&mutex));
    whorl_scope_enter_shield(&shield, WHORL_FOREVER);
    int err = whorl_event_wait(&never);
    (void)whorl_scope_leave(&shield, 0);
    whorl_mutex_unlock(&mutex);
    return err;
}

static int deadlock(void *arg)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct waiting w = {.name = "w"};

    (void)arg;
    CHECK_OK(whorl_spawn(&group, wait_once, &w));
    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_spawn(&group, hold_shielded, NULL));
    CHECK_OK(whorl_yield());
    whorl_cond_signal(&cond);
    return whorl_group_wait(&group);
}

/* Even when a deadlock is broken in spite of shields, the wait must not return without the
 * mutex. */
TEST(cond_waiter_in_a_deadlock_has_the_mutex_when_the_deadlock_is_broken)
{
    struct whorl_virtual_options options = {.run.quiet = true};

    CHECK_ERR(whorl_run_virtual(&options, deadlock, NULL), -EDEADLK);
    CHECK_STR(test_logged(), "w-125");
    CHECK(!mutex.owner);
}

TEST_MAIN()

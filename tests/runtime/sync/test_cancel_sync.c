/* SPDX-License-Identifier: MIT */
/* Every primitive of sync.h, with a task that is cancelled at every point: no other task misses a
 * wake-up, and the cancelled task leaves nothing behind. */
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/sync.h>

#include "cancel.h"
#include "test.h"

enum { ROUNDS = 3 };

/* --- mutex ------------------------------------------------------------------------------------ */

static struct {
    struct whorl_mutex mutex;
    int inside;
} room;

static int use_mutex(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        int err = whorl_mutex_lock(&room.mutex);
        if (err)
            return err;
        CHECK_EQ(++room.inside, 1);
        err = whorl_sleep(1);
        room.inside--;
        whorl_mutex_unlock(&room.mutex);
        if (err)
            return err;
    }
    return 0;
}

static void end_mutex(void)
{
    CHECK(!room.mutex.owner && !room.mutex.waiters.first && !room.mutex.waiters.last);
}

TEST_SEEDS(mutex_with_a_user_cancelled_at_any_point)
{
    CHECK(cancel_everywhere(&(struct cancel_plan){use_mutex, use_mutex, 3, NULL, end_mutex}) > 0);
}

/* --- read-write lock -------------------------------------------------------------------------- */

static struct {
    struct whorl_rwlock lock;
    int readers, writers;
} table;

static int use_rwlock(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        bool writes = (cancel_number(arg) + i) % 3 == 0;
        int err =
            writes ? whorl_rwlock_write_lock(&table.lock) : whorl_rwlock_read_lock(&table.lock);
        if (err)
            return err;
        int *inside = writes ? &table.writers : &table.readers;
        ++*inside;
        CHECK(writes ? table.writers == 1 && table.readers == 0 : table.writers == 0);
        err = whorl_sleep(1 + i);
        --*inside;
        whorl_rwlock_unlock(&table.lock);
        if (err)
            return err;
    }
    return 0;
}

static void end_rwlock(void)
{
    CHECK(!table.lock.writer && table.lock.readers == 0 && table.lock.readers_mixed == 0);
    CHECK(!table.lock.waiters.first && !table.lock.waiters.last);
}

TEST_SEEDS(rwlock_with_a_user_cancelled_at_any_point)
{
    CHECK(cancel_everywhere(&(struct cancel_plan){use_rwlock, use_rwlock, 5, NULL, end_rwlock}) >
          0);
}

/* --- semaphore -------------------------------------------------------------------------------- */

static struct {
    struct whorl_semaphore semaphore;
    int inside;
} slots = {.semaphore.permits = 2};

static int use_semaphore(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        int err = whorl_semaphore_acquire(&slots.semaphore);
        if (err)
            return err;
        CHECK(++slots.inside <= 2);
        err = whorl_sleep(1 + cancel_number(arg) % 2);
        slots.inside--;
        whorl_semaphore_release(&slots.semaphore);
        if (err)
            return err;
    }
    return 0;
}

static void end_semaphore(void)
{
    CHECK_EQ(slots.semaphore.permits, 2);
    CHECK(!slots.semaphore.waiters.first && !slots.semaphore.waiters.last);
}

TEST_SEEDS(semaphore_with_a_user_cancelled_at_any_point)
{
    CHECK(cancel_everywhere(
              &(struct cancel_plan){use_semaphore, use_semaphore, 4, NULL, end_semaphore}) > 0);
}

/* --- condition -------------------------------------------------------------------------------- */

/* One item at a time; the next one is stored only when the last one was taken. A lost signal would
 * stop all tasks. */
static struct {
    struct whorl_mutex mutex;
    struct whorl_cond filled, emptied;
    int items, consumed;
    bool closed;
} store;

enum { ITEMS = 6 };

static void begin_store(void)
{
    store.consumed = 0;
    store.closed = false;
}

static WHORL_SUSPENDS int produce(void)
{
    CHECK_OK(whorl_mutex_lock(&store.mutex));
    for (int i = 0; i < ITEMS; i++) {
        store.items++;
        whorl_cond_signal(&store.filled);
        while (store.items > 0)
            CHECK_OK(whorl_cond_wait(&store.emptied, &store.mutex));
    }
    store.closed = true;
    whorl_cond_broadcast(&store.filled);
    whorl_mutex_unlock(&store.mutex);
    return 0;
}

static int consume(void *arg)
{
    int err = whorl_mutex_lock(&store.mutex);

    (void)arg;
    if (err)
        return err;
    for (;;) {
        while (store.items == 0 && !store.closed && err == 0) {
            err = whorl_cond_wait(&store.filled, &store.mutex);
            CHECK(store.mutex.owner == whorl_task_self());
        }
        if (err || store.items == 0)
            break;
        store.items--;
        store.consumed++;
        whorl_cond_signal(&store.emptied);
    }
    whorl_mutex_unlock(&store.mutex);
    return err;
}

static int produce_or_consume(void *arg)
{
    return cancel_number(arg) == 3 ? produce() : consume(arg);
}

static void end_store(void)
{
    CHECK_EQ(store.consumed, ITEMS);
    CHECK_EQ(store.items, 0);
    CHECK(!store.mutex.owner && !store.mutex.waiters.first);
    CHECK(!store.filled.waiters.first && !store.emptied.waiters.first);
}

TEST_SEEDS(cond_with_a_consumer_cancelled_at_any_point)
{
    CHECK(cancel_everywhere(
              &(struct cancel_plan){consume, produce_or_consume, 3, begin_store, end_store}) > 0);
}

/* --- barrier ---------------------------------------------------------------------------------- */

/* Another task takes the place of the cancelled one in the remaining rounds; otherwise the others
 * would wait for ever. */
static struct {
    struct whorl_barrier barrier;
    struct whorl_event left;
    int done, lasts;
} meeting = {.barrier.parties = 3};

static void begin_barrier(void)
{
    meeting.done = meeting.lasts = 0;
    whorl_event_reset(&meeting.left);
}

static WHORL_SUSPENDS int meet(int rounds, int *done)
{
    for (int i = 0; i < rounds; i++) {
        int last = whorl_barrier_wait(&meeting.barrier);
        if (last < 0)
            return last;
        meeting.lasts += last;
        ++*done;
    }
    return 0;
}

static int meet_until_cancelled(void *arg)
{
    (void)arg;
    int err = meet(ROUNDS, &meeting.done);
    whorl_event_set(&meeting.left);
    return err;
}

static int meet_or_replace(void *arg)
{
    int done = 0;

    if (cancel_number(arg) < 3)
        return meet(ROUNDS, &done);
    CHECK_OK(whorl_event_wait(&meeting.left));
    return meet(ROUNDS - meeting.done, &done);
}

static void end_barrier(void)
{
    CHECK_EQ(meeting.lasts, ROUNDS);
    CHECK_EQ(meeting.barrier.arrived, 0);
    CHECK(!meeting.barrier.waiters.first && !meeting.barrier.waiters.last);
}

TEST_SEEDS(barrier_with_a_party_cancelled_at_any_point)
{
    CHECK(cancel_everywhere(&(struct cancel_plan){meet_until_cancelled, meet_or_replace, 3,
                                                  begin_barrier, end_barrier}) > 0);
}

/* --- wait group and event --------------------------------------------------------------------- */

static struct {
    struct whorl_wait_group wait_group;
    struct whorl_event event;
    int through;
} gate;

static void begin_gate(void)
{
    gate.through = 0;
    gate.wait_group.count = ROUNDS;
    whorl_event_reset(&gate.event);
}

static int pass_gate(void *arg)
{
    (void)arg;
    int err = whorl_wait_group_wait(&gate.wait_group);
    if (err)
        return err;
    CHECK_EQ(gate.wait_group.count, 0);
    err = whorl_event_wait(&gate.event);
    if (err)
        return err;
    CHECK(whorl_event_is_set(&gate.event));
    gate.through++;
    return 0;
}

static int pass_or_open(void *arg)
{
    if (cancel_number(arg) < 4)
        return pass_gate(arg);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_OK(whorl_sleep(1));
        whorl_wait_group_done(&gate.wait_group);
    }
    CHECK_OK(whorl_sleep(1));
    whorl_event_set(&gate.event);
    return 0;
}

static void end_gate(void)
{
    CHECK(gate.through >= 3);
    CHECK(!gate.wait_group.waiters.first && !gate.wait_group.waiters.last);
    CHECK(!gate.event.waiters.first && !gate.event.waiters.last);
}

TEST_SEEDS(wait_group_and_event_with_a_waiter_cancelled_at_any_point)
{
    CHECK(cancel_everywhere(
              &(struct cancel_plan){pass_gate, pass_or_open, 4, begin_gate, end_gate}) > 0);
}

/* --- once ------------------------------------------------------------------------------------- */

static struct {
    struct whorl_once once;
    int running, failed, succeeded;
} setup;

static void begin_once(void)
{
    memset(&setup, 0, sizeof setup);
}

/* Fails twice before it succeeds. */
static int set_up(void *arg)
{
    (void)arg;
    CHECK_EQ(++setup.running, 1);
    int err = whorl_sleep(1);
    setup.running--;
    if (err)
        return err;
    if (setup.failed < 2) {
        setup.failed++;
        return -EIO;
    }
    setup.succeeded++;
    return 0;
}

static int use_once(void *arg)
{
    int err;

    do
        err = whorl_once_run(&setup.once, set_up, arg);
    while (err == -EIO);
    CHECK(err || setup.succeeded == 1);
    return err;
}

static void end_once(void)
{
    CHECK_EQ(setup.succeeded, 1);
    CHECK_EQ(setup.once.state, WHORL_ONCE_DONE);
    CHECK(!setup.once.runner && !setup.once.waiters.first && !setup.once.waiters.last);
}

TEST_SEEDS(once_with_a_user_cancelled_at_any_point)
{
    CHECK(cancel_everywhere(&(struct cancel_plan){use_once, use_once, 3, begin_once, end_once}) >
          0);
}

TEST_MAIN()

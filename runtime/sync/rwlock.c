/* SPDX-License-Identifier: MIT */
/* Read-write locks. One queue for readers and writers keeps the order of arrival. Unlocking passes
 * the lock directly to the next waiters, so no other task can take it in between.
 *
 *     held by        queue            unlock passes it to
 *     reader r1      W R R W          the writer, if r1 was the last reader
 *     writer         R R W R          both readers, then the writer when both have unlocked
 *     reader r1      W(cancelled) R   the reader, as soon as W is cancelled
 */
#include <stdio.h>

#include "runtime/base/check.h"
#include "runtime/debug/circle.h"
#include "runtime/debug/dump.h"
#include "runtime/sched.h"
#include "runtime/sync/wait_queue.h"

struct waiting {
    struct whorl_waiter waiter;
    struct whorl_rwlock *lock;
    struct whorl_task *task; /* the waiting task; waiter.task is set only when it parks */
    bool writes;
};

static void let_in(struct whorl_rwlock *lock, const struct whorl_task *reader)
{
    lock->readers++;
    lock->readers_mixed ^= (uintptr_t)reader;
}

/* Passes the lock to the first waiters that may have it: one writer, or readers up to the next
 * writer. */
static void hand_on(struct whorl_rwlock *lock)
{
    while (lock->waiters.first && !lock->writer) {
        struct waiting *first = container_of(lock->waiters.first, struct waiting, waiter);
        if (first->writes && lock->readers > 0)
            return;
        wait_queue_pop(&lock->waiters);
        if (first->writes)
            lock->writer = first->task;
        else
            let_in(lock, first->task);
        whorl_wake(&first->waiter, 0);
    }
}

static enum whorl_abort withdraw(struct whorl_waiter *waiter)
{
    struct waiting *waiting = container_of(waiter, struct waiting, waiter);

    wait_queue_remove(&waiting->lock->waiters, waiter);
    hand_on(waiting->lock); /* the readers behind it may have waited only for this writer */
    return WHORL_ABORT_DONE;
}

/* The writer, or the reader when there is exactly one. NULL when there are several readers. */
static struct whorl_task *holder(const struct whorl_waiter *waiter)
{
    const struct whorl_rwlock *lock = container_of(waiter, const struct waiting, waiter)->lock;

    return lock->writer         ? lock->writer
           : lock->readers == 1 ? (struct whorl_task *)lock->readers_mixed
                                : NULL;
}

static void describe(const struct whorl_waiter *waiter, char *text, size_t size)
{
    const struct waiting *waiting = container_of(waiter, const struct waiting, waiter);
    const struct whorl_rwlock *lock = waiting->lock;

    size_t len = wait_queue_describe(text, size, waiting->writes ? "write lock" : "read lock",
                                     lock->name, lock);
    struct whorl_task *task = holder(waiter);
    if (task)
        snprintf(text + len, size - len, " held by %s", dump_name_of(task));
    else
        snprintf(text + len, size - len, " held by %zu reader%s", lock->readers,
                 lock->readers == 1 ? "" : "s");
}

static const struct whorl_wait_kind kind = {describe, holder};

static void touch(struct whorl_rwlock *lock)
{
    wait_queue_touch(&lock->waiters, "read-write lock", lock->name);
}

int whorl_rwlock_try_read_lock(struct whorl_rwlock *lock)
{
    touch(lock);
    if (lock->writer || lock->waiters.first)
        return -EAGAIN;
    let_in(lock, sched_current());
    return 0;
}

int whorl_rwlock_try_write_lock(struct whorl_rwlock *lock)
{
    struct whorl_task *self = sched_current();

    if (!self)
        return WHORL_ENOTASK;
    touch(lock);
    if (lock->writer || lock->readers > 0 || lock->waiters.first)
        return -EAGAIN;
    lock->writer = self;
    return 0;
}

static WHORL_SUSPENDS int lock_either(struct whorl_rwlock *lock, bool writes)
{
    struct whorl_task *self;
    struct sched *s;

    int err = sched_enter(&s, &self);
    if (err)
        return err;
    if (lock->writer == self)
        return -EDEADLK;
    err = writes ? whorl_rwlock_try_write_lock(lock) : whorl_rwlock_try_read_lock(lock);
    if (err != -EAGAIN)
        return err;
    struct waiting waiting = {.waiter.kind = &kind, .lock = lock, .task = self, .writes = writes};
    wait_queue_append(&lock->waiters, &waiting.waiter);
    return (int)circle_park(&waiting.waiter, withdraw, writes ? "write lock" : "read lock");
}

WHORL_SUSPENDS int whorl_rwlock_read_lock(struct whorl_rwlock *lock)
{
    return lock_either(lock, false);
}

WHORL_SUSPENDS int whorl_rwlock_write_lock(struct whorl_rwlock *lock)
{
    return lock_either(lock, true);
}

void whorl_rwlock_unlock(struct whorl_rwlock *lock)
{
    touch(lock);
    if (lock->writer) {
        whorl_check_text(lock->writer == sched_current(),
                         "a write lock must be unlocked by the task that holds it");
        lock->writer = NULL;
    } else {
        whorl_check_text(lock->readers > 0, "a read-write lock was unlocked that no task holds");
        lock->readers--;
        lock->readers_mixed ^= (uintptr_t)sched_current();
    }
    hand_on(lock);
}

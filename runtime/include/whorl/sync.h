/* SPDX-License-Identifier: MIT */
/* Events, mutexes, semaphores, read-write locks, condition variables, barriers, wait groups and
 * once, between tasks of one run.
 *
 * Tasks switch only at suspending calls, so plain data needs none of these. They are for orders
 * that span suspending calls: keeping others out while one waits for a disk, telling many that
 * something has happened, or allowing only so many at a time. All are FIFO-fair, and a waiter that
 * is cancelled leaves no trace and loses nobody's wake-up. Zero-initialised is valid for each; none
 * needs a destructor. Each may be given a `name`, static text for reports: a task then waits for
 * `mutex "log" held by worker-3`. For another thread's tasks, see chan.h and the `_remote` calls.
 *
 *     static struct whorl_mutex log_lock = {.name = "log"};
 *
 *     int err = whorl_mutex_lock(&log_lock);
 *     if (err)
 *         return err;
 *     err = write_record(fd);                  // suspends; nobody else writes meanwhile
 *     whorl_mutex_unlock(&log_lock);
 */
#ifndef WHORL_SYNC_H
#define WHORL_SYNC_H

#include <whorl/base.h>
#include <whorl/park.h>
#include <whorl/task.h>

/* Waiters in the order of their arrival. */
struct whorl_wait_queue {
    struct whorl_waiter *first, *last;
};

/* Set once, seen by all: waits return at once while it is set. */
struct whorl_event {
    struct whorl_wait_queue waiters;
    bool is_set;
    const char *name;
};

/* One owner at a time. Unlocking hands it to the longest waiter; nobody can slip in between. */
struct whorl_mutex {
    struct whorl_wait_queue waiters;
    struct whorl_task *owner;
    const char *name;
};

/* A number of permits; `permits` is the initial number: `{.permits = 4}`. */
struct whorl_semaphore {
    size_t permits;
    struct whorl_wait_queue waiters;
    const char *name;
};

/* Many readers or one writer. First come, first served: a reader behind a waiting writer waits too,
 * so writers are not starved, and readers that wait side by side get in together. */
struct whorl_rwlock {
    struct whorl_wait_queue waiters;
    size_t readers;
    struct whorl_task *writer;
    uintptr_t readers_mixed; /* exclusive or of their tasks: the reader, if it is one */
    const char *name;
};

/* Where tasks wait for a change that others make under the same mutex. */
struct whorl_cond {
    struct whorl_wait_queue waiters;
    const char *name;
};

/* A place where `parties` tasks wait for each other, again and again: `{.parties = 4}`. */
struct whorl_barrier {
    size_t parties;
    size_t arrived;
    struct whorl_wait_queue waiters;
    const char *name;
};

/* Counts down to zero, or up and down: `{.count = 3}`. What others call a wait group. */
struct whorl_wait_group {
    size_t count;
    struct whorl_wait_queue waiters;
    const char *name;
};

/* Something done by whoever comes first, once, while the others wait. */
struct whorl_once {
    struct whorl_wait_queue waiters;
    enum whorl_once_state { WHORL_ONCE_NEW, WHORL_ONCE_RUNNING, WHORL_ONCE_DONE } state;
    struct whorl_task *runner; /* while RUNNING */
    const char *name;
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Waits until the event is set.
 *
 * Returns:  0; WHORL_ENOTASK.
 * Suspends: while it is not set.
 * Cancel:   -ECANCELED.
 */
WHORL_API WHORL_SUSPENDS int whorl_event_wait(struct whorl_event *event);

/** Sets the event and wakes all who wait, in the order of their arrival. Never suspends. */
WHORL_API void whorl_event_set(struct whorl_event *event);

/** Unsets it; those already woken still return 0. Never suspends. */
WHORL_API void whorl_event_reset(struct whorl_event *event);

/** Whether it is set. */
WHORL_API bool whorl_event_is_set(const struct whorl_event *event);

/**
 * Locks the mutex.
 *
 * Returns:  0; -EDEADLK when the caller owns it already; WHORL_ENOTASK.
 * Suspends: while another task owns it.
 * Cancel:   -ECANCELED; the mutex is not owned. Already handed over: 0.
 */
WHORL_API WHORL_SUSPENDS int whorl_mutex_lock(struct whorl_mutex *mutex);

/** Locks if free: 0, or -EAGAIN. Never suspends, no cancel point. */
WHORL_API WHORL_CHECKED int whorl_mutex_try_lock(struct whorl_mutex *mutex);

/** Unlocks; the caller must own it. Never suspends. */
WHORL_API void whorl_mutex_unlock(struct whorl_mutex *mutex);

/**
 * Takes one permit.
 *
 * Returns:  0; WHORL_ENOTASK.
 * Suspends: while there is none, or others wait already.
 * Cancel:   -ECANCELED; no permit is taken.
 */
WHORL_API WHORL_SUSPENDS int whorl_semaphore_acquire(struct whorl_semaphore *semaphore);

/** Takes a permit if there is one and nobody waits: 0, or -EAGAIN. Never suspends. */
WHORL_API WHORL_CHECKED int whorl_semaphore_try_acquire(struct whorl_semaphore *semaphore);

/** Gives one permit back or adds one; goes to the longest waiter if any. Never suspends. */
WHORL_API void whorl_semaphore_release(struct whorl_semaphore *semaphore);

/**
 * Locks for reading, beside other readers.
 *
 * Returns:  0; -EDEADLK when the caller holds it for writing; WHORL_ENOTASK.
 * Suspends: while a writer holds it or waits.
 * Cancel:   -ECANCELED; the lock is not held.
 */
WHORL_API WHORL_SUSPENDS int whorl_rwlock_read_lock(struct whorl_rwlock *lock);

/**
 * Locks for writing, alone.
 *
 * Returns:  0; -EDEADLK when the caller holds it for writing; WHORL_ENOTASK.
 * Suspends: while anybody holds it.
 * Cancel:   -ECANCELED; the lock is not held, and readers that waited behind go on.
 */
WHORL_API WHORL_SUSPENDS int whorl_rwlock_write_lock(struct whorl_rwlock *lock);

/** Locks for reading if that takes no waiting: 0, or -EAGAIN. Never suspends. */
WHORL_API WHORL_CHECKED int whorl_rwlock_try_read_lock(struct whorl_rwlock *lock);

/** Locks for writing if that takes no waiting: 0, or -EAGAIN. Never suspends. */
WHORL_API WHORL_CHECKED int whorl_rwlock_try_write_lock(struct whorl_rwlock *lock);

/** Gives back what the caller holds, whichever it is. Never suspends. */
WHORL_API void whorl_rwlock_unlock(struct whorl_rwlock *lock);

/**
 * Unlocks `mutex`, waits for a signal, and locks `mutex` again. Check the condition in a loop.
 *
 * Returns:  0; WHORL_ENOTASK. The mutex is held in every case.
 * Suspends: until signalled and the mutex is free.
 * Cancel:   -ECANCELED, with the mutex held (waiting for it is shielded). A signal that had reached
 *           the caller is passed on to the next waiter, so none is lost.
 */
WHORL_API WHORL_SUSPENDS int whorl_cond_wait(struct whorl_cond *cond, struct whorl_mutex *mutex);

/** Wakes the longest waiter, if any. Never suspends. */
WHORL_API void whorl_cond_signal(struct whorl_cond *cond);

/** Wakes all who wait now. Never suspends. */
WHORL_API void whorl_cond_broadcast(struct whorl_cond *cond);

/**
 * Waits until as many tasks have arrived as the barrier has parties; then it is ready for the next
 * round.
 *
 * Returns:  0; 1 to the last to arrive, in each round; -EINVAL for a barrier without parties;
 *           WHORL_ENOTASK.
 * Suspends: until the last has arrived, except in the last.
 * Cancel:   -ECANCELED; the caller counts as not having arrived.
 */
WHORL_API WHORL_SUSPENDS int whorl_barrier_wait(struct whorl_barrier *barrier);

/** Adds `n` to the count. Never suspends. */
WHORL_API void whorl_wait_group_add(struct whorl_wait_group *wait_group, size_t n);

/** Takes one off the count, which must not be zero; at zero all waiters go on. Never suspends. */
WHORL_API void whorl_wait_group_done(struct whorl_wait_group *wait_group);

/**
 * Waits until the count is zero.
 *
 * Returns:  0; WHORL_ENOTASK.
 * Suspends: while it is not.
 * Cancel:   -ECANCELED.
 */
WHORL_API WHORL_SUSPENDS int whorl_wait_group_wait(struct whorl_wait_group *wait_group);

/**
 * Runs `fn(arg)` if nobody has yet, or waits for who does. A failure leaves it undone: the next
 * one, one who waited if any, tries again.
 *
 * @fn  may suspend. Done is when it returns 0 or, which nobody is told, a positive number: those
 *      who waited cannot know it, and the one who ran it is to learn nothing else
 *
 * Returns:  0 once it is done; what `fn` failed with to the one who ran it; -EDEADLK inside `fn`;
 *           WHORL_ENOTASK.
 * Suspends: while another task runs it, and as `fn` does.
 * Cancel:   -ECANCELED.
 */
WHORL_API WHORL_SUSPENDS int whorl_once_run(struct whorl_once *once, whorl_task_fn fn, void *arg);

/* For implementers: FIFO queues of waiters. Both are constant-time and never suspend. */

/** Parks the running task at the end of `queue`; a cancelled waiter is taken out again. */
WHORL_API WHORL_SUSPENDS int64_t whorl_wait_queue_park(struct whorl_wait_queue *queue,
                                                       const char *what);

/** Wakes the longest waiter with `result`; false when there is none. */
WHORL_API bool whorl_wait_queue_wake_one(struct whorl_wait_queue *queue, int64_t result);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* Events, mutexes, semaphores, read-write locks, condition variables, barriers, wait groups and
 * once, for the tasks of one run.
 *
 * Tasks switch only in suspending calls, so plain data needs no lock. These objects are for what
 * lasts across suspending calls: a task that keeps others out while it waits for a disk, an event
 * that many tasks wait for, a limit on how many tasks do something at a time. Waiters are served in
 * the order of their arrival. A waiter that is cancelled leaves nothing behind, and no other waiter
 * loses its wake-up. Zero-initialised is valid for each object unless its comment says otherwise,
 * and none needs a destructor. Each has a `name`, static text for reports, which then say `mutex
 * "log" held by worker-3`. For the tasks of other threads see chan.h and the `_remote` calls.
 *
 *     static struct whorl_mutex log_lock = {.name = "log"};
 *
 *     static WHORL_SUSPENDS int write_record(int fd, const char *text)
 *     {
 *         int err = whorl_mutex_lock(&log_lock);
 *         if (err)
 *             return err;
 *         err = whorl_write_all(fd, text, strlen(text));  // no other task writes meanwhile
 *         whorl_mutex_unlock(&log_lock);
 *         return err;
 *     }
 */
#ifndef WHORL_SYNC_H
#define WHORL_SYNC_H

#include <whorl/base.h>
#include <whorl/park.h>
#include <whorl/task.h>

/* Waiters in the order of their arrival. */
struct whorl_wait_queue {
    struct whorl_waiter *first, *last;
    uint64_t run; /* private: the run that uses the object, set with WHORL_DEBUG=check */
};

/* A condition that is set or not. While it is set, waits return at once. */
struct whorl_event {
    struct whorl_wait_queue waiters;
    bool is_set;
    const char *name;
};

/* A lock with one owner at a time. Unlocking hands it to the task that has waited longest, so no
 * other task can lock it in between. */
struct whorl_mutex {
    struct whorl_wait_queue waiters;
    struct whorl_task *owner;
    const char *name;
};

/* A number of permits. `permits` is initialised with that number: `{.permits = 4}`. */
struct whorl_semaphore {
    size_t permits;
    struct whorl_wait_queue waiters;
    const char *name;
};

/* A lock for many readers or one writer, in the order of arrival. A reader that comes after a
 * waiting writer waits too, so writers are not kept out for ever. Readers that are next to each
 * other in the queue get the lock together. */
struct whorl_rwlock {
    struct whorl_wait_queue waiters;
    size_t readers;
    struct whorl_task *writer;
    uintptr_t readers_mixed; /* XOR of the readers' task pointers: with one reader, its task */
    const char *name;
};

/* A place where tasks wait for a change of data that is protected by a mutex. */
struct whorl_cond {
    struct whorl_wait_queue waiters;
    const char *name;
};

/* A point where tasks wait until `parties` have arrived, in each round: `{.parties = 4}`. */
struct whorl_barrier {
    size_t parties;
    size_t arrived;
    struct whorl_wait_queue waiters;
    const char *name;
};

/* A counter that tasks wait for until it is zero: `{.count = 3}`. */
struct whorl_wait_group {
    size_t count;
    struct whorl_wait_queue waiters;
    const char *name;
};

/* Work that is done once, by the first task that comes, while the others wait. */
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

/** Sets the event and wakes all waiters, in the order of their arrival. Never suspends. */
WHORL_API void whorl_event_set(struct whorl_event *event);

/** Unsets the event. Waiters that were woken before still return 0. Never suspends. */
WHORL_API void whorl_event_reset(struct whorl_event *event);

/** Whether the event is set. Never suspends. */
WHORL_API bool whorl_event_is_set(const struct whorl_event *event);

/**
 * Locks the mutex.
 *
 * Returns:  0; -EDEADLK when the calling task owns it already; WHORL_ENOTASK.
 * Suspends: while another task owns it.
 * Cancel:   -ECANCELED; the caller does not own the mutex. If it was already handed over, 0.
 */
WHORL_API WHORL_SUSPENDS int whorl_mutex_lock(struct whorl_mutex *mutex);

/**
 * Locks the mutex if it is free. Never suspends and is no cancel point.
 *
 * Returns: 0; -EAGAIN when a task owns the mutex, also when the calling task does; WHORL_ENOTASK.
 */
WHORL_API WHORL_CHECKED int whorl_mutex_try_lock(struct whorl_mutex *mutex);

/** Unlocks the mutex, which the calling task must own. Never suspends. */
WHORL_API void whorl_mutex_unlock(struct whorl_mutex *mutex);

/**
 * Takes one permit.
 *
 * Returns:  0; WHORL_ENOTASK.
 * Suspends: while there is no permit, or other tasks wait for one already.
 * Cancel:   -ECANCELED; no permit is taken.
 */
WHORL_API WHORL_SUSPENDS int whorl_semaphore_acquire(struct whorl_semaphore *semaphore);

/** Takes a permit if there is one and no task waits: 0, else -EAGAIN. Never suspends. */
WHORL_API WHORL_CHECKED int whorl_semaphore_try_acquire(struct whorl_semaphore *semaphore);

/** Gives a permit back, or adds a new one. The task that has waited longest gets it. Never
 *  suspends. */
WHORL_API void whorl_semaphore_release(struct whorl_semaphore *semaphore);

/**
 * Locks for reading, together with other readers.
 *
 * Returns:  0; -EDEADLK when the calling task holds the lock for writing; WHORL_ENOTASK.
 * Suspends: while a writer holds the lock or waits for it.
 * Cancel:   -ECANCELED; the lock is not held.
 */
WHORL_API WHORL_SUSPENDS int whorl_rwlock_read_lock(struct whorl_rwlock *lock);

/**
 * Locks for writing, alone.
 *
 * Returns:  0; -EDEADLK when the calling task holds the lock for writing; WHORL_ENOTASK.
 * Suspends: while any task holds the lock.
 * Cancel:   -ECANCELED; the lock is not held. Readers that waited behind this writer get it.
 */
WHORL_API WHORL_SUSPENDS int whorl_rwlock_write_lock(struct whorl_rwlock *lock);

/** Locks for reading if that is possible without waiting: 0, else -EAGAIN. Never suspends. */
WHORL_API WHORL_CHECKED int whorl_rwlock_try_read_lock(struct whorl_rwlock *lock);

/**
 * Locks for writing if that is possible without waiting. Never suspends.
 *
 * Returns: 0; -EAGAIN when other tasks hold the lock or wait for it, or the calling task holds it;
 *          WHORL_ENOTASK.
 */
WHORL_API WHORL_CHECKED int whorl_rwlock_try_write_lock(struct whorl_rwlock *lock);

/** Unlocks what the calling task holds, for reading or for writing. Never suspends. */
WHORL_API void whorl_rwlock_unlock(struct whorl_rwlock *lock);

/**
 * Unlocks `mutex`, waits for a signal, and locks `mutex` again. Check the condition in a loop.
 *
 * Returns:  0; WHORL_ENOTASK. The mutex is held in every case.
 * Suspends: until the signal has come and the mutex is free.
 * Cancel:   -ECANCELED, with the mutex held: waiting for the mutex is shielded. If a signal had
 *           already reached the caller, it is passed on to the next waiter, so no signal is lost.
 */
WHORL_API WHORL_SUSPENDS int whorl_cond_wait(struct whorl_cond *cond, struct whorl_mutex *mutex);

/** Wakes the task that has waited longest, if any. Never suspends. */
WHORL_API void whorl_cond_signal(struct whorl_cond *cond);

/** Wakes all tasks that wait now. Never suspends. */
WHORL_API void whorl_cond_broadcast(struct whorl_cond *cond);

/**
 * Waits until as many tasks have arrived as the barrier has parties. Then the barrier is ready for
 * the next round.
 *
 * Returns:  0; 1 in the last task to arrive, in each round; -EINVAL when the barrier has no
 *           parties; WHORL_ENOTASK.
 * Suspends: until the last task has arrived; never in the last task.
 * Cancel:   -ECANCELED; the caller does not count as having arrived.
 */
WHORL_API WHORL_SUSPENDS int whorl_barrier_wait(struct whorl_barrier *barrier);

/** Adds `n` to the count. Never suspends. */
WHORL_API void whorl_wait_group_add(struct whorl_wait_group *wait_group, size_t n);

/** Takes 1 from the count, which must not be zero. At zero, wakes all waiters. Never suspends. */
WHORL_API void whorl_wait_group_done(struct whorl_wait_group *wait_group);

/**
 * Waits until the count is zero.
 *
 * Returns:  0; WHORL_ENOTASK.
 * Suspends: while it is not zero.
 * Cancel:   -ECANCELED.
 */
WHORL_API WHORL_SUSPENDS int whorl_wait_group_wait(struct whorl_wait_group *wait_group);

/**
 * Runs `fn(arg)` if that was not done yet. If another task runs it, waits for that task. If `fn`
 * fails, the work is not done: the task that has waited longest, or else the next caller, runs it
 * again.
 *
 * @fn  may suspend. The work is done when `fn` returns 0 or a positive number; the number is
 *      dropped, because the tasks that waited cannot get it either
 *
 * Returns:  0 once the work is done; the code of `fn` when `fn` failed in the calling task;
 *           -EDEADLK when called inside `fn`; WHORL_ENOTASK.
 * Suspends: while another task runs `fn`, and where `fn` does.
 * Cancel:   -ECANCELED.
 */
WHORL_API WHORL_SUSPENDS int whorl_once_run(struct whorl_once *once, whorl_task_fn fn, void *arg);

/* For implementers: queues of waiters, first in, first out. Both calls take constant time. */

/**
 * Parks the running task at the end of `queue`.
 *
 * @what  static text for reports, as for whorl_park()
 *
 * Returns:  the result that the task was woken with.
 * Suspends: until woken.
 * Cancel:   -ECANCELED; the waiter was taken out of the queue.
 */
WHORL_API WHORL_SUSPENDS int64_t whorl_wait_queue_park(struct whorl_wait_queue *queue,
                                                       const char *what);

/** Wakes the waiter that has waited longest with `result`. Returns false when there is none. Never
 *  suspends. */
WHORL_API bool whorl_wait_queue_wake_one(struct whorl_wait_queue *queue, int64_t result);

#ifdef __cplusplus
}
#endif

#endif

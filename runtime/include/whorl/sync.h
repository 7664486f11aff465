/* SPDX-License-Identifier: MIT */
/* Events, mutexes and semaphores between tasks of one run.
 *
 * Tasks switch only at suspending calls, so plain data needs none of these. They are for orders that
 * span suspending calls: keeping others out while one waits for a disk, telling many that something
 * has happened, or allowing only so many at a time. All are FIFO-fair, and a waiter that is
 * cancelled leaves no trace and loses nobody's wake-up. Zero-initialised is valid for each; none
 * needs a destructor. For another thread's tasks, see chan.h and the `_remote` calls.
 *
 *     static struct whorl_mutex log_lock;
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

/* Waiters in the order of their arrival. */
struct whorl_wait_queue {
    struct whorl_waiter *first, *last;
};

/* Set once, seen by all: waits return at once while it is set. */
struct whorl_event {
    struct whorl_wait_queue waiters;
    bool is_set;
};

/* One owner at a time. Unlocking hands it to the longest waiter; nobody can slip in between. */
struct whorl_mutex {
    struct whorl_wait_queue waiters;
    struct whorl_task *owner;
    const char *name; /* for reports; may be set by the user, static */
};

/* A number of permits; `permits` is the initial number: `{.permits = 4}`. */
struct whorl_semaphore {
    size_t permits;
    struct whorl_wait_queue waiters;
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

/** Locks if free: 0, or -EBUSY. Never suspends, no cancel point. */
WHORL_API int whorl_mutex_try_lock(struct whorl_mutex *mutex);

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

/** Takes a permit if there is one and nobody waits: 0, or -EBUSY. Never suspends. */
WHORL_API int whorl_semaphore_try_acquire(struct whorl_semaphore *semaphore);

/** Gives one permit back or adds one; goes to the longest waiter if any. Never suspends. */
WHORL_API void whorl_semaphore_release(struct whorl_semaphore *semaphore);

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

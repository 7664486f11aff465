/* SPDX-License-Identifier: MIT */
/* For implementers of things that block: the only way a task waits.
 *
 * A waiter lives on the waiting task's stack. The task registers it wherever the event will come
 * from, then parks; whoever brings the event wakes it with a result, exactly once.
 *
 *     struct whorl_waiter waiter = WHORL_WAITER_INIT;
 *     list_append(&mutex->waiters, &waiter);              // so that unlock can find it
 *     int64_t result = whorl_park(&waiter, withdraw, "mutex");
 *
 * Cancellation: when the task's scope is cancelled while it is parked (or was before it parked) the
 * runtime calls `abort` once. It answers
 *
 *     WHORL_ABORT_DONE     withdrawn, nobody will wake it: park returns -ECANCELED
 *     WHORL_ABORT_PENDING  asked to stop, the wake will still come: park goes on waiting for it
 *
 * The second answer is what an io_uring request needs: memory given to the kernel is let go only by
 * the request's own completion, so a call returns only when its buffer is the caller's again.
 */
#ifndef WHORL_PARK_H
#define WHORL_PARK_H

#include <whorl/base.h>

struct whorl_task;
struct whorl_waiter;

enum whorl_abort {
    WHORL_ABORT_DONE,
    WHORL_ABORT_PENDING,
};

/* Must not suspend. It may call whorl_wake() on other waiters, not on this one. */
typedef enum whorl_abort (*whorl_abort_fn)(struct whorl_waiter *waiter);

/* What a kind of waiter can say of itself in reports; either function may be NULL. They are called
 * while the waiter is parked, and must not suspend or change anything. */
struct whorl_wait_kind {
    /* Writes what is waited for, such as `mutex "log" held by worker-3`. */
    void (*describe)(const struct whorl_waiter *waiter, char *text, size_t size);
    /* The task whose action would end the wait, when that is one certain task. */
    struct whorl_task *(*holder)(const struct whorl_waiter *waiter);
};

/* The first four fields are for whoever holds the waiter and untouched by the runtime; the rest is
 * private. */
struct whorl_waiter {
    struct whorl_waiter *next, *prev; /* neighbours in the queue it stands in */
    void *queue;                      /* that queue; NULL when in none */
    void *data;
    struct whorl_task *task; /* who is parked; NULL before whorl_park() */
    int64_t result;          /* valid once woken */
    /* For a waiter nobody parks on: called by whorl_wake() in place of readying a task; NULL: none.
     * Must not suspend. */
    void (*notify)(struct whorl_waiter *waiter);
    const struct whorl_wait_kind *kind; /* for reports; NULL: whorl_park()'s `what` says enough */
    bool woken;
};

/* clang-format off */
#define WHORL_WAITER_INIT {0}
/* clang-format on */

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Suspends the running task until `waiter` is woken. A waiter woken before it parks does not wait.
 *
 * @abort  withdraws the waiter, see above; NULL: the wait cannot be cut short
 * @what   static text for reports, e.g. "mutex" or "recv"; what the task waits for
 *
 * Returns:  the result it was woken with.
 * Suspends: until woken.
 * Cancel:   -ECANCELED when `abort` answered WHORL_ABORT_DONE; a waiter woken first wins.
 */
WHORL_API WHORL_SUSPENDS int64_t whorl_park(struct whorl_waiter *waiter, whorl_abort_fn abort,
                                            const char *what);

/**
 * Wakes a waiter: its task becomes ready and whorl_park() will return `result`. Once per waiter,
 * from the run's own thread. Tasks run in the order in which they were woken. Never suspends.
 */
WHORL_API void whorl_wake(struct whorl_waiter *waiter, int64_t result);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* For implementers of things that block: parking, which is the only way in which a task waits.
 *
 * A waiter lives on the stack of the task that waits. The task registers it where the event will
 * come from and parks. The code that brings the event wakes the waiter with a result, exactly once.
 *
 *     struct gate {
 *         struct whorl_waiter *waiter; // NULL: no task waits
 *     };
 *
 *     static enum whorl_abort withdraw(struct whorl_waiter *waiter)
 *     {
 *         struct gate *gate = waiter->data;
 *
 *         gate->waiter = NULL;         // so that gate_open() will not wake it
 *         return WHORL_ABORT_DONE;
 *     }
 *
 *     static WHORL_SUSPENDS int gate_wait(struct gate *gate)
 *     {
 *         struct whorl_waiter waiter = WHORL_WAITER_INIT;
 *
 *         waiter.data = gate;
 *         gate->waiter = &waiter;
 *         return (int)whorl_park(&waiter, withdraw, "gate");
 *     }
 *
 *     static void gate_open(struct gate *gate)
 *     {
 *         struct whorl_waiter *waiter = gate->waiter;
 *
 *         gate->waiter = NULL;
 *         if (waiter)
 *             whorl_wake(waiter, 0);
 *     }
 *
 * Cancellation: when the task's scope is cancelled while the task is parked, or was cancelled
 * before, the runtime calls the waiter's `abort` function once. It answers one of
 *
 *     WHORL_ABORT_DONE     withdrawn, no wake will come: whorl_park() returns -ECANCELED
 *     WHORL_ABORT_PENDING  asked to stop, the wake will still come: whorl_park() waits for it
 *
 * An io_uring request needs the second answer. Memory that was given to the kernel is free only
 * when the request completes, so the call must not return before.
 */
#ifndef WHORL_PARK_H
#define WHORL_PARK_H

#include <whorl/base.h>

struct whorl_task;
struct whorl_waiter;

/* What an abort function answers, see above. */
enum whorl_abort {
    WHORL_ABORT_DONE,
    WHORL_ABORT_PENDING,
};

/* Withdraws a waiter. Must not suspend. It may wake other waiters, but not this one. */
typedef enum whorl_abort (*whorl_abort_fn)(struct whorl_waiter *waiter);

/* How reports describe a kind of waiter. Either function may be NULL. They are called while the
 * waiter is parked; they must not suspend or change anything. */
struct whorl_wait_kind {
    /* Writes what the task waits for, such as `mutex "log" held by worker-3`. */
    void (*describe)(const struct whorl_waiter *waiter, char *ret, size_t size);
    /* Returns the task whose action would end the wait, if it can only be one task; else NULL. */
    struct whorl_task *(*holder)(const struct whorl_waiter *waiter);
};

/* The first four fields are for the code that queues the waiter; the runtime does not touch them.
 * `notify` and `kind` may be set before the waiter is parked. The other fields are private. */
struct whorl_waiter {
    struct whorl_waiter *next, *prev; /* neighbours in the queue that holds it */
    void *queue;                      /* that queue; NULL when it is in none */
    void *data;
    struct whorl_task *task; /* the task that is parked; NULL before whorl_park() */
    int64_t result;          /* valid once woken */
    /* For a waiter that no task parks on: whorl_wake() calls this and readies no task. Must not
     * suspend. NULL: none. */
    void (*notify)(struct whorl_waiter *waiter);
    const struct whorl_wait_kind *kind; /* for reports; NULL: they show the `what` of the park */
    bool woken;
    bool reported; /* as part of a circle of waits */
};

/* In C++, -Wextra warns of the fields that {0} leaves out. */
/* clang-format off */
#ifdef __cplusplus
#define WHORL_WAITER_INIT {}
#else
#define WHORL_WAITER_INIT {0}
#endif
/* clang-format on */

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Suspends the running task until `waiter` is woken. If the waiter was woken before, the call
 * returns without waiting.
 *
 * @abort  withdraws the waiter, see above; NULL: the wait cannot be cancelled
 * @what   static text for reports: what the task waits for, such as "mutex" or "recv"
 *
 * Returns:  the result that the waiter was woken with.
 * Suspends: until woken.
 * Cancel:   -ECANCELED when `abort` answered WHORL_ABORT_DONE. If the waiter was woken first, the
 *           result.
 */
WHORL_API WHORL_SUSPENDS int64_t whorl_park(struct whorl_waiter *waiter, whorl_abort_fn abort,
                                            const char *what);

/**
 * Wakes a waiter: its task becomes ready, and whorl_park() will return `result`. Called once for
 * each waiter, on the run's own thread. Tasks run in the order in which they were woken. Never
 * suspends.
 */
WHORL_API void whorl_wake(struct whorl_waiter *waiter, int64_t result);

#ifdef __cplusplus
}
#endif

#endif

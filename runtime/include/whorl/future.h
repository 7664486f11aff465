/* SPDX-License-Identifier: MIT */
/* Futures: the end of one piece of work and its result, which any number of tasks can wait for.
 *
 * A future is completed once, by the task or the offloaded work behind it, or by a call of
 * whorl_future_complete(). It holds a result code only. Other data is stored next to it: in the
 * struct that contains the future, or in the one that the task's argument points to.
 *
 *     static WHORL_SUSPENDS int show_page(struct page *page)
 *     {
 *         struct whorl_future fetched = {0};
 *         WHORL_AUTO(group) group = {0};
 *
 *         int err = whorl_spawn_future(&group, fetch, page, &fetched);
 *         if (err == 0)
 *             err = draw_frame(page);              // while fetch() runs
 *         if (err == 0)
 *             err = whorl_future_wait(&fetched);   // for this task only, not for the group
 *         return err ? err : fetched.result;       // what fetch() returned
 *     }
 *
 * WHORL_AUTO(future) stops the work when its block is left, and waits for its end. So work that is
 * no longer wanted does not keep running until the end of its group:
 *
 *     static WHORL_SUSPENDS int show_spinner_until(struct whorl_event *ready)
 *     {
 *         WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
 *         WHORL_AUTO(future) spinner = {0};
 *
 *         int err = whorl_spawn_future(&group, spin, NULL, &spinner);
 *         return err ? err : whorl_event_wait(ready);
 *     }
 */
#ifndef WHORL_FUTURE_H
#define WHORL_FUTURE_H

#include <whorl/base.h>
#include <whorl/group.h>
#include <whorl/select.h>
#include <whorl/sync.h>

/* Zero-initialised is a future that is open, which means not done. */
struct whorl_future {
    int result; /* valid once done */
    bool done;
    struct whorl_wait_queue waiters;
    /* Asks the work behind the future to stop. Set by that work while it can still be stopped. */
    void (*cancel)(struct whorl_future *future);
    void *worker; /* for `cancel` */
    bool cancel_requested;
    const char *name; /* static text for reports; may be set by the user */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Sets the result and wakes all waiters. A future is completed once. Never suspends.
 *
 * Returns: true; false when the future was done already, and nothing changes.
 */
WHORL_API bool whorl_future_complete(struct whorl_future *future, int result);

/**
 * Waits until the future is done.
 *
 * Returns:  0, with `future->result` valid; WHORL_ENOTASK.
 * Suspends: until it is done.
 * Cancel:   -ECANCELED; the work behind the future continues.
 */
WHORL_API WHORL_SUSPENDS int whorl_future_wait(struct whorl_future *future);

/**
 * Asks the work behind the future to stop. A task is cancelled, and what it then returns is the
 * result. Offloaded work is withdrawn if no thread has begun it; else whorl_check_cancelled() tells
 * it. A future with no work behind it is completed with -ECANCELED. Never suspends.
 */
WHORL_API void whorl_future_cancel(struct whorl_future *future);

/**
 * Asks the work behind the future to stop, as whorl_future_cancel() does, and waits until the
 * future is done. This is what WHORL_AUTO(future) calls. Afterwards `future->result` is valid, and
 * the work no longer uses its argument or the future. Accepts a zeroed future and one that is done.
 * Must not be called by the work itself.
 *
 * Suspends: until the future is done.
 * Cancel:   not a cancel point; a cancellation does not end the wait.
 */
WHORL_API WHORL_SUSPENDS_SHIELDED void whorl_future_finish(struct whorl_future *future);

/** A case for whorl_select(), ready when the future is done. The case's result is 0; the result of
 *  the work is in `future->result`. */
WHORL_API struct whorl_case whorl_case_future(struct whorl_future *future);

/**
 * Starts a task and completes `future` with the task's result when the task ends. The result also
 * counts for the group, as with whorl_spawn(). Never suspends.
 * `int whorl_spawn_future(struct whorl_group *group, whorl_task_fn fn, void *arg,
 *                         struct whorl_future *future)`
 *
 * @future  open; must stay valid until it is done. It may be a variable of the function that owns
 *          the group
 *
 * Returns: as whorl_spawn(). On failure the future stays open.
 */
#define whorl_spawn_future(group, fn, arg, future)        \
    whorl_spawn_future_at((group), (fn), (arg), (future), \
                          #fn " at " __FILE__ ":" WHORL_STRINGIFY(__LINE__))

/** whorl_spawn_future() with a static description of the call site, for reports. */
WHORL_API WHORL_CHECKED int whorl_spawn_future_at(struct whorl_group *group, whorl_task_fn fn,
                                                  void *arg, struct whorl_future *future,
                                                  const char *site);

static inline WHORL_SUSPENDS_SHIELDED void whorl_auto_future(struct whorl_future *future)
{
    whorl_future_finish(future);
}

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* Futures: one result that any number of tasks wait for.
 *
 *     struct whorl_future page = {0};
 *     int err = whorl_spawn_future(&group, fetch, &job, &page);
 *     ...
 *     err = whorl_future_wait(&page);              // this task only; the group is joined later
 *     if (err == 0)
 *         err = page.result;                       // what fetch() returned
 *
 * A future says that something has ended, and with which result. Other data is stored next to it:
 * in the struct that embeds the future, or in the one that the task's argument points at.
 */
#ifndef WHORL_FUTURE_H
#define WHORL_FUTURE_H

#include <whorl/base.h>
#include <whorl/group.h>
#include <whorl/select.h>
#include <whorl/sync.h>

/* Zero-initialised is a future that is open. */
struct whorl_future {
    int result; /* valid once done */
    bool done;
    struct whorl_wait_queue waiters;
    /* Set by who works for it, while cancelling can still do something: asks that one to stop. */
    void (*cancel)(struct whorl_future *future);
    void *worker;
    bool cancel_requested;
    const char *name; /* for reports; may be set by the user, static */
};

#ifdef __cplusplus
extern "C" {
#endif

/** Sets the result and wakes all who wait. A future is completed once; again: nothing happens and
 *  false is returned. Never suspends. */
WHORL_API bool whorl_future_complete(struct whorl_future *future, int result);

/**
 * Waits until the future is done.
 *
 * Returns:  0, with `future->result` valid; WHORL_ENOTASK.
 * Suspends: until it is done.
 * Cancel:   -ECANCELED; whoever works for the future goes on.
 */
WHORL_API WHORL_SUSPENDS int whorl_future_wait(struct whorl_future *future);

/**
 * Asks for an end. The task behind the future is cancelled, and what it then returns is the result;
 * offloaded work is withdrawn if it has not begun; a future nobody works for is completed with
 * -ECANCELED. Never suspends.
 */
WHORL_API void whorl_future_cancel(struct whorl_future *future);

/** A future being done, for whorl_select(). The case's result is 0; see `future->result`. */
WHORL_API struct whorl_case whorl_case_future(struct whorl_future *future);

/**
 * Starts a task whose end completes `future`, which must be open and stay valid until then. Its
 * result is the group's business too, as with whorl_spawn(). The future's memory may belong to the
 * group's owner. `int whorl_spawn_future(group, fn, arg, future)`
 *
 * Returns: as whorl_spawn(). On failure the future stays open. Never suspends.
 */
#define whorl_spawn_future(group, fn, arg, future)        \
    whorl_spawn_future_at((group), (fn), (arg), (future), \
                          #fn " at " __FILE__ ":" WHORL_STRINGIFY(__LINE__))

/** whorl_spawn_future() with a static description of the call site. */
WHORL_API WHORL_CHECKED int whorl_spawn_future_at(struct whorl_group *group, whorl_task_fn fn,
                                                  void *arg, struct whorl_future *future,
                                                  const char *site);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* For implementers of runs inside another event loop: a run that is driven step by step.
 *
 * whorl_run_on() makes a run and stays in its loop until the run has ended. Here the caller is the
 * loop. The run belongs to the thread only during each of these calls. Programs use embed.h.
 *
 *     int drive(struct whorl_poller *poller, whorl_task_fn fn, void *arg)
 *     {
 *         struct whorl_stepped *run;
 *         int result;
 *
 *         int err = whorl_stepped_create(poller, NULL, fn, arg, &run);
 *         if (err)
 *             return err;
 *         while (!whorl_stepped_run(run, 16, &result))
 *             do_other_things_until(whorl_stepped_deadline(run));
 *         whorl_stepped_destroy(run);
 *         return result;
 *     }
 */
#ifndef WHORL_STEP_H
#define WHORL_STEP_H

#include <whorl/base.h>
#include <whorl/poller.h>

struct whorl_stepped;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes a run whose root task is `fn(arg)`. No task runs yet.
 *
 * @options  NULL for the defaults
 * @ret      the run; destroy it with whorl_stepped_destroy()
 *
 * Returns: 0; -ENOMEM; -EINVAL for options that are out of range; WHORL_EBUSYRUN inside a run.
 */
WHORL_API WHORL_CHECKED int whorl_stepped_create(struct whorl_poller *poller,
                                                 const struct whorl_run_options *options,
                                                 whorl_task_fn fn, void *arg,
                                                 struct whorl_stepped **ret);

/**
 * Runs tasks until none is ready or the loop has made `turns` turns. Does not wait.
 *
 * Returns: true once the run has ended: `*ret_result` is what whorl_run_on() would have returned;
 *          else false.
 */
WHORL_API WHORL_CHECKED bool whorl_stepped_run(struct whorl_stepped *run, unsigned turns,
                                               int *ret_result);

/** Returns the instant by which whorl_stepped_run() must be called again. 0 means at once, and
 *  WHORL_FOREVER means only when the poller has an event. */
WHORL_API int64_t whorl_stepped_deadline(const struct whorl_stepped *run);

/** Cancels the tasks that have not ended, waits for their end, which blocks the thread, and frees
 *  the run. In a child that was forked between two steps the tasks do not run again: only the
 *  memory of the run is freed. Accepts NULL. */
WHORL_API void whorl_stepped_destroy(struct whorl_stepped *run);

static inline void whorl_auto_stepped(struct whorl_stepped **run)
{
    whorl_stepped_destroy(*run);
}

#ifdef __cplusplus
}
#endif

#endif

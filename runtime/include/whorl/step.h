/* SPDX-License-Identifier: MIT */
/* For implementers of runs that do not own their thread's loop: a run that goes on by steps.
 *
 * whorl_run_on() makes a run and stays in its loop; here the caller is the loop. The run is this
 * thread's only while one of these calls is going on. Users have embed.h.
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
 * Makes a run whose root task is `fn(arg)`. Nothing runs yet.
 *
 * @options  as for whorl_run_on()
 *
 * Returns: 0; -ENOMEM; WHORL_EBUSYRUN inside a run.
 */
WHORL_API WHORL_CHECKED int whorl_stepped_create(struct whorl_poller *poller,
                                                 const struct whorl_run_options *options,
                                                 whorl_task_fn fn, void *arg,
                                                 struct whorl_stepped **ret);

/**
 * Runs tasks until none is ready or `turns` turns of the loop are over, without waiting.
 *
 * Returns: true once the run has ended, with `*ret_result` what whorl_run_on() would have returned.
 */
WHORL_API WHORL_CHECKED bool whorl_stepped_run(struct whorl_stepped *run, unsigned turns,
                                               int *ret_result);

/** When whorl_stepped_run() is to be called again at the latest: 0 is at once, WHORL_FOREVER when
 *  the poller has something. */
WHORL_API int64_t whorl_stepped_deadline(const struct whorl_stepped *run);

/** Cancels what has not ended, waits for its end (blocking the thread) and frees. Accepts NULL. */
WHORL_API void whorl_stepped_destroy(struct whorl_stepped *run);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* Living in somebody else's loop: a run that a program with a loop of its own, that of a toolkit or
 * a server, takes in as one more descriptor.
 *
 *     struct whorl_embed *embed;
 *     int result, err = whorl_embed_create(NULL, NULL, root, NULL, &embed);
 *     ...
 *     while (!whorl_embed_run_ready(embed, &result)) {
 *         struct pollfd fds[] = {{.fd = whorl_embed_fd(embed), .events = POLLIN}, yours...};
 *         poll(fds, n, whorl_embed_timeout_ms(embed));
 *         ...
 *     }
 *     whorl_embed_destroy(embed);
 *
 * Tasks run inside whorl_embed_run_ready() only, and the run is this thread's only meanwhile: between
 * two calls there may be other runs. All calls are made by the thread that made it, outside tasks.
 * A task that computes for long holds the host's loop up; the watchdog tells (see trace.h), and says
 * nothing of the time the host takes between two calls.
 */
#ifndef WHORL_EMBED_H
#define WHORL_EMBED_H

#include <whorl/base.h>
#include <whorl/io.h>

struct whorl_embed;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes a run whose root task is `fn(arg)`. Nothing runs before whorl_embed_run_ready().
 *
 * @options  as for whorl_io_run_with(); NULL for the defaults
 * @error    set when the driver cannot be set up; may be NULL; borrowed for the call
 *
 * Returns: 0; -ENOMEM; WHORL_EBUSYRUN inside a run; what setting up the driver came to, as for
 * whorl_io_run().
 */
WHORL_API WHORL_CHECKED int whorl_embed_create(const struct whorl_io_options *options,
                                               struct whorl_error *error, whorl_task_fn fn,
                                               void *arg, struct whorl_embed **ret);

/** The descriptor to wait for: readable when whorl_embed_run_ready() has something to do. Stays the
 *  same, and is not to be read or closed. */
WHORL_API int whorl_embed_fd(const struct whorl_embed *embed);

/** When whorl_embed_run_ready() is to be called at the latest, on the clock of whorl_now(): 0 is at
 *  once, WHORL_FOREVER only when the descriptor says so. Ask again after each call of it. */
WHORL_API int64_t whorl_embed_deadline(const struct whorl_embed *embed);

/** The same as poll(2) and epoll_wait(2) take it: -1 for ever, rounded up. */
WHORL_API int whorl_embed_timeout_ms(const struct whorl_embed *embed);

/**
 * Runs what is ready, for some milliseconds at most as long as tasks give way, and never waits.
 *
 * @ret_result  set when it has ended: what whorl_io_run() would have returned
 *
 * Returns: true once the run has ended; then it may be destroyed, and calling again changes nothing.
 */
WHORL_API bool whorl_embed_run_ready(struct whorl_embed *embed, int *ret_result);

/**
 * Frees it. A run that has not ended is cancelled first and waited for, which blocks the thread as
 * long as its tasks take to end. Accepts NULL.
 */
WHORL_API void whorl_embed_destroy(struct whorl_embed *embed);

static inline void whorl_auto_embed(struct whorl_embed **embed)
{
    whorl_embed_destroy(*embed);
}

#ifdef __cplusplus
}
#endif

#endif

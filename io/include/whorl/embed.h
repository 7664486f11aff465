/* SPDX-License-Identifier: MIT */
/* A run inside another event loop: the loop of a toolkit or a server, for example, which watches
 * the run's descriptor like one of its own.
 *
 *     static int run_beside(int fd, whorl_task_fn root)
 *     {
 *         struct whorl_embed *embed;
 *         int result, err = whorl_embed_create(NULL, NULL, root, NULL, &embed);
 *         if (err)
 *             return err;
 *         while (!whorl_embed_run_ready(embed, &result)) {
 *             struct pollfd fds[] = {{.fd = whorl_embed_fd(embed), .events = POLLIN},
 *                                    {.fd = fd, .events = POLLIN}};
 *             poll(fds, 2, whorl_embed_timeout_ms(embed));
 *             ...                                     // what the host does with `fd`
 *         }
 *         whorl_embed_destroy(embed);
 *         return result;
 *     }
 *
 * Tasks run only inside whorl_embed_run_ready(), and only then is the run the current one of this
 * thread. Between two calls the thread may have other runs. The thread that created the run makes
 * all the calls, outside tasks. A task that computes for long delays the host's loop. The watchdog
 * reports such a task (see trace.h); it does not count the time that the host takes between two
 * calls.
 *
 * Between two calls the host is outside the run, like another thread. It reaches the tasks through
 * a runner (see runner.h) that a task has acquired: whorl_runner_post_remote() makes the descriptor
 * readable, and the next whorl_embed_run_ready() calls the posted function, which may set an event
 * or send on a channel with whorl_chan_try_send(). Setting an event or sending directly aborts the
 * program, and whorl_chan_send_remote() would block the only thread that can receive. If no task
 * has a runner and all tasks wait for the host, the run is deadlocked, see run.h.
 *
 * fork(2): the run belongs to the process that made it, and a fork between two calls does not
 * disturb it. In the child the run has ended: whorl_embed_run_ready() returns true with the result
 * WHORL_ENOIO. The tasks do not run again in the child, as threads do not: memory that they own is
 * not freed, and descriptors that they own stay open until the child execs or ends. After
 * whorl_embed_destroy() the child may begin runs of its own. For a child that is forked in a task
 * see io.h.
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
 * Makes a run whose root task is `fn(arg)`. No task runs before whorl_embed_run_ready().
 *
 * @options  as for whorl_io_run_with(); NULL for the defaults
 * @error    set when the driver cannot be set up; may be NULL; borrowed for the call
 * @ret      the run; destroy it with whorl_embed_destroy()
 *
 * Returns: 0; -ENOMEM; WHORL_EBUSYRUN inside a run; errors of setting up the driver, as for
 *          whorl_io_run().
 */
WHORL_API WHORL_CHECKED int whorl_embed_create(const struct whorl_io_options *options,
                                               struct whorl_error *error, whorl_task_fn fn,
                                               void *arg, struct whorl_embed **ret);

/** The descriptor for the host's loop to watch: it is readable when whorl_embed_run_ready() has
 *  work. It never changes. Do not read from it or close it. */
WHORL_API int whorl_embed_fd(const struct whorl_embed *embed);

/** The latest time for the next whorl_embed_run_ready(), on the clock of whorl_now(). 0: at once.
 *  WHORL_FOREVER: only when the descriptor is readable. Ask again after each
 *  whorl_embed_run_ready(). */
WHORL_API int64_t whorl_embed_deadline(const struct whorl_embed *embed);

/** The same as a timeout for poll(2) or epoll_wait(2), in milliseconds, rounded up; -1: no
 *  limit. */
WHORL_API int whorl_embed_timeout_ms(const struct whorl_embed *embed);

/**
 * Runs the ready tasks, for a few milliseconds at most if they do not compute for long, and never
 * waits.
 *
 * @ret_result  set when the run has ended: what whorl_io_run() would have returned
 *
 * Returns: true once the run has ended. Then it may be destroyed; another call changes nothing.
 */
WHORL_API WHORL_CHECKED bool whorl_embed_run_ready(struct whorl_embed *embed, int *ret_result);

/**
 * Frees the run. A run that has not ended is cancelled first, and the thread blocks until its tasks
 * have ended. Accepts NULL.
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

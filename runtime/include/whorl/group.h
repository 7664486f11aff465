/* SPDX-License-Identifier: MIT */
/* Groups: tasks are started in one and joined by it (structured concurrency).
 *
 * A group lives on the parent's stack and its tasks cannot outlive it, so they may use the parent's
 * variables. The first task that fails cancels the others, unless the policy is to collect.
 *
 *     WHORL_AUTO(group) group = {0};
 *     for (size_t i = 0; i < n; i++) {
 *         int err = whorl_group_wait_below(&group, 8);            // at most 8 at a time
 *         if (err == 0)
 *             err = whorl_spawn_copy(&group, fetch, &(struct job){.url = urls[i]});
 *         if (err)
 *             return err;                                         // cancels and joins the rest
 *     }
 *     return whorl_group_wait(&group);
 *
 * Leaving the block with WHORL_AUTO cancels the tasks that still run and waits for them to end,
 * shielded: the one clean-up in whorl that suspends, because the tasks use the caller's stack.
 */
#ifndef WHORL_GROUP_H
#define WHORL_GROUP_H

#include <whorl/base.h>
#include <whorl/scope.h>
#include <whorl/select.h>
#include <whorl/sync.h>
#include <whorl/task.h>

enum whorl_group_policy {
    WHORL_GROUP_FAIL_FAST, /* the first failure cancels the siblings; it is the group's result */
    WHORL_GROUP_COLLECT,   /* all run to their end; the result is the first failure, if any */
    WHORL_GROUP_RACE, /* the first success cancels the siblings and makes the result 0; when all
                              fail, the first failure is the result */
};

/* Zero-initialised is valid. The first part is yours, the second private. */
struct whorl_group {
    enum whorl_group_policy policy;
    size_t stack_size; /* for tasks of this group; 0: the run's default */

    struct whorl_scope scope;             /* what the tasks stand in; valid once `opened` */
    struct whorl_task *tasks;             /* alive, a ring in the order of their start */
    struct whorl_waiter *waiter;          /* the owner, while it waits */
    size_t alive, below;                  /* tasks alive; wake the owner when fewer than `below` */
    size_t failed;                        /* tasks that returned a negative code */
    size_t succeeded;                     /* tasks that did not */
    struct whorl_wait_queue stop_waiters; /* in whorl_stop_wait_requested() */
    int err;                              /* the first failure, or 0 */
    bool opened, wake_on_failure;
};

/* Zero-initialised is valid. */
struct whorl_spawn_options {
    const char *name;  /* copied, at most 31 bytes */
    size_t stack_size; /* 0: the group's or the run's default */
};

#define WHORL_STRINGIFY_(x) #x
#define WHORL_STRINGIFY(x)  WHORL_STRINGIFY_(x)

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Starts a task that runs `fn(arg)`. It becomes ready behind the tasks that are ready already; the
 * caller goes on. `int whorl_spawn(struct whorl_group *group, whorl_task_fn fn, void *arg)`
 *
 * @group  opened by the first call, which must be made by the task that owns it
 * @arg    borrowed until the task ends
 *
 * Returns:  0; -ENOMEM; -EAGAIN (tasks_max); -ECANCELED when the group is cancelled or has failed
 *           fast; WHORL_ENOTASK.
 * Never suspends.
 */
#define whorl_spawn(group, fn, arg) \
    whorl_spawn_at((group), (fn), (arg), #fn " at " __FILE__ ":" WHORL_STRINGIFY(__LINE__))

/**
 * Starts a task with a copy of `*arg` on its own stack, so that a loop's variable may change at
 * once. `int whorl_spawn_copy(struct whorl_group *group, whorl_task_fn fn, const T *arg)`
 *
 * Returns:  as whorl_spawn(); -E2BIG when the argument would take over a quarter of the stack.
 */
#define whorl_spawn_copy(group, fn, ...) /* so that a literal may hold commas */ \
    whorl_spawn_copy_at((group), (fn), (__VA_ARGS__), sizeof *(__VA_ARGS__),     \
                        #fn " at " __FILE__ ":" WHORL_STRINGIFY(__LINE__))

/**
 * whorl_spawn() with a name or a stack size of its own. @options NULL for the defaults.
 * `int whorl_spawn_with(struct whorl_group *group, whorl_task_fn fn, void *arg,
 *                       const struct whorl_spawn_options *options)`
 */
#define whorl_spawn_with(group, fn, arg, ...)                \
    whorl_spawn_with_at((group), (fn), (arg), (__VA_ARGS__), \
                        #fn " at " __FILE__ ":" WHORL_STRINGIFY(__LINE__))

/** whorl_spawn() with a static description of the call site, for reports. */
WHORL_API WHORL_CHECKED int whorl_spawn_at(struct whorl_group *group, whorl_task_fn fn, void *arg,
                                           const char *site);

/** whorl_spawn_copy() with the size and the call site spelt out. */
WHORL_API WHORL_CHECKED int whorl_spawn_copy_at(struct whorl_group *group, whorl_task_fn fn,
                                                const void *arg, size_t arg_size, const char *site);

/** The same for whorl_spawn_with(). */
WHORL_API WHORL_CHECKED int whorl_spawn_with_at(struct whorl_group *group, whorl_task_fn fn,
                                                void *arg,
                                                const struct whorl_spawn_options *options,
                                                const char *site);

/**
 * Waits until all tasks of the group have ended. The group can be used again afterwards.
 *
 * Returns:  0; the first failure of a task; WHORL_ENOTASK.
 * Suspends: until the last task has ended.
 * Cancel:   the tasks are cancelled too, being inside the caller's scope; waits for them to end all
 *           the same, then returns the first failure, or 0 when all had finished. Only when the
 *           cancelled scope was entered after the group was opened are the tasks left alone, and
 *           it returns -ECANCELED at once: a wait with a deadline.
 */
WHORL_API WHORL_SUSPENDS int whorl_group_wait(struct whorl_group *group);

/**
 * Waits until fewer than `n` tasks of the group are alive: back-pressure for spawning loops.
 *
 * Returns:  0; under WHORL_GROUP_FAIL_FAST the group's failure as soon as there is one; -EINVAL for 0.
 * Suspends: while `n` or more are alive.
 * Cancel:   -ECANCELED; the tasks are cancelled too.
 */
WHORL_API WHORL_SUSPENDS int whorl_group_wait_below(struct whorl_group *group, size_t n);

/** Cancels all tasks of the group, now and future; it does not wait. Never suspends. */
WHORL_API void whorl_group_cancel(struct whorl_group *group);

/** How many tasks of the group are alive. */
WHORL_API size_t whorl_group_alive(const struct whorl_group *group);

/**
 * Cancels the tasks that still run and waits for them, shielded from cancellation. What
 * WHORL_AUTO(group) calls. Accepts a zeroed group.
 */
WHORL_API WHORL_SUSPENDS_SHIELDED void whorl_group_finish(struct whorl_group *group);

/**
 * The run's own group, for daemon tasks that serve all others: cancelled when the root task ends,
 * and joined before the run returns. NULL outside a run. A daemon's failure is only counted.
 */
WHORL_API struct whorl_group *whorl_root_group(void);

static inline WHORL_SUSPENDS_SHIELDED void whorl_auto_group(struct whorl_group *group)
{
    whorl_group_finish(group);
}

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* Groups: every task is started in a group, and the group is left only after its tasks have ended
 * (structured concurrency).
 *
 * A group is a variable on the stack of the function that starts the tasks. The tasks cannot
 * outlive it, so they may use that function's variables. The first task that fails cancels the
 * others, unless the group's policy says otherwise. The task that makes the first spawn owns the
 * group and waits for it in the end. Every other task of the run may cancel, stop or wait for the
 * group as well.
 *
 *     static WHORL_SUSPENDS int fetch_all(const char **urls, size_t n)
 *     {
 *         WHORL_AUTO(group) group = {0};
 *
 *         for (size_t i = 0; i < n; i++) {
 *             int err = whorl_group_wait_below(&group, 8);     // at most 8 at a time
 *             if (err == 0)
 *                 err = whorl_spawn_copy(&group, fetch, &(struct job){.url = urls[i]});
 *             if (err)
 *                 return err;                                  // cancels and joins the tasks
 *         }
 *         return whorl_group_wait(&group);
 *     }
 *
 * When the block of a WHORL_AUTO(group) is left, the tasks that still run are cancelled and the
 * block waits for their end, shielded from cancellation. So this clean-up suspends: it must,
 * because the tasks use the caller's stack. In whorl, only the clean-ups of groups, generators and
 * processes suspend.
 *
 * A failure cancels the tasks of the group. It does not wake the owner while the owner waits for
 * something else. There are two ways to notice it: select whorl_case_group() beside the other
 * thing, or name a scope of the owner that is then cancelled too:
 *
 *     static WHORL_SUSPENDS int serve_until(struct whorl_event *quit, struct server *server)
 *     {
 *         struct whorl_scope scope;
 *         WHORL_AUTO(group) group = {.owner_scope = &scope};
 *
 *         whorl_scope_enter(&scope, WHORL_FOREVER);
 *         int err = whorl_spawn(&group, accept_all, server);
 *         if (err == 0)
 *             err = whorl_event_wait(quit);        // -ECANCELED when accept_all() fails
 *         err = whorl_scope_leave(&scope, err);
 *         if (err == -ECANCELED)
 *             err = whorl_group_wait(&group);      // what accept_all() returned
 *         return err;
 *     }
 */
#ifndef WHORL_GROUP_H
#define WHORL_GROUP_H

#include <whorl/base.h>
#include <whorl/scope.h>
#include <whorl/select.h>
#include <whorl/sync.h>
#include <whorl/task.h>

/* What the end of one task means for the others and for the group's result. */
enum whorl_group_policy {
    WHORL_GROUP_FAIL_FAST, /* the first failure cancels the other tasks and is the group's result */
    WHORL_GROUP_COLLECT,   /* all tasks run to their end; the result is the first failure, if any */
    WHORL_GROUP_RACE,      /* the first success cancels the other tasks and makes the result 0; if
                              all tasks fail, the first failure is the result */
};

/* Zero-initialised is valid. The first part may be set by the user, the second is private. */
struct whorl_group {
    enum whorl_group_policy policy;
    size_t stack_size; /* for tasks of this group; 0: the run's default */
    /* 2048, 4096 or 8192: tasks of this group have small stacks, see run.h; `stack_size` is not
     * used. */
    size_t small_stack_size;
    /* A scope that the owner enters before the first spawn. It is cancelled when the policy cancels
     * the tasks because one of them has ended. Once the owner has left it, it is not used. NULL:
     * none. */
    struct whorl_scope *owner_scope;

    struct whorl_scope scope;             /* the scope of all tasks; valid once `opened` */
    struct whorl_task *tasks;             /* alive, a ring in the order of their start */
    struct whorl_wait_queue waiters;      /* for the end of tasks; not empty only while some live */
    size_t alive;                         /* tasks alive */
    size_t failed;                        /* tasks that returned a negative code */
    size_t succeeded;                     /* tasks that returned 0 or more */
    struct whorl_wait_queue stop_waiters; /* in whorl_stop_wait_requested() */
    int err;                              /* the first failure, or 0 */
    bool opened;
    bool cancel_requested, stop_requested; /* before the group is opened */
};

/* Zero-initialised is valid. */
struct whorl_spawn_options {
    const char *name;        /* copied as by whorl_task_set_name() */
    size_t stack_size;       /* 0: the group's or the run's default */
    size_t small_stack_size; /* 2048, 4096 or 8192: a small stack, see run.h */
};

/* Whether an argument of whorl_spawn_copy() points to `type`. */
#ifndef __cplusplus
#define WHORL_COPY_IS(type, ...) __builtin_types_compatible_p(__typeof__(*(__VA_ARGS__)), type)
#elif defined(__clang__) || __GNUC__ >= 11
#define WHORL_COPY_IS(type, ...) __is_same(const __typeof__(*(__VA_ARGS__)), const type)
#else
#define WHORL_COPY_IS(type, ...) false
#endif

/* The size of what the argument points to. For a string and a `void *` that size would be 1, and
 * the task would get one byte. So they do not compile. The argument is not evaluated. */
#define WHORL_COPY_SIZE(...)                                              \
    (WHORL_COPY_IS(char, __VA_ARGS__) || WHORL_COPY_IS(void, __VA_ARGS__) \
         ? whorl_copy_size_unknown()                                      \
         : sizeof *(__VA_ARGS__))

#define WHORL_STRINGIFY_(x) #x
#define WHORL_STRINGIFY(x)  WHORL_STRINGIFY_(x)

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Starts a task that runs `fn(arg)`. The task becomes ready after all tasks that are ready already,
 * and the caller continues. Never suspends.
 * `int whorl_spawn(struct whorl_group *group, whorl_task_fn fn, void *arg)`
 *
 * @group  the task that makes the first spawn, or the first one after a wait, owns it
 * @arg    borrowed until the task ends
 *
 * Returns: 0; -ENOMEM; -EAGAIN (tasks_max); -ECANCELED when the group is cancelled, also by a
 *          failure under WHORL_GROUP_FAIL_FAST; -EINVAL when `small_stack_size` is no size of small
 *          stacks; WHORL_ENOTASK.
 */
#define whorl_spawn(group, fn, arg) \
    whorl_spawn_at((group), (fn), (arg), #fn " at " __FILE__ ":" WHORL_STRINGIFY(__LINE__))

/** Does not exist: a call does not compile. */
size_t whorl_copy_size_unknown(void)
    __attribute__((error("whorl_spawn_copy() copies one object, neither a string nor a void *")));

/**
 * Starts a task with a copy of `*arg`, which is stored on the new task's stack. The caller may
 * change its variable at once, for example in a loop. Never suspends.
 * `int whorl_spawn_copy(struct whorl_group *group, whorl_task_fn fn, const T *arg)`
 *
 * The argument is a pointer to one object with a type. A string or a `void *` does not compile,
 * because the size of its target is not known: copy a struct that holds the text or the pointer, or
 * use whorl_spawn_copy_at().
 *
 * Returns: as whorl_spawn(); -E2BIG when the argument would take more than a quarter of the stack.
 */
#define whorl_spawn_copy(group, fn, ...) /* so that a literal may hold commas */    \
    whorl_spawn_copy_at((group), (fn), (__VA_ARGS__), WHORL_COPY_SIZE(__VA_ARGS__), \
                        #fn " at " __FILE__ ":" WHORL_STRINGIFY(__LINE__))

/**
 * Starts a task with a name or a stack size of its own. Never suspends.
 * `int whorl_spawn_with(struct whorl_group *group, whorl_task_fn fn, void *arg,
 *                       const struct whorl_spawn_options *options)`
 *
 * @options  NULL for the defaults
 *
 * Returns: as whorl_spawn().
 */
#define whorl_spawn_with(group, fn, arg, ...) /* options last: a literal may hold commas */ \
    whorl_spawn_with_at((group), (fn), (arg), (__VA_ARGS__),                                \
                        #fn " at " __FILE__ ":" WHORL_STRINGIFY(__LINE__))

/** whorl_spawn() with a static description of the call site, for reports. */
WHORL_API WHORL_CHECKED int whorl_spawn_at(struct whorl_group *group, whorl_task_fn fn, void *arg,
                                           const char *site);

/** whorl_spawn_copy() with the size of the argument and a static description of the call site. */
WHORL_API WHORL_CHECKED int whorl_spawn_copy_at(struct whorl_group *group, whorl_task_fn fn,
                                                const void *arg, size_t arg_size, const char *site);

/** whorl_spawn_with() with a static description of the call site, for reports. */
WHORL_API WHORL_CHECKED int whorl_spawn_with_at(struct whorl_group *group, whorl_task_fn fn,
                                                void *arg,
                                                const struct whorl_spawn_options *options,
                                                const char *site);

/**
 * Waits until all tasks of the group have ended. After the owner's call the group can be used
 * again. Any other task may wait too and gets the same result; the owner still has to wait.
 *
 * Returns:  0; the first failure of a task; -EDEADLK in a task that runs inside the group;
 *           WHORL_ENOTASK.
 * Suspends: until the last task has ended.
 * Cancel:   the tasks are cancelled too, because their scope is inside the caller's. The call still
 *           waits until all have ended, then returns the first failure, or 0 when no task failed.
 *           It is different if the tasks are outside the cancelled scope, because it was entered
 *           after the group was opened, or because the caller does not own the group. Then the
 *           tasks continue, and the call returns -ECANCELED at once. So a scope around this call
 *           alone gives the wait a deadline.
 */
WHORL_API WHORL_SUSPENDS int whorl_group_wait(struct whorl_group *group);

/**
 * Waits until fewer than `n` tasks of the group are alive. A loop that spawns calls it to limit the
 * number of tasks.
 *
 * Returns:  0; under WHORL_GROUP_FAIL_FAST the group's failure as soon as there is one; -EINVAL
 *           when `n` is 0; -EDEADLK when `n` is 1 in a task that runs inside the group;
 *           WHORL_ENOTASK.
 * Suspends: while `n` or more tasks are alive.
 * Cancel:   -ECANCELED. If the caller owns the group, its tasks are cancelled, as in
 *           whorl_group_wait(). If the caller does not own the group or runs inside it, only its
 *           wait ends.
 */
WHORL_API WHORL_SUSPENDS int whorl_group_wait_below(struct whorl_group *group, size_t n);

/**
 * For whorl_select(): the group's result being known, because all tasks have ended, or because the
 * policy has cancelled the tasks after one of them ended. The case's result is that of
 * whorl_group_wait(), which the owner still has to call. A group without tasks is ready.
 */
WHORL_API struct whorl_case whorl_case_group(struct whorl_group *group);

/**
 * Cancels all tasks of the group and does not wait for their end. Until the owner has waited for
 * the group, spawning into it returns -ECANCELED. That is also so when the group has no task at the
 * time of the call, before the first spawn or between two waits. Any task of the run may call this.
 * Never suspends.
 */
WHORL_API void whorl_group_cancel(struct whorl_group *group);

/** Returns how many tasks of the group are alive. Never suspends. */
WHORL_API size_t whorl_group_alive(const struct whorl_group *group);

/**
 * Cancels the tasks that still run and waits for their end. This is what WHORL_AUTO(group) calls.
 * Accepts a zeroed group. Must not be called inside the group.
 *
 * Suspends: until the last task has ended.
 * Cancel:   not a cancel point; a cancellation does not end the wait.
 */
WHORL_API WHORL_SUSPENDS_SHIELDED void whorl_group_finish(struct whorl_group *group);

/**
 * Returns the run's own group, for daemons: tasks that serve all others. They are cancelled when
 * the root task ends, and the run waits for their end before it returns. A daemon's failure is
 * counted but does not change the run's result. It has no owner: a task that is no daemon may wait
 * for the daemons or stop them, and new daemons can be spawned afterwards. NULL outside a run.
 * Never suspends.
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

/* SPDX-License-Identifier: MIT */
/* Futures: a result, the tasks that wait for it, and the task that produces it. */
#include <stdio.h>

#include <whorl/future.h>

#include "runtime/base/check.h"
#include "runtime/debug/dump.h"
#include "runtime/sched.h"
#include "runtime/sync/wait_queue.h"

static void touch(struct whorl_future *future)
{
    wait_queue_touch(&future->waiters, "future", future->name);
}

bool whorl_future_complete(struct whorl_future *future, int result)
{
    touch(future);
    if (future->done)
        return false;
    future->result = result;
    future->done = true;
    while (whorl_wait_queue_wake_one(&future->waiters, 0))
        ;
    return true;
}

static void cancel_task(struct whorl_future *future)
{
    whorl_scope_cancel(future->worker);
}

/* The task that produces the result; NULL when there is none or when another kind of worker
 * does. */
static struct whorl_task *task_behind(const struct whorl_future *future)
{
    return future->cancel == cancel_task ? ((struct whorl_scope *)future->worker)->owner : NULL;
}

static const struct whorl_future *future_of(const struct whorl_waiter *waiter)
{
    return container_of(waiter->queue, const struct whorl_future, waiters);
}

static void describe(const struct whorl_waiter *waiter, char *text, size_t size)
{
    const struct whorl_future *future = future_of(waiter);
    size_t len = wait_queue_describe(text, size, "future", future->name, future);

    if (task_behind(future))
        snprintf(text + len, size - len, " of %s", dump_name_of(task_behind(future)));
}

static struct whorl_task *holder(const struct whorl_waiter *waiter)
{
    return task_behind(future_of(waiter));
}

static const struct whorl_wait_kind kind = {describe, holder};

WHORL_SUSPENDS int whorl_future_wait(struct whorl_future *future)
{
    struct whorl_task *self;
    struct sched *s;

    touch(future);
    int err = sched_enter(&s, &self);
    if (err || future->done)
        return err;
    return (int)wait_queue_park(&future->waiters, "future", &kind);
}

void whorl_future_cancel(struct whorl_future *future)
{
    touch(future);
    future->cancel_requested = true;
    if (future->cancel)
        future->cancel(future);
    else if (!future->worker)
        whorl_future_complete(future, -ECANCELED);
}

WHORL_SUSPENDS_SHIELDED void whorl_future_finish(struct whorl_future *future)
{
    struct whorl_scope shield;

    if (!future->done)
        whorl_future_cancel(future);
    if (future->done)
        return;
    whorl_scope_enter_shield(&shield, WHORL_FOREVER);
    int err = whorl_future_wait(future);
    whorl_scope_leave(&shield, err);
    whorl_check_text(future->done, "whorl_future_finish() was called outside a task");
}

/* The argument of the task that produces a future's result. It is a copy on that task's own
 * stack. */
struct work {
    whorl_task_fn fn;
    void *arg;
    struct whorl_future *future;
};

static int run(void *arg)
{
    const struct work *work = arg;
    struct whorl_future *future = work->future;
    struct whorl_scope scope;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    future->worker = &scope;
    future->cancel = cancel_task;
    if (future->cancel_requested)
        whorl_scope_cancel(&scope);
    int result = whorl_scope_leave(&scope, work->fn(work->arg));
    future->cancel = NULL;
    future->worker = NULL;
    whorl_future_complete(future, result);
    return result;
}

int whorl_spawn_future_at(struct whorl_group *group, whorl_task_fn fn, void *arg,
                          struct whorl_future *future, const char *site)
{
    int err =
        whorl_spawn_copy_at(group, run, &(struct work){fn, arg, future}, sizeof(struct work), site);
    if (err == 0)
        future->worker = group; /* a worker exists but cannot be cancelled before it runs */
    return err;
}

static bool future_try(struct whorl_case *c)
{
    c->result = 0;
    return ((struct whorl_future *)c->object)->done;
}

static int future_start(struct whorl_case *c)
{
    wait_queue_append_case(&((struct whorl_future *)c->object)->waiters, c, &kind);
    return 0;
}

struct whorl_case whorl_case_future(struct whorl_future *future)
{
    static const struct whorl_case_ops ops = {"future", future_try, future_start,
                                              wait_queue_stop_case};
    return (struct whorl_case){.ops = &ops, .object = future};
}

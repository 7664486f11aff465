/* SPDX-License-Identifier: MIT */
/* Once: the first task runs the function and the others wait. If it fails, the task that has waited
 * longest runs it next. */
#include <stdio.h>

#include "runtime/base/check.h"
#include "runtime/debug/dump.h"
#include "runtime/sched.h"
#include "runtime/sync/wait_queue.h"

static const struct whorl_once *once_of(const struct whorl_waiter *waiter)
{
    return container_of(waiter->queue, const struct whorl_once, waiters);
}

static void describe(const struct whorl_waiter *waiter, char *text, size_t size)
{
    const struct whorl_once *once = once_of(waiter);
    size_t len = wait_queue_describe(text, size, "once", once->name, once);

    snprintf(text + len, size - len, " run by %s", dump_name_of(once->runner));
}

static struct whorl_task *holder(const struct whorl_waiter *waiter)
{
    return once_of(waiter)->runner;
}

static const struct whorl_wait_kind kind = {describe, holder};

WHORL_SUSPENDS int whorl_once_run(struct whorl_once *once, whorl_task_fn fn, void *arg)
{
    struct whorl_task *self;
    struct sched *s;

    wait_queue_touch(&once->waiters, "once", once->name);
    int err = sched_enter(&s, &self);
    if (err || once->state == WHORL_ONCE_DONE)
        return err;
    if (once->state == WHORL_ONCE_RUNNING) {
        if (once->runner == self)
            return -EDEADLK;
        int turn = (int)wait_queue_park(&once->waiters, "once", &kind);
        if (turn <= 0)
            return turn;
        /* Woken with 1: the function failed and it is this task's turn. The state is still
         * RUNNING. */
    }
    once->state = WHORL_ONCE_RUNNING;
    once->runner = self;
    err = fn(arg);
    once->runner = NULL; /* if it failed: NULL until the next task runs it */
    if (err >= 0) {
        once->state = WHORL_ONCE_DONE;
        while (whorl_wait_queue_wake_one(&once->waiters, 0))
            ;
        return 0;
    }
    if (!whorl_wait_queue_wake_one(&once->waiters, 1))
        once->state = WHORL_ONCE_NEW;
    return err;
}

/* SPDX-License-Identifier: MIT */
/* FIFO queues of waiters. All primitives in sync.h and the channels use them. */
#include "runtime/sync/wait_queue.h"

#include <stdio.h>

#include "runtime/base/check.h"
#include "runtime/debug/circle.h"
#include "runtime/sync/select.h"

WHORL_SUSPENDS int64_t wait_queue_park(struct whorl_wait_queue *queue, const char *what,
                                       const struct whorl_wait_kind *kind)
{
    struct whorl_waiter waiter = {.kind = kind};

    wait_queue_append(queue, &waiter);
    if (kind && kind->holder)
        return circle_park(&waiter, wait_queue_withdraw, what);
    return whorl_park(&waiter, wait_queue_withdraw, what);
}

WHORL_SUSPENDS int64_t whorl_wait_queue_park(struct whorl_wait_queue *queue, const char *what)
{
    return wait_queue_park(queue, what, NULL);
}

size_t wait_queue_describe(char *text, size_t size, const char *what, const char *name,
                           const void *object)
{
    int n = name ? snprintf(text, size, "%s \"%s\"", what, name)
                 : snprintf(text, size, "%s %p", what, object);
    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

enum whorl_abort wait_queue_withdraw(struct whorl_waiter *waiter)
{
    if (waiter->queue)
        wait_queue_remove(waiter->queue, waiter);
    return WHORL_ABORT_DONE;
}

bool whorl_wait_queue_wake_one(struct whorl_wait_queue *queue, int64_t result)
{
    struct whorl_waiter *waiter = wait_queue_pop(queue);

    if (waiter)
        whorl_wake(waiter, result);
    return waiter != NULL;
}

static void case_woken(struct whorl_waiter *waiter)
{
    whorl_case_ready(container_of(waiter, struct whorl_case, waiter), (int)waiter->result);
}

void wait_queue_check_case(const struct whorl_waiter *waiter)
{
    const struct whorl_task *task = NULL;

    if (waiter->notify == case_woken)
        task = select_task_of(container_of(waiter, const struct whorl_case, waiter));
    if (task)
        sched_check_own(sched_self(), task);
}

void wait_queue_append_case(struct whorl_wait_queue *queue, struct whorl_case *c,
                            const struct whorl_wait_kind *kind)
{
    c->waiter = (struct whorl_waiter){.data = c->data, .notify = case_woken, .kind = kind};
    wait_queue_append(queue, &c->waiter);
}

enum whorl_abort wait_queue_stop_case(struct whorl_case *c)
{
    return wait_queue_withdraw(&c->waiter);
}

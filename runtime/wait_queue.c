/* SPDX-License-Identifier: MIT */
/* FIFO queues of waiters, the base of every primitive in sync.h and of channels. */
#include "runtime/wait_queue.h"

#include "runtime/base/check.h"

int64_t whorl_wait_queue_park(struct whorl_wait_queue *queue, const char *what)
{
    struct whorl_waiter waiter = WHORL_WAITER_INIT;

    wait_queue_append(queue, &waiter);
    return whorl_park(&waiter, wait_queue_withdraw, what);
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

void wait_queue_append_case(struct whorl_wait_queue *queue, struct whorl_case *c)
{
    c->waiter = (struct whorl_waiter){.data = c->data, .notify = case_woken};
    wait_queue_append(queue, &c->waiter);
}

enum whorl_abort wait_queue_stop_case(struct whorl_case *c)
{
    return wait_queue_withdraw(&c->waiter);
}

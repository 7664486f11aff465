/* SPDX-License-Identifier: MIT */
/* The private part of wait queues. The functions that channels need are inline. */
#ifndef RUNTIME_SYNC_WAIT_QUEUE_H
#define RUNTIME_SYNC_WAIT_QUEUE_H

#include <whorl/select.h>
#include <whorl/sync.h>

#include "runtime/sched.h"

static inline void wait_queue_append(struct whorl_wait_queue *queue, struct whorl_waiter *waiter)
{
    waiter->queue = queue;
    waiter->next = NULL;
    waiter->prev = queue->last;
    if (queue->last)
        queue->last->next = waiter;
    else
        queue->first = waiter;
    queue->last = waiter;
}

static inline void wait_queue_remove(struct whorl_wait_queue *queue, struct whorl_waiter *waiter)
{
    if (waiter->prev)
        waiter->prev->next = waiter->next;
    else
        queue->first = waiter->next;
    if (waiter->next)
        waiter->next->prev = waiter->prev;
    else
        queue->last = waiter->prev;
    waiter->queue = NULL;
}

/* For the waiter of a select's case: aborts when the task of the select belongs to another run. */
void wait_queue_check_case(const struct whorl_waiter *waiter);

/* Removes and returns the waiter that has waited longest; NULL when the queue is empty. Aborts when
 * its task does not belong to this thread's run. */
static inline struct whorl_waiter *wait_queue_pop(struct whorl_wait_queue *queue)
{
    struct whorl_waiter *waiter = queue->first;

    if (waiter) {
        if (waiter->task)
            sched_check_own(sched_self(), waiter->task);
        else if (waiter->notify)
            wait_queue_check_case(waiter);
        wait_queue_remove(queue, waiter);
    }
    return waiter;
}

/* With WHORL_DEBUG=check: aborts when the queue's object belongs to another thread's run. */
static inline void wait_queue_touch(struct whorl_wait_queue *queue, const char *what,
                                    const char *name)
{
    run_id_touch(&queue->run, what, name);
}

/* The abort function of queued waiters: removes the waiter from its queue. */
enum whorl_abort wait_queue_withdraw(struct whorl_waiter *waiter);

/* Like whorl_wait_queue_park(), with a `kind` that describes the wait in reports. */
WHORL_SUSPENDS int64_t wait_queue_park(struct whorl_wait_queue *queue, const char *what,
                                       const struct whorl_wait_kind *kind);

/* Writes what a task waits for, with the object's name or, without a name, its address: `event
 * "ready"`. Returns the length, so that the caller can append more. */
size_t wait_queue_describe(char *text, size_t size, const char *what, const char *name,
                           const void *object);

/* Appends a select's case to a queue; waking its waiter makes the case ready. The case's `data`
 * becomes the waiter's `data`. `kind` may be NULL. */
void wait_queue_append_case(struct whorl_wait_queue *queue, struct whorl_case *c,
                            const struct whorl_wait_kind *kind);

/* The stop function of such a case. */
enum whorl_abort wait_queue_stop_case(struct whorl_case *c);

#endif

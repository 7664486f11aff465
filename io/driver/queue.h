/* SPDX-License-Identifier: MIT */
/* Queues of waiters: circular and doubly linked, the head being a waiter that never waits.
 *
 * A waiter stands in one queue at a time and is linked while its `next` is set, so that it can be
 * taken out without knowing which queue it stands in.
 */
#ifndef IO_DRIVER_QUEUE_H
#define IO_DRIVER_QUEUE_H

#include <whorl/park.h>

static inline void queue_init(struct whorl_waiter *head)
{
    head->next = head->prev = head;
}

static inline bool queue_is_empty(const struct whorl_waiter *head)
{
    return head->next == head;
}

static inline bool queue_is_linked(const struct whorl_waiter *waiter)
{
    return waiter->next != NULL;
}

static inline void queue_append(struct whorl_waiter *head, struct whorl_waiter *waiter)
{
    waiter->next = head;
    waiter->prev = head->prev;
    head->prev->next = waiter;
    head->prev = waiter;
}

static inline void queue_remove(struct whorl_waiter *waiter)
{
    waiter->prev->next = waiter->next;
    waiter->next->prev = waiter->prev;
    waiter->next = waiter->prev = NULL;
}

/* Takes out the waiter that has stood there longest; NULL when the queue is empty. */
static inline struct whorl_waiter *queue_take(struct whorl_waiter *head)
{
    struct whorl_waiter *waiter = head->next;

    if (waiter == head)
        return NULL;
    queue_remove(waiter);
    return waiter;
}

#endif

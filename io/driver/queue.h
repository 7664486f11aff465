/* SPDX-License-Identifier: MIT */
/* Queues of waiters: circular, doubly linked lists. The head is a waiter that never waits.
 *
 * A waiter is in one queue at a time. It is in a queue exactly while its `next` is not NULL. It can
 * be removed without knowing which queue it is in.
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

/* Removes and returns the waiter that has been in the queue longest; NULL when there is none. */
static inline struct whorl_waiter *queue_take(struct whorl_waiter *head)
{
    struct whorl_waiter *waiter = head->next;

    if (waiter == head)
        return NULL;
    queue_remove(waiter);
    return waiter;
}

#endif

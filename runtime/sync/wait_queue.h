/* SPDX-License-Identifier: MIT */
/* The inside of wait queues, inline for channels' sake. */
#ifndef RUNTIME_SYNC_WAIT_QUEUE_H
#define RUNTIME_SYNC_WAIT_QUEUE_H

#include <whorl/select.h>
#include <whorl/sync.h>

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

/* The longest waiter, taken out; NULL when there is none. */
static inline struct whorl_waiter *wait_queue_pop(struct whorl_wait_queue *queue)
{
    struct whorl_waiter *waiter = queue->first;

    if (waiter)
        wait_queue_remove(queue, waiter);
    return waiter;
}

/* The abort function of waiters in a queue: takes them out. */
enum whorl_abort wait_queue_withdraw(struct whorl_waiter *waiter);

/* whorl_wait_queue_park() for what can say more of itself in reports. */
WHORL_SUSPENDS int64_t wait_queue_park(struct whorl_wait_queue *queue, const char *what,
                                       const struct whorl_wait_kind *kind);

/* Writes what is waited for with its name, or else where it is: `event "ready"`. Returns the length,
 * for what may follow. */
size_t wait_queue_describe(char *text, size_t size, const char *what, const char *name,
                           const void *object);

/* Puts a select's case into a queue: waking its waiter makes the case ready. `data` is put where whoever
 * wakes it looks for it. `kind` may be NULL. */
void wait_queue_append_case(struct whorl_wait_queue *queue, struct whorl_case *c,
                            const struct whorl_wait_kind *kind);

/* The stop of such a case. */
enum whorl_abort wait_queue_stop_case(struct whorl_case *c);

#endif

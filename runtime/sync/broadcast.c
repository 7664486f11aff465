/* SPDX-License-Identifier: MIT */
/* Broadcast channels. All subscribers read one ring of values, each at a position of its own. A
 * subscriber for which a task waits has received everything, so the next value is copied directly
 * to that task. Senders wait only while a subscriber is `capacity` values behind. */
#include <stdlib.h>
#include <string.h>

#include <whorl/broadcast.h>

#include "runtime/base/check.h"
#include "runtime/sched.h"
#include "runtime/sync/wait_queue.h"

struct whorl_broadcast {
    enum whorl_broadcast_policy policy;
    size_t value_size, capacity;
    uint64_t sent; /* values since the channel was created */
    struct whorl_subscription *first, **end;
    struct whorl_wait_queue senders; /* waiter->data: the value */
    bool closed;
    const char *name;
    unsigned char values[];
};

int whorl_broadcast_create(size_t value_size, size_t capacity, enum whorl_broadcast_policy policy,
                           struct whorl_broadcast **ret)
{
    size_t bytes;

    if (capacity == 0)
        return -EINVAL;
    if (__builtin_mul_overflow(value_size, capacity, &bytes) ||
        __builtin_add_overflow(bytes, sizeof(struct whorl_broadcast), &bytes))
        return -EOVERFLOW;
    struct whorl_broadcast *broadcast = malloc(bytes);
    if (!broadcast)
        return -ENOMEM;
    *broadcast =
        (struct whorl_broadcast){.policy = policy, .value_size = value_size, .capacity = capacity};
    broadcast->end = &broadcast->first;
    *ret = broadcast;
    return 0;
}

void whorl_broadcast_destroy(struct whorl_broadcast *broadcast)
{
    whorl_check_text(!broadcast || (!broadcast->first && !broadcast->senders.first),
                     "a broadcast channel was destroyed while it has a subscriber or a sender");
    free(broadcast);
}

static void copy(void *to, const void *from, size_t size)
{
    if (size > 0)
        memcpy(to, from, size);
}

static void *place(struct whorl_broadcast *b, uint64_t n)
{
    return b->values + (size_t)(n % b->capacity) * b->value_size;
}

static void touch(struct whorl_broadcast *b)
{
    wait_queue_touch(&b->senders, "broadcast channel", b->name);
}

/* --- sending ---------------------------------------------------------------------------------- */

/* Whether the next value would overwrite one that a sender must not overwrite. */
static bool is_full(const struct whorl_broadcast *b)
{
    if (b->policy != WHORL_BROADCAST_WAIT)
        return false;
    for (const struct whorl_subscription *sub = b->first; sub; sub = sub->later)
        if (b->sent - sub->next >= b->capacity)
            return true;
    return false;
}

static void put(struct whorl_broadcast *b, const void *value)
{
    copy(place(b, b->sent), value, b->value_size);
    b->sent++;
    for (struct whorl_subscription *sub = b->first; sub; sub = sub->later) {
        struct whorl_waiter *waiter = sub->waiters.first;
        if (!waiter)
            continue;
        copy(waiter->data, value, b->value_size);
        sub->next = b->sent;
        sub->missed = 0;
        whorl_wait_queue_wake_one(&sub->waiters, 0);
    }
}

/* While senders wait, the channel is full, so nothing overtakes them. */
static int send_now(struct whorl_broadcast *b, const void *value)
{
    if (b->closed)
        return -EPIPE;
    if (is_full(b))
        return -EAGAIN;
    put(b, value);
    return 0;
}

/* Sends the values of the waiting senders, as far as the subscribers have received enough. */
static void serve_senders(struct whorl_broadcast *b)
{
    while (b->senders.first && !is_full(b)) {
        put(b, b->senders.first->data);
        whorl_wait_queue_wake_one(&b->senders, 0);
    }
}

static void describe_send(const struct whorl_waiter *waiter, char *text, size_t size)
{
    const struct whorl_broadcast *b =
        container_of(waiter->queue, const struct whorl_broadcast, senders);

    wait_queue_describe(text, size, "send on broadcast channel", b->name, b);
}

static void describe_recv(const struct whorl_waiter *waiter, char *text, size_t size)
{
    const struct whorl_broadcast *b =
        container_of(waiter->queue, const struct whorl_subscription, waiters)->broadcast;

    wait_queue_describe(text, size, "receive on broadcast channel", b->name, b);
}

static const struct whorl_wait_kind sending = {describe_send, NULL},
                                    receiving = {describe_recv, NULL};

static WHORL_SUSPENDS int wait_in(struct whorl_wait_queue *queue, void *data,
                                  const struct whorl_wait_kind *kind)
{
    struct whorl_waiter waiter = {.data = data, .kind = kind};

    wait_queue_append(queue, &waiter);
    return (int)whorl_park(&waiter, wait_queue_withdraw, "broadcast channel");
}

WHORL_SUSPENDS int whorl_broadcast_send(struct whorl_broadcast *broadcast, const void *value)
{
    struct whorl_task *self;
    struct sched *s;

    touch(broadcast);
    int err = sched_enter(&s, &self);
    if (err)
        return err;
    err = send_now(broadcast, value);
    return err == -EAGAIN ? wait_in(&broadcast->senders, (void *)(uintptr_t)value, &sending) : err;
}

int whorl_broadcast_try_send(struct whorl_broadcast *broadcast, const void *value)
{
    touch(broadcast);
    return send_now(broadcast, value);
}

void whorl_broadcast_close(struct whorl_broadcast *broadcast)
{
    touch(broadcast);
    broadcast->closed = true;
    while (whorl_wait_queue_wake_one(&broadcast->senders, -EPIPE))
        ;
    for (struct whorl_subscription *sub = broadcast->first; sub; sub = sub->later)
        while (whorl_wait_queue_wake_one(&sub->waiters, -EPIPE))
            ;
}

size_t whorl_broadcast_subscribers(const struct whorl_broadcast *broadcast)
{
    size_t n = 0;

    for (const struct whorl_subscription *sub = broadcast->first; sub; sub = sub->later)
        n++;
    return n;
}

void whorl_broadcast_set_name(struct whorl_broadcast *broadcast, const char *name)
{
    broadcast->name = name;
}

/* --- receiving -------------------------------------------------------------------------------- */

void whorl_subscription_init(struct whorl_subscription *sub, struct whorl_broadcast *broadcast)
{
    touch(broadcast);
    *sub = (struct whorl_subscription){
        .next = broadcast->sent, .broadcast = broadcast, .earlier = broadcast->end};
    *broadcast->end = sub;
    broadcast->end = &sub->later;
}

void whorl_subscription_finish(struct whorl_subscription *sub)
{
    struct whorl_broadcast *b = sub->broadcast;

    if (!b)
        return;
    touch(b);
    whorl_check_text(!sub->waiters.first, "a subscription was finished while a task waits on it");
    *sub->earlier = sub->later;
    if (sub->later)
        sub->later->earlier = sub->earlier;
    else
        b->end = sub->earlier;
    sub->broadcast = NULL;
    serve_senders(b);
}

static int recv_now(struct whorl_subscription *sub, void *ret)
{
    struct whorl_broadcast *b = sub->broadcast;

    if (sub->next == b->sent)
        return b->closed ? -EPIPE : -EAGAIN;
    uint64_t behind = b->sent - sub->next;
    sub->missed = behind > b->capacity ? behind - b->capacity : 0;
    sub->next += sub->missed;
    copy(ret, place(b, sub->next), b->value_size);
    sub->next++;
    serve_senders(b);
    return 0;
}

WHORL_SUSPENDS int whorl_subscription_recv(struct whorl_subscription *sub, void *ret)
{
    struct whorl_task *self;
    struct sched *s;

    touch(sub->broadcast);
    int err = sched_enter(&s, &self);
    if (err)
        return err;
    err = recv_now(sub, ret);
    return err == -EAGAIN ? wait_in(&sub->waiters, ret, &receiving) : err;
}

int whorl_subscription_try_recv(struct whorl_subscription *sub, void *ret)
{
    touch(sub->broadcast);
    return recv_now(sub, ret);
}

static bool recv_try(struct whorl_case *c)
{
    c->result = whorl_subscription_try_recv(c->object, c->data);
    return c->result != -EAGAIN;
}

static int recv_start(struct whorl_case *c)
{
    wait_queue_append_case(&((struct whorl_subscription *)c->object)->waiters, c, &receiving);
    return 0;
}

struct whorl_case whorl_case_subscription(struct whorl_subscription *sub, void *ret)
{
    static const struct whorl_case_ops ops = {"receive on broadcast channel", recv_try, recv_start,
                                              wait_queue_stop_case};
    return (struct whorl_case){.ops = &ops, .object = sub, .data = ret};
}

/* SPDX-License-Identifier: MIT */
/* Channels. A value is copied as few times as possible: from the sender's memory or the ring buffer
 * directly to the memory of a waiting receiver. When receivers wait, the buffer is empty; when
 * senders wait, it is full. Receivers and senders never wait at the same time. */
#include <stdlib.h>
#include <string.h>

#include <whorl/chan.h>

#include "runtime/base/check.h"
#include "runtime/park.h"
#include "runtime/sched.h"
#include "runtime/sync/wait_queue.h"

struct whorl_chan {
    /* Numbers of values since the channel was created. A send changes one of them, a receive the
     * other. */
    size_t sent, received;
    size_t value_size, capacity;
    /* Size of the ring less one. The size is a power of two and not below `capacity`. Channels of
     * signals (value_size 0) have no ring. */
    size_t mask;
    /* waiter->data: where the value goes to or comes from */
    struct whorl_wait_queue receivers, senders;
    bool closed;
    const char *name;
    unsigned char values[];
};

int whorl_chan_create(size_t value_size, size_t capacity, struct whorl_chan **ret)
{
    size_t places = 1, bytes;

    while (value_size > 0 && places < capacity)
        if (__builtin_add_overflow(places, places, &places))
            return -EOVERFLOW;
    if (__builtin_mul_overflow(value_size, capacity ? places : 0, &bytes) ||
        __builtin_add_overflow(bytes, sizeof(struct whorl_chan), &bytes))
        return -EOVERFLOW;
    struct whorl_chan *chan = malloc(bytes);
    if (!chan)
        return -ENOMEM;
    *chan = (struct whorl_chan){.value_size = value_size, .capacity = capacity, .mask = places - 1};
    *ret = chan;
    return 0;
}

void whorl_chan_destroy(struct whorl_chan *chan)
{
    whorl_check_text(!chan || (!chan->receivers.first && !chan->senders.first),
                     "a channel was destroyed while a task waits on it");
    free(chan);
}

/* Copies one value. Most values are pointers or numbers, and a call to memcpy() would cost as much
 * as the rest of a send, so these sizes are inlined. */
static inline void copy(void *to, const void *from, size_t size)
{
    if (size == 8)
        memcpy(to, from, 8);
    else if (size == 4)
        memcpy(to, from, 4);
    else if (size > 0)
        memcpy(to, from, size);
}

/* The place in the ring of the n-th buffered value. */
static inline unsigned char *place(struct whorl_chan *chan, size_t n)
{
    return chan->values + (n & chan->mask) * chan->value_size;
}

static inline void touch(struct whorl_chan *chan)
{
    wait_queue_touch(&chan->receivers, "channel", chan->name);
}

/* Sends without waiting. `self` is the running task, or NULL where it is not known. Returns 0,
 * -EPIPE, or -EAGAIN when it would have to wait. */
static inline int send_now(struct sched *s, struct whorl_task *self, struct whorl_chan *chan,
                           const void *value)
{
    if (chan->receivers.first) {
        struct whorl_waiter *receiver = wait_queue_pop(&chan->receivers);
        if (self) {
            self->woke = receiver->task;
            self->woke_by = chan;
        }
        copy(receiver->data, value, chan->value_size);
        park_wake(s, receiver, 0);
        return 0;
    }
    if (chan->sent - chan->received < chan->capacity) {
        copy(place(chan, chan->sent), value, chan->value_size);
        chan->sent++;
        return 0;
    }
    return chan->closed ? -EPIPE : -EAGAIN;
}

static inline int recv_now(struct sched *s, struct whorl_chan *chan, void *ret)
{
    if (chan->sent != chan->received) {
        copy(ret, place(chan, chan->received), chan->value_size);
        chan->received++;
        if (chan->senders.first) {
            struct whorl_waiter *sender = wait_queue_pop(&chan->senders);
            copy(place(chan, chan->sent), sender->data, chan->value_size);
            chan->sent++;
            park_wake(s, sender, 0);
        }
        return 0;
    }
    if (chan->senders.first) {
        struct whorl_waiter *sender = wait_queue_pop(&chan->senders);
        copy(ret, sender->data, chan->value_size);
        park_wake(s, sender, 0);
        return 0;
    }
    return chan->closed ? -EPIPE : -EAGAIN;
}

static void describe(const struct whorl_waiter *waiter, const char *does, size_t offset, char *text,
                     size_t size)
{
    const struct whorl_chan *chan = (const void *)((const char *)waiter->queue - offset);

    wait_queue_describe(text, size, does, chan->name, chan);
}

static void describe_send(const struct whorl_waiter *waiter, char *text, size_t size)
{
    describe(waiter, "send on channel", offsetof(struct whorl_chan, senders), text, size);
}

static void describe_recv(const struct whorl_waiter *waiter, char *text, size_t size)
{
    describe(waiter, "receive on channel", offsetof(struct whorl_chan, receivers), text, size);
}

static const struct whorl_wait_kind sending = {describe_send, NULL},
                                    receiving = {describe_recv, NULL};

/* Queues a waiter and parks. Not inlined, so that a call that does not wait saves no registers for
 * it. */
static __attribute__((noinline)) WHORL_SUSPENDS int wait_in(struct sched *s,
                                                            struct whorl_task *self,
                                                            struct whorl_wait_queue *queue,
                                                            void *data,
                                                            const struct whorl_wait_kind *kind)
{
    struct whorl_waiter waiter;

    waiter.data = data;
    waiter.task = NULL; /* set when the task parks */
    waiter.notify = NULL;
    waiter.kind = kind;
    waiter.woken = false;
    wait_queue_append(queue, &waiter);
    return (int)park_entered(s, self, &waiter, wait_queue_withdraw, "channel");
}

/* Sends and receives are so short that calling a function for the check would slow them down,
 * because the call saves registers. So there are two copies of these functions, and the checks are
 * only in one of them. */
static inline __attribute__((always_inline)) WHORL_SUSPENDS int send_value(struct whorl_chan *chan,
                                                                           const void *value)
{
    struct whorl_task *self;
    struct sched *s;

    int err = sched_enter(&s, &self);
    if (err)
        return err;
    err = send_now(s, self, chan, value);
    return err == -EAGAIN ? wait_in(s, self, &chan->senders, (void *)(uintptr_t)value, &sending)
                          : err;
}

static __attribute__((noinline, cold)) WHORL_SUSPENDS int send_checked(struct whorl_chan *chan,
                                                                       const void *value)
{
    touch(chan);
    return send_value(chan, value);
}

WHORL_SUSPENDS int whorl_chan_send(struct whorl_chan *chan, const void *value)
{
    if (__builtin_expect(run_id_is_checked(), 0))
        return send_checked(chan, value);
    return send_value(chan, value);
}

static inline __attribute__((always_inline)) WHORL_SUSPENDS int recv_value(struct whorl_chan *chan,
                                                                           void *ret)
{
    struct whorl_task *self;
    struct sched *s;

    int err = sched_enter(&s, &self);
    if (err)
        return err;
    err = recv_now(s, chan, ret);
    return err == -EAGAIN ? wait_in(s, self, &chan->receivers, ret, &receiving) : err;
}

static __attribute__((noinline, cold)) WHORL_SUSPENDS int recv_checked(struct whorl_chan *chan,
                                                                       void *ret)
{
    touch(chan);
    return recv_value(chan, ret);
}

WHORL_SUSPENDS int whorl_chan_recv(struct whorl_chan *chan, void *ret)
{
    if (__builtin_expect(run_id_is_checked(), 0))
        return recv_checked(chan, ret);
    return recv_value(chan, ret);
}

WHORL_SUSPENDS bool whorl_chan_recv_next(struct whorl_chan *chan, void *ret, size_t ret_size,
                                         int *ret_err)
{
    whorl_check_text(
        ret_size == chan->value_size,
        "the item of whorl_chan_for_each() must have the type of the channel's values");
    int err = whorl_chan_recv(chan, ret);
    *ret_err = err == -EPIPE ? 0 : err;
    return err == 0;
}

int whorl_chan_try_send(struct whorl_chan *chan, const void *value)
{
    touch(chan);
    return send_now(sched_self(), NULL, chan, value);
}

int whorl_chan_try_recv(struct whorl_chan *chan, void *ret)
{
    touch(chan);
    return recv_now(sched_self(), chan, ret);
}

void whorl_chan_close(struct whorl_chan *chan)
{
    touch(chan);
    chan->closed = true;
    chan->capacity = 0; /* so that a send checks only the capacity */
    while (whorl_wait_queue_wake_one(&chan->receivers, -EPIPE))
        ;
    while (whorl_wait_queue_wake_one(&chan->senders, -EPIPE))
        ;
}

size_t whorl_chan_len(const struct whorl_chan *chan)
{
    return chan->sent - chan->received;
}

void whorl_chan_set_name(struct whorl_chan *chan, const char *name)
{
    chan->name = name;
}

static bool recv_try(struct whorl_case *c)
{
    touch(c->object);
    c->result = recv_now(sched_self(), c->object, c->data);
    return c->result != -EAGAIN;
}

static bool send_try(struct whorl_case *c)
{
    touch(c->object);
    c->result = send_now(sched_self(), NULL, c->object, c->data);
    return c->result != -EAGAIN;
}

static int recv_start(struct whorl_case *c)
{
    wait_queue_append_case(&((struct whorl_chan *)c->object)->receivers, c, &receiving);
    return 0;
}

static int send_start(struct whorl_case *c)
{
    wait_queue_append_case(&((struct whorl_chan *)c->object)->senders, c, &sending);
    return 0;
}

struct whorl_case whorl_case_recv(struct whorl_chan *chan, void *ret)
{
    static const struct whorl_case_ops ops = {"receive on channel", recv_try, recv_start,
                                              wait_queue_stop_case};
    return (struct whorl_case){.ops = &ops, .object = chan, .data = ret};
}

struct whorl_case whorl_case_send(struct whorl_chan *chan, const void *value)
{
    static const struct whorl_case_ops ops = {"send on channel", send_try, send_start,
                                              wait_queue_stop_case};
    return (struct whorl_case){.ops = &ops, .object = chan, .data = (void *)(uintptr_t)value};
}

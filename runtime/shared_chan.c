/* SPDX-License-Identifier: MIT */
/* Channels between runs: a ring of values under a lock, and two queues of tasks that wait.
 *
 * The thread that sends a value does not copy it to the waiting task. It grants that task a claim
 * to one value, or to one place, and the task takes the value on its own thread. When the task is
 * cancelled before that, it gives the claim back, so no value is lost:
 *
 *     receiver's thread           lock                          sender's thread
 *     recv: queue is empty  --->  receivers: r
 *     parks                                               <---  send: puts the value,
 *                                 claims 1                      grants r a claim
 *                                                               runner_post(r's call) --.
 *     loop: call: wakes r   <-----------------------------------------------------------'
 *     r: takes the value    --->  claims 0
 *
 * `count - claims` values have no claim; while receivers wait, that number is 0. The same holds for
 * places and senders. A waiter is either in a queue, or it has a claim. Then its call is posted, so
 * it cannot be withdrawn any more.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/shared_chan.h>

#include "runtime/base/check.h"
#include "runtime/runner.h"
#include "runtime/sched.h"

struct waiting;

/* The tasks that wait for values, or for places. Under the channel's lock. */
struct side {
    struct waiting *first, *last;
    size_t claims; /* granted and not used yet */
};

struct whorl_shared_chan {
    pthread_mutex_t lock;
    atomic_size_t references;
    size_t value_size, capacity;
    size_t start, count; /* of the values in the ring */
    struct side receivers, senders;
    bool closed;
    unsigned char values[];
};

/* A task or a select's case that waits. */
struct waiting {
    struct runner_call call;
    struct whorl_runner *runner; /* of its run */
    struct whorl_shared_chan *chan;
    struct side *side;
    struct waiting *next, *prev; /* in the side's queue; afterwards `next` links those to post */
    bool queued;                 /* under the channel's lock */
    bool claims;                 /* it was granted a claim; false: the channel was closed */
    void *value;                 /* where the value goes to or comes from */
    struct whorl_waiter waiter;  /* of a task */
    struct whorl_case *c;        /* NULL for a task */
    bool stopped;                /* the select has ended in another way */
};

int whorl_shared_chan_create(size_t value_size, size_t capacity, struct whorl_shared_chan **ret)
{
    size_t bytes;

    if (capacity == 0)
        return -EINVAL;
    if (__builtin_mul_overflow(value_size, capacity, &bytes) ||
        __builtin_add_overflow(bytes, sizeof(struct whorl_shared_chan), &bytes))
        return -EOVERFLOW;
    struct whorl_shared_chan *chan = malloc(bytes);
    if (!chan)
        return -ENOMEM;
    memset(chan, 0, sizeof *chan);
    if (pthread_mutex_init(&chan->lock, NULL) != 0) {
        free(chan);
        return -ENOMEM;
    }
    chan->references = 1;
    chan->value_size = value_size;
    chan->capacity = capacity;
    *ret = chan;
    return 0;
}

void whorl_shared_chan_acquire_remote(struct whorl_shared_chan *chan)
{
    atomic_fetch_add_explicit(&chan->references, 1, memory_order_relaxed);
}

void whorl_shared_chan_release_remote(struct whorl_shared_chan *chan)
{
    if (!chan || atomic_fetch_sub_explicit(&chan->references, 1, memory_order_acq_rel) > 1)
        return;
    whorl_check_text(!chan->receivers.first && !chan->senders.first,
                     "the last reference to a shared channel was released while a task waits");
    pthread_mutex_destroy(&chan->lock);
    free(chan);
}

/* --- under the lock --------------------------------------------------------------------------- */

static void append(struct waiting *w)
{
    struct side *side = w->side;

    w->next = NULL;
    w->prev = side->last;
    if (side->last)
        side->last->next = w;
    else
        side->first = w;
    side->last = w;
    w->queued = true;
}

static void dequeue(struct waiting *w)
{
    struct side *side = w->side;

    if (w->prev)
        w->prev->next = w->next;
    else
        side->first = w->next;
    if (w->next)
        w->next->prev = w->prev;
    else
        side->last = w->prev;
    w->queued = false;
}

/* Takes the first waiter out of its queue and adds it to the list of those whose calls are posted
 * when the lock is free. */
static void grant(struct side *side, bool claims, struct waiting ***granted)
{
    struct waiting *w = side->first;

    dequeue(w);
    w->claims = claims;
    side->claims += claims;
    w->next = NULL;
    **granted = w;
    *granted = &w->next;
}

/* Grants each value in the ring that has no claim to a waiting receiver, and each free place to a
 * waiting sender. Returns the list of these waiters. */
static struct waiting *grant_all(struct whorl_shared_chan *chan)
{
    struct waiting *granted = NULL, **end = &granted;
    struct side *receivers = &chan->receivers, *senders = &chan->senders;

    while (receivers->first && chan->count > receivers->claims)
        grant(receivers, true, &end);
    while (receivers->first && chan->closed)
        grant(receivers, false, &end);
    while (senders->first && chan->closed)
        grant(senders, false, &end);
    while (senders->first && chan->capacity - chan->count > senders->claims)
        grant(senders, true, &end);
    return granted;
}

static void copy(void *to, const void *from, size_t size)
{
    if (size > 0)
        memcpy(to, from, size);
}

static unsigned char *place(struct whorl_shared_chan *chan, size_t n)
{
    return chan->values + (chan->start + n) % chan->capacity * chan->value_size;
}

static void take(struct whorl_shared_chan *chan, void *ret)
{
    copy(ret, place(chan, 0), chan->value_size);
    chan->start = (chan->start + 1) % chan->capacity;
    chan->count--;
}

static void put(struct whorl_shared_chan *chan, const void *value)
{
    copy(place(chan, chan->count), value, chan->value_size);
    chan->count++;
}

/* Receives or sends what no waiter has a claim to. Returns 0, -EAGAIN or -EPIPE. */
static int move_now(struct whorl_shared_chan *chan, struct side *side, void *value)
{
    if (side == &chan->receivers) {
        if (chan->count <= side->claims)
            return chan->closed ? -EPIPE : -EAGAIN;
        take(chan, value);
    } else {
        if (chan->closed)
            return -EPIPE;
        if (chan->capacity - chan->count <= side->claims)
            return -EAGAIN;
        put(chan, value);
    }
    return 0;
}

/* Uses a waiter's claim. Returns 0 or -EPIPE. */
static int move_claimed(struct waiting *w)
{
    struct whorl_shared_chan *chan = w->chan;

    if (w->claims)
        w->side->claims--;
    if (w->side == &chan->receivers) {
        if (!w->claims)
            return -EPIPE;
        take(chan, w->value);
        return 0;
    }
    if (chan->closed)
        return -EPIPE;
    put(chan, w->value);
    return 0;
}

/* --- without the lock ------------------------------------------------------------------------- */

/* A run lasts at least as long as its tasks, so it accepts the calls. */
static void post_all(struct waiting *granted)
{
    while (granted) {
        struct waiting *w = granted;
        granted = w->next; /* its thread may free `w` once it is posted */
        int err = runner_post(w->runner, &w->call);
        whorl_check(err == 0);
    }
}

/* Grants claims, releases the lock, and posts the calls that wake the waiters with a claim. */
static void unlock(struct whorl_shared_chan *chan)
{
    struct waiting *granted = grant_all(chan);

    pthread_mutex_unlock(&chan->lock);
    post_all(granted);
}

static int try_move(struct whorl_shared_chan *chan, struct side *side, void *value)
{
    pthread_mutex_lock(&chan->lock);
    int err = move_now(chan, side, value);
    unlock(chan);
    return err;
}

/* Makes a waiter for the present run. Returns 0 or -ENOMEM. */
static int begin(struct waiting *w, struct whorl_shared_chan *chan, struct side *side, void *value)
{
    struct whorl_runner *runner = runner_of(sched_self());

    if (!runner)
        return -ENOMEM;
    *w = (struct waiting){.runner = runner, .chan = chan, .side = side, .value = value};
    return 0;
}

/* Queues a waiter, unless it can continue at once. Returns -EAGAIN when it is queued. */
static int enqueue(struct waiting *w)
{
    pthread_mutex_lock(&w->chan->lock);
    int err = move_now(w->chan, w->side, w->value);
    if (err == -EAGAIN) {
        runner_await(w->runner);
        append(w);
    }
    unlock(w->chan);
    return err;
}

/* Takes a waiter out of its queue. Returns false when it was granted, and its call will come. */
static bool withdraw(struct waiting *w)
{
    pthread_mutex_lock(&w->chan->lock);
    bool queued = w->queued;
    if (queued)
        dequeue(w);
    pthread_mutex_unlock(&w->chan->lock);
    if (queued)
        runner_await_no_more(w->runner);
    return queued;
}

static int finish(struct waiting *w)
{
    pthread_mutex_lock(&w->chan->lock);
    int err = move_claimed(w);
    unlock(w->chan);
    return err;
}

/* --- tasks ------------------------------------------------------------------------------------ */

/* `dropped`: this is the copy of a run in a forked child, which has ended without its tasks. */
static void wake(struct runner_call *call, bool dropped)
{
    struct waiting *w = container_of(call, struct waiting, call);

    if (dropped)
        return;
    runner_await_no_more(w->runner);
    whorl_wake(&w->waiter, 0);
}

static enum whorl_abort abort_wait(struct whorl_waiter *waiter)
{
    return withdraw(container_of(waiter, struct waiting, waiter)) ? WHORL_ABORT_DONE
                                                                  : WHORL_ABORT_PENDING;
}

static WHORL_SUSPENDS int move(struct whorl_shared_chan *chan, struct side *side, void *value,
                               const char *what)
{
    struct whorl_task *self;
    struct waiting w;
    struct sched *s;

    int err = sched_enter(&s, &self);
    if (err == 0)
        err = try_move(chan, side, value);
    if (err != -EAGAIN)
        return err;
    err = begin(&w, chan, side, value);
    if (err)
        return err;
    w.call.call = wake;
    err = enqueue(&w);
    if (err != -EAGAIN)
        return err;
    err = (int)whorl_park(&w.waiter, abort_wait, what);
    return err ? err : finish(&w);
}

WHORL_SUSPENDS int whorl_shared_chan_send_remote(struct whorl_shared_chan *chan, const void *value)
{
    return move(chan, &chan->senders, (void *)(uintptr_t)value, "send on shared channel");
}

WHORL_SUSPENDS int whorl_shared_chan_recv_remote(struct whorl_shared_chan *chan, void *ret)
{
    return move(chan, &chan->receivers, ret, "receive on shared channel");
}

int whorl_shared_chan_try_send_remote(struct whorl_shared_chan *chan, const void *value)
{
    return try_move(chan, &chan->senders, (void *)(uintptr_t)value);
}

int whorl_shared_chan_try_recv_remote(struct whorl_shared_chan *chan, void *ret)
{
    return try_move(chan, &chan->receivers, ret);
}

void whorl_shared_chan_close_remote(struct whorl_shared_chan *chan)
{
    pthread_mutex_lock(&chan->lock);
    chan->closed = true;
    unlock(chan);
}

size_t whorl_shared_chan_len_remote(struct whorl_shared_chan *chan)
{
    pthread_mutex_lock(&chan->lock);
    size_t count = chan->count;
    pthread_mutex_unlock(&chan->lock);
    return count;
}

/* --- cases ------------------------------------------------------------------------------------ */

static struct side *side_of(const struct whorl_case *c)
{
    struct whorl_shared_chan *chan = c->object;

    return c->number ? &chan->senders : &chan->receivers;
}

static bool case_try(struct whorl_case *c)
{
    c->result = try_move(c->object, side_of(c), c->data);
    return c->result != -EAGAIN;
}

/* Gives back the claim of a case that was not taken. */
static void give_back(struct waiting *w)
{
    pthread_mutex_lock(&w->chan->lock);
    w->side->claims -= w->claims;
    unlock(w->chan);
}

/* A stopped case must not move a value. */
static void end_case(struct runner_call *call, bool dropped)
{
    struct waiting *w = container_of(call, struct waiting, call);
    struct whorl_case *c = w->c;
    int result = 0;

    if (dropped)
        return;
    runner_await_no_more(w->runner);
    if (w->stopped)
        give_back(w);
    else
        result = finish(w);
    free(w);
    whorl_case_ready(c, result);
}

static int case_start(struct whorl_case *c)
{
    struct waiting *w = malloc(sizeof *w); /* it does not fit into the case */

    if (!w)
        return -ENOMEM;
    int err = begin(w, c->object, side_of(c), c->data);
    if (err == 0) {
        w->call.call = end_case;
        w->c = c;
        c->waiter = (struct whorl_waiter){.data = w};
        err = enqueue(w);
    }
    if (err == -EAGAIN)
        return 0;
    free(w);
    if (err < 0)
        return err;
    whorl_case_ready(c, 0); /* another thread was faster than this start */
    return 0;
}

static enum whorl_abort case_stop(struct whorl_case *c)
{
    struct waiting *w = c->waiter.data;

    if (withdraw(w)) {
        free(w);
        return WHORL_ABORT_DONE;
    }
    w->stopped = true;
    return WHORL_ABORT_PENDING;
}

struct whorl_case whorl_case_shared_recv(struct whorl_shared_chan *chan, void *ret)
{
    static const struct whorl_case_ops ops = {"receive on shared channel", case_try, case_start,
                                              case_stop};
    return (struct whorl_case){.ops = &ops, .object = chan, .data = ret};
}

struct whorl_case whorl_case_shared_send(struct whorl_shared_chan *chan, const void *value)
{
    static const struct whorl_case_ops ops = {"send on shared channel", case_try, case_start,
                                              case_stop};
    return (struct whorl_case){
        .ops = &ops, .object = chan, .data = (void *)(uintptr_t)value, .number = 1};
}

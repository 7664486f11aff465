/* SPDX-License-Identifier: MIT */
/* Token buckets. While tasks wait, a timer is armed for the instant at which the bucket has enough
 * tokens for the first of them. Tokens are whole numbers, so that no time is lost by rounding: what
 * is gained of the next token is counted in units of 1 / period_ns. */
#include <whorl/limiter.h>

#include "runtime/base/check.h"
#include "runtime/sched.h"
#include "runtime/sync/wait_queue.h"

/* A product of tokens and nanoseconds. */
__extension__ typedef unsigned __int128 wide;

static uint64_t period_of(const struct whorl_limiter *limiter)
{
    return (uint64_t)(limiter->period_ns > 0 ? limiter->period_ns : WHORL_SECOND);
}

static uint64_t size_of(const struct whorl_limiter *limiter)
{
    return limiter->burst ? limiter->burst : 1;
}

/* Adds the tokens that the bucket has gained since the last call. */
static void fill(struct whorl_limiter *limiter)
{
    int64_t now = whorl_now();
    uint64_t period = period_of(limiter);

    if (limiter->missing > 0 && now > limiter->filled_ns) {
        wide gained = (wide)(uint64_t)(now - limiter->filled_ns) * limiter->rate + limiter->part;
        if (gained / period >= limiter->missing) {
            limiter->missing = limiter->part = 0; /* a full bucket gains nothing */
        } else {
            limiter->missing -= (uint64_t)(gained / period);
            limiter->part = (uint64_t)(gained % period);
        }
    }
    limiter->filled_ns = now;
}

/* Takes `n` tokens and returns true, if the bucket has them. */
static bool take(struct whorl_limiter *limiter, uint64_t n)
{
    if (limiter->rate == 0)
        return true;
    fill(limiter);
    if (n > size_of(limiter) - limiter->missing)
        return false;
    limiter->missing += n;
    return true;
}

/* The instant at which the bucket has `n` tokens. It has just been filled, and has fewer. */
static int64_t ready_at(const struct whorl_limiter *limiter, uint64_t n)
{
    uint64_t lacks = n - (size_of(limiter) - limiter->missing);
    wide gain = (wide)lacks * period_of(limiter) - limiter->part;
    wide delay = (gain + limiter->rate - 1) / limiter->rate;

    return whorl_after(delay > INT64_MAX ? WHORL_FOREVER : (int64_t)delay);
}

static void serve(struct whorl_limiter *limiter);

static void fire(struct whorl_timer *timer)
{
    serve(container_of(timer, struct whorl_limiter, timer));
}

static uint64_t wanted(const struct whorl_waiter *waiter)
{
    return *(const uint64_t *)waiter->data;
}

/* Gives tokens to the waiters, in order, and arms the timer for the first one that does not get
 * them yet. */
static void serve(struct whorl_limiter *limiter)
{
    while (limiter->waiters.first && take(limiter, wanted(limiter->waiters.first)))
        whorl_wait_queue_wake_one(&limiter->waiters, 0);
    if (limiter->waiters.first)
        whorl_timer_arm(&limiter->timer, ready_at(limiter, wanted(limiter->waiters.first)), fire);
    else
        whorl_timer_disarm(&limiter->timer);
}

/* The other waiters may have waited only for the one that is withdrawn, so look at them again. */
static enum whorl_abort withdraw(struct whorl_waiter *waiter)
{
    struct whorl_limiter *limiter = container_of(waiter->queue, struct whorl_limiter, waiters);

    wait_queue_remove(&limiter->waiters, waiter);
    serve(limiter);
    return WHORL_ABORT_DONE;
}

static void describe(const struct whorl_waiter *waiter, char *text, size_t size)
{
    const struct whorl_limiter *limiter =
        container_of(waiter->queue, const struct whorl_limiter, waiters);

    wait_queue_describe(text, size, "limiter", limiter->name, limiter);
}

static const struct whorl_wait_kind kind = {describe, NULL};

static void touch(struct whorl_limiter *limiter)
{
    wait_queue_touch(&limiter->waiters, "limiter", limiter->name);
}

static bool is_too_much(const struct whorl_limiter *limiter, uint64_t n)
{
    return limiter->rate > 0 && n > size_of(limiter);
}

WHORL_SUSPENDS int whorl_limiter_acquire(struct whorl_limiter *limiter, uint64_t n)
{
    struct whorl_waiter waiter = {.data = &n, .kind = &kind};
    struct whorl_task *self;
    struct sched *s;

    touch(limiter);
    if (is_too_much(limiter, n))
        return -EINVAL;
    int err = sched_enter(&s, &self);
    if (err)
        return err;
    if (!limiter->waiters.first && take(limiter, n))
        return 0;
    wait_queue_append(&limiter->waiters, &waiter);
    if (limiter->waiters.first == &waiter)
        serve(limiter);
    return (int)whorl_park(&waiter, withdraw, "limiter");
}

int whorl_limiter_try_acquire(struct whorl_limiter *limiter, uint64_t n)
{
    touch(limiter);
    if (is_too_much(limiter, n))
        return -EINVAL;
    return !limiter->waiters.first && take(limiter, n) ? 0 : -EAGAIN;
}

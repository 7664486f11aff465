/* SPDX-License-Identifier: MIT */
/* Select. All cases wait at the same time. The first one that is ready stops the others at once,
 * before its task runs again, so no second case can be taken.
 *
 *     whorl_select: tries each case, else starts each case and parks
 *     chan_send:    passes its value to case 1's waiter -> whorl_case_ready(1)
 *                   case 1 wins; stop(0) DONE; stop(2) PENDING (a poll in the kernel)
 *     ring:         completion of 2 -> whorl_case_ready(2): dropped, nothing outstanding, wake
 *     whorl_select: returns 1
 */
#include "runtime/sync/select.h"

#include <stdio.h>
#include <string.h>

#include <whorl/timer.h>

#include "runtime/base/check.h"
#include "runtime/sched.h"

struct whorl_select_wait {
    struct whorl_waiter waiter;
    struct whorl_case *cases, *winner;
    size_t count;
    size_t started;     /* cases[0..started) have been started */
    size_t outstanding; /* stopped cases whose whorl_case_ready() is still to come */
    bool parked;
};

const struct whorl_task *select_task_of(const struct whorl_case *c)
{
    return c->wait ? c->wait->waiter.task : NULL;
}

/* Stored as the winner of a cancelled select. */
static struct whorl_case nobody;

static void stop_one(struct whorl_select_wait *wait, struct whorl_case *c)
{
    if (!c->wait)
        return;
    if (c->ops->stop(c) == WHORL_ABORT_DONE)
        c->wait = NULL;
    else
        wait->outstanding++;
}

/* Stops every started case that is not over. */
static void stop_all(struct whorl_select_wait *wait)
{
    for (size_t i = 0; i < wait->started; i++)
        stop_one(wait, &wait->cases[i]);
}

void whorl_case_ready(struct whorl_case *c, int result)
{
    struct whorl_select_wait *wait = c->wait;

    c->wait = NULL;
    if (wait->winner || wait->waiter.woken) {
        wait->outstanding--;
    } else {
        wait->winner = c;
        c->result = result;
        stop_all(wait);
    }
    if (wait->outstanding == 0 && wait->parked)
        whorl_wake(&wait->waiter, 0);
}

/* The select was cancelled: no case can win any more. If the kernel still holds a case, the select
 * waits for it. */
static enum whorl_abort abort_select(struct whorl_waiter *waiter)
{
    struct whorl_select_wait *wait = container_of(waiter, struct whorl_select_wait, waiter);

    if (wait->winner)
        return WHORL_ABORT_PENDING;
    stop_all(wait);
    if (wait->outstanding == 0)
        return WHORL_ABORT_DONE;
    wait->winner = &nobody;
    return WHORL_ABORT_PENDING;
}

static size_t random_below(struct sched *s, size_t n)
{
    s->select_random = s->select_random * 6364136223846793005u + 1442695040888963407u;
    return (size_t)((s->select_random >> 33) % n);
}

/* Tries the cases in a random order that is drawn during the loop (Fisher and Yates), so each ready
 * case has the same chance at every position. The order is stored in the cases, which are not
 * started yet. */
static int take_ready(struct sched *s, struct whorl_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cases[i].order = i;
    for (size_t i = 0; i < count; i++) {
        size_t other = i + random_below(s, count - i);
        size_t k = cases[other].order;
        cases[other].order = cases[i].order;
        if (cases[k].ops && cases[k].ops->try_now(&cases[k]))
            return (int)k;
    }
    return -EAGAIN;
}

int whorl_try_select(struct whorl_case *cases, size_t count)
{
    struct sched *s = sched_self();

    if (!s)
        return WHORL_ENOTASK;
    return count == 0 ? -EAGAIN : take_ready(s, cases, count);
}

/* Writes what each case waits for, as far as there is room. */
static void describe(const struct whorl_waiter *waiter, char *text, size_t size)
{
    const struct whorl_select_wait *wait =
        container_of(waiter, const struct whorl_select_wait, waiter);
    const char *between = "select of ";

    for (size_t i = 0; i < wait->count; i++) {
        const struct whorl_case *c = &wait->cases[i];
        if (c->wait != wait)
            continue;
        int n = snprintf(text, size, "%s", between);
        if (n < 0 || (size_t)n >= size)
            return;
        text += n;
        size -= (size_t)n;
        between = ", ";
        if (c->waiter.kind && c->waiter.kind->describe)
            c->waiter.kind->describe(&c->waiter, text, size);
        else
            snprintf(text, size, "%s", c->ops->what);
        size -= strlen(text);
        text += strlen(text);
    }
}

static const struct whorl_wait_kind kind = {describe, NULL};

WHORL_SUSPENDS int whorl_select(struct whorl_case *cases, size_t count)
{
    struct whorl_select_wait wait = {.cases = cases, .count = count, .waiter.kind = &kind};
    struct whorl_task *self;
    struct sched *s;
    bool any = false;

    int err = sched_enter(&s, &self);
    if (err)
        return err;
    if (count == 0)
        return -EINVAL;
    err = take_ready(s, cases, count);
    if (err >= 0)
        return err;
    for (; wait.started < count && !wait.winner; wait.started++) {
        struct whorl_case *c = &cases[wait.started];
        c->wait = NULL;
        if (!c->ops)
            continue;
        any = true;
        c->wait = &wait;
        err = c->ops->start(c);
        if (!wait.winner && err < 0)
            whorl_case_ready(c, err);
        else if (wait.winner && err >= 0)
            stop_one(&wait, c); /* starting it has made another case ready */
        else if (err < 0)
            c->wait = NULL;
    }
    if (!any)
        return -EINVAL;
    if (!wait.winner || wait.outstanding > 0) {
        wait.parked = true;
        err = (int)whorl_park(&wait.waiter, abort_select, "select");
        if (err < 0)
            return err;
    }
    return wait.winner == &nobody ? -ECANCELED : (int)(wait.winner - cases);
}

/* --- deadlines ------------------------------------------------------------------------------ */

/* The timer is stored in the memory of the case's waiter. A deadline uses no field of the waiter
 * except `kind`. */
_Static_assert(sizeof(struct whorl_timer) <= offsetof(struct whorl_waiter, kind), "a timer fits");

static struct whorl_timer *timer_of(struct whorl_case *c)
{
    return (struct whorl_timer *)(void *)&c->waiter;
}

static bool deadline_try(struct whorl_case *c)
{
    c->result = 0;
    sched_check_instant(sched_self(), c->number);
    return c->number != WHORL_FOREVER && c->number <= whorl_now();
}

static void deadline_fire(struct whorl_timer *timer)
{
    whorl_case_ready(container_of((struct whorl_waiter *)(void *)timer, struct whorl_case, waiter),
                     0);
}

static int deadline_start(struct whorl_case *c)
{
    *timer_of(c) = (struct whorl_timer){0};
    whorl_timer_arm(timer_of(c), c->number, deadline_fire);
    return 0;
}

static enum whorl_abort deadline_stop(struct whorl_case *c)
{
    whorl_timer_disarm(timer_of(c));
    return WHORL_ABORT_DONE;
}

struct whorl_case whorl_case_deadline(int64_t deadline_ns)
{
    static const struct whorl_case_ops ops = {"deadline", deadline_try, deadline_start,
                                              deadline_stop};
    return (struct whorl_case){.ops = &ops, .number = deadline_ns};
}

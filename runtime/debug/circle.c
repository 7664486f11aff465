/* SPDX-License-Identifier: MIT */
/* Finds circles of tasks that wait for each other while other tasks run; see circle.h. */
#include "runtime/debug/circle.h"

#include <stdio.h>

#include "runtime/base/check.h"
#include "runtime/debug/dump.h"

/* A wait is followed when it has lasted this long, and then once in this interval. */
#define SEARCH_NS WHORL_SECOND

/* Following one wait takes less than a microsecond. After a search of very many waits the pause is
 * longer, so that searching takes less than a hundredth of the time. */
#define PAUSE_PER_WAIT_NS (100 * WHORL_MICROSECOND)

/* A wait in the list. It is on the stack of the task that waits. */
struct held_wait {
    struct held_wait *next, *prev;
    struct whorl_task *task;
    int64_t since_ns; /* the beginning of the loop's turn in which the wait began */
};

static void append(struct held_waits *held, struct held_wait *wait)
{
    wait->next = NULL;
    wait->prev = held->last;
    if (held->last)
        held->last->next = wait;
    else
        held->first = wait;
    held->last = wait;
}

static void take_out(struct held_waits *held, struct held_wait *wait)
{
    if (wait->prev)
        wait->prev->next = wait->next;
    else
        held->first = wait->next;
    if (wait->next)
        wait->next->prev = wait->prev;
    else
        held->last = wait->prev;
}

WHORL_SUSPENDS int64_t circle_park(struct whorl_waiter *waiter, whorl_abort_fn abort,
                                   const char *what)
{
    struct sched *s = sched_self();
    struct held_wait wait = {.task = s->current, .since_ns = s->turn_began_ns};

    append(&s->held, &wait);
    int64_t result = whorl_park(waiter, abort, what);
    take_out(&s->held, &wait);
    return result;
}

/* Whether a deadline will end the task's wait. */
static bool has_deadline(const struct whorl_task *task)
{
    for (const struct whorl_scope *scope = task->scope; scope; scope = scope->parent) {
        if (scope->deadline_ns != WHORL_FOREVER)
            return true;
        if (scope->shielded)
            break;
    }
    return false;
}

/* Whether the circle that begins with `task` lasts until the end of the run. */
static bool is_endless(struct whorl_task *task, size_t length)
{
    for (size_t i = 0; i < length; i++, task = dump_holder_of(task))
        if (has_deadline(task))
            return false;
    return true;
}

static void report(struct sched *s, struct whorl_task *task, size_t length)
{
    if (!s->options.quiet)
        dump_circle(stderr, "these wait for each other in a circle, while other tasks run", task,
                    length);
    for (size_t i = 0; i < length; i++, task = dump_holder_of(task))
        task->waiter->reported = true;
}

/* The waits are in the order of their beginnings. */
void circle_search(struct sched *s, int64_t now_ns)
{
    int64_t searched = 0;
    struct held_wait *wait = s->held.first;

    for (; wait && now_ns - wait->since_ns >= SEARCH_NS; wait = wait->next, searched++) {
        size_t length = dump_circle_length(wait->task);
        if (length > 0 && !wait->task->waiter->reported && is_endless(wait->task, length))
            report(s, wait->task, length);
    }
    s->held.search_ns = now_ns + SEARCH_NS + searched * PAUSE_PER_WAIT_NS;
    s->held.switches = s->switches;
    s->held.complete = !wait;
}

int64_t circle_deadline(const struct sched *s)
{
    const struct held_waits *held = &s->held;

    if (!held->first || (held->complete && held->switches == s->switches))
        return WHORL_FOREVER;
    int64_t oldest_ns = held->first->since_ns + SEARCH_NS;
    return oldest_ns > held->search_ns ? oldest_ns : held->search_ns;
}

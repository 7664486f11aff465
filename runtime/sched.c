/* SPDX-License-Identifier: MIT */
/* Switching: the ready ring, the direct switch from task to task, and whorl_yield(). */
#include "runtime/sched.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/context/switches.h"

_Thread_local struct sched *sched_of_thread __attribute__((tls_model("initial-exec")));

/* With many tasks, records, frames and channels are not in the cache. So when more than
 * PREFETCH_FROM tasks are ready, each switch prefetches the record of a task that runs up to
 * PREFETCH_FAR switches later. Halfway to its turn, when the record is in the cache, a switch
 * prefetches its frames, and also what the task will probably touch: the task that it woke last and
 * the channel. A task that passes values on does the same in each turn. Without the
 * prefetch, each hop waits for the memory of the channel, then for that of the waiter and then for
 * that of the task, because each contains the address of the next. */
#define PREFETCH_FROM 4
#define PREFETCH_FAR  24
/* Cache lines. The frames of a task that waits in a channel are this close below its record. */
#define FRAME_LINES 6

void sched_fail_foreign(const struct whorl_task *task)
{
    check_failed_with(
        __FILE__, __LINE__,
        "an object of a run was used outside that run, for example on another thread; "
        "use the calls whose names end in _remote, see runner.h",
        task);
}

static int resize_ready(struct sched *s, uint32_t size)
{
    struct whorl_task **ready = malloc(size * sizeof(struct whorl_task *));

    if (!ready)
        return -ENOMEM;
    for (uint32_t i = 0; i < s->ready_count; i++)
        ready[(s->ready_head + i) & (size - 1)] = s->ready[(s->ready_head + i) & s->ready_mask];
    free(s->ready);
    s->ready = ready;
    s->ready_mask = size - 1;
    return 0;
}

int sched_grow(struct sched *s)
{
    return resize_ready(s, s->ready ? (s->ready_mask + 1) * 2 : 64);
}

void sched_trim(struct sched *s)
{
    uint32_t size = 64;

    while (size < (s->alive + 2) * 2)
        size *= 2;
    if (size < s->ready_mask)
        (void)resize_ready(s, size); /* without memory for the smaller ring the larger one stays */
}

/* `first` may be any address, also one that is not mapped. */
static inline void prefetch_lines(uintptr_t first, unsigned lines)
{
    for (unsigned i = 0; i < lines; i++)
        __builtin_prefetch((const void *)(first + i * 64));
}

/* Not inlined, because it is too long for switches between a few tasks. Takes the head and the
 * number of ready tasks before the switch. */
static __attribute__((noinline)) void prefetch_ahead(struct sched *s, uint32_t head, uint32_t count)
{
    uint32_t far = count <= PREFETCH_FAR ? count - 1 : PREFETCH_FAR;
    const struct whorl_task *next = s->ready[(head + far / 2) & s->ready_mask];

    prefetch_lines((uintptr_t)s->ready[(head + far) & s->ready_mask], 2);
#ifdef WHORL_CONTEXT_ASM
    prefetch_lines((uintptr_t)next->context.sp, FRAME_LINES);
#endif
    if (next->woke) {
        prefetch_lines((uintptr_t)next->woke_by, 2);
        prefetch_lines((uintptr_t)next->woke - FRAME_LINES * 64, FRAME_LINES + 1);
    }
    prefetch_lines((uintptr_t)next - next->context.canary_distance, 1);
    __asm__ volatile(""); /* without an effect that gcc knows, it would remove the calls */
}

static inline __attribute__((always_inline)) void prefetch(struct sched *s, uint32_t head,
                                                           uint32_t count)
{
    if (__builtin_expect(count > PREFETCH_FROM, 0))
        prefetch_ahead(s, head, count);
}

/* Returns the next context to run and sets `current`. */
static inline __attribute__((always_inline)) struct context *next_context(struct sched *s)
{
    uint32_t head = s->ready_head, count = s->ready_count;

    if (__builtin_expect(count == 0 || head == s->turn_end, 0)) {
        s->current = NULL;
        return &s->loop_context;
    }
    struct whorl_task *task = s->ready[head & s->ready_mask];
    s->ready_head = head + 1;
    s->ready_count = count - 1;
    prefetch(s, head, count);
    s->current = task;
    return &task->context;
}

CONTEXT_SWITCHES WHORL_SUSPENDS_SHIELDED void sched_switch(struct sched *s, struct whorl_task *self)
{
    context_switch(&self->context, next_context(s), 0);
}

CONTEXT_SWITCHES void sched_switch_dying(struct sched *s, struct whorl_task *self)
{
    context_switch(&self->context, next_context(s), 1);
}

CONTEXT_SWITCHES static void enter_task(struct sched *s, struct whorl_task *task)
{
    context_switch(&s->loop_context, &task->context, 0);
}

/* Moves a random ready task to the front. The order depends only on the seed: xorshift64
 * (Marsaglia, 2003). */
static void draw(struct sched *s)
{
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    uint32_t pick = (uint32_t)(s->random % sched_ready_count(s));
    struct whorl_task **first = &s->ready[s->ready_head & s->ready_mask];
    struct whorl_task **other = &s->ready[(s->ready_head + pick) & s->ready_mask];
    struct whorl_task *task = *other;
    *other = *first;
    *first = task;
}

/* Enters the first ready task. Returns after `turn` switches, or when no task is ready. */
static void run_turn(struct sched *s, uint32_t turn)
{
    s->turn_start = s->ready_head;
    s->turn_end = s->ready_head + turn;
    struct whorl_task *task = s->ready[s->ready_head++ & s->ready_mask];
    s->ready_count--;
    s->current = task;
    enter_task(s, task);
    s->switches += (uint32_t)(s->ready_head - s->turn_start);
    s->turn_start = s->ready_head;
}

/* Runs the same turn one task at a time, so that the loop sees each switch. Only runs with
 * observers or C++ exceptions pay for this. */
static __attribute__((noinline)) void run_singly(struct sched *s, struct cxx_exceptions *exceptions)
{
    for (uint32_t left = s->turn; left > 0 && s->ready_count > 0 && (s->trace || exceptions);
         left--) {
        struct whorl_task *task = s->ready[s->ready_head & s->ready_mask];
        if (s->trace)
            s->trace->runs(s, task);
        if (exceptions)
            cxx_swap(exceptions, &task->exceptions);
        run_turn(s, 1);
        /* The record of a task that has ended stays valid until the loop continues. */
        if (exceptions)
            cxx_swap(exceptions, &task->exceptions);
        if (s->trace)
            s->trace->stopped(s);
    }
}

void sched_run_ready(struct sched *s)
{
    if (s->ready_count == 0)
        return;
    if (s->random)
        draw(s);
    struct cxx_exceptions *exceptions = cxx_exceptions();
    if (__builtin_expect(s->trace || exceptions, 0)) {
        run_singly(s, exceptions);
        return;
    }
    run_turn(s, s->turn);
    if (__builtin_expect(s->trace != NULL, 0)) /* the last task started the trace */
        s->trace->stopped(s);
}

/* whorl_yield() when no other task is ready or the turn is used up. Kept out of the common case. */
static __attribute__((noinline)) WHORL_SUSPENDS_SHIELDED int yield_slowly(struct sched *s,
                                                                          struct whorl_task *self)
{
    if (s->ready_count == 0 && s->turn_end != s->ready_head) {
        s->turn_end--;
        return 0;
    }
    sched_ready(s, self);
    sched_switch(s, self);
    return 0;
}

WHORL_SUSPENDS CONTEXT_SWITCHES int whorl_yield(void)
{
    struct sched *s = sched_of_thread;
    struct whorl_task *self;

    if (__builtin_expect(!s || !(self = s->current), 0))
        return WHORL_ENOTASK;
    if (__builtin_expect(self->scope->cancelled, 0))
        return -ECANCELED;
    /* This is sched_ready() and next_context() in one step; the number of ready tasks does not
     * change. Stores are what this costs, because the processor retires one store per cycle. */
    uint32_t head = s->ready_head, count = s->ready_count, mask = s->ready_mask;
    if (__builtin_expect(count == 0 || head == s->turn_end, 0))
        return yield_slowly(s, self);
    struct whorl_task **ready = s->ready, *task = ready[head & mask];
    ready[(head + count) & mask] = self;
    s->ready_head = head + 1;
    s->current = task;
    prefetch(s, head, count);
    context_switch(&self->context, &task->context, 0);
    return 0;
}

int64_t whorl_now(void)
{
    struct sched *s = sched_self();
    return s ? s->poller->ops->now(s->poller) : clock_monotonic_ns();
}

int64_t whorl_after(int64_t delay_ns)
{
    int64_t now = whorl_now(), deadline;

    if (delay_ns <= 0)
        return now;
    return __builtin_add_overflow(now, delay_ns, &deadline) ? WHORL_FOREVER : deadline;
}

struct whorl_poller *whorl_poller_current(void)
{
    struct sched *s = sched_self();
    return s ? s->poller : NULL;
}

/* Offsets that tools/whorl-gdb.py needs for runs and tasks when there is no debug information. The
 * script expects this order. */
__attribute__((used)) const uint32_t sched_layout_for_gdb[] = {
    offsetof(struct sched, current),
    offsetof(struct sched, stacks.classes),
    CONTEXT_IN_JMP_BUF,
    offsetof(struct whorl_task, context),
    offsetof(struct whorl_task, waiter),
    offsetof(struct whorl_task, what),
    offsetof(struct whorl_task, in_use),
    offsetof(struct whorl_task, id),
    offsetof(struct whorl_task, magic),
    offsetof(struct whorl_task, site),
    offsetof(struct whorl_task, name),
    offsetof(struct whorl_waiter, kind),
};

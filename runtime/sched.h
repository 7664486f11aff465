/* SPDX-License-Identifier: MIT */
/* The scheduler of one run: the ready tasks, the running task, and the switch between tasks.
 *
 * A parking task switches directly to the task that has been ready longest. The loop (loop.c) runs
 * on the thread's own stack. Tasks switch to it when no task is ready, and after a turn of
 * switches, so that tasks which stay ready do not keep it from polling the kernel.
 */
#ifndef RUNTIME_SCHED_H
#define RUNTIME_SCHED_H

#include <errno.h>

#include <whorl/error.h>
#include <whorl/group.h>
#include <whorl/poller.h>
#include <whorl/run.h>

#include "runtime/base/check.h"
#include "runtime/base/run_id.h"
#include "runtime/stack.h"
#include "runtime/task_record.h"
#include "runtime/timer_wheel.h"

/* Number of switches in a turn. A turn of the loop that finds nothing costs about 40 ns, so with
 * 256 switches it adds 0.2 ns to each. The loop shortens turns when tasks compute for long between
 * switches. After a wait it does not know how long tasks will compute, so it starts with a short
 * turn. */
#define SCHED_TURN_MAX   256
#define SCHED_TURN_FIRST 16

struct sched;

/* What the loop calls while the run has observers; see debug/trace.c. */
struct sched_trace {
    void (*runs)(struct sched *s, struct whorl_task *task); /* the task is about to run */
    void (*stopped)(struct sched *s);                       /* the loop runs again */
};

/* Waits that one certain task would end, see debug/circle.h. */
struct held_waits {
    struct held_wait *first, *last; /* in the order in which they began */
    int64_t search_ns;              /* no search before this instant */
    uint64_t switches;              /* number of task switches at the last search */
    bool complete;                  /* no wait was too young for the last search */
};

struct sched {
    struct whorl_task *current; /* NULL while the loop runs */
    struct whorl_task *
        *ready; /* ring of `ready_mask` + 1 places, never full; see sched_reserve() */
    uint32_t ready_head, ready_count, ready_mask;
    uint32_t turn_end;   /* the loop takes its turn when ready_head reaches this */
    uint32_t turn_start; /* value of ready_head when the tasks' turn began */
    uint32_t turn;       /* switches between two turns of the loop; see loop.c */
    int64_t turn_began_ns;
    int64_t began_ns; /* the start of the run */
    int64_t tick_ns;  /* coarse clock when a task last looked at its deadlines, see scope.c */
    bool checks;      /* WHORL_DEBUG=check: look for mistakes that are not looked for otherwise */

    struct context loop_context;
    struct whorl_poller *poller;
    struct timer_wheel wheel;
    struct stack_pool stacks;
    struct held_waits held;
    struct whorl_run_options options;

    struct whorl_scope root_scope; /* the outermost scope of the root task */
    struct whorl_group daemons;    /* whorl_root_group() */
    struct whorl_task *root;       /* NULL once it has ended */
    int root_result;
    bool deadlocked, daemons_cancelled;

    struct whorl_wait_queue root_stop_waiters;
    struct whorl_runner *runner;   /* NULL until a handle for other threads is needed */
    struct whorl_offload *offload; /* the run's own thread pool; NULL until the first use */
    uint64_t select_random;        /* state of the random generator for select */
    /* State of the random generator that orders ready tasks; 0: FIFO order. */
    uint64_t random;
    uint64_t next_id, spawned, switches, polls, turns;
    size_t alive;
    unsigned depth; /* see base/forks.h */
    struct run_id id;
    struct sched_trace *trace; /* NULL: the run has no observer */
};

/* The run of this thread. A task never leaves its thread, so the compiler may cache the address. */
extern _Thread_local struct sched *sched_of_thread __attribute__((tls_model("initial-exec")));

static inline struct sched *sched_self(void)
{
    return sched_of_thread;
}

/* The running task; NULL in the loop and outside a run. */
static inline struct whorl_task *sched_current(void)
{
    struct sched *s = sched_self();
    return s ? s->current : NULL;
}

static inline size_t sched_ready_count(const struct sched *s)
{
    return s->ready_count;
}

/* Makes the ready ring larger. Returns 0 or -ENOMEM. */
int sched_grow(struct sched *s);

/* Makes room in the ready ring for one more task than are alive. Returns 0 or -ENOMEM. Before the
 * first call, `ready_mask` is 0. */
static inline int sched_reserve(struct sched *s)
{
    return __builtin_expect(s->alive + 2 <= s->ready_mask, 1) ? 0 : sched_grow(s);
}

/* Shrinks the ready ring after a spike of tasks. */
void sched_trim(struct sched *s);

/* Puts a task at the end of the ready ring. */
static inline void sched_ready(struct sched *s, struct whorl_task *task)
{
    s->ready[(s->ready_head + s->ready_count++) & s->ready_mask] = task;
}

/* Switches from the running task to the next ready task or to the loop. Returns when the task is
 * switched to again. The caller has queued the task, or stored it where an event will find it. */
WHORL_SUSPENDS_SHIELDED void sched_switch(struct sched *s, struct whorl_task *self);

/* Like sched_switch(), for a task that has ended and never runs again. */
void sched_switch_dying(struct sched *s, struct whorl_task *self);

/* Called by the loop: runs ready tasks until none are left or the turn is used up. */
void sched_run_ready(struct sched *s);

/* Aborts, because this thread has used an object that `task` waits for or owns, and the task
 * belongs to another run. */
__attribute__((noreturn, cold)) void sched_fail_foreign(const struct whorl_task *task);

/* Aborts when `task` does not belong to the run `s`. `s` is NULL on a thread without a run. */
static inline void sched_check_own(const struct sched *s, const struct whorl_task *task)
{
    if (__builtin_expect(task->sched != s, 0))
        sched_fail_foreign(task);
}

/* Whether the innermost scope of the running task is cancelled. */
static inline bool sched_is_cancelled(const struct whorl_task *task)
{
    return task->scope->cancelled;
}

/* With WHORL_DEBUG=check: aborts when an instant is before the start of the run. It is probably a
 * duration. */
static inline void sched_check_instant(const struct sched *s, int64_t instant_ns)
{
    if (__builtin_expect(s && s->checks, 0) && instant_ns > 0 && instant_ns < s->began_ns)
        check_failed(__FILE__, __LINE__,
                     "a deadline is before the start of the run; whorl_after() makes an instant of "
                     "a duration");
}

/* Every suspending call does this first. Returns 0 with the outputs set, -ECANCELED, or
 * WHORL_ENOTASK. */
static inline int sched_enter(struct sched **ret, struct whorl_task **ret_self)
{
    struct sched *s = sched_self();
    if (__builtin_expect(!s || !s->current, 0))
        return WHORL_ENOTASK;
    *ret = s;
    *ret_self = s->current;
    return __builtin_expect(s->current->scope->cancelled, 0) ? -ECANCELED : 0;
}

#endif

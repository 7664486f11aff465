/* SPDX-License-Identifier: MIT */
/* The scheduler of one run: who is ready, who runs, and the switch between them.
 *
 * A parking task switches straight to the task that has been ready longest. The loop (loop.c) runs on
 * the thread's own stack; it is switched to when nobody is ready, and after a turn of switches so
 * that tasks which stay ready do not keep it from looking at the kernel.
 */
#ifndef RUNTIME_SCHED_H
#define RUNTIME_SCHED_H

#include <errno.h>
#include <stdio.h>

#include <whorl/error.h>
#include <whorl/poller.h>
#include <whorl/runner.h>
#include <whorl/trace.h>

#include "runtime/park_hook.h"
#include "runtime/stack.h"
#include "runtime/task.h"
#include "runtime/timer.h"

/* A turn of the loop that finds nothing costs some 40 ns, so 256 switches make it 0.2 ns each. The
 * loop shortens turns when tasks compute for long between switches; of what will come after a wait it
 * knows nothing, and begins short. */
#define SCHED_TURN_MAX   256
#define SCHED_TURN_FIRST 16

struct sched {
    struct whorl_task *current; /* NULL while the loop runs */
    struct whorl_task *
        *ready; /* ring of `ready_mask` + 1 places, never full: see sched_reserve() */
    uint32_t ready_head, ready_count, ready_mask;
    uint32_t turn_end;   /* the loop has its turn when ready_head gets here */
    uint32_t turn_start; /* where ready_head was when the tasks' turn began */
    uint32_t turn;       /* switches between two turns, see loop.c */
    int64_t turn_began_ns;

    struct context loop_context;
    struct whorl_poller *poller;
    struct timer_wheel wheel;
    struct stack_pool stacks;
    struct whorl_run_options options;

    struct whorl_scope root_scope; /* what the root task stands in */
    struct whorl_group daemons;    /* whorl_root_group() */
    struct whorl_task *root;       /* NULL once it has ended */
    int root_result;
    bool deadlocked, daemons_cancelled;

    struct whorl_wait_queue root_stop_waiters;
    struct whorl_runner *runner;   /* NULL until another thread is let in */
    struct whorl_offload *offload; /* the run's own pool; NULL until used */
    uint64_t select_random;        /* state of the generator that keeps select fair */
    uint64_t random;               /* state of the generator that orders ready tasks; 0: FIFO */
    uint64_t next_id, spawned, switches, polls, turns;
    size_t alive;
    struct trace *trace; /* NULL: nobody observes */
};

/* The run on this thread. A task never leaves its thread, so the address may be cached. */
extern _Thread_local struct sched *sched_of_thread __attribute__((tls_model("initial-exec")));

static inline struct sched *sched_self(void)
{
    return sched_of_thread;
}

static inline size_t sched_ready_count(const struct sched *s)
{
    return s->ready_count;
}

/* Makes room in the ready ring for one task more than are alive. 0 or -ENOMEM. */
int sched_reserve(struct sched *s);

/* Gives back what the ring took for a spike of tasks. */
void sched_trim(struct sched *s);

/* Puts a task at the end of the ready ring. */
static inline void sched_ready(struct sched *s, struct whorl_task *task)
{
    s->ready[(s->ready_head + s->ready_count++) & s->ready_mask] = task;
}

/* The running task gives way to the next ready one or the loop; returns when it is switched to
 * again. Whoever calls it has put the task where somebody will find it. */
WHORL_SUSPENDS_SHIELDED void sched_switch(struct sched *s, struct whorl_task *self);

/* sched_switch() for a task that has ended: its frames are not needed again. */
void sched_switch_dying(struct sched *s, struct whorl_task *self);

/* From the loop: runs ready tasks until there are none or the budget is used up. */
void sched_run_ready(struct sched *s);

/* Whether the running task stands in a cancelled scope. */
static inline bool sched_is_cancelled(const struct whorl_task *task)
{
    return task->scope->cancelled;
}

/* What every suspending call does first: 0 with `*ret_self` set, -ECANCELED, or WHORL_ENOTASK. */
static inline int sched_enter(struct sched **ret, struct whorl_task **ret_self)
{
    struct sched *s = sched_self();
    if (__builtin_expect(!s || !s->current, 0))
        return WHORL_ENOTASK;
    *ret = s;
    *ret_self = s->current;
    return __builtin_expect(s->current->scope->cancelled, 0) ? -ECANCELED : 0;
}

/* whorl_park() for a caller that has just been through sched_enter(): the scope is not cancelled, and
 * nobody can have woken the waiter yet. */
static inline WHORL_SUSPENDS int64_t sched_park(struct sched *s, struct whorl_task *self,
                                                struct whorl_waiter *waiter, whorl_abort_fn abort,
                                                const char *what)
{
    if (__builtin_expect(sched_park_hook != NULL, 0))
        return whorl_park(waiter, abort, what);
    waiter->task = self;
    self->waiter = waiter;
    self->abort = abort;
    self->what = what;
    sched_switch(s, self);
    return waiter->result;
}

/* whorl_wake() where the run is at hand. */
static inline void sched_wake(struct sched *s, struct whorl_waiter *waiter, int64_t result)
{
    struct whorl_task *task = waiter->task;

    waiter->result = result;
    waiter->woken = true;
    if (task) {
        task->waiter = NULL;
        sched_ready(s, task);
    } else if (waiter->notify) {
        waiter->notify(waiter);
    }
}

/* Tasks (task.c). A task that runs fn(arg), or fn on a copy of it, in `scope`; not ready yet. */
struct whorl_task *task_create(struct sched *s, size_t stack_size, whorl_task_fn fn, void *arg,
                               size_t copy_size);

/* Cancellation (park.c): calls the abort of a parked task. */
void task_abort(struct sched *s, struct whorl_task *task);

/* Scopes (scope.c). */
void scope_open(struct whorl_scope *scope, struct whorl_scope *parent, struct whorl_task *owner);
void scope_close(struct whorl_scope *scope);
void scope_request_stop(struct sched *s, struct whorl_scope *scope);

/* Groups (group.c): a task of the group has ended with `result`. */
void group_task_ended(struct sched *s, struct whorl_group *group, struct whorl_task *task,
                      int result);
void group_open(struct whorl_group *group, struct whorl_scope *parent);

/* Mutexes (mutex.c): locks whatever is cancelled meanwhile, for a call that must return with it. */
WHORL_SUSPENDS_SHIELDED void mutex_lock_always(struct whorl_mutex *mutex);

/* The loop (loop.c): until the root task and all daemons have ended. Returns the run's result. */
int loop_run(struct sched *s);

/* The loop for a while and without waiting: at most so many turns, until nobody is ready. True with the
 * result once the run has ended; else loop_deadline() says when to go on. */
bool loop_step(struct sched *s, unsigned turns, int *ret_result);
int64_t loop_deadline(
    struct sched *s); /* 0: at once; WHORL_FOREVER: when the poller has something */

/* Reports (dump.c): writes every task, its name and what it waits for. */
#define DUMP_TASKS_MAX 1000
void dump_tasks(struct sched *s, FILE *to, const char *title);

/* For whoever describes a wait: the name of a task that may have ended without giving back what it held. */
const char *dump_name_of(const struct whorl_task *task);

/* Observers (trace.c), told of what tasks do while s->trace is not NULL. The loop tells of all but
 * spawning and ending, see sched_run_ready(). */
void trace_spawned(struct sched *s, struct whorl_task *task);
void trace_runs(struct sched *s, struct whorl_task *task);
void trace_stopped(struct sched *s); /* the task that ran, unless it has ended */
void trace_ends(struct sched *s, struct whorl_task *task, int result);
void trace_loop_waits(struct sched *s);
void trace_run_ends(struct sched *s, int result); /* and frees all of them */
int trace_start(struct sched *s, whorl_trace_fn fn, void *arg);

/* WHORL_DEBUG=trace=FILE (trace_file.c): observes the run if that is asked for. */
void trace_file_start(struct sched *s);

/* The watchdog (watchdog.c): a thread that looks at the run now and then. NULL: none. */
struct watchdog;
struct watchdog *watchdog_start(struct sched *s, int64_t threshold_ns);
void watchdog_stop(struct watchdog *watchdog);

/* Stack overflow (overflow.c): a signal stack for this thread, and the handler once per process. */
struct overflow_guard {
    void *stack;
    size_t size;
};
void overflow_guard_enter(struct overflow_guard *guard);
void overflow_guard_leave(struct overflow_guard *guard);

#endif

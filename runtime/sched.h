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
#include <stdio.h>

#include <whorl/error.h>
#include <whorl/poller.h>
#include <whorl/runner.h>
#include <whorl/trace.h>

#include "runtime/park_hook.h"
#include "runtime/stack.h"
#include "runtime/task.h"
#include "runtime/timer.h"

/* Number of switches in a turn. A turn of the loop that finds nothing costs about 40 ns, so with
 * 256 switches it adds 0.2 ns to each. The loop shortens turns when tasks compute for long between
 * switches. After a wait it does not know how long tasks will compute, so it starts with a short
 * turn. */
#define SCHED_TURN_MAX   256
#define SCHED_TURN_FIRST 16

struct sched {
    struct whorl_task *current; /* NULL while the loop runs */
    struct whorl_task *
        *ready; /* ring of `ready_mask` + 1 places, never full; see sched_reserve() */
    uint32_t ready_head, ready_count, ready_mask;
    uint32_t turn_end;   /* the loop takes its turn when ready_head reaches this */
    uint32_t turn_start; /* value of ready_head when the tasks' turn began */
    uint32_t turn;       /* switches between two turns of the loop; see loop.c */
    int64_t turn_began_ns;

    struct context loop_context;
    struct whorl_poller *poller;
    struct timer_wheel wheel;
    struct stack_pool stacks;
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
    struct trace *trace; /* NULL: the run has no observer */
};

/* The run of this thread. A task never leaves its thread, so the compiler may cache the address. */
extern _Thread_local struct sched *sched_of_thread __attribute__((tls_model("initial-exec")));

static inline struct sched *sched_self(void)
{
    return sched_of_thread;
}

static inline size_t sched_ready_count(const struct sched *s)
{
    return s->ready_count;
}

/* Makes room in the ready ring for one more task than are alive. Returns 0 or -ENOMEM. */
int sched_reserve(struct sched *s);

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

/* Whether the innermost scope of the running task is cancelled. */
static inline bool sched_is_cancelled(const struct whorl_task *task)
{
    return task->scope->cancelled;
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

/* Like whorl_park(), for a caller that has just called sched_enter(): the scope is not cancelled,
 * and the waiter cannot have been woken yet. */
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

/* Like whorl_wake(), for a caller that already has the run. */
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

/* Tasks (task.c). Makes a task that runs fn(arg), or fn with a copy of `copy_size` bytes at `arg`.
 * The caller sets its group and scope and makes it ready. */
struct whorl_task *task_create(struct sched *s, size_t stack_size, whorl_task_fn fn, void *arg,
                               size_t copy_size);

/* Cancellation (park.c): calls the abort function of a parked task. */
void task_abort(struct sched *s, struct whorl_task *task);

/* Scopes (scope.c). */
void scope_open(struct whorl_scope *scope, struct whorl_scope *parent, struct whorl_task *owner);
void scope_close(struct whorl_scope *scope);
void scope_request_stop(struct sched *s, struct whorl_scope *scope);

/* Groups (group.c). group_task_ended() is called when a task of the group has ended with
 * `result`. */
void group_task_ended(struct sched *s, struct whorl_group *group, struct whorl_task *task,
                      int result);
void group_open(struct whorl_group *group, struct whorl_scope *parent);

/* Mutexes (mutex.c): locks even when the task is cancelled, for a call that must return with the
 * mutex locked. */
WHORL_SUSPENDS_SHIELDED void mutex_lock_always(struct whorl_mutex *mutex);

/* The loop (loop.c): runs until the root task and all daemons have ended. Returns the run's
 * result. */
int loop_run(struct sched *s);

/* Runs the loop for at most `turns` turns, without waiting, until no task is ready. Returns true
 * and the result when the run has ended; otherwise loop_deadline() says when to continue. */
bool loop_step(struct sched *s, unsigned turns, int *ret_result);
int64_t loop_deadline(
    struct sched *s); /* 0: at once; WHORL_FOREVER: when the poller has an event */

/* Reports (dump.c): writes every task, its name and what it waits for. */
#define DUMP_TASKS_MAX 1000
void dump_tasks(struct sched *s, FILE *to, const char *title);

/* For functions that describe a wait: the name of a task that may have ended while it still held
 * the object. */
const char *dump_name_of(const struct whorl_task *task);

/* Observers (trace.c). They get events while s->trace is not NULL. The loop reports all events
 * except spawning and ending; see sched_run_ready(). */
void trace_spawned(struct sched *s, struct whorl_task *task);
void trace_runs(struct sched *s, struct whorl_task *task);
void trace_stopped(struct sched *s); /* reports the task that ran, unless it has ended */
void trace_ends(struct sched *s, struct whorl_task *task, int result);
void trace_loop_waits(struct sched *s);
void trace_run_ends(struct sched *s, int result); /* also frees all observers */
int trace_start(struct sched *s, whorl_trace_fn fn, void *arg);

/* WHORL_DEBUG=trace=FILE (trace_file.c): starts to observe the run when the variable asks for
 * it. */
void trace_file_start(struct sched *s);

/* The watchdog (watchdog.c): a thread that looks at the run regularly. NULL: no watchdog. */
struct watchdog;
struct watchdog *watchdog_start(struct sched *s, int64_t threshold_ns);
void watchdog_stop(struct watchdog *watchdog);

/* Stack overflow (overflow.c): a signal stack for this thread, and one handler for the process. */
struct overflow_guard {
    void *stack;
    size_t size;
};
void overflow_guard_enter(struct overflow_guard *guard);
void overflow_guard_leave(struct overflow_guard *guard);

#endif

/* SPDX-License-Identifier: MIT */
/* Looking into a run: what its tasks are doing, and which of them hold it up.
 *
 * Two reports come by themselves: every task waiting on another (run.h) and a stack overflow. The
 * watchdog is switched on by an option of the run or, without rebuilding, by the environment:
 *
 *     WHORL_DEBUG=watchdog           report tasks that keep the thread for more than 100 ms
 *     WHORL_DEBUG=watchdog=20        the same for 20 ms
 *     WHORL_DEBUG=io                 say which I/O driver runs, and why
 *     WHORL_DEBUG=trace=FILE.json    write what every task did when, for https://ui.perfetto.dev
 *
 * Several are separated by commas. Reports go to standard error.
 *
 * The trace holds all runs of the process: a run is a process of the picture, a task a thread, on
 * which it runs, is ready or waits for something. It is written as the program goes, and is JSON
 * that ends as it should whenever a run has ended, well or not, and at most a tenth of a second
 * before that. A "%p" in the name stands for the process's number, for programs that start others;
 * a child that was forked and has runs of its own gets its number in front of the name's ending.
 *
 * What tasks do can be observed event by event, for pictures and measurements of one's own:
 *
 *     static void note(void *arg, const struct whorl_trace_event *event)
 *     {
 *         if (event->kind == WHORL_TRACE_WAITS)
 *             fprintf(arg, "%s waits for %s\n", whorl_task_name(event->task), event->what);
 *     }
 *
 *     whorl_trace_start(note, stderr);       // inside a run; ends with it
 *
 * A run that nobody observes pays nothing for it where tasks switch: while one is observed, every
 * switch goes through the loop, which tells.
 */
#ifndef WHORL_TRACE_H
#define WHORL_TRACE_H

#include <stdio.h>

#include <whorl/base.h>
#include <whorl/task.h>

enum whorl_trace_kind {
    WHORL_TRACE_SPAWNED,    /* `task` is there and ready; it may get its name later */
    WHORL_TRACE_RUNS,       /* it has the thread */
    WHORL_TRACE_YIELDS,     /* it gave way, and is ready still */
    WHORL_TRACE_WAITS,      /* it stopped until somebody wakes it; it waits for `what` */
    WHORL_TRACE_ENDS,       /* it ended with `result`; it is gone after this call */
    WHORL_TRACE_LOOP_WAITS, /* no task is ready: the thread waits for the kernel or a timer */
    WHORL_TRACE_LOOP_WAKES, /* one is again */
    WHORL_TRACE_RUN_ENDS,   /* the run has ended with `result`; no event follows */
};

struct whorl_trace_event {
    enum whorl_trace_kind kind;
    int64_t at_ns;                 /* on the run's clock */
    const struct whorl_task *task; /* NULL: of the loop and the run; valid for the call */
    const struct whorl_task *by;   /* SPAWNED: who spawned it, or NULL */
    const char *what;              /* WAITS: "mutex", "read"; valid for the call */
    int result;
};

/* Called on the run's thread, for SPAWNED and ENDS on the stack of the running task, so it should
 * get by with a few KiB. It must not suspend, spawn, cancel, wake, nor start or stop observing. */
typedef void (*whorl_trace_fn)(void *arg, const struct whorl_trace_event *event);

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Writes a line for each task of this run: its number, its name, what it waits for and from where
 * it was spawned; then any circle of tasks that wait for each other. At most 1,000 tasks. Never
 * suspends.
 */
WHORL_API void whorl_run_dump_tasks(FILE *to);

/**
 * Has `fn(arg, event)` called for everything that happens in this run from now on. For each task
 * that is there already it is called at once: SPAWNED, and RUNS or WAITS if it does. Several may
 * observe.
 *
 * Returns: 0; -ENOMEM; WHORL_ENOTASK outside a run. Never suspends.
 */
WHORL_API WHORL_CHECKED int whorl_trace_start(whorl_trace_fn fn, void *arg);

/** Ends what whorl_trace_start() began with the same `fn` and `arg`. Never suspends. */
WHORL_API void whorl_trace_stop(whorl_trace_fn fn, void *arg);

#ifdef __cplusplus
}
#endif

#endif

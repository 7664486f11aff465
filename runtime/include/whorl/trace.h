/* SPDX-License-Identifier: MIT */
/* Looking into a run: what its tasks do, and which tasks hold it up.
 *
 * Two reports are always written: one when every task waits on another (run.h), and one when a
 * stack overflows. More can be switched on by the environment, without rebuilding the program:
 *
 *     WHORL_DEBUG=watchdog           report tasks that keep the thread for more than 100 ms
 *     WHORL_DEBUG=watchdog=20        the same for 20 ms
 *     WHORL_DEBUG=io                 say which I/O driver runs, and why
 *     WHORL_DEBUG=trace=FILE.json    write what every task did when, for https://ui.perfetto.dev
 *     WHORL_DEBUG=check              also look for mistakes whose detection takes time
 *
 * Separate several words by commas; an unknown word is reported. Reports go to standard error. A
 * run's options can switch its watchdog on, too.
 *
 * Stack overflows: below each stack is a guard, whose size a run's options can set. An access to it
 * ends the program with SIGSEGV, and a report names the running task. A function whose frame is
 * larger than the rest of the stack and the guard together can jump over the guard. Then it damages
 * the memory of another task, and there is no report. A frame can do that only if it is larger than
 * the guard: by default 256 KiB in the first few hundred tasks, 64 KiB up to about 33,000 tasks,
 * and 4 KiB in further tasks. In a program that is compiled with -fstack-clash-protection, a
 * function touches its frame page by page, so no frame is too large; `pkg-config --cflags whorl`
 * contains that flag. Libraries that are compiled without the flag are not protected.
 *
 * Before Linux 6.13, and in a process that locks its memory with mlockall(), a guard takes two
 * mappings. So at most vm.max_map_count / 8 stacks of the process have a guard, 8,191 by default.
 * An overflow of a stack without a guard is not noticed. It damages nothing until it is as large as
 * a guard. struct whorl_run_stats counts the stacks without a guard, reports of all tasks show that
 * count, and whorl-doctor shows the limit. If a fault may be an overflow of such a stack, the
 * report says so.
 *
 * Small stacks (run.h) have no guards. Their overflows are noticed when the task gives way or ends.
 *
 * A program may have its own handlers for SIGSEGV and SIGBUS. Those that were installed before the
 * first run are called after the report.
 *
 * The watchdog's report names the task and shows where it is: a backtrace, and a command that shows
 * the source lines. To take the backtrace of a thread that computes, the watchdog sends SIGURG to
 * it, unless the program has a handler for SIGURG. A thread in a system call gets no signal: its
 * frames are guessed from its stack and marked with a question mark.
 *
 * A mistake that would damage the program ends it (SIGABRT). A message names the running task and
 * the place where it was spawned. Every run finds: an object that is used on a wrong thread and so
 * wakes or cancels a waiting task of another run; a group, an HTTP session or a closed HTTP
 * response that is used where it must not be. WHORL_DEBUG=check also finds a channel, lock, event
 * or other object of a run that another thread uses while no task waits for it; a second close of
 * an HTTP response whose memory would have been reused; a deadline that is before the start of the
 * run; a signal handler without SA_ONSTACK in a run that has small stacks.
 *
 * The trace file holds all runs of the process. In the picture a run is a process and a task is a
 * thread, which runs, is ready, or waits for something. The file is written while the program runs
 * and is complete JSON at any time. After a run has ended, with or without an error, the file holds
 * all of its events; before that, the events of the last tenth of a second may be missing. A "%p"
 * in the file's name stands for the process id, for programs that start other programs. A forked
 * child that has runs of its own writes its own file, whose name has the child's process id before
 * the ending.
 *
 * A program can also observe what tasks do, event by event:
 *
 *     static void note(void *arg, const struct whorl_trace_event *event)
 *     {
 *         if (event->kind == WHORL_TRACE_WAITS)
 *             fprintf(arg, "%s waits for %s\n", whorl_task_name(event->task), event->what);
 *     }
 *
 *     static int root(void *arg)
 *     {
 *         int err = whorl_trace_start(note, stderr);    // until the run ends
 *         return err ? err : work(arg);
 *     }
 *
 * Observing adds no cost to the switches of a run that is not observed. While a run is observed,
 * every switch goes through the loop, which calls the observers.
 */
#ifndef WHORL_TRACE_H
#define WHORL_TRACE_H

#include <stdio.h>

#include <whorl/base.h>
#include <whorl/task.h>

/* What has happened. */
enum whorl_trace_kind {
    WHORL_TRACE_SPAWNED,    /* `task` exists and is ready; it may get its name later */
    WHORL_TRACE_RUNS,       /* `task` has the thread */
    WHORL_TRACE_YIELDS,     /* `task` has yielded and is still ready */
    WHORL_TRACE_WAITS,      /* `task` waits for `what` until it is woken */
    WHORL_TRACE_ENDS,       /* `task` ended with `result`; it is gone after this call */
    WHORL_TRACE_LOOP_WAITS, /* no task is ready: the thread waits for the kernel or a timer */
    WHORL_TRACE_LOOP_WAKES, /* the thread has stopped waiting */
    WHORL_TRACE_RUN_ENDS,   /* the run has ended with `result`; no event follows */
};

/* An event, as the observers get it. */
struct whorl_trace_event {
    enum whorl_trace_kind kind;
    int64_t at_ns;                 /* on the run's clock */
    const struct whorl_task *task; /* NULL: an event of the loop or the run; valid for the call */
    const struct whorl_task *by;   /* SPAWNED: the task that spawned it, or NULL */
    const char *what;              /* WAITS: such as "mutex" or "read"; valid for the call */
    int result;
};

/* An observer. It is called on the run's thread, for SPAWNED and ENDS on the stack of the running
 * task, so it should need no more than a few KiB. It must not suspend, spawn, cancel, wake, or
 * start or stop observing. */
typedef void (*whorl_trace_fn)(void *arg, const struct whorl_trace_event *event);

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Writes a line for each task of this run, with its number, its name, what it waits for, and the
 * place where it was spawned. If tasks wait for each other in a circle, the circle follows. At most
 * 1,000 tasks are written. Never suspends.
 */
WHORL_API void whorl_run_dump_tasks(FILE *to);

/**
 * Calls `fn(arg, event)` for every event of this run from now on. For each task that exists
 * already, it is called at once with SPAWNED, then with RUNS or WAITS if the task runs or waits. A
 * run may have several observers. Never suspends.
 *
 * Returns: 0; -ENOMEM; WHORL_ENOTASK outside a run.
 */
WHORL_API WHORL_CHECKED int whorl_trace_start(whorl_trace_fn fn, void *arg);

/** Ends what whorl_trace_start() began with the same `fn` and `arg`. Never suspends. */
WHORL_API void whorl_trace_stop(whorl_trace_fn fn, void *arg);

#ifdef __cplusplus
}
#endif

#endif

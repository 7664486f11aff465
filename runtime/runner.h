/* SPDX-License-Identifier: MIT */
/* The entrance of a run for other threads: a list of calls under a lock, and a kick for the first
 * call. A lock is enough, because it is held only for a few instructions. Posting and the end of
 * the run exclude each other, so no thread kicks a poller that no longer exists.
 */
#ifndef RUNTIME_RUNNER_H
#define RUNTIME_RUNNER_H

#include <pthread.h>
#include <stdatomic.h>

#include <whorl/offload.h>
#include <whorl/runner.h>

struct sched;

/* A call that the run makes, zeroed but for `call`. The thread that posts it embeds it in its own
 * memory. */
struct runner_call {
    struct runner_call *next;
    bool posted; /* under lock: runner_post() has accepted it */
    /* `dropped`: the run has ended. Release the memory and touch nothing of the run. */
    void (*call)(struct runner_call *call, bool dropped);
};

struct whorl_runner {
    pthread_mutex_t lock;
    struct runner_call *first, **end; /* under lock */
    struct sched *sched;              /* under lock; NULL once the run has ended */
    atomic_bool has_calls;            /* read by the loop without the lock */
    /* Number of handles held by users and jobs, not by the run itself; under lock. */
    size_t handles;
    /* Handles that bring no call before a task of the run has done something: threads in
     * whorl_chan_send_remote() that wait for room, and runner_await(). Of the run's thread. */
    size_t blocked;
    unsigned depth; /* see forks.h */
};

/* Returns this run's runner, created at the first use; NULL when memory runs out. */
struct whorl_runner *runner_of(struct sched *s);

/* Takes a handle; whorl_runner_release_remote() gives it back. */
void runner_hold(struct whorl_runner *runner);

/* On the run's thread: a task begins to wait for another thread, which has no handle; and the wait
 * has ended. Meanwhile the run is not considered deadlocked. */
void runner_await(struct whorl_runner *runner);
void runner_await_no_more(struct whorl_runner *runner);

/* Posts a call from any thread. Returns 0, or -ESHUTDOWN when the run has ended; then `call` is not
 * queued. */
int runner_post(struct whorl_runner *runner, struct runner_call *call);

/* Called by the loop: makes the posted calls. */
void runner_drain(struct sched *s);

/* Whether another thread may still post a call. In a forked child none may: it has one thread. */
bool runner_is_held(struct whorl_runner *runner);

/* Whether a call will come without the run's help. A thread that waits for room in a channel makes
 * no call before a task has received. Other runs may never end the wait of runner_await(). */
bool runner_is_expected(struct whorl_runner *runner);

/* Ends the runner with its run: pending calls are dropped, later posts fail. */
void runner_shut(struct sched *s);

#endif

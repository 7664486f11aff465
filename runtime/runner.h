/* SPDX-License-Identifier: MIT */
/* The door of a run for other threads: a list of calls under a lock, and a kick for the first of them.
 * A lock, for it is held for a few instructions; and since posting and the run's end exclude each
 * other, nobody kicks a poller that is gone.
 */
#ifndef RUNTIME_RUNNER_H
#define RUNTIME_RUNNER_H

#include <pthread.h>
#include <stdatomic.h>

#include <whorl/offload.h>
#include <whorl/runner.h>

struct sched;

/* A call to be made by the run. Embedded in the memory of whoever posts it. */
struct runner_call {
    struct runner_call *next;
    /* `dropped`: the run has ended; release memory, touch nothing of the run's. */
    void (*call)(struct runner_call *call, bool dropped);
};

struct whorl_runner {
    pthread_mutex_t lock;
    struct runner_call *first, **end; /* under lock */
    struct sched *sched;              /* under lock; NULL once the run has ended */
    atomic_bool has_calls;            /* read by the loop without the lock */
    size_t handles;                   /* under lock: held by users and jobs; the run itself not */
};

/* This run's runner, made on first use; NULL without memory. */
struct whorl_runner *runner_of(struct sched *s);

/* Hold and give back without the run's own reference counting as a user. */
void runner_hold(struct whorl_runner *runner);

/* Posts from any thread: 0 or -ESHUTDOWN (then `call` was not taken). */
int runner_post(struct whorl_runner *runner, struct runner_call *call);

/* From the loop: makes the calls that have been posted. */
void runner_drain(struct sched *s);

/* Whether somebody outside may still call. */
bool runner_is_held(struct whorl_runner *runner);

/* The run ends: calls not made are dropped, later posts refused. */
void runner_shut(struct sched *s);

#endif

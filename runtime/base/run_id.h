/* SPDX-License-Identifier: MIT */
/* Numbers of runs. An object that belongs to a run stores the number, so that its use in another
 * run is noticed. The address of a run cannot be used for this, because a later run may get the
 * same address. */
#ifndef BASE_RUN_ID_H
#define BASE_RUN_ID_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* The number of the run that is the current one of this thread; 0: none. */
extern _Thread_local uint64_t run_id_of_thread __attribute__((tls_model("initial-exec")));

/* A run in the list of the runs that have not ended. */
struct run_id {
    uint64_t number; /* 1 or more; never used again in this process */
    pthread_t thread;
    struct run_id *next;
};

/* Gives the run a number and adds it to the list. */
void run_id_begin(struct run_id *run);

/* Removes the run from the list. */
void run_id_end(struct run_id *run);

/* The place of a run, relative to this thread. */
enum run_place { RUN_HERE, RUN_ENDED, RUN_ON_OTHER_THREAD };
enum run_place run_id_find(uint64_t number);

/* Whether owners are checked: WHORL_DEBUG=check, once a run has begun. Read and written with the
 * __atomic functions. */
extern bool run_id_checks;

/* Aborts when an object belongs to a run of another thread. Otherwise, if this thread has a run,
 * the object belongs to that run from now on. `*owner` is 0 at first. `what` is the kind of the
 * object. `name` is NULL if the object has no name. */
void run_id_check_owner(uint64_t *owner, const char *what, const char *name);

static inline bool run_id_is_checked(void)
{
    return __atomic_load_n(&run_id_checks, __ATOMIC_RELAXED);
}

static inline void run_id_touch(uint64_t *owner, const char *what, const char *name)
{
    if (__builtin_expect(run_id_is_checked(), 0))
        run_id_check_owner(owner, what, name);
}

#endif

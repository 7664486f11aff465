/* SPDX-License-Identifier: MIT */
/* Many workers add to one counter, in several ways. Some ways lose additions. */
#ifndef MODELS_RACE_H
#define MODELS_RACE_H

struct timeline;

enum {
    RACE_ADDS = 100,           /* each worker adds 1 this many times */
    RACE_THREADS_AT_ONCE = 100 /* the workers run in waves of this size */
};

/* Runs `workers` workers until all have added, and stores the counter in `ret`. Returns 0, or a
 * negative code when some could not be started.
 *
 * @timeline  gets one lane per worker; may be NULL */
typedef int (*race_fn)(int workers, struct timeline *timeline, long *ret);

int race_threads(int workers, struct timeline *timeline, long *ret);        /* without a lock */
int race_threads_locked(int workers, struct timeline *timeline, long *ret); /* with a lock */
int race_threads_atomic(int workers, struct timeline *timeline,
                        long *ret); /* with an atomic addition */

int race_tasks(int workers, struct timeline *timeline,
               long *ret); /* without a lock, which is correct */
int race_tasks_suspending(int workers, struct timeline *timeline,
                          long *ret); /* with a suspending call between the read and the write */
int race_tasks_locked(int workers, struct timeline *timeline,
                      long *ret); /* the same, with a lock */

#endif

/* SPDX-License-Identifier: MIT */
/* Many workers add to one counter: the ways of doing it, wrong ones too. */
#ifndef MODELS_RACE_H
#define MODELS_RACE_H

struct timeline;

enum {
    RACE_ADDS = 100,           /* of one each, by every worker */
    RACE_THREADS_AT_ONCE = 100 /* they come in so many waves as that takes */
};

/* Lets so many workers run until all have added, and puts what the counter says into `ret`. 0, or a
 * negative code when not all could be started.
 *
 * @timeline  a lane for each worker, or NULL */
typedef int (*race_fn)(int workers, struct timeline *timeline, long *ret);

int race_threads(int workers, struct timeline *timeline, long *ret);        /* without a lock */
int race_threads_locked(int workers, struct timeline *timeline, long *ret); /* with one */
int race_threads_atomic(int workers, struct timeline *timeline,
                        long *ret); /* with an addition that nobody gets in between */

int race_tasks(int workers, struct timeline *timeline, long *ret); /* nothing needed */
int race_tasks_suspending(int workers, struct timeline *timeline,
                          long *ret); /* giving way between the read and the write */
int race_tasks_locked(int workers, struct timeline *timeline,
                      long *ret); /* that too, with a lock */

#endif

/* SPDX-License-Identifier: MIT */
/* The work that a thread of a pool runs now: whether the caller that waits for it is cancelled. */
#ifndef BASE_THREAD_WORK_H
#define BASE_THREAD_WORK_H

#include <stdbool.h>
#include <stddef.h>

/* Points to the flag of the work that this thread runs; NULL: the thread runs none. Another thread
 * sets the flag, so it is read and written with the __atomic functions. */
extern _Thread_local const bool *thread_work_cancelled __attribute__((tls_model("initial-exec")));

static inline bool thread_work_is_cancelled(void)
{
    return thread_work_cancelled && __atomic_load_n(thread_work_cancelled, __ATOMIC_RELAXED);
}

#endif

/* SPDX-License-Identifier: MIT */
/* The backtrace of another thread. A signal makes that thread note its return addresses; the caller
 * looks up their names. */
#ifndef RUNTIME_DEBUG_BACKTRACE_H
#define RUNTIME_DEBUG_BACKTRACE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define BACKTRACE_MAX 32

enum backtrace_state { BACKTRACE_IDLE, BACKTRACE_ASKED, BACKTRACE_TAKING, BACKTRACE_TAKEN };

/* A thread whose backtraces can be taken. */
struct backtrace {
    pthread_t thread;
    unsigned depth;    /* see base/forks.h */
    _Atomic int state; /* enum backtrace_state */
    /* Whether the thread is still where its backtrace is wanted. Called in the signal handler.
     * NULL: always. */
    bool (*is_wanted)(void *arg);
    void *arg;
    size_t count;                 /* valid in state TAKEN */
    uintptr_t pcs[BACKTRACE_MAX]; /* innermost first: addresses in the calling instructions */
};

/* Prepares for backtraces of this thread. Installs a handler for SIGURG, which is ignored by
 * default, unless the program has a handler for it. */
void backtrace_init(struct backtrace *b, bool (*is_wanted)(void *arg), void *arg);

/* Takes a backtrace of b->thread, from another thread. Returns false when there is none: the thread
 * does not answer within 100 ms, is no longer where it is wanted, or SIGURG has another handler. */
bool backtrace_take(struct backtrace *b);

/* Writes what was taken, one line per frame, and a command that shows the source lines. */
void backtrace_print(const struct backtrace *b, FILE *to);

#endif

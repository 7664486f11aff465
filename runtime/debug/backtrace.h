/* SPDX-License-Identifier: MIT */
/* The backtrace of another thread. If that thread computes, a signal makes it note its return
 * addresses; without glibc, it copies its stack, and the addresses are guessed from the copy. If
 * the thread is in a system call, it is not interrupted, and the addresses are guessed from its
 * stack. */
#ifndef RUNTIME_DEBUG_BACKTRACE_H
#define RUNTIME_DEBUG_BACKTRACE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define BACKTRACE_MAX   32
#define BACKTRACE_WORDS 1024

enum backtrace_state { BACKTRACE_IDLE, BACKTRACE_ASKED, BACKTRACE_TAKING, BACKTRACE_TAKEN };

/* A thread whose backtraces can be taken. */
struct backtrace {
    pthread_t thread;
    pid_t tid;
    unsigned depth;    /* see base/forks.h */
    _Atomic int state; /* enum backtrace_state */
    /* Whether the thread is still where its backtrace is wanted. Called in the signal handler.
     * NULL: always. */
    bool (*is_wanted)(void *arg);
    void *arg;
    const void *low, *high; /* the stack on which the thread is expected */
    size_t word_count;      /* words copied from the stack */
    uintptr_t words[BACKTRACE_WORDS];
    bool is_guessed;              /* the frames after the first one */
    size_t count;                 /* valid in state TAKEN */
    uintptr_t pcs[BACKTRACE_MAX]; /* innermost first: addresses in the calling instructions */
};

/* Prepares for backtraces of this thread. Installs a handler for SIGURG, which is ignored by
 * default, unless the program has a handler for it. */
void backtrace_init(struct backtrace *b, bool (*is_wanted)(void *arg), void *arg);

/* Takes a backtrace of b->thread, from another thread. The thread is expected on the stack from
 * `low` to `high`. Returns false when there is no backtrace: the thread is no longer where its
 * backtrace is wanted; the thread computes and does not answer within 100 ms, or SIGURG has another
 * handler; or the thread is in a system call on another stack. */
bool backtrace_take(struct backtrace *b, const void *low, const void *high);

/* Writes what was taken, one line per frame, and a command that shows the source lines. */
void backtrace_print(const struct backtrace *b, FILE *to);

#endif

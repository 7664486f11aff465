/* SPDX-License-Identifier: MIT */
/* Signals blocked in this thread by several who do not know each other, such as two sets of
 * signals.h: each stays blocked until the last of them lets go of it. */
#ifndef IO_PROCESS_SIGMASK_H
#define IO_PROCESS_SIGMASK_H

#include <signal.h>

/* Blocks the signals of `set` in the calling thread. */
void sigmask_block(const sigset_t *set);

/* Ends that. Those that were not blocked before the first one blocked them are unblocked after the
 * last one has let go. */
void sigmask_unblock(const sigset_t *set);

/* The same for SIGPIPE, while a run has the thread: a write to a pipe or socket that nobody reads fails
 * with -EPIPE, and whether the program wants to die of it is not ours to decide. Nor is the action of
 * the signal, which the whole process shares. What was raised meanwhile is forgotten. */
void sigmask_block_sigpipe(void);
void sigmask_unblock_sigpipe(void);

#endif

/* SPDX-License-Identifier: MIT */
/* Blocks signals in the calling thread for several independent users, such as two sets of signals
 * of whorl/signal.h. Each signal stays blocked until its last user unblocks it. */
#ifndef IO_PROCESS_SIGMASK_H
#define IO_PROCESS_SIGMASK_H

#include <signal.h>

/* Blocks the signals of `set` in the calling thread. */
void sigmask_block(const sigset_t *set);

/* Undoes one sigmask_block(). When the last user of a signal calls it, the signal is unblocked,
 * unless it was blocked before the first user blocked it. */
void sigmask_unblock(const sigset_t *set);

/* The same for SIGPIPE, while a run uses the thread. A write to a pipe or socket without a reader
 * then fails with -EPIPE and does not kill the program. The signal's action is not changed, because
 * the whole process shares it. A SIGPIPE that was raised meanwhile is discarded before the
 * unblocking. */
void sigmask_block_sigpipe(void);
void sigmask_unblock_sigpipe(void);

#endif

/* SPDX-License-Identifier: MIT */
/* Ctrl-C and similar signals as ordinary events: a daemon task waits for them. */
#ifndef WHORL_GET_SIGNALS_H
#define WHORL_GET_SIGNALS_H

#include <whorl/scope.h>

struct progress;
struct whorl_signals;

/* signals_init() sets it up. */
struct signals {
    int numbers[4];               /* those of SIGINT, SIGTERM and SIGHUP that are taken, and 0 */
    struct whorl_signals *ending; /* NULL once one of them was caught, or if none is taken */
    struct whorl_signals *resized;
    int caught;                /* the signal that stopped the transfers, or 0 */
    struct whorl_scope *stop;  /* the scope to cancel, NULL while there is none */
    struct progress *progress; /* redrawn when the size of the terminal changes; or NULL */
};

/* Takes SIGWINCH, and those of SIGINT, SIGTERM and SIGHUP that are not ignored, so nohup and
 * "trap '' INT" keep their effect. Ignores SIGPIPE and SIGXFSZ. Returns 0 or a negative code. Call
 * signals_finish() in either case. */
int signals_init(struct signals *signals);
void signals_finish(struct signals *signals);

/* Ends the process by the signal that was caught, so that its parent sees the reason: a shell then
 * ends its loop. Returns if no signal was caught, or if the signal does not end the process, as for
 * the init process of a container. */
void signals_die(const struct signals *signals);

/* The function of the daemon task; `arg` is the signals. The first signal stops the transfers. A
 * second one kills the process. */
WHORL_SUSPENDS int signals_run(void *arg);

#endif

/* SPDX-License-Identifier: MIT */
/* Ctrl-C and similar signals as ordinary events: a daemon task waits for them. */
#ifndef WHORL_GET_SIGNALS_H
#define WHORL_GET_SIGNALS_H

#include <whorl/scope.h>

struct progress;
struct whorl_signals;

/* signals_init() sets it up. */
struct signals {
    struct whorl_signals *ending; /* NULL once one of them was caught */
    struct whorl_signals *resized;
    int caught;                /* the signal that stopped the transfers, or 0 */
    struct whorl_scope *stop;  /* the scope to cancel, NULL while there is none */
    struct progress *progress; /* redrawn when the size of the terminal changes; or NULL */
};

/* Takes SIGINT, SIGTERM, SIGHUP (unless it is ignored) and SIGWINCH. Ignores SIGPIPE and SIGXFSZ.
 * Returns 0 or a negative code. Call signals_finish() in either case. */
int signals_init(struct signals *signals);
void signals_finish(struct signals *signals);

/* The function of the daemon task; `arg` is the signals. The first signal stops the transfers. A
 * second one kills the process. */
WHORL_SUSPENDS int signals_run(void *arg);

#endif

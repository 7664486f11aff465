/* SPDX-License-Identifier: MIT */
/* Ctrl-C and its kin as ordinary events: a signalfd that a daemon task waits on. */
#ifndef WHORL_GET_SIGNALS_H
#define WHORL_GET_SIGNALS_H

#include <whorl/scope.h>

struct progress;

/* Set up with signals_init(). */
struct signals {
    int fd;
    int caught;                /* the signal that ended it all, 0 for none */
    struct whorl_scope *stop;  /* cancelled by it; NULL while there is nothing to cancel */
    struct progress *progress; /* redrawn when the terminal changes its size; or NULL */
};

/* Blocks SIGINT, SIGTERM, SIGHUP (unless ignored) and SIGWINCH, ignores SIGPIPE. 0, or -errno. */
int signals_init(struct signals *signals);
void signals_finish(struct signals *signals);

/* The daemon's body; `arg` is the signals. The first signal stops the transfers; from then on
 * another one kills the process. */
WHORL_SUSPENDS int signals_run(void *arg);

#endif

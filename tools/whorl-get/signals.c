/* SPDX-License-Identifier: MIT */
/* Signals as events, see signals.h. */
#include "tools/whorl-get/signals.h"

#include <signal.h>

#include <whorl/select.h>
#include <whorl/signal.h>

#include "tools/whorl-get/progress.h"

int signals_init(struct signals *signals)
{
    static const int resized[] = {SIGWINCH, 0};
    int ending[] = {SIGINT, SIGTERM, SIGHUP, 0};
    struct sigaction action;

    *signals = (struct signals){0};
    signal(SIGPIPE, SIG_IGN);
    /* A file beyond RLIMIT_FSIZE is a failure of one transfer, not the end of all. */
    signal(SIGXFSZ, SIG_IGN);
    /* Started with nohup: the terminal may go away. */
    if (sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
        ending[2] = 0;
    int err = whorl_signals_open(ending, &signals->ending);
    return err ? err : whorl_signals_open(resized, &signals->resized);
}

void signals_finish(struct signals *signals)
{
    /* The transfers are over, so a late signal has nothing to stop. */
    while (signals->ending && whorl_signals_try_wait(signals->ending, NULL) == 0)
        ;
    whorl_signals_close(signals->ending);
    whorl_signals_close(signals->resized);
    signals->ending = signals->resized = NULL;
}

/* From now on a signal kills the process, also when it was started with the signal blocked. */
static void let_kill(struct signals *signals)
{
    sigset_t set;

    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    whorl_signals_close(signals->ending);
    signals->ending = NULL;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void stop(struct signals *signals, int number)
{
    signals->caught = number;
    if (signals->stop)
        whorl_scope_cancel(signals->stop);
    let_kill(signals);
}

WHORL_SUSPENDS int signals_run(void *arg)
{
    struct signals *signals = arg;

    for (;;) {
        struct whorl_signal signal;
        struct whorl_case cases[] = {whorl_case_signal(signals->resized, NULL),
                                     whorl_case_signal(signals->ending, &signal)};
        int taken = whorl_select(cases, signals->ending ? 2 : 1);
        if (taken < 0)
            return taken;
        if (cases[taken].result < 0)
            return cases[taken].result;
        if (taken == 1)
            stop(signals, signal.number);
        else if (signals->progress)
            progress_draw(signals->progress);
    }
}

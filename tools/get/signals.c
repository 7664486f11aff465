/* SPDX-License-Identifier: MIT */
/* Signals as events, see signals.h. */
#include "tools/get/signals.h"

#include <signal.h>

#include <whorl/select.h>
#include <whorl/signal.h>

#include "tools/get/progress.h"

/* Collects the signals that are to be taken. */
static void choose(int ret[4])
{
    static const int candidates[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action;
    size_t n = 0;

    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++)
        if (sigaction(candidates[i], NULL, &action) < 0 || action.sa_handler != SIG_IGN)
            ret[n++] = candidates[i];
    ret[n] = 0;
}

int signals_init(struct signals *signals)
{
    static const int resized[] = {SIGWINCH, 0};

    *signals = (struct signals){0};
    signal(SIGPIPE, SIG_IGN);
    /* A file beyond RLIMIT_FSIZE is a failure of one transfer, not the end of all. */
    signal(SIGXFSZ, SIG_IGN);
    choose(signals->numbers);
    int err = whorl_signals_open(resized, &signals->resized);
    if (err == 0 && signals->numbers[0])
        err = whorl_signals_open(signals->numbers, &signals->ending);
    return err;
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
static void let_kill(const int *numbers)
{
    sigset_t set;

    sigemptyset(&set);
    for (; *numbers; numbers++) {
        signal(*numbers, SIG_DFL);
        sigaddset(&set, *numbers);
    }
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

void signals_die(const struct signals *signals)
{
    if (signals->caught == 0)
        return;
    let_kill(signals->numbers);
    raise(signals->caught);
}

static void stop(struct signals *signals, int number)
{
    signals->caught = number;
    if (signals->stop)
        whorl_scope_cancel(signals->stop);
    whorl_signals_close(signals->ending);
    signals->ending = NULL;
    let_kill(signals->numbers);
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
            progress_draw_if_due(signals->progress);
    }
}

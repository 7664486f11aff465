/* SPDX-License-Identifier: MIT */
/* Signals through a descriptor, see signals.h. */
#include "tools/whorl-get/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <whorl/fd.h>

#include "tools/whorl-get/progress.h"

static void ending_signals(sigset_t *ret)
{
    struct sigaction action;

    sigemptyset(ret);
    sigaddset(ret, SIGINT);
    sigaddset(ret, SIGTERM);
    /* Started with nohup: the terminal may go away. */
    if (sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler != SIG_IGN)
        sigaddset(ret, SIGHUP);
}

int signals_init(struct signals *signals)
{
    sigset_t set;

    *signals = (struct signals){.fd = -1};
    signal(SIGPIPE, SIG_IGN);
    /* A file beyond RLIMIT_FSIZE is a failure of one transfer, not the end of all. */
    signal(SIGXFSZ, SIG_IGN);
    ending_signals(&set);
    sigaddset(&set, SIGWINCH);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    signals->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return signals->fd < 0 ? -errno : 0;
}

void signals_finish(struct signals *signals)
{
    if (signals->fd >= 0)
        close(signals->fd);
    signals->fd = -1;
}

/* From now on the next one ends the process the ordinary way. */
static void let_kill(void)
{
    sigset_t set;

    ending_signals(&set);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void handle(struct signals *signals, int number)
{
    if (number == SIGWINCH) {
        if (signals->progress)
            progress_draw(signals->progress);
        return;
    }
    if (signals->caught)
        return;
    signals->caught = number;
    if (signals->stop)
        whorl_scope_cancel(signals->stop);
    let_kill();
}

WHORL_SUSPENDS int signals_run(void *arg)
{
    struct signals *signals = arg;

    for (;;) {
        struct signalfd_siginfo info;
        int events = whorl_poll_fd(signals->fd, POLLIN);
        if (events < 0)
            return events;
        while (read(signals->fd, &info, sizeof info) == sizeof info)
            handle(signals, (int)info.ssi_signo);
    }
}

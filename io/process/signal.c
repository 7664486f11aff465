/* SPDX-License-Identifier: MIT */
/* Signals through a signalfd. This file polls the descriptor and calls read(2) itself, for two
 * reasons: only a read in the thread gets the signals that are directed to the thread, and a read
 * request that loses a select would have consumed a signal. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <whorl/error.h>
#include <whorl/fd.h>
#include <whorl/signal.h>
#include <whorl/task.h>

#include "io/fd/poll_case.h"
#include "io/fd/standard.h"
#include "io/process/sigmask.h"
#include "runtime/base/check.h"

struct whorl_signals {
    int fd;
    sigset_t set;
    size_t waiters; /* tasks in whorl_signals_wait(), and cases of a select */
};

/* Whether a task can wait for the signal. A fault signal that a thread causes itself ends the
 * process when it is blocked, even if a task waits for it. */
static bool can_be_taken(int number)
{
    switch (number) {
    case SIGKILL:
    case SIGSTOP:
    case SIGSEGV:
    case SIGBUS:
    case SIGILL:
    case SIGFPE:
        return false;
    default:
        return number > 0 && number < _NSIG;
    }
}

int whorl_signals_open(const int *numbers, struct whorl_signals **ret)
{
    struct whorl_signals *signals;
    sigset_t set;

    if (numbers[0] == 0)
        return -EINVAL;
    sigemptyset(&set);
    for (; *numbers; numbers++)
        if (!can_be_taken(*numbers) || sigaddset(&set, *numbers) < 0)
            return -EINVAL;
    signals = calloc(1, sizeof *signals);
    if (!signals)
        return -ENOMEM;
    signals->set = set;
    struct standard standard = standard_fill();
    signals->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    standard_empty(&standard);
    if (signals->fd < 0) {
        int err = -errno;
        free(signals);
        return err;
    }
    sigmask_block(&set);
    *ret = signals;
    return 0;
}

int whorl_signals_try_wait(struct whorl_signals *signals, struct whorl_signal *ret)
{
    struct signalfd_siginfo info;

    if (read(signals->fd, &info, sizeof info) != sizeof info)
        return -EAGAIN; /* the only error that this read can have */
    if (ret)
        *ret = (struct whorl_signal){
            .number = (int)info.ssi_signo,
            .code = info.ssi_code,
            .pid = (pid_t)info.ssi_pid,
            .uid = info.ssi_uid,
            .status = info.ssi_status,
            .value = info.ssi_int,
        };
    return 0;
}

WHORL_SUSPENDS int whorl_signals_wait(struct whorl_signals *signals, struct whorl_signal *ret)
{
    if (!whorl_task_self())
        return WHORL_ENOTASK;
    for (;;) {
        int err = whorl_check_cancelled();
        if (err)
            return err;
        if (whorl_signals_try_wait(signals, ret) == 0)
            return 0;
        signals->waiters++;
        err = whorl_poll_fd(signals->fd, POLLIN);
        signals->waiters--;
        if (err < 0)
            return err;
    }
}

void whorl_signals_close(struct whorl_signals *signals)
{
    if (!signals)
        return;
    whorl_check_text(signals->waiters == 0, "signals were closed while a task waits for them");
    close(signals->fd);
    sigmask_unblock(&signals->set);
    free(signals);
}

/* --- select ----------------------------------------------------------------------------------- */

static bool signal_try(struct whorl_case *c)
{
    c->result = 0;
    return whorl_signals_try_wait(c->object, c->data) == 0;
}

static bool signal_take(struct whorl_case *c, int res)
{
    struct whorl_signals *signals = c->object;

    c->result = res;
    if (res >= 0 && !signal_try(c))
        return false;
    signals->waiters--;
    return true;
}

static int signal_start(struct whorl_case *c)
{
    struct whorl_signals *signals = c->object;

    int err = poll_case_start(c, signals->fd, POLLIN, signal_take);
    if (err == 0)
        signals->waiters++;
    return err;
}

static enum whorl_abort signal_stop(struct whorl_case *c)
{
    struct whorl_signals *signals = c->object;

    signals->waiters--;
    return poll_case_stop(c);
}

struct whorl_case whorl_case_signal(struct whorl_signals *signals, struct whorl_signal *ret)
{
    static const struct whorl_case_ops ops = {"signal", signal_try, signal_start, signal_stop};
    return (struct whorl_case){.ops = &ops, .object = signals, .data = ret};
}

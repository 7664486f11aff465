/* SPDX-License-Identifier: MIT */
/* Blocks signals in a thread and counts the users of each. */
#include "io/process/sigmask.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "runtime/base/check.h"

/* For each signal: how many users block it in this thread, and whether it was blocked before the
 * first of them. */
static _Thread_local struct {
    unsigned count;
    bool was_blocked;
} holders[_NSIG];

void sigmask_block(const sigset_t *set)
{
    sigset_t before;

    int err = pthread_sigmask(SIG_BLOCK, set, &before);
    whorl_check(err == 0);
    for (int i = 1; i < _NSIG; i++)
        if (sigismember(set, i) == 1 && holders[i].count++ == 0)
            holders[i].was_blocked = sigismember(&before, i) == 1;
}

/* Removes one user of each signal in `set`. Sets `ret` to the signals that must now be
 * unblocked. */
static void release(const sigset_t *set, sigset_t *ret)
{
    sigemptyset(ret);
    for (int i = 1; i < _NSIG; i++) {
        if (sigismember(set, i) != 1)
            continue;
        whorl_check_text(holders[i].count > 0,
                         "signals were closed on another thread; close them on the thread that "
                         "opened them");
        if (--holders[i].count == 0 && !holders[i].was_blocked)
            sigaddset(ret, i);
    }
}

void sigmask_unblock(const sigset_t *set)
{
    sigset_t again;

    release(set, &again);
    int err = pthread_sigmask(SIG_UNBLOCK, &again, NULL);
    whorl_check(err == 0);
}

void sigmask_block_sigpipe(void)
{
    sigset_t sigpipe;

    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    sigmask_block(&sigpipe);
}

void sigmask_unblock_sigpipe(void)
{
    static const struct timespec now;
    sigset_t sigpipe, again;

    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    release(&sigpipe, &again);
    if (sigismember(&again, SIGPIPE) != 1)
        return;
    while (sigtimedwait(&again, NULL, &now) > 0 || errno == EINTR)
        ;
    int err = pthread_sigmask(SIG_UNBLOCK, &again, NULL);
    whorl_check(err == 0);
}

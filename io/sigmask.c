/* SPDX-License-Identifier: MIT */
/* Blocking signals in a thread, counted. */
#include "io/sigmask.h"

#include <pthread.h>
#include <stdbool.h>

#include "runtime/base/check.h"

/* How many hold a signal blocked in this thread, and whether it was blocked before the first did. */
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

void sigmask_unblock(const sigset_t *set)
{
    sigset_t again;

    sigemptyset(&again);
    for (int i = 1; i < _NSIG; i++) {
        if (sigismember(set, i) != 1)
            continue;
        whorl_check_text(holders[i].count > 0, "signals closed by another thread");
        if (--holders[i].count == 0 && !holders[i].was_blocked)
            sigaddset(&again, i);
    }
    int err = pthread_sigmask(SIG_UNBLOCK, &again, NULL);
    whorl_check(err == 0);
}

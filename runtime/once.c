/* SPDX-License-Identifier: MIT */
/* Once: the first does it, the others wait; after a failure the longest waiter tries. */
#include "runtime/sched.h"
#include "runtime/wait_queue.h"

int whorl_once(struct whorl_once *once, int (*fn)(void *arg), void *arg)
{
    struct whorl_task *self;
    struct sched *s;

    int err = sched_enter(&s, &self);
    if (err || once->state == WHORL_ONCE_DONE)
        return err;
    if (once->state == WHORL_ONCE_RUNNING) {
        int turn = (int)whorl_wait_queue_park(&once->waiters, "once");
        if (turn <= 0)
            return turn;
        /* Woken with 1: it failed, and it is this task's turn; the state is still RUNNING. */
    }
    once->state = WHORL_ONCE_RUNNING;
    err = fn(arg);
    if (err >= 0) {
        once->state = WHORL_ONCE_DONE;
        while (whorl_wait_queue_wake_one(&once->waiters, 0))
            ;
        return 0;
    }
    if (!whorl_wait_queue_wake_one(&once->waiters, 1))
        once->state = WHORL_ONCE_NEW;
    return err;
}

/* SPDX-License-Identifier: MIT */
/* A race on one thread. Between two suspending calls no other task runs, so `balance += 1` needs no
 * lock. A value read before such a call may be stale after it. Holding a mutex prevents that.
 * Next: 12_semaphore.c */
#include <stdio.h>

#include <whorl.h>

enum { TASKS = 10 };

static int balance;
static struct whorl_mutex lock;

static int deposit(void *arg)
{
    (void)arg;
    int seen = balance;
    int err = whorl_sleep(WHORL_MILLISECOND); /* like a database query: others run */
    balance = seen + 1;                       /* overwrites their deposits */
    return err;
}

static int deposit_locked(void *arg)
{
    int err = whorl_mutex_lock(&lock);

    if (err)
        return err;
    err = deposit(arg);
    whorl_mutex_unlock(&lock);
    return err;
}

static WHORL_SUSPENDS int try(whorl_task_fn fn)
{
    WHORL_AUTO(group) group = {0};
    int err = 0;

    balance = 0;
    for (int i = 0; i < TASKS && err == 0; i++)
        err = whorl_spawn(&group, fn, NULL);
    return err ? err : whorl_group_wait(&group);
}

static int root(void *arg)
{
    (void)arg;
    int err = try(deposit);
    printf("without a mutex: %d deposits make %d\n", TASKS, balance);
    if (err == 0)
        err = try(deposit_locked);
    printf("with a mutex: %d deposits make %d\n", TASKS, balance);
    return err;
}

int main(void)
{
    return whorl_run(root, NULL) ? 1 : 0;
}

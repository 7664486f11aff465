/* SPDX-License-Identifier: MIT */
/* Starvation: a task that never suspends keeps the thread, so ready tasks do not run; the watchdog
 * reports it. Locks starve no task: unlocking passes the lock to the longest waiter.
 * Next: 15_future.c */
#include <stdio.h>
#include <time.h>

#include <whorl.h>

static struct whorl_mutex lock;
static char order[16]; /* which task held the lock, turn by turn */
static int ticks, turns;

static int tick(void *arg) /* wants to run every 5 ms */
{
    for ((void)arg; whorl_sleep(5 * WHORL_MILLISECOND) == 0;)
        ticks++;
    return whorl_check_cancelled();
}

static WHORL_SUSPENDS_SHIELDED void compute(bool yields) /* 0.1 ms of work, 2,000 times */
{
    for (int i = ticks = 0; i < 2000 && (!yields || whorl_yield() == 0); i++)
        for (clock_t end = clock() + CLOCKS_PER_SEC / 10000; clock() < end;)
            ;
    printf("%s: the other task ran %d times\n", yields ? "yielding" : "not yielding", ticks);
}

static int grab(void *arg) /* locks again as soon as it has unlocked */
{
    int err = 0;
    for (int i = 0; i < 5 && err == 0 && (err = whorl_mutex_lock(&lock)) == 0; i++) {
        order[turns++] = *(char *)arg;
        err = whorl_yield();
        whorl_mutex_unlock(&lock);
    }
    return err;
}

static int root(void *arg)
{
    WHORL_AUTO(group) group = {0};
    int err = whorl_spawn(&group, tick, arg);

    whorl_task_set_name("computing");
    compute(false);
    compute(true);
    if (err == 0)
        err = whorl_map(grab, (char[]){"ab"}, 1, 2, 0, NULL); /* one task per character */
    printf("two tasks share a lock: %s\n", order);
    return err;
}

int main(void)
{
    struct whorl_io_options options = {.run.watchdog_ns = 100 * WHORL_MILLISECOND};
    int err = whorl_io_run_with(&options, NULL, root, NULL);
    return err ? (fprintf(stderr, "14_starvation: %s\n", whorl_strerror(err)), 1) : 0;
}

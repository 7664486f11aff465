/* SPDX-License-Identifier: MIT */
/* A call that blocks, or a long computation, would stop all tasks of the thread.
 * whorl_offload_run() runs it on a thread of a pool instead. The calling task waits for it, and the
 * other tasks continue.
 * Next: 18_executor.c */
#include <stdio.h>
#include <unistd.h>

#include <whorl.h>

struct ticker {
    int ticks;
    bool done;
};

static int tick(void *arg)
{
    struct ticker *ticker = arg;
    int err = 0;

    while (!ticker->done && err == 0) {
        err = whorl_sleep(5 * WHORL_MILLISECOND);
        ticker->ticks++;
    }
    return err;
}

static int block(void *arg) /* runs on a pool thread, where no call may suspend */
{
    for (int i = 0; i < 20; i++)
        usleep(5000);
    *(int *)arg = 7;
    return 0;
}

static int root(void *arg)
{
    WHORL_AUTO(group) group = {0};
    struct ticker ticker = {0};
    int result = 0;

    (void)arg;
    int err = whorl_spawn(&group, tick, &ticker);
    if (err == 0)
        err = whorl_offload_run(NULL, block, &result);
    ticker.done = true;
    printf("the thread found %d\n", result);
    printf("the other task ticked %s\n", ticker.ticks > 1 ? "meanwhile" : "not at all");
    return err ? err : whorl_group_wait(&group);
}

int main(void)
{
    return whorl_run(root, NULL) ? 1 : 0;
}

/* SPDX-License-Identifier: MIT */
/* Three tasks wait at the same time on one thread: sleeping lets the others run, so all of it takes
 * as long as the longest and not as long as the sum. The order is that of the deadlines.
 * Next: 03_groups.c */
#include <stdio.h>

#include <whorl.h>

static int sleeper(void *arg)
{
    int ms = *(int *)arg;

    printf("%d ms: begins\n", ms);
    int err = whorl_sleep(ms * WHORL_MILLISECOND); /* the other tasks run meanwhile */
    if (err)
        return err;
    printf("%d ms: ends\n", ms);
    return 0;
}

static int root(void *arg)
{
    WHORL_AUTO(group) group = {0};
    int err = 0, ms[] = {90, 30, 60};

    (void)arg;
    for (int i = 0; i < 3 && err == 0; i++)
        err = whorl_spawn(&group, sleeper, &ms[i]); /* ready now, runs when we wait */
    printf("all are started, none has run\n");
    if (err == 0)
        err = whorl_group_wait(&group);
    printf("done\n");
    return err;
}

int main(void)
{
    return whorl_run(root, NULL) ? 1 : 0;
}

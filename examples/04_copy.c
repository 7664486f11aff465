/* SPDX-License-Identifier: MIT */
/* The loop-variable bug and its cure. A spawned task runs later, so a pointer to the loop's variable
 * shows all of them its last value; whorl_spawn_copy() puts the value on the new task's own stack.
 * Next: 05_cancel.c */
#include <stdio.h>

#include <whorl.h>

static int print(void *arg)
{
    printf(" %d", *(int *)arg);
    return 0;
}

static int root(void *arg)
{
    WHORL_AUTO(group) group = {0};
    int i, err = 0;

    (void)arg;
    printf("a pointer to i:");
    for (i = 0; i < 4 && err == 0; i++)
        err = whorl_spawn(&group, print, &i); /* wrong: `i` goes on changing */
    if (err == 0)
        err = whorl_group_wait(&group);
    printf("\na copy of i:");
    for (i = 0; i < 4 && err == 0; i++)
        err = whorl_spawn_copy(&group, print, &i);
    if (err == 0)
        err = whorl_group_wait(&group);
    printf("\n");
    return err;
}

int main(void)
{
    return whorl_run(root, NULL) ? 1 : 0;
}

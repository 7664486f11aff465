/* SPDX-License-Identifier: MIT */
/* A common bug with loop variables, and its fix. A new task runs only after the task that spawned
 * it suspends. So a pointer to the loop's variable shows every task the last value.
 * whorl_spawn_copy() copies the value to the new task's own stack.
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
        err = whorl_spawn(&group, print, &i); /* wrong: `i` changes before print() runs */
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

/* SPDX-License-Identifier: MIT */
/* A semaphore limits how many tasks may use a resource at the same time, here two of six. Tasks
 * that wait for it are served in the order in which they arrived.
 * Next: 13_deadlock.c */
#include <stdio.h>

#include <whorl.h>

static struct whorl_semaphore permits = {.permits = 2};
static int inside, inside_max;

static int visit(void *arg)
{
    int number = *(int *)arg;
    int err = whorl_semaphore_acquire(&permits);

    if (err)
        return err;
    if (++inside > inside_max)
        inside_max = inside;
    printf("%d enters\n", number);
    err = whorl_sleep(5 * WHORL_MILLISECOND);
    inside--;
    whorl_semaphore_release(&permits);
    return err;
}

static int root(void *arg)
{
    WHORL_AUTO(group) group = {0};
    int err = 0;

    (void)arg;
    for (int i = 1; i <= 6 && err == 0; i++)
        err = whorl_spawn_copy(&group, visit, &i);
    if (err == 0)
        err = whorl_group_wait(&group);
    printf("never more than %d inside\n", inside_max);
    return err;
}

int main(void)
{
    return whorl_run(root, NULL) ? 1 : 0;
}

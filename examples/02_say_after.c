/* SPDX-License-Identifier: MIT */
/* Two sleeps, in sequence and as tasks, which take as long as the longer sleep. Any argument
 * selects a virtual clock, which never waits.
 * Next: 03_groups.c */
#include <stdio.h>

#include <whorl.h>

typedef WHORL_SUSPENDS int (*way_fn)(void);
static int seconds[] = {1, 2};
static int say_after(void *arg)
{
    int err = whorl_sleep(*(int *)arg * WHORL_SECOND);
    printf("  %s\n", arg == seconds ? "hello" : "world");
    return err;
}

static WHORL_SUSPENDS int one_by_one(void)
{
    int err = say_after(&seconds[0]); /* an ordinary call, which starts no task */
    return err ? err : say_after(&seconds[1]);
}

static WHORL_SUSPENDS int as_tasks(void)
{
    struct whorl_future ends[2] = {0}; /* one per task, to wait for each task alone */
    WHORL_AUTO(group) group = {0};
    int err = whorl_spawn_future(&group, say_after, &seconds[0], &ends[0]);
    err = err ? err : whorl_spawn_future(&group, say_after, &seconds[1], &ends[1]);
    printf("  both are started, neither has run\n");
    err = err ? err : whorl_future_wait(&ends[0]);
    return err ? err : whorl_future_wait(&ends[1]);
}

static WHORL_SUSPENDS int as_group(void)
{
    WHORL_AUTO(group) group = {0};
    int err = whorl_spawn(&group, say_after, &seconds[0]);
    err = err ? err : whorl_spawn(&group, say_after, &seconds[1]);
    return err ? err : whorl_group_wait(&group); /* waits for both tasks */
}

static int root(void *arg)
{
    const way_fn ways[] = {one_by_one, as_tasks, as_group};
    int err = 0;
    for (int64_t i = 0, began_ns = whorl_now(); i < 3 && err == 0; i++, began_ns = whorl_now()) {
        printf("%s:\n", ((char **)arg)[i]);
        err = ways[i]();
        printf("  %.1f s\n", (double)(whorl_now() - began_ns) / WHORL_SECOND);
    }
    return err;
}

int main(int argc, char **argv)
{
    char *names[] = {"one by one", "as tasks", "as a group"};
    return argc > 1 && *argv[1] ? whorl_run_virtual(NULL, root, names) : whorl_run(root, names);
}

/* SPDX-License-Identifier: MIT */
/* Tasks live in a group and cannot outlive it. By default the first task that fails cancels the
 * others, and the group returns its error. With WHORL_GROUP_COLLECT every task runs to its end.
 * Next: 04_copy.c */
#include <stdio.h>

#include <whorl.h>

static int fails(void *arg)
{
    (void)arg;
    int err = whorl_sleep(10 * WHORL_MILLISECOND);
    return err ? err : -EIO;
}

static int waits(void *arg)
{
    int err = whorl_sleep(*(int64_t *)arg);
    printf("  the sibling: %s\n", err ? whorl_strerror(err) : "finished");
    return err;
}

static WHORL_SUSPENDS int run_both(enum whorl_group_policy policy, int64_t wait_ns)
{
    WHORL_AUTO(group) group = {.policy = policy}; /* leaving the block joins its tasks */

    int err = whorl_spawn(&group, waits, &wait_ns);
    if (err == 0)
        err = whorl_spawn(&group, fails, NULL);
    if (err)
        return err;
    err = whorl_group_wait(&group);
    printf("  the group: %s\n", whorl_strerror(err));
    return 0;
}

static int root(void *arg)
{
    (void)arg;
    printf("fail fast:\n");
    int err = run_both(WHORL_GROUP_FAIL_FAST, WHORL_HOUR); /* cancelled after 10 ms */
    if (err)
        return err;
    printf("collect:\n");
    return run_both(WHORL_GROUP_COLLECT, 20 * WHORL_MILLISECOND);
}

int main(void)
{
    return whorl_run(root, NULL) ? 1 : 0;
}

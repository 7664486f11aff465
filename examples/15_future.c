/* SPDX-License-Identifier: MIT */
/* A future is the end of one task, for any number of tasks to wait for, while the group goes on. The
 * data goes beside it, here in the struct that holds both.
 * Next: 16_generator.c */
#include <stdio.h>

#include <whorl.h>

struct answer {
    struct whorl_future future;
    int value;
};

static int think(void *arg)
{
    struct answer *answer = arg;
    int err = whorl_sleep(20 * WHORL_MILLISECOND);

    answer->value = 42;
    return err;
}

static int reader(void *arg)
{
    struct answer *answer = arg;
    int err = whorl_future_wait(&answer->future);

    if (err == 0)
        err = answer->future.result; /* what think() returned */
    if (err == 0)
        printf("a reader has it: %d\n", answer->value);
    return err;
}

static int root(void *arg)
{
    struct answer answer = {0};
    WHORL_AUTO(group) group = {0};

    (void)arg;
    int err = whorl_spawn_future(&group, think, &answer, &answer.future);
    for (int i = 0; i < 2 && err == 0; i++)
        err = whorl_spawn(&group, reader, &answer);
    printf("the answer is %s\n", answer.future.done ? "there" : "not there yet");
    if (err == 0)
        err = whorl_group_wait(&group);
    if (err == 0)
        err = reader(&answer); /* later too: it stays done */
    return err;
}

int main(void)
{
    return whorl_run(root, NULL) ? 1 : 0;
}

/* SPDX-License-Identifier: MIT */
/* A future becomes done when its task ends. Any number of tasks can wait for it, while other tasks
 * of the group continue. A future holds only the result code, so the data is stored beside it.
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
        err = reader(&answer); /* a future stays done, so this does not wait */
    return err;
}

int main(void)
{
    return whorl_run(root, NULL) ? 1 : 0;
}

/* SPDX-License-Identifier: MIT */
/* A pipeline: each task does one step, and channels connect the tasks. A task closes its channel
 * when no more values will come. A receiver's loop ends when its channel is closed and empty.
 * Next: 08_queue.c */
#include <stdio.h>

#include <whorl.h>

struct stage {
    struct whorl_chan *in, *out;
};

static int count(void *arg)
{
    struct stage *stage = arg;
    int err = 0;

    for (int i = 1; i <= 5 && err == 0; i++)
        err = whorl_chan_send(stage->out, &i);
    whorl_chan_close(stage->out);
    return err;
}

static int square(void *arg)
{
    struct stage *stage = arg;
    int err;

    whorl_chan_for_each(int, n, stage->in, &err)
        if ((err = whorl_chan_send(stage->out, &(int){n * n})) != 0)
            break;
    whorl_chan_close(stage->out);
    return err;
}

static int root(void *arg)
{
    WHORL_AUTO(chan) *numbers = NULL, *squares = NULL;
    int err = whorl_chan_create(sizeof(int), 0, &numbers);

    (void)arg;
    if (err || (err = whorl_chan_create(sizeof(int), 0, &squares)))
        return err;
    struct stage counting = {.out = numbers}, squaring = {numbers, squares};
    WHORL_AUTO(group) group = {0};
    err = whorl_spawn(&group, count, &counting);
    if (err == 0)
        err = whorl_spawn(&group, square, &squaring);
    if (err == 0)
        whorl_chan_for_each(int, n, squares, &err)
            printf("%d\n", n);
    return err ? err : whorl_group_wait(&group);
}

int main(void)
{
    return whorl_run(root, NULL) ? 1 : 0;
}

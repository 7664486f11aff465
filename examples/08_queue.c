/* SPDX-License-Identifier: MIT */
/* A queue with several producers and consumers is one channel that all of them use. It is closed
 * after the last producer has ended. Each consumer ends when the channel is closed and empty.
 * Next: 09_backpressure.c */
#include <stdio.h>

#include <whorl.h>

enum { PRODUCERS = 2, CONSUMERS = 3, ITEMS = 12 };

static struct whorl_chan *queue;
static int made, used[CONSUMERS];

static int produce(void *arg)
{
    int err = 0;

    for ((void)arg; made < ITEMS && err == 0;)
        err = whorl_chan_send(queue, &(int){++made}); /* waits while the queue is full */
    return err;
}

static int consume(void *arg)
{
    int *mine = arg, err;

    whorl_chan_for_each(int, number, queue, &err) { /* waits while it is empty */
        ++*mine;
        if ((err = whorl_sleep(5 * WHORL_MILLISECOND)) != 0) /* in place of work */
            break;
    }
    return err; /* 0 when the queue is closed and empty */
}

static int root(void *arg)
{
    WHORL_AUTO(chan) *chan = NULL;
    WHORL_AUTO(group) producers = {0}, consumers = {0};
    int err = whorl_chan_create(sizeof(int), 4, &chan);

    (void)arg;
    queue = chan;
    for (int i = 0; i < CONSUMERS && err == 0; i++)
        err = whorl_spawn(&consumers, consume, &used[i]);
    for (int i = 0; i < PRODUCERS && err == 0; i++)
        err = whorl_spawn(&producers, produce, NULL);
    if (err == 0 && (err = whorl_group_wait(&producers)) == 0) {
        printf("%d made, then the queue is closed\n", made);
        whorl_chan_close(chan);
        err = whorl_group_wait(&consumers);
    }
    printf("%d + %d + %d = %d used\n", used[0], used[1], used[2], used[0] + used[1] + used[2]);
    return err;
}

int main(void)
{
    return whorl_run(root, NULL) ? 1 : 0;
}

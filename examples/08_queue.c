/* SPDX-License-Identifier: MIT */
/* A queue with several producers and several consumers: a channel that all of them use. When the last
 * producer has ended it is closed, and each consumer ends when nothing is left in it.
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
        if ((err = whorl_sleep(5 * WHORL_MILLISECOND)) != 0) /* works on it */
            break;
    }
    return err; /* 0: closed and empty */
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

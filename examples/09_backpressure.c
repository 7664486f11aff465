/* SPDX-License-Identifier: MIT */
/* The producer is faster than the consumer. The channel's capacity limits how far ahead the
 * producer can be: when the channel is full, the next send waits until the consumer takes a value.
 * Next: 10_select.c */
#include <stdio.h>

#include <whorl.h>

enum { VALUES = 6, CAPACITY = 2 };

static int made;

static int produce(void *arg)
{
    struct whorl_chan *chan = arg;
    int err = 0;

    while (made < VALUES && err == 0) {
        err = whorl_chan_send(chan, &(int){made + 1}); /* waits while the buffer is full */
        made += err == 0;
    }
    whorl_chan_close(chan);
    return err;
}

static int root(void *arg)
{
    WHORL_AUTO(chan) *chan = NULL;
    WHORL_AUTO(group) group = {0};
    int used = 0, ahead_max = 0;

    (void)arg;
    int err = whorl_chan_create(sizeof(int), CAPACITY, &chan);
    if (err == 0)
        err = whorl_spawn(&group, produce, chan);
    if (err)
        return err;
    whorl_chan_for_each(int, n, chan, &err) {
        used++;
        if ((err = whorl_sleep(2 * WHORL_MILLISECOND)) != 0) /* slow work */
            break;
        if (made - used > ahead_max)
            ahead_max = made - used;
        printf("used %d while %d were made\n", n, made);
    }
    printf("never more than %d ahead\n", ahead_max);
    return err ? err : whorl_group_wait(&group);
}

int main(void)
{
    return whorl_run(root, NULL) ? 1 : 0;
}

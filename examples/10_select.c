/* SPDX-License-Identifier: MIT */
/* Waiting for several events at once. whorl_select() completes the case that is ready first and has
 * no effect on the others. Here the cases are a value, a deadline and a request to stop.
 * Next: 11_mutex.c */
#include <stdio.h>

#include <whorl.h>

struct shared {
    struct whorl_chan *chan;
    struct whorl_event stop;
};

static int send_then_stop(void *arg)
{
    struct shared *shared = arg;
    int err = whorl_chan_send(shared->chan, &(int){42});

    if (err == 0)
        err = whorl_sleep(150 * WHORL_MILLISECOND);
    whorl_event_set(&shared->stop);
    return err;
}

static int root(void *arg)
{
    WHORL_AUTO(chan) *chan = NULL;
    struct shared shared = {0};
    WHORL_AUTO(group) group = {0};
    int value, which, err = whorl_chan_create(sizeof(int), 0, &chan);

    (void)arg;
    shared.chan = chan;
    if (err == 0)
        err = whorl_spawn(&group, send_then_stop, &shared);
    int64_t deadline = whorl_after(50 * WHORL_MILLISECOND);
    while (err == 0) {
        struct whorl_case cases[] = {whorl_case_recv(chan, &value), whorl_case_deadline(deadline),
                                     whorl_case_event(&shared.stop)};
        which = whorl_select(cases, 3);
        if (which == 0) {
            printf("received %d\n", value);
        } else if (which == 1) {
            printf("nothing for a while\n");
            deadline = WHORL_FOREVER;
        } else {
            printf("%s\n", which == 2 ? "asked to stop" : whorl_strerror(which));
            break;
        }
    }
    return err ? err : whorl_group_wait(&group);
}

int main(void)
{
    return whorl_run(root, NULL) ? 1 : 0;
}

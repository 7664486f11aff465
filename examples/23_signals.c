/* SPDX-License-Identifier: MIT */
/* An orderly shutdown. The root task waits for a signal. Then it asks the group to stop and gives
 * its tasks 200 ms to finish their jobs. After that it cancels the tasks that still run.
 * Next: 24_http.c */
#include <signal.h>
#include <stdio.h>

#include <whorl.h>

/* Ends after its current job when the group is asked to stop. */
static int serve(void *arg)
{
    int err = 0;

    while (err == 0 && !whorl_stop_requested())
        err = whorl_sleep(20 * WHORL_MILLISECOND); /* a job */
    printf("%s: %s\n", (const char *)arg, err ? "cancelled" : "finished its last job");
    return err;
}

static int run_long_job(void *arg)
{
    int err = whorl_sleep(WHORL_HOUR); /* ignores the request to stop */

    printf("%s: %s\n", (const char *)arg, err ? "cancelled" : "finished");
    return err;
}

static int root(void *arg)
{
    static const int numbers[] = {SIGINT, SIGTERM, 0};
    WHORL_AUTO(signals) *signals = NULL;
    WHORL_AUTO(group) servers = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_signal signal;

    (void)arg;
    int err = whorl_signals_open(numbers, &signals);
    if (err == 0)
        err = whorl_spawn(&servers, serve, "server");
    if (err == 0)
        err = whorl_spawn(&servers, run_long_job, "long job");
    printf("serving until SIGINT or SIGTERM\n");
    fflush(stdout);
    if (err == 0)
        err = whorl_signals_wait(signals, &signal);
    if (err)
        return err;
    printf("received %s\n", signal.number == SIGTERM ? "SIGTERM" : "SIGINT");
    err = whorl_group_stop(&servers, 200 * WHORL_MILLISECOND);
    printf("stopped: %s\n", err == -ETIMEDOUT ? "some tasks were cancelled" : whorl_strerror(err));
    return 0;
}

int main(void)
{
    int err = whorl_io_run(root, NULL);
    return err ? (fprintf(stderr, "23_signals: %s\n", whorl_strerror(err)), 1) : 0;
}

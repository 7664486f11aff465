/* SPDX-License-Identifier: MIT */
/* An orderly end: a signal is one more thing to wait for. The servers' group is asked to stop and given
 * time to finish what they are at; who takes longer is cancelled.
 * Next: 24_http.c */
#include <signal.h>
#include <stdio.h>

#include <whorl.h>

/* Finishes the job it is at when asked to stop. */
static int serve(void *arg)
{
    int err = 0;

    while (err == 0 && !whorl_stop_requested())
        err = whorl_sleep(20 * WHORL_MILLISECOND); /* a job */
    printf("%s: %s\n", (const char *)arg, err ? "cut short" : "finished its last job");
    return err;
}

static int dawdle(void *arg)
{
    int err = whorl_sleep(WHORL_HOUR); /* does not listen, so the grace runs out */

    printf("%s: %s\n", (const char *)arg, err ? "cut short" : "finished");
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
        err = whorl_spawn(&servers, dawdle, "dawdler");
    printf("serving until SIGINT or SIGTERM\n");
    fflush(stdout);
    if (err == 0)
        err = whorl_signals_wait(signals, &signal);
    if (err)
        return err;
    printf("%s came\n", signal.number == SIGTERM ? "SIGTERM" : "SIGINT");
    err = whorl_group_stop(&servers, 200 * WHORL_MILLISECOND);
    printf("stopped: %s\n", err == -ETIMEDOUT ? "not all in time" : whorl_strerror(err));
    return 0;
}

int main(void)
{
    int err = whorl_io_run(root, NULL);
    return err ? (fprintf(stderr, "23_signals: %s\n", whorl_strerror(err)), 1) : 0;
}

/* SPDX-License-Identifier: MIT */
/* Testing timeouts without waiting. On a virtual clock an hour passes as soon as all tasks wait.
 * Streams in memory need no kernel, so a client and a server run in such a run, with any latency.
 * Next: fetch.c */
#include <stdio.h>
#include <string.h>

#include <whorl.h>

/* Under test: sends back what it reads, and hangs up after an idle hour. */
static int serve(void *arg)
{
    WHORL_AUTO(stream) *stream = arg;
    struct whorl_scope scope;
    char buf[16];
    int n, err = 0;

    do {
        whorl_scope_enter_timeout(&scope, WHORL_HOUR);
        n = whorl_scope_leave(&scope, (int)whorl_stream_read(stream, buf, sizeof buf));
        if (n > 0)
            err = whorl_stream_write(stream, buf, (size_t)n);
    } while (n > 0 && err == 0);
    return n == -ETIMEDOUT ? 0 : n ? n : err;
}

/* The test: says something now and after 59 minutes, and then nothing more. */
static int test(void *arg)
{
    struct whorl_memory_options slow = {.latency_ns = 20 * WHORL_MILLISECOND};
    WHORL_AUTO(stream) *client = NULL;
    WHORL_AUTO(group) group = {0};
    struct whorl_stream *server;
    char buf[16];
    int n = 1;

    (void)arg;
    int err = whorl_stream_pair(&slow, &client, &server);
    if (err || (err = whorl_spawn(&group, serve, server)) != 0)
        return err;
    for (int i = 0; err == 0 && n > 0; i++) {
        if (i < 2)
            err = whorl_stream_write(client, "hello", 5);
        if (err == 0)
            err = n = (int)whorl_stream_read(client, buf, sizeof buf);
        printf("after %6.2f s: %s\n", (double)whorl_now() / 1e9, n > 0 ? "an answer" : "the end");
        if (n > 0)
            err = i == 0 ? whorl_sleep(59 * WHORL_MINUTE) : 0;
    }
    return err ? err : whorl_group_wait(&group);
}

int main(void)
{
    return whorl_run_virtual(NULL, test, NULL) ? 1 : 0;
}

/* SPDX-License-Identifier: MIT */
/* The run of whorl-bench, and its servers that a signal ends, see root.h. */
#include "tools/bench/root.h"

#include <signal.h>
#include <stdio.h>

#include <whorl.h>

int bench_run(const char *what, whorl_task_fn root, void *arg)
{
    struct whorl_error error = {0};

    int err = whorl_io_run_with(NULL, &error, root, arg);
    if (err)
        fprintf(stderr, "whorl-bench: %s: %s\n", what,
                error.text[0] ? error.text : whorl_strerror(err));
    return err ? 1 : 0;
}

int bench_listen(uint16_t port, const struct whorl_listen_options *options,
                 struct whorl_listener **ret)
{
    struct whorl_addr addr;

    int err = whorl_addr_parse("127.0.0.1", port, &addr);
    return err ? err : whorl_listen(&addr, options, ret);
}

WHORL_SUSPENDS int bench_wait_for_end(const struct whorl_listener *listener)
{
    const int ending[] = {SIGINT, SIGTERM, 0};
    WHORL_AUTO(signals) *signals = NULL;

    /* The signals are caught before a client can know the port. */
    int err = whorl_signals_open(ending, &signals);
    if (err)
        return err;
    printf("port %d\n", whorl_addr_port(whorl_listener_addr(listener)));
    fflush(stdout);
    return whorl_signals_wait(signals, NULL);
}

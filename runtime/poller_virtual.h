/* SPDX-License-Identifier: MIT */
/* A poller with a virtual clock. It does not move while tasks run, and jumps to the next deadline
 * when all tasks wait. While other threads work for the run, the clock stands still, and the poller
 * sleeps until one of them kicks it. */
#ifndef RUNTIME_POLLER_VIRTUAL_H
#define RUNTIME_POLLER_VIRTUAL_H

#include "runtime/poller_idle.h"

struct poller_virtual {
    struct whorl_poller poller;
    struct poller_idle sleeper; /* waits for kicks in real time */
    int64_t now_ns;
};

/* 0, or a negative code. */
int poller_virtual_init(struct poller_virtual *poller, int64_t start_ns);
void poller_virtual_finish(struct poller_virtual *poller);

#endif

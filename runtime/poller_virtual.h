/* SPDX-License-Identifier: MIT */
/* A poller with a virtual clock. It does not move while tasks run, and jumps to the next deadline
 * when all tasks wait. */
#ifndef RUNTIME_POLLER_VIRTUAL_H
#define RUNTIME_POLLER_VIRTUAL_H

#include <whorl/poller.h>

struct poller_virtual {
    struct whorl_poller poller;
    int64_t now_ns;
};

void poller_virtual_init(struct poller_virtual *poller, int64_t start_ns);

#endif

/* SPDX-License-Identifier: MIT */
/* A poller with only a clock, for runs without I/O. */
#ifndef RUNTIME_POLLER_IDLE_H
#define RUNTIME_POLLER_IDLE_H

#include <pthread.h>

#include <whorl/poller.h>

struct poller_idle {
    struct whorl_poller poller;
    pthread_mutex_t lock;
    pthread_cond_t kicked_cond;
    bool kicked;    /* under lock */
    unsigned depth; /* see forks.h */
};

int poller_idle_init(struct poller_idle *poller);
void poller_idle_finish(struct poller_idle *poller);

#endif

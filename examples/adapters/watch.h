/* SPDX-License-Identifier: MIT */
/* A descriptor that a callback library wants to be told of: what an adapter is mostly made of. */
#ifndef WATCH_H
#define WATCH_H

#include <whorl.h>

struct watch {
    int fd;
    void (*ready)(struct watch *watch, unsigned events); /* in a task of its own */
    void *data;

    unsigned events; /* what is waited for, as poll(2) has it */
    bool ended;
    struct whorl_event changed;
    struct whorl_scope *waiting; /* valid while it waits for the descriptor */
};

/* Starts a task of `group` that calls `ready` whenever an event holds. NULL: no memory. */
struct watch *watch_start(struct whorl_group *group, int fd,
                          void (*ready)(struct watch *watch, unsigned events), void *data);

/* Changes the events waited for; 0 waits for none. Never suspends, so callbacks may call it. */
void watch_set(struct watch *watch, unsigned events);

/* `ready` is not called any more, and the task frees the watch. Never suspends. */
void watch_end(struct watch *watch);

#endif

/* SPDX-License-Identifier: MIT */
/* Watches a file descriptor for a callback library. This is the main part of each adapter. */
#ifndef WATCH_H
#define WATCH_H

#include <whorl.h>

struct watch {
    int fd;
    void (*ready)(struct watch *watch, unsigned events); /* called in the task of the watch */
    void *data;

    unsigned events; /* the events to wait for, as in poll(2) */
    bool ended;
    struct whorl_event changed;
    struct whorl_scope *waiting; /* valid while the task waits for the descriptor */
};

/* Starts a task in `group` that calls `ready` when one of the wanted events occurs. Returns NULL
 * when there is no memory. */
struct watch *watch_start(struct whorl_group *group, int fd,
                          void (*ready)(struct watch *watch, unsigned events), void *data);

/* Changes the wanted events; 0 means none. Never suspends, so callbacks may call it. */
void watch_set(struct watch *watch, unsigned events);

/* Ends the watch: `ready` is not called again, and the watch is freed. Never suspends. */
void watch_end(struct watch *watch);

#endif

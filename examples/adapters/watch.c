/* SPDX-License-Identifier: MIT */
/* A watch: a task that polls one descriptor and calls a function when it is ready. */
#include "watch.h"

#include <stdlib.h>

/* Waits for the wanted events. When they change, the wait is cancelled and the caller waits
 * again. */
static WHORL_SUSPENDS int wait_ready(struct watch *watch)
{
    struct whorl_scope scope;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    watch->waiting = &scope;
    int got = whorl_poll_fd(watch->fd, watch->events);
    watch->waiting = NULL;
    return whorl_scope_leave(&scope, got);
}

static int run(void *arg)
{
    struct watch *watch = arg;
    int err = 0;

    while (!watch->ended && err == 0) {
        whorl_event_reset(&watch->changed);
        if (watch->events == 0) {
            err = whorl_event_wait(&watch->changed);
            continue;
        }
        int got = wait_ready(watch);
        if (got > 0 && !watch->ended)
            watch->ready(watch, (unsigned)got);
        /* After watch_end() the result has no meaning, because the library may have closed the
         * descriptor. */
        err = got < 0 && got != -ECANCELED && !watch->ended ? got : whorl_check_cancelled();
    }
    if (watch->ended)
        free(watch);
    else
        watch->ended = true; /* cancelled: watch_end() frees it */
    return err;
}

struct watch *watch_start(struct whorl_group *group, int fd,
                          void (*ready)(struct watch *watch, unsigned events), void *data)
{
    struct watch *watch = calloc(1, sizeof *watch);

    if (!watch)
        return NULL;
    *watch = (struct watch){.fd = fd, .ready = ready, .data = data};
    if (whorl_spawn(group, run, watch) == 0)
        return watch;
    free(watch);
    return NULL;
}

void watch_set(struct watch *watch, unsigned events)
{
    if (events == watch->events)
        return;
    watch->events = events;
    whorl_event_set(&watch->changed);
    if (watch->waiting)
        whorl_scope_cancel(watch->waiting);
}

void watch_end(struct watch *watch)
{
    if (!watch)
        return;
    if (watch->ended) {
        free(watch);
        return;
    }
    watch->ended = true;
    whorl_event_set(&watch->changed);
    if (watch->waiting)
        whorl_scope_cancel(watch->waiting);
}

/* SPDX-License-Identifier: MIT */
/* Watch channels. A change copies the value to all waiters, so none of them touches the watch after
 * it was woken. */
#include <stdlib.h>
#include <string.h>

#include <whorl/watch.h>

#include "runtime/base/check.h"
#include "runtime/sched.h"
#include "runtime/sync/wait_queue.h"

struct whorl_watch {
    uint64_t version; /* of the value; 1: the first */
    size_t value_size;
    struct whorl_wait_queue waiters;
    bool closed;
    const char *name;
    unsigned char value[];
};

/* The watcher of a waiting task, and the destination of the next value. For the waiter of a select,
 * the case contains both. */
struct view {
    struct whorl_watcher *watcher;
    void *ret;
};

int whorl_watch_create(size_t value_size, const void *value, struct whorl_watch **ret)
{
    size_t bytes;

    if (__builtin_add_overflow(value_size, sizeof(struct whorl_watch), &bytes))
        return -EOVERFLOW;
    struct whorl_watch *watch = calloc(1, bytes);
    if (!watch)
        return -ENOMEM;
    watch->version = 1;
    watch->value_size = value_size;
    if (value && value_size > 0)
        memcpy(watch->value, value, value_size);
    *ret = watch;
    return 0;
}

void whorl_watch_destroy(struct whorl_watch *watch)
{
    whorl_check_text(!watch || !watch->waiters.first,
                     "a watch was destroyed while a task waits on it");
    free(watch);
}

static void touch(struct whorl_watch *watch)
{
    wait_queue_touch(&watch->waiters, "watch", watch->name);
}

uint64_t whorl_watch_get(const struct whorl_watch *watch, void *ret)
{
    if (watch->value_size > 0)
        memcpy(ret, watch->value, watch->value_size);
    return watch->version;
}

static struct view view_of_case(const struct whorl_case *c)
{
    return (struct view){c->object, c->data};
}

static struct view view_of(const struct whorl_waiter *waiter)
{
    return waiter->notify ? view_of_case(container_of(waiter, const struct whorl_case, waiter))
                          : *(const struct view *)waiter->data;
}

int whorl_watch_set(struct whorl_watch *watch, const void *value)
{
    touch(watch);
    if (watch->closed)
        return -EPIPE;
    if (watch->value_size > 0)
        memcpy(watch->value, value, watch->value_size);
    watch->version++;
    while (watch->waiters.first) {
        struct view view = view_of(watch->waiters.first);
        view.watcher->version = whorl_watch_get(watch, view.ret);
        whorl_wait_queue_wake_one(&watch->waiters, 0);
    }
    return 0;
}

void whorl_watch_close(struct whorl_watch *watch)
{
    touch(watch);
    watch->closed = true;
    while (whorl_wait_queue_wake_one(&watch->waiters, -EPIPE))
        ;
}

void whorl_watch_set_name(struct whorl_watch *watch, const char *name)
{
    watch->name = name;
}

static void describe(const struct whorl_waiter *waiter, char *text, size_t size)
{
    const struct whorl_watch *watch =
        container_of(waiter->queue, const struct whorl_watch, waiters);

    wait_queue_describe(text, size, "watch", watch->name, watch);
}

static const struct whorl_wait_kind kind = {describe, NULL};

void whorl_watcher_init(struct whorl_watcher *watcher, struct whorl_watch *watch)
{
    *watcher = (struct whorl_watcher){.watch = watch};
}

static int look(struct view view)
{
    struct whorl_watch *watch = view.watcher->watch;

    touch(watch);
    if (watch->version == view.watcher->version)
        return watch->closed ? -EPIPE : -EAGAIN;
    view.watcher->version = whorl_watch_get(watch, view.ret);
    return 0;
}

WHORL_SUSPENDS int whorl_watcher_wait_changed(struct whorl_watcher *watcher, void *ret)
{
    struct view view = {watcher, ret};
    struct whorl_waiter waiter = {.data = &view, .kind = &kind};
    struct whorl_task *self;
    struct sched *s;

    int err = sched_enter(&s, &self);
    if (err)
        return err;
    err = look(view);
    if (err != -EAGAIN)
        return err;
    wait_queue_append(&watcher->watch->waiters, &waiter);
    return (int)whorl_park(&waiter, wait_queue_withdraw, "watch");
}

static bool watch_try(struct whorl_case *c)
{
    c->result = look(view_of_case(c));
    return c->result != -EAGAIN;
}

static int watch_start(struct whorl_case *c)
{
    wait_queue_append_case(&((struct whorl_watcher *)c->object)->watch->waiters, c, &kind);
    return 0;
}

struct whorl_case whorl_case_watcher(struct whorl_watcher *watcher, void *ret)
{
    static const struct whorl_case_ops ops = {"watch", watch_try, watch_start,
                                              wait_queue_stop_case};
    return (struct whorl_case){.ops = &ops, .object = watcher, .data = ret};
}

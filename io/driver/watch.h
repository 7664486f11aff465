/* SPDX-License-Identifier: MIT */
/* Descriptors that requests wait for: by number, with the requests in the order in which they came.
 *
 * A number says little: it may be closed and mean another file the next moment. So a watch has a
 * generation, which grows when the kernel says that what was registered under its number is gone.
 */
#ifndef IO_DRIVER_WATCH_H
#define IO_DRIVER_WATCH_H

#include "io/driver/op.h"

/* Readers take turns with readers and writers with writers; those that poll take nothing away. */
enum watch_list { WATCH_READERS, WATCH_WRITERS, WATCH_POLLERS, WATCH_LISTS };

struct watch {
    struct whorl_waiter *first[WATCH_LISTS], *last[WATCH_LISTS]; /* requests; `waiter` is first */
    struct whorl_waiter *cursor; /* the next poller to be looked at, while they are gone through */
    struct watch *next_dirty;    /* among those to be registered anew; valid while dirty */
    int fd;
    uint32_t generation;
    bool dirty;
    bool registered; /* as far as we know */
    bool lasting;    /* registered for every change, not for the next event only */
    uint8_t untried; /* receives that will not be tried before they wait, see epoll.c */
};

enum { WATCH_CHUNK = 64 };

/* Zero-initialised is valid. Watches stay where they are. */
struct watch_table {
    struct watch *(*chunks)[];
    unsigned chunk_count;
};

/* Makes sure that there is a watch for `fd`, unless no such descriptor is open. 0 or -ENOMEM. */
int watch_reserve(struct watch_table *table, int fd);

/* The watch of `fd`; NULL when none was reserved. */
struct watch *watch_find(const struct watch_table *table, int fd);

void watch_table_finish(struct watch_table *table);

/* The list a request belongs into. */
enum watch_list watch_list_of(const struct io_op *op);

/* Puts a request at the end of its list, or takes it out of it. */
void watch_append(struct watch *watch, struct io_op *op);
void watch_remove(struct watch *watch, struct io_op *op);

/* The request that has waited longest; NULL when there is none. */
static inline struct io_op *watch_first(const struct watch *watch, enum watch_list list)
{
    return (struct io_op *)watch->first[list];
}

static inline bool watch_is_idle(const struct watch *watch)
{
    return !watch->first[WATCH_READERS] && !watch->first[WATCH_WRITERS] &&
           !watch->first[WATCH_POLLERS];
}

#endif

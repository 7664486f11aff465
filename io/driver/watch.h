/* SPDX-License-Identifier: MIT */
/* Watches: one per descriptor number, with lists of the requests that wait for the descriptor, in
 * order of arrival.
 *
 * A descriptor may be closed, and its number may mean another file at once. So a watch has a
 * generation, which is incremented when the registration of its descriptor is gone.
 */
#ifndef IO_DRIVER_WATCH_H
#define IO_DRIVER_WATCH_H

#include "io/driver/op.h"

/* Readers are served in order, and so are writers. Pollers consume nothing, so an event completes
 * all of them that wait for it. */
enum watch_list { WATCH_READERS, WATCH_WRITERS, WATCH_POLLERS, WATCH_LISTS };

struct watch {
    struct whorl_waiter *first[WATCH_LISTS], *last[WATCH_LISTS]; /* the `waiter` of requests */
    struct whorl_waiter *cursor; /* the next poller in a loop over the pollers; else meaningless */
    struct watch *next_dirty;    /* next watch that must be registered again; valid while dirty */
    int fd;
    uint32_t generation;
    bool dirty;
    bool registered; /* with epoll, as far as the driver knows */
    bool lasting;    /* registered for every change (edge-triggered), not for one event only */
    uint8_t untried; /* number of next receives that wait without a first try: epoll_watch.c */
};

enum { WATCH_CHUNK = 64 };

/* A zero-initialised table is valid. The address of a watch never changes. */
struct watch_table {
    struct watch *(*chunks)[];
    unsigned chunk_count;
};

/* Makes sure that there is a watch for `fd`, unless no such descriptor is open. 0 or -ENOMEM. */
int watch_reserve(struct watch_table *table, int fd);

/* The watch of `fd`; NULL when none was reserved. */
struct watch *watch_find(const struct watch_table *table, int fd);

void watch_table_finish(struct watch_table *table);

/* The list that a request belongs to. */
enum watch_list watch_list_of(const struct io_op *op);

/* Append a request to its list, or remove it from the list. */
void watch_append(struct watch *watch, struct io_op *op);
void watch_remove(struct watch *watch, struct io_op *op);

/* The request of the list that has waited longest; NULL when the list is empty. */
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

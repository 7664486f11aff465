/* SPDX-License-Identifier: MIT */
/* Decides which URL is fetched next. No I/O.
 *
 *     reader     schedule_add(), schedule_wait_room(), ... schedule_close()
 *     starter    schedule_next() returns an item: start its transfer
 *     transfer   schedule_answered() after each response;
 *                schedule_pause(), schedule_resume() around the pause before a retry;
 *                schedule_end() when it is over
 *
 * URLs wait in a bounded window, in one queue for each host and port. The next item is the one that
 * has waited longest among those that can start: their host has fewer than `per_host` active items.
 * So a busy host holds up its own URLs only, and a URL that waits takes no place of the `jobs`. The
 * same is true for a host that asks for silence, or that --rate slows down (pace.h): its items wait
 * together, whether they are new or to be retried.
 *
 * A host is down for a minute if it refused all connections while an item used up its tries, or if
 * SCHEDULE_FAILURES_MAX items in a row ended because no connection to it could be made, all for the
 * same reason. Its items are handed out at once, to be reported as failures.
 */
#ifndef WHORL_GET_SCHEDULE_H
#define WHORL_GET_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <whorl/sync.h>
#include <whorl/timer.h>

/* The window. Long URLs count by their bytes. */
enum { SCHEDULE_ITEMS_MAX = 10000, SCHEDULE_BYTES_MAX = 4 << 20 };

enum { SCHEDULE_FAILURES_MAX = 3, SCHEDULE_CAUSE_SIZE = 160 };

struct schedule_host;

/* A URL to fetch. schedule_end() frees it. */
struct schedule_item {
    TAILQ_ENTRY(schedule_item) in_host, in_window;
    struct schedule_host *host;
    uint64_t number;    /* in the order of arrival */
    int64_t started_ns; /* of the last request */
    bool is_asking;     /* which has no response yet */
    bool is_moving;     /* is not yet counted by `host`: schedule_move() was called */
    int64_t added_ns;   /* when it was added, as whorl_now() says */
    const char *list;   /* the list which contains the URL, NULL for an argument; borrowed */
    long line;
    size_t size;    /* of the whole item, in bytes */
    char *settings; /* see entry.h; "" for none; in the memory of the item */
    char url[];
};

TAILQ_HEAD(schedule_items, schedule_item);
TAILQ_HEAD(schedule_hosts, schedule_host);

/* schedule_init() sets it up. */
struct schedule {
    size_t jobs, per_host;
    struct schedule_items window; /* all items that wait, in the order of arrival */
    size_t count, bytes;          /* of the window */
    uint64_t added;
    bool closed;
    bool grows;   /* transfers add items, too: to be set before the first one starts */
    bool stopped; /* no item starts any more: schedule_take() was called */

    void *hosts; /* the root of a tsearch(3) tree */
    size_t hosts_count;
    struct schedule_host **ready; /* a heap of the hosts that have an item which can start */
    size_t ready_count, ready_size;
    struct schedule_hosts down; /* the first to be tried again is first */
    size_t down_count;

    struct schedule_hosts held; /* their next item waits for its pace */
    struct whorl_timer unhold;  /* armed for the first of `held` */
    int64_t pause_min_ns;       /* between requests to a host; 0: none */

    size_t running;             /* items that were handed out and are neither paused nor over */
    size_t paused;              /* in a pause, or waiting in schedule_resume() */
    size_t resuming;            /* of these, those that wait in schedule_resume() */
    struct whorl_event changed; /* an item may be able to start or to resume */
    struct whorl_event room;    /* the window may have room */
};

/* `rate` is the number of requests per second to a host; 0: any. */
void schedule_init(struct schedule *schedule, size_t jobs, size_t per_host, double rate);

/* To be called in the run, when no item will start any more. */
void schedule_leave(struct schedule *schedule);

/* Frees all items that still wait. Every other item must have ended. */
void schedule_finish(struct schedule *schedule);

/* Adds a URL, which need not be valid, with its settings. Copies both and borrows `list`. Returns 0
 * or -ENOMEM. */
int schedule_add(struct schedule *schedule, const char *url, const char *settings, const char *list,
                 long line);

/* Waits until the window has room for another URL. Returns 0 or -ECANCELED. */
WHORL_SUSPENDS int schedule_wait_room(struct schedule *schedule);

/* Says that no more URLs will be added. */
void schedule_close(struct schedule *schedule);

/* Waits until an item can start. Returns 1; 0 when all items were handed out, the schedule is
 * closed, and no transfer can add another one; -ECANCELED. */
WHORL_SUSPENDS int schedule_next(struct schedule *schedule, struct schedule_item **ret);

/* Takes the item that has waited longest, whether it can start or not. Returns NULL when no item
 * waits. The caller ends it like any other. After this, schedule_next() must not be called. */
struct schedule_item *schedule_take(struct schedule *schedule);

/* The item's host has answered a request; `silence_ns` is -1, or how long it asks for silence: it
 * refuses requests because there are too many. */
void schedule_answered(struct schedule *schedule, struct schedule_item *item, int64_t silence_ns);

/* How long the item's host wants no request, from now on; 0: it does not say. */
int64_t schedule_silence_ns(const struct schedule_item *item);

/* Around the pause before a retry: another item may run meanwhile. schedule_resume() waits until
 * the item's host may get a request and fewer than `jobs` items run, and items that resume come
 * before items that start. It returns 0 or -ECANCELED; in both cases the item counts as running
 * again. */
void schedule_pause(struct schedule *schedule, struct schedule_item *item);
WHORL_SUSPENDS int schedule_resume(struct schedule *schedule, struct schedule_item *item);

/* Between schedule_pause() and schedule_resume(): the item goes to the host of another URL, a
 * mirror. schedule_resume() then waits until that host has fewer than `per_host` items, too.
 * Returns 0; -ENOMEM, and then the item stays with its host. */
int schedule_move(struct schedule *schedule, struct schedule_item *item, const char *url);

/* Around the use of one more connection to the item's host, besides the first one of each item.
 * schedule_take_connection() returns false when the host has `per_host` connections already, when
 * other items wait for the host, which come first, or when the host asks for silence. */
bool schedule_take_connection(struct schedule *schedule, struct schedule_item *item);
void schedule_free_connection(struct schedule *schedule, struct schedule_item *item);

/* As schedule_take_connection(), to the host of any URL. Returns the host, for
 * schedule_free_place(), or NULL. */
struct schedule_host *schedule_take_place(struct schedule *schedule, const char *url);
void schedule_free_place(struct schedule *schedule, struct schedule_host *host);

/* The item is over: frees it. */
void schedule_end(struct schedule *schedule, struct schedule_item *item);

/* Tells the result of a connect(2) to a host: 0 or -errno. */
void schedule_note_dial(struct schedule *schedule, const char *host, uint16_t port, int err);

/* A host refused the connections of an item in each of its `tries`, and the item will not be tried
 * again. If the host accepted no connection meanwhile, it is down from now on. It need not be the
 * host of the item's URL: a redirect may have led to it. */
void schedule_give_up(struct schedule *schedule, const char *host, uint16_t port, int tries);

/* An item has ended with `err`, which is not -ECONNREFUSED, because no connection to a host could
 * be made: its name was not found, for example, or its certificate is wrong. After
 * SCHEDULE_FAILURES_MAX of these in a row with the same `err`, the host is down. A response of the
 * host ends the row, and so does a connection unless `is_connected`: TLS has failed, for which
 * there was a connection. */
void schedule_fail(struct schedule *schedule, const char *host, uint16_t port, int err,
                   bool is_connected);

/* The item's host has asked for a pause that is too long to wait for: it is down. */
void schedule_silence(struct schedule *schedule, struct schedule_item *item);

/* Why the item's host, or a host, is down: writes the cause, and returns a code. */
int schedule_item_down_cause(const struct schedule_item *item, char ret[SCHEDULE_CAUSE_SIZE]);
int schedule_down_cause(const struct schedule *schedule, const char *host, uint16_t port,
                        char ret[SCHEDULE_CAUSE_SIZE]);

/* "host:port" of the item, or "" if its URL is not valid. Valid until the item ends. */
const char *schedule_host_name(const struct schedule_item *item);

/* Whether the item's host is down. */
bool schedule_is_down(const struct schedule_item *item);

/* Whether a host is down. */
bool schedule_is_host_down(const struct schedule *schedule, const char *host, uint16_t port);

#endif

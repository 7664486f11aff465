/* SPDX-License-Identifier: MIT */
/* The epoll driver: its turns, which try requests and sleep, its set-up and its end. */
#include "io/driver/epoll.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/driver/epoll_route.h"
#include "io/driver/epoll_state.h"
#include "io/driver/epoll_watch.h"
#include "io/driver/syscall.h"
#include "runtime/base/check.h"
#include "runtime/base/clock.h"

enum {
    EVENTS_MAX = 256, /* events that one epoll_wait returns */
};

/* While tasks stay ready, epoll_wait is called once per this interval. */
#define LOOK_NS (50 * WHORL_MICROSECOND)

/* The data of an event: the descriptor in the low 32 bits, the generation of its watch above them.
 * DATA_KICK contains no valid descriptor. */
#define DATA_KICK UINT64_MAX

static struct epoll *of_poller(struct whorl_poller *poller)
{
    return (struct epoll *)poller;
}

static struct epoll *of_driver(struct io_driver *driver)
{
    return (struct epoll *)driver;
}

static int64_t driver_now(struct whorl_poller *poller)
{
    (void)poller;
    return clock_monotonic_ns();
}

/* --- the turn --------------------------------------------------------------------------------- */

/* Completes the requests on a descriptor that wait for their next try. */
static void end_later(struct epoll *e, int fd)
{
    struct whorl_waiter *next;

    for (struct whorl_waiter *waiter = e->later.next; waiter != &e->later; waiter = next) {
        struct io_op *op = (struct io_op *)waiter;
        next = waiter->next;
        if (op->fd != fd || syscall_is_direct(op))
            continue;
        queue_remove(waiter);
        epoll_complete(e, op, syscall_cancelled(op) >= 0 ? syscall_cancelled(op) : -EBADF);
    }
}

/* Ends the requests that wait for a descriptor, and then closes it. A thread that uses it must be
 * done first: the number may mean another file after the close. */
static void start_close(struct epoll *e, struct io_op *op)
{
    epoll_watch_close(e, op->fd);
    if (!queue_is_empty(&e->later))
        end_later(e, op->fd);
    epoll_route(e, op,
                threads_use(&e->threads, op->fd) ? SYSCALL_LATER : syscall_try(op, SYSCALL_FIRST));
}

static void start(struct epoll *e, struct io_op *op)
{
    if (op->code == IO_OP_CLOSE)
        start_close(e, op);
    else if (syscall_is_direct(op))
        epoll_route(e, op, syscall_try(op, SYSCALL_FIRST));
    else
        epoll_watch_start(e, op);
}

/* Starts the requests that are in `queued` now. Those that are appended meanwhile stay queued. */
static void start_all(struct epoll *e)
{
    struct whorl_waiter *waiter;

    queue_append(&e->queued, &e->mark);
    while ((waiter = queue_take(&e->queued)) != &e->mark)
        start(e, (struct io_op *)waiter);
}

/* Queues the requests whose next try is due. */
static void queue_later(struct epoll *e)
{
    struct whorl_waiter *waiter;

    if (clock_monotonic_ns() < e->retry.at_ns)
        return;
    while ((waiter = queue_take(&e->later))) {
        ((struct io_op *)waiter)->slot = PLACE_QUEUED;
        queue_append(&e->queued, waiter);
    }
}

static void on_kick(struct epoll *e)
{
    /* The eventfd is registered edge-triggered: each write causes an event, though its counter is
     * never read. */
    e->stats.kicks++;
    atomic_exchange_explicit(&e->kicked, false, memory_order_acq_rel);
}

static void complete_ended(struct epoll *e)
{
    struct whorl_waiter *waiter;

    while ((waiter = queue_take(&e->ended))) {
        struct io_op *op = (struct io_op *)waiter;
        epoll_complete(e, op, syscall_cancelled(op));
    }
}

/* Returns how long wait() may sleep. 0: not at all; negative: without limit. */
static int64_t time_left(const struct epoll *e, int64_t deadline_ns)
{
    if (deadline_ns <= 0)
        return 0;
    if (!queue_is_empty(&e->later) && e->retry.at_ns < deadline_ns)
        deadline_ns = e->retry.at_ns;
    if (deadline_ns == WHORL_FOREVER)
        return -1;
    int64_t left_ns = deadline_ns - clock_monotonic_ns();
    return left_ns > 0 ? left_ns : 0;
}

/* Waits for events for at most `left_ns` (negative: without limit). Where the kernel has no
 * epoll_pwait2, the time is rounded up to milliseconds. */
static int look(struct epoll *e, struct epoll_event *events, int64_t left_ns)
{
    struct timespec ts = {.tv_sec = left_ns / WHORL_SECOND, .tv_nsec = left_ns % WHORL_SECOND};
    int64_t ms = left_ns < 0 ? -1 : (left_ns + WHORL_MILLISECOND - 1) / WHORL_MILLISECOND;
    int n;

    e->stats.waits++;
    if (left_ns > 0 && !e->milliseconds) {
        n = epoll_pwait2(e->fd, events, EVENTS_MAX, &ts, NULL); /* 5.11 */
        if (n >= 0 || (errno != ENOSYS && errno != EPERM))
            return n;
        e->milliseconds = true;
    }
    return epoll_wait(e->fd, events, EVENTS_MAX, ms < INT_MAX ? (int)ms : INT_MAX);
}

static int driver_wait(struct whorl_poller *poller, int64_t deadline_ns)
{
    struct epoll *e = of_poller(poller);
    struct epoll_event events[EVENTS_MAX];
    uint64_t completed = e->stats.completed;

    if (io_driver_is_copy(&e->driver))
        return io_driver_wait_copy(&e->driver, deadline_ns);
    complete_ended(e);
    if (!queue_is_empty(&e->later))
        queue_later(e);
    start_all(e);
    epoll_watch_arm(e);
    if (e->stats.completed != completed || !queue_is_empty(&e->queued) ||
        !queue_is_empty(&e->ended))
        deadline_ns = 0;
    int64_t left_ns = time_left(e, deadline_ns);
    if (left_ns == 0 && !e->look_due && !atomic_load_explicit(&e->kicked, memory_order_relaxed) &&
        (e->waiting == 0 || clock_monotonic_ns() - e->looked_ns < LOOK_NS)) {
        epoll_take_jobs(e);
        return 0;
    }
    int n = look(e, events, left_ns);
    if (n < 0 && errno != EINTR)
        return -errno;
    e->looked_ns = clock_monotonic_ns();
    e->look_due = n == EVENTS_MAX;
    for (int i = 0; i < n; i++) {
        if (events[i].data.u64 == DATA_KICK)
            on_kick(e);
        else
            epoll_watch_event(e, events[i].data.u64, events[i].events);
    }
    epoll_take_jobs(e);
    return 0;
}

static bool driver_has_work(struct whorl_poller *poller)
{
    struct epoll *e = of_poller(poller);

    if (io_driver_is_copy(&e->driver))
        return !queue_is_empty(&e->driver.cancelled);
    return !queue_is_empty(&e->queued) || !queue_is_empty(&e->ended) || e->dirty || e->look_due ||
           atomic_load_explicit(&e->kicked, memory_order_relaxed) ||
           ((e->waiting > 0 || !queue_is_empty(&e->later)) &&
            clock_monotonic_ns() - e->looked_ns >= LOOK_NS);
}

static size_t driver_pending(struct whorl_poller *poller)
{
    struct epoll *e = of_poller(poller);
    bool kicked = atomic_load_explicit(&e->kicked, memory_order_relaxed);

    return e->driver.in_flight - e->driver.background + kicked;
}

/* --- requests --------------------------------------------------------------------------------- */

static int driver_submit(struct io_driver *driver, struct io_op *op)
{
    struct epoll *e = of_driver(driver);

    if (!syscall_is_direct(op)) {
        int err = watch_reserve(&e->watches, op->fd);
        if (err)
            return err;
    }
    op->done = 0;
    op->slot = PLACE_QUEUED;
    queue_append(&e->queued, &op->waiter);
    return 0;
}

static void driver_cancel(struct io_driver *driver, struct io_op *op)
{
    struct epoll *e = of_driver(driver);

    switch (op->slot) {
    case PLACE_WATCH:
    case PLACE_REGISTERED:
        epoll_watch_withdraw(e, op);
        break;
    case PLACE_LATER:
        queue_remove(&op->waiter);
        break;
    case PLACE_THREAD:
        if (!threads_withdraw(&e->threads, op))
            return;
        break;
    default:
        return; /* queued; `cancelling` is set, so start() lets it neither wait nor block */
    }
    op->slot = PLACE_ENDED;
    queue_append(&e->ended, &op->waiter);
}

static void driver_cancel_all(struct io_driver *driver)
{
    struct epoll *e = of_driver(driver);

    for (struct whorl_waiter *w = e->queued.next; w != &e->queued; w = w->next)
        io_op_cancel((struct io_op *)w);
    for (struct whorl_waiter *next, *w = e->later.next; w != &e->later; w = next) {
        next = w->next;
        io_op_cancel((struct io_op *)w);
    }
    threads_cancel_all(&e->threads);
    epoll_watch_cancel(e);
}

/* --- set-up and end --------------------------------------------------------------------------- */

static void driver_destroy(struct io_driver *driver)
{
    struct epoll *e = of_driver(driver);

    whorl_check(io_driver_is_copy(driver) || driver->in_flight == 0);
    threads_finish(&e->threads);
    watch_table_finish(&e->watches);
    close(e->kick_fd);
    close(e->fd);
    free(e);
}

/* The epoll descriptor itself is readable while it has events to report. */
static int driver_event_fd(struct io_driver *driver)
{
    struct epoll *e = of_driver(driver);

    e->look_due = true;
    return e->fd;
}

static int64_t driver_recheck_ns(const struct io_driver *driver)
{
    const struct epoll *e = (const struct epoll *)driver;

    if (!queue_is_empty(&e->queued) || !queue_is_empty(&e->ended) || e->dirty || e->look_due)
        return 0;
    return queue_is_empty(&e->later) ? WHORL_FOREVER : e->retry.at_ns;
}

static const struct whorl_poller_ops poller_ops = {
    .name = "epoll",
    .now = driver_now,
    .wait = driver_wait,
    .has_work = driver_has_work,
    .kick = epoll_kick,
    .pending = driver_pending,
};

static const struct io_driver_ops driver_ops = {
    .name = "epoll",
    .calls = true,
    .submit = driver_submit,
    .cancel = driver_cancel,
    .cancel_all = driver_cancel_all,
    .destroy = driver_destroy,
    .event_fd = driver_event_fd,
    .recheck_ns = driver_recheck_ns,
};

int epoll_driver_create(struct whorl_error *error, struct io_driver **ret)
{
    struct epoll *e = calloc(1, sizeof *e);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = DATA_KICK};
    int err;

    if (!e)
        return whorl_error_set(error, -ENOMEM, "epoll", "out of memory");
    e->fd = epoll_create1(EPOLL_CLOEXEC);
    if (e->fd < 0) {
        err = whorl_error_set(error, -errno, "epoll", "epoll_create: %s", whorl_strerror(errno));
        goto err_memory;
    }
    e->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (e->kick_fd < 0) {
        err = whorl_error_set(error, -errno, "epoll", "eventfd: %s", whorl_strerror(errno));
        goto err_epoll;
    }
    if (epoll_ctl(e->fd, EPOLL_CTL_ADD, e->kick_fd, &event) < 0) {
        err = whorl_error_set(error, -errno, "epoll", "epoll_ctl: %s", whorl_strerror(errno));
        goto err_kick;
    }
    queue_init(&e->queued);
    queue_init(&e->later);
    queue_init(&e->ended);
    io_driver_init(&e->driver);
    e->driver.poller.ops = &poller_ops;
    e->driver.ops = &driver_ops;
    e->threads.poller = &e->driver.poller;
    *ret = &e->driver;
    return 0;

err_kick:
    close(e->kick_fd);
err_epoll:
    close(e->fd);
err_memory:
    free(e);
    return err;
}

const struct epoll_stats *epoll_driver_stats(const struct io_driver *driver)
{
    return &((const struct epoll *)driver)->stats;
}

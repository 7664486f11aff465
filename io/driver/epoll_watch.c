/* SPDX-License-Identifier: MIT */
/* The epoll driver's requests that wait for a descriptor: tries them in order and registers the
 * descriptor with epoll. */
#include "io/driver/epoll_watch.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "io/driver/epoll_route.h"
#include "io/driver/syscall.h"

enum {
    ACCEPTS_MAX = 64, /* accepts by one request in a row, before other requests get their turn */
    UNTRIED_MAX = 16, /* receives in a row that wait for an event without a first try */
};

static void set_dirty(struct epoll *e, struct watch *watch)
{
    if (watch->dirty)
        return;
    watch->dirty = true;
    watch->next_dirty = e->dirty;
    e->dirty = watch;
}

static void leave_watch(struct epoll *e, struct watch *watch, struct io_op *op)
{
    watch_remove(watch, op);
    e->waiting--;
}

/* Tries the requests of a list in order until one must wait longer. Returns how many of them made
 * progress. */
static unsigned try_list(struct epoll *e, struct watch *watch, enum watch_list list,
                         enum syscall_state state)
{
    unsigned got_on = 0, accepted = 0;
    struct io_op *op;

    while ((op = watch_first(watch, list))) {
        uint32_t done = op->done;
        int res = syscall_try(op, state);
        if (res == SYSCALL_WAIT) {
            got_on += op->done != done;
            break;
        }
        got_on++;
        if (res >= 0 && op->code == IO_OP_ACCEPT && op->multishot) {
            epoll_complete_once(e, op, res);
            if (++accepted < ACCEPTS_MAX)
                continue;
            set_dirty(e, watch);
            break;
        }
        leave_watch(e, watch, op);
        if (op->code == IO_OP_RECV && state == SYSCALL_READY) {
            /* A short read means that the socket's buffer is empty, so the next receives wait
             * without a first try. After UNTRIED_MAX of them one is tried again, because more data
             * may have arrived. */
            if (res <= 0 || (uint32_t)res >= op->len)
                watch->untried = 0;
            else if (watch->untried == 0)
                watch->untried = UNTRIED_MAX;
        }
        epoll_route(e, op, res);
    }
    return got_on;
}

static unsigned run_pollers(struct epoll *e, struct watch *watch, unsigned events)
{
    unsigned got_on = 0;

    watch->cursor = watch->first[WATCH_POLLERS];
    while (watch->cursor) {
        struct io_op *op = (struct io_op *)watch->cursor;
        unsigned seen = events & (syscall_events(op) | EPOLLERR | EPOLLHUP);
        watch->cursor = op->waiter.next;
        if (!seen)
            continue;
        got_on++;
        if (op->multishot) {
            epoll_complete_once(e, op, (int)seen);
        } else {
            leave_watch(e, watch, op);
            epoll_complete(e, op, (int)seen);
        }
    }
    return got_on;
}

/* Whether a receive should wait for an event without a first try. */
static bool is_untried(struct watch *watch, const struct io_op *op)
{
    if (watch->untried == 0 || op->code != IO_OP_RECV || op->flags & MSG_DONTWAIT ||
        op->cancelling || !watch->registered)
        return false;
    watch->untried--;
    return true;
}

void epoll_watch_start(struct epoll *e, struct io_op *op)
{
    struct watch *watch = watch_find(&e->watches, op->fd);

    if (!watch) {
        epoll_complete(e, op, -EBADF);
        return;
    }
    enum watch_list list = watch_list_of(op);
    bool first = !watch->first[list];
    if (list != WATCH_POLLERS && !first && !op->multishot) {
        int res = syscall_try(op, watch->registered ? SYSCALL_POLLABLE : SYSCALL_FIRST);
        if (res != SYSCALL_WAIT) {
            epoll_route(e, op, res);
            return;
        }
    }
    op->slot = PLACE_WATCH;
    op->waiter.queue = watch;
    watch_append(watch, op);
    e->waiting++;
    if (list == WATCH_POLLERS && op->cancelling) {
        int res = syscall_try(op, SYSCALL_FIRST);
        leave_watch(e, watch, op);
        epoll_complete(e, op, res == SYSCALL_WAIT ? -ECANCELED : res);
        return;
    }
    if (list != WATCH_POLLERS && first && !is_untried(watch, op))
        try_list(e, watch, list, watch->registered ? SYSCALL_POLLABLE : SYSCALL_FIRST);
    if (watch->last[list] != &op->waiter)
        return;
    if (op->cancelling) {
        leave_watch(e, watch, op);
        epoll_complete(e, op, syscall_cancelled(op));
        return;
    }
    if (op->code == IO_OP_POLL && op->multishot)
        watch->lasting = true;
    set_dirty(e, watch);
}

/* Completes the requests of a watch: with the bytes they have moved, else with `err`.
 * `registered_only`: only requests that were there at the last registration. They mean the file of
 * that time; requests that came later mean the file that has the number now. */
static void end_watch(struct epoll *e, struct watch *watch, int err, bool registered_only)
{
    for (enum watch_list list = 0; list < WATCH_LISTS; list++) {
        struct io_op *op;
        while ((op = watch_first(watch, list)) &&
               (!registered_only || op->slot == PLACE_REGISTERED)) {
            leave_watch(e, watch, op);
            epoll_complete(e, op, syscall_cancelled(op) >= 0 ? syscall_cancelled(op) : err);
        }
    }
}

void epoll_watch_close(struct epoll *e, int fd)
{
    struct watch *watch = watch_find(&e->watches, fd);

    if (!watch)
        return;
    if (!watch_is_idle(watch)) {
        /* Closing one descriptor does not end the registration while another descriptor keeps the
         * same file open. */
        if (watch->registered)
            epoll_ctl(e->fd, EPOLL_CTL_DEL, fd, NULL);
        end_watch(e, watch, -EBADF, false);
    }
    watch->registered = watch->lasting = false;
    watch->generation++;
}

void epoll_watch_withdraw(struct epoll *e, struct io_op *op)
{
    struct watch *watch = op->waiter.queue;

    leave_watch(e, watch, op);
    if (watch->lasting)
        set_dirty(e, watch);
}

void epoll_watch_cancel(struct epoll *e)
{
    struct io_op *op;

    for (unsigned i = 0; i < e->watches.chunk_count * WATCH_CHUNK; i++) {
        struct watch *watch = watch_find(&e->watches, (int)i);
        for (enum watch_list list = 0; watch && list < WATCH_LISTS; list++)
            while ((op = watch_first(watch, list)))
                io_op_cancel(op);
    }
}

/* --- registering ------------------------------------------------------------------------------ */

/* epoll does not accept the descriptor. poll(2) reports such files as always ready, but their calls
 * may block, so threads carry the requests out. */
static void run_unpollable(struct epoll *e, struct watch *watch)
{
    struct io_op *op;

    for (enum watch_list list = WATCH_READERS; list <= WATCH_WRITERS; list++)
        while ((op = watch_first(watch, list))) {
            leave_watch(e, watch, op);
            epoll_route(e, op, SYSCALL_THREAD);
        }
    for (watch->cursor = watch->first[WATCH_POLLERS]; watch->cursor;) {
        op = (struct io_op *)watch->cursor;
        watch->cursor = op->waiter.next;
        int res = syscall_try(op, SYSCALL_FIRST);
        leave_watch(e, watch, op);
        epoll_complete(e, op, res == SYSCALL_WAIT ? -EINVAL : res); /* as io_uring does */
    }
}

static unsigned wanted_events(const struct watch *watch)
{
    unsigned events = 0;

    if (watch->first[WATCH_READERS])
        events |= EPOLLIN;
    if (watch->first[WATCH_WRITERS])
        events |= EPOLLOUT;
    for (struct whorl_waiter *w = watch->first[WATCH_POLLERS]; w; w = w->next)
        events |= syscall_events((struct io_op *)w);
    return events;
}

static bool has_multishot_poller(const struct watch *watch)
{
    for (struct whorl_waiter *w = watch->first[WATCH_POLLERS]; w; w = w->next)
        if (((struct io_op *)w)->multishot)
            return true;
    return false;
}

static void note_registered(struct watch *watch)
{
    watch->registered = true;
    for (enum watch_list list = 0; list < WATCH_LISTS; list++)
        for (struct whorl_waiter *w = watch->last[list]; w; w = w->prev) {
            struct io_op *op = (struct io_op *)w;
            if (op->slot == PLACE_REGISTERED)
                break; /* the requests before it are registered too */
            op->slot = PLACE_REGISTERED;
        }
}

static void arm(struct epoll *e, struct watch *watch)
{
    for (;;) {
        if (watch_is_idle(watch) && !(watch->registered && watch->lasting))
            return;
        if (watch_is_idle(watch))
            watch->lasting = false;
        struct epoll_event event = {
            .events = wanted_events(watch) | (watch->lasting ? EPOLLET : EPOLLONESHOT),
            .data.u64 = (uint64_t)watch->generation << 32 | (uint32_t)watch->fd,
        };
        e->stats.registered++;
        if (epoll_ctl(e->fd, watch->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, watch->fd,
                      &event) == 0) {
            note_registered(watch);
            return;
        }
        int err = errno;
        if (err == EEXIST) {
            watch->registered = true;
            continue;
        }
        watch->registered = watch->lasting = false;
        watch->generation++;
        if (err == ENOENT) { /* the file was closed, and its number means another file now */
            end_watch(e, watch, -EBADF, true);
            watch->lasting = has_multishot_poller(watch);
            continue;
        }
        if (err == EPERM)
            run_unpollable(e, watch);
        else
            end_watch(e, watch, -err, false);
        return;
    }
}

void epoll_watch_arm(struct epoll *e)
{
    struct watch *watch;

    while ((watch = e->dirty)) {
        e->dirty = watch->next_dirty;
        watch->dirty = false;
        arm(e, watch);
    }
}

/* --- events ----------------------------------------------------------------------------------- */

/* epoll reports the descriptor as writable, but a write would still block: a Unix datagram socket
 * whose receiver is full. No event follows when the receiver has room, so retry after a delay. */
static unsigned put_off_writers(struct epoll *e, struct watch *watch)
{
    struct io_op *op = watch_first(watch, WATCH_WRITERS);

    if (!op)
        return 0;
    leave_watch(e, watch, op);
    epoll_route(e, op, SYSCALL_LATER);
    return 1;
}

void epoll_watch_event(struct epoll *e, uint64_t data, unsigned events)
{
    struct watch *watch = watch_find(&e->watches, (int)(uint32_t)data);
    unsigned got_on = 0;

    if (!watch || watch->generation != (uint32_t)(data >> 32))
        return; /* the event is about a file that had this number earlier */
    if (events & (EPOLLIN | EPOLLPRI | EPOLLERR | EPOLLHUP))
        got_on += try_list(e, watch, WATCH_READERS, SYSCALL_READY);
    if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
        unsigned wrote = try_list(e, watch, WATCH_WRITERS, SYSCALL_READY);
        if (wrote == 0 && events & EPOLLOUT)
            wrote = put_off_writers(e, watch);
        got_on += wrote;
    }
    got_on += run_pollers(e, watch, events);

    if (watch->lasting) {
        if (got_on > 0 && !has_multishot_poller(watch)) {
            watch->lasting = watch_is_idle(watch); /* true: arm() asks for no more events */
            set_dirty(e, watch);
        }
    } else if (!watch_is_idle(watch)) {
        /* If no request made progress, the condition may persist and would be reported again and
         * again. The edge-triggered registration reports changes only. */
        watch->lasting = got_on == 0;
        set_dirty(e, watch);
    }
}

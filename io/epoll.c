/* SPDX-License-Identifier: MIT */
/* The epoll driver: tries requests, waits for what they need, and has threads do what blocks. */
#include "io/epoll.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/queue.h"
#include "io/syscall.h"
#include "io/watch.h"
#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/base/workers.h"

enum {
    EVENTS_MAX = 256, /* taken by one epoll_wait */
    THREADS_MAX = 8,  /* for files and paths */
    ACCEPTS_MAX = 64, /* by one request before others have their turn */
    UNTRIED_MAX = 16, /* receives in a row that wait before they are tried */
};

/* While tasks stay ready, sockets are looked at this often. */
#define LOOK_NS (50 * WHORL_MICROSECOND)

/* How long a request waits that has nothing to wait for but time; doubled while it fails. */
#define LATER_MIN_NS (WHORL_MILLISECOND / 2)
#define LATER_MAX_NS (16 * WHORL_MILLISECOND)

/* Where a request is; in op->slot. */
enum place {
    PLACE_NONE,
    PLACE_QUEUED,     /* on `queued`, not tried yet */
    PLACE_WATCH,      /* on a list of its descriptor's watch, op->waiter.data */
    PLACE_REGISTERED, /* the same, and that has been registered since it came */
    PLACE_LATER,      /* on `later` */
    PLACE_THREAD,     /* a thread has it or will; op->waiter.data is its job */
    PLACE_ENDED,      /* on `ended`: cancelled, its completion is due */
};

/* A request for a thread. */
struct job {
    struct work work;
    struct job *next, *prev; /* among the driver's jobs; `next` also on its free list */
    struct job *next_done;   /* on `done` */
    struct epoll *driver;
    struct io_op *op;
    int result;
};

struct epoll {
    struct io_driver driver;
    int fd;
    struct watch_table watches;
    struct watch *dirty;        /* to be registered anew before the next sleep */
    struct whorl_waiter queued; /* requests not tried yet, in order */
    struct whorl_waiter later;  /* to be tried again at later_at_ns */
    struct whorl_waiter ended;  /* cancelled, not completed yet */
    struct whorl_waiter mark;   /* in the queue that is being started: what follows came later */
    int64_t later_at_ns, later_delay_ns;
    size_t waiting;    /* requests in watches */
    int64_t looked_ns; /* when epoll_wait returned last */
    bool look_due; /* events may wait: a loop that is not ours saw one, or there were too many */
    bool milliseconds; /* epoll_pwait2 is not to be had (before 5.11) */

    struct workers *workers; /* NULL until a request needs one */
    struct job *jobs, *free_jobs;
    _Atomic(struct job *) done; /* by threads, last first */

    int kick_fd;
    atomic_bool kicked; /* from the write to kick_fd until its event was seen */

    struct epoll_stats stats;
};

/* Events carry a descriptor and the generation of its watch above it; the kick has no such number. */
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

static void complete(struct epoll *e, struct io_op *op, int res)
{
    op->slot = PLACE_NONE;
    e->stats.completed++;
    io_op_complete(op, res, false);
}

/* Completes one that goes on. */
static void complete_once(struct epoll *e, struct io_op *op, int res)
{
    e->stats.completed++;
    io_op_complete(op, res, true);
}

static void set_dirty(struct epoll *e, struct watch *watch)
{
    if (watch->dirty)
        return;
    watch->dirty = true;
    watch->next_dirty = e->dirty;
    e->dirty = watch;
}

/* --- threads ------------------------------------------------------------------------------------ */

static void driver_kick(struct whorl_poller *poller)
{
    struct epoll *e = of_poller(poller);

    if (e->driver.forked)
        return;
    /* Whoever finds it set has put what it brings where the loop looks after it clears it. */
    if (!atomic_exchange_explicit(&e->kicked, true, memory_order_acq_rel)) {
        ssize_t n = write(e->kick_fd, &(uint64_t){1}, sizeof(uint64_t));
        whorl_check(n == sizeof(uint64_t));
    }
}

/* On a thread. The job and its request are the loop's again once it is on `done`. */
static void run_job(struct work *work)
{
    struct job *job = container_of(work, struct job, work);
    struct epoll *e = job->driver;

    job->result = syscall_block(job->op);
    job->next_done = atomic_load_explicit(&e->done, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&e->done, &job->next_done, job,
                                                  memory_order_release, memory_order_relaxed)) {
    }
    driver_kick(&e->driver.poller);
}

static void release_job(struct epoll *e, struct job *job)
{
    if (job->prev)
        job->prev->next = job->next;
    else
        e->jobs = job->next;
    if (job->next)
        job->next->prev = job->prev;
    job->next = e->free_jobs;
    e->free_jobs = job;
}

static int start_job(struct epoll *e, struct io_op *op)
{
    struct job *job = e->free_jobs;

    if (!e->workers && !(e->workers = workers_create("whorl-io", THREADS_MAX)))
        return -ENOMEM;
    if (job)
        e->free_jobs = job->next;
    else if (!(job = malloc(sizeof *job)))
        return -ENOMEM;
    *job = (struct job){.work.run = run_job, .driver = e, .op = op, .next = e->jobs};
    if (e->jobs)
        e->jobs->prev = job;
    e->jobs = job;
    op->waiter.data = job;
    op->slot = PLACE_THREAD;
    int err = workers_add(e->workers, &job->work);
    if (err)
        release_job(e, job);
    return err;
}

static void take_jobs(struct epoll *e)
{
    struct job *done, *oldest = NULL;

    if (!atomic_load_explicit(&e->done, memory_order_relaxed))
        return;
    done = atomic_exchange_explicit(&e->done, NULL, memory_order_acquire);
    while (done) { /* into the order in which they were done */
        struct job *next = done->next_done;
        done->next_done = oldest;
        oldest = done;
        done = next;
    }
    while (oldest) {
        struct job *job = oldest;
        struct io_op *op = job->op;
        int res = job->result;
        oldest = job->next_done;
        release_job(e, job);
        e->stats.threaded++;
        complete(e, op, res);
    }
}

/* --- trying ------------------------------------------------------------------------------------- */

static void put_off(struct epoll *e, struct io_op *op)
{
    if (queue_is_empty(&e->later)) {
        int64_t now = clock_monotonic_ns(), delay_ns = e->later_delay_ns * 2;
        if (delay_ns == 0 || now - e->later_at_ns > LATER_MAX_NS)
            delay_ns = LATER_MIN_NS; /* another story */
        else if (delay_ns > LATER_MAX_NS)
            delay_ns = LATER_MAX_NS;
        e->later_delay_ns = delay_ns;
        e->later_at_ns = now + delay_ns;
    }
    op->slot = PLACE_LATER;
    queue_append(&e->later, &op->waiter);
}

/* A request that stands nowhere has come to `res`, a result or what else syscall_try() answers. */
static void route(struct epoll *e, struct io_op *op, int res)
{
    if (op->cancelling && (res == SYSCALL_LATER || res == SYSCALL_THREAD) &&
        op->code != IO_OP_CLOSE) {
        res = syscall_cancelled(op);
    } else if (res == SYSCALL_LATER) {
        put_off(e, op);
        return;
    } else if (res == SYSCALL_THREAD) {
        res = start_job(e, op);
        if (res == 0)
            return;
        if (op->code == IO_OP_CLOSE) /* no thread to be had: better late than never */
            res = syscall_block(op);
    }
    complete(e, op, res);
}

static void leave_watch(struct epoll *e, struct watch *watch, struct io_op *op)
{
    watch_remove(watch, op);
    e->waiting--;
}

/* Tries the requests of a list in turn until one has to go on waiting. Returns how many got on. */
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
            complete_once(e, op, res);
            if (++accepted < ACCEPTS_MAX)
                continue;
            set_dirty(e, watch);
            break;
        }
        leave_watch(e, watch, op);
        if (op->code == IO_OP_RECV && state == SYSCALL_READY) {
            /* Who takes less than there was room for has emptied the socket: the next one may as
             * well wait at once. Now and then it tries all the same, for more may have come. */
            if (res <= 0 || (uint32_t)res >= op->len)
                watch->untried = 0;
            else if (watch->untried == 0)
                watch->untried = UNTRIED_MAX;
        }
        route(e, op, res);
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
            complete_once(e, op, (int)seen);
        } else {
            leave_watch(e, watch, op);
            complete(e, op, (int)seen);
        }
    }
    return got_on;
}

/* Whether a receive had better wait before it is tried. */
static bool is_untried(struct watch *watch, const struct io_op *op)
{
    if (watch->untried == 0 || op->code != IO_OP_RECV || op->flags & MSG_DONTWAIT ||
        op->cancelling || !watch->registered)
        return false;
    watch->untried--;
    return true;
}

/* A request on a descriptor: behind those that wait for the same, or tried at once. */
static void start_waiting(struct epoll *e, struct io_op *op)
{
    struct watch *watch = watch_find(&e->watches, op->fd);

    if (!watch) {
        complete(e, op, -EBADF);
        return;
    }
    enum watch_list list = watch_list_of(op);
    bool first = !watch->first[list];
    op->slot = PLACE_WATCH;
    op->waiter.data = watch;
    watch_append(watch, op);
    e->waiting++;
    if (list == WATCH_POLLERS && op->cancelling) {
        int res = syscall_try(op, SYSCALL_FIRST);
        leave_watch(e, watch, op);
        complete(e, op, res == SYSCALL_WAIT ? -ECANCELED : res);
        return;
    }
    if (list != WATCH_POLLERS && first && !is_untried(watch, op))
        try_list(e, watch, list, watch->registered ? SYSCALL_POLLABLE : SYSCALL_FIRST);
    if (watch->last[list] != &op->waiter)
        return;
    if (op->cancelling) {
        leave_watch(e, watch, op);
        complete(e, op, syscall_cancelled(op));
        return;
    }
    if (op->code == IO_OP_POLL && op->multishot)
        watch->lasting = true;
    set_dirty(e, watch);
}

/* The requests that wait for a descriptor number that is about to mean nothing. */
static void end_watch(struct epoll *e, struct watch *watch, int err, bool registered_only)
{
    for (enum watch_list list = 0; list < WATCH_LISTS; list++) {
        struct io_op *op;
        while ((op = watch_first(watch, list)) &&
               (!registered_only || op->slot == PLACE_REGISTERED)) {
            leave_watch(e, watch, op);
            complete(e, op, syscall_cancelled(op) >= 0 ? syscall_cancelled(op) : err);
        }
    }
}

static void start_closing(struct epoll *e, struct io_op *op)
{
    struct watch *watch = watch_find(&e->watches, op->fd);

    if (watch && !watch_is_idle(watch)) {
        /* Another descriptor may keep the file, and so the registration. */
        if (watch->registered)
            epoll_ctl(e->fd, EPOLL_CTL_DEL, op->fd, NULL);
        end_watch(e, watch, -EBADF, false);
    }
    if (watch) {
        watch->registered = watch->lasting = false;
        watch->generation++;
    }
    route(e, op, syscall_try(op, SYSCALL_FIRST));
}

static void start(struct epoll *e, struct io_op *op)
{
    if (op->code == IO_OP_CLOSE)
        start_closing(e, op);
    else if (syscall_is_direct(op))
        route(e, op, syscall_try(op, SYSCALL_FIRST));
    else
        start_waiting(e, op);
}

/* Starts what stood in a queue when it was called, not what comes meanwhile. */
static void start_all(struct epoll *e, struct whorl_waiter *queue)
{
    struct whorl_waiter *waiter;

    queue_append(queue, &e->mark);
    while ((waiter = queue_take(queue)) != &e->mark)
        start(e, (struct io_op *)waiter);
}

/* --- registering -------------------------------------------------------------------------------- */

/* The descriptor cannot be waited for. Such files are always ready, says poll(2), and yet block. */
static void run_unpollable(struct epoll *e, struct watch *watch)
{
    struct io_op *op;

    for (enum watch_list list = WATCH_READERS; list <= WATCH_WRITERS; list++)
        while ((op = watch_first(watch, list))) {
            leave_watch(e, watch, op);
            route(e, op, SYSCALL_THREAD);
        }
    for (watch->cursor = watch->first[WATCH_POLLERS]; watch->cursor;) {
        op = (struct io_op *)watch->cursor;
        watch->cursor = op->waiter.next;
        int res = syscall_try(op, SYSCALL_FIRST);
        if (res == SYSCALL_WAIT)
            continue; /* for ever */
        leave_watch(e, watch, op);
        complete(e, op, res);
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
                break; /* and so are those before it */
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
        if (err == ENOENT) { /* closed, and the number means another file now */
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

static void arm_dirty(struct epoll *e)
{
    struct watch *watch;

    while ((watch = e->dirty)) {
        e->dirty = watch->next_dirty;
        watch->dirty = false;
        arm(e, watch);
    }
}

/* --- events ------------------------------------------------------------------------------------- */

/* A writer is told that there is room and finds none: Unix datagrams, whose receiver is full. */
static unsigned put_off_writers(struct epoll *e, struct watch *watch)
{
    struct io_op *op = watch_first(watch, WATCH_WRITERS);

    if (!op)
        return 0;
    leave_watch(e, watch, op);
    route(e, op, SYSCALL_LATER);
    return 1;
}

static void on_event(struct epoll *e, uint64_t data, unsigned events)
{
    struct watch *watch = watch_find(&e->watches, (int)(uint32_t)data);
    unsigned got_on = 0;

    if (!watch || watch->generation != (uint32_t)(data >> 32))
        return; /* about a file whose number means something else now */
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
            watch->lasting = watch_is_idle(watch); /* then arm() will silence it */
            set_dirty(e, watch);
        }
    } else if (!watch_is_idle(watch)) {
        /* An event that helps nobody, perhaps one that stays: hear of changes only. */
        watch->lasting = got_on == 0;
        set_dirty(e, watch);
    }
}

static void on_kick(struct epoll *e)
{
    /* The counter is never read: each write to it is an event of its own. */
    e->stats.kicks++;
    atomic_exchange_explicit(&e->kicked, false, memory_order_acq_rel);
}

/* --- the turn ----------------------------------------------------------------------------------- */

static void complete_ended(struct epoll *e)
{
    struct whorl_waiter *waiter;

    while ((waiter = queue_take(&e->ended))) {
        struct io_op *op = (struct io_op *)waiter;
        complete(e, op, syscall_cancelled(op));
    }
}

/* How long wait() may sleep: 0 not at all, negative for ever. */
static int64_t time_left(const struct epoll *e, int64_t deadline_ns)
{
    if (deadline_ns <= 0)
        return 0;
    if (!queue_is_empty(&e->later) && e->later_at_ns < deadline_ns)
        deadline_ns = e->later_at_ns;
    if (deadline_ns == WHORL_FOREVER)
        return -1;
    int64_t left_ns = deadline_ns - clock_monotonic_ns();
    return left_ns > 0 ? left_ns : 0;
}

/* epoll_wait for `left_ns`, rounded up where the kernel counts milliseconds. */
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

    if (e->driver.forked)
        return WHORL_ENOIO;
    complete_ended(e);
    if (!queue_is_empty(&e->later) && clock_monotonic_ns() >= e->later_at_ns)
        start_all(e, &e->later);
    start_all(e, &e->queued);
    arm_dirty(e);
    if (e->stats.completed != completed || !queue_is_empty(&e->queued) ||
        !queue_is_empty(&e->ended))
        deadline_ns = 0;
    int64_t left_ns = time_left(e, deadline_ns);
    if (left_ns == 0 && !e->look_due && !atomic_load_explicit(&e->kicked, memory_order_relaxed) &&
        (e->waiting == 0 || clock_monotonic_ns() - e->looked_ns < LOOK_NS)) {
        take_jobs(e);
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
            on_event(e, events[i].data.u64, events[i].events);
    }
    take_jobs(e);
    return 0;
}

static bool driver_has_work(struct whorl_poller *poller)
{
    struct epoll *e = of_poller(poller);

    return e->driver.forked || !queue_is_empty(&e->queued) || !queue_is_empty(&e->ended) ||
           e->dirty || e->look_due || atomic_load_explicit(&e->kicked, memory_order_relaxed) ||
           ((e->waiting > 0 || !queue_is_empty(&e->later)) &&
            clock_monotonic_ns() - e->looked_ns >= LOOK_NS);
}

static size_t driver_pending(struct whorl_poller *poller)
{
    struct epoll *e = of_poller(poller);
    bool kicked = atomic_load_explicit(&e->kicked, memory_order_relaxed);

    return e->driver.in_flight - e->driver.background + kicked;
}

/* --- requests ----------------------------------------------------------------------------------- */

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
    struct watch *watch;
    struct job *job;

    switch (op->slot) {
    case PLACE_WATCH:
    case PLACE_REGISTERED:
        watch = op->waiter.data;
        leave_watch(e, watch, op);
        if (watch->lasting)
            set_dirty(e, watch);
        break;
    case PLACE_LATER:
        queue_remove(&op->waiter);
        break;
    case PLACE_THREAD:
        job = op->waiter.data;
        if (op->code == IO_OP_CLOSE || !workers_withdraw(e->workers, &job->work))
            return;
        release_job(e, job);
        break;
    default:
        return; /* not tried yet: start() sees that it is cancelled */
    }
    op->slot = PLACE_ENDED;
    queue_append(&e->ended, &op->waiter);
}

static void driver_cancel_all(struct io_driver *driver)
{
    struct epoll *e = of_driver(driver);
    struct io_op *op;

    for (struct whorl_waiter *w = e->queued.next; w != &e->queued; w = w->next)
        io_op_cancel((struct io_op *)w);
    while (!queue_is_empty(&e->later))
        io_op_cancel((struct io_op *)e->later.next);
    for (struct job *next, *job = e->jobs; job; job = next) {
        next = job->next;
        io_op_cancel(job->op);
    }
    for (unsigned i = 0; i < e->watches.chunk_count * WATCH_CHUNK; i++) {
        struct watch *watch = watch_find(&e->watches, (int)i);
        for (enum watch_list list = 0; watch && list < WATCH_LISTS; list++)
            while ((op = watch_first(watch, list)))
                io_op_cancel(op);
    }
}

/* --- set-up and end ----------------------------------------------------------------------------- */

static void driver_destroy(struct io_driver *driver)
{
    struct epoll *e = of_driver(driver);
    struct job *job;

    whorl_check(driver->forked || driver->in_flight == 0);
    if (driver->forked)
        workers_abandon(e->workers);
    else
        workers_destroy(e->workers);
    while ((job = e->jobs))
        release_job(e, job);
    while ((job = e->free_jobs)) {
        e->free_jobs = job->next;
        free(job);
    }
    watch_table_finish(&e->watches);
    close(e->kick_fd);
    close(e->fd);
    free(e);
}

/* An epoll is readable while events wait in it. */
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
    return queue_is_empty(&e->later) ? WHORL_FOREVER : e->later_at_ns;
}

static const struct whorl_poller_ops poller_ops = {
    .name = "epoll",
    .now = driver_now,
    .wait = driver_wait,
    .has_work = driver_has_work,
    .kick = driver_kick,
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
    e->driver.poller.ops = &poller_ops;
    e->driver.ops = &driver_ops;
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

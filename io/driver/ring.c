/* SPDX-License-Identifier: MIT */
/* The io_uring driver: queues requests, enters the kernel once per turn, dispatches completions. */
#include "io/driver/ring.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <liburing.h>

#include "io/driver/queue.h"
#include "io/driver/ring_buffers.h"
#include "io/driver/ring_kick.h"
#include "io/driver/ring_setup.h"
#include "io/driver/ring_sqe.h"
#include "io/driver/ring_stage.h"
#include "io/driver/slots.h"
#include "io/driver/syscall.h"
#include "io/driver/threads.h"
#include "io/driver/users.h"
#include "runtime/base/backoff.h"
#include "runtime/base/check.h"

/* The headers of Linux 6.1 do not define these. */
#ifndef IORING_FEAT_NO_IOWAIT
#define IORING_FEAT_NO_IOWAIT  (1U << 17) /* 6.15 */
#define IORING_ENTER_NO_IOWAIT (1U << 7)
#endif

/* The user_data of a request is its name (slots.h). The user_data of its cancel is the same name
 * with CANCEL_BIT set. */
#define CANCEL_BIT ((uint64_t)1 << 31)
#define DATA_KICK  ((uint64_t)1 << 32) /* slot number 0, which no request has */

struct ring {
    struct io_driver driver;
    struct io_uring uring;
    int enter_fd;         /* the ring's descriptor, or its index when it could be registered */
    unsigned enter_flags; /* for every io_uring_enter */
    bool cqe_skip;        /* successful cancels produce no CQE */

    struct slots slots; /* the requests in flight */
    struct users users; /* how many of them each descriptor has, and more */

    struct threads threads;  /* for the kinds of request that the kernel has no opcode for */
    uint64_t without_opcode; /* a bit for each of them, 1 << enum io_op_code */

    /* Requests that wait for the next turn, oldest first: no SQE was free, no thread could be
     * started, or they were withdrawn from a thread. */
    struct whorl_waiter backlog;
    struct whorl_waiter cancels; /* requests in flight for whose cancel no SQE was free */
    /* Requests that a cancel did not end. -EALREADY: a worker thread of the kernel executes the
     * request; the worker was sent a signal, but it may have consumed the signal before it began to
     * wait. -ENOENT: the request was moving from one place in the kernel to another. These requests
     * are cancelled again from time to time. */
    struct whorl_waiter stubborn;
    struct backoff recancel;
    struct whorl_waiter later; /* requests to be submitted again at retry.at_ns */
    struct backoff retry;
    int64_t shortage_pause_ns; /* before submitting again after a shortage; 0: there is none */

    struct ring_buffers *buffers; /* for multishot receives; NULL: not used yet */

    int event_fd; /* signals completions to a host's loop; -1: not created */
    struct ring_kick kick;

    struct ring_stats stats;
};

static struct ring *of_poller(struct whorl_poller *poller)
{
    return (struct ring *)poller;
}

static struct ring *of_driver(struct io_driver *driver)
{
    return (struct ring *)driver;
}

static int64_t ring_now(struct whorl_poller *poller)
{
    struct timespec ts;

    (void)poller;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * WHORL_SECOND + ts.tv_nsec;
}

/* --- entering the kernel ---------------------------------------------------------------------- */

TOUCHES_RING static unsigned unsubmitted(const struct ring *ring)
{
    return ring->uring.sq.sqe_tail - IO_URING_READ_ONCE(*ring->uring.sq.khead);
}

TOUCHES_RING static bool has_completions(const struct ring *ring)
{
    return io_uring_smp_load_acquire(ring->uring.cq.ktail) != *ring->uring.cq.khead;
}

/* Whether the kernel has completions that it delivers only when it is entered. */
TOUCHES_RING static bool holds_completions(const struct ring *ring)
{
    return IO_URING_READ_ONCE(*ring->uring.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

/* Submits the first `n` SQEs. With IORING_ENTER_GETEVENTS, also waits for `min_complete`
 * completions, at most `timeout_ns` (negative: without limit). Returns how many SQEs the kernel
 * accepted, or -errno. */
TOUCHES_RING static int enter(struct ring *ring, unsigned n, unsigned min_complete, unsigned flags,
                              int64_t timeout_ns)
{
    struct io_uring_sq *sq = &ring->uring.sq;
    struct __kernel_timespec ts;
    struct io_uring_getevents_arg arg = {0};
    int taken;

    if (min_complete > 0 && timeout_ns >= 0) {
        ts.tv_sec = timeout_ns / WHORL_SECOND;
        ts.tv_nsec = timeout_ns % WHORL_SECOND;
        arg.ts = (uint64_t)(uintptr_t)&ts;
    }
    sq->sqe_head = sq->sqe_tail;
    io_uring_smp_store_release(sq->ktail, sq->sqe_tail);
    ring->stats.enters++;
    taken = io_uring_enter2((unsigned)ring->enter_fd, n, min_complete, ring->enter_flags | flags,
                            (void *)&arg, sizeof arg);
    if (taken > 0) {
        ring->stats.submitted += (unsigned)taken;
        ring->shortage_pause_ns = 0;
    }
    return taken;
}

/* Reports an error that must not happen and aborts. Unwinding is impossible: the kernel still uses
 * memory on the stacks of tasks. */
__attribute__((noreturn, cold)) static void give_up(int err)
{
    const char *why = "";

    if (err == -EBADR)
        why = " (the kernel ran out of memory and lost completions)";
    else if (err == -EEXIST)
        why = " (only the thread that started a run may use it)";
    fprintf(stderr, "whorl: io_uring_enter: %s%s\n", whorl_strerror(err), why);
    abort();
}

/* Whether an error of enter() goes away when completions are reaped and time passes. */
static bool is_shortage(int err)
{
    return err == -EAGAIN || err == -EBUSY || err == -ENOMEM;
}

/* Returns a free SQE, or NULL when the queue is full and the kernel accepts no SQE now. */
static struct io_uring_sqe *get_sqe(struct ring *ring)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

    if (__builtin_expect(sqe != NULL, 1))
        return sqe;
    if (ring->shortage_pause_ns == 0) {
        int taken = enter(ring, unsubmitted(ring), 0, 0, -1);
        if (taken < 0 && taken != -EINTR && !is_shortage(taken))
            give_up(taken);
    }
    return io_uring_get_sqe(&ring->uring);
}

/* --- requests --------------------------------------------------------------------------------- */

/* Releases the slot of a request that has ended and removes the request from its queue, if any. */
static void forget(struct ring *ring, struct io_op *op)
{
    slots_release(&ring->slots, op);
    users_remove(&ring->users, op);
    if (queue_is_linked(&op->waiter))
        queue_remove(&op->waiter);
}

static bool has_opcode(const struct ring *ring, const struct io_op *op)
{
    return !(ring->without_opcode >> op->code & 1);
}

/* Has a thread carry out what the kernel cannot. When no thread can be started either, this one
 * does it, if that does not take long. Returns true when the request has completed. */
static bool run_without_kernel(struct ring *ring, struct io_op *op)
{
    int res = threads_start(&ring->threads, op);

    if (res == 0)
        return false;
    res = syscall_instead(op, res);
    forget(ring, op);
    io_op_complete(op, res, false);
    return true;
}

#define RETRY_MIN_NS (WHORL_MILLISECOND / 2)
#define RETRY_MAX_NS (16 * WHORL_MILLISECOND)

/* Puts the request into `later`, to be submitted again after a pause. No event reports when it can
 * succeed. */
static void put_off(struct ring *ring, struct io_op *op)
{
    if (queue_is_empty(&ring->later))
        backoff_next(&ring->retry, ring_now(&ring->driver.poller), RETRY_MIN_NS, RETRY_MAX_NS);
    op->stage = STAGE_LATER;
    queue_append(&ring->later, &op->waiter);
}

/* Moves a request from `later` to the backlog. */
static void resume(struct ring *ring, struct io_op *op)
{
    queue_remove(&op->waiter);
    ring_stage_resume(op);
    queue_append(&ring->backlog, &op->waiter);
}

static void resume_all(struct ring *ring)
{
    if (ring_now(&ring->driver.poller) < ring->retry.at_ns)
        return;
    while (!queue_is_empty(&ring->later))
        resume(ring, (struct io_op *)ring->later.next);
}

static bool end_waits(struct ring *ring, int fd);

static int ring_submit(struct io_driver *driver, struct io_op *op)
{
    struct ring *ring = of_driver(driver);
    struct io_uring_sqe *sqe;
    bool held = false;

    int err = users_add(&ring->users, op);
    if (err)
        return err;
    if (__builtin_expect(users_must_look(&ring->users, op), 0))
        err = users_look(&ring->users, op);
    if (err == 0)
        err = slots_acquire(&ring->slots, op);
    if (err) {
        users_remove(&ring->users, op);
        return err;
    }
    op->done = 0;
    if (op->code == IO_OP_CLOSE && users_close(&ring->users, op))
        held = end_waits(ring, op->fd);
    if (held) {
        put_off(ring, op);
        return 0;
    }
    if (__builtin_expect(!has_opcode(ring, op), 0)) {
        if (threads_start(&ring->threads, op) < 0)
            queue_append(&ring->backlog, &op->waiter);
        return 0;
    }
    if (queue_is_empty(&ring->backlog) && (sqe = get_sqe(ring)))
        ring_sqe_fill(sqe, op, slots_name(&ring->slots, op));
    else
        queue_append(&ring->backlog, &op->waiter);
    return 0;
}

TOUCHES_RING static void fill_cancel(struct ring *ring, struct io_uring_sqe *sqe,
                                     const struct io_op *op)
{
    *sqe = (struct io_uring_sqe){
        .opcode = IORING_OP_ASYNC_CANCEL,
        .fd = -1,
        .addr = slots_name(&ring->slots, op),
        .user_data = slots_name(&ring->slots, op) | CANCEL_BIT,
        .flags = ring->cqe_skip ? IOSQE_CQE_SKIP_SUCCESS : 0,
    };
}

/* Has the kernel end the SQE of a request. */
static void cancel_sqe(struct ring *ring, struct io_op *op)
{
    struct io_uring_sqe *sqe;

    if (queue_is_empty(&ring->cancels) && (sqe = get_sqe(ring)))
        fill_cancel(ring, sqe, op);
    else
        queue_append(&ring->cancels, &op->waiter);
}

/* Ends a request whose `cancelling` or `closed` is set. */
static void end_request(struct ring *ring, struct io_op *op)
{
    if (op->stage == STAGE_LATER)
        resume(ring, op);
    if (queue_is_linked(&op->waiter))
        return; /* in the backlog: drain_backlog() completes it; or its SQE is being cancelled */
    if (!threads_have(op))
        cancel_sqe(ring, op);
    else if (threads_withdraw(&ring->threads, op))
        queue_append(&ring->backlog, &op->waiter); /* for drain_backlog() to complete it */
}

static void ring_cancel(struct io_driver *driver, struct io_op *op)
{
    end_request(of_driver(driver), op);
}

/* Ends the requests that wait for a descriptor which is about to be closed. Returns whether the
 * close must be delayed: for a request that does not wait for an event, a thread of ours or of the
 * kernel may still look up the number. */
static bool end_waits(struct ring *ring, int fd)
{
    bool held = false;

    for (uint32_t i = 1; i < ring->slots.len; i++) {
        struct io_op *op = ring->slots.table[i].taken ? ring->slots.table[i].op : NULL;
        if (!op || op->fd != fd || !syscall_is_on_file(op))
            continue;
        if (!syscall_is_direct(op) && !op->closed && !op->cancelling) {
            op->closed = true;
            end_request(ring, op);
        }
        held |= syscall_is_direct(op) || threads_have(op);
    }
    return held;
}

/* The result of a request that was ended. */
static int ended(const struct io_op *op)
{
    int res = syscall_cancelled(op);

    return res == -ECANCELED && op->closed && !op->cancelling ? -EBADF : res;
}

static void ring_cancel_all(struct io_driver *driver)
{
    struct ring *ring = of_driver(driver);

    for (uint32_t i = 1; i < ring->slots.len; i++)
        if (ring->slots.table[i].taken)
            io_op_cancel(ring->slots.table[i].op);
}

/* --- being woken from other threads ----------------------------------------------------------- */

static void kick(struct whorl_poller *poller)
{
    struct ring *ring = of_poller(poller);

    if (!io_driver_is_copy(&ring->driver))
        ring_kick_send(&ring->kick);
}

static void arm_kick(struct ring *ring)
{
    struct io_uring_sqe *sqe = get_sqe(ring);

    if (sqe) /* else the next wait() tries again */
        ring_kick_arm(&ring->kick, sqe, DATA_KICK);
}

/* --- cancelling again ------------------------------------------------------------------------- */

#define RECANCEL_MIN_NS WHORL_MILLISECOND
#define RECANCEL_MAX_NS (100 * WHORL_MILLISECOND)

static void recancel_later(struct ring *ring, struct io_op *op)
{
    if (queue_is_linked(&op->waiter))
        return;
    if (queue_is_empty(&ring->stubborn))
        backoff_next(&ring->recancel, ring_now(&ring->driver.poller), RECANCEL_MIN_NS,
                     RECANCEL_MAX_NS);
    queue_append(&ring->stubborn, &op->waiter);
}

static void recancel(struct ring *ring)
{
    struct whorl_waiter *waiter;

    if (ring_now(&ring->driver.poller) >= ring->recancel.at_ns)
        while ((waiter = queue_take(&ring->stubborn)))
            queue_append(&ring->cancels, waiter);
}

/* --- the turn --------------------------------------------------------------------------------- */

/* Completes the requests that threads have carried out. Returns how many. */
static unsigned reap_threads(struct ring *ring)
{
    struct io_op *op;
    unsigned n = 0;
    int res;

    for (; (op = threads_take_done(&ring->threads, &res)); n++) {
        forget(ring, op);
        io_op_complete(op, res, false);
    }
    ring->stats.threaded += n;
    return n;
}

/* The kernel has cancelled the request unasked, because it could not start a worker thread. */
static void on_no_worker(struct ring *ring, struct io_op *op)
{
    if (syscall_is_for_threads(op)) {
        run_without_kernel(ring, op);
        return;
    }
    forget(ring, op);
    io_op_complete(op, syscall_cancels_itself(op) ? -ECANCELED : -EAGAIN, false);
}

/* Takes the next step of a request that may take several SQEs. Returns false when the request is
 * complete; then `*res` is its result. */
static bool goes_on(struct ring *ring, struct io_op *op, int *res, bool more)
{
    enum ring_step step = ring_stage_next(op, res, more);

    if (step == STEP_COMPLETE || step == STEP_WAIT)
        return step == STEP_WAIT;
    if (step == STEP_CANCEL) {
        if (!op->cancelling && !op->closed) /* else it is being cancelled already */
            cancel_sqe(ring, op);
        return true;
    }
    if (op->cancelling || op->closed) {
        *res = ended(op);
        return false;
    }
    if (step == STEP_PAUSE)
        put_off(ring, op);
    else
        queue_append(&ring->backlog, &op->waiter);
    return true;
}

/* The result of a request whose descriptor was closed. If the request completed before the cancel
 * reached it, its own result is kept. The exception is a connect: a worker thread of the kernel may
 * have connected the socket after the close, and the caller has no descriptor for it. */
static int result_of_closed(const struct io_op *op, int res)
{
    bool stopped = res == -ECANCELED || res == -EINTR || res == -EAGAIN ||
                   (res == 0 && op->code == IO_OP_CONNECT);

    return stopped && !op->cancelling ? -EBADF : res;
}

/* Reaps the completions that are available. Returns how many. */
TOUCHES_RING static unsigned reap(struct ring *ring)
{
    struct io_uring_cq *cq = &ring->uring.cq;
    unsigned head = *cq->khead, tail = io_uring_smp_load_acquire(cq->ktail);
    unsigned n = tail - head;

    for (; head != tail; head++) {
        /* Copy the CQE and release it first: the functions called below may enter the kernel. */
        const struct io_uring_cqe *cqe = &cq->cqes[head & cq->ring_mask];
        uint64_t data = cqe->user_data;
        int res = cqe->res;
        unsigned flags = cqe->flags;
        bool more = flags & IORING_CQE_F_MORE;
        io_uring_smp_store_release(cq->khead, head + 1);

        if (data == DATA_KICK) {
            ring->stats.kicks++;
            ring_kick_complete(&ring->kick, res, more);
            continue;
        }
        struct io_op *op = slots_find(&ring->slots, data & ~CANCEL_BIT);
        if (!op)
            continue; /* the cancel of a request that has ended */
        if (data & CANCEL_BIT) {
            if (res < 0)
                recancel_later(ring, op); /* if it completes first, forget() removes it again */
            continue;
        }
        if (ring_stage_matters(op, res) && goes_on(ring, op, &res, more))
            continue;
        if (__builtin_expect(op->closed, 0))
            res = result_of_closed(op, res);
        if (res == -ECANCELED && !more && !op->cancelling && !op->multishot) {
            on_no_worker(ring, op);
            continue;
        }
        op->buffer = flags & IORING_CQE_F_BUFFER ? (int)(flags >> IORING_CQE_BUFFER_SHIFT) : -1;
        if (!more)
            forget(ring, op);
        io_op_complete(op, res, more);
    }
    /* This must follow the kick, which reports that a thread is done. */
    n += reap_threads(ring);
    ring->stats.completed += n;
    return n;
}

/* Fills in SQEs for the requests and cancels that had to wait for one. Returns whether it completed
 * a cancelled request. */
static bool drain_backlog(struct ring *ring)
{
    struct io_uring_sqe *sqe;
    bool completed = false;

    if (!ring->kick.is_armed)
        arm_kick(ring);
    while (!queue_is_empty(&ring->backlog)) {
        struct io_op *op = (struct io_op *)ring->backlog.next;
        if (op->cancelling || op->closed) { /* the kernel does not have it */
            int res = ended(op);
            forget(ring, op);
            io_op_complete(op, res, false);
            completed = true;
            continue;
        }
        if (op->code == IO_OP_CLOSE && op->counted && end_waits(ring, op->fd)) {
            queue_remove(&op->waiter);
            put_off(ring, op);
            continue;
        }
        if (!has_opcode(ring, op)) {
            queue_remove(&op->waiter);
            completed |= run_without_kernel(ring, op);
            continue;
        }
        if (!(sqe = get_sqe(ring)))
            return completed;
        queue_remove(&op->waiter);
        ring_sqe_fill(sqe, op, slots_name(&ring->slots, op));
    }
    while (!queue_is_empty(&ring->cancels)) {
        if (!(sqe = get_sqe(ring)))
            break;
        fill_cancel(ring, sqe, (struct io_op *)queue_take(&ring->cancels));
    }
    return completed;
}

static bool has_backlog(const struct ring *ring)
{
    return !queue_is_empty(&ring->backlog) || !queue_is_empty(&ring->cancels) ||
           !ring->kick.is_armed;
}

/* Returns how long wait() may sleep. 0: not at all; negative: without limit. */
static int64_t time_left(struct ring *ring, int64_t deadline_ns)
{
    if (deadline_ns <= 0)
        return 0;
    if (!queue_is_empty(&ring->stubborn) && ring->recancel.at_ns < deadline_ns)
        deadline_ns = ring->recancel.at_ns;
    if (!queue_is_empty(&ring->later) && ring->retry.at_ns < deadline_ns)
        deadline_ns = ring->retry.at_ns;
    if (deadline_ns == WHORL_FOREVER)
        return -1;
    int64_t left_ns = deadline_ns - ring_now(&ring->driver.poller);
    return left_ns > 0 ? left_ns : 0;
}

#define SHORTAGE_MIN_NS WHORL_MILLISECOND
#define SHORTAGE_MAX_NS (64 * WHORL_MILLISECOND)

/* The kernel is short of memory: submits nothing for a while, but still reaps completions. */
static int wait_out_shortage(struct ring *ring, int64_t left_ns)
{
    int64_t pause_ns = backoff_longer(ring->shortage_pause_ns, SHORTAGE_MIN_NS, SHORTAGE_MAX_NS);

    ring->shortage_pause_ns = pause_ns;
    if (reap(ring) > 0)
        return 0;
    if (left_ns >= 0 && left_ns < pause_ns)
        pause_ns = left_ns;
    int err = enter(ring, 0, pause_ns > 0, IORING_ENTER_GETEVENTS, pause_ns);
    if (err < 0 && err != -ETIME && err != -EINTR && !is_shortage(err))
        give_up(err);
    reap(ring);
    return 0;
}

static int ring_wait(struct whorl_poller *poller, int64_t deadline_ns)
{
    struct ring *ring = of_poller(poller);
    int64_t left_ns;
    unsigned n;

    if (io_driver_is_copy(&ring->driver))
        return io_driver_wait_copy(&ring->driver, deadline_ns);
    if (__builtin_expect(!queue_is_empty(&ring->stubborn), 0))
        recancel(ring);
    if (__builtin_expect(!queue_is_empty(&ring->later), 0))
        resume_all(ring);
    if (__builtin_expect(has_backlog(ring), 0) && drain_backlog(ring))
        deadline_ns = 0;
    n = unsubmitted(ring);
    if (has_completions(ring))
        deadline_ns = 0;
    left_ns = time_left(ring, deadline_ns);
    if (left_ns == 0 && n == 0 && !holds_completions(ring)) {
        reap(ring);
        return 0;
    }
    int taken = enter(ring, n, left_ns != 0, IORING_ENTER_GETEVENTS, left_ns);
    if (taken < 0 && is_shortage(taken))
        return wait_out_shortage(ring, left_ns);
    if (taken < 0 && taken != -EINTR && taken != -ETIME)
        give_up(taken);
    reap(ring);
    return 0;
}

static bool ring_has_work(struct whorl_poller *poller)
{
    struct ring *ring = of_poller(poller);

    if (io_driver_is_copy(&ring->driver)) /* which does not have the ring's mapping */
        return !queue_is_empty(&ring->driver.cancelled);
    return unsubmitted(ring) > 0 || has_completions(ring) || holds_completions(ring) ||
           has_backlog(ring) || !queue_is_empty(&ring->stubborn) || !queue_is_empty(&ring->later);
}

static size_t ring_pending(struct whorl_poller *poller)
{
    struct ring *ring = of_poller(poller);

    return ring->driver.in_flight - ring->driver.background + ring_kick_is_pending(&ring->kick);
}

/* --- set-up and end --------------------------------------------------------------------------- */

static void ring_destroy(struct io_driver *driver)
{
    struct ring *ring = of_driver(driver);
    bool copy = io_driver_is_copy(driver);

    whorl_check(copy || driver->in_flight == 0);
    threads_finish(&ring->threads);
    if (copy)
        close(ring->uring.ring_fd); /* a forked child does not have the mappings */
    else
        io_uring_queue_exit(&ring->uring);
    ring_buffers_destroy(ring->buffers, copy);
    ring_kick_close(&ring->kick);
    if (ring->event_fd >= 0)
        close(ring->event_fd);
    slots_finish(&ring->slots);
    users_finish(&ring->users);
    free(ring);
}

/* The ring's own descriptor cannot be used: with DEFER_TASKRUN it does not become readable for
 * completions that the kernel delivers only when it is entered. A registered eventfd is signalled
 * for those too (6.1). */
static int ring_event_fd(struct io_driver *driver)
{
    struct ring *ring = of_driver(driver);
    uint64_t count;

    if (ring->event_fd >= 0) {
        if (read(ring->event_fd, &count, sizeof count) < 0)
            whorl_check(errno == EAGAIN || errno == EINTR);
        return ring->event_fd;
    }
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    int err = io_uring_register_eventfd(&ring->uring, fd);
    if (err) {
        close(fd);
        return err;
    }
    return ring->event_fd = fd;
}

static int64_t ring_recheck_ns(const struct io_driver *driver)
{
    const struct ring *ring = (const struct ring *)driver;

    if (unsubmitted(ring) > 0 || has_backlog(ring) || has_completions(ring))
        return 0;
    int64_t at_ns = queue_is_empty(&ring->stubborn) ? WHORL_FOREVER : ring->recancel.at_ns;
    if (!queue_is_empty(&ring->later) && ring->retry.at_ns < at_ns)
        at_ns = ring->retry.at_ns;
    return at_ns;
}

/* With DEFER_TASKRUN (6.1), and only with it, the kernel receives bytes only while the ring is
 * entered. So after a turn, all bytes are either still in the socket or in their receiver, and
 * never in a completion that was not reaped yet. whorl_stream_is_idle() depends on this. */
static struct ring_buffers *ring_get_buffers(struct io_driver *driver)
{
    struct ring *ring = of_driver(driver);

    if (!ring->buffers && ring->uring.flags & IORING_SETUP_DEFER_TASKRUN)
        ring->buffers = ring_buffers_create(&ring->uring);
    return ring->buffers;
}

TOUCHES_RING static bool ring_is_quiet(const struct io_driver *driver)
{
    const struct ring *ring = (const struct ring *)driver;

    return !has_completions(ring) && !holds_completions(ring);
}

static const struct whorl_poller_ops poller_ops = {
    .name = "io_uring",
    .now = ring_now,
    .wait = ring_wait,
    .has_work = ring_has_work,
    .kick = kick,
    .pending = ring_pending,
};

static const struct io_driver_ops driver_ops = {
    .name = "io_uring",
    .submit = ring_submit,
    .cancel = ring_cancel,
    .cancel_all = ring_cancel_all,
    .destroy = ring_destroy,
    .event_fd = ring_event_fd,
    .recheck_ns = ring_recheck_ns,
    .buffers = ring_get_buffers,
    .is_quiet = ring_is_quiet,
};

int ring_create(unsigned entries, struct whorl_error *error, struct io_driver **ret)
{
    struct ring *ring = calloc(1, sizeof *ring);
    unsigned features;
    int err;

    if (!ring)
        return whorl_error_set(error, -ENOMEM, "io_uring", "out of memory");
    err = ring_setup(&ring->uring, entries, error, &features);
    if (err)
        goto err_ring;
    ring->event_fd = -1;
    err = ring_kick_open(&ring->kick);
    if (err) {
        whorl_error_set(error, err, "io_uring", "eventfd: %s", whorl_strerror(err));
        goto err_uring;
    }
    err = slots_grow(&ring->slots);
    if (err == 0)
        err = io_uring_ring_dontfork(&ring->uring);
    if (err) {
        whorl_error_set(error, err, "io_uring", "setting up the ring: %s", whorl_strerror(err));
        goto err_kick;
    }
    /* The rest is optional: older kernels lack it. */
    ring->enter_flags = IORING_ENTER_EXT_ARG;
    if (io_uring_register_ring_fd(&ring->uring) == 1) /* 5.18 */
        ring->enter_flags |= IORING_ENTER_REGISTERED_RING;
    ring->enter_fd = ring->uring.enter_ring_fd;
    if (features & IORING_FEAT_NO_IOWAIT)
        ring->enter_flags |= IORING_ENTER_NO_IOWAIT;
    ring->cqe_skip = features & IORING_FEAT_CQE_SKIP;
    ring->without_opcode = ring_sqe_without_opcode(&ring->uring);

    queue_init(&ring->backlog);
    queue_init(&ring->cancels);
    queue_init(&ring->stubborn);
    queue_init(&ring->later);
    arm_kick(ring);
    ring->threads.poller = &ring->driver.poller;
    io_driver_init(&ring->driver);
    ring->driver.poller.ops = &poller_ops;
    ring->driver.ops = &driver_ops;
    *ret = &ring->driver;
    return 0;

err_kick:
    slots_finish(&ring->slots);
    ring_kick_close(&ring->kick);
err_uring:
    io_uring_queue_exit(&ring->uring);
err_ring:
    free(ring);
    return err;
}

const struct ring_stats *ring_stats(const struct io_driver *driver)
{
    return &((const struct ring *)driver)->stats;
}

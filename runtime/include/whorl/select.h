/* SPDX-License-Identifier: MIT */
/* Select: waits until one of several things happens, and takes that one only.
 *
 * Each thing is a case: receiving from a channel, an instant, an event and so on. When several
 * cases are ready at once, each has the same chance. A case that is not taken has no effect: no
 * value is lost or sent. Other headers have the cases for their objects: broadcast, fd, future,
 * group, interval, net, process, shared_chan, signal, stop, stream, watch.
 *
 *     static WHORL_SUSPENDS int next_page(struct whorl_chan *pages, struct whorl_event *quit,
 *                                         struct page *ret)
 *     {
 *         struct whorl_case cases[] = {
 *             whorl_case_recv(pages, ret),
 *             whorl_case_event(quit),
 *             whorl_case_deadline(whorl_after(5 * WHORL_SECOND)),
 *         };
 *
 *         int taken = whorl_select(cases, 3);
 *         switch (taken) {
 *         case 0:
 *             return cases[0].result;             // 0; -EPIPE: the channel is closed
 *         case 1:
 *             return -EINTR;
 *         case 2:
 *             return -ETIMEDOUT;
 *         default:
 *             return taken;                       // -ECANCELED
 *         }
 *     }
 */
#ifndef WHORL_SELECT_H
#define WHORL_SELECT_H

#include <whorl/base.h>
#include <whorl/park.h>

struct whorl_chan;
struct whorl_event;
struct whorl_future;
struct whorl_case;
struct whorl_select_wait;

/* For implementers of things that can be selected. None of these functions may suspend. */
struct whorl_case_ops {
    const char *what; /* for reports */

    /* Completes the case if that is possible without waiting: sets `result` and returns true. */
    bool (*try_now)(struct whorl_case *c);

    /* Begins to wait: whorl_case_ready() will be called once, or never. Returns 0, or a negative
     * code, which becomes the case's result and ends the select. */
    int (*start)(struct whorl_case *c);

    /* Ends the wait. WHORL_ABORT_DONE: whorl_case_ready() will not be called any more.
     * WHORL_ABORT_PENDING: it will be called soon, and its result is dropped. A case that has
     * consumed something must put it back before that call. */
    enum whorl_abort (*stop)(struct whorl_case *c);
};

/* One of the things that a select waits for, made by one of the whorl_case_ functions. The fields
 * after `result` are private, or belong to the implementer. The array of cases must stay valid, in
 * the same place, until whorl_select() returns. */
struct whorl_case {
    int result; /* of the case that was taken: what the single call would have returned */
    const struct whorl_case_ops *ops; /* NULL: the case is skipped */
    void *object;
    void *data;
    int64_t number;
    struct whorl_waiter waiter;
    union {
        struct whorl_select_wait *wait; /* valid between start() and the end of the wait */
        size_t order;                   /* before: the position in the order of trying */
    };
};

#ifdef __cplusplus
extern "C" {
#endif

/** A case that receives a value from a channel into `*ret`. Its result is 0 or -EPIPE. */
WHORL_API struct whorl_case whorl_case_recv(struct whorl_chan *chan, void *ret);

/** A case that sends a value to a channel. `value` is borrowed until the select returns. The case's
 *  result is 0 or -EPIPE. */
WHORL_API struct whorl_case whorl_case_send(struct whorl_chan *chan, const void *value);

/** A case that is ready at an instant; with WHORL_FOREVER, never. Its result is 0. */
WHORL_API struct whorl_case whorl_case_deadline(int64_t deadline_ns);

/** A case that is ready when the event is set. Its result is 0. */
WHORL_API struct whorl_case whorl_case_event(struct whorl_event *event);

/**
 * Waits until one of the cases is ready and takes it.
 *
 * Returns:  the index of the case that was taken, with its `result` set; -EINVAL when there is no
 *           case, as it would wait for ever; WHORL_ENOTASK.
 * Suspends: until a case is ready and the others have been withdrawn.
 * Cancel:   -ECANCELED; no case was taken. If a case was taken already, its index.
 */
WHORL_API WHORL_SUSPENDS int whorl_select(struct whorl_case *cases, size_t count);

/**
 * Takes a case that is ready now. Never suspends.
 *
 * The name follows the rule of whorl_chan_recv() and whorl_chan_try_recv(): `try_` comes before the
 * verb. A select has no object, so its name has no noun.
 *
 * Returns: the index of the case that was taken, with its `result` set; -EAGAIN when no case is
 *          ready, also when there is none at all; WHORL_ENOTASK outside a run.
 */
WHORL_API WHORL_CHECKED int whorl_try_select(struct whorl_case *cases, size_t count);

/* For implementers. */

/** Reports that the event has happened for which the case's start() began to wait. Never
 *  suspends. */
WHORL_API void whorl_case_ready(struct whorl_case *c, int result);

#ifdef __cplusplus
}
#endif

#endif

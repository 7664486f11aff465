/* SPDX-License-Identifier: MIT */
/* Select: waits for whichever of several things happens first, and takes that one only.
 *
 *     struct whorl_case cases[] = {
 *         whorl_case_recv(pages, &page),
 *         whorl_case_recv(errors, &error),
 *         whorl_case_deadline(whorl_after(5 * WHORL_SECOND)),
 *     };
 *     switch (whorl_select(cases, 3)) {
 *     case 0:
 *         return cases[0].result ? cases[0].result : use(page);    // -EPIPE: closed
 *     case 1:
 *         return error;
 *     case 2:
 *         return -ETIMEDOUT;
 *     default:                                                     // -ECANCELED
 *         ...
 *     }
 *
 * When several are ready at once, each has the same chance. A case not taken leaves no trace: no
 * value is lost or sent. Cases for descriptors and signals are in fd.h and signal.h.
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

/* For implementers of things that can be selected. None of these may suspend. */
struct whorl_case_ops {
    const char *what; /* for reports */

    /* Completes the case if that takes no waiting: sets `result`, returns true. */
    bool (*try_now)(struct whorl_case *c);

    /* Begins to wait: whorl_case_ready() will be called once, or never. 0 or a negative code, which
     * becomes the case's result and ends the select. */
    int (*start)(struct whorl_case *c);

    /* Ends the wait. DONE: whorl_case_ready() will not be called any more. PENDING: it will, soon;
     * what it says then is dropped, so a case that has consumed something puts it back first. */
    enum whorl_abort (*stop)(struct whorl_case *c);
};

/* One of the things waited for. Made by the whorl_case_ functions; the fields after `result` are
 * private or the implementer's. The array stays valid and in place until whorl_select() returns. */
struct whorl_case {
    int result; /* of the case that was taken: what the single call would have returned */
    const struct whorl_case_ops *ops; /* NULL: the case is skipped */
    void *object;
    void *data;
    int64_t number;
    struct whorl_waiter waiter;
    union {
        struct whorl_select_wait *wait; /* valid between start and the end of the wait */
        size_t order;                   /* before: a place in the order of trying */
    };
};

#ifdef __cplusplus
extern "C" {
#endif

/** Receiving from a channel; result 0 or -EPIPE. */
WHORL_API struct whorl_case whorl_case_recv(struct whorl_chan *chan, void *ret);

/** Sending to a channel; `value` is borrowed until the select returns. Result 0 or -EPIPE. */
WHORL_API struct whorl_case whorl_case_send(struct whorl_chan *chan, const void *value);

/** An instant; WHORL_FOREVER never comes. Result 0. */
WHORL_API struct whorl_case whorl_case_deadline(int64_t deadline_ns);

/** An event being set. Result 0. */
WHORL_API struct whorl_case whorl_case_event(struct whorl_event *event);

/**
 * Waits until one of the cases is ready and takes it.
 *
 * Returns:  the index of the case taken, its `result` set; -EINVAL when there is none;
 *           WHORL_ENOTASK.
 * Suspends: until one is ready and the others have been withdrawn.
 * Cancel:   -ECANCELED; none was taken. One taken already: its index.
 */
WHORL_API WHORL_SUSPENDS int whorl_select(struct whorl_case *cases, size_t count);

/** Takes a case that is ready now: its index, or -EAGAIN. Never suspends. */
WHORL_API WHORL_CHECKED int whorl_try_select(struct whorl_case *cases, size_t count);

/* For implementers. */

/** The case waited for with start() has come about. */
WHORL_API void whorl_case_ready(struct whorl_case *c, int result);

#ifdef __cplusplus
}
#endif

#endif

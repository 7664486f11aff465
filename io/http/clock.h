/* SPDX-License-Identifier: MIT */
/* Which time limit applies to an exchange's next read or write, and how long its stages took.
 *
 *     write                          the stall limit
 *     read, request not all sent     no limit of its own; http_clock_mark_sent() then moves it
 *     read, no byte of the head yet  the first-byte limit, counted from the last byte sent
 *     any other read                 the stall limit
 *
 * The minimum speed applies to bodies, and is counted for each direction. The total limit applies
 * in all of them. See stage.h for how a limit is entered and left.
 */
#ifndef IO_HTTP_CLOCK_H
#define IO_HTTP_CLOCK_H

#include "io/http/stage.h"

/* The minimum speed in one direction. A window begins when enough bytes have moved, and lasts for
 * limits.speed_ns of waiting. */
struct http_speed {
    int64_t start;      /* bytes of the body that had moved when the window began */
    int64_t waited_ns;  /* in this window */
    int64_t entered_ns; /* the start of the current wait */
};

struct http_clock {
    struct whorl_http_timeouts limits; /* defaults filled in */
    int64_t total_deadline_ns;
    int64_t sent_ns;       /* when the last byte of the request was sent; -1: not yet */
    int64_t began_ns;      /* when the response's first byte was received; -1: not yet. A 100 that
                              arrives before the request is sent does not count */
    int64_t first_byte_ns; /* from sent_ns to began_ns; -1: none yet */
    int64_t body_sent;     /* bytes of the request's body */
    struct http_speed sending, receiving;
    bool awaits_head;        /* no byte of the next head has arrived */
    int64_t now_ns;          /* the time, while no task has waited since; 0: not known */
    struct http_stage *head; /* the stage of a task that reads the head while the request is still
                                being sent; else NULL */
};

/* Starts the clock of one exchange. `now_ns`: the time, if no other task runs between the caller's
 * reading of it and the first write; else 0. */
void http_clock_start(struct http_clock *clock, const struct whorl_http_timeouts *limits,
                      int64_t total_deadline_ns, int64_t now_ns);

/* Enter and leave the stage of a write. `body_len` of the bytes belong to the body; when leaving,
 * those that were written. `n` is the result, a count or a code. */
void http_clock_enter_write(struct http_clock *clock, struct http_stage *stage, int64_t body_len);
ssize_t http_clock_leave_write(struct http_clock *clock, struct http_stage *stage, ssize_t n,
                               int64_t body_len);

/* The most bytes of the body to give to one write, so that a transfer with the minimum speed never
 * needs longer than the window for it. */
int64_t http_clock_write_max(const struct http_clock *clock);

/* Enter and leave the stage of a read. `body_received` bytes of the body have arrived before; -1:
 * it has not begun. `n` is the result of the read: a count or a code. */
void http_clock_enter_read(struct http_clock *clock, struct http_stage *stage,
                           int64_t body_received);
ssize_t http_clock_leave_read(struct http_clock *clock, struct http_stage *stage, ssize_t n);

/* The request has been sent: the first-byte limit starts. */
void http_clock_mark_sent(struct http_clock *clock);

/* An informational head has arrived, so another head follows. `is_started`: part of that head has
 * been received already. */
void http_clock_mark_informational(struct http_clock *clock, bool is_started);

#endif

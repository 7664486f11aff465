/* SPDX-License-Identifier: MIT */
/* Decides how many connections fetch one file: adds one when the rest would take long, and drops it
 * again if all together are not faster with it. No I/O, no clock.
 *
 * The rate is measured over WINDOW_NS, which begins some time after each change. Some servers send
 * in bursts of one second, so a shorter window would measure the burst.
 */
#ifndef WHORL_GET_GAIN_H
#define WHORL_GET_GAIN_H

#include <stdbool.h>
#include <stdint.h>

enum gain_verdict { GAIN_KEEP, GAIN_ADD, GAIN_DROP };

/* gain_init() sets it up. */
struct gain {
    int most;                      /* connections */
    bool is_trial;                 /* the last connection has still to show that it helps */
    double before;                 /* the rate before it was added, in bytes per second */
    int64_t change_ns;             /* when the count changed last */
    int64_t start_ns, start_bytes; /* of the window; valid once `is_measuring` */
    bool is_measuring;
};

/* `most` is the limit for the connections. */
void gain_init(struct gain *gain, int most, int64_t now_ns);

/* To be called about ten times per second.
 *
 * @bytes        received so far
 * @left         bytes that are missing
 * @connections  that receive now
 *
 * Returns: what to do. The next call assumes that it was done. */
enum gain_verdict gain_decide(struct gain *gain, int64_t now_ns, int64_t bytes, int64_t left,
                              int connections);

/* Another connection is not possible: it is not tried again. */
void gain_give_up(struct gain *gain, int connections);

#endif

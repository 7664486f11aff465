/* SPDX-License-Identifier: MIT */
/* Counters of what a driver has done so far, for tests and measurements. */
#ifndef IO_DRIVER_EPOLL_STATS_H
#define IO_DRIVER_EPOLL_STATS_H

#include <stdint.h>

struct epoll_stats {
    uint64_t waits;      /* calls of epoll_wait */
    uint64_t registered; /* registrations by epoll_ctl */
    uint64_t completed;  /* completions */
    uint64_t threaded;   /* completions by threads; included in `completed` */
    uint64_t kicks;      /* events of the descriptor that wakes the loop */
};

#endif

/* SPDX-License-Identifier: MIT */
/* What a driver has done so far, for tests and the curious. */
#ifndef IO_DRIVER_EPOLL_STATS_H
#define IO_DRIVER_EPOLL_STATS_H

#include <stdint.h>

struct epoll_stats {
    uint64_t waits;      /* calls of epoll_wait */
    uint64_t registered; /* calls of epoll_ctl */
    uint64_t completed;  /* completions */
    uint64_t threaded;   /* of these, by threads */
    uint64_t kicks;
};

#endif

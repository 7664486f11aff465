/* SPDX-License-Identifier: MIT */
/* Worker processes: what the pool and its server say to each other. */
#ifndef IO_PROCESS_POOL_PROTOCOL_H
#define IO_PROCESS_POOL_PROTOCOL_H

#include <stdint.h>

/* To the server, a message each; WORKER_START brings the worker's end of its socket along. Both end
 * the worker that had the place before. */
enum worker_order { WORKER_START, WORKER_KILL };
struct worker_message {
    uint32_t order, place;
};

/* Ahead of each request and response, and, without bytes, what `init` returned. */
struct worker_frame {
    int64_t status;
    uint64_t len;
};

#endif

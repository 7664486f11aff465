/* SPDX-License-Identifier: MIT */
/* Worker processes: the protocol between the pool, its server process and the workers. */
#ifndef IO_PROCESS_POOL_H
#define IO_PROCESS_POOL_H

#include <whorl/process_pool.h>

/* Orders to the server, one per message. WORKER_START also passes the worker's end of its socket.
 * Both orders end the worker that had the place before. */
enum worker_order { WORKER_START, WORKER_KILL };
struct worker_message {
    uint32_t order, place;
};

/* Precedes each request and each response. The first frame of a worker has no response: its
 * `status` is what `init` returned. */
struct worker_frame {
    int64_t status;
    uint64_t len;
};

/* Runs the server: forks workers as ordered over `control`, until `control` ends. Never returns. */
__attribute__((noreturn)) void worker_server(int control,
                                             const struct whorl_process_pool_options *options);

#endif

/* SPDX-License-Identifier: MIT */
/* The io_uring driver: one ring per run, entered once per turn of the loop.
 *
 *     tasks run        submit(op): an SQE is filled in, nothing is entered
 *     loop: wait()     io_uring_enter submits all of them and sleeps, timeout included
 *                      each CQE: user_data -> slot -> op -> io_op_complete()
 *
 * A request that the kernel has no opcode for is carried out by a thread, see threads.h. Which opcodes
 * there are is asked once, when the ring is set up.
 *
 * `user_data` is a name that finds nobody once the request has ended, see slots.h.
 */
#ifndef IO_DRIVER_RING_H
#define IO_DRIVER_RING_H

#include <whorl/error.h>

#include "io/driver/op.h"

/* Sets up a ring. `entries` 0: 1024. Returns 0, or a negative code with `error`, which may be NULL,
 * filled in: -ENOMEM; what io_uring_setup(2) said. */
int ring_create(unsigned entries, struct whorl_error *error, struct io_driver **ret);

/* What a ring has done so far, for tests and the curious. */
struct ring_stats {
    uint64_t enters;    /* calls of io_uring_enter */
    uint64_t submitted; /* requests the kernel has taken */
    uint64_t completed; /* completions seen */
    uint64_t threaded;  /* requests that threads have carried out; not among `submitted` */
    uint64_t kicks;     /* completions of the standing poll that wakes the loop */
};

const struct ring_stats *ring_stats(const struct io_driver *driver);

#endif

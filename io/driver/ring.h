/* SPDX-License-Identifier: MIT */
/* The io_uring driver: one ring per run, entered once per turn of the loop.
 *
 *     tasks run        submit(op): fills in an SQE; makes no system call
 *     loop: wait()     one io_uring_enter submits all SQEs and sleeps, with a timeout
 *                      each CQE: user_data -> slot -> op -> io_op_complete()
 *
 * A thread carries out a request for which the kernel has no opcode, see threads.h. The driver asks
 * the kernel once, when it sets up the ring, which opcodes it has.
 *
 * Multishot receives fill buffers of the run, see ring_buffers.h.
 *
 * `user_data` is a name, see slots.h. Once a request has ended, its name finds no request.
 */
#ifndef IO_DRIVER_RING_H
#define IO_DRIVER_RING_H

#include <whorl/error.h>

#include "io/driver/op.h"

/* Sets up a ring. `entries` 0: 1024. Returns 0, or a negative code with the details in `error`,
 * which may be NULL: -ENOMEM; an error of io_uring_setup(2). */
int ring_create(unsigned entries, struct whorl_error *error, struct io_driver **ret);

/* Counters of what a ring has done so far, for tests and measurements. */
struct ring_stats {
    uint64_t enters;    /* calls of io_uring_enter */
    uint64_t submitted; /* SQEs that the kernel has accepted */
    uint64_t completed; /* CQEs that the loop has reaped */
    uint64_t threaded;  /* requests that threads have carried out; not among `submitted` */
    uint64_t kicks;     /* completions of the poll request that wakes the loop */
};

const struct ring_stats *ring_stats(const struct io_driver *driver);

#endif

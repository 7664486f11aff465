/* SPDX-License-Identifier: MIT */
/* How a request becomes an SQE: its opcode, and the place of each of its arguments. For some kinds
 * of request no kernel has an opcode, and for others an older kernel has none. The driver has a
 * thread carry out such a request.
 */
#ifndef IO_DRIVER_RING_SQE_H
#define IO_DRIVER_RING_SQE_H

#include <liburing.h>

#include "io/driver/op.h"

/* Marks functions that access the ring's mapping. ThreadSanitizer does not see that liburing unmaps
 * it, so the next ring at the same address would look like a race. */
#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define TOUCHES_RING __attribute__((no_sanitize("thread")))
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define TOUCHES_RING __attribute__((no_sanitize("thread")))
#endif
#ifndef TOUCHES_RING
#define TOUCHES_RING
#endif

/* Finds the kinds of requests for which the kernel has no opcode. If the kernel does not say which
 * opcodes it has, these are the newer kinds. A bit for each of them, 1 << enum io_op_code. */
uint64_t ring_sqe_without_opcode(struct io_uring *uring);

/* Writes the SQE of the stage that the request is in (ring_stage.h). */
void ring_sqe_fill(struct io_uring_sqe *sqe, const struct io_op *op, uint64_t user_data);

#endif

/* SPDX-License-Identifier: MIT */
/* Requests that take several SQEs, because one SQE does not do what the system call does.
 *
 * A send. When a send would block, io_uring waits for room and sends again. But by then, some kinds
 * of sockets have taken the bytes out of the request: a Unix datagram socket then sends an empty
 * datagram. So only stream sockets may wait in the kernel:
 *
 *     send, may not block --> -EAGAIN, a stream socket --> the same send, which waits
 *                             -EAGAIN, another socket  --> poll --> the same send, may not block
 *                             -EAGAIN after the poll   --> a pause, then the poll again
 *
 * A send on a descriptor that is known to be a stream socket (op->is_stream) waits at once.
 *
 * A poll. io_uring reports POLLRDHUP also to a poll that did not ask for it. A second poll would
 * report it again at once:
 *
 *     poll --> POLLRDHUP only --> multishot poll, which reports changes only: wait for the events
 *                                 that were asked for, then cancel it
 *
 * A connect to a Unix socket whose backlog is full fails with -EAGAIN on a non-blocking socket. No
 * event says when there is room: a pause, then the same connect.
 */
#ifndef IO_DRIVER_RING_STAGE_H
#define IO_DRIVER_RING_STAGE_H

#include <errno.h>

#include <liburing.h>

#include "io/driver/op.h"

/* The stage of a request, stored in op->stage. */
enum ring_stage {
    STAGE_FIRST,
    STAGE_PATIENT, /* a send that may wait in the kernel */
    STAGE_ROOM,    /* the poll before a send */
    STAGE_READY,   /* the send after that poll */
    STAGE_CHANGES, /* the multishot poll */
    STAGE_RESULT,  /* that poll is being cancelled; op->done is the result */
    STAGE_LATER,   /* waits for the end of a pause */
};

/* What a driver has to do after a CQE. */
enum ring_step {
    STEP_COMPLETE, /* complete the request */
    STEP_WAIT,     /* wait for the next CQE */
    STEP_SUBMIT,   /* submit an SQE for the next stage */
    STEP_PAUSE,    /* submit that SQE after a pause */
    STEP_CANCEL,   /* cancel the SQE and wait for its last CQE */
};

/* Changes the SQE of a request from that of the first stage to that of op->stage. */
void ring_stage_fill(const struct io_op *op, struct io_uring_sqe *sqe);

/* Whether ring_stage_next() must be called for a CQE of this request. */
static inline bool ring_stage_matters(const struct io_op *op, int res)
{
    return op->stage != STAGE_FIRST || op->code == IO_OP_POLL ||
           (op->code == IO_OP_SEND && res != (int)op->len) ||
           (res == -EAGAIN && (op->code == IO_OP_SENDMSG || op->code == IO_OP_CONNECT));
}

/* Sets the stage that follows STAGE_LATER. */
void ring_stage_resume(struct io_op *op);

/* Returns the step that follows a CQE with the result `*res` and the flag `more`. Sets op->stage to
 * the next stage, or sets `*res` to the result of the request. */
enum ring_step ring_stage_next(struct io_op *op, int *res, bool more);

#endif

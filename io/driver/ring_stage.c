/* SPDX-License-Identifier: MIT */
/* The stages of requests that take several SQEs. */
#include "io/driver/ring_stage.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "io/driver/syscall.h"

static void fill_poll(struct io_uring_sqe *sqe, unsigned events, unsigned flags)
{
    *sqe = (struct io_uring_sqe){
        .opcode = IORING_OP_POLL_ADD,
        .fd = sqe->fd,
        .poll32_events = __io_uring_prep_poll_mask(events),
        .len = flags,
        .user_data = sqe->user_data,
    };
}

void ring_stage_fill(const struct io_op *op, struct io_uring_sqe *sqe)
{
    switch (op->stage) {
    case STAGE_ROOM:
        fill_poll(sqe, POLLOUT, 0);
        return;
    case STAGE_CHANGES:
        fill_poll(sqe, op->len, IORING_POLL_ADD_MULTI);
        return;
    case STAGE_PATIENT:
        sqe->msg_flags = op->flags;
        break;
    default:
        break;
    }
    if (op->code == IO_OP_SEND) {
        sqe->addr += op->done;
        sqe->len -= op->done;
    }
}

/* --- sends ------------------------------------------------------------------------------------ */

/* Whether the send has to wait for room, before its first byte or before the rest. */
static bool must_wait(const struct io_op *op, int res)
{
    if (op->flags & MSG_DONTWAIT)
        return false;
    return res == -EAGAIN ||
           (res > 0 && op->code == IO_OP_SEND && op->flags & MSG_WAITALL && op->done < op->len);
}

static enum ring_step next_of_send(struct io_op *op, int *res)
{
    if (op->stage == STAGE_ROOM && *res >= 0) {
        op->stage = STAGE_READY;
        return STEP_SUBMIT;
    }
    if (op->code == IO_OP_SEND && *res > 0)
        op->done += (uint32_t)*res;
    if (op->stage == STAGE_ROOM || !must_wait(op, *res)) {
        if (op->done > 0)
            *res = (int)op->done;
        return STEP_COMPLETE;
    }
    if (op->stage == STAGE_READY && *res == -EAGAIN)
        return STEP_PAUSE;
    /* A send on a non-blocking socket does not wait in the kernel, so a poll must follow it. */
    bool patient = op->stage == STAGE_FIRST && !op->is_stream && syscall_is_stream_socket(op->fd);
    op->stage = patient ? STAGE_PATIENT : STAGE_ROOM;
    return STEP_SUBMIT;
}

void ring_stage_resume(struct io_op *op)
{
    op->stage = op->code == IO_OP_SEND || op->code == IO_OP_SENDMSG ? STAGE_ROOM : STAGE_FIRST;
}

/* --- polls ------------------------------------------------------------------------------------ */

static enum ring_step next_of_poll(struct io_op *op, int *res, bool more)
{
    if (op->stage == STAGE_RESULT) {
        *res = (int)op->done;
        return more ? STEP_WAIT : STEP_COMPLETE;
    }
    if (*res < 0) {
        if (op->stage == STAGE_CHANGES && *res == -EINVAL) /* before 5.13 */
            return STEP_PAUSE;
        return STEP_COMPLETE;
    }
    int seen = *res & (int)((op->len & 0xffff) | POLLERR | POLLHUP | POLLNVAL);
    if (op->multishot) {
        if (seen)
            *res = seen;
        return seen || !more ? STEP_COMPLETE : STEP_WAIT;
    }
    if (seen && !more) {
        *res = seen;
        return STEP_COMPLETE;
    }
    if (seen) {
        op->done = (uint32_t)seen;
        op->stage = STAGE_RESULT;
        return STEP_CANCEL;
    }
    op->stage = STAGE_CHANGES;
    return more ? STEP_WAIT : STEP_SUBMIT;
}

/* --- all of them ------------------------------------------------------------------------------ */

enum ring_step ring_stage_next(struct io_op *op, int *res, bool more)
{
    switch (op->code) {
    case IO_OP_SEND:
    case IO_OP_SENDMSG:
        return next_of_send(op, res);
    case IO_OP_POLL:
        return next_of_poll(op, res, more);
    case IO_OP_CONNECT:
        return *res == -EAGAIN && syscall_is_unix_connect(op) ? STEP_PAUSE : STEP_COMPLETE;
    default:
        return STEP_COMPLETE;
    }
}

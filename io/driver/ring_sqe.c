/* SPDX-License-Identifier: MIT */
/* The SQEs of requests, and the opcodes that the kernel has. */
#include "io/driver/ring_sqe.h"

#include "io/driver/ring_buffers.h"
#include "io/driver/ring_stage.h"

/* The headers of Linux 6.1 do not define it. It is an enumerator, which #ifndef does not see. */
#define OPCODE_FTRUNCATE 55 /* 6.9 */

/* Used instead of an opcode for requests for which no kernel has one. */
#define OPCODE_NONE UINT8_MAX

static const uint8_t opcodes[] = {
    [IO_OP_NOP] = IORING_OP_NOP,
    [IO_OP_READ] = IORING_OP_READ,
    [IO_OP_WRITE] = IORING_OP_WRITE,
    [IO_OP_READV] = IORING_OP_READV,
    [IO_OP_WRITEV] = IORING_OP_WRITEV,
    [IO_OP_OPENAT] = IORING_OP_OPENAT,
    [IO_OP_CLOSE] = IORING_OP_CLOSE,
    [IO_OP_FSYNC] = IORING_OP_FSYNC,
    [IO_OP_FALLOCATE] = IORING_OP_FALLOCATE,
    [IO_OP_STATX] = IORING_OP_STATX,
    [IO_OP_RENAMEAT] = IORING_OP_RENAMEAT,
    [IO_OP_UNLINKAT] = IORING_OP_UNLINKAT,
    [IO_OP_MKDIRAT] = IORING_OP_MKDIRAT,
    [IO_OP_FTRUNCATE] = OPCODE_FTRUNCATE,
    [IO_OP_LINKAT] = IORING_OP_LINKAT,
    [IO_OP_SYMLINKAT] = IORING_OP_SYMLINKAT,
    [IO_OP_READLINKAT] = OPCODE_NONE,
    [IO_OP_UTIMENSAT] = OPCODE_NONE,
    [IO_OP_FLOCK] = OPCODE_NONE,
    [IO_OP_GETDENTS] = OPCODE_NONE,
    [IO_OP_CONNECT] = IORING_OP_CONNECT,
    [IO_OP_ACCEPT] = IORING_OP_ACCEPT,
    [IO_OP_RECV] = IORING_OP_RECV,
    [IO_OP_SEND] = IORING_OP_SEND,
    [IO_OP_RECVMSG] = IORING_OP_RECVMSG,
    [IO_OP_SENDMSG] = IORING_OP_SENDMSG,
    [IO_OP_POLL] = IORING_OP_POLL_ADD,
    [IO_OP_SPLICE] = IORING_OP_SPLICE,
    [IO_OP_CALL] = OPCODE_NONE,
};

_Static_assert(sizeof opcodes == IO_OP_CODES, "each kind of request has its entry");
_Static_assert(IO_OP_CODES <= 64, "each kind of request has its bit");

/* Kinds whose opcode a kernel may lack that has all the features we need. */
static bool is_newer(enum io_op_code code)
{
    switch (code) {
    case IO_OP_RENAMEAT:  /* 5.11 */
    case IO_OP_UNLINKAT:  /* 5.11 */
    case IO_OP_MKDIRAT:   /* 5.15 */
    case IO_OP_SYMLINKAT: /* 5.15 */
    case IO_OP_LINKAT:    /* 5.15 */
    case IO_OP_FTRUNCATE: /* 6.9 */
        return true;
    default:
        return false;
    }
}

uint64_t ring_sqe_without_opcode(struct io_uring *uring)
{
    union {
        struct io_uring_probe probe;
        char room[sizeof(struct io_uring_probe) + 256 * sizeof(struct io_uring_probe_op)];
    } answer = {.room = {0}};
    uint64_t without = 0;

    bool is_known = io_uring_register_probe(uring, &answer.probe, 256) == 0; /* 5.6 */
    for (enum io_op_code code = 0; code < IO_OP_CODES; code++)
        if (opcodes[code] == OPCODE_NONE ||
            (is_newer(code) &&
             !(is_known && io_uring_opcode_supported(&answer.probe, opcodes[code]))))
            without |= (uint64_t)1 << code;
    return without;
}

TOUCHES_RING void ring_sqe_fill(struct io_uring_sqe *sqe, const struct io_op *op,
                                uint64_t user_data)
{
    *sqe = (struct io_uring_sqe){
        .opcode = opcodes[op->code],
        .fd = op->fd,
        .off = op->off,
        .addr = op->addr,
        .len = op->len,
        .rw_flags = (int)op->flags,
        .user_data = user_data,
    };
    switch (op->code) {
    case IO_OP_STATX:
    case IO_OP_RENAMEAT:
    case IO_OP_LINKAT:
    case IO_OP_SYMLINKAT:
        sqe->off = op->addr2;
        break;
    case IO_OP_CONNECT:
        sqe->off = op->len;
        sqe->len = 0;
        break;
    case IO_OP_ACCEPT:
        sqe->off = op->addr2;
        sqe->ioprio = op->multishot ? IORING_ACCEPT_MULTISHOT : 0;
        break;
    case IO_OP_RECV:
        if (op->multishot) {
            sqe->ioprio = IORING_RECV_MULTISHOT;
            sqe->flags = IOSQE_BUFFER_SELECT;
            sqe->buf_group = RING_BUFFERS_GROUP;
        }
        break;
    case IO_OP_RECVMSG:
        sqe->len = 1;
        break;
    case IO_OP_SENDMSG:
        sqe->len = 1;
        sqe->msg_flags |= op->is_stream ? 0 : MSG_DONTWAIT; /* see ring_stage.h */
        break;
    case IO_OP_SEND:
        sqe->msg_flags |= op->is_stream ? 0 : MSG_DONTWAIT;
        break;
    case IO_OP_SPLICE:
        sqe->splice_fd_in = (int)op->addr2;
        break;
    case IO_OP_POLL:
        sqe->poll32_events = __io_uring_prep_poll_mask(op->len);
        sqe->len = op->multishot ? IORING_POLL_ADD_MULTI : 0;
        break;
    default:
        break;
    }
    if (__builtin_expect(op->stage != STAGE_FIRST, 0))
        ring_stage_fill(op, sqe);
}

/* SPDX-License-Identifier: MIT */
/* Several system calls on a thread, as one request to the driver. */
#include "io/fd/disk_call.h"

#include "io/driver/op.h"

WHORL_SUSPENDS int disk_call_run(int (*fn)(void *arg), void *arg, const char *what,
                                 const char *path)
{
    struct io_op op = {
        .code = IO_OP_CALL,
        .fd = -1,
        .addr = (uint64_t)(uintptr_t)fn,
        .addr2 = (uint64_t)(uintptr_t)arg,
        .off = (uint64_t)(uintptr_t)path,
    };

    return io_op_run(&op, what);
}

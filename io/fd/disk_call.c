/* SPDX-License-Identifier: MIT */
/* Several system calls on a thread, as one request to the driver. */
#include "io/fd/disk_call.h"

#include <sys/resource.h>

#include <whorl/task.h>

#include "io/driver/op.h"

#define SLOW_NS     WHORL_MILLISECOND
#define SLOW_FACTOR 100

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

/* The number of times that this thread has waited. Preemptions are not counted. */
static long waits(void)
{
    struct rusage usage;

    return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nvcsw : 0;
}

/* If the thread was only preempted by other processes, threads would not help, because they would
 * be preempted too. */
int disk_call_here(int (*fn)(void *arg), void *arg, int64_t now_ns, int64_t *slow_until_ns)
{
    int err = whorl_check_cancelled();

    if (err)
        return err;
    long waits_before = waits();
    err = fn(arg);
    int64_t end_ns = whorl_now();
    if (end_ns - now_ns > SLOW_NS && waits() != waits_before)
        *slow_until_ns = end_ns + SLOW_FACTOR * (end_ns - now_ns);
    return err;
}

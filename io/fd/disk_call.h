/* SPDX-License-Identifier: MIT */
/* Makes several system calls on a thread, as one request. io_uring passes each call that changes a
 * directory to a thread of the kernel, and that takes longer than the call itself. */
#ifndef IO_FD_DISK_CALL_H
#define IO_FD_DISK_CALL_H

#include <stdint.h>

#include <whorl/base.h>

/* Runs `fn(arg)` on one of the threads that carry out requests on files, and waits for its end.
 * `fn` may wait for a disk, but not for another process or a peer. If no thread can be started,
 * `fn` runs on the calling thread. If `fn` returns -EINTR, it is called again.
 *
 * @what  for reports, with `path`: what the task waits for
 *
 * Returns:  what `fn` returned; -ENOMEM; WHORL_ENOTASK; WHORL_ENOIO.
 * Suspends: until `fn` has returned.
 * Cancel:   -ECANCELED if no thread has begun `fn`. Otherwise waits for its end and returns its
 *           result. */
WHORL_SUSPENDS int disk_call_run(int (*fn)(void *arg), void *arg, const char *what,
                                 const char *path);

/* Runs `fn(arg)` on the calling thread, which takes about 10 us less than disk_call_run(). It is
 * for calls that usually take microseconds, on a file system in memory or on a disk of this machine
 * (place.h). But the thread may have to wait for a busy disk. So when a call has waited for more
 * than 1 ms, this sets `*slow_until_ns` to a later time, and the caller uses disk_call_run() until
 * then. So such waits take at most 1 % of the time of the run's thread.
 *
 * @slow_until_ns  has a time in the past, or 0
 * @now_ns         the time
 *
 * Returns:  what `fn` returned.
 * Cancel:   -ECANCELED before the call. */
int disk_call_here(int (*fn)(void *arg), void *arg, int64_t now_ns, int64_t *slow_until_ns);

#endif

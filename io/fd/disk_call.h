/* SPDX-License-Identifier: MIT */
/* Several system calls on a thread, in one hop. io_uring hands each call that changes a directory
 * to a thread of the kernel, which costs more than the call. */
#ifndef IO_FD_DISK_CALL_H
#define IO_FD_DISK_CALL_H

#include <whorl/base.h>

/* Runs `fn(arg)` on one of the threads that carry out requests on files, and waits for its end.
 * `fn` may wait for a disk, but not for another process or a peer. If no thread can be started, it
 * runs on this one. If it returns -EINTR, it is called again.
 *
 * @what  for reports, with `path`: what the task waits for
 *
 * Returns:  what `fn` returned; -ENOMEM; WHORL_ENOTASK; WHORL_ENOIO.
 * Suspends: until `fn` has returned.
 * Cancel:   -ECANCELED if no thread has begun it; else the result, after its end. */
WHORL_SUSPENDS int disk_call_run(int (*fn)(void *arg), void *arg, const char *what,
                                 const char *path);

#endif

/* SPDX-License-Identifier: MIT */
/* Makes several system calls on a thread, as one request. io_uring passes each call that changes a
 * directory to a thread of the kernel, and that takes longer than the call itself. */
#ifndef IO_FD_DISK_CALL_H
#define IO_FD_DISK_CALL_H

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

#endif

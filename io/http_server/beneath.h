/* SPDX-License-Identifier: MIT */
/* Opens files below a directory. No path and no symbolic link leads to a file outside it. */
#ifndef IO_HTTP_SERVER_BENEATH_H
#define IO_HTTP_SERVER_BENEATH_H

#include <whorl/base.h>

/**
 * Opens a file for reading. Links are followed as long as they do not lead out of the directory.
 * If the kernel has the path in its caches, the file is opened at once, otherwise on a thread.
 *
 * Returns:  a descriptor, close-on-exec; -errno; -EXDEV for a file that is outside.
 * Suspends: while a thread opens the file.
 * Cancel:   -ECANCELED; nothing is left open.
 */
WHORL_SUSPENDS int beneath_open(int dir_fd, const char *path);

/* The same for kernels before 5.6, and where a filter refuses openat2(2). It follows no symbolic
 * link, and it blocks. */
int beneath_walk(int dir_fd, const char *path);

#endif

/* SPDX-License-Identifier: MIT */
/* A pipe through which bytes go from a socket to a file with splice(2), without a copy in memory.
 *
 *     file_pipe_open()
 *     the owner splices bytes into fds[1] and adds their count to `held`
 *     file_pipe_write()     moves the bytes to the file
 *     file_pipe_close()
 *
 * io_uring would pass each splice to a thread of the kernel. Writes to a file usually take
 * microseconds, so the run's thread makes them, if disk_call_here() allows that. Otherwise a thread
 * does.
 */
#ifndef IO_FD_FILE_PIPE_H
#define IO_FD_FILE_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <whorl/base.h>

struct file_pipe {
    int fds[2];
    size_t held;           /* bytes in the pipe */
    bool is_refused;       /* the file cannot be spliced to, so bytes are copied */
    int64_t slow_until_ns; /* see disk_call_here() */
};

/* Opens a pipe with room for much. Returns false when there is none, or when the limits of the user
 * leave it too small. */
bool large_pipe_open(int ret_fds[2]);

/* The same for a file_pipe, whose fields it sets. */
bool file_pipe_open(struct file_pipe *pipe);

/* Closes the pipe; drops the bytes in it. */
void file_pipe_close(struct file_pipe *pipe);

/* Whether writing to the descriptor drops the bytes: it is /dev/null. */
bool fd_is_null(int fd);

/* Moves `len` of the held bytes to a file.
 *
 * @fd      a regular file
 * @offset  of the first byte; -1: the position of the descriptor, which is /dev/null
 *
 * Returns: 0; -EIO when fewer bytes are held; -errno. After a failure, some of the bytes may have
 *          been written. Those that were not are still held, unless the file cannot be spliced to.
 * Cancel:  -ECANCELED, as after a failure. */
WHORL_SUSPENDS int file_pipe_write(struct file_pipe *pipe, int fd, int64_t offset, size_t len);

#endif

/* SPDX-License-Identifier: MIT */
/* Moves bytes from a pipe to a file, see file_pipe.h. */
#include "io/fd/file_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <whorl/fd.h>
#include <whorl/task.h>

#include "io/fd/disk_call.h"
#include "io/fd/place.h"

enum {
    PIPE_SIZE = 1 << 20, /* bytes; the default of /proc/sys/fs/pipe-max-size */
    /* With less room, copying costs less. A pipe has a slot for every 4096 bytes of its size, and a
     * packet may need a slot of its own, so it may hold much less than its size. */
    PIPE_SIZE_MIN = 65536,
    COPY_SIZE = 65536,
};

bool large_pipe_open(int ret_fds[2])
{
    if (whorl_pipe(ret_fds) != 0)
        return false;
    fcntl(ret_fds[1], F_SETPIPE_SZ, PIPE_SIZE);
    if (fcntl(ret_fds[1], F_GETPIPE_SZ) >= PIPE_SIZE_MIN)
        return true;
    close(ret_fds[0]);
    close(ret_fds[1]);
    return false;
}

bool file_pipe_open(struct file_pipe *pipe)
{
    *pipe = (struct file_pipe){0};
    return large_pipe_open(pipe->fds);
}

void file_pipe_close(struct file_pipe *pipe)
{
    close(pipe->fds[0]);
    close(pipe->fds[1]);
    pipe->held = 0;
}

bool fd_is_null(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

struct move {
    struct file_pipe *pipe;
    int fd;
    int64_t offset; /* of the next byte; -1: the position of the descriptor */
    size_t len;     /* bytes that are to be moved */
};

static int move_all(void *arg)
{
    struct move *move = arg;

    while (move->len > 0) {
        loff_t at = move->offset;
        ssize_t n = splice(move->pipe->fds[0], NULL, move->fd, move->offset < 0 ? NULL : &at,
                           move->len, SPLICE_F_MOVE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        move->pipe->held -= (size_t)n;
        move->len -= (size_t)n;
        move->offset += move->offset < 0 ? 0 : n;
    }
    return 0;
}

/* Dropping bytes waits for nothing. */
static int move_to_null(struct move *move)
{
    int err = whorl_check_cancelled();

    return err ? err : move_all(move);
}

/* For files that cannot be spliced to. */
static WHORL_SUSPENDS int copy_all(struct move *move)
{
    char *buf = malloc(COPY_SIZE);
    int err = buf ? 0 : -ENOMEM;

    while (err == 0 && move->len > 0) {
        ssize_t n =
            read(move->pipe->fds[0], buf, move->len < COPY_SIZE ? move->len : (size_t)COPY_SIZE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            err = n < 0 ? -errno : -EIO;
            break;
        }
        move->pipe->held -= (size_t)n;
        err = move->offset < 0 ? whorl_write_all(move->fd, buf, (size_t)n)
                               : whorl_pwrite_all(move->fd, buf, (size_t)n, move->offset);
        move->len -= (size_t)n;
        move->offset += move->offset < 0 ? 0 : n;
    }
    free(buf);
    return err;
}

WHORL_SUSPENDS int file_pipe_write(struct file_pipe *pipe, int fd, int64_t offset, size_t len)
{
    struct move move = {pipe, fd, offset, len};
    int64_t now_ns = whorl_now();
    int err;

    if (len > pipe->held) /* reading the pipe would wait for ever */
        return -EIO;
    if (pipe->is_refused)
        err = -EINVAL;
    else if (offset < 0 && fd_is_null(fd))
        err = move_to_null(&move);
    else if (now_ns >= pipe->slow_until_ns && place_file_is_local(fd))
        err = disk_call_here(move_all, &move, now_ns, &pipe->slow_until_ns);
    else
        err = disk_call_run(move_all, &move, "splice", NULL);
    if (err != -EINVAL || move.len < len)
        return err;
    pipe->is_refused = true;
    return copy_all(&move);
}

/* SPDX-License-Identifier: MIT */
/* Reads lines of 80 bytes from a socket. The peer sends 25 of them together, which fill 2 KiB, and
 * the next ones after these have been read. So the number of instructions is the same in every
 * run. */
#include "tools/bench/repeat_lines.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <whorl.h>

#include "tools/bench/root.h"

enum { LINE = 80, TOGETHER = 25 };

/* Sends at most `n` lines and reads them. Returns their number or a negative code. */
static WHORL_SUSPENDS long exchange(int peer, struct whorl_reader *reader, long n)
{
    char lines[TOGETHER][LINE + 1], *line;
    size_t len;

    if (n > TOGETHER)
        n = TOGETHER;
    memset(lines, 'x', sizeof lines);
    for (long i = 0; i < n; i++)
        lines[i][LINE] = '\n';
    if (send(peer, lines, (size_t)n * sizeof *lines, 0) != (ssize_t)(n * (long)sizeof *lines))
        return -EIO;
    for (long i = 0; i < n; i++) {
        int got = whorl_reader_read_line(reader, &line, &len);
        if (got != 1 || len != LINE)
            return got < 0 ? got : -EPROTO;
    }
    return n;
}

static WHORL_SUSPENDS int read_lines(int peer, struct whorl_stream *stream, long n)
{
    WHORL_AUTO(reader) *reader = NULL;
    int err = whorl_reader_create(stream, NULL, &reader);

    while (n > 0 && err == 0) {
        long read = exchange(peer, reader, n);
        n -= read;
        err = read < 0 ? (int)read : 0;
    }
    return err;
}

static int root(void *arg)
{
    WHORL_AUTO(stream) *stream = NULL;
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return -errno;
    int err = whorl_stream_from_socket(fds[0], &stream);
    if (err)
        close(fds[0]);
    else
        err = read_lines(fds[1], stream, *(long *)arg);
    close(fds[1]);
    return err;
}

int bench_repeat_lines(long n)
{
    return bench_run("repeat lines", root, &n);
}

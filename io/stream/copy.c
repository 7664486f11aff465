/* SPDX-License-Identifier: MIT */
/* Copying from stream to stream, in one direction or in both. */
#include <errno.h>
#include <stdlib.h>

#include <whorl/group.h>
#include <whorl/stream.h>

enum { COPY_SIZE = 65536 };

WHORL_SUSPENDS int whorl_stream_copy(struct whorl_stream *to, struct whorl_stream *from,
                                     int64_t *ret_copied)
{
    char *buf = malloc(COPY_SIZE);
    int64_t ignored;
    ssize_t n;
    int err = 0;

    if (!ret_copied)
        ret_copied = &ignored;
    *ret_copied = 0;
    if (!buf)
        return -ENOMEM;
    while (err == 0 && (n = whorl_stream_read(from, buf, COPY_SIZE)) != 0) {
        err = n < 0 ? (int)n : whorl_stream_write(to, buf, (size_t)n);
        if (err == 0)
            *ret_copied += n;
    }
    free(buf);
    return err ? err : whorl_stream_close_write(to);
}

struct direction {
    struct whorl_stream *to, *from;
    int64_t *ret_copied;
};

static int copy_direction(void *arg)
{
    struct direction *direction = arg;

    return whorl_stream_copy(direction->to, direction->from, direction->ret_copied);
}

WHORL_SUSPENDS int whorl_stream_copy_both(struct whorl_stream *a, struct whorl_stream *b,
                                          int64_t *ret_to_a, int64_t *ret_to_b)
{
    struct direction to_a = {a, b, ret_to_a}, to_b = {b, a, ret_to_b};
    WHORL_AUTO(group) group = {0};

    int err = whorl_spawn(&group, copy_direction, &to_a);
    if (err == 0)
        err = whorl_spawn(&group, copy_direction, &to_b);
    return err ? err : whorl_group_wait(&group);
}

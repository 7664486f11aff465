/* SPDX-License-Identifier: MIT */
/* Bodies that go through a pipe to a file, without a copy in memory. */
#include <errno.h>

#include <whorl/http.h>
#include <whorl/task.h>

#include "io/fd/file_pipe.h"
#include "io/http/response.h"

enum {
    HOLD_FROM = 1 << 20,   /* bytes of a body that come before: a pipe costs some system calls */
    HOLD_LEFT = 256 << 10, /* the least number of bytes that a pipe is opened for */
};

/* Whether the next bytes can be held, and enough follows to make it worth while. A body whose speed
 * is limited needs little CPU time in any case. */
static bool can_hold(const struct whorl_http_response *response)
{
    const struct http_exchange *x = response->exchange;

    if (response->err || response->decodes || response->no_pipe ||
        http_response_is_limited(response) || x->received < HOLD_FROM ||
        (!response->pipe && x->head.length - x->received < HOLD_LEFT))
        return false;
    return http_exchange_can_splice(x);
}

WHORL_SUSPENDS ssize_t whorl_http_response_hold(struct whorl_http_response *response, size_t len)
{
    http_response_check_open(response);
    ssize_t n = whorl_check_cancelled();
    if (n)
        return n;
    struct file_pipe *pipe = response->pipe;
    if (pipe && (pipe->is_refused || pipe->held > 0)) {
        http_part_pipe_close(pipe, response->store);
        response->pipe = NULL;
    }
    if (len == 0 || !can_hold(response))
        return -EOPNOTSUPP;
    if (response->part.data)
        http_part_buf_drop(&response->part, response->store);
    if (!response->pipe)
        response->pipe = http_part_pipe_open(response->store);
    pipe = response->pipe;
    n = pipe ? http_response_splice(response, pipe->fds[1],
                                    len < HTTP_PART_PIPE_HELD ? len : HTTP_PART_PIPE_HELD)
             : -EINVAL;
    if (n == -EINVAL) {
        response->no_pipe = true;
        return -EOPNOTSUPP;
    }
    pipe->held = n > 0 ? (size_t)n : 0;
    return n;
}

WHORL_SUSPENDS int whorl_http_response_write_held(struct whorl_http_response *response, int fd,
                                                  int64_t offset, size_t len)
{
    http_response_check_open(response);
    if (!response->pipe)
        return -EIO;
    int err = file_pipe_write(response->pipe, fd, offset, len);
    response->no_pipe |= response->pipe->is_refused;
    return err;
}

/* SPDX-License-Identifier: MIT */
/* Cases of select that wait until a stream can be read. */
#include <errno.h>
#include <stdlib.h>

#include <whorl/stream.h>

#include "runtime/base/check.h"

/* Allocated on the heap, because it does not fit into the case. */
struct reading {
    struct whorl_stream_wait wait;
    struct whorl_case *c;
};

static bool stream_try(struct whorl_case *c)
{
    struct whorl_stream *stream = c->object;

    c->result = stream->ops->is_readable ? 0 : -EOPNOTSUPP;
    return c->result < 0 || stream->ops->is_readable(stream);
}

static void on_ready(struct whorl_stream_wait *wait, int err)
{
    struct reading *reading = container_of(wait, struct reading, wait);
    struct whorl_case *c = reading->c;

    free(reading);
    whorl_case_ready(c, err);
}

static int stream_start(struct whorl_case *c)
{
    struct whorl_stream *stream = c->object;
    struct reading *reading = calloc(1, sizeof *reading);

    if (!reading)
        return -ENOMEM;
    reading->wait.ready = on_ready;
    reading->c = c;
    c->waiter = (struct whorl_waiter){.data = reading};
    int err = stream->ops->start_wait(stream, &reading->wait);
    if (err)
        free(reading);
    return err;
}

static enum whorl_abort stream_stop(struct whorl_case *c)
{
    struct whorl_stream *stream = c->object;
    struct reading *reading = c->waiter.data;

    if (stream->ops->stop_wait(stream, &reading->wait) == WHORL_ABORT_PENDING)
        return WHORL_ABORT_PENDING;
    free(reading);
    return WHORL_ABORT_DONE;
}

struct whorl_case whorl_case_stream(struct whorl_stream *stream)
{
    static const struct whorl_case_ops ops = {"stream", stream_try, stream_start, stream_stop};
    return (struct whorl_case){.ops = &ops, .object = stream};
}

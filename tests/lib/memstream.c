/* SPDX-License-Identifier: MIT */
/* Streams in memory: two growing byte queues, one for each direction. */
#include "memstream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/park.h>
#include <whorl/sync.h>
#include <whorl/task.h>

#include "test.h"

/* Large enough for most tests, so that a test that counts allocations counts only its own. */
enum { INITIAL_SIZE = 64 << 10 };

/* One direction. A reader waits in `readers`, a writer that wrote too much waits in `writers`. Any
 * change wakes both, and they check again. */
struct pipe {
    char *bytes;
    size_t start, len, size;
    size_t capacity, written, writes;
    unsigned char *tap;
    size_t tap_size, *tap_len;
    size_t left; /* number of bytes until `end` applies; SIZE_MAX: no end is planned */
    int end;     /* result of a read after them: 0 for the end, or an error code */
    bool ended, writer_closed, reader_closed, writing;
    struct whorl_wait_queue readers, writers;
};

struct pair;

struct end {
    struct whorl_stream stream;
    struct pair *pair;
    struct pipe *in, *out;
    size_t chunk;
    bool yield;
    void (*hook)(void *ctx);
    void *hook_ctx;
};

struct pair {
    struct end ends[2];
    struct pipe pipes[2];
    int open;
    bool reset;
};

static size_t alive;

static struct end *end_of(struct whorl_stream *stream)
{
    return (struct end *)stream;
}

static void wake_all(struct whorl_wait_queue *queue)
{
    while (whorl_wait_queue_wake_one(queue, 0))
        ;
}

/* Every suspending call begins with this. */
static WHORL_SUSPENDS int enter(struct end *end)
{
    if (end->hook)
        end->hook(end->hook_ctx);
    if (whorl_check_cancelled())
        return -ECANCELED;
    return end->yield ? whorl_yield() : 0;
}

static WHORL_SUSPENDS ssize_t mem_read(struct whorl_stream *stream, void *buf, size_t len)
{
    struct end *end = end_of(stream);
    struct pipe *in = end->in;
    int err = enter(end);

    while (err == 0) {
        if (end->pair->reset)
            return -ECONNRESET;
        if (in->len > 0)
            break;
        if (in->ended)
            return in->end;
        if (in->writer_closed)
            return 0;
        err = (int)whorl_wait_queue_park(&in->readers, "memory read");
    }
    if (err)
        return err;
    size_t n = in->len < len ? in->len : len;
    if (end->chunk > 0 && n > end->chunk)
        n = end->chunk;
    memcpy(buf, in->bytes + in->start, n);
    in->start += n;
    in->len -= n;
    if (in->len == 0)
        in->start = 0;
    wake_all(&in->writers);
    return (ssize_t)n;
}

static int append(struct pipe *pipe, const char *bytes, size_t len)
{
    pipe->written += len;
    if (pipe->tap) {
        size_t room = pipe->tap_size - *pipe->tap_len;
        memcpy(pipe->tap + *pipe->tap_len, bytes, len < room ? len : room);
        *pipe->tap_len += len < room ? len : room;
    }
    if (pipe->left != SIZE_MAX && len >= pipe->left) {
        len = pipe->left;
        pipe->ended = true;
    }
    if (pipe->left != SIZE_MAX)
        pipe->left -= len;
    if (pipe->start + pipe->len + len > pipe->size) {
        memmove(pipe->bytes, pipe->bytes + pipe->start, pipe->len);
        pipe->start = 0;
        if (pipe->len + len > pipe->size) {
            size_t size = (pipe->len + len) * 2;
            char *bigger = realloc(pipe->bytes, size);
            if (!bigger)
                return -ENOMEM;
            pipe->bytes = bigger;
            pipe->size = size;
        }
    }
    memcpy(pipe->bytes + pipe->start + pipe->len, bytes, len);
    pipe->len += len;
    wake_all(&pipe->readers);
    return 0;
}

static WHORL_SUSPENDS int write_part(struct end *end, const char *bytes, size_t len)
{
    struct pipe *out = end->out;

    while (len > 0) {
        if (end->pair->reset)
            return -ECONNRESET;
        if (out->reader_closed || out->writer_closed)
            return -EPIPE;
        size_t room = len;
        if (out->capacity > 0) {
            room = out->capacity > out->len ? out->capacity - out->len : 0;
            if (room == 0) {
                int err = (int)whorl_wait_queue_park(&out->writers, "memory write");
                if (err)
                    return err;
                continue;
            }
        }
        size_t n = room < len ? room : len;
        int err = append(out, bytes, n);
        if (err)
            return err;
        bytes += n;
        len -= n;
    }
    return 0;
}

static WHORL_SUSPENDS int mem_writev(struct whorl_stream *stream, const struct iovec *iov,
                                     int iov_count)
{
    struct end *end = end_of(stream);

    if (end->out->writing) /* as the streams of the library do */
        test_fail(__FILE__, __LINE__, "two tasks write to one stream at the same time");
    end->out->writing = true;
    int err = enter(end);
    end->out->writes++;
    for (int i = 0; i < iov_count && err == 0; i++)
        err = write_part(end, iov[i].iov_base, iov[i].iov_len);
    end->out->writing = false;
    return err;
}

static WHORL_SUSPENDS int mem_close_write(struct whorl_stream *stream)
{
    struct end *end = end_of(stream);
    int err = enter(end);

    if (err)
        return err;
    end->out->writer_closed = true;
    wake_all(&end->out->readers);
    return 0;
}

static bool mem_is_idle(struct whorl_stream *stream)
{
    struct end *end = end_of(stream);

    return !end->pair->reset && end->in->len == 0 && !end->in->ended && !end->in->writer_closed;
}

static int mem_fd(struct whorl_stream *stream)
{
    (void)stream;
    return -1;
}

static void mem_close(struct whorl_stream *stream)
{
    struct end *end = end_of(stream);
    struct pair *pair = end->pair;

    end->out->writer_closed = true;
    end->in->reader_closed = true;
    wake_all(&end->out->readers);
    wake_all(&end->in->writers);
    if (--pair->open > 0)
        return;
    free(pair->pipes[0].bytes);
    free(pair->pipes[1].bytes);
    free(pair);
    alive--;
}

static const struct whorl_stream_ops mem_ops = {
    .name = "memory",
    .read = mem_read,
    .writev = mem_writev,
    .close_write = mem_close_write,
    .is_idle = mem_is_idle,
    .fd = mem_fd,
    .close = mem_close,
};

int memstream_pair(struct whorl_stream **ret_a, struct whorl_stream **ret_b)
{
    struct pair *pair = calloc(1, sizeof *pair);

    if (!pair)
        return -ENOMEM;
    pair->open = 2;
    for (int i = 0; i < 2; i++) {
        pair->pipes[i].bytes = malloc(INITIAL_SIZE);
        pair->pipes[i].size = INITIAL_SIZE;
        if (!pair->pipes[i].bytes) {
            free(pair->pipes[0].bytes);
            free(pair);
            return -ENOMEM;
        }
        pair->pipes[i].left = SIZE_MAX;
        pair->ends[i].stream.ops = &mem_ops;
        pair->ends[i].pair = pair;
        pair->ends[i].out = &pair->pipes[i];
        pair->ends[i].in = &pair->pipes[1 - i];
    }
    alive++;
    *ret_a = &pair->ends[0].stream;
    *ret_b = &pair->ends[1].stream;
    return 0;
}

void memstream_chunk(struct whorl_stream *stream, size_t n)
{
    end_of(stream)->chunk = n;
}

void memstream_capacity(struct whorl_stream *stream, size_t n)
{
    end_of(stream)->out->capacity = n;
    wake_all(&end_of(stream)->out->writers);
}

void memstream_cut(struct whorl_stream *stream, size_t n)
{
    memstream_fail(stream, n, 0);
}

void memstream_fail(struct whorl_stream *stream, size_t n, int err)
{
    struct pipe *out = end_of(stream)->out;

    out->left = n;
    out->end = err;
    out->ended = n == 0;
    if (out->ended)
        wake_all(&out->readers);
}

void memstream_reset(struct whorl_stream *stream)
{
    struct pair *pair = end_of(stream)->pair;

    pair->reset = true;
    for (int i = 0; i < 2; i++) {
        wake_all(&pair->pipes[i].readers);
        wake_all(&pair->pipes[i].writers);
    }
}

void memstream_yield(struct whorl_stream *stream, bool on)
{
    end_of(stream)->yield = on;
}

void memstream_hook(struct whorl_stream *stream, void (*hook)(void *ctx), void *ctx)
{
    end_of(stream)->hook = hook;
    end_of(stream)->hook_ctx = ctx;
}

size_t memstream_written(struct whorl_stream *stream)
{
    return end_of(stream)->out->written;
}

size_t memstream_writes(struct whorl_stream *stream)
{
    return end_of(stream)->out->writes;
}

void memstream_tap(struct whorl_stream *stream, unsigned char *buf, size_t size, size_t *len)
{
    struct pipe *out = end_of(stream)->out;

    out->tap = buf;
    out->tap_size = size;
    out->tap_len = len;
}

size_t memstream_pending(struct whorl_stream *stream)
{
    return end_of(stream)->in->len;
}

size_t memstream_alive(void)
{
    return alive;
}

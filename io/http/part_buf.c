/* SPDX-License-Identifier: MIT */
/* Buffers for parts of bodies, see part_buf.h. */
#include "io/http/part_buf.h"

#include <errno.h>
#include <stdlib.h>

enum {
    MIDDLE_BUF = 64 << 10, /* for bodies longer than MIDDLE_FROM */
    MIDDLE_FROM = 128 << 10,
    LARGE_BUF = 256 << 10, /* for bodies longer than LARGE_FROM */
    LARGE_FROM = 1 << 20,
};

int http_part_buf_alloc(struct http_part_buf *buf, struct http_store *store, size_t size)
{
    buf->data = malloc(size);
    if (!buf->data)
        return -ENOMEM;
    buf->size = size;
    store->save_bytes += size;
    return 0;
}

void http_part_buf_drop(struct http_part_buf *buf, struct http_store *store)
{
    store->save_bytes -= buf->size;
    free(buf->data);
    *buf = (struct http_part_buf){0};
}

void http_part_buf_grow(struct http_part_buf *buf, struct http_store *store, int64_t moved)
{
    size_t size = moved >= LARGE_FROM ? LARGE_BUF : MIDDLE_BUF;

    if (moved < MIDDLE_FROM || size <= buf->size ||
        store->save_bytes - buf->size + size > HTTP_PART_BUFS_MAX)
        return;
    char *data = malloc(size);
    if (!data)
        return;
    free(buf->data);
    store->save_bytes += size - buf->size;
    buf->data = data;
    buf->size = size;
}

struct file_pipe *http_part_pipe_open(struct http_store *store)
{
    if (store->save_bytes + HTTP_PART_PIPE_HELD > HTTP_PART_BUFS_MAX)
        return NULL;
    struct file_pipe *pipe = malloc(sizeof *pipe);
    if (!pipe || !file_pipe_open(pipe)) {
        free(pipe);
        return NULL;
    }
    store->save_bytes += HTTP_PART_PIPE_HELD;
    return pipe;
}

void http_part_pipe_close(struct file_pipe *pipe, struct http_store *store)
{
    if (!pipe)
        return;
    file_pipe_close(pipe);
    store->save_bytes -= HTTP_PART_PIPE_HELD;
    free(pipe);
}

/* SPDX-License-Identifier: MIT */
/* The buffer that parts of a body are received into when they are used where they lie. At first
 * there is none: parts lie in the receive buffer of the connection. A long transfer gets a larger
 * buffer of its own. The sum of these buffers in a session has a limit, so a thousand transfers at
 * once do not use a thousand large buffers. */
#ifndef IO_HTTP_PART_BUF_H
#define IO_HTTP_PART_BUF_H

#include <whorl/base.h>

#include "io/fd/file_pipe.h"
#include "io/http/store.h"

enum {
    HTTP_PART_BUFS_MAX = 16 << 20,   /* bytes of these buffers in a session */
    HTTP_PART_PIPE_HELD = 512 << 10, /* the most bytes that a pipe holds */
};

/* Zero-initialised is valid. */
struct http_part_buf {
    char *data; /* owned; NULL: the receive buffer is used */
    size_t size;
};

/* Gives it memory of that size, whatever the limit. It must have none. 0 or -ENOMEM. */
WHORL_CHECKED int http_part_buf_alloc(struct http_part_buf *buf, struct http_store *store,
                                      size_t size);

/* Takes more memory if the limit allows that and `moved`, the length of the body so far, is long
 * enough for it. */
void http_part_buf_grow(struct http_part_buf *buf, struct http_store *store, int64_t moved);

/* A pipe that is used instead of such a buffer, and counts as one of HTTP_PART_PIPE_HELD bytes.
 * Returns NULL when there is none. */
struct file_pipe *http_part_pipe_open(struct http_store *store);

/* Closes and frees it. Accepts NULL. */
void http_part_pipe_close(struct file_pipe *pipe, struct http_store *store);

/* Frees the memory, if there is any. */
void http_part_buf_drop(struct http_part_buf *buf, struct http_store *store);

#endif

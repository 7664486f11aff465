/* SPDX-License-Identifier: MIT */
/* nghttp2's memory. Each request of HTTP/2 makes nghttp2 allocate and free several small blocks. A
 * connection keeps freed blocks for its next requests, and frees them when it becomes idle. Of a
 * large block, only the pages that were written take memory.
 */
#ifndef IO_HTTP_HTTP2_MEMORY_H
#define IO_HTTP_HTTP2_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

enum { HTTP2_MEMORY_SIZES = 32 };

struct http2_block;

/* Of one connection. Zero-initialised: empty. */
struct http2_memory {
    struct http2_block *kept[HTTP2_MEMORY_SIZES]; /* by size */
    size_t kept_bytes;                            /* of all of them */
    bool has_failed;                              /* an allocation has failed */
};

/* As malloc(3), calloc(3), realloc(3) and free(3). Blocks go back to the same memory. */
void *http2_memory_alloc(struct http2_memory *memory, size_t size);
void *http2_memory_calloc(struct http2_memory *memory, size_t count, size_t size);
void *http2_memory_realloc(struct http2_memory *memory, void *ptr, size_t size);
void http2_memory_free(struct http2_memory *memory, void *ptr);

/* Frees what is kept. */
void http2_memory_release(struct http2_memory *memory);

#endif

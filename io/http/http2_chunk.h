/* SPDX-License-Identifier: MIT */
/* Body bytes of an HTTP/2 stream that were received and not taken yet: a queue of chunks of a fixed
 * size. Chunks come from a session's store and go back to it, also from another stream.
 */
#ifndef IO_HTTP_HTTP2_CHUNK_H
#define IO_HTTP_HTTP2_CHUNK_H

#include <whorl/base.h>

#include "io/http/store.h"
#include "runtime/base/check.h"

/* Body bytes that were received together. */
struct http2_chunk {
    struct http_spare spare; /* in the store's list, or in the stream's queue */
    size_t start, end;       /* of the bytes that are still to be read */
    char data[HTTP_BUF_SIZE];
};

/* The oldest chunk is the first. Zero-initialised: empty. */
struct http2_chunk_queue {
    struct http2_chunk *first, *last;
};

/* Appends bytes, to the last chunk as far as it has room. Returns how many bytes the queue has
 * taken; fewer than `len`: there is no memory for the rest. */
WHORL_CHECKED size_t http2_chunk_append(struct http2_chunk_queue *queue, struct http_store *store,
                                        const void *data, size_t len);

/* Removes the oldest chunk; NULL when there is none. The caller returns it to the store. */
static inline struct http2_chunk *http2_chunk_take(struct http2_chunk_queue *queue)
{
    struct http2_chunk *chunk = queue->first;

    if (!chunk)
        return NULL;
    queue->first =
        chunk->spare.next ? container_of(chunk->spare.next, struct http2_chunk, spare) : NULL;
    if (!queue->first)
        queue->last = NULL;
    return chunk;
}

/* Returns a chunk to the store. Accepts NULL. */
void http2_chunk_release(struct http_store *store, struct http2_chunk *chunk);

/* Frees the chunks that the store keeps. */
void http2_chunks_drain(struct http_store *store);

#endif

/* SPDX-License-Identifier: MIT */
/* Queues of received body bytes. */
#include "io/http/http2_chunk.h"

#include <stdlib.h>
#include <string.h>

static struct http2_chunk *acquire(struct http_store *store)
{
    struct http_spare *spare = http_spares_take(&store->http2_chunks, true);
    struct http2_chunk *chunk =
        spare ? container_of(spare, struct http2_chunk, spare) : malloc(sizeof *chunk);

    if (!chunk) {
        store->http2_chunks.out--;
        return NULL;
    }
    chunk->spare.next = NULL;
    chunk->start = chunk->end = 0;
    return chunk;
}

/* Appends an empty chunk. False: there is no memory. */
static bool add_chunk(struct http2_chunk_queue *queue, struct http_store *store)
{
    struct http2_chunk *chunk = acquire(store);

    if (!chunk)
        return false;
    if (queue->last)
        queue->last->spare.next = &chunk->spare;
    else
        queue->first = chunk;
    queue->last = chunk;
    return true;
}

static bool has_room(const struct http2_chunk_queue *queue)
{
    return queue->last && queue->last->end < sizeof queue->last->data;
}

size_t http2_chunk_append(struct http2_chunk_queue *queue, struct http_store *store,
                          const void *data, size_t len)
{
    const char *from = data;
    size_t left = len;

    while (left > 0) {
        if (!has_room(queue) && !add_chunk(queue, store))
            break;
        struct http2_chunk *chunk = queue->last;
        size_t room = sizeof chunk->data - chunk->end, n = left < room ? left : room;
        memcpy(chunk->data + chunk->end, from, n);
        chunk->end += n;
        from += n;
        left -= n;
    }
    return len - left;
}

void http2_chunk_release(struct http_store *store, struct http2_chunk *chunk)
{
    if (chunk && !http_spares_put(&store->http2_chunks, &chunk->spare, true))
        free(chunk);
}

void http2_chunks_drain(struct http_store *store)
{
    struct http_spare *spare;
    while ((spare = http_spares_drain(&store->http2_chunks)))
        free(container_of(spare, struct http2_chunk, spare));
}

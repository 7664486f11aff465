/* SPDX-License-Identifier: MIT */
/* Receive buffers that a session's exchanges reuse. */
#include "io/http/store.h"

#include <stdlib.h>

#include "runtime/base/check.h"

struct http_buf *http_buf_acquire(struct http_store *store)
{
    struct http_spare *spare = http_spares_take(&store->bufs, true);
    if (spare)
        return container_of(spare, struct http_buf, spare);
    struct http_buf *buf = malloc(sizeof *buf);
    if (!buf)
        store->bufs.out--;
    return buf;
}

void http_buf_release(struct http_store *store, struct http_buf *buf)
{
    if (buf && !http_spares_put(&store->bufs, &buf->spare, true))
        free(buf);
}

void http_bufs_drain(struct http_store *store)
{
    struct http_spare *spare;
    while ((spare = http_spares_drain(&store->bufs)))
        free(container_of(spare, struct http_buf, spare));
}

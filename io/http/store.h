/* SPDX-License-Identifier: MIT */
/* The memory that a session's exchanges reuse: receive buffers, exchanges and responses. What one
 * request returns, the next one takes, so a request on a kept connection allocates nothing but its
 * URL. A list keeps a few dozen objects and refuses more; the owner then frees them.
 */
#ifndef IO_HTTP_STORE_H
#define IO_HTTP_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "io/fd/place.h"

enum {
    HTTP_BUF_SIZE = 16384, /* of a receive buffer */
    HTTP_SPARES_MAX = 64,  /* objects kept in a list */
};

/* The link of an object in a list; embedded in the object. */
struct http_spare {
    struct http_spare *next;
};

struct http_spares {
    struct http_spare *first;
    size_t count; /* in the list */
    size_t out;   /* taken and not returned */
    size_t max;   /* kept in the list; 0: HTTP_SPARES_MAX */
};

/* A receive buffer. The head of the request is written into it first: it is sent before anything
 * is received. */
struct http_buf {
    struct http_spare spare;
    char data[HTTP_BUF_SIZE];
};

struct http_store {
    struct http_spares bufs;
    struct http_spares http1_exchanges; /* see exchange_http1.h */
    struct http_spares http2_exchanges; /* see exchange_http2.h */
    struct http_spares http2_chunks;    /* see http2_chunk.h */
    struct http_spares responses;       /* see response.h */
    size_t save_bytes;                  /* size of the buffers of all bodies being saved */
    struct places places;               /* directories that files were saved in */
};

/* Takes an object from the list, or returns NULL when the list is empty or not to be used: the
 * caller then allocates one. Every object taken or allocated is returned with http_spares_put(). */
static inline struct http_spare *http_spares_take(struct http_spares *list, bool use)
{
    struct http_spare *spare = use ? list->first : NULL;

    list->out++;
    if (spare) {
        list->first = spare->next;
        list->count--;
    }
    return spare;
}

/* Returns an object. False: the list is full and the caller frees the object. */
static inline bool http_spares_put(struct http_spares *list, struct http_spare *spare, bool keep)
{
    list->out--;
    if (!keep || list->count >= (list->max ? list->max : HTTP_SPARES_MAX))
        return false;
    spare->next = list->first;
    list->first = spare;
    list->count++;
    return true;
}

/* If the list has more than `max` objects, removes the one that was put back first, and returns it
 * for the caller to free. Otherwise returns NULL. */
static inline struct http_spare *http_spares_take_oldest(struct http_spares *list, size_t max)
{
    struct http_spare **link = &list->first;

    if (list->count <= max)
        return NULL;
    while ((*link)->next)
        link = &(*link)->next;
    struct http_spare *spare = *link;
    *link = NULL;
    list->count--;
    return spare;
}

/* Takes an object out of the list to free it; NULL when the list is empty. */
static inline struct http_spare *http_spares_drain(struct http_spares *list)
{
    struct http_spare *spare = list->first;

    if (spare)
        list->first = spare->next;
    return spare;
}

/* A receive buffer; NULL when there is no memory. */
struct http_buf *http_buf_acquire(struct http_store *store);

/* Returns a buffer. Accepts NULL. */
void http_buf_release(struct http_store *store, struct http_buf *buf);

/* Frees the buffers in the list. */
void http_bufs_drain(struct http_store *store);

#endif

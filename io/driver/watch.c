/* SPDX-License-Identifier: MIT */
/* The table of watches. */
#include "io/driver/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* Grows the table so that it has a place for chunk `i`. */
static int grow(struct watch_table *table, unsigned i)
{
    unsigned count = table->chunk_count ? table->chunk_count : 4;

    while (count <= i)
        count *= 2;
    void *chunks = realloc(table->chunks, count * sizeof(struct watch *));
    if (!chunks)
        return -ENOMEM;
    table->chunks = chunks;
    memset(*table->chunks + table->chunk_count, 0,
           (count - table->chunk_count) * sizeof(struct watch *));
    table->chunk_count = count;
    return 0;
}

int watch_reserve(struct watch_table *table, int fd)
{
    unsigned i = (unsigned)fd / WATCH_CHUNK;

    if (fd >= 0 && i < table->chunk_count && (*table->chunks)[i])
        return 0;
    if (fd < 0 || !is_open(fd)) /* do not grow the table for a number that is not open */
        return 0;
    if (i >= table->chunk_count && grow(table, i) < 0)
        return -ENOMEM;
    struct watch *chunk = calloc(WATCH_CHUNK, sizeof *chunk);
    if (!chunk)
        return -ENOMEM;
    for (unsigned n = 0; n < WATCH_CHUNK; n++)
        chunk[n].fd = (int)(i * WATCH_CHUNK + n);
    (*table->chunks)[i] = chunk;
    return 0;
}

struct watch *watch_find(const struct watch_table *table, int fd)
{
    unsigned i = (unsigned)fd / WATCH_CHUNK;

    if (fd < 0 || i >= table->chunk_count || !(*table->chunks)[i])
        return NULL;
    return &(*table->chunks)[i][fd % WATCH_CHUNK];
}

void watch_table_finish(struct watch_table *table)
{
    for (unsigned i = 0; i < table->chunk_count; i++)
        free((*table->chunks)[i]);
    free(table->chunks);
    *table = (struct watch_table){0};
}

enum watch_list watch_list_of(const struct io_op *op)
{
    switch (op->code) {
    case IO_OP_POLL:
        return WATCH_POLLERS;
    case IO_OP_READ:
    case IO_OP_READV:
    case IO_OP_RECV:
    case IO_OP_RECVMSG:
    case IO_OP_ACCEPT:
        return WATCH_READERS;
    default:
        return WATCH_WRITERS;
    }
}

void watch_append(struct watch *watch, struct io_op *op)
{
    enum watch_list list = watch_list_of(op);
    struct whorl_waiter *waiter = &op->waiter;

    waiter->next = NULL;
    waiter->prev = watch->last[list];
    if (waiter->prev)
        waiter->prev->next = waiter;
    else
        watch->first[list] = waiter;
    watch->last[list] = waiter;
}

void watch_remove(struct watch *watch, struct io_op *op)
{
    enum watch_list list = watch_list_of(op);
    struct whorl_waiter *waiter = &op->waiter;

    if (watch->cursor == waiter)
        watch->cursor = waiter->next;
    if (waiter->prev)
        waiter->prev->next = waiter->next;
    else
        watch->first[list] = waiter->next;
    if (waiter->next)
        waiter->next->prev = waiter->prev;
    else
        watch->last[list] = waiter->prev;
    waiter->next = waiter->prev = NULL;
}

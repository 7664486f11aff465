/* SPDX-License-Identifier: MIT */
/* What the io_uring driver knows about each descriptor number.
 *
 * The table counts the requests in flight on each descriptor, so that a close finds out at once
 * whether there are any. It also remembers that a file has positions: on a pipe, io_uring ignores
 * the offset of a read or write, but pread(2) fails with -ESPIPE. So the first request with an
 * offset checks whether the file has positions.
 */
#ifndef IO_DRIVER_USERS_H
#define IO_DRIVER_USERS_H

#include "io/driver/op.h"

struct user {
    uint32_t count;     /* requests in flight */
    bool has_positions; /* a request has found since the last close that the file has positions */
};

/* A zero-initialised table is valid. */
struct users {
    struct user *table; /* by descriptor number */
    uint32_t len;
};

/* Grows the table so that it has a place for `fd`, if that descriptor is open. Returns 0 or
 * -ENOMEM. */
int users_grow(struct users *users, int fd);

void users_finish(struct users *users);

/* Returns -ESPIPE if the request has an offset and its file has no positions, else 0. The request
 * must be counted. */
int users_look(struct users *users, const struct io_op *op);

/* Counts a request, and notes in op->counted whether it did: a descriptor that is not open has no
 * count. Returns 0 or -ENOMEM. */
static inline int users_add(struct users *users, struct io_op *op)
{
    op->counted = false;
    if (__builtin_expect((uint32_t)op->fd >= users->len, 0)) {
        int err = op->fd < 0 ? 0 : users_grow(users, op->fd);
        if (err || (uint32_t)op->fd >= users->len)
            return err;
    }
    users->table[op->fd].count++;
    op->counted = true;
    return 0;
}

static inline void users_remove(struct users *users, const struct io_op *op)
{
    if (op->counted)
        users->table[op->fd].count--;
}

/* Whether users_look() must be called for a request. */
static inline bool users_must_look(const struct users *users, const struct io_op *op)
{
    return op->code >= IO_OP_READ && op->code <= IO_OP_WRITEV && op->off != UINT64_MAX &&
           op->counted && !users->table[op->fd].has_positions;
}

/* For a close: whether there are other requests on the descriptor. Clears `has_positions`, because
 * the number may next belong to a file without positions. */
static inline bool users_close(struct users *users, const struct io_op *op)
{
    if (!op->counted)
        return false;
    users->table[op->fd].has_positions = false;
    return users->table[op->fd].count > 1;
}

#endif

/* SPDX-License-Identifier: MIT */
/* The buffers of a run for multishot receives.
 *
 * The kernel takes a buffer only when bytes have arrived, so a connection without traffic holds no
 * buffer. All receives of the run share the buffers:
 *
 *     receiver                   buffers                     kernel
 *     ring_buffers_join() -----> set up on first use
 *                                provided ----------------->
 *                                                            bytes arrive: it takes a buffer,
 *     ring_buffers_take() <--------------------------------- its number is in the completion
 *     the bytes are copied
 *     ring_buffers_put() ------> provided again ----------->
 *     ring_buffers_leave() <-------------------------------- the last completion of the receive
 *
 * When the kernel finds no buffer, it ends the receive with -ENOBUFS. Then ring_buffers_grow()
 * doubles the number of buffers, up to a limit. When fewer buffers are needed, those that are put
 * back are freed instead of provided. When no receive is in flight and no buffer is held, all
 * buffers are freed, unless only one chunk of them exists.
 *
 * A forked child does not have the memory of the buffers, because the kernel fills them for the
 * parent. In the child, only ring_buffers_destroy() may be called.
 */
#ifndef IO_DRIVER_RING_BUFFERS_H
#define IO_DRIVER_RING_BUFFERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RING_BUFFERS_SIZE = 2048, /* bytes of one buffer */
    RING_BUFFERS_GROUP = 0,   /* the number of the group, which requests name */
    RING_BUFFERS_CHUNK = 64,  /* buffers that are allocated together */
    RING_BUFFERS_MAX = 2048,  /* buffers of a run; a power of two */
};

struct io_uring;
struct ring_buffers;

/* A buffer that the kernel has filled. It belongs to the caller from take() to put(). */
struct ring_piece {
    struct ring_piece *next; /* for the owner's queue */
    char *bytes;             /* the first byte that was not consumed yet; set by the owner */
    uint32_t len;            /* how many bytes were not consumed yet */
    uint16_t number;
    bool retired; /* not provided; will be freed with its chunk */
};

/* Allocates the description of the buffers, but no buffers. NULL: out of memory. */
struct ring_buffers *ring_buffers_create(struct io_uring *uring);

/* Frees everything; the ring must not exist any more. `copy`: in a forked child. Accepts NULL. */
void ring_buffers_destroy(struct ring_buffers *buffers, bool copy);

/* Call this before a multishot receive is submitted. False: no buffers are free, or the kernel does
 * not support them. Then the receive must not be submitted. */
bool ring_buffers_join(struct ring_buffers *buffers);

/* Call this after the last completion of each receive that has joined. */
void ring_buffers_leave(struct ring_buffers *buffers);

/* The buffer with the number that a completion reports, with its `len` bytes. */
struct ring_piece *ring_buffers_take(struct ring_buffers *buffers, unsigned number, uint32_t len);

/* Returns a buffer. */
void ring_buffers_put(struct ring_buffers *buffers, struct ring_piece *piece);

/* Call this when a receive has ended with -ENOBUFS. Returns true if there are free buffers now, and
 * false if the limit is reached or memory is short. */
bool ring_buffers_grow(struct ring_buffers *buffers);

/* For tests: the largest number of buffers, a multiple of RING_BUFFERS_CHUNK. */
void ring_buffers_limit(struct ring_buffers *buffers, unsigned max);

/* For tests and measurements. */
struct ring_buffers_stats {
    unsigned allocated; /* buffers that exist */
    unsigned held;      /* buffers between take() and put() */
    unsigned receives;  /* that have joined */
    uint64_t taken;     /* calls of take() so far */
    uint64_t short_of;  /* calls of grow() so far */
};

struct ring_buffers_stats ring_buffers_stats(const struct ring_buffers *buffers);

#endif

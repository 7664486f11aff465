/* SPDX-License-Identifier: MIT */
/* Names for requests in flight: a slot's number and its generation.
 *
 * The kernel returns a request's name with its completion. With a pointer as the name, a completion
 * that comes twice or late would change memory that something else uses by then. A name stays safe
 * after its request has ended: it finds no request, even when the slot is in use again.
 */
#ifndef IO_DRIVER_SLOTS_H
#define IO_DRIVER_SLOTS_H

#include "io/driver/op.h"

struct slot {
    union {
        struct io_op *op;   /* valid while taken */
        uint32_t next_free; /* valid while free; 0 ends the list */
    };
    uint32_t generation; /* incremented when the slot is released */
    bool taken;
};

/* A zero-initialised table is valid and empty. Number 0 is never used. */
struct slots {
    struct slot *table;
    uint32_t len, first_free;
};

/* Slot numbers are below this, so bit 31 of a name is free for CANCEL_BIT in ring.c. */
#define SLOTS_MAX ((uint32_t)1 << 30)

/* Grows the table; 0 or -ENOMEM. */
int slots_grow(struct slots *slots);

/* Frees the table. */
void slots_finish(struct slots *slots);

/* Assigns a slot to `op` and stores its number in op->slot; 0 or -ENOMEM. */
static inline int slots_acquire(struct slots *slots, struct io_op *op)
{
    if (__builtin_expect(slots->first_free == 0, 0)) {
        int err = slots_grow(slots);
        if (err)
            return err;
    }
    struct slot *slot = &slots->table[slots->first_free];
    op->slot = slots->first_free;
    slots->first_free = slot->next_free;
    slot->op = op;
    slot->taken = true;
    return 0;
}

/* Releases the slot of `op`; from now on the name of `op` finds no request. */
static inline void slots_release(struct slots *slots, struct io_op *op)
{
    struct slot *slot = &slots->table[op->slot];

    slot->generation++;
    slot->taken = false;
    slot->next_free = slots->first_free;
    slots->first_free = op->slot;
    op->slot = 0;
}

static inline uint64_t slots_name(const struct slots *slots, const struct io_op *op)
{
    return (uint64_t)slots->table[op->slot].generation << 32 | op->slot;
}

/* The request with that name, or NULL when it has ended. */
static inline struct io_op *slots_find(const struct slots *slots, uint64_t name)
{
    uint32_t number = (uint32_t)name;

    if (number >= slots->len)
        return NULL;
    const struct slot *slot = &slots->table[number];
    return slot->taken && slot->generation == (uint32_t)(name >> 32) ? slot->op : NULL;
}

#endif

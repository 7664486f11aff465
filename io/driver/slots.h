/* SPDX-License-Identifier: MIT */
/* Names for requests in flight that outlive them harmlessly: a slot's number and its generation.
 *
 * The kernel gives a request's name back with its completion. A pointer would do until a completion
 * comes twice or late and hits whoever has the memory by then; a name whose slot was given back, and
 * perhaps taken again, finds nobody.
 */
#ifndef IO_DRIVER_SLOTS_H
#define IO_DRIVER_SLOTS_H

#include "io/driver/op.h"

struct slot {
    union {
        struct io_op *op;   /* while taken */
        uint32_t next_free; /* while free; 0 ends the list */
    };
    uint32_t generation; /* grows when the slot is given back */
    bool taken;
};

/* Zero-initialised is valid, and empty. Number 0 is never given out. */
struct slots {
    struct slot *table;
    uint32_t len, first_free;
};

/* Numbers stay below this, so that names have a bit to spare. */
#define SLOTS_MAX ((uint32_t)1 << 30)

/* Makes room for more; 0 or -ENOMEM. */
int slots_grow(struct slots *slots);

/* Frees the table. */
void slots_finish(struct slots *slots);

/* Gives `op` a slot, its number in op->slot; 0 or -ENOMEM. */
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

/* Takes the slot back; names of `op` find nobody from now on. */
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

/* The request of that name, or NULL when it has ended. */
static inline struct io_op *slots_find(const struct slots *slots, uint64_t name)
{
    uint32_t number = (uint32_t)name;

    if (number >= slots->len)
        return NULL;
    const struct slot *slot = &slots->table[number];
    return slot->taken && slot->generation == (uint32_t)(name >> 32) ? slot->op : NULL;
}

#endif

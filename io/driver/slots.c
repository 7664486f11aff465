/* SPDX-License-Identifier: MIT */
/* The table of requests in flight: grows and frees it. */
#include "io/driver/slots.h"

#include <errno.h>
#include <stdlib.h>

enum {
    LEN_FIRST = 256,
};

int slots_grow(struct slots *slots)
{
    uint32_t len = slots->len ? slots->len * 2 : LEN_FIRST;
    struct slot *table = len <= SLOTS_MAX ? realloc(slots->table, len * sizeof *table) : NULL;

    if (!table)
        return -ENOMEM;
    for (uint32_t i = slots->len; i < len; i++)
        table[i] = (struct slot){.next_free = i + 1 < len ? i + 1 : slots->first_free};
    slots->first_free = slots->len ? slots->len : 1;
    slots->table = table;
    slots->len = len;
    return 0;
}

void slots_finish(struct slots *slots)
{
    free(slots->table);
    *slots = (struct slots){0};
}

/* SPDX-License-Identifier: MIT */
/* The canary below a stack that has no guard: a cache line with a known pattern. A function that
 * overflows the stack overwrites it, and the next switch away from the context notices that. A
 * frame that is larger than the rest of the stack and the canary can jump over it. */
#ifndef CONTEXT_CANARY_H
#define CONTEXT_CANARY_H

#include <stdbool.h>
#include <stdint.h>

struct context;

struct canary {
    uint64_t words[8];
};

/* Reports that a context has damaged its canary. This module does not know tasks, so the first run
 * sets this function. */
typedef void (*canary_report_fn)(struct context *c);
void canary_report_with(canary_report_fn fn);

/* Reports the context, which has damaged its canary, and aborts. */
__attribute__((noreturn, cold)) void canary_failed(struct context *c);

/* Neither a pointer nor a usual number: no address of a program has the highest bit set. */
#define CANARY_WORD UINT64_C(0x9e3779b97f4a7c15)

/* The canary that is `distance` bytes below a context. */
static inline struct canary *canary_at(const struct context *c, uint32_t distance)
{
    return (struct canary *)((uintptr_t)c - distance);
}

static inline void canary_set(struct canary *canary)
{
    for (int i = 0; i < 8; i++)
        canary->words[i] = CANARY_WORD;
}

static inline bool canary_is_intact(const struct canary *canary)
{
    uint64_t differences = 0;

    for (int i = 0; i < 8; i++)
        differences |= canary->words[i] ^ CANARY_WORD;
    return differences == 0;
}

#endif

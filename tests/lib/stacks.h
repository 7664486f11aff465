/* SPDX-License-Identifier: MIT */
/* Stacks of a pool that no task runs on. */
#ifndef TEST_STACKS_H
#define TEST_STACKS_H

#include <stdlib.h>

#include "runtime/stack.h"
#include "test.h"

static inline void never(void)
{
    abort();
}

static inline struct whorl_task *acquire(struct stack_pool *pool, size_t size)
{
    struct whorl_task *task = stack_acquire(pool, size, never);
    CHECK(task != NULL);
    return task;
}

#endif

/* SPDX-License-Identifier: MIT */
/* Counts forks. */
#include "runtime/base/forks.h"

#include <pthread.h>

unsigned forks_depth;
atomic_uint forks_made;

static void after_fork_in_parent(void)
{
    atomic_fetch_add_explicit(&forks_made, 1, memory_order_relaxed);
}

static void after_fork_in_child(void)
{
    after_fork_in_parent();
    forks_depth++;
}

static void watch(void)
{
    /* Without memory for the handlers, no fork is noticed. */
    (void)pthread_atfork(NULL, after_fork_in_parent, after_fork_in_child);
}

unsigned forks_watch(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, watch);
    return forks_depth;
}

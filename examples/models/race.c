/* SPDX-License-Identifier: MIT */
/* The race: two threads add to one counter without a lock. Each reads, adds and writes, and what the
 * other wrote in between is lost. How often is chance, so it is tried until it happens.
 * Next: race_cured.c */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { ADDS = 1000000, TRIES = 100 };

/* Atomic only so that reading and writing are what the source says; adding is not. */
static atomic_int counter;

static void *add(void *arg)
{
    (void)arg;
    for (int i = 0; i < ADDS; i++) {
        int seen = atomic_load_explicit(&counter, memory_order_relaxed);
        atomic_store_explicit(&counter, seen + 1, memory_order_relaxed);
    }
    return NULL;
}

int main(void)
{
    int lost = 0, tries = 0;

    while (lost == 0 && tries++ < TRIES) {
        pthread_t one, two;
        counter = 0;
        if (pthread_create(&one, NULL, add, NULL) != 0)
            return 1;
        if (pthread_create(&two, NULL, add, NULL) == 0)
            pthread_join(two, NULL);
        pthread_join(one, NULL);
        lost = 2 * ADDS - counter;
    }
    printf("%d additions, %d counted, %d lost\n", 2 * ADDS, counter, lost);
    return lost > 0 ? 0 : 1;
}

/* SPDX-License-Identifier: MIT */
/* Faults: makes allocations of the code under test fail by number, so that a test reaches every
 * path that runs out of memory.
 *
 *     static int round_trip(void *arg)      // 0, or -ENOMEM with everything released
 *     {
 *         return whorl_run_virtual(NULL, root, arg);
 *     }
 *
 *     TEST(run_survives_every_failed_allocation)
 *     {
 *         CHECK(faults_sweep(round_trip, NULL) > 3);
 *     }
 *
 * It counts calls of malloc, calloc, realloc, reallocarray, aligned_alloc, posix_memalign, strdup,
 * strndup and mmap from the library or the test itself, on the thread that called faults_arm(). It
 * does not count calls inside other libraries. The sanitizer finds leaks; a test can also check
 * them with faults_live().
 */
#ifndef TEST_FAULTS_H
#define TEST_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

/* The `nth` allocation after this call (1: the next) fails once with ENOMEM. */
void faults_arm(uint64_t nth);

/* Cancels faults_arm(). Returns whether the allocation has failed. */
bool faults_disarm(void);

/* Number of allocations since faults_arm(). */
uint64_t faults_seen(void);

/* Number of blocks allocated minus blocks freed so far, by all threads; mmap is not counted. */
long faults_live(void);

/* Calls `fn(arg)` again and again, with its 1st, 2nd, ... allocation failing, until no allocation
 * fails. Fails the test when `fn` returns another result than 0 or -ENOMEM, when it returns another
 * result than 0 without a failed allocation, or when it leaves a descriptor open. Returns the
 * number of allocations that were made to fail. */
uint64_t faults_sweep(int (*fn)(void *arg), void *arg);

#endif

/* SPDX-License-Identifier: MIT */
/* Faults: allocations of the code under test that fail by number, so that every path out of memory
 * is walked.
 *
 *     static int round_trip(void *arg)      // 0, or -ENOMEM with everything given back
 *     {
 *         return whorl_run_virtual(NULL, root, arg);
 *     }
 *
 *     TEST(run_survives_every_failed_allocation)
 *     {
 *         CHECK(faults_sweep(round_trip, NULL) > 3);
 *     }
 *
 * Counted are malloc, calloc, realloc, reallocarray, aligned_alloc, posix_memalign, strdup, strndup
 * and mmap, called from the library or the test itself, on the thread that armed; not those inside
 * other libraries. Leaks are the sanitizer's to find, and faults_live()'s where a test wants to know.
 */
#ifndef TEST_FAULTS_H
#define TEST_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

/* The `nth` allocation from now on (1: the next) fails once with ENOMEM. */
void faults_arm(uint64_t nth);

/* Ends that; returns whether it has struck. */
bool faults_disarm(void);

/* How many allocations there have been since faults_arm(). */
uint64_t faults_seen(void);

/* Blocks allocated minus blocks freed so far, by all threads; mmap is not counted. */
long faults_live(void);

/* Calls `fn(arg)` with its 1st, 2nd, ... allocation failing until it passes untouched. Fails the
 * test when `fn` returns anything but 0 or -ENOMEM, anything but 0 when untouched, or leaves a
 * descriptor open. Returns how many allocations were made to fail. */
uint64_t faults_sweep(int (*fn)(void *arg), void *arg);

#endif

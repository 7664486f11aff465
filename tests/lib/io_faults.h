/* SPDX-License-Identifier: MIT */
/* Faults of the I/O driver: requests that are refused or fail by number, rings that cannot be set
 * up, and a kernel that is short of memory.
 *
 *     static int copy_once(void *arg)       // 0, or the error, with everything given back
 *     {
 *         return whorl_io_run(copy, arg);
 *     }
 *
 *     TEST(copy_survives_every_failed_request)
 *     {
 *         CHECK(io_faults_sweep(copy_once, NULL, -EIO) > 3);
 *     }
 *
 * Requests of all runs on this thread are counted, in the order in which they are submitted. Closes
 * are not: a close that fails would be a descriptor lost. For failed allocations see faults.h.
 */
#ifndef TEST_IO_FAULTS_H
#define TEST_IO_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

/* The `nth` request from now on (1: the next) is not carried out and completes with `err`. */
void io_faults_complete(uint64_t nth, int err);

/* The `nth` request from now on is refused with -ENOMEM when it is submitted. */
void io_faults_submit(uint64_t nth);

/* Ends either; returns whether it has struck. */
bool io_faults_disarm(void);

/* Calls `fn(arg)` with its 1st, 2nd, ... request completing with `err` until it passes untouched,
 * then again with each being refused with -ENOMEM. Fails the test when `fn` returns anything but 0,
 * `err` (or -ENOMEM), anything but 0 when untouched, or leaves a descriptor open. Returns how many
 * requests were made to fail. */
uint64_t io_faults_sweep(int (*fn)(void *arg), void *arg, int err);

/* Setting up a ring fails with `err` (0: does not) and refuses these IORING_SETUP_ flags with
 * -EINVAL, as an older kernel would. In force until changed. */
void io_faults_setup(int err, unsigned refused_flags);

/* Rings are set up without these IORING_FEAT_ bits. In force until changed. */
void io_faults_features(unsigned missing);

/* Rings are set up as on a kernel whose last opcode is this one (IORING_OP_). In force until changed. */
void io_faults_opcodes(unsigned last);

/* The next `count` calls of io_uring_enter that submit something take nothing and return `err`. */
void io_faults_enter(unsigned count, int err);

#endif

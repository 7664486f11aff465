/* SPDX-License-Identifier: MIT */
/* Faults of the I/O driver: requests that are refused or fail by number, rings that cannot be set
 * up, and a kernel that is short of memory.
 *
 *     static int copy_once(void *arg)       // 0, or the error, with everything released
 *     {
 *         return whorl_io_run(copy, arg);
 *     }
 *
 *     TEST(copy_survives_every_failed_request)
 *     {
 *         CHECK(io_faults_sweep(copy_once, NULL, -EIO) > 3);
 *     }
 *
 * The environment variable TEST_KERNEL makes all rings of a test program like those of an older
 * kernel, see io_faults_kernel().
 *
 * Requests of all runs on this thread are counted in the order of their submission. Closes are not
 * counted: a close that fails would lose a descriptor. For failed allocations see faults.h.
 */
#ifndef TEST_IO_FAULTS_H
#define TEST_IO_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

/* The `nth` request after this call (1: the next) is not executed and completes with `err`. */
void io_faults_complete(uint64_t nth, int err);

/* The `nth` request after this call is refused with -ENOMEM when it is submitted. */
void io_faults_submit(uint64_t nth);

/* Cancels either of these. Returns whether the request has failed. */
bool io_faults_disarm(void);

/* Calls `fn(arg)` again and again, with its 1st, 2nd, ... request completing with `err`, until no
 * request fails; then once more with each request refused with -ENOMEM. Fails the test when `fn`
 * returns another result than 0 or `err` (or -ENOMEM), when it returns another result than 0
 * without a failed request, or when it leaves a descriptor open. Returns the number of requests
 * that were made to fail. */
uint64_t io_faults_sweep(int (*fn)(void *arg), void *arg, int err);

/* Makes the setup of a ring fail with `err` (0: succeed) and refuse these IORING_SETUP_ flags with
 * -EINVAL, as an older kernel does. Valid until changed. */
void io_faults_setup(int err, unsigned refused_flags);

/* Hides these IORING_FEAT_ bits of rings that are set up later. Valid until changed. */
void io_faults_features(unsigned missing);

/* Rings that are set up later behave as on a kernel whose last opcode is this one (IORING_OP_).
 * Valid until changed. */
void io_faults_opcodes(unsigned last);

/* Rings that are set up later behave as on this kernel: 5.11, 5.15, 5.19, 6.1 or 6.12. They refuse
 * the flags and opcodes that it lacked: at setup, in the list of opcodes, and when such a request
 * is submitted. NULL: as on the kernel that runs. Valid until changed. */
void io_faults_kernel(const char *version);

/* Skips the test when it runs with a kernel on which a request completes once only: before 5.19 for
 * accepts, before 5.13 for polls. For tests of multishot requests. */
void io_faults_need_multishot(void);

/* The versions that io_faults_kernel() knows, the oldest first; the last one is NULL. */
extern const char *const io_faults_kernels[];

/* How many requests were submitted since the last call whose opcode the kernel lacks, and how many
 * with a flag that it lacks. Their results are -EINVAL. */
struct io_faults_refused {
    unsigned opcodes, flags;
};
struct io_faults_refused io_faults_refused(void);

/* The next `count` calls of io_uring_enter that submit something take nothing and return `err`. */
void io_faults_enter(unsigned count, int err);

#endif

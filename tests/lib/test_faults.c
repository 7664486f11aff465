/* SPDX-License-Identifier: MIT */
/* Tests the fault counter: a sweep reaches every allocation and detects wrong results. */
#include <stdlib.h>
#include <sys/mman.h>

#include <whorl/run.h>

#include "faults.h"
#include "test.h"

/* Keeps the compiler from removing an allocation whose memory is not used. */
static void *used(void *memory)
{
    __asm__ volatile("" : "+r"(memory) : : "memory");
    return memory;
}

static int three_allocations(void *arg)
{
    int *failures = arg, err = -ENOMEM;
    char *a = used(malloc(10)), *b = a ? strdup("word") : NULL;
    void *c = b ? mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : MAP_FAILED;

    if (c != MAP_FAILED) {
        munmap(c, 4096);
        err = 0;
    }
    free(b);
    free(a);
    *failures += err != 0;
    return err;
}

TEST(sweep_fails_each_allocation_once)
{
    int failures = 0;
    CHECK_EQ(faults_sweep(three_allocations, &failures), 3);
    CHECK_EQ(failures, 3);
}

TEST(nothing_fails_when_not_armed)
{
    faults_arm(1);
    CHECK(used(malloc(1)) == NULL);
    CHECK_EQ(errno, ENOMEM);
    CHECK(faults_disarm());
    int failures = 0;
    CHECK_OK(three_allocations(&failures));
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int run_nothing(void *arg)
{
    return whorl_run_virtual(NULL, nothing, arg);
}

TEST(a_run_survives_every_failed_allocation)
{
    CHECK(faults_sweep(run_nothing, NULL) >= 1);
}

TEST_MAIN()

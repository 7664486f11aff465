/* SPDX-License-Identifier: MIT */
/* Runs: one run per thread, any number of threads, and everything is released at the end. */
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <whorl/chan.h>
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/sync.h>
#include <whorl/task.h>

#include "faults.h"
#include "runtime/sched.h"
#include "test.h"

#define MS WHORL_MILLISECOND

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int run_inside(void *arg)
{
    (void)arg;
    CHECK_ERR(whorl_run(nothing, NULL), WHORL_EBUSYRUN);
    CHECK_ERR(whorl_run_virtual(NULL, nothing, NULL), WHORL_EBUSYRUN);
    CHECK_OK(whorl_yield()); /* the running run is not affected */
    return 5;
}

TEST(a_run_inside_a_run_is_refused)
{
    CHECK_EQ(whorl_run_virtual(NULL, run_inside, NULL), 5);
    CHECK_EQ(whorl_run(run_inside, NULL), 5);
}

/* Uses a little of everything. */
static int ping(void *arg)
{
    struct whorl_chan **chans = arg;
    int n;

    while (whorl_chan_recv(chans[0], &n) == 0) {
        n++;
        CHECK_OK(whorl_chan_send(chans[1], &n));
    }
    return 0;
}

static int sleep_a_bit(void *arg)
{
    (void)arg;
    return whorl_sleep(WHORL_MILLISECOND);
}

static int live_a_little(void *arg)
{
    WHORL_AUTO(chan) *there = NULL, *back = NULL;
    CHECK_OK(whorl_chan_create(sizeof(int), 0, &there));
    CHECK_OK(whorl_chan_create(sizeof(int), 1, &back));
    WHORL_AUTO(group) group = {0};
    struct whorl_chan *chans[] = {there, back};
    struct whorl_scope scope;
    int n = 0;

    CHECK_OK(whorl_spawn(&group, ping, chans));
    for (int i = 0; i < 100; i++) {
        CHECK_OK(whorl_chan_send(there, &n));
        CHECK_OK(whorl_chan_recv(back, &n));
        CHECK_OK(whorl_spawn(&group, sleep_a_bit, NULL));
    }
    CHECK_EQ(n, 100);
    whorl_scope_enter(&scope, whorl_after(MS / 10));
    CHECK_ERR(whorl_scope_leave(&scope, whorl_sleep(WHORL_HOUR)), -ETIMEDOUT);
    whorl_chan_close(there);
    CHECK_OK(whorl_group_wait(&group));
    return arg ? *(int *)arg : 0;
}

static void *run_in_thread(void *arg)
{
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(whorl_run(live_a_little, arg), *(int *)arg);
        CHECK_EQ(whorl_run_virtual(NULL, live_a_little, arg), *(int *)arg);
    }
    return NULL;
}

TEST(threads_have_runs_of_their_own_at_once)
{
    pthread_t threads[8];
    int results[8];

    for (int i = 0; i < 8; i++) {
        results[i] = i + 1;
        CHECK_EQ(pthread_create(&threads[i], NULL, run_in_thread, &results[i]), 0);
    }
    for (int i = 0; i < 8; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

/* Only the loop uses the thread's own stack. */
TEST(a_thread_with_a_small_stack_can_have_a_run)
{
    pthread_attr_t attr;
    pthread_t thread;
    int result = 1;

    CHECK_EQ(pthread_attr_init(&attr), 0);
    long least = sysconf(_SC_THREAD_STACK_MIN);          /* 16 KiB on x86-64, 128 KiB on aarch64 */
    size_t size = least > 32768 ? (size_t)least : 32768; /* glibc uses part of it */
#ifdef CONTEXT_SANITIZED
    size = 262144;
#endif
    CHECK_EQ(pthread_attr_setstacksize(&attr, size), 0);
    CHECK_EQ(pthread_create(&thread, &attr, run_in_thread, &result), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attr);
}

TEST(a_run_gives_everything_back)
{
    CHECK_OK(whorl_run(live_a_little, NULL)); /* first let libc allocate what it keeps */
    long blocks = faults_live();
    int fds = test_open_fds();
    for (int i = 0; i < 20; i++)
        CHECK_OK(i % 2 ? whorl_run(live_a_little, NULL)
                       : whorl_run_virtual(NULL, live_a_little, NULL));
    CHECK_EQ(faults_live(), blocks);
    CHECK_EQ(test_open_fds(), fds);
}

static int fill_stacks(void *arg)
{
    WHORL_AUTO(group) group = {0};

    (void)arg;
    for (int i = 0; i < 2000; i++)
        CHECK_OK(whorl_spawn(&group, sleep_a_bit, NULL));
    return whorl_group_wait(&group);
}

static unsigned long mapped_pages(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned long low, high, bytes = 0;
    char line[4096];

    CHECK(maps != NULL);
    while (fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%lx", &low, &high) == 2)
            bytes += high - low;
    fclose(maps);
    return bytes / 4096;
}

TEST(a_run_unmaps_its_stacks)
{
    CHECK_OK(whorl_run_virtual(NULL, fill_stacks, NULL));
    unsigned long before = mapped_pages();
    for (int i = 0; i < 5; i++)
        CHECK_OK(whorl_run_virtual(NULL, fill_stacks, NULL));
    CHECK(mapped_pages() < before + 1000); /* 2,000 stacks are 34,000 pages */
}

/* --- options --------------------------------------------------------------------------------- */

static int check_root_stack(void *arg)
{
    size_t left = whorl_task_stack_left();
    CHECK(left > *(size_t *)arg - 8192 && left < *(size_t *)arg);
    return 0;
}

static int check_task_stack(void *arg)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, check_root_stack, arg));
    return whorl_group_wait(&group);
}

TEST(options_set_the_sizes_of_stacks)
{
    size_t size = 2 << 20;

    CHECK_OK(whorl_run_virtual(&(struct whorl_virtual_options){.run.root_stack_size = size - 100},
                               check_root_stack, &size));
    CHECK_OK(whorl_run_virtual(&(struct whorl_virtual_options){.run.stack_size = size},
                               check_task_stack, &size));
    CHECK_ERR(whorl_run_virtual(&(struct whorl_virtual_options){.run.root_stack_size = SIZE_MAX},
                                nothing, NULL),
              -ENOMEM);
}

static int check_defaults(void *arg)
{
    size_t scale = arg ? *(size_t *)arg : 1, size = 256 * 1024 * scale;

    CHECK_OK(check_root_stack(&size));
    size = 64 * 1024 * scale;
    return check_task_stack(&size);
}

TEST(defaults_are_as_documented)
{
#ifdef CONTEXT_SANITIZED
    size_t scale = 4;
#else
    size_t scale = 1;
#endif
    CHECK_OK(whorl_run_virtual(NULL, check_defaults, &scale));
}

/* --- virtual time ---------------------------------------------------------------------------- */

static int look_at_clock(void *arg)
{
    int64_t start = *(int64_t *)arg;

    CHECK_EQ(whorl_now(), start);
    CHECK_OK(whorl_sleep(WHORL_HOUR));
    CHECK_EQ(whorl_now(), start + WHORL_HOUR);
    struct whorl_scope scope;
    whorl_scope_enter(&scope, whorl_after(MS));
    CHECK_ERR(whorl_scope_leave(&scope, whorl_sleep(WHORL_HOUR)), -ETIMEDOUT);
    CHECK_EQ(whorl_now(), start + WHORL_HOUR + MS);
    return 0;
}

TEST(a_virtual_clock_starts_where_it_is_told)
{
    static const int64_t starts[] = {0, 1, WHORL_SECOND, 4102444800 * WHORL_SECOND,
                                     INT64_MAX - 2 * WHORL_HOUR};

    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        int64_t start = starts[i];
        struct whorl_virtual_options options = {.start_ns = start};
        CHECK_OK(whorl_run_virtual(&options, look_at_clock, &start));
    }
}

static int sleep_three_times(void *arg)
{
    for (int i = 0; i < 3; i++) {
        CHECK_OK(whorl_sleep(*(int64_t *)arg));
        test_log("%lld", (long long)(whorl_now() / WHORL_MINUTE));
    }
    return 0;
}

static int keep_three_clocks(void *arg)
{
    static int64_t intervals[] = {WHORL_HOUR, 45 * WHORL_MINUTE, 20 * WHORL_MINUTE};
    WHORL_AUTO(group) group = {0};

    (void)arg;
    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_spawn(&group, sleep_three_times, &intervals[i]));
    return whorl_group_wait(&group);
}

TEST(hours_of_virtual_time_pass_in_order)
{
    CHECK_OK(whorl_run_virtual(NULL, keep_three_clocks, NULL));
    CHECK_STR(test_logged(), "20 40 45 60 60 90 120 135 180");
}

TEST_MAIN()

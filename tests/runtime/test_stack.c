/* SPDX-License-Identifier: MIT */
/* Stacks: sizes, reuse and return of memory. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/task.h>

#include "child.h"
#include "runtime/sched.h"
#include "stacks.h"
#include "test.h"

/* Sanitizers make stacks larger and keep notes of their own about memory. */
#ifdef CONTEXT_SANITIZED
#define SANITIZED 1
#define SMALLEST  65536
#define SPIKE     2000
#else
#define SANITIZED 0
#define SMALLEST  16384
#define SPIKE     50000
#endif

/* Number of mappings of this process. */
static int mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    int n = 0, c;

    CHECK(maps != NULL);
    while ((c = getc(maps)) != EOF)
        n += c == '\n';
    fclose(maps);
    return n;
}

static size_t resident(void)
{
    FILE *statm = fopen("/proc/self/statm", "r");
    unsigned long size, pages;

    CHECK(statm != NULL);
    CHECK_EQ(fscanf(statm, "%lu %lu", &size, &pages), 2);
    fclose(statm);
    return pages * 4096;
}

/* --- the pool by itself ---------------------------------------------------------------------- */

TEST(sizes_round_up_to_a_power_of_two)
{
    struct stack_pool pool;

    stack_pool_init(&pool);
    struct {
        size_t asked, got;
    } sizes[] = {
        {8193, SMALLEST}, {SMALLEST, SMALLEST}, {SMALLEST + 1, 2 * SMALLEST},
        {262144, 262144}, {262145, 524288},     {100 << 20, 128 << 20},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct whorl_task *task = acquire(&pool, sizes[i].asked);
        CHECK_EQ(stack_size_of(task), sizes[i].got);
        stack_release(&pool, task);
    }
    CHECK(!stack_acquire(&pool, SIZE_MAX, never));
    CHECK(!stack_acquire(&pool, ((size_t)SMALLEST << (STACK_CLASSES - 1)) + 1, never));
    stack_pool_finish(&pool);
}

TEST(of_a_slabs_stacks_the_one_released_last_is_reused_first)
{
    struct whorl_task *tasks[100];
    struct stack_pool pool;

    stack_pool_init(&pool);
    for (int i = 0; i < 100; i++)
        tasks[i] = acquire(&pool, 65536);
    for (int first = 3; first < 100; first += 90) {
        stack_release(&pool, tasks[first]);
        stack_release(&pool, tasks[first + 2]);
        stack_release(&pool, tasks[first + 1]);
        CHECK(acquire(&pool, 65536) == tasks[first + 1]);
        CHECK(acquire(&pool, 65536) == tasks[first + 2]);
        CHECK(acquire(&pool, 65536) == tasks[first]);
    }
    for (int i = 0; i < 100; i++)
        stack_release(&pool, tasks[i]);
    stack_pool_finish(&pool);
}

TEST(stacks_do_not_overlap_and_hold_their_records)
{
    enum { N = 1500 };
    static struct whorl_task *tasks[N];
    struct stack_pool pool;

    stack_pool_init(&pool);
    for (int i = 0; i < N; i++) {
        struct whorl_task *task = tasks[i] = acquire(&pool, i % 3 ? 65536 : 131072);
        char *low = task->stack_low;
        size_t size = stack_size_of(task);
        CHECK_EQ((uintptr_t)low % 4096, 0);
        CHECK((char *)task > low && (char *)(task + 1) <= low + size);
        CHECK_EQ((uintptr_t)task % 64, 0);
        CHECK((char *)task - low > (ptrdiff_t)size - 4096); /* a parked task has one page */
        CHECK_EQ(task->magic, TASK_MAGIC);
        memset(low, i & 0xff, 4096);
        memset(low + size - 4096 + 8, i & 0xff, 64);
    }
    for (int i = 0; i < N; i++) {
        const unsigned char *low = tasks[i]->stack_low;
        for (int k = 0; k < 4096; k++)
            CHECK_EQ(low[k], i & 0xff);
        for (int k = 0; k < 64; k++)
            CHECK_EQ(low[stack_size_of(tasks[i]) - 4096 + 8 + (size_t)k], i & 0xff);
    }
    for (int i = 0; i < N; i++)
        stack_release(&pool, tasks[i]);
    stack_pool_finish(&pool);
}

TEST(slabs_grow_and_are_all_unmapped_at_the_end)
{
    static struct whorl_task *tasks[3000];
    struct stack_pool pool;
    int before = mappings();

    stack_pool_init(&pool);
    for (size_t i = 0; i < 3000; i++) {
        tasks[i] = acquire(&pool, 65536);
        CHECK_EQ(pool.mapped - pool.free, i + 1);
    }
    /* Not one mapping for each stack. Guards made with mprotect() are mappings. */
    CHECK(SANITIZED || pool.guard == STACK_GUARD_MPROTECT || mappings() - before < 40);
    for (size_t i = 0; i < 3000; i++)
        stack_release(&pool, tasks[i]);
    CHECK_EQ(pool.mapped, pool.free);
    stack_pool_finish(&pool);
    CHECK_EQ(pool.mapped, 0);
    CHECK(SANITIZED || mappings() - before <= 2); /* mappings of malloc and stdio */
}

/* Acquires and releases stacks in random order, and compares the pool's counts with the test's
 * own. */
TEST(the_pools_counts_hold_in_any_order_of_use)
{
    enum { N = 4000 };
    static struct whorl_task *tasks[N];
    struct stack_pool pool;
    uint32_t x = 1;
    int64_t now = 0;
    size_t live = 0;

    stack_pool_init(&pool);
    for (int step = 0; step < 60000; step++) {
        x = x * 1664525 + 1013904223;
        size_t i = (x >> 8) % (step % 20000 < 10000 ? N : N / 100);
        if (!tasks[i]) {
            tasks[i] = acquire(&pool, x >> 31 ? 65536 : SMALLEST);
            CHECK(!tasks[i]->in_use);
            tasks[i]->in_use = true;
            live++;
        } else {
            CHECK(tasks[i]->in_use);
            tasks[i]->in_use = false;
            stack_release(&pool, tasks[i]);
            tasks[i] = NULL;
            live--;
        }
        CHECK_EQ(pool.mapped - pool.free, live);
        if (step % 1000 == 999) {
            now += WHORL_SECOND / 2;
            stack_pool_trim(&pool, now, WHORL_SECOND);
        }
        if (step % 20000 == 10000)
            for (size_t k = N / 100; k < N; k++)
                if (tasks[k]) {
                    tasks[k]->in_use = false;
                    stack_release(&pool, tasks[k]);
                    tasks[k] = NULL;
                    live--;
                }
    }
    for (size_t i = 0; i < N; i++)
        if (tasks[i])
            stack_release(&pool, tasks[i]);
    stack_pool_trim(&pool, now, 0);
    CHECK_EQ(pool.mapped, pool.free);
    CHECK(pool.mapped <= 32); /* the smallest slab of each class */
    stack_pool_finish(&pool);
}

TEST(empty_slabs_go_when_they_are_old_enough)
{
    static struct whorl_task *tasks[1000];
    struct stack_pool pool;

    stack_pool_init(&pool);
    CHECK_EQ(pool.trim_at_ns, WHORL_FOREVER);
    for (int i = 0; i < 1000; i++)
        tasks[i] = acquire(&pool, 65536);
    size_t all = pool.mapped;
    for (int i = 0; i < 1000; i++)
        stack_release(&pool, tasks[i]);
    CHECK(pool.trim_at_ns <= 5 * WHORL_SECOND);
    stack_pool_trim(&pool, 5 * WHORL_SECOND, WHORL_SECOND);
    CHECK_EQ(pool.mapped, all);
    CHECK_EQ(pool.trim_at_ns, 6 * WHORL_SECOND);
    stack_pool_trim(&pool, 6 * WHORL_SECOND - 1, WHORL_SECOND);
    CHECK_EQ(pool.mapped, all);
    stack_pool_trim(&pool, 6 * WHORL_SECOND, WHORL_SECOND);
    CHECK_EQ(pool.mapped, 16);
    CHECK_EQ(pool.trim_at_ns, WHORL_FOREVER);
    stack_pool_finish(&pool);
}

TEST(a_slab_used_again_is_not_old)
{
    static struct whorl_task *tasks[100];
    struct stack_pool pool;

    stack_pool_init(&pool);
    for (int i = 0; i < 100; i++)
        tasks[i] = acquire(&pool, 65536);
    for (int i = 0; i < 100; i++)
        stack_release(&pool, tasks[i]);
    stack_pool_trim(&pool, WHORL_SECOND, WHORL_SECOND);
    struct whorl_task *again = acquire(&pool, 65536);
    stack_pool_trim(&pool, 10 * WHORL_SECOND, WHORL_SECOND);
    memset(again->stack_low, 1, 65536 / 2); /* its memory is still mapped */
    stack_release(&pool, again);
    stack_pool_trim(&pool, 11 * WHORL_SECOND, WHORL_SECOND);
    size_t mapped = pool.mapped;
    stack_pool_trim(&pool, 12 * WHORL_SECOND - 1, WHORL_SECOND);
    CHECK_EQ(pool.mapped, mapped);
    stack_pool_trim(&pool, 12 * WHORL_SECOND, WHORL_SECOND);
    CHECK(pool.mapped < mapped || mapped == 16);
    stack_pool_finish(&pool);
}

/* One of every 64 tasks outlives a spike. */
TEST(a_slab_with_few_stacks_in_use_gives_the_memory_of_the_others_back)
{
    enum { N = 4096, SURVIVORS = N / 64 };
    static struct whorl_task *tasks[N];
    struct stack_pool pool;

    stack_pool_init(&pool);
    for (int i = 0; i < N; i++) {
        tasks[i] = acquire(&pool, 65536);
        memset((char *)tasks[i] - 16384, i, 12288);
    }
    size_t mapped = pool.mapped, peak = resident();
    for (int i = 0; i < N; i++)
        if (i % 64)
            stack_release(&pool, tasks[i]);
    CHECK_EQ(pool.trim_at_ns, 0);
    stack_pool_trim(&pool, WHORL_SECOND, WHORL_SECOND);
    CHECK_EQ(pool.trim_at_ns, 2 * WHORL_SECOND);
    CHECK(SANITIZED || resident() > peak - (1 << 20));
    stack_pool_trim(&pool, 2 * WHORL_SECOND, WHORL_SECOND);
    CHECK_EQ(pool.trim_at_ns, WHORL_FOREVER);
    size_t after = resident();
    printf("resident: %zu at the peak, %zu after\n", peak, after);
    CHECK(SANITIZED || after < peak - (size_t)(N - 2 * SURVIVORS) * 16384);
    CHECK_EQ(pool.free, pool.mapped - SURVIVORS);

    bool in_guard;
    CHECK(stack_find(&pool, (char *)tasks[N - 1] - 100, &in_guard) == NULL);
    CHECK(stack_find(&pool, (char *)tasks[64] - 100, &in_guard) == tasks[64]);
    for (int i = 0; i < N; i += 64)
        for (char *p = (char *)tasks[i] - 16384; p < (char *)tasks[i] - 4096; p++)
            CHECK_EQ(*p, (char)i);
    /* The stripped stacks are used before another slab is mapped, and work like new ones. */
    for (int i = 0; i < N; i++)
        if (i % 64) {
            tasks[i] = acquire(&pool, 65536);
            CHECK(stack_find(&pool, tasks[i]->stack_low, &in_guard) == tasks[i] && !in_guard);
            CHECK(stack_find(&pool, (char *)tasks[i]->stack_low - 1, &in_guard) && in_guard);
            memset(tasks[i]->stack_low, 1, 4096);
        }
    CHECK(pool.mapped <= mapped);
    for (int i = 0; i < N; i++)
        stack_release(&pool, tasks[i]);
    stack_pool_finish(&pool);
}

/* Whether the page is in memory. */
static bool is_present(const void *at)
{
    unsigned char present;

    CHECK_EQ(mincore((void *)((uintptr_t)at & ~(uintptr_t)4095), 4096, &present), 0);
    return present & 1;
}

/* In one slab a few tasks at a time start and end. Another slab becomes empty now and then. */
TEST(a_slab_in_steady_use_stays_as_it_is_when_others_are_trimmed)
{
    static struct whorl_task *tasks[112];
    struct stack_pool pool;
    int64_t now = WHORL_HOUR;
    char *low = NULL;

    stack_pool_init(&pool);
    for (int i = 0; i < 112; i++) /* slabs of 16, 32 and 64 */
        tasks[i] = acquire(&pool, 65536);
    for (int i = 56; i < 112; i++)
        stack_release(&pool, tasks[i]);
    stack_pool_trim(&pool, now, WHORL_SECOND);
    stack_pool_trim(&pool, now += WHORL_SECOND, WHORL_SECOND); /* returns the memory of the spike */
    CHECK(!is_present(tasks[60]));
    for (int round = 0; round < 5; round++) {
        struct whorl_task *task = acquire(&pool, 65536);
        CHECK(round == 0 || task->stack_low == low);
        low = task->stack_low;
        *low = 1;
        stack_release(&pool, task);
        stack_release(&pool, acquire(&pool, 131072));
        stack_pool_trim(&pool, now += WHORL_MILLISECOND, WHORL_SECOND);
        CHECK(is_present(low));
    }
    for (int i = 0; i < 56; i++)
        stack_release(&pool, tasks[i]);
    stack_pool_finish(&pool);
}

TEST(a_slab_that_is_being_filled_stays_as_it_is_when_others_are_trimmed)
{
    static struct whorl_task *tasks[60];
    struct stack_pool pool;

    stack_pool_init(&pool);
    for (int i = 0; i < 60; i++) /* slabs of 16, 32 and 64 */
        tasks[i] = acquire(&pool, 65536);
    char *low = tasks[59]->stack_low;
    *low = 1;
    stack_release(&pool, tasks[59]);
    stack_release(&pool, acquire(&pool, 131072));
    stack_pool_trim(&pool, WHORL_HOUR, WHORL_SECOND);
    CHECK(is_present(low));
    for (int i = 0; i < 59; i++)
        stack_release(&pool, tasks[i]);
    stack_pool_finish(&pool);
}

TEST(a_trim_that_is_asked_for_leaves_no_free_stack_its_memory)
{
    static struct whorl_task *tasks[112];
    char *lows[112];
    struct stack_pool pool;

    stack_pool_init(&pool);
    for (int left = 111; left >= 0; left -= 37) {
        for (int i = 0; i < 112; i++) {
            tasks[i] = acquire(&pool, 65536);
            lows[i] = tasks[i]->stack_low;
            *lows[i] = 1;
        }
        size_t mapped = pool.mapped;
        for (int i = 0; i < 112; i++)
            if (i % 16 || i > left)
                stack_release(&pool, tasks[i]);
        stack_pool_trim(&pool, WHORL_HOUR, 0);
        CHECK_EQ(pool.trim_at_ns, WHORL_FOREVER);
        for (int i = 0; i < 112; i++)
            if (i % 16 == 0 && i <= left)
                CHECK_EQ(*lows[i], 1);
            else if (pool.mapped == mapped || i < 16)
                CHECK(!is_present(lows[i]));
        for (int i = 0; i <= left; i += 16)
            stack_release(&pool, tasks[i]);
    }
    stack_pool_finish(&pool);
}

/* Slabs that become full and empty all the time are checked once per second, not whenever the loop
 * is idle. */
TEST(trims_follow_each_other_at_a_distance)
{
    struct whorl_task *tasks[16];
    struct stack_pool pool;
    int64_t now = WHORL_HOUR;
    int trims = 0;

    stack_pool_init(&pool);
    for (int i = 0; i < 16; i++)
        tasks[i] = acquire(&pool, 65536);
    for (int i = 0; i < 10000; i++, now += WHORL_MILLISECOND) {
        stack_release(&pool, acquire(&pool, 65536)); /* in the second slab of this class */
        if (now >= pool.trim_at_ns) {
            stack_pool_trim(&pool, now, WHORL_SECOND);
            trims++;
        }
    }
    CHECK(trims > 5 && trims < 15);
    for (int i = 0; i < 16; i++)
        stack_release(&pool, tasks[i]);
    stack_pool_finish(&pool);
}

/* One task outlives a spike of tasks whose stacks are so large that a slab has only a few. */
TEST(a_slab_of_few_large_stacks_gives_their_memory_back_too)
{
    enum { N = 63, SIZE = 1 << 20 };
    static struct whorl_task *tasks[N];
    struct stack_pool pool;

    stack_pool_init(&pool);
    for (int i = 0; i < N; i++) { /* slabs of 1, 2, 4, ..., 32 */
        tasks[i] = acquire(&pool, SIZE);
        memset((char *)tasks[i] - SIZE / 2, i, SIZE / 2);
    }
    size_t peak = resident();
    for (int i = 0; i < N; i++)
        if (i != 31)
            stack_release(&pool, tasks[i]);
    stack_pool_trim(&pool, WHORL_SECOND, WHORL_SECOND);
    stack_pool_trim(&pool, 2 * WHORL_SECOND, WHORL_SECOND);
    size_t after = resident();
    printf("resident: %zu at the peak, %zu after\n", peak, after);
    CHECK(SANITIZED || after < peak - (size_t)(N - 4) * SIZE / 2);
    stack_release(&pool, tasks[31]);
    stack_pool_finish(&pool);
}

/* Tasks end one by one. Free stacks never use more than three times the memory of the stacks in
 * use. */
TEST(a_spike_that_goes_slowly_takes_its_memory_along)
{
    enum { N = 512 + 496, SURVIVORS = 3 };
    static struct whorl_task *tasks[N];
    struct stack_pool pool;
    int64_t now = 0;

    stack_pool_init(&pool);
    for (int i = 0; i < N; i++) { /* slabs of 16, 32, 64, 128, 256 and 512 */
        tasks[i] = acquire(&pool, 65536);
        memset(tasks[i]->stack_low, 1, 4096);
    }
    for (int i = N - 1; i >= 496 + SURVIVORS; i--) {
        stack_release(&pool, tasks[i]);
        stack_pool_trim(&pool, now += WHORL_SECOND, WHORL_SECOND);
        stack_pool_trim(&pool, now += WHORL_SECOND, WHORL_SECOND);
        if (i % 10 == 9 || i < 510) {
            int present = 0;
            for (int k = i; k < N; k++)
                present += is_present(tasks[k]);
            CHECK(present <= 3 * (i - 496));
        }
    }
    for (int i = 0; i < 496 + SURVIVORS; i++)
        stack_release(&pool, tasks[i]);
    stack_pool_finish(&pool);
}

TEST(addresses_are_found_in_their_stacks_and_guards)
{
    struct whorl_task *tasks[200];
    struct stack_pool pool;
    bool in_guard;
    int here;

    stack_pool_init(&pool);
    for (int i = 0; i < 200; i++) {
        struct whorl_task *task = tasks[i] = acquire(&pool, i % 2 ? 131072 : SMALLEST);
        char *low = task->stack_low;
        in_guard = true;
        CHECK(stack_find(&pool, low, &in_guard) == task);
        CHECK(!in_guard);
        CHECK(stack_find(&pool, low + stack_size_of(task) - 1, &in_guard) == task);
        CHECK(!in_guard);
        CHECK(stack_find(&pool, low - 1, &in_guard) == task);
        CHECK(in_guard);
        CHECK(stack_find(&pool, low - 4096, &in_guard) == task);
        CHECK(in_guard);
    }
    CHECK(!stack_find(&pool, &here, &in_guard));
    CHECK(!stack_find(&pool, NULL, &in_guard));
    for (int i = 0; i < 200; i++)
        stack_release(&pool, tasks[i]);
    stack_pool_finish(&pool);
}

TEST(high_water_mark_is_the_lowest_page_touched)
{
    struct stack_pool pool;

    stack_pool_init(&pool);
    struct whorl_task *task = acquire(&pool, 4 << 20);
    char *low = task->stack_low, *high = low + (4 << 20);
    CHECK(stack_high_water(task) <= 8192);
    *(volatile char *)(high - 100000) = 1;
    CHECK_EQ(stack_high_water(task), (100000 + 4095) / 4096 * 4096);
    *(volatile char *)low = 1;
    CHECK_EQ(stack_high_water(task), 4 << 20);
    stack_release(&pool, task);
    stack_pool_finish(&pool);
}

/* --- guards ---------------------------------------------------------------------------------- */

struct guard_case {
    enum stack_guard guard;
    int index;
    ptrdiff_t offset; /* offset from stack_low */
};

static void touch(void *arg)
{
    struct guard_case *c = arg;
    static struct whorl_task *tasks[100];
    struct stack_pool pool;

    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    stack_pool_init(&pool);
    pool.guard = c->guard;
    for (int i = 0; i < 100; i++)
        tasks[i] = acquire(&pool, 65536);
    ((volatile char *)tasks[c->index]->stack_low)[c->offset] = 1;
}

TEST(every_stack_ends_in_a_guard)
{
    enum stack_guard guards[] = {STACK_GUARD_MADVISE, STACK_GUARD_MPROTECT};
    int indices[] = {0, 1, 3, 4, 15, 16, 17, 99};
    struct child child;

    for (int g = 0; g < 2; g++) {
        for (size_t i = 0; i < sizeof indices / sizeof indices[0]; i++) {
            child_run(&child, touch, &(struct guard_case){guards[g], indices[i], 0});
            CHECK_EQ(child.exit_status, 0);
            child_run(&child, touch, &(struct guard_case){guards[g], indices[i], -1});
            CHECK_EQ(child.signal, SIGSEGV);
            child_run(&child, touch, &(struct guard_case){guards[g], indices[i], -4096});
            CHECK_EQ(child.signal, SIGSEGV);
            child_run(&child, touch, &(struct guard_case){guards[g], indices[i], -262144});
            CHECK_EQ(child.signal, SIGSEGV);
        }
    }
}

/* Whether `distance` bytes below a task's stack is its own guard. */
static bool is_guarded(struct stack_pool *pool, const struct whorl_task *task, size_t distance)
{
    bool in_guard;

    return stack_find(pool, (char *)task->stack_low - distance, &in_guard) == task && in_guard;
}

TEST(guards_get_smaller_when_there_are_many_tasks)
{
    static struct whorl_task *tasks[40000];
    struct stack_pool pool;

    if (SANITIZED)
        test_skip("with sanitizers, 40,000 stacks take too much memory");
    stack_pool_init(&pool);
    for (int i = 0; i < 40000; i++)
        tasks[i] = acquire(&pool, 16384);
    CHECK(is_guarded(&pool, tasks[0], 256 << 10));
    CHECK(is_guarded(&pool, tasks[100], 256 << 10));
    if (pool.guard == STACK_GUARD_MADVISE) {
        CHECK(is_guarded(&pool, tasks[1000], 64 << 10));
        CHECK(!is_guarded(&pool, tasks[1000], 256 << 10));
        CHECK(is_guarded(&pool, tasks[32000], 64 << 10));
        CHECK(is_guarded(&pool, tasks[39999], 4096));
        CHECK(!is_guarded(&pool, tasks[39999], 8192));
    }
    for (int i = 0; i < 40000; i++)
        stack_release(&pool, tasks[i]);
    stack_pool_finish(&pool);
}

TEST(a_run_leaves_closed_standard_descriptors_closed)
{
    struct stack_pool pool;
    struct whorl_task *tasks[200];
    int saved[3];

    for (int i = 0; i < 3; i++) {
        saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
        close(i);
    }
    stack_pool_init(&pool);
    for (int i = 0; i < 200; i++)
        tasks[i] = acquire(&pool, SMALLEST);
    int open_count = 0;
    for (int i = 0; i < 3; i++)
        open_count += fcntl(i, F_GETFD) >= 0;
    for (int i = 0; i < 200; i++)
        stack_release(&pool, tasks[i]);
    stack_pool_finish(&pool);
    for (int i = 0; i < 3; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
    CHECK_EQ(open_count, 0);
}

/* Otherwise two mappings per stack would reach vm.max_map_count. */
TEST(guards_by_mprotect_stop_before_the_limit_of_mappings)
{
#ifdef __SANITIZE_THREAD__
    test_skip("ThreadSanitizer supports at most 8128 stacks");
#endif
    enum { N = 40000 };
    static struct whorl_task *tasks[N];
    struct stack_pool pool;

    CHECK(stack_guarded_max() >= 1000);
    if (stack_guarded_max() >= N)
        test_skip("vm.max_map_count is high");
    stack_pool_init(&pool);
    pool.guard = STACK_GUARD_MPROTECT;
    for (int i = 0; i < N; i++)
        tasks[i] = acquire(&pool, SMALLEST);
    CHECK_EQ(stack_guarded_count(), stack_guarded_max());
    CHECK(pool.unguarded >= N - stack_guarded_max());
    CHECK(mappings() < (int)stack_guarded_max() * 4);
    for (int i = 0; i < N; i++)
        stack_release(&pool, tasks[i]);
    stack_pool_trim(&pool, 0, 0);
    CHECK(stack_guarded_count() <= 16);
    CHECK_EQ(pool.unguarded, 0);
    stack_pool_finish(&pool);
    CHECK_EQ(stack_guarded_count(), 0);
}

/* In each spike some tasks stay, so that the slabs with guards stay. */
TEST(the_number_of_guards_by_mprotect_does_not_drift_over_spikes)
{
#ifdef __SANITIZE_THREAD__
    test_skip("ThreadSanitizer supports at most 8128 stacks");
#endif
    enum { N = 20000, ROUNDS = 6 };
    static struct whorl_task *tasks[ROUNDS][N];
    struct stack_pool pool;
    int peak = 0;

    if (stack_guarded_max() >= N)
        test_skip("vm.max_map_count is high");
    stack_pool_init(&pool);
    pool.guard = STACK_GUARD_MPROTECT;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < N; i++)
            tasks[round][i] = acquire(&pool, SMALLEST);
        for (int i = 0; i < N; i++)
            if (i % 100 || i > 9000) {
                stack_release(&pool, tasks[round][i]);
                tasks[round][i] = NULL;
            }
        stack_pool_trim(&pool, 0, 0);
        CHECK(stack_guarded_count() <= stack_guarded_max());
        if (round == 0)
            peak = mappings();
        CHECK(mappings() < peak + 1000);
    }
    for (int k = 0; k < ROUNDS * N; k++)
        if (tasks[k / N][k % N])
            stack_release(&pool, tasks[k / N][k % N]);
    stack_pool_finish(&pool);
    CHECK_EQ(stack_guarded_count(), 0);
}

/* Each thread has a run, and all share the mappings of the process. */
TEST(the_limit_of_guards_by_mprotect_is_that_of_the_process)
{
#ifdef __SANITIZE_THREAD__
    test_skip("ThreadSanitizer supports at most 8128 stacks");
#endif
    enum { N = 5000, POOLS = 4 };
    static struct whorl_task *tasks[POOLS][N];
    struct stack_pool pools[POOLS];

    if (stack_guarded_max() >= POOLS * N)
        test_skip("vm.max_map_count is high");
    for (int p = 0; p < POOLS; p++) {
        stack_pool_init(&pools[p]);
        pools[p].guard = STACK_GUARD_MPROTECT;
        for (int i = 0; i < N; i++)
            tasks[p][i] = acquire(&pools[p], SMALLEST);
    }
    CHECK_EQ(pools[0].unguarded, 0);
    CHECK(pools[POOLS - 1].unguarded >= N);
    CHECK_EQ(stack_guarded_count(), stack_guarded_max());
    for (int p = 0; p < POOLS; p++) {
        for (int i = 0; i < N; i++)
            stack_release(&pools[p], tasks[p][i]);
        stack_pool_finish(&pools[p]);
    }
    CHECK_EQ(stack_guarded_count(), 0);
}

static bool is_guard_of(struct stack_pool *pool, struct whorl_task *task, ptrdiff_t offset)
{
    bool in_guard = false;

    return stack_find(pool, (char *)task->stack_low + offset, &in_guard) == task && in_guard;
}

TEST(the_guards_of_the_first_stacks_are_larger)
{
    enum { N = 1000, FIRST = 16 + 32 + 64 + 128 + 256 };
    static struct whorl_task *tasks[N];
    struct stack_pool pool;

    stack_pool_init(&pool);
    for (int i = 0; i < N; i++)
        tasks[i] = acquire(&pool, 65536);
    bool all_large = pool.guard == STACK_GUARD_MPROTECT;
    for (int i = 0; i < N; i++) {
        CHECK(is_guard_of(&pool, tasks[i], -65536));
        CHECK_EQ(is_guard_of(&pool, tasks[i], -262144), i < FIRST || all_large);
    }
    for (int i = 0; i < N; i++)
        stack_release(&pool, tasks[i]);
    stack_pool_finish(&pool);
}

TEST(a_guard_size_is_rounded_up_to_an_odd_number_of_pages)
{
    static const size_t sizes[][2] = {{1, 4096},     {4096, 4096},   {4097, 12288},
                                      {8192, 12288}, {12288, 12288}, {65536, 69632}};
    struct stack_pool pool;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        ptrdiff_t size = (ptrdiff_t)sizes[i][1];
        stack_pool_init(&pool);
        pool.guard_size = stack_guard_size(sizes[i][0]);
        struct whorl_task *task = acquire(&pool, 65536);
        CHECK(is_guard_of(&pool, task, -size));
        CHECK(!is_guard_of(&pool, task, -size - 1));
        stack_release(&pool, task);
        stack_pool_finish(&pool);
    }
}

/* Memory that is locked is present at once, guards included. */
static void lock_and_acquire(void *arg)
{
    static struct whorl_task *tasks[100];
    struct stack_pool pool;

    if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
        exit(77);
    size_t before = resident();
    stack_pool_init(&pool);
    for (int i = 0; i < 100; i++)
        tasks[i] = acquire(&pool, 65536);
    CHECK_EQ(pool.guard, STACK_GUARD_MPROTECT);
    CHECK(resident() < before + 112 * (size_t)(65536 + 8192) + 65536);
    ((volatile char *)tasks[50]->stack_low)[-1] = 1;
    (void)arg;
}

TEST(stacks_of_a_process_that_locks_its_memory_have_small_guards)
{
#ifdef CONTEXT_SANITIZED
    test_skip("the sanitizer's memory cannot be locked");
#endif
    struct child child;

    child_run(&child, lock_and_acquire, NULL);
    if (child.exit_status == 77)
        test_skip("no memory can be locked");
    CHECK_EQ(child.signal, SIGSEGV);
}

static void acquire_in_little_space(void *arg)
{
    struct stack_pool pool;
    FILE *statm = fopen("/proc/self/statm", "r");
    unsigned long pages;

    CHECK(statm && fscanf(statm, "%lu", &pages) == 1);
    fclose(statm);
    struct rlimit limit = {pages * 4096 + (2 << 20), pages * 4096 + (2 << 20)};
    CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
    stack_pool_init(&pool);
    pool.guard_size = *(size_t *)arg;
    struct whorl_task *task = stack_acquire(&pool, 65536, never);
    CHECK_EQ(task != NULL, pool.guard_size == 0);
    if (task)
        ((volatile char *)task->stack_low)[-1] = 1;
}

static void acquire_many_in_limited_space(void *arg)
{
    static struct whorl_task *tasks[1000];
    const struct rlimit limit = {(rlim_t)8 << 30, (rlim_t)8 << 30};
    struct stack_pool pool;

    (void)arg;
    CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
    stack_pool_init(&pool);
    for (int i = 0; i < 1000; i++)
        tasks[i] = acquire(&pool, 65536);
    CHECK(is_guard_of(&pool, tasks[100], -65536));
    CHECK(!is_guard_of(&pool, tasks[999], -4097));
    ((volatile char *)tasks[999]->stack_low)[-1] = 1;
}

TEST(where_address_space_is_limited_many_stacks_have_small_guards)
{
#ifdef CONTEXT_SANITIZED
    test_skip("the sanitizer needs address space");
#endif
    if (test_on_qemu())
        test_skip("qemu does not apply the limit of address space");
    struct child child;

    child_run(&child, acquire_many_in_limited_space, NULL);
    CHECK_EQ(child.signal, SIGSEGV);
}

TEST(where_address_space_is_short_guards_are_small_unless_their_size_was_asked_for)
{
#ifdef CONTEXT_SANITIZED
    test_skip("the sanitizer needs address space");
#endif
    if (test_on_qemu())
        test_skip("qemu does not apply the limit of address space");
    struct child child;

    child_run(&child, acquire_in_little_space, &(size_t){0});
    CHECK_EQ(child.signal, SIGSEGV);
    child_run(&child, acquire_in_little_space, &(size_t){65 * 4096});
    CHECK_EQ(child.exit_status, 0);
}

/* --- in runs --------------------------------------------------------------------------------- */

static int return_one_stack_id(void *arg)
{
    *(void **)arg = whorl_task_self();
    return 0;
}

TEST_VIRTUAL(one_task_after_another_uses_one_stack)
{
    void *first = NULL;

    for (int i = 0; i < 100; i++) {
        WHORL_AUTO(group) group = {0};
        void *stack;
        CHECK_OK(whorl_spawn(&group, return_one_stack_id, &stack));
        CHECK_OK(whorl_group_wait(&group));
        if (!first)
            first = stack;
        CHECK(stack == first);
    }
}

static int report_left(void *arg)
{
    *(size_t *)arg = whorl_task_stack_left();
    return 0;
}

TEST_VIRTUAL(tasks_get_the_stack_they_ask_for)
{
    WHORL_AUTO(group) group = {.stack_size = 8 << 20};
    size_t of_group, of_task;

    CHECK_OK(whorl_spawn(&group, report_left, &of_group));
    CHECK_OK(whorl_spawn_with(&group, report_left, &of_task,
                              &(struct whorl_spawn_options){.stack_size = 1 << 20}));
    CHECK_OK(whorl_group_wait(&group));
    CHECK(of_group > (8 << 20) - 8192 && of_group < 8 << 20);
    CHECK(of_task > (1 << 20) - 8192 && of_task < 1 << 20);
    CHECK_ERR(whorl_spawn_with(&group, report_left, &of_task,
                               &(struct whorl_spawn_options){.stack_size = SIZE_MAX}),
              -ENOMEM);
    CHECK_OK(whorl_group_wait(&group));
}

static int take_part(void *arg)
{
    volatile char deep[8192];
    deep[0] = 1;
    __asm__ volatile("" : : "r"(deep) : "memory");
    (void)arg;
    return whorl_sleep_until(WHORL_FOREVER);
}

/* Spawns `n` tasks that use a few pages each. */
static WHORL_SUSPENDS_SHIELDED void spike(struct whorl_group *group, int n)
{
    for (int i = 0; i < n; i++)
        CHECK_OK(whorl_spawn(group, take_part, NULL));
    CHECK_OK(whorl_yield());
    CHECK_EQ(whorl_group_alive(group), (size_t)n);
}

TEST_VIRTUAL(trimming_gives_the_memory_of_a_spike_back)
{
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_run_stats stats;

    if (test_on_qemu())
        test_skip("the kernel also counts the memory of qemu");
    spike(&group, 100);
    whorl_group_finish(&group);
    size_t before = resident();
    spike(&group, SPIKE);
    size_t peak = resident();
    CHECK(peak > before + (size_t)SPIKE * 8192);
    whorl_group_finish(&group);
    whorl_run_trim();
    size_t after = resident();
    printf("resident: %zu before, %zu at the peak, %zu after\n", before, peak, after);
    CHECK(SANITIZED || after < before + (peak - before) / 100);
    CHECK_OK(whorl_run_get_stats(&stats));
    CHECK(stats.stacks_mapped < 100);
    CHECK(sched_self()->ready_mask < 256);
}

static int spike_and_wait(void *arg)
{
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_run_stats stats;

    (void)arg;
    spike(&group, 20000 < SPIKE ? 20000 : SPIKE);
    size_t peak = resident();
    whorl_group_finish(&group);
    CHECK_OK(whorl_sleep(WHORL_SECOND / 4));
    CHECK_OK(whorl_run_get_stats(&stats));
    CHECK(stats.stacks_mapped >= SPIKE / 10); /* kept for now: the next spike may come soon */
    CHECK_OK(whorl_sleep(WHORL_SECOND * 5 / 4));
    CHECK_OK(whorl_run_get_stats(&stats));
    CHECK(stats.stacks_mapped < 100);
    CHECK(sched_self()->ready_mask < 256);
    CHECK(SANITIZED || resident() < peak / 2);
    return 0;
}

TEST(a_second_after_a_spike_its_memory_goes_by_itself)
{
    CHECK_OK(whorl_run(spike_and_wait, NULL));
}

TEST_MAIN()

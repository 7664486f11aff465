/* SPDX-License-Identifier: MIT */
/* Slabs of stacks. One mapping holds up to 512 stacks, because with one mapping each, 32,000 tasks
 * would reach vm.max_map_count (65,530). The distance between two neighbouring stacks is an odd
 * number of pages, and the records are shifted by multiples of 64 bytes: if all stacks had equal
 * offsets, they would compete for the same few sets of the TLB and the caches.
 *
 * A slab without a stack in use is unmapped one or two seconds after it became empty. A slab with
 * few stacks in use gives back the memory of its free stacks. So memory that only a burst of tasks
 * needed is returned, and memory in steady use is kept. "Few" means a quarter of the stacks that
 * have memory, so free stacks keep memory for at most three times the stacks in use.
 *
 * Below each stack is a guard. A function whose frame is larger than the guard can jump over it, so
 * guards are as large as is cheap. Measured on Linux 6.18, for a new stack of 64 KiB:
 *
 *     guard            4 KiB    68 KiB   132 KiB   260 KiB
 *     time          ~2,000 ns    +15 %     +30 %     +50 %    once; stacks are used again
 *     page tables    136 bytes   +120      +250      +505     of the 4,250 bytes of a parked task
 *
 * With mprotect() every size costs the same two mappings, so there the number of guards is limited.
 *
 * Small stacks have no guards, and below each is a canary, see context/canary.h. They are packed in
 * slabs of one huge page each. So a new stack costs no page fault and no guard, and all stacks of a
 * slab share one entry of the TLB. The distance between two neighbours is an odd number of cache
 * lines, so their records use all sets of the caches. A slab keeps its memory until no stack of it
 * is in use, because giving back a part would split the huge page.
 */
#include "runtime/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/debug/handlers.h"
#include "runtime/task_record.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* 6.13 */
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* 5.14 */
#endif

#define PAGE 4096
#ifdef CONTEXT_SANITIZED
#define SIZE_MIN 65536
#else
#define SIZE_MIN 16384
#endif
#define SLAB_STACKS 512
#define HEADER      PAGE
#define HUGE_PAGE   ((size_t)2 << 20)
/* The guards when the run's options set no size. The first stacks of a class have large ones. In a
 * program with thousands of tasks, the other stacks have smaller guards, because there the time and
 * the page tables matter: a million sleeping tasks with guards of 68 KiB take 13 % more system time
 * than with guards of one page. All are an odd number of pages. */
#define GUARD_LARGE         (65 * PAGE)
#define GUARD_LARGE_STACKS  256 /* in a slab: the first slabs have 16, 32, ..., 256 stacks */
#define GUARD_MEDIUM        (17 * PAGE)
#define GUARD_MEDIUM_STACKS 32768 /* of the run */
/* With mprotect() a guard makes two more mappings. All guards of the process together may make a
 * quarter of the mappings that vm.max_map_count allows. */
#define GUARDED_SHARE     8
#define MAP_COUNT_DEFAULT 65530
/* A slab smaller than this many bytes keeps its memory while any of its stacks is in use. */
#define SLIGHT      (4 << 20)
#define COLOURS     16
#define TRIM_AGE_NS WHORL_SECOND
#define NEVER       (WHORL_FOREVER - TRIM_AGE_NS)

/* The record of a slab. It is in the first page of the mapping, so munmap() frees it too. */
struct stack_slab {
    /* Neighbours in the list of all slabs of the class. */
    struct stack_slab *next, *prev;
    /* Neighbours in the list of slabs with a free stack. */
    struct stack_slab *partial_next, *partial_prev;
    struct stack_class *class;
    char *base;
    size_t size;          /* bytes of the mapping */
    size_t stride, guard; /* bytes from stack to stack, and those of them below the stack */
    size_t shift;         /* bytes by which neighbouring records are shifted against each other */
    /* Number of stacks: in total, handed out at least once, guarded and touched. */
    uint32_t count, carved, prepared;
    uint32_t guarded;   /* with mprotect() */
    uint32_t unguarded; /* prepared, but without a guard */
    uint32_t live;      /* stacks in use */
    /* With this many stacks in use the slab is quiet, see weigh(); 0: only with none in use. */
    uint32_t few;
    uint32_t bare_count;
    /* bits: the stack is free and has no memory, and therefore no record */
    uint64_t bare[SLAB_STACKS / 64];
    struct whorl_task *free; /* released stacks, the last one first */
    /* When `live` fell to `few` or 0; -1: since the last trim; NEVER: it did not. */
    int64_t quiet_ns;
    bool in_partial;
};
/* How many stacks of the process have a guard made with mprotect(). */
static atomic_size_t guarded_stacks;

_Static_assert(sizeof(struct stack_slab) <= HEADER, "the record of a slab is larger than its page");

void stack_pool_init(struct stack_pool *pool)
{
    memset(pool, 0, sizeof *pool);
    pool->trim_at_ns = WHORL_FOREVER;
    pool->pidfd = -1;
    for (int i = 0; i < STACK_GUARDED_CLASSES; i++) {
        pool->classes[i].size = (size_t)SIZE_MIN << i;
        /* A program with a few tasks must not pay for hundreds of stacks. */
        pool->classes[i].next_count = pool->classes[i].size <= 65536 ? 16 : 1;
    }
    for (int i = 0; i < STACK_SMALL_CLASSES; i++) {
        struct stack_class *class = &pool->classes[STACK_GUARDED_CLASSES + i];
        class->size = (STACK_SMALL_MIN * STACK_SMALL_SCALE) << i;
        class->next_count = 16;
        class->is_small = true;
    }
}

static __attribute__((noinline)) struct stack_class *small_class_for(struct stack_pool *pool,
                                                                     size_t size)
{
    int i = (size > STACK_SMALL_MIN) + (size > 2 * STACK_SMALL_MIN);

    if (size == 0)
        return NULL;
    if (pool->checks)
        handlers_check();
    return &pool->classes[STACK_GUARDED_CLASSES + i];
}

static inline struct stack_class *class_for(struct stack_pool *pool, size_t size)
{
    if (__builtin_expect(size <= STACK_SMALL_MAX, 0))
        return small_class_for(pool, size);
    /* The least i with SIZE_MIN << i >= size is the number of binary digits of this number. */
    unsigned long long n = (size - 1) / SIZE_MIN;
    int i = n ? 64 - __builtin_clzll(n) : 0;
    return i < STACK_GUARDED_CLASSES ? &pool->classes[i] : NULL;
}

static void partial_push(struct stack_slab *slab)
{
    struct stack_class *class = slab->class;
    slab->in_partial = true;
    slab->partial_prev = NULL;
    slab->partial_next = class->partial;
    if (class->partial)
        class->partial->partial_prev = slab;
    class->partial = slab;
}

static void partial_remove(struct stack_slab *slab)
{
    slab->in_partial = false;
    if (slab->partial_prev)
        slab->partial_prev->partial_next = slab->partial_next;
    else
        slab->class->partial = slab->partial_next;
    if (slab->partial_next)
        slab->partial_next->partial_prev = slab->partial_prev;
}

/* Settings of the kernel that concern stacks, read once. */
static pthread_once_t settings_once = PTHREAD_ONCE_INIT;
static size_t guarded_max;
static bool is_charged; /* the kernel charges every byte of a mapping, also untouched ones */

/* Returns the number in a file of /proc, or `otherwise` when the file cannot be read. */
static long read_number(const char *path, long otherwise)
{
    char text[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;

    if (fd >= 0)
        close(fd);
    return n > 0 ? strtol(text, NULL, 10) : otherwise;
}

static void read_settings(void)
{
    long maps = read_number("/proc/sys/vm/max_map_count", MAP_COUNT_DEFAULT);

    guarded_max = (size_t)(maps > 0 ? maps : MAP_COUNT_DEFAULT) / GUARDED_SHARE;
    is_charged = read_number("/proc/sys/vm/overcommit_memory", 0) == 2;
}

size_t stack_guarded_max(void)
{
    pthread_once(&settings_once, read_settings);
    return guarded_max;
}

size_t stack_guard_size(size_t asked)
{
    return ((asked + PAGE - 1) / PAGE | 1) * PAGE;
}

/* Finds out how stacks can be guarded now, with a new page as a test. In a process that locks its
 * memory, new memory accepts no MADV_GUARD_INSTALL. All of it is present at once, including the
 * guards; then `*ret_present` is true. A program may begin to lock its memory at any time. */
static void probe_guards(struct stack_pool *pool, bool *ret_present)
{
    unsigned char present = 0;
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    *ret_present = false;
    if (page == MAP_FAILED)
        return;
    if (pool->guard == STACK_GUARD_MADVISE && madvise(page, PAGE, MADV_GUARD_INSTALL) < 0)
        pool->guard = STACK_GUARD_MPROTECT;
    /* qemu's user emulation accepts every advice. If it accepts even -1, there is no guard,
     * although it accepted MADV_GUARD_INSTALL. */
    if (pool->guard == STACK_GUARD_MADVISE && madvise(page, PAGE, -1) == 0)
        pool->guard = STACK_GUARD_MPROTECT;
    if (pool->guard != STACK_GUARD_MADVISE && mincore(page, PAGE, &present) == 0)
        *ret_present = present & 1;
    munmap(page, PAGE);
}

static bool is_space_limited(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

/* The size of the guards in a new slab. */
static size_t choose_guard(struct stack_pool *pool, uint32_t count)
{
    bool present;

    probe_guards(pool, &present);
    if (pool->guard_size)
        return pool->guard_size;
    pthread_once(&settings_once, read_settings);
    if (present || is_charged) /* UNTESTED: is_charged, a setting of the whole system */
        return PAGE;
    if (count <= GUARD_LARGE_STACKS)
        return GUARD_LARGE;
    if (is_space_limited())
        return PAGE;
    if (pool->guard == STACK_GUARD_MPROTECT)
        return GUARD_LARGE;
    return pool->mapped < GUARD_MEDIUM_STACKS ? GUARD_MEDIUM : PAGE;
}

static struct stack_slab *map(size_t size)
{
    return mmap(NULL, size, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
}

static struct stack_slab *map_guarded(struct stack_pool *pool, struct stack_class *class)
{
    uint32_t count = class->next_count;
    size_t guard = choose_guard(pool, count), stride = class->size + guard;
    size_t size = HEADER + count * stride;
    struct stack_slab *slab = map(size);

    /* If there is no address space for large guards, small ones are used. */
    if (slab == MAP_FAILED && !pool->guard_size) {
        guard = PAGE;
        stride = class->size + guard;
        size = HEADER + count * stride;
        slab = map(size);
    }
    if (slab == MAP_FAILED)
        return NULL;
    /* This fails when the kernel has no huge pages, and then it is not needed. */
    (void)madvise(slab, size, MADV_NOHUGEPAGE);
    slab->size = size;
    slab->stride = stride;
    slab->guard = guard;
    slab->shift = 64;
    slab->count = count;
    if (class->next_count * class->size < (size_t)SLAB_STACKS << 16 &&
        class->next_count < SLAB_STACKS)
        class->next_count *= 2;
    return slab;
}

/* Maps one huge page, which the kernel makes present at the first access. */
static struct stack_slab *map_huge_page(void)
{
    char *at = (char *)map(HUGE_PAGE);

    if (at == MAP_FAILED)
        return MAP_FAILED;
    if ((uintptr_t)at % HUGE_PAGE != 0) { /* since 6.7 the kernel aligns it */
        munmap(at, HUGE_PAGE);
        char *wide = (char *)map(2 * HUGE_PAGE);
        if (wide == MAP_FAILED)
            return MAP_FAILED;
        size_t before = -(uintptr_t)wide % HUGE_PAGE;
        at = wide + before;
        if (before > 0)
            munmap(wide, before);
        munmap(at + HUGE_PAGE, HUGE_PAGE - before);
    }
    (void)madvise(at, HUGE_PAGE, MADV_HUGEPAGE); /* without huge pages, small pages do */
    return (struct stack_slab *)(void *)at;
}

/* The first slabs have a few stacks each, because a program with a few tasks must not pay for a
 * huge page. */
static struct stack_slab *map_small(struct stack_class *class)
{
    uint32_t count = class->next_count;
    size_t stride = class->size + sizeof(struct canary), size = HEADER + count * stride;
    struct stack_slab *slab;

    if (size < HUGE_PAGE / 2) {
        slab = map(size);
    } else {
        slab = map_huge_page();
        size = HUGE_PAGE;
        count = (uint32_t)((HUGE_PAGE - HEADER) / stride);
    }
    if (slab == MAP_FAILED)
        return NULL;
    slab->size = size;
    slab->stride = stride;
    slab->guard = sizeof(struct canary);
    slab->count = slab->prepared = count;
    if (size < HUGE_PAGE)
        class->next_count *= 2;
    return slab;
}

static __attribute__((noinline)) struct stack_slab *slab_map(struct stack_pool *pool,
                                                             struct stack_class *class)
{
    struct stack_slab *slab = class->is_small ? map_small(class) : map_guarded(pool, class);

    if (!slab)
        return NULL;
    slab->base = (char *)slab + HEADER;
    slab->class = class;
    slab->quiet_ns = NEVER;
    slab->next = class->slabs;
    if (class->slabs)
        class->slabs->prev = slab;
    class->slabs = slab;
    pool->mapped += slab->count;
    pool->free += slab->count;
    partial_push(slab);
    return slab;
}

static void slab_unmap(struct stack_pool *pool, struct stack_slab *slab)
{
    struct stack_class *class = slab->class;

    whorl_check(slab->live == 0);
    if (shadow_is_used())
        for (struct whorl_task *task = slab->free; task; task = task->next)
            shadow_destroy(&task->context.shadow);
    if (slab->in_partial)
        partial_remove(slab);
    if (slab->prev)
        slab->prev->next = slab->next;
    else
        class->slabs = slab->next;
    if (slab->next)
        slab->next->prev = slab->prev;
    pool->mapped -= slab->count;
    pool->free -= slab->count;
    pool->unguarded -= slab->unguarded;
    atomic_fetch_sub_explicit(&guarded_stacks, slab->guarded, memory_order_relaxed);
    munmap(slab, slab->size);
}

void stack_pool_forget_tasks(struct stack_pool *pool)
{
    for (int i = 0; i < STACK_CLASSES; i++)
        for (struct stack_slab *slab = pool->classes[i].slabs; slab; slab = slab->next)
            slab->live = 0;
}

void stack_pool_finish(struct stack_pool *pool)
{
    for (int i = 0; i < STACK_CLASSES; i++)
        while (pool->classes[i].slabs)
            slab_unmap(pool, pool->classes[i].slabs);
    if (pool->pidfd >= 0)
        close(pool->pidfd);
    pool->pidfd = -1;
}

static char *guard_of(struct stack_slab *slab, uint32_t index)
{
    return slab->base + index * slab->stride;
}

static struct whorl_task *record_of(struct stack_slab *slab, uint32_t index)
{
    char *high = guard_of(slab, index) + slab->stride;
    size_t colour = (index % COLOURS) * slab->shift;
    return (struct whorl_task *)((uintptr_t)(high - colour - sizeof(struct whorl_task)) &
                                 ~(uintptr_t)63);
}

/* Returns a pidfd of this process. Its number is above 2: a program that has closed a standard
 * descriptor expects that number for the next descriptor that it opens. */
static int open_self(void)
{
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

    if (fd < 0 || fd > 2)
        return fd;
    int higher = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    close(fd);
    return higher;
}

/* Advises the kernel about many ranges: with one call if the kernel lets a process advise itself
 * this way (6.13), otherwise with one call per range. */
static int advise(struct stack_pool *pool, const struct iovec *ranges, unsigned n, int advice)
{
    if (n > 1 && pool->pidfd == -1)
        pool->pidfd = open_self();
    if (n > 1 && pool->pidfd >= 0) {
        size_t total = 0;
        for (unsigned i = 0; i < n; i++)
            total += ranges[i].iov_len;
        ssize_t done = syscall(SYS_process_madvise, pool->pidfd, ranges, n, advice, 0);
        if (done == (ssize_t)total)
            return 0;
    }
    for (unsigned i = 0; i < n; i++)
        if (madvise(ranges[i].iov_base, ranges[i].iov_len, advice) < 0)
            return -errno;
    return 0;
}

size_t stack_guarded_count(void)
{
    return atomic_load_explicit(&guarded_stacks, memory_order_relaxed);
}

/* Guards a stack with mprotect(), if the process may have one more guard of this kind. */
static bool protect(void *guard, size_t size)
{
    size_t before = atomic_fetch_add_explicit(&guarded_stacks, 1, memory_order_relaxed);

    if (before < stack_guarded_max() && mprotect(guard, size, PROT_NONE) == 0)
        return true;
    atomic_fetch_sub_explicit(&guarded_stacks, 1, memory_order_relaxed);
    return false;
}

static void protect_all(struct stack_pool *pool, struct stack_slab *slab,
                        const struct iovec *guards, uint32_t n)
{
    uint32_t done = 0;

    for (uint32_t i = 0; i < n; i++)
        done += protect(guards[i].iov_base, guards[i].iov_len);
    slab->guarded += done;
    slab->unguarded += n - done;
    pool->unguarded += n - done;
}

/* Guards the next stacks of the slab and makes their top pages present, which saves one page fault
 * per stack. */
static void prepare(struct stack_pool *pool, struct stack_slab *slab)
{
    struct iovec *ranges = pool->ranges;
    uint32_t first = slab->prepared, n = slab->count - first;

    /* The batches start small and grow: a program with three tasks pays for four. */
    if (n > STACK_BATCH)
        n = STACK_BATCH;
    if (n > first + 4)
        n = first + 4;
    for (uint32_t i = 0; i < n; i++)
        ranges[i] = (struct iovec){guard_of(slab, first + i), slab->guard};
    if (pool->guard == STACK_GUARD_MADVISE && advise(pool, ranges, n, MADV_GUARD_INSTALL) < 0)
        pool->guard = STACK_GUARD_MPROTECT;
    if (pool->guard == STACK_GUARD_MPROTECT)
        protect_all(pool, slab, ranges, n);
    for (uint32_t i = 0; i < n; i++)
        ranges[i] = (struct iovec){guard_of(slab, first + i) + slab->stride - PAGE, PAGE};
    if (n > 1) /* may fail: it only saves page faults */
        (void)advise(pool, ranges, n, MADV_POPULATE_WRITE);
    slab->prepared += n;
}

static struct whorl_task *make_record(struct stack_slab *slab, uint32_t index,
                                      context_entry_fn entry)
{
    struct whorl_task *task = record_of(slab, index);
    shadow_clear(guard_of(slab, index) + slab->guard, slab->class->size);
    memset(task, 0, sizeof *task);
    task->slab = slab;
    task->stack_low = guard_of(slab, index) + slab->guard;
    task->magic = TASK_MAGIC;
    context_make(&task->context, task->stack_low, task, entry);
    if (slab->class->is_small)
        context_watch(&task->context, (struct canary *)(void *)guard_of(slab, index));
    return task;
}

/* Updates `few` after the number of stacks with memory has changed. That number is at most the
 * highest number of stacks in use since the last strip(). */
static void weigh(struct stack_slab *slab)
{
    bool slight =
        slab->class->is_small || (slab->count < 64 && slab->count * slab->class->size < SLIGHT);

    slab->few = slight ? 0 : (slab->carved - slab->bare_count) / 4;
}

static struct whorl_task *carve(struct stack_pool *pool, struct stack_slab *slab,
                                context_entry_fn entry)
{
    if (slab->carved == slab->prepared)
        prepare(pool, slab);
    uint32_t index = slab->carved++;
    weigh(slab);
    return make_record(slab, index, entry);
}

static bool is_bare(const struct stack_slab *slab, uint32_t index)
{
    return slab->bare_count > 0 && (slab->bare[index / 64] >> index % 64 & 1);
}

/* Gives back the memory of the free stacks. Their addresses stay reserved and guarded. */
static void strip(struct stack_pool *pool, struct stack_slab *slab)
{
    struct iovec *ranges = pool->ranges;
    unsigned n = 0;

    for (struct whorl_task *task = slab->free, *next; task; task = next) {
        uint32_t index = (uint32_t)((size_t)((char *)task - slab->base) / slab->stride);
        next = task->next;
        slab->bare[index / 64] |= UINT64_C(1) << index % 64;
        slab->bare_count++;
        shadow_destroy(&task->context.shadow);
        ranges[n++] = (struct iovec){task->stack_low, slab->class->size};
        if (n == STACK_BATCH || !next) {
            /* May fail: memory that stays does no harm. */
            (void)advise(pool, ranges, n, MADV_DONTNEED);
            n = 0;
        }
    }
    slab->free = NULL;
    slab->quiet_ns = NEVER; /* until `live` falls to `few` again */
    weigh(slab);
}

static struct whorl_task *clothe(struct stack_slab *slab, context_entry_fn entry)
{
    uint32_t word = 0;

    while (!slab->bare[word])
        word++;
    uint32_t index = word * 64 + (uint32_t)__builtin_ctzll(slab->bare[word]);
    slab->bare[word] &= slab->bare[word] - 1;
    slab->bare_count--;
    weigh(slab);
    return make_record(slab, index, entry);
}

/* A stack without a record: one that has never been used, or whose memory was given back. */
static __attribute__((noinline)) struct whorl_task *take_new(struct stack_pool *pool,
                                                             struct stack_slab *slab,
                                                             context_entry_fn entry)
{
    return slab->bare_count ? clothe(slab, entry) : carve(pool, slab, entry);
}

/* The functions that it calls rarely are not inlined, because then it needs no registers for
 * them. */
struct whorl_task *stack_acquire(struct stack_pool *pool, size_t size, context_entry_fn entry)
{
    struct stack_class *class = class_for(pool, size);

    if (!class)
        return NULL;
    struct stack_slab *slab = class->partial;
    if (!slab && !(slab = slab_map(pool, class)))
        return NULL;
    if (slab->live++ == 0 && slab->carved > 0)
        pool->empty_slabs--;
    pool->free--;
    struct whorl_task *task = slab->free;
    if (task)
        slab->free = task->next;
    else
        task = take_new(pool, slab, entry);
    if (!slab->free && slab->carved == slab->count && slab->bare_count == 0)
        partial_remove(slab);
    return task;
}

void stack_release(struct stack_pool *pool, struct whorl_task *task)
{
    struct stack_slab *slab = task->slab;

    task->next = slab->free;
    slab->free = task;
    pool->free++;
    if (!slab->in_partial)
        partial_push(slab);
    if (--slab->live == 0 || slab->live == slab->few) {
        pool->empty_slabs += slab->live == 0;
        slab->quiet_ns = -1; /* the next trim sets the time, which saves reading the clock here */
        if (pool->trim_at_ns == WHORL_FOREVER)
            pool->trim_at_ns = 0;
    }
}

/* Whether the slab may be unmapped. The oldest and smallest slab of a class is kept: a quiet
 * program uses only that one. */
static bool may_unmap(const struct stack_slab *slab)
{
    return slab->live == 0 && slab->carved > 0 && slab->next;
}

static bool may_strip(const struct stack_slab *slab)
{
    return slab->live > 0 && slab->live <= slab->few && slab->free;
}

void stack_pool_trim(struct stack_pool *pool, int64_t now_ns, int64_t min_age_ns)
{
    int64_t next = WHORL_FOREVER;

    for (int i = 0; i < STACK_CLASSES; i++) {
        struct stack_slab *slab = pool->classes[i].slabs, *following;
        for (; slab; slab = following) {
            following = slab->next;
            bool all = min_age_ns == 0 && slab->free && !slab->class->is_small;
            if (!may_unmap(slab) && !may_strip(slab) && !all)
                continue;
            if (slab->quiet_ns < 0)
                slab->quiet_ns = now_ns;
            if (min_age_ns > 0 && now_ns - slab->quiet_ns < min_age_ns) {
                if (slab->quiet_ns + TRIM_AGE_NS < next)
                    next = slab->quiet_ns + TRIM_AGE_NS;
            } else if (may_unmap(slab)) {
                pool->empty_slabs--;
                slab_unmap(pool, slab);
            } else {
                strip(pool, slab);
            }
        }
    }
    pool->trim_at_ns = next;
}

struct whorl_task *stack_find(struct stack_pool *pool, const void *address, bool *ret_in_guard)
{
    const char *p = address;

    for (int i = 0; i < STACK_CLASSES; i++) {
        for (struct stack_slab *slab = pool->classes[i].slabs; slab; slab = slab->next) {
            if (p < slab->base || p >= slab->base + slab->count * slab->stride)
                continue;
            uint32_t index = (uint32_t)((size_t)(p - slab->base) / slab->stride);
            if (index >= slab->carved || is_bare(slab, index))
                return NULL;
            *ret_in_guard = p < guard_of(slab, index) + slab->guard;
            return record_of(slab, index);
        }
    }
    return NULL;
}

void stack_for_each_task(struct stack_pool *pool, void (*visit)(struct whorl_task *, void *),
                         void *ctx)
{
    for (int i = 0; i < STACK_CLASSES; i++)
        for (struct stack_slab *slab = pool->classes[i].slabs; slab; slab = slab->next)
            for (uint32_t k = 0; k < slab->carved; k++)
                if (!is_bare(slab, k) && record_of(slab, k)->in_use)
                    visit(record_of(slab, k), ctx);
}

size_t stack_size_of(const struct whorl_task *task)
{
    return task->slab->class->size;
}

size_t stack_high_water(const struct whorl_task *task)
{
    unsigned char present[256];
    char *low = task->stack_low, *high = low + stack_size_of(task);

    /* Untouched pages were never made present, so the lowest present page is the high-water
     * mark. */
    while (low < high) {
        size_t pages = (size_t)(high - low) / PAGE;
        if (pages > sizeof present)
            pages = sizeof present;
        if (mincore(low, pages * PAGE, present) < 0)
            return (size_t)(high - low);
        for (size_t i = 0; i < pages; i++, low += PAGE)
            if (present[i] & 1)
                return (size_t)(high - low);
    }
    return 0;
}

/* Offsets and sizes that tools/whorl-gdb.py needs to find the records when there is no debug
 * information. The script expects this order. */
__attribute__((used)) const uint32_t stack_layout_for_gdb[] = {
    STACK_CLASSES,
    sizeof(struct stack_class),
    offsetof(struct stack_class, slabs),
    offsetof(struct stack_slab, next),
    offsetof(struct stack_slab, base),
    offsetof(struct stack_slab, stride),
    offsetof(struct stack_slab, carved),
    COLOURS,
    offsetof(struct stack_slab, shift),
    sizeof(struct whorl_task),
};

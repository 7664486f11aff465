/* SPDX-License-Identifier: MIT */
/* Slabs of stacks. One mapping holds up to 512 of them, because a mapping each would end at
 * vm.max_map_count (65,530): 32,000 tasks. Two neighbouring stacks lie a guard page more than a power
 * of two apart and the records are shifted by a multiple of 64 bytes, since equal offsets in every
 * stack would compete for the same few cache sets.
 *
 * A slab whose stacks are all free is unmapped a second or two after it became so, and one of which few
 * are in use gives the memory of the free ones back: what a spike took is returned, what is in steady use
 * stays hot. Few are a quarter of those that have memory, so free ones keep it for three in use at most.
 */
#include "runtime/stack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/task.h"

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
#define BATCH       64 /* stacks carved at a time: guards set and top pages made by one call each */
#define GUARDED_MAX 8192 /* with mprotect; two mappings each stay far below the limit of 65,530 */
#define SLIGHT      (4 << 20) /* bytes of a slab that keeps its memory while any is in use */
#define COLOURS     16
#define TRIM_AGE_NS WHORL_SECOND
#define NEVER       (WHORL_FOREVER - TRIM_AGE_NS)

/* Stands in the first page of the mapping, so that it goes with it. */
struct stack_slab {
    struct stack_slab *next, *prev;                 /* all of the class */
    struct stack_slab *partial_next, *partial_prev; /* those with room */
    struct stack_class *class;
    char *base;
    size_t stride;
    uint32_t count, carved, prepared; /* stacks: in all, handed out once, guarded and touched */
    uint32_t live;                    /* in use */
    uint32_t few; /* so many in use make it quiet, see weigh(); 0: only none at all */
    uint32_t bare_count;
    uint64_t bare[SLAB_STACKS / 64]; /* free and without memory, hence without a record: bits */
    struct whorl_task *free;         /* released, last in first out */
    int64_t quiet_ns; /* when it fell to `few` or 0; -1: since the last trim; NEVER */
    bool in_partial;
    unsigned valgrind_ids[SLAB_STACKS];
};
_Static_assert(sizeof(struct stack_slab) <= HEADER, "the record of a slab is larger than its page");

void stack_pool_init(struct stack_pool *pool)
{
    memset(pool, 0, sizeof *pool);
    pool->trim_at_ns = WHORL_FOREVER;
    pool->pidfd = -1;
    for (int i = 0; i < STACK_CLASSES; i++) {
        pool->classes[i].size = (size_t)SIZE_MIN << i;
        /* A program with a handful of tasks should not pay for hundreds. */
        pool->classes[i].next_count = pool->classes[i].size <= 65536 ? 16 : 1;
    }
}

static struct stack_class *class_for(struct stack_pool *pool, size_t size)
{
    int i = 0;
    while (i < STACK_CLASSES && pool->classes[i].size < size)
        i++;
    return i < STACK_CLASSES ? &pool->classes[i] : NULL;
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

static struct stack_slab *slab_map(struct stack_pool *pool, struct stack_class *class)
{
    uint32_t count = class->next_count;
    size_t stride = class->size + PAGE;
    size_t size = HEADER + count * stride;
    struct stack_slab *slab = mmap(NULL, size, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

    if (slab == MAP_FAILED)
        return NULL;
    /* Fails where the kernel has no huge pages, which is as good. */
    (void)madvise(slab, size, MADV_NOHUGEPAGE);
    slab->base = (char *)slab + HEADER;
    slab->class = class;
    slab->stride = stride;
    slab->count = count;
    slab->quiet_ns = NEVER;
    slab->next = class->slabs;
    if (class->slabs)
        class->slabs->prev = slab;
    class->slabs = slab;
    if (class->next_count * class->size < (size_t)SLAB_STACKS << 16 &&
        class->next_count < SLAB_STACKS)
        class->next_count *= 2;
    pool->mapped += count;
    pool->free += count;
    partial_push(slab);
    return slab;
}

static void slab_unmap(struct stack_pool *pool, struct stack_slab *slab)
{
    struct stack_class *class = slab->class;

    whorl_check(slab->live == 0);
#ifdef CONTEXT_TSAN
    for (struct whorl_task *task = slab->free; task; task = task->next)
        shadow_destroy(&task->context.shadow);
#endif
#ifdef CONTEXT_VALGRIND
    for (uint32_t i = 0; i < slab->prepared; i++)
        VALGRIND_STACK_DEREGISTER(slab->valgrind_ids[i]);
#endif
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
    if (pool->guard == STACK_GUARD_MPROTECT)
        pool->guarded -= slab->prepared < pool->guarded ? slab->prepared : pool->guarded;
    munmap(slab, HEADER + slab->count * slab->stride);
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
    size_t colour = (index % COLOURS) * 64;
    return (struct whorl_task *)((uintptr_t)(high - colour - sizeof(struct whorl_task)) &
                                 ~(uintptr_t)63);
}

/* One call for many ranges where the kernel lets a process advise itself so (6.13); one each else. */
static int advise(struct stack_pool *pool, const struct iovec *ranges, unsigned n, int advice)
{
    if (n > 1 && pool->pidfd == -1)
        pool->pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
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

/* Guards the next stacks of the slab and makes their top pages present, a fault saved on each. */
static void prepare(struct stack_pool *pool, struct stack_slab *slab)
{
    struct iovec guards[BATCH], tops[BATCH];
    uint32_t first = slab->prepared, n = slab->count - first;

    /* The first stacks one by one in growing batches: a program with three tasks pays for four. */
    if (n > BATCH)
        n = BATCH;
    if (n > first + 4)
        n = first + 4;
    for (uint32_t i = 0; i < n; i++) {
        char *guard = guard_of(slab, first + i);
        guards[i] = (struct iovec){guard, PAGE};
        tops[i] = (struct iovec){guard + slab->stride - PAGE, PAGE};
#ifdef CONTEXT_VALGRIND
        slab->valgrind_ids[first + i] =
            VALGRIND_STACK_REGISTER(guard + PAGE, guard + slab->stride - 1);
#endif
    }
    if (pool->guard == STACK_GUARD_MADVISE && advise(pool, guards, n, MADV_GUARD_INSTALL) < 0)
        pool->guard = STACK_GUARD_MPROTECT;
    if (pool->guard == STACK_GUARD_MPROTECT) {
        for (uint32_t i = 0; i < n && pool->guarded < GUARDED_MAX; i++)
            if (mprotect(guards[i].iov_base, PAGE, PROT_NONE) == 0)
                pool->guarded++;
    }
    if (n > 1)
        (void)advise(pool, tops, n, MADV_POPULATE_WRITE); /* only saves faults */
    slab->prepared += n;
}

static struct whorl_task *make_record(struct stack_slab *slab, uint32_t index, void (*entry)(void))
{
    struct whorl_task *task = record_of(slab, index);
    shadow_clear(guard_of(slab, index) + PAGE, slab->class->size);
    memset(task, 0, sizeof *task);
    task->slab = slab;
    task->stack_low = guard_of(slab, index) + PAGE;
    task->magic = TASK_MAGIC;
    context_make(&task->context, task->stack_low, task, entry);
    return task;
}

/* After a change in how many stacks have memory. They are no more than were in use at one time since
 * those without were stripped of it. */
static void weigh(struct stack_slab *slab)
{
    bool slight = slab->count < 64 && slab->count * slab->class->size < SLIGHT;

    slab->few = slight ? 0 : (slab->carved - slab->bare_count) / 4;
}

static struct whorl_task *carve(struct stack_pool *pool, struct stack_slab *slab,
                                void (*entry)(void))
{
    if (slab->carved == slab->prepared)
        prepare(pool, slab);
    uint32_t index = slab->carved++;
    weigh(slab);
    return make_record(slab, index, entry);
}

static bool is_bare(const struct stack_slab *slab, uint32_t index)
{
    return slab->bare[index / 64] >> index % 64 & 1;
}

/* Gives the memory of the free stacks back. They are still reserved and guarded. */
static void strip(struct stack_pool *pool, struct stack_slab *slab)
{
    struct iovec ranges[BATCH];
    unsigned n = 0;

    for (struct whorl_task *task = slab->free, *next; task; task = next) {
        uint32_t index = (uint32_t)((size_t)((char *)task - slab->base) / slab->stride);
        next = task->next;
        slab->bare[index / 64] |= UINT64_C(1) << index % 64;
        slab->bare_count++;
#ifdef CONTEXT_TSAN
        shadow_destroy(&task->context.shadow);
#endif
        ranges[n++] = (struct iovec){task->stack_low, slab->class->size};
        if (n == BATCH || !next) {
            (void)advise(pool, ranges, n, MADV_DONTNEED); /* what stays does no harm */
            n = 0;
        }
    }
    slab->free = NULL;
    slab->quiet_ns = NEVER; /* until it falls again */
    weigh(slab);
}

static struct whorl_task *clothe(struct stack_slab *slab, void (*entry)(void))
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

struct whorl_task *stack_acquire(struct stack_pool *pool, size_t size, void (*entry)(void))
{
    struct stack_class *class = class_for(pool, size);
    struct whorl_task *task;

    if (!class)
        return NULL;
    struct stack_slab *slab = class->partial;
    if (!slab && !(slab = slab_map(pool, class)))
        return NULL;
    if (slab->live++ == 0 && slab->carved > 0)
        pool->empty_slabs--;
    pool->free--;
    if ((task = slab->free))
        slab->free = task->next;
    else
        task = slab->bare_count ? clothe(slab, entry) : carve(pool, slab, entry);
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
        slab->quiet_ns = -1; /* stamped by the next trim, which saves a clock read here */
        if (pool->trim_at_ns == WHORL_FOREVER)
            pool->trim_at_ns = 0;
    }
}

/* The oldest, smallest slab of a class stays: it is what a quiet program uses. */
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
            if (!may_unmap(slab) && !may_strip(slab) && (min_age_ns > 0 || !slab->free))
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
            *ret_in_guard = p < guard_of(slab, index) + PAGE;
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

    /* Untouched pages were never made present, so the first present one is the mark. */
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

/* What tools/whorl-gdb.py must know to find the records where there is no debug information; the order
 * is the script's. */
__attribute__((used)) const uint32_t stack_layout_for_gdb[] = {
    STACK_CLASSES,
    sizeof(struct stack_class),
    offsetof(struct stack_class, slabs),
    offsetof(struct stack_slab, next),
    offsetof(struct stack_slab, base),
    offsetof(struct stack_slab, stride),
    offsetof(struct stack_slab, carved),
    COLOURS,
    sizeof(struct whorl_task),
};

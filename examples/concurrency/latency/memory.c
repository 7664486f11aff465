/* SPDX-License-Identifier: MIT */
/* References to the caches and to main memory.
 *
 * Each reference needs the result of the one before it: the memory is a chain of pointers, one in
 * each cache line, in random order. So neither the processor nor its prefetchers can begin a
 * reference early. Reading a megabyte in sequence is the opposite: all of that helps. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "latency.h"
#include "stopwatch.h"

enum { LINE = 64, MIB = 1 << 20 };

struct line {
    struct line *next;
    char rest[LINE - sizeof(struct line *)];
};

/* Makes one circle of all lines, in random order (Sattolo's algorithm). */
static void link_lines(struct line *lines, size_t count)
{
    uint64_t state = 1;

    for (size_t i = 0; i < count; i++)
        lines[i].next = &lines[i];
    for (size_t i = count - 1; i > 0; i--) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        size_t j = (size_t)(state >> 33) % i;
        struct line *next = lines[i].next;
        lines[i].next = lines[j].next;
        lines[j].next = next;
    }
}

/* Large pages make it less likely that a reference waits for the address translation as well. */
static void *map_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED)
        return NULL;
    madvise(memory, size, MADV_HUGEPAGE);
    return memory;
}

static int chase(const struct latency_settings *settings, size_t size, struct latency_result *ret)
{
    struct line *lines = map_memory(size), *at = lines;
    struct stopwatch watch;

    if (!lines)
        return -errno;
    link_lines(lines, size / LINE);
    stopwatch_init(&watch, settings);
    for (long n; (n = stopwatch_next(&watch)) > 0;) {
        for (long i = 0; i < n; i++)
            at = at->next;
        __asm__ volatile("" : "+r"(at)); /* the compiler must compute it */
    }
    ret->ns = stopwatch_median_ns(&watch);
    munmap(lines, size);
    return 0;
}

/* The size of a cache as the system reports it, or a usual one. */
static size_t cache_size(int name, size_t usual)
{
    long size = sysconf(name);

    return size > 0 ? (size_t)size : usual;
}

/* Half of a cache: the rest is for what else is in it. */
int latency_l1(const struct latency_settings *settings, struct latency_result *ret)
{
    return chase(settings, cache_size(_SC_LEVEL1_DCACHE_SIZE, 32 << 10) / 2, ret);
}

int latency_l2(const struct latency_settings *settings, struct latency_result *ret)
{
    return chase(settings, cache_size(_SC_LEVEL2_CACHE_SIZE, 512 << 10) / 2, ret);
}

int latency_memory(const struct latency_settings *settings, struct latency_result *ret)
{
    return chase(settings, (size_t)settings->memory_mib * MIB, ret);
}

static uint64_t sum_mib(const uint64_t *from)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < MIB / sizeof *from; i++)
        sum += from[i];
    return sum;
}

int latency_read_memory(const struct latency_settings *settings, struct latency_result *ret)
{
    size_t size = (size_t)settings->memory_mib * MIB, at = 0;
    char *memory = map_memory(size);
    uint64_t sum = 0;
    struct stopwatch watch;

    if (!memory)
        return -errno;
    for (size_t i = 0; i < size; i += 4096)
        memory[i] = 1;
    stopwatch_init(&watch, settings);
    for (long n; (n = stopwatch_next(&watch)) > 0;) {
        for (long i = 0; i < n; i++, at = (at + MIB) % size)
            sum += sum_mib((const uint64_t *)(const void *)(memory + at));
        __asm__ volatile("" : "+r"(sum));
    }
    ret->ns = stopwatch_median_ns(&watch);
    munmap(memory, size);
    return 0;
}

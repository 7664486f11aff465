/* SPDX-License-Identifier: MIT */
/* Faults: makes allocations of the code under test fail by number. The linker's --wrap redirects
 * them to this file (see tests/meson.build). */
#include "faults.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "test.h"

static _Thread_local bool armed, struck;
static _Thread_local uint64_t seen, target;
static atomic_long live;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
int __real_posix_memalign(void **ret, size_t alignment, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
void __real_free(void *block);
void *__real_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset);
void *__real_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
int __wrap_posix_memalign(void **ret, size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);
void __wrap_free(void *block);
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset);

/* Counts an allocation. Returns whether it is the one that must fail. */
static bool strikes(void)
{
    if (!armed || ++seen != target)
        return false;
    struck = true;
    errno = ENOMEM;
    return true;
}

static void *count(void *block)
{
    if (block)
        atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    return block;
}

void *__wrap_malloc(size_t size)
{
    return strikes() ? NULL : count(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return strikes() ? NULL : count(__real_calloc(n, size));
}

void *__wrap_realloc(void *old, size_t size)
{
    if (strikes())
        return NULL;
    return old ? __real_realloc(old, size) : count(__real_realloc(NULL, size));
}

void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
    if (strikes())
        return NULL;
    return old ? __real_reallocarray(old, n, size) : count(__real_reallocarray(NULL, n, size));
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return strikes() ? NULL : count(__real_aligned_alloc(alignment, size));
}

int __wrap_posix_memalign(void **ret, size_t alignment, size_t size)
{
    int err = strikes() ? ENOMEM : __real_posix_memalign(ret, alignment, size);

    if (err == 0)
        count(*ret);
    return err;
}

char *__wrap_strdup(const char *text)
{
    return strikes() ? NULL : count(__real_strdup(text));
}

char *__wrap_strndup(const char *text, size_t len)
{
    return strikes() ? NULL : count(__real_strndup(text, len));
}

void __wrap_free(void *block)
{
    if (block)
        atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
    __real_free(block);
}

void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
    return strikes() ? MAP_FAILED : __real_mmap(addr, len, prot, flags, fd, offset);
}

/* glibc's name of mmap() when off_t has 64 bits, as meson sets it. */
void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
    return strikes() ? MAP_FAILED : __real_mmap64(addr, len, prot, flags, fd, offset);
}

void faults_arm(uint64_t nth)
{
    seen = 0;
    target = nth;
    struck = false;
    armed = true;
}

bool faults_disarm(void)
{
    armed = false;
    return struck;
}

uint64_t faults_seen(void)
{
    return seen;
}

long faults_live(void)
{
    return atomic_load(&live);
}

uint64_t faults_sweep(int (*fn)(void *arg), void *arg)
{
    for (uint64_t nth = 1;; nth++) {
        int fds = test_open_fds();
        faults_arm(nth);
        int err = fn(arg);
        bool hit = faults_disarm();
        unsigned long long number = nth;
        if (err != 0 && (err != -ENOMEM || !hit))
            test_fail(__FILE__, __LINE__, "with %s %llu failing it returned %d (%s)",
                      hit ? "allocation" : "no allocation, not even number", number, err,
                      whorl_strerror(err));
        if (test_open_fds() != fds)
            test_fail(__FILE__, __LINE__, "with allocation %llu failing %d descriptors stay open",
                      number, test_open_fds() - fds);
        if (!hit)
            return nth - 1;
    }
}

/* SPDX-License-Identifier: MIT */
/* Keeps the freed blocks of a connection in a list per size. */
#include "io/http/http2_memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    /* A block of at least this size is a mapping of its own, because nghttp2 has one for the
     * longest frame and writes to its first page only, unless it sends bodies. malloc() would use
     * memory for it that other blocks have touched before. */
    MAPPED_MIN = 16384,
    STEP = 32, /* sizes are multiples of it; larger blocks than the last size are never kept */
#if defined __SANITIZE_ADDRESS__
    KEPT_MAX = 0, /* so that the use of a freed block is noticed */
#else
    KEPT_MAX = 256 * 1024, /* bytes per connection */
#endif
};

/* Comes before the bytes that nghttp2 gets. */
struct http2_block {
    struct http2_block *next; /* while the block is kept */
    size_t size;              /* of the bytes that follow */
    max_align_t bytes[];
};

static struct http2_block *block_of(void *ptr)
{
    return (struct http2_block *)(void *)((char *)ptr - offsetof(struct http2_block, bytes));
}

static struct http2_block *new_block(size_t size)
{
    struct http2_block *block;

    if (size < MAPPED_MIN)
        return malloc(sizeof *block + size);
    block = mmap(NULL, sizeof *block + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                 -1, 0);
    return block == MAP_FAILED ? NULL : block;
}

static void free_block(struct http2_block *block)
{
    if (block->size < MAPPED_MIN)
        free(block);
    else
        munmap(block, sizeof *block + block->size);
}

/* Rounds a size up; 0 becomes a size too. */
static size_t round_up(size_t size)
{
    return size > 0 ? (size + STEP - 1) / STEP * STEP : STEP;
}

static struct http2_block **list_of(struct http2_memory *memory, size_t size)
{
    return size <= (size_t)HTTP2_MEMORY_SIZES * STEP ? &memory->kept[size / STEP - 1] : NULL;
}

static void *fail(struct http2_memory *memory)
{
    memory->has_failed = true;
    return NULL;
}

void *http2_memory_alloc(struct http2_memory *memory, size_t size)
{
    if (size > SIZE_MAX / 2)
        return fail(memory);
    size = round_up(size);
    struct http2_block **list = list_of(memory, size), *block = list ? *list : NULL;

    if (block) {
        *list = block->next;
        memory->kept_bytes -= size;
        return block->bytes;
    }
    block = new_block(size);
    if (!block)
        return fail(memory);
    block->size = size;
    return block->bytes;
}

void *http2_memory_calloc(struct http2_memory *memory, size_t count, size_t size)
{
    size_t len;

    if (__builtin_mul_overflow(count, size, &len))
        return fail(memory);
    void *ptr = http2_memory_alloc(memory, len);
    return ptr ? memset(ptr, 0, len) : NULL;
}

void *http2_memory_realloc(struct http2_memory *memory, void *ptr, size_t size)
{
    size_t old = ptr ? block_of(ptr)->size : 0;

    if (ptr && round_up(size) == old)
        return ptr;
    void *new = http2_memory_alloc(memory, size);
    if (!new)
        return NULL;
    if (ptr)
        memcpy(new, ptr, old < size ? old : size);
    http2_memory_free(memory, ptr);
    return new;
}

void http2_memory_free(struct http2_memory *memory, void *ptr)
{
    if (!ptr)
        return;
    struct http2_block *block = block_of(ptr), **list = list_of(memory, block->size);

    if (!list || memory->kept_bytes + block->size > KEPT_MAX) {
        free_block(block);
        return;
    }
    block->next = *list;
    *list = block;
    memory->kept_bytes += block->size;
}

void http2_memory_release(struct http2_memory *memory)
{
    for (size_t i = 0; i < HTTP2_MEMORY_SIZES; i++) {
        struct http2_block *block, *next;
        for (block = memory->kept[i]; block; block = next) {
            next = block->next;
            free_block(block);
        }
        memory->kept[i] = NULL;
    }
    memory->kept_bytes = 0;
}

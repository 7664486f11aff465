/* SPDX-License-Identifier: MIT */
/* The memory of nghttp2. */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/http/http2_memory.h"
#include "test.h"

static struct http2_memory memory;

static void skip_if_nothing_is_kept(void)
{
#if defined __SANITIZE_ADDRESS__
    test_skip("nothing is kept with AddressSanitizer");
#endif
}

TEST(a_freed_block_is_taken_again_for_a_similar_size)
{
    skip_if_nothing_is_kept();
    char *block = http2_memory_alloc(&memory, 100);

    memset(block, 'a', 100);
    http2_memory_free(&memory, block);
    CHECK_EQ(memory.kept_bytes, 128);
    char *other = http2_memory_alloc(&memory, 129);
    CHECK(other != block);
    CHECK(http2_memory_alloc(&memory, 128) == block);
    CHECK_EQ(memory.kept_bytes, 0);
    http2_memory_free(&memory, block);
    http2_memory_free(&memory, other);
    http2_memory_release(&memory);
    CHECK_EQ(memory.kept_bytes, 0);
}

TEST(a_cleared_block_is_clear_also_when_it_is_used_again)
{
    char *block = http2_memory_alloc(&memory, 100);

    memset(block, 'a', 100);
    http2_memory_free(&memory, block);
    block = http2_memory_calloc(&memory, 10, 10);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(block[i], 0);
    http2_memory_free(&memory, block);
    http2_memory_release(&memory);
}

TEST(a_block_that_grows_or_shrinks_keeps_its_bytes)
{
    static const size_t sizes[] = {1, 32, 33, 1024, 1025, 100000, 1024, 40, 1};
    char *block = http2_memory_realloc(&memory, NULL, 1);

    *block = 'a';
    for (size_t i = 1; i < sizeof sizes / sizeof *sizes; i++) {
        size_t old = sizes[i - 1], size = sizes[i];
        block = http2_memory_realloc(&memory, block, size);
        for (size_t at = 0; at < (old < size ? old : size); at++)
            CHECK_EQ(block[at], 'a');
        memset(block, 'a', size);
    }
    http2_memory_free(&memory, block);
    http2_memory_free(&memory, NULL);
    http2_memory_release(&memory);
}

/* A peer must not decide how much memory an idle connection keeps. */
TEST(large_blocks_and_too_many_blocks_are_not_kept)
{
    enum { COUNT = 1000 };
    static char *blocks[COUNT];

    http2_memory_free(&memory, http2_memory_alloc(&memory, 1025));
    CHECK_EQ(memory.kept_bytes, 0);
    for (int i = 0; i < COUNT; i++)
        blocks[i] = http2_memory_alloc(&memory, 1024);
    for (int i = 0; i < COUNT; i++)
        http2_memory_free(&memory, blocks[i]);
    CHECK(memory.kept_bytes <= 256 * 1024);
    http2_memory_release(&memory);
}

enum { FRAME_SIZE = 16394, PAGES = 5 };

static int count_resident(const char *block)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *start = (char *)((uintptr_t)block / page * page);
    unsigned char pages[PAGES];
    int count = 0;

    CHECK_OK(mincore(start, PAGES * page, pages));
    for (int i = 0; i < PAGES; i++)
        count += pages[i] & 1;
    return count;
}

/* nghttp2 has such a block for the longest frame, and its frames are short. */
TEST(a_block_for_a_frame_takes_only_the_pages_that_are_written)
{
    if (sysconf(_SC_PAGESIZE) != 4096)
        test_skip("pages have another size");
    for (int i = 0; i < 2; i++) {
        char *block = http2_memory_alloc(&memory, FRAME_SIZE);
        memset(block, 'a', 100);
        CHECK_EQ(count_resident(block), 1);
        memset(block, 'a', FRAME_SIZE);
        CHECK_EQ(count_resident(block), PAGES);
        http2_memory_free(&memory, block);
    }
    http2_memory_release(&memory);
}

TEST(a_size_that_is_too_large_fails)
{
    CHECK(!http2_memory_calloc(&memory, SIZE_MAX / 2, 4));
    CHECK(memory.has_failed);
    memory.has_failed = false;
    CHECK(!http2_memory_alloc(&memory, SIZE_MAX - 10));
    CHECK(memory.has_failed);
    CHECK(!http2_memory_realloc(&memory, NULL, SIZE_MAX - 100));
}

TEST_MAIN()

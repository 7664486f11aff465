/* SPDX-License-Identifier: MIT */
/* Hashes of bodies, and the states from which another process continues them. */
#include <string.h>

#include "test.h"
#include "tools/get/buffer.h"
#include "tools/get/hash.h"

enum { LENGTH = 1000, ALL = (1 << HASH_KINDS) - 1 };

static char data[LENGTH];

static void begin(struct hash *hash, unsigned kinds, size_t len)
{
    for (size_t i = 0; i < LENGTH; i++)
        data[i] = (char)(i * 7 + i / 251);
    memset(hash, 0xa5, sizeof *hash); /* a context of random memory */
    hash_init(hash, kinds);
    hash_update(hash, data, len);
}

TEST(a_calculation_continues_after_any_byte)
{
    struct buffer state = {0};
    struct hash hash;

    for (size_t len = 0; len <= 300; len++) {
        struct hash whole;
        begin(&hash, ALL, len);
        buffer_clear(&state);
        hash_save(&hash, (int64_t)len, &state);
        memset(&hash, 0x5a, sizeof hash);
        CHECK(!state.failed && hash_restore(&hash, ALL, (int64_t)len, state.text));
        hash_update(&hash, data + len, LENGTH - len);
        begin(&whole, ALL, LENGTH);
        for (enum hash_kind kind = 0; kind < HASH_KINDS; kind++) {
            char actual[HASH_HEX_SIZE], expected[HASH_HEX_SIZE];
            hash_finish(&hash, kind, actual);
            hash_finish(&whole, kind, expected);
            CHECK_STR(actual, expected);
        }
    }
    buffer_finish(&state);
}

TEST(some_of_the_kinds_can_be_continued)
{
    struct buffer state = {0};
    struct hash hash;

    begin(&hash, 1u << HASH_MD5 | 1u << HASH_SHA512, 100);
    hash_save(&hash, 100, &state);
    CHECK(hash_restore(&hash, 1u << HASH_SHA512, 100, state.text));
    CHECK_EQ(hash.kinds, 1u << HASH_SHA512);
    CHECK(!hash_restore(&hash, 1u << HASH_SHA256, 100, state.text));
    CHECK(!hash_restore(&hash, ALL, 100, state.text));
    buffer_finish(&state);
}

/* The contexts of the library have an index into the block, which no text may choose. */
TEST(texts_of_another_form_are_refused)
{
    struct buffer state = {0};
    struct hash hash;

    begin(&hash, ALL, 100);
    hash_save(&hash, 100, &state);
    for (size_t len = 0; len < state.len; len++) {
        char end = state.text[len];
        state.text[len] = '\0';
        CHECK(!hash_restore(&hash, ALL, 100, state.text));
        state.text[len] = end;
    }
    CHECK(!hash_restore(&hash, ALL, 99, state.text));
    CHECK(!hash_restore(&hash, ALL, 101, state.text));
    CHECK(!hash_restore(&hash, ALL, -100, state.text));
    for (size_t at = 0; at < state.len; at++) {
        for (int value = 1; value < 256; value++) {
            state.text[at] ^= (char)value;
            if (hash_restore(&hash, ALL, 100, state.text))
                hash_update(&hash, data, LENGTH); /* does not write behind the block */
            state.text[at] ^= (char)value;
        }
    }
    buffer_finish(&state);
}

TEST_MAIN()

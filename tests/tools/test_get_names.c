/* SPDX-License-Identifier: MIT */
/* File names that whorl-get makes from URLs. */
#include <stdlib.h>

#include <whorl/text.h>

#include "test.h"
#include "tools/get/names.h"
#include "tools/get/text.h"

static const char *name_of(const char *target)
{
    static char name[NAME_SIZE];

    memset(name, 'X', sizeof name);
    name_from_target(name, target);
    CHECK(memchr(name, '\0', sizeof name) != NULL);
    return name;
}

TEST(name_is_the_last_segment)
{
    CHECK_STR(name_of("/a/b.txt"), "b.txt");
    CHECK_STR(name_of("/b.txt"), "b.txt");
    CHECK_STR(name_of("/a//b"), "b");
}

TEST(name_of_a_directory_is_index_html)
{
    CHECK_STR(name_of("/"), "index.html");
    CHECK_STR(name_of("/a/"), "index.html");
    CHECK_STR(name_of("/a/?x=1"), "index.html?x=1");
    CHECK_STR(name_of("/?"), "index.html");
}

TEST(name_keeps_the_query_with_slashes_escaped)
{
    CHECK_STR(name_of("/1k.bin?17"), "1k.bin?17");
    CHECK_STR(name_of("/get?u=http://h/../x"), "get?u=http:%2F%2Fh%2F..%2Fx");
    CHECK_STR(name_of("/x?a=%2Fb"), "x?a=%2Fb");
    CHECK_STR(name_of("/x?"), "x");
}

TEST(name_decodes_what_is_plain_text)
{
    CHECK_STR(name_of("/%C3%A9t%c3%a9.txt"), "été.txt");
    CHECK_STR(name_of("/a%20b%2Btest"), "a b+test");
    CHECK_STR(name_of("/100%25"), "100%");
    CHECK_STR(name_of("/%E6%97%A5%E6%9C%AC"), "日本");
}

TEST(name_keeps_escaped_what_is_not)
{
    CHECK_STR(name_of("/a%00b"), "a%00b");
    CHECK_STR(name_of("/a%0Ab%1b%7f"), "a%0Ab%1B%7F");
    CHECK_STR(name_of("/a%2fb"), "a%2Fb");
    CHECK_STR(name_of("/a%ff%C3"), "a%FF%C3");
    CHECK_STR(name_of("/a%C2%9Bb"), "a%C2%9Bb");                   /* a C1 control: CSI */
    CHECK_STR(name_of("/a%E2%80%AEgpj.exe"), "a%E2%80%AEgpj.exe"); /* right-to-left override */
    CHECK_STR(name_of("/a%C0%AF"), "a%C0%AF");                     /* an overlong slash */
    CHECK_STR(name_of("/a%ED%A0%80"), "a%ED%A0%80");               /* a surrogate */
    CHECK_STR(name_of("/a%zz%4"), "a%zz%4");
}

TEST(name_never_leaves_its_directory)
{
    CHECK_STR(name_of("/.."), "_.");
    CHECK_STR(name_of("/."), "_");
    CHECK_STR(name_of("/%2e%2e"), "_.");
    CHECK_STR(name_of("/%2e%2e%2f%2e%2e%2fetc%2fpasswd"), "_.%2F..%2Fetc%2Fpasswd");
    CHECK_STR(name_of("/%2Fetc%2Fpasswd"), "%2Fetc%2Fpasswd");
}

TEST(name_is_neither_hidden_nor_an_option)
{
    CHECK_STR(name_of("/.bashrc"), "_bashrc");
    CHECK_STR(name_of("/-rf"), "_rf");
    CHECK_STR(name_of("/--"), "_-");
}

TEST(name_fits_255_bytes_and_keeps_its_extension)
{
    char target[2000] = "/";
    memset(target + 1, 'a', 1000);
    strcpy(target + 1001, ".tar.gz");
    const char *name = name_of(target);
    CHECK_EQ(strlen(name), 255);
    CHECK_STR(name + 255 - 3, ".gz");

    strcpy(target + 1001, ".thisisnotanextension");
    name = name_of(target);
    CHECK_EQ(strlen(name), 255);
    CHECK(strspn(name, "a") == 255);

    strcpy(target + 1001, "?q=1");
    CHECK_EQ(strlen(name_of(target)), 255);
}

TEST(name_of_255_bytes_is_left_alone)
{
    char target[300] = "/";
    memset(target + 1, 'a', 255);
    CHECK_STR(name_of(target), target + 1);
    target[256] = 'a';
    CHECK_EQ(strlen(name_of(target)), 255);
}

TEST(name_is_cut_between_characters)
{
    for (int shift = 0; shift < 4; shift++) {
        char target[2000] = "/";
        memset(target + 1, 'a', (size_t)shift);
        for (int i = 0; i < 120; i++)
            strcat(target, "%F0%9F%98%80"); /* four bytes each */
        const char *name = name_of(target);
        size_t len = strlen(name);
        CHECK(len <= 255 && len > 250);
        uint32_t c;
        for (size_t at = 0, n; at < len; at += n) {
            n = whorl_text_decode(name + at, len - at, &c);
            CHECK(n > 0);
        }
    }
}

TEST(name_of_a_huge_target_is_short)
{
    size_t len = 1 << 20;
    char *target = malloc(len + 1);
    memset(target, '%', len);
    target[0] = '/';
    target[len] = '\0';
    CHECK_EQ(strlen(name_of(target)), 255);
    memset(target + 1, 1, len - 1);
    target[5] = '?';
    CHECK_EQ(strlen(name_of(target)), 255);
    free(target);
}

TEST(a_path_names_a_file_below_the_directory_or_has_a_fault)
{
    static const char *const good[] = {"a", "a/b", ".a/..b/c.", "...", "a b/\xff"};
    static const struct {
        const char *path, *fault;
    } bad[] = {
        {"", "is empty"},
        {"/a", "is an absolute path"},
        {"/", "is an absolute path"},
        {"a/", "has an empty part"},
        {"a//b", "has an empty part"},
        {".", "contains \".\" or \"..\""},
        {"a/..", "contains \".\" or \"..\""},
        {"../a", "contains \".\" or \"..\""},
        {"a/./b", "contains \".\" or \"..\""},
        {"a\n", "contains a control byte"},
        {"a/\x7f", "contains a control byte"},
    };
    char path[NAME_SIZE + 3] = "a/";

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CHECK(!name_path_fault(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_STR(name_path_fault(bad[i].path), bad[i].fault);
    memset(path + 2, 'x', NAME_SIZE - 1);
    CHECK(!name_path_fault(path));
    path[NAME_SIZE + 1] = 'x';
    CHECK_STR(name_path_fault(path), "has a part that is too long");
}

TEST(any_bytes_make_a_safe_name)
{
    unsigned seed = 1;
    for (int round = 0; round < 20000; round++) {
        char target[400] = "/";
        int len = rand_r(&seed) % 390;
        for (int i = 1; i <= len; i++) {
            int r = rand_r(&seed);
            target[i] = r % 3 == 0   ? "%0123456789abcdefABCDEF./?-"[(r >> 8) % 27]
                        : r % 3 == 1 ? (char)(1 + (r >> 8) % 255)
                                     : '%';
        }
        const char *name = name_of(target);
        size_t n = strlen(name);
        CHECK(n > 0 && n <= 255);
        CHECK(name[0] != '.' && name[0] != '-');
        for (size_t at = 0, step; at < n; at += step) {
            uint32_t c;
            step = whorl_text_decode(name + at, n - at, &c);
            CHECK(step > 0 && whorl_text_is_plain(c) && c != '/');
        }
    }
}

TEST(numbered_name_fits_and_stays_whole)
{
    char name[NAME_SIZE], base[NAME_SIZE];

    name_numbered(name, "a.txt", 1);
    CHECK_STR(name, "a.txt.1");
    memset(base, 'a', 255);
    base[255] = '\0';
    memcpy(base + 250, "\xc3\xa9\xc3\xa9", 4);
    name_numbered(name, base, 42);
    CHECK_EQ(strlen(name), 255);
    CHECK_STR(name + 250, "\xc3\xa9.42");
    name_numbered(name, base, 123);
    CHECK_STR(name + 250, ".123");
}

TEST(hints_count_each_name_by_itself)
{
    struct name_hints *hints = calloc(1, sizeof *hints);
    CHECK_EQ(name_hints_next(hints, "a"), 1);
    CHECK_EQ(name_hints_next(hints, "a"), 2);
    CHECK_EQ(name_hints_next(hints, "b"), 1);
    CHECK_EQ(name_hints_next(hints, "a"), 3);
    CHECK_EQ(name_hints_next(hints, "b"), 2);
    free(hints);
}

TEST_MAIN()

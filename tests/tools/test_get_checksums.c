/* SPDX-License-Identifier: MIT */
/* How whorl-get reads files of checksums. */
#include <unistd.h>

#include "test.h"
#include "tools/get/checksums.h"

#define MD5    "0123456789abcdef0123456789ABCDEF"
#define SHA1   MD5 "01234567"
#define SHA256 MD5 MD5

static struct checksum line;
static char text[512];

static bool parse(const char *source)
{
    snprintf(text, sizeof text, "%s", source);
    return checksum_parse(text, &line);
}

#define CHECK_LINE(source, expected_kind, expected_name) \
    do {                                                 \
        CHECK(parse(source));                            \
        CHECK_EQ(line.kind, expected_kind);              \
        CHECK_STR(line.name, expected_name);             \
        CHECK(hash_is_hex(line.kind, line.hex));         \
    } while (0)

TEST(lines_of_gnu_and_bsd_are_read)
{
    CHECK_LINE(MD5 "  a", HASH_MD5, "a");
    CHECK_LINE(SHA1 " *a b", HASH_SHA1, "a b");
    CHECK_LINE(SHA256 "  ./dir/a", HASH_SHA256, "dir/a");
    CHECK_LINE(SHA256 SHA256 "   a", HASH_SHA512, " a");
    CHECK_LINE("\\" MD5 "  a\\nb\\\\c", HASH_MD5, "a\nb\\c");
    CHECK_LINE("SHA256 (a) b) = " SHA256, HASH_SHA256, "a) b");
    CHECK_LINE("SHA512 (x) = y) = " SHA256 SHA256, HASH_SHA512, "x) = y");
    CHECK_LINE(MD5 "  b (c) = d", HASH_MD5, "b (c) = d");
}

TEST(other_lines_are_refused)
{
    static const char *const wrong[] = {
        "",
        "a",
        MD5,
        MD5 " a",
        MD5 "  ",
        MD5 "0  a",
        "g" MD5 "  a",
        "\\" MD5 "  a\\b",
        "\\" MD5 "  a\\",
        "SHA256 (a) = " MD5,
        "SHA3 (a) = " SHA256,
        "SHA256 (a)= " SHA256,
        "SHA256 () = " SHA256,
        MD5 "  ./",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (parse(wrong[i]))
            test_fail(__FILE__, __LINE__, "'%s' was accepted", wrong[i]);
        else
            CHECK_STR(text, wrong[i]);
}

static int load(struct checksums *checksums, const char *content, size_t len, long *ret_line)
{
    char path[600];

    snprintf(path, sizeof path, "%s/SUMS", test_tmpdir());
    FILE *file = fopen(path, "w");
    CHECK(file);
    fwrite(content, 1, len, file);
    fclose(file);
    return checksums_load(checksums, path, ret_line);
}

#define LOAD(content) load(&checksums, content, sizeof(content) - 1, &number)

TEST(a_file_is_looked_up_by_its_name)
{
    struct checksums checksums = {0};
    long number;

    CHECK_OK(
        LOAD("# made by hand\r\n\n" MD5 "  a\r\n" SHA256 "  dir/b\n" MD5 "  a\nSHA1 (a) = " SHA1));
    CHECK_STR(checksums_find(&checksums, "a", HASH_MD5), MD5);
    CHECK_STR(checksums_find(&checksums, "x/a", HASH_SHA1), SHA1);
    CHECK(!checksums_find(&checksums, "a", HASH_SHA256));
    CHECK_STR(checksums_find(&checksums, "dir/b", HASH_SHA256), SHA256);
    CHECK(!checksums_find(&checksums, "b", HASH_SHA256));
    checksums_finish(&checksums);
}

TEST(a_wrong_file_is_refused_with_its_line)
{
    struct checksums checksums = {0};
    long number;

    CHECK_ERR(LOAD(MD5 "  a\nb\n"), -EINVAL);
    CHECK_EQ(number, 2);
    checksums_finish(&checksums);
    CHECK_ERR(LOAD("\n\n" MD5 "  a\nf" SHA1 "\n"), -EINVAL);
    CHECK_EQ(number, 4);
    checksums_finish(&checksums);
    CHECK_ERR(LOAD(MD5 "  a\n123456789abcdef0123456789ABCDEF0  a\n"), -EINVAL);
    CHECK_EQ(number, 2);
    checksums_finish(&checksums);
    CHECK_ERR(LOAD(MD5 "  a\0b\n"), -EINVAL);
    checksums_finish(&checksums);
    CHECK_ERR(checksums_load(&checksums, "/nonexistent/file", &number), -ENOENT);
    CHECK_EQ(number, 0);
    CHECK_ERR(checksums_load(&checksums, "/", &number), -EISDIR);
    CHECK_EQ(number, 0);
    checksums_finish(&checksums);
}

TEST(names_of_hashes_are_found_in_every_spelling)
{
    enum hash_kind kind;

    CHECK(hash_find("sha-256", 7, &kind) && kind == HASH_SHA256);
    CHECK(hash_find("SHA512", 6, &kind) && kind == HASH_SHA512);
    CHECK(hash_find("SHA", 3, &kind) && kind == HASH_SHA1);
    CHECK(hash_find("MD5x", 3, &kind) && kind == HASH_MD5);
    CHECK(!hash_find("sha3-256", 8, &kind) && !hash_find("", 0, &kind));
    CHECK(!hash_find("sha256sha256sha256sha256", 24, &kind));
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT */
/* The settings of a URL in a list of whorl-get. */
#include "test.h"
#include "tools/get/entry.h"

static struct entry entry;
static char text[512], why[ENTRY_WHY_SIZE];

static int parse(const char *settings)
{
    entry_finish(&entry);
    why[0] = '\0';
    snprintf(text, sizeof text, "%s", settings);
    return entry_parse(&entry, text, why);
}

#define CHECK_WRONG(settings, cause)         \
    do {                                     \
        CHECK_ERR(parse(settings), -EINVAL); \
        CHECK_STR(why, cause);               \
    } while (0)

TEST(a_line_is_a_url_and_settings)
{
    char line[] = "http://h/?a=b \t out=x", alone[] = "http://h/";

    CHECK_STR(entry_split(line), "out=x");
    CHECK_STR(line, "http://h/?a=b");
    CHECK_STR(entry_split(alone), "");
    CHECK_STR(alone, "http://h/");
    char spaced[] = "http://h/a b  c?d=e f=g h=1";
    CHECK_STR(entry_split(spaced), "f=g h=1");
    CHECK_STR(spaced, "http://h/a b  c?d=e");
    char plain[] = "http://h/a size";
    CHECK_STR(entry_split(plain), "");
    CHECK_STR(plain, "http://h/a size");
}

#define HEX32 "0123456789abcdefABCDEF0123456789"

TEST(every_setting_is_taken)
{
    CHECK_OK(parse(""));
    CHECK(!entry.out && entry.size == -1 && entry.mirrors_count == 0 && entry.headers_count == 0);
    CHECK_OK(parse("out=a size=0 mirror=http://m/?x=1 mirror=http://n/ header=A:1 \theader=B:\t"
                   "md5=" HEX32 " sha1=" HEX32 "01234567 sha256=" HEX32 HEX32
                   " sha512=" HEX32 HEX32 HEX32 HEX32));
    CHECK_STR(entry.out, "a");
    CHECK_EQ(entry.size, 0);
    CHECK_EQ(entry.mirrors_count, 2);
    CHECK_STR(entry.mirrors[0], "http://m/?x=1");
    CHECK_STR(entry.mirrors[1], "http://n/");
    CHECK_EQ(entry.headers_count, 2);
    CHECK_STR(entry.headers[0].value, "1");
    CHECK_STR(entry.headers[1].name, "B");
    for (enum hash_kind kind = 0; kind < HASH_KINDS; kind++)
        CHECK_EQ(strlen(entry.hashes[kind]), 2 * hash_size(kind));
}

TEST(values_with_spaces_are_quoted)
{
    CHECK_OK(parse("out=\"a \\\"b\\\" \\\\ \\c\" header=\"A: x y\" size=1"));
    CHECK_STR(entry.out, "a \"b\" \\ \\c");
    CHECK_STR(entry.headers[0].value, "x y");
    CHECK_EQ(entry.size, 1);
    CHECK_WRONG("out=\"a", "the value of out does not end with a quote and a space");
    CHECK_WRONG("out=\"a\"b", "the value of out does not end with a quote and a space");
    CHECK_WRONG("out=\"a\\\"", "the value of out does not end with a quote and a space");
}

TEST(wrong_settings_are_named)
{
    CHECK_WRONG("x", "'x' is not a setting such as size=100");
    CHECK_WRONG("x y=1", "'x' is not a setting such as size=100");
    CHECK_WRONG("colour=red", "unknown setting 'colour': there are out, size, mirror, header, md5, "
                              "sha1, sha256 and sha512");
    CHECK_WRONG("out=", "out needs a value");
    CHECK_WRONG("size=1k", "size needs a number of bytes, not '1k'");
    CHECK_WRONG("size=-1", "size needs a number of bytes, not '-1'");
    CHECK_WRONG("size=99999999999999999999",
                "size needs a number of bytes, not '99999999999999999999'");
    CHECK_WRONG("md5=12", "md5 needs 32 hexadecimal digits, not '12'");
    CHECK_WRONG("sha1=g" HEX32 "0123456",
                "sha1 needs 40 hexadecimal digits, not 'g" HEX32 "0123456'");
    CHECK_WRONG("header=x", "header needs 'Name: value'");
    CHECK_WRONG("header=\"A: \x01\"", "header has a control byte in its value");
    CHECK_WRONG("out\x1b=x", "unknown setting 'out\\x1b': there are out, size, mirror, header, "
                             "md5, sha1, sha256 and sha512");
}

TEST_MAIN()

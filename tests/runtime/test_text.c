/* SPDX-License-Identifier: MIT */
/* Foreign text: decoded strictly, escaped for terminals. */
#include <stdlib.h>
#include <string.h>

#include <whorl/text.h>

#include "test.h"

static char ret[6 * 40 + 16];

static const char *escaped(const char *text)
{
    CHECK_EQ(whorl_text_escape(text, strlen(text), ret, sizeof ret), strlen(ret));
    return ret;
}

TEST(escape_keeps_plain_text_and_shows_the_rest_as_bytes)
{
    CHECK_STR(escaped("plain été 日本"), "plain été 日本");
    CHECK_STR(escaped("a\x1b[31mb\n\x7f"), "a\\x1b[31mb\\x0a\\x7f");
    CHECK_STR(escaped("\xff\xc3"), "\\xff\\xc3");
    CHECK_STR(escaped("\xc2\x9b"), "\\xc2\\x9b");
    CHECK_STR(escaped("\xe2\x80\xae"), "\\xe2\\x80\\xae");
    CHECK_STR(escaped(""), "");
}

TEST(escape_ascii_keeps_ascii_only)
{
    CHECK_EQ(whorl_text_escape_ascii("aé\n", 4, ret, sizeof ret), 13);
    CHECK_STR(ret, "a\\xc3\\xa9\\x0a");
}

TEST(escape_reads_so_many_bytes_and_no_more)
{
    CHECK_EQ(whorl_text_escape("abc", 2, ret, sizeof ret), 2);
    CHECK_STR(ret, "ab");
    CHECK_EQ(whorl_text_escape("é", 1, ret, sizeof ret), 4); /* the character is cut */
    CHECK_STR(ret, "\\xc3");
    CHECK_EQ(whorl_text_escape("a\0b", 3, ret, sizeof ret), 6);
    CHECK_STR(ret, "a\\x00b");
}

TEST(escape_is_cut_at_whole_pieces)
{
    CHECK_EQ(whorl_text_escape("abcd\x1b", 5, ret, 8), 4);
    CHECK_EQ(whorl_text_escape("abc\x1b", 4, ret, 8), 7);
    CHECK_EQ(whorl_text_escape("abcdefé", 8, ret, 8), 6);
    CHECK_EQ(whorl_text_escape("a\xe2\x80\xae", 4, ret, 13), 1);
    CHECK_EQ(whorl_text_escape("a", 1, ret, 1), 0);
    CHECK_STR(ret, "");
}

static const char *json(const char *text, size_t len)
{
    CHECK_EQ(whorl_text_escape_json(text, len, ret, sizeof ret), strlen(ret));
    return ret;
}

TEST(escape_json_makes_the_inside_of_a_string)
{
    CHECK_STR(json("plain été 日本 😀", 23), "plain été 日本 😀");
    CHECK_STR(json("a \"b\" c:\\d", 10), "a \\\"b\\\" c:\\\\d");
    CHECK_STR(json("\x1b\n\0\x7f", 4), "\\u001b\\u000a\\u0000\\u007f");
    CHECK_STR(json("a\xff\xc3", 3), "a\\ufffd\\ufffd");
    CHECK_STR(json("\xe2\x80\xae", 3), "\\u202e");
    CHECK_STR(json("\xf3\xa0\x81\x81", 4), "\\udb40\\udc41"); /* U+E0041, which is invisible */
    CHECK_EQ(whorl_text_escape_json_ascii("aé😀", 7, ret, sizeof ret), 19);
    CHECK_STR(ret, "a\\u00e9\\ud83d\\ude00");
}

TEST(escape_json_is_cut_at_whole_pieces)
{
    CHECK_EQ(whorl_text_escape_json("ab\n", 3, ret, 8), 2);
    CHECK_EQ(whorl_text_escape_json("ab\n", 3, ret, 9), 8);
    CHECK_EQ(whorl_text_escape_json("ab\"", 3, ret, 4), 2);
    CHECK_EQ(whorl_text_escape_json_ascii("a😀", 5, ret, 13), 1);
    CHECK_EQ(whorl_text_escape_json_ascii("a😀", 5, ret, 14), 13);
    CHECK_EQ(whorl_text_escape_json("a", 1, ret, 1), 0);
}

TEST(cut_is_never_inside_a_character)
{
    const char *text = "aé€😀b"; /* 1, 2, 3, 4 and 1 bytes */
    static const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};

    for (size_t max = 0; max < sizeof expected / sizeof expected[0]; max++)
        CHECK_EQ(whorl_text_cut(text, 11, max), expected[max]);
    CHECK_EQ(whorl_text_cut("\x80\x80\x80\x80\x80", 5, 3), 3); /* not UTF-8 */
    CHECK_EQ(whorl_text_cut("\xe2\x82", 2, 1), 1);
    CHECK_EQ(whorl_text_cut("", 0, 0), 0);
}

TEST(decode_takes_valid_utf8_only)
{
    uint32_t c;

    CHECK_EQ(whorl_text_decode("\xf0\x9f\x98\x80", 4, &c), 4);
    CHECK_EQ(c, 0x1f600);
    CHECK_EQ(whorl_text_decode("\xf0\x9f\x98", 3, &c), 0);
    CHECK_EQ(whorl_text_decode("\xc0\x80", 2, &c), 0);
    CHECK_EQ(whorl_text_decode("\xe0\x80\xaf", 3, &c), 0);
    CHECK_EQ(whorl_text_decode("\xed\xa0\x80", 3, &c), 0);
    CHECK_EQ(whorl_text_decode("\xf4\x90\x80\x80", 4, &c), 0);
    CHECK_EQ(whorl_text_decode("\x80", 1, &c), 0);
    CHECK_EQ(whorl_text_decode("", 0, &c), 0);
}

/* The encoder of RFC 3629 §3, without any check. */
static size_t encode(uint32_t c, unsigned char *to)
{
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        to[i] = (unsigned char)(0x80 | (c & 0x3f));
    to[0] = (unsigned char)(n == 1 ? c : (0xf0u << (4 - n) & 0xff) | c);
    return n;
}

TEST(decode_knows_every_character)
{
    for (uint32_t c = 0; c < 0x200000; c++) {
        unsigned char bytes[4];
        size_t n = encode(c, bytes);
        uint32_t found = 0;
        bool valid = c <= 0x10ffff && (c < 0xd800 || c >= 0xe000);
        CHECK_EQ(whorl_text_decode((const char *)bytes, n, &found), valid ? n : 0);
        CHECK_EQ(found, valid ? c : 0);
        CHECK_EQ(whorl_text_decode((const char *)bytes, n - 1, &found), 0);
    }
}

TEST(any_bytes_become_text_that_is_plain)
{
    unsigned seed = 1;

    for (int round = 0; round < 50000; round++) {
        char text[40];
        size_t len = (size_t)rand_r(&seed) % sizeof text, size = 1 + (size_t)rand_r(&seed) % 160;
        for (size_t i = 0; i < len; i++)
            text[i] = (char)(rand_r(&seed) >> 8);
        size_t n = whorl_text_escape(text, len, ret, size);
        CHECK(n < size && ret[n] == '\0');
        for (size_t at = 0, step; at < n; at += step) {
            uint32_t c;
            step = whorl_text_decode(ret + at, n - at, &c);
            CHECK(step > 0 && whorl_text_is_plain(c));
        }
        CHECK(whorl_text_escape_json(text, len, ret, 6 * len + 1) <= 6 * len);
    }
}

TEST_MAIN()

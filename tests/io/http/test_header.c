/* SPDX-License-Identifier: MIT */
/* Header lists and the syntax of names, values and comma lists. */
#include <stdlib.h>

#include "io/http/header.h"
#include "test.h"

TEST(header_list_finds_names_in_any_case)
{
    struct header_list list = {0};
    CHECK_OK(header_list_append(&list, "Content-Type", "text/html"));
    CHECK_OK(header_list_append(&list, "X-Empty", ""));
    CHECK_STR(header_list_get(&list, "content-TYPE"), "text/html");
    CHECK_STR(header_list_get(&list, "x-empty"), "");
    CHECK(!header_list_get(&list, "content-typ"));
    CHECK(!header_list_get(&list, "content-types"));
    CHECK(!header_list_get(&list, ""));
    header_list_finish(&list);
}

/* '[' and '{', '@' and '`' differ only in the bit that distinguishes upper and lower case. */
TEST(header_equal_folds_letters_only)
{
    CHECK(header_equal("aZ", "Az"));
    CHECK(header_equal("", ""));
    CHECK(!header_equal("a[", "a{"));
    CHECK(!header_equal("@", "`"));
    CHECK(!header_equal("a", "ab"));
    CHECK(!header_equal("ab", "a"));
    CHECK(!header_equal("\xc4", "\xe4"));
}

TEST(header_list_next_gives_all_of_a_name_in_order)
{
    struct header_list list = {0};
    size_t index = 0;
    CHECK_OK(header_list_append(&list, "Set-Cookie", "a=1"));
    CHECK_OK(header_list_append(&list, "Server", "x"));
    CHECK_OK(header_list_append(&list, "set-cookie", "b=2"));
    CHECK_STR(header_list_next(&list, "Set-Cookie", &index), "a=1");
    CHECK_STR(header_list_next(&list, "Set-Cookie", &index), "b=2");
    CHECK(!header_list_next(&list, "Set-Cookie", &index));
    header_list_finish(&list);
}

TEST(header_list_at_keeps_order_and_spelling)
{
    struct header_list list = {0};
    struct whorl_http_header h;
    CHECK_OK(header_list_append(&list, "B", "1"));
    CHECK_OK(header_list_append(&list, "a", "2"));
    CHECK(header_list_at(&list, 0, &h));
    CHECK_STR(h.name, "B");
    CHECK_STR(h.value, "1");
    CHECK(header_list_at(&list, 1, &h));
    CHECK_STR(h.name, "a");
    CHECK(!header_list_at(&list, 2, &h));
    header_list_finish(&list);
}

TEST(header_list_keeps_its_memory_when_cleared)
{
    struct header_list list = {0};
    CHECK_OK(header_list_append(&list, "A", "1"));
    char *bytes = list.bytes;
    struct header_field *fields = list.fields;
    header_list_clear(&list);
    CHECK_EQ(list.count, 0);
    CHECK(!header_list_get(&list, "A"));
    for (int i = 0; i < 20; i++)
        CHECK_OK(header_list_append(&list, "Name", "a value"));
    CHECK(list.bytes == bytes);
    CHECK(list.fields == fields);
    header_list_finish(&list);
    CHECK(!list.bytes);
    header_list_finish(&list);
}

TEST(header_list_grows_to_thousands_of_fields)
{
    struct header_list list = {0};
    char name[16], value[16];
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "N%d", i);
        snprintf(value, sizeof value, "v%d", i);
        CHECK_OK(header_list_append(&list, name, value));
    }
    CHECK_STR(header_list_get(&list, "n0"), "v0");
    CHECK_STR(header_list_get(&list, "n4999"), "v4999");
    header_list_finish(&list);
}

TEST(header_list_move_leaves_an_empty_list)
{
    struct header_list from = {0}, to = {0};
    CHECK_OK(header_list_append(&from, "A", "1"));
    CHECK_OK(header_list_append(&to, "B", "2"));
    header_list_move(&to, &from);
    CHECK_STR(header_list_get(&to, "A"), "1");
    CHECK(!header_list_get(&to, "B"));
    CHECK_EQ(from.count, 0);
    CHECK(!from.bytes);
    header_list_finish(&to);
}

TEST(header_list_raw_fields_are_terminated_in_place)
{
    static const char raw[] = "A: one\r\nB:\r\n";
    struct header_list list = {0};
    for (size_t i = 0; i < sizeof raw - 1; i++)
        CHECK_OK(header_list_append_raw(&list, raw + i, 1));
    CHECK_OK(header_list_mark(&list, 0, 1, 3, 3));
    CHECK_OK(header_list_mark(&list, 8, 1, 10, 0));
    CHECK_STR(header_list_get(&list, "a"), "one");
    CHECK_STR(header_list_get(&list, "b"), "");
    header_list_finish(&list);
}

TEST(header_has_token_reads_comma_lists)
{
    static const struct {
        const char *value;
        bool found;
    } cases[] = {
        {"close", true},
        {"Close", true},
        {"keep-alive, close", true},
        {"keep-alive,close", true},
        {" \t, ,close ,", true},
        {"keep-alive", false},
        {"closed", false},
        {"close=1", false},
        {"clos", false},
        {"", false},
        {",", false},
        {"\"a,close\"", false},
        {"\"a\\\",close\"", false},
        {"\"a\",close", true},
        {"\"unterminated,close", false},
        {"\"ends in backslash\\", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct header_list list = {0};
        CHECK_OK(header_list_append(&list, "Connection", cases[i].value));
        if (header_list_has_token(&list, "connection", "close") != cases[i].found)
            test_fail(__FILE__, __LINE__, "wrong for \"%s\"", cases[i].value);
        header_list_finish(&list);
    }
}

TEST(header_has_token_looks_into_every_field)
{
    struct header_list list = {0};
    CHECK_OK(header_list_append(&list, "Connection", "x"));
    CHECK_OK(header_list_append(&list, "Connection", "close"));
    CHECK(header_list_has_token(&list, "connection", "close"));
    header_list_finish(&list);
}

/* RFC 9110 §5.6.2, checked for every byte. */
TEST(header_token_accepts_tchar_only)
{
    static const char others[] = "\"(),/:;<=>?@[\\]{} \t\r\n\x7f";
    CHECK(!header_is_token("", 0));
    for (int c = 0; c < 256; c++) {
        char text[3] = {'a', (char)c, 'b'};
        bool expected = c > 0x20 && c < 0x7f && !strchr(others, c);
        if (header_is_token(text, 3) != expected)
            test_fail(__FILE__, __LINE__, "wrong for byte 0x%02x", c);
    }
}

/* RFC 9113 §8.2.1, checked for every byte at every place, because names are looked at in blocks. */
TEST(header_lower_token_refuses_upper_case)
{
    char text[20];

    memset(text, 'a', sizeof text);
    CHECK(!header_is_lower_token("", 0));
    for (int c = 0; c < 256; c++)
        for (size_t len = 1; len <= sizeof text; len++)
            for (size_t at = 0; at < len; at++) {
                text[at] = (char)c;
                bool expected = header_is_token(text, len) && !(c >= 'A' && c <= 'Z');
                if (header_is_lower_token(text, len) != expected)
                    test_fail(__FILE__, __LINE__, "wrong for byte 0x%02x", c);
                text[at] = 'a';
            }
}

/* Values are looked at in blocks. */
TEST(header_value_finds_a_control_at_every_place)
{
    static const unsigned char bytes[] = {0, '\t', '\n', 0x1f, ' ', '~', 0x7f, 0x80, 0xff};
    char text[40];

    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < sizeof bytes; i++)
        for (size_t len = 1; len <= sizeof text; len++)
            for (size_t at = 0; at < len; at++) {
                bool expected = bytes[i] == '\t' || (bytes[i] >= 0x20 && bytes[i] != 0x7f);
                text[at] = (char)bytes[i];
                if (header_is_value(text, len) != expected)
                    test_fail(__FILE__, __LINE__, "wrong for byte 0x%02x", bytes[i]);
                text[at] = 'a';
            }
}

TEST(header_value_refuses_controls_only)
{
    for (int c = 0; c < 256; c++) {
        char text[3] = {'a', (char)c, 'b'};
        bool expected = c == '\t' || (c >= 0x20 && c != 0x7f);
        if (header_is_value(text, 3) != expected)
            test_fail(__FILE__, __LINE__, "wrong for byte 0x%02x", c);
    }
    CHECK(header_is_value("", 0));
}

TEST_MAIN()

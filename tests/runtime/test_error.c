/* SPDX-License-Identifier: MIT */
/* Error codes: each one has a name and a text, and details can be printed on a terminal. */
#include <ctype.h>
#include <limits.h>
#include <pthread.h>

#include <whorl/error.h>

#include "runtime/errno_names.h"
#include "test.h"

struct code {
    const char *name, *text;
    int number;
};

static const struct code codes[] = {
#define CODE(name, number, text) {#name, text, number},
    WHORL_ERRORS(CODE)
#undef CODE
};

enum { CODES = sizeof codes / sizeof codes[0] };

TEST(every_code_has_its_name_and_text)
{
    CHECK(CODES > 50);
    for (int i = 0; i < CODES; i++) {
        CHECK_STR(whorl_error_name(codes[i].number), codes[i].name);
        CHECK_STR(whorl_error_name(-codes[i].number), codes[i].name);
        CHECK_STR(whorl_strerror(codes[i].number), codes[i].text);
        CHECK_STR(whorl_strerror(-codes[i].number), codes[i].text);
        CHECK(strncmp(codes[i].name, "WHORL_E", 7) == 0);
        CHECK(codes[i].text[0] != '\0' && codes[i].text[strlen(codes[i].text) - 1] != '.');
    }
}

TEST(codes_differ_and_lie_below_those_of_errno)
{
    for (int i = 0; i < CODES; i++) {
        CHECK(codes[i].number < -4095);
        CHECK(codes[i].number <= -5000 && codes[i].number > -5400);
        for (int k = 0; k < i; k++) {
            CHECK(codes[i].number != codes[k].number);
            CHECK(strcmp(codes[i].text, codes[k].text) != 0);
        }
    }
}

TEST(errno_values_have_the_systems_names_and_texts_in_lower_case)
{
    CHECK_STR(whorl_error_name(-ECONNREFUSED), "ECONNREFUSED");
    CHECK_STR(whorl_error_name(ENOENT), "ENOENT");
    CHECK_STR(whorl_strerror(-ENOENT), "no such file or directory");
    CHECK_STR(whorl_strerror(ECONNREFUSED), "connection refused");
    CHECK_STR(whorl_strerror(-ECANCELED), "cancelled");
    CHECK_STR(whorl_strerror(-E2BIG), "argument list too long");
    CHECK_STR(whorl_strerror(0), "success");
    CHECK_STR(whorl_error_name(0), "OK");
    for (int number = 1; number < 134; number++) {
        const char *text = strerror(number);
        if (number == ECANCELED || strcmp(whorl_error_name(-number), "E?") == 0)
            continue;
        CHECK_EQ(strcasecmp(whorl_strerror(-number), text), 0);
        /* An acronym stays in capitals: "RFS specific error", and musl's "I/O error". */
        CHECK(!isupper((unsigned char)whorl_strerror(-number)[0]) ||
              !islower((unsigned char)text[1]));
    }
}

/* Other C libraries get the names from our list. */
TEST(our_names_of_errno_values_are_those_of_glibc)
{
    int count = sizeof errno_names / sizeof errno_names[0];

    CHECK_EQ(count, EHWPOISON + 1);
    for (int number = 1; number < count; number++)
        CHECK_STR(whorl_error_name(-number), errno_names[number] ? errno_names[number] : "E?");
}

TEST(unknown_codes_have_a_text_too)
{
    static const int unknown[] = {-134,  -255,  -256, -4095,   -4096,    -4999,
                                  -5399, -5999, 5999, INT_MAX, -INT_MAX, INT_MIN};

    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        CHECK_STR(whorl_strerror(unknown[i]), "unknown error");
        CHECK_STR(whorl_error_name(unknown[i]), "E?");
    }
}

static void *ask_for_all(void *arg)
{
    (void)arg;
    for (int number = 1; number < 134; number++)
        CHECK(whorl_strerror(-number)[0] != '\0');
    return NULL;
}

TEST(threads_may_ask_at_the_same_time)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, ask_for_all, NULL), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_STR(whorl_strerror(-ECONNREFUSED), "connection refused");
}

/* --- details --------------------------------------------------------------------------------- */

static struct whorl_error error;

TEST(setting_fills_in_code_step_and_text_and_returns_the_code)
{
    CHECK_EQ(whorl_error_set(&error, -EIO, "connect", "%s:%d: %s", "127.0.0.1", 9, "refused"),
             -EIO);
    CHECK_EQ(error.code, -EIO);
    CHECK_STR(error.step, "connect");
    CHECK_STR(error.text, "127.0.0.1:9: refused");
    CHECK_EQ(whorl_error_set(NULL, -ENOENT, "open", "%d", 1), -ENOENT);
}

TEST(control_bytes_are_escaped)
{
    whorl_error_set(&error, -EIO, "a\tb", "%s", "\x1b[31mred\r\n\x7f end");
    CHECK_STR(error.step, "a\\x09b");
    CHECK_STR(error.text, "\\x1b[31mred\\x0d\\x0a\\x7f end");
}

/* Some terminals also obey the control characters U+0080 to U+009F. U+009B acts like ESC [. */
TEST(control_characters_beyond_ascii_are_escaped)
{
    whorl_error_set(&error, -EIO, "x", "%s",
                    "a\xc2\x9b"
                    "31m\xc2\x80\xc2\x9f\xc2\xa0|");
    CHECK_STR(error.text, "a\\xc2\\x9b31m\\xc2\\x80\\xc2\\x9f\xc2\xa0|");
}

TEST(utf8_is_kept_and_what_is_none_is_escaped)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
        {"\xe2\x82\xac \xf0\x9f\x8c\x80", "\xe2\x82\xac \xf0\x9f\x8c\x80"},
        {"\xff\xfe", "\\xff\\xfe"},
        {"\xc3", "\\xc3"},                            /* the text ends inside the character */
        {"\xc3(", "\\xc3("},                          /* no continuation byte */
        {"\x80", "\\x80"},                            /* a continuation byte alone */
        {"\xe2\x82", "\\xe2\\x82"},                   /* the text ends inside the character */
        {"\xe2\x82x", "\\xe2\\x82x"},                 /* the last byte is missing */
        {"\xc0\xaf", "\\xc0\\xaf"},                   /* "/" in two bytes */
        {"\xe0\x80\xaf", "\\xe0\\x80\\xaf"},          /* "/" in three bytes */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* half a surrogate pair */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* beyond U+10FFFF */
        {"\xf8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        whorl_error_set(&error, -EIO, "x", "%s", cases[i].in);
        CHECK_STR(error.text, cases[i].out);
    }
}

static bool is_utf8_without_controls(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    while (*p) {
        int more = *p < 0x80 ? 0 : *p >= 0xc2 && *p < 0xe0 ? 1 : *p >= 0xe0 && *p < 0xf0 ? 2 : 3;
        if (*p < 0x20 || *p == 0x7f || (*p >= 0x80 && *p < 0xc2) || *p > 0xf4)
            return false;
        if (*p == 0xc2 && p[1] < 0xa0)
            return false;
        for (p++; more > 0; more--, p++)
            if ((*p & 0xc0) != 0x80)
                return false;
    }
    return true;
}

TEST(long_texts_are_cut_between_characters)
{
    static const char *const units[] = {"x",    "\xc3\xbc",  "\xe2\x82\xac", "\xf0\x9f\x8c\x80",
                                        "\x01", "ab\xc3\xbc"};

    for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
        for (size_t shift = 0; shift < 8; shift++) {
            char text[2000] = "";
            memset(text, 'y', shift);
            while (strlen(text) < 1500)
                strcat(text, units[u]);
            memset(&error, 0xff, sizeof error);
            whorl_error_set(&error, -EIO, text, "%s", text);
            CHECK(memchr(error.text, 0, sizeof error.text) != NULL);
            CHECK(memchr(error.step, 0, sizeof error.step) != NULL);
            CHECK(strlen(error.text) >= sizeof error.text - 5);
            CHECK(strlen(error.step) >= sizeof error.step - 5);
            CHECK(is_utf8_without_controls(error.text));
            CHECK(is_utf8_without_controls(error.step));
        }
    }
}

TEST(any_bytes_come_out_as_text)
{
    uint32_t x = 1;

    for (int round = 0; round < 5000; round++) {
        char bytes[300];
        x = x * 1664525 + 1013904223;
        size_t len = (x >> 8) % sizeof bytes;
        for (size_t i = 0; i < len; i++) {
            x = x * 1664525 + 1013904223;
            bytes[i] = (char)(x >> 24 | (x >> 16 & 1 ? 0x80 : 0));
            if (!bytes[i])
                bytes[i] = 'z';
        }
        bytes[len ? len - 1 : 0] = '\0';
        whorl_error_set(&error, -EIO, bytes, "%s", bytes);
        CHECK(is_utf8_without_controls(error.text));
        CHECK(is_utf8_without_controls(error.step));
    }
}

TEST_MAIN()

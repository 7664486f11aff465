/* SPDX-License-Identifier: MIT */
/* Text and URLs made safe for terminals; sizes and times. */
#include <locale.h>

#include <whorl/base.h>

#include "test.h"
#include "tools/get/text.h"

static const char *url(const char *text)
{
    static char ret[256];

    CHECK_EQ(text_escape_url(ret, sizeof ret, text), strlen(ret));
    return ret;
}

TEST(passwords_are_not_shown)
{
    CHECK_STR(url("http://user:secret@h/x@y"), "http://***@h/x@y");
    CHECK_STR(url("http://u:a@b@h/"), "http://***@h/");
    CHECK_STR(url("http://h/x@y"), "http://h/x@y");
    CHECK_STR(url("http://h?a@b"), "http://h?a@b");
    CHECK_STR(url("not a url@all"), "not a url@all");
    CHECK_STR(url("http://u\x1b:p@h/\n"), "http://***@h/\\x0a");
    CHECK_STR(url("http://[::1]:80/x@y"), "http://[::1]:80/x@y");
    CHECK_STR(url("http://[::1]/x@y"), "http://[::1]/x@y");
    CHECK_STR(url("http://h:80/x@y"), "http://h:80/x@y");
    CHECK_STR(url("http://h:/x@y"), "http://h:/x@y");
    /* These are probably not the URLs that the user meant, but the typed text is what is shown. */
    CHECK_STR(url("http://user:se/cr?et@h/"), "http://***@h/");
    CHECK_STR(url("http://user:se/cr@et@h/"), "http://***@h/");
    CHECK_STR(url("user:secret@h/x"), "***@h/x");
    CHECK_STR(url("http:/user:secret@h/x"), "http:/***@h/x");
    CHECK_STR(url("//user:secret@h/x"), "//***@h/x");
    CHECK_STR(url("user:secret@h/?u=http://i"), "***@h/?u=http://i");
}

TEST(fit_shortens_in_the_middle)
{
    char ret[256];

    setlocale(LC_CTYPE, "C.UTF-8");
    CHECK_EQ(text_fit(ret, sizeof ret, "short", 10), 5);
    CHECK_STR(ret, "short");
    CHECK_EQ(text_fit(ret, sizeof ret, "abcdefghijklmnop.txt", 12), 12);
    CHECK_STR(ret, "abcde..p.txt");
    CHECK_EQ(text_fit(ret, sizeof ret, "日本語日本語日本語", 10), 10);
    CHECK_STR(ret, "日本..本語");
    CHECK_EQ(text_fit(ret, sizeof ret, "日本語", 5), 4);
    CHECK_STR(ret, "日本");
    CHECK_EQ(text_fit(ret, sizeof ret, "abc", 0), 0);
    CHECK_STR(ret, "");
}

TEST(fit_bounds_marks_without_width)
{
    char text[2000] = "e", ret[4 * 20 + 1];

    setlocale(LC_CTYPE, "C.UTF-8");
    for (int i = 0; i < 500; i++)
        strcat(text, "\xcc\x81");
    text_fit(ret, sizeof ret, text, 20);
    CHECK(strlen(ret) <= 80);
}

TEST(width_counts_columns_without_colours)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    CHECK_EQ(text_width(""), 0);
    CHECK_EQ(text_width("abc"), 3);
    CHECK_EQ(text_width("[\x1b[36m==>\x1b[0m ]"), 6);
    CHECK_EQ(text_width("日本 é"), 6);
}

TEST(escapes_are_ascii_without_utf_8)
{
    char ret[64];

    setlocale(LC_CTYPE, "C");
    CHECK(!text_locale_is_utf8());
    text_escape(ret, sizeof ret, "é\xdb\x9b", 4);
    CHECK_STR(ret, "\\xc3\\xa9\\xdb\\x9b");
    CHECK_STR(url("http://u:p@h/é"), "http://***@h/\\xc3\\xa9");
    setlocale(LC_CTYPE, "C.UTF-8");
    CHECK(text_locale_is_utf8());
    text_escape(ret, sizeof ret, "é\xc2\x9b", 4);
    CHECK_STR(ret, "é\\xc2\\x9b");
}

TEST(sizes_read_well)
{
    char ret[TEXT_NUMBER_SIZE];

    CHECK_STR(text_size(ret, 0), "0 B");
    CHECK_STR(text_size(ret, 999), "999 B");
    CHECK_STR(text_size(ret, 1000), "1.0 kB");
    CHECK_STR(text_size(ret, 1024), "1.0 kB");
    CHECK_STR(text_size(ret, 9949), "9.9 kB");
    CHECK_STR(text_size(ret, 999999), "1.0 MB");
    CHECK_STR(text_size(ret, 12345678), "12 MB");
    CHECK_STR(text_size(ret, INT64_MAX), "9.2 EB");
}

TEST(times_read_well)
{
    char ret[TEXT_NUMBER_SIZE];

    CHECK_STR(text_time(ret, 12 * WHORL_MILLISECOND), "12 ms");
    CHECK_STR(text_time(ret, 3456 * WHORL_MILLISECOND), "3.4 s");
    CHECK_STR(text_time(ret, 125 * WHORL_SECOND), "2:05");
    CHECK_STR(text_time(ret, 3723 * WHORL_SECOND), "1:02:03");
}

TEST(sizes_and_times_are_parsed)
{
    int64_t n;

    CHECK_OK(text_parse_size("10", &n));
    CHECK_EQ(n, 10);
    CHECK_OK(text_parse_size("2k", &n));
    CHECK_EQ(n, 2048);
    CHECK_OK(text_parse_size("1.5M", &n));
    CHECK_EQ(n, 1536 * 1024);
    CHECK_OK(text_parse_size("3GB", &n));
    CHECK_EQ(n, 3LL << 30);
    CHECK_ERR(text_parse_size("", &n), -EINVAL);
    CHECK_ERR(text_parse_size("k", &n), -EINVAL);
    CHECK_ERR(text_parse_size(".", &n), -EINVAL);
    CHECK_ERR(text_parse_size("1kk", &n), -EINVAL);
    CHECK_ERR(text_parse_size("1i", &n), -EINVAL);
    CHECK_ERR(text_parse_size("0x10", &n), -EINVAL);
    CHECK_ERR(text_parse_size("99999999999999999999", &n), -ERANGE);
    CHECK_OK(text_parse_time("1h", &n));
    CHECK_EQ(n, WHORL_HOUR);
    CHECK_OK(text_parse_time(".5", &n));
    CHECK_EQ(n, WHORL_SECOND / 2);
    CHECK_ERR(text_parse_time("1 s", &n), -EINVAL);
    CHECK_ERR(text_parse_time("inf", &n), -EINVAL);
}

TEST_MAIN()

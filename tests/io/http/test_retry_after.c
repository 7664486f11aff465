/* SPDX-License-Identifier: MIT */
/* Retry-After in seconds and in every date format. */
#include <time.h>

#include <whorl/http.h>

#include "test.h"

#define NOW 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */

static void expect(int line, const char *value, int64_t now, int64_t expected)
{
    int64_t ns = whorl_http_retry_after(value, now);
    if (ns != expected)
        test_fail(__FILE__, line, "\"%s\" is %lld ns, expected %lld", value ? value : "(null)",
                  (long long)ns, (long long)expected);
}

TEST(retry_after_reads_seconds)
{
    expect(__LINE__, "0", NOW, 0);
    expect(__LINE__, "120", NOW, 120 * WHORL_SECOND);
    expect(__LINE__, "0120", NOW, 120 * WHORL_SECOND);
    expect(__LINE__, "9223372036", NOW, 9223372036 * WHORL_SECOND);
    expect(__LINE__, "9223372037", NOW, INT64_MAX);
    expect(__LINE__, "99999999999999999999999999", NOW, INT64_MAX);
}

TEST(retry_after_reads_the_three_forms_of_dates)
{
    expect(__LINE__, "Sun, 06 Nov 1994 08:49:37 GMT", NOW - 90, 90 * WHORL_SECOND);
    expect(__LINE__, "Sunday, 06-Nov-94 08:49:37 GMT", NOW - 90, 90 * WHORL_SECOND);
    expect(__LINE__, "Sun Nov  6 08:49:37 1994", NOW - 90, 90 * WHORL_SECOND);
    expect(__LINE__, "Wed Nov 16 08:49:37 1994", NOW, 10 * 86400 * WHORL_SECOND);
    expect(__LINE__, "Thu, 29 Feb 2024 23:59:60 GMT", 1709251100, 100 * WHORL_SECOND);
}

TEST(retry_after_dates_in_the_past_are_now)
{
    expect(__LINE__, "Sun, 06 Nov 1994 08:49:37 GMT", NOW, 0);
    expect(__LINE__, "Sun, 06 Nov 1994 08:49:37 GMT", NOW + 1, 0);
    expect(__LINE__, "Mon, 01 Jan 1900 00:00:00 GMT", NOW, 0);
    expect(__LINE__, "Fri, 31 Dec 9999 23:59:59 GMT", NOW, INT64_MAX);
}

/* RFC 9110 §5.6.7: a two-digit year more than 50 years ahead is in the past. */
TEST(retry_after_two_digit_years_are_near)
{
    expect(__LINE__, "Monday, 01-Jan-24 00:00:10 GMT", 1704067200, 10 * WHORL_SECOND);
    expect(__LINE__, "Saturday, 01-Jan-00 00:00:00 GMT", 946684799, WHORL_SECOND);
    expect(__LINE__, "Sunday, 06-Nov-94 08:49:37 GMT", 1704067200, 0);
    CHECK(whorl_http_retry_after("Sunday, 01-Jan-60 00:00:00 GMT", 1704067200) > 0);
}

/* Compared with the C library for days over four centuries. */
TEST(retry_after_calendar_agrees_with_libc)
{
    for (time_t t = 0; t < (time_t)400 * 366 * 86400; t += 86400 * 3 + 3601) {
        char text[64];
        struct tm tm;
        gmtime_r(&t, &tm);
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        int64_t now = t > 1000 ? t - 1000 : 0;
        expect(__LINE__, text, now, (t - now) * WHORL_SECOND);
    }
}

TEST(retry_after_refuses_everything_else)
{
    static const char *const values[] = {
        "",
        " ",
        "-1",
        "+1",
        "1.5",
        "1s",
        " 1",
        "1 ",
        "soon",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 2023 08:49:37 GMT",
        "Sun, 29 Feb 1900 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Xxx, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1899 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
    };
    expect(__LINE__, NULL, NOW, -1);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        expect(__LINE__, values[i], NOW, -1);
}

TEST_MAIN()

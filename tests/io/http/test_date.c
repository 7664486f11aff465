/* SPDX-License-Identifier: MIT */
/* Dates as HTTP writes them. test_retry_after.c tests reading them. */
#include <time.h>

#include "io/http/date.h"
#include "test.h"

static const char *written(int64_t unix_s)
{
    static char text[HTTP_DATE_SIZE];
    http_date_write(text, unix_s);
    return text;
}

TEST(date_is_written_in_the_fixed_form)
{
    CHECK_STR(written(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK_STR(written(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    CHECK_STR(written(951782400), "Tue, 29 Feb 2000 00:00:00 GMT");
    CHECK_STR(written(-5), "Thu, 01 Jan 1970 00:00:00 GMT");
    CHECK_STR(written(INT64_MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
}

TEST(date_that_was_written_is_read_as_the_same)
{
    for (int64_t t = 0; t < 250000000000; t += 86399 * 997) {
        int64_t back = -1;
        time_t same = (time_t)t;
        struct tm tm;
        char expected[40];
        CHECK(http_date_read(written(t), t, &back));
        CHECK_EQ(back, t);
        strftime(expected, sizeof expected, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&same, &tm));
        CHECK_STR(written(t), expected);
    }
}

TEST_MAIN()

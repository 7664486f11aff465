/* SPDX-License-Identifier: MIT */
/* Which responses may be joined, and which bytes a response carries. */
#include "test.h"
#include "tools/get/validator.h"

static const char old_date[] = "Sun, 06 Nov 1994 08:49:37 GMT";
static const char next_second[] = "Sun, 06 Nov 1994 08:49:38 GMT";

static const char *choose(const char *etag, const char *modified, const char *date)
{
    struct validator validator = {etag, modified};
    const char *why;

    return validator_choose(&validator, date, &why);
}

TEST(a_strong_etag_is_preferred)
{
    CHECK_STR(choose("\"a-1\"", old_date, next_second), "\"a-1\"");
    CHECK_STR(choose("\"\"", NULL, NULL), "\"\"");
    CHECK_STR(choose("\"\xe9\"", NULL, NULL), "\"\xe9\"");
}

/* RFC 9110 §13.1.5: neither a weak tag, nor a date instead of it. */
TEST(a_weak_or_malformed_etag_allows_no_range)
{
    CHECK(!choose("W/\"a\"", old_date, next_second));
    CHECK(!choose("a", old_date, next_second));
    CHECK(!choose("\"", old_date, next_second));
    CHECK(!choose("", old_date, next_second));
    CHECK(!choose("\"a\"b\"", old_date, next_second));
    CHECK(!choose("\"a b\"", old_date, next_second));
}

TEST(a_date_is_used_when_it_is_strong)
{
    CHECK_STR(choose(NULL, old_date, next_second), old_date);
    CHECK(!choose(NULL, old_date, old_date));
    CHECK(!choose(NULL, next_second, old_date));
    CHECK(!choose(NULL, old_date, NULL));
    CHECK(!choose(NULL, "17", next_second));
    CHECK(!choose(NULL, "", next_second));
    CHECK(!choose(NULL, "yesterday", next_second));
    CHECK(!choose(NULL, NULL, next_second));
}

static bool is_same(const char *etag, const char *modified, const char *new_etag,
                    const char *new_modified)
{
    struct validator before = {etag, modified}, now = {new_etag, new_modified};

    return validator_is_same(&before, &now);
}

TEST(the_same_validator_is_the_same_file)
{
    CHECK(is_same("\"a\"", old_date, "\"a\"", old_date));
    CHECK(is_same("\"a\"", old_date, "\"a\"", NULL));
    CHECK(!is_same("\"a\"", old_date, "\"b\"", old_date));
    CHECK(!is_same("\"a\"", old_date, "W/\"a\"", old_date));
    CHECK(!is_same("\"a\"", old_date, NULL, old_date));
    CHECK(is_same(NULL, old_date, NULL, old_date));
    CHECK(is_same(NULL, old_date, NULL, NULL)); /* RFC 9110 §15.3.7 */
    CHECK(!is_same(NULL, old_date, NULL, next_second));
    CHECK(!is_same(NULL, old_date, "\"a\"", old_date));
    CHECK(!is_same(NULL, NULL, NULL, NULL));
}

TEST(content_range_is_read_exactly)
{
    static const struct {
        const char *text;
        int64_t start, end, length;
    } good[] = {
        {"bytes 0-0/1", 0, 1, 1},
        {"bytes 5-99/100", 5, 100, 100},
        {"Bytes  5-99/*", 5, 100, -1},
        {"bytes */100", 0, 0, 100},
        {"bytes */0", 0, 0, 0},
        {"bytes 9223372036854775800-9223372036854775805/9223372036854775807", 9223372036854775800,
         9223372036854775806, INT64_MAX},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct content_range range;
        CHECK(content_range_read(good[i].text, &range));
        CHECK_EQ(range.start, good[i].start);
        CHECK_EQ(range.end, good[i].end);
        CHECK_EQ(range.length, good[i].length);
    }
}

TEST(other_content_ranges_are_refused)
{
    static const char *const bad[] = {
        "",
        "bytes",
        "bytes ",
        "bytes 0-9",
        "bytes 0-9/",
        "bytes -9/10",
        "bytes 0-/10",
        "bytes 9-0/10",
        "bytes 0-10/10",
        "bytes 0-9/10 ",
        "bytes 0-9/10,",
        "bytes=0-9/10",
        "bytes */*",
        "bytes 0-9/-1",
        "octets 0-9/10",
        "bytes 0-9223372036854775808/*",
        "bytes 0-9223372036854775807/*",
        "bytes 99999999999999999999-1/*",
        "bytes +0-9/10",
        "bytes 0x0-9/10",
    };
    struct content_range range;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (content_range_read(bad[i], &range))
            test_fail(__FILE__, __LINE__, "\"%s\" was read", bad[i]);
    CHECK(!content_range_read(NULL, &range));
}

TEST_MAIN()

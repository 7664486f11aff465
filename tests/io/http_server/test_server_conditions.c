/* SPDX-License-Identifier: MIT */
/* Conditional requests, ranges, and paths of URLs: what a file server decides before it reads. */
#include "io/http_server/conditions.h"
#include "io/http_server/path.h"
#include "test.h"

#define MTIME   784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */
#define SAME    "Sun, 06 Nov 1994 08:49:37 GMT"
#define EARLIER "Sun, 06 Nov 1994 08:49:36 GMT"
#define LATER   "Sun, 06 Nov 1994 08:49:38 GMT"

/* "200 0+100" for a request with these headers, name and value in turn. */
static const char *judge_at(int64_t now_unix_s, const char *const *headers)
{
    static char text[64];
    struct header_list list = {0};
    struct verdict verdict;
    const struct representation file = {"\"tag\"", MTIME, now_unix_s, 100};
    for (; *headers; headers += 2)
        CHECK_OK(header_list_append(&list, headers[0], headers[1]));
    conditions_judge(&list, &file, &verdict);
    header_list_finish(&list);
    snprintf(text, sizeof text, "%d %lld+%lld", verdict.status, (long long)verdict.first,
             (long long)verdict.len);
    return text;
}

#define JUDGE(...) judge_at(MTIME + 100, (const char *const[]){__VA_ARGS__, NULL})

TEST(conditions_none_is_the_whole_file)
{
    CHECK_STR(JUDGE("Host", "h"), "200 0+100");
}

TEST(conditions_on_the_tag)
{
    CHECK_STR(JUDGE("If-None-Match", "\"tag\""), "304 0+0");
    CHECK_STR(JUDGE("If-None-Match", "W/\"tag\""), "304 0+0");
    CHECK_STR(JUDGE("If-None-Match", "\"a,b\", \"tag\""), "304 0+0");
    CHECK_STR(JUDGE("If-None-Match", "*"), "304 0+0");
    CHECK_STR(JUDGE("If-None-Match", "\"other\""), "200 0+100");
    CHECK_STR(JUDGE("If-None-Match", "tag"), "200 0+100");
    CHECK_STR(JUDGE("If-Match", "\"tag\""), "200 0+100");
    CHECK_STR(JUDGE("If-Match", "*"), "200 0+100");
    CHECK_STR(JUDGE("If-Match", "W/\"tag\""), "412 0+0");
    CHECK_STR(JUDGE("If-Match", "\"a\", \"b\""), "412 0+0");
}

TEST(conditions_on_the_date)
{
    CHECK_STR(JUDGE("If-Modified-Since", SAME), "304 0+0");
    CHECK_STR(JUDGE("If-Modified-Since", LATER), "304 0+0");
    CHECK_STR(JUDGE("If-Modified-Since", EARLIER), "200 0+100");
    CHECK_STR(JUDGE("If-Modified-Since", "yesterday"), "200 0+100");
    CHECK_STR(JUDGE("If-Unmodified-Since", SAME), "200 0+100");
    CHECK_STR(JUDGE("If-Unmodified-Since", EARLIER), "412 0+0");
}

TEST(conditions_on_the_tag_win_over_those_on_the_date)
{
    CHECK_STR(JUDGE("If-None-Match", "\"other\"", "If-Modified-Since", SAME), "200 0+100");
    CHECK_STR(JUDGE("If-Match", "\"tag\"", "If-Unmodified-Since", EARLIER), "200 0+100");
    CHECK_STR(JUDGE("If-Match", "\"tag\"", "If-None-Match", "\"tag\""), "304 0+0");
    CHECK_STR(JUDGE("If-None-Match", "\"tag\"", "Range", "bytes=0-1"), "304 0+0");
}

TEST(conditions_ranges_are_parts_of_the_file)
{
    CHECK_STR(JUDGE("Range", "bytes=0-0"), "206 0+1");
    CHECK_STR(JUDGE("Range", "bytes=10-19"), "206 10+10");
    CHECK_STR(JUDGE("Range", "BYTES= 10-19 "), "206 10+10");
    CHECK_STR(JUDGE("Range", "bytes=90-"), "206 90+10");
    CHECK_STR(JUDGE("Range", "bytes=90-1000"), "206 90+10");
    CHECK_STR(JUDGE("Range", "bytes=-10"), "206 90+10");
    CHECK_STR(JUDGE("Range", "bytes=-1000"), "206 0+100");
    CHECK_STR(JUDGE("Range", "bytes=0-99999999999999999999"), "206 0+100");
}

TEST(conditions_ranges_outside_of_the_file_are_416)
{
    CHECK_STR(JUDGE("Range", "bytes=100-"), "416 0+0");
    CHECK_STR(JUDGE("Range", "bytes=99999999999999999999-"), "416 0+0");
    CHECK_STR(JUDGE("Range", "bytes=-0"), "416 0+0");
}

TEST(conditions_other_ranges_are_ignored)
{
    CHECK_STR(JUDGE("Range", "bytes=0-1,5-6"), "200 0+100");
    CHECK_STR(JUDGE("Range", "bytes=5-4"), "200 0+100");
    CHECK_STR(JUDGE("Range", "bytes=-"), "200 0+100");
    CHECK_STR(JUDGE("Range", "bytes="), "200 0+100");
    CHECK_STR(JUDGE("Range", "bytes"), "200 0+100");
    CHECK_STR(JUDGE("Range", "lines=0-1"), "200 0+100");
    CHECK_STR(JUDGE("Range", "bytes=a-b"), "200 0+100");
    CHECK_STR(JUDGE("Range", "bytes=1-2x"), "200 0+100");
}

TEST(conditions_if_range_allows_a_range_of_the_same_file_only)
{
    CHECK_STR(JUDGE("Range", "bytes=0-0", "If-Range", "\"tag\""), "206 0+1");
    CHECK_STR(JUDGE("Range", "bytes=0-0", "If-Range", "\"other\""), "200 0+100");
    CHECK_STR(JUDGE("Range", "bytes=0-0", "If-Range", "W/\"tag\""), "200 0+100");
    CHECK_STR(JUDGE("Range", "bytes=0-0", "If-Range", SAME), "206 0+1");
    CHECK_STR(JUDGE("Range", "bytes=0-0", "If-Range", LATER), "200 0+100");
    const char *const headers[] = {"Range", "bytes=0-0", "If-Range", SAME, NULL};
    CHECK_STR(judge_at(MTIME + 1, headers), "200 0+100"); /* it may change once more */
}

static const char *decoded(const char *path)
{
    static char text[32];
    return path_decode(path, text, sizeof text) ? text : "refused";
}

TEST(paths_of_urls_become_relative_paths)
{
    CHECK_STR(decoded("/a/b.html"), "a/b.html");
    CHECK_STR(decoded("///a"), "a");
    CHECK_STR(decoded("/a%20b%c3%A4/"), "a b\xc3\xa4/");
    CHECK_STR(decoded("/"), "");
    CHECK_STR(decoded("/..a/b../...c"), "..a/b../...c");
    CHECK_STR(decoded("/123456789012345678901234567890"), "123456789012345678901234567890");
}

TEST(paths_of_urls_that_lead_elsewhere_are_refused)
{
    CHECK_STR(decoded("/.."), "refused");
    CHECK_STR(decoded("/../a"), "refused");
    CHECK_STR(decoded("/a/../b"), "refused");
    CHECK_STR(decoded("/a/.."), "refused");
    CHECK_STR(decoded("/%2e%2e/a"), "refused");
    CHECK_STR(decoded("/.%2E"), "refused");
    CHECK_STR(decoded("/a%2fb"), "refused");
    CHECK_STR(decoded("/a%00"), "refused");
    CHECK_STR(decoded("/a%"), "refused");
    CHECK_STR(decoded("/a%2"), "refused");
    CHECK_STR(decoded("/a%zz"), "refused");
    CHECK_STR(decoded("/12345678901234567890123456789012"), "refused");
}

TEST(paths_end_in_what_tells_the_media_type)
{
    CHECK_STR(path_media_type("a/b.HTML"), "text/html; charset=utf-8");
    CHECK_STR(path_media_type("a.json"), "application/json");
    CHECK_STR(path_media_type("a.html/b"), "application/octet-stream");
    CHECK_STR(path_media_type("html"), "application/octet-stream");
}

TEST_MAIN()

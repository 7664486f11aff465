/* SPDX-License-Identifier: MIT */
/* whorl-get's report lines and JSON objects. */
#include <stdlib.h>

#include "test.h"
#include "tools/whorl-get/report.h"

static char text[REPORT_LINE_SIZE];

static struct outcome good(void)
{
    return (struct outcome){
        .url = "http://h/a",
        .final_url = "http://h/b",
        .file = "a",
        .status = 200,
        .tries = 1,
        .bytes = 1024,
        .duration_ns = 12 * WHORL_MILLISECOND,
        .timing = {-1, 2 * WHORL_MILLISECOND, -1, 3 * WHORL_MILLISECOND, false, 1, 0},
        .ok = true,
    };
}

static struct outcome bad(void)
{
    return (struct outcome){
        .url = "http://127.0.0.1:9/x",
        .tries = 1,
        .error = {-ECONNREFUSED, "connect", "127.0.0.1:9: connection refused"},
    };
}

TEST(success_is_a_line)
{
    struct outcome o = good();

    report_format_line(text, sizeof text, &o, false);
    CHECK_STR(text, "http://h/a -> a (1.0 kB in 12 ms)\n");
    o.dir = "out";
    report_format_line(text, sizeof text, &o, false);
    CHECK_STR(text, "http://h/a -> out/a (1.0 kB in 12 ms)\n");
    o.dir = "/";
    report_format_line(text, sizeof text, &o, true);
    CHECK_STR(text, "http://h/a -> /a (1.0 kB in 12 ms; 200 from http://h/b, new connection, "
                    "connect 2 ms, first byte 3 ms)\n");
}

TEST(failure_says_url_step_and_cause)
{
    struct outcome o = bad();

    report_format_line(text, sizeof text, &o, false);
    CHECK_STR(text, "whorl-get: http://127.0.0.1:9/x: connect 127.0.0.1:9: connection refused\n");
    o.tries = 4;
    report_format_line(text, sizeof text, &o, false);
    CHECK_STR(text, "whorl-get: http://127.0.0.1:9/x: connect 127.0.0.1:9: connection refused "
                    "(tried 4 times)\n");
}

TEST(bad_line_is_reported_with_its_list_and_number)
{
    struct outcome o = {.url = "ftp://h/",
                        .list = "urls.txt",
                        .line = 3,
                        .tries = 0,
                        .error = {WHORL_EHTTP_SCHEME, "URL", "scheme is not http or https"}};

    report_format_line(text, sizeof text, &o, false);
    CHECK_STR(text, "whorl-get: urls.txt:3: ftp://h/: URL: scheme is not http or https\n");
    o.url = "", o.line = 0;
    strcpy(o.error.step, "open"), strcpy(o.error.text, "no such file or directory");
    report_format_line(text, sizeof text, &o, false);
    CHECK_STR(text, "whorl-get: urls.txt: open no such file or directory\n");
}

TEST(lines_hold_no_control_bytes_and_no_password)
{
    struct outcome o = bad();

    o.url = "http://me:secret@h/\x1b[2J";
    report_format_line(text, sizeof text, &o, false);
    CHECK(strstr(text, "secret") == NULL && strchr(text, '\x1b') == NULL);
    CHECK(strstr(text, "http://***@h/\\x1b[2J") != NULL);
}

TEST(objects_have_stable_fields)
{
    struct outcome o = good();

    report_format_object(text, sizeof text, &o);
    CHECK_STR(text, "{\"ok\":true,\"url\":\"http://h/a\",\"final_url\":\"http://h/b\","
                    "\"dir\":null,\"file\":\"a\",\"status\":200,\"bytes\":1024,"
                    "\"seconds\":0.012000,\"tries\":1,\"redirects\":1,\"reused\":false}\n");
    o = bad();
    o.list = "l", o.line = 7;
    report_format_object(text, sizeof text, &o);
    CHECK_STR(text, "{\"ok\":false,\"url\":\"http://127.0.0.1:9/x\",\"final_url\":null,"
                    "\"dir\":null,\"file\":null,\"status\":null,\"bytes\":0,"
                    "\"seconds\":0.000000,\"tries\":1,\"redirects\":0,\"reused\":false,"
                    "\"list\":\"l\",\"line\":7,\"step\":\"connect\","
                    "\"error\":\"127.0.0.1:9: connection refused\",\"code\":\"ECONNREFUSED\"}\n");
}

TEST(huge_urls_leave_lines_and_objects_whole)
{
    char *url = malloc(200000);
    struct outcome o = bad();

    memset(url, '\n', 199999);
    url[199999] = '\0';
    o.url = o.final_url = o.list = url;
    size_t n = report_format_object(text, sizeof text, &o);
    CHECK(n < sizeof text && n == strlen(text));
    CHECK_STR(text + n - 23, "\"code\":\"ECONNREFUSED\"}\n");
    n = report_format_line(text, sizeof text, &o, true);
    CHECK(n < sizeof text && n == strlen(text));
    CHECK_EQ(text[n - 1], '\n');
    CHECK(memchr(text, '\n', n - 1) == NULL);
    free(url);
}

TEST(exit_status_tells_all_some_and_none)
{
    struct report *report = calloc(1, sizeof *report);

    CHECK_EQ(report_exit_status(report, false), 0);
    CHECK_EQ(report_exit_status(report, true), 3);
    report->totals.done = 2;
    CHECK_EQ(report_exit_status(report, false), 0);
    CHECK_EQ(report_exit_status(report, true), 1);
    report->totals.failed = 1;
    CHECK_EQ(report_exit_status(report, false), 1);
    report->totals.done = 0;
    CHECK_EQ(report_exit_status(report, false), 3);
    free(report);
}

TEST_MAIN()

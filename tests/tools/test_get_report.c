/* SPDX-License-Identifier: MIT */
/* whorl-get's report lines and JSON objects. */
#include <locale.h>
#include <stdlib.h>

#include "test.h"
#include "tools/get/report.h"

static struct buffer buffer;

static const char *line(const struct outcome *o, bool verbose)
{
    buffer_clear(&buffer);
    report_format_line(&buffer, o, verbose);
    CHECK_EQ(buffer.len, strlen(buffer.text));
    return buffer.text;
}

static const char *object(const struct outcome *o)
{
    buffer_clear(&buffer);
    report_format_object(&buffer, o);
    CHECK_EQ(buffer.len, strlen(buffer.text));
    return buffer.text;
}

static struct outcome good(void)
{
    return (struct outcome){
        .url = "http://h/a",
        .final_url = "http://h/b",
        .file = "a",
        .method = "GET",
        .status = 200,
        .tries = 1,
        .bytes = 1024,
        .written = 1024,
        .duration_ns = 12 * WHORL_MILLISECOND,
        .timing = {-1, 2 * WHORL_MILLISECOND, -1, 3 * WHORL_MILLISECOND, false, 1, 0, false},
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

    CHECK_STR(line(&o, false), "http://h/a -> a (1.0 kB in 12 ms)\n");
    o.dir = "out";
    CHECK_STR(line(&o, false), "http://h/a -> out/a (1.0 kB in 12 ms)\n");
    o.dir = "/";
    CHECK_STR(line(&o, true),
              "http://h/a -> /a (1.0 kB in 12 ms; 200 from http://h/b, new connection, "
              "connect 2 ms, first byte 3 ms)\n");
}

TEST(sums_are_a_line)
{
    struct totals totals = {.done = 2, .bytes = 3000000, .retries = 1};

    buffer_clear(&buffer);
    report_format_summary(&buffer, &totals, 1500 * WHORL_MILLISECOND);
    CHECK_STR(buffer.text, "2 of 2 files, 3.0 MB in 1.5 s, 2.0 MB/s, 1 retry\n");
    totals.failed = 1, totals.interrupted = 4, totals.retries = 5;
    buffer_clear(&buffer);
    report_format_summary(&buffer, &totals, 0);
    CHECK_STR(buffer.text, "2 of 7 files, 3.0 MB in 0 ms, 1 failed, 5 retries\n");
    buffer_finish(&buffer);
}

TEST(failure_says_url_step_and_cause)
{
    struct outcome o = bad();

    CHECK_STR(line(&o, false),
              "whorl-get: http://127.0.0.1:9/x: connect 127.0.0.1:9: connection refused\n");
    o.tries = 4;
    CHECK_STR(line(&o, false),
              "whorl-get: http://127.0.0.1:9/x: connect 127.0.0.1:9: connection refused "
              "(tried 4 times)\n");
}

TEST(bad_line_is_reported_with_its_list_and_number)
{
    struct outcome o = {.url = "ftp://h/",
                        .list = "urls.txt",
                        .line = 3,
                        .tries = 0,
                        .error = {WHORL_EHTTP_SCHEME, "URL", "scheme is not http or https"}};

    CHECK_STR(line(&o, false),
              "whorl-get: urls.txt:3: ftp://h/: URL: scheme is not http or https\n");
    o.url = NULL, o.line = 0;
    strcpy(o.error.step, "open"), strcpy(o.error.text, "no such file or directory");
    CHECK_STR(line(&o, false), "whorl-get: urls.txt: open no such file or directory\n");
}

TEST(lines_hold_no_control_bytes_and_no_password)
{
    struct outcome o = bad();

    o.url = "http://me:secret@h/\x1b[2J";
    const char *text = line(&o, false);
    CHECK(strstr(text, "secret") == NULL && strchr(text, '\x1b') == NULL);
    CHECK(strstr(text, "http://***@h/\\x1b[2J") != NULL);
}

TEST(objects_have_stable_fields)
{
    struct outcome o = good();

    o.info = (struct whorl_http_info){
        .request = 1,
        .conn = 2,
        .queue_ns = -1,
        .dns_ns = WHORL_MILLISECOND,
        .connect_ns = 2 * WHORL_MILLISECOND,
        .tls_ns = 3 * WHORL_MILLISECOND,
        .first_byte_ns = 4 * WHORL_MILLISECOND,
        .body_ns = 5 * WHORL_MILLISECOND,
        .sent_head = 10,
        .sent_body = 20,
        .received_head = 50,
        .received_body = 1024,
        .protocol = "HTTP/1.1",
        .tls_version = "TLS 1.2",
        .tls_suite = "C",
        .reuse = WHORL_HTTP_NEW_EXPIRED,
    };
    CHECK_OK(whorl_addr_parse("127.0.0.1", 80, &o.info.peer));
    CHECK_STR(object(&o),
              "{\"ok\":true,\"url\":\"http://h/a\",\"final_url\":\"http://h/b\","
              "\"dir\":null,\"file\":\"a\",\"method\":\"GET\",\"status\":200,\"bytes\":1024,"
              "\"written\":1024,\"seconds\":0.012,\"tries\":1,\"resumed_from\":0,\"splits\":0,"
              "\"wasted\":0,\"reread\":0,"
              "\"redirects\":1,\"verified\":null,"
              "\"downgraded\":false,\"reused\":false,"
              "\"address\":\"127.0.0.1:80\",\"local_address\":null,\"protocol\":\"HTTP/1.1\","
              "\"tls\":\"TLS 1.2\",\"cipher\":\"C\",\"connection\":\"expired\",\"sent\":30,"
              "\"received\":1074,\"queue\":null,\"dns\":0.001,\"connect\":0.002,"
              "\"handshake\":0.003,\"first_byte\":0.004,\"body\":0.005}\n");
    o = bad();
    o.list = "l", o.line = 7;
    CHECK_STR(object(&o),
              "{\"ok\":false,\"url\":\"http://127.0.0.1:9/x\",\"final_url\":null,"
              "\"dir\":null,\"file\":null,\"method\":null,\"status\":null,\"bytes\":0,"
              "\"written\":0,\"seconds\":0.0,\"tries\":1,\"resumed_from\":0,\"splits\":0,"
              "\"wasted\":0,\"reread\":0,\"kept\":0,"
              "\"redirects\":0,\"verified\":null,"
              "\"downgraded\":false,\"reused\":false,"
              "\"address\":null,\"local_address\":null,\"protocol\":null,\"tls\":null,"
              "\"cipher\":null,\"connection\":null,\"sent\":0,\"received\":0,\"queue\":null,"
              "\"dns\":null,\"connect\":null,\"handshake\":null,\"first_byte\":null,\"body\":null,"
              "\"list\":\"l\",\"line\":7,\"step\":\"connect\","
              "\"error\":\"127.0.0.1:9: connection "
              "refused\",\"class\":\"connect\",\"code\":\"ECONNREFUSED\"}\n");
}

static const char *class_in(const struct outcome *o)
{
    static char text[32];
    const char *at = strstr(object(o), "\"class\":\"");

    CHECK(at);
    snprintf(text, sizeof text, "%.*s", (int)strcspn(at + 9, "\""), at + 9);
    return text;
}

TEST(failures_of_this_program_have_classes_of_their_own)
{
    struct outcome o = bad();

    o.error.code = 0;
    CHECK_STR(class_in(&o), "status");
    o.error.code = -EBADMSG, o.mismatched = true;
    CHECK_STR(class_in(&o), "verify");
    o.mismatched = false, o.error.code = -ENOSPC, strcpy(o.error.step, "write");
    CHECK_STR(class_in(&o), "local");
}

TEST(decoded_bodies_show_both_counts)
{
    struct outcome o = good();

    o.written = 5000;
    CHECK_STR(line(&o, false), "http://h/a -> a (1.0 kB, 5.0 kB decoded, in 12 ms)\n");
    CHECK(strstr(object(&o), "\"bytes\":1024,\"written\":5000,") != NULL);
}

TEST(not_modified_is_a_success_without_a_file)
{
    struct outcome o = good();

    o.status = 304, o.file = NULL, o.bytes = o.written = 0;
    CHECK_STR(line(&o, false), "http://h/a: not modified (0 B in 12 ms)\n");
    CHECK(strstr(object(&o), "{\"ok\":true,") != NULL);
    CHECK(strstr(object(&o), "\"file\":null,\"method\":\"GET\",\"status\":304,") != NULL);
}

TEST(downgrades_are_said)
{
    struct outcome o = good();

    o.timing.downgraded = true;
    CHECK_STR(line(&o, false),
              "http://h/a -> a (1.0 kB in 12 ms; redirected from https to http)\n");
    CHECK(strstr(object(&o), "\"downgraded\":true,") != NULL);
    o = bad();
    o.timing.downgraded = true;
    CHECK(strstr(line(&o, false), " (redirected from https to http)\n") != NULL);
}

TEST(empty_url_is_quoted)
{
    struct outcome o = bad();

    o.url = "";
    CHECK_STR(line(&o, false), "whorl-get: '': connect 127.0.0.1:9: connection refused\n");
}

TEST(failure_about_a_file_names_it)
{
    struct outcome o = bad();

    o.error = (struct whorl_error){-ENOSPC, "write", "no space left on device"};
    o.place = "a\n";
    CHECK_STR(line(&o, false),
              "whorl-get: http://127.0.0.1:9/x: write a\\x0a: no space left on device\n");
    o.dir = "out";
    CHECK_STR(line(&o, false),
              "whorl-get: http://127.0.0.1:9/x: write out/a\\x0a: no space left on device\n");
    CHECK(strstr(object(&o), "\"dir\":null,\"file\":null,") != NULL);
    CHECK(strstr(object(&o), "\"error\":\"out/a\\\\x0a: no space left on device\"") != NULL);
}

TEST(lines_are_ascii_without_utf_8)
{
    struct outcome o = good();

    o.url = "http://h/é", o.file = "é", o.dir = "ü";
    setlocale(LC_CTYPE, "C");
    CHECK_STR(line(&o, false), "http://h/\\xc3\\xa9 -> \\xc3\\xbc/\\xc3\\xa9 (1.0 kB in 12 ms)\n");
    CHECK(strstr(object(&o), "\"file\":\"\\u00E9\"") != NULL);
    setlocale(LC_CTYPE, "C.UTF-8");
    CHECK_STR(line(&o, false), "http://h/é -> ü/é (1.0 kB in 12 ms)\n");
    CHECK(strstr(object(&o), "\"file\":\"é\"") != NULL);
}

TEST(huge_urls_leave_lines_and_objects_whole)
{
    size_t len = 200000;
    char *url = malloc(len + 1);
    struct outcome o = bad();

    memset(url, 1, len);
    url[len] = '\0';
    o.url = o.final_url = o.list = url;
    const char *text = object(&o);
    CHECK(buffer.len > 3 * 6 * len);
    CHECK_STR(text + buffer.len - 23, "\"code\":\"ECONNREFUSED\"}\n");
    text = line(&o, true);
    CHECK(buffer.len > 4 * len);
    CHECK(memchr(text, '\n', buffer.len) == text + buffer.len - 1);
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

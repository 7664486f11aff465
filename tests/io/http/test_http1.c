/* SPDX-License-Identifier: MIT */
/* The response parser: each vector is fed whole, byte by byte, and cut at every position, and must
 * always give the same account of events.
 *
 * An account reads: "100;" for each 1xx head, then "200(reason){Name=value|...}", "<body>",
 * trailers as "{...}", and "end", with "+keep" when the connection can be used again and "+N" for N
 * bytes that are left over. Otherwise it ends with "!NAME" of an error, or with "..." when the
 * parser wants more input.
 */
#include <stdlib.h>

#include "faults.h"
#include "io/http/http1.h"
#include "test.h"

struct account {
    char text[8192];
    size_t len;
};

static void put(struct account *a, const char *bytes, size_t len)
{
    if (len > sizeof a->text - 1 - a->len)
        len = sizeof a->text - 1 - a->len;
    memcpy(a->text + a->len, bytes, len);
    a->len += len;
    a->text[a->len] = '\0';
}

static void put_text(struct account *a, const char *text)
{
    put(a, text, strlen(text));
}

static void put_list(struct account *a, const struct header_list *list)
{
    struct whorl_http_header h;
    put_text(a, "{");
    for (size_t i = 0; header_list_at(list, i, &h); i++) {
        put_text(a, i ? "|" : "");
        put_text(a, h.name);
        put_text(a, "=");
        put_text(a, h.value);
    }
    put_text(a, "}");
}

struct setup {
    struct http1_limits limits;
    bool is_head;
    bool no_eof; /* stop before the end of the connection */
};

/* Adds one event to the account. Returns whether it was the last event. */
static bool tell(struct account *a, struct http1 *p, int event, struct http1_body_span span,
                 bool *in_body)
{
    char number[32];
    if (event != HTTP1_BODY && *in_body) {
        put_text(a, ">");
        *in_body = false;
    }
    switch (event) {
    case HTTP1_INFORMATIONAL:
        snprintf(number, sizeof number, "%d;", http1_status(p));
        put_text(a, number);
        return false;
    case HTTP1_HEAD:
        snprintf(number, sizeof number, "%d(", http1_status(p));
        put_text(a, number);
        put_text(a, http1_reason(p));
        put_text(a, ")");
        put_list(a, http1_headers(p));
        return false;
    case HTTP1_BODY:
        CHECK(span.len > 0);
        put_text(a, *in_body ? "" : "<");
        *in_body = true;
        put(a, span.data, span.len);
        return false;
    case HTTP1_END:
        if (http1_trailers(p)->count > 0)
            put_list(a, http1_trailers(p));
        put_text(a, "end");
        put_text(a, http1_keep_alive(p) ? "+keep" : "");
        return true;
    default:
        CHECK(event < 0);
        CHECK(http1_error_text(p)[0] != '\0');
        CHECK(strlen(http1_error_text(p)) < 160);
        for (const char *c = http1_error_text(p); *c; c++)
            CHECK(*c >= 0x20 && *c < 0x7f);
        put_text(a, "!");
        put_text(a, whorl_error_name(event));
        return true;
    }
}

/* Feeds `input` in pieces that end at `cuts`. Each piece is an exact copy, so that a read past the
 * end is detected. */
static void run(struct account *a, struct http1 *p, const struct setup *setup, const char *input,
                size_t len, const size_t *cuts, size_t cuts_count)
{
    struct http1_body_span span = {0};
    bool in_body = false, is_last = false;
    size_t from = 0, left = 0;
    int event = HTTP1_NEED_INPUT;

    a->len = 0;
    a->text[0] = '\0';
    http1_reset(p, &setup->limits, setup->is_head);
    for (size_t i = 0; i <= cuts_count && !is_last; i++) {
        size_t to = i < cuts_count ? cuts[i] : len, used, pos = 0, n = to - from;
        char *piece = malloc(n ? n : 1);
        memcpy(piece, input + from, n);
        do {
            event = http1_feed(p, piece + pos, n - pos, &used, &span);
            CHECK(used <= n - pos);
            pos += used;
            if (event == HTTP1_NEED_INPUT) {
                CHECK_EQ(pos, n);
                break;
            }
            is_last = tell(a, p, event, span, &in_body);
        } while (!is_last);
        left = event == HTTP1_END ? len - from - pos : 0;
        free(piece);
        from = to;
    }
    if (event == HTTP1_NEED_INPUT && setup->no_eof)
        put_text(a, "...");
    else if (event == HTTP1_NEED_INPUT)
        tell(a, p, event = http1_eof(p), span, &in_body);
    if (left > 0) {
        char number[32];
        snprintf(number, sizeof number, "+%zu", left);
        put_text(a, number);
    }
    /* Further calls after the end return the same event. */
    size_t used;
    if (event < 0 || event == HTTP1_END) {
        CHECK_EQ(http1_feed(p, "x", 1, &used, &span), event);
        CHECK_EQ(used, 0);
        CHECK_EQ(http1_eof(p), event);
    }
}

static void expect(const char *file, int line, const struct setup *setup, const char *input,
                   size_t len, const char *expected)
{
    static struct account a; /* static is safe: each test is a process */
    static struct http1 p;
    size_t *all = calloc(len + 1, sizeof *all);

    run(&a, &p, setup, input, len, NULL, 0);
    if (strcmp(a.text, expected) != 0)
        test_fail(file, line, "whole: %s\n#  expected: %s\n#     error: %s", a.text, expected,
                  http1_error_text(&p));
    for (size_t i = 0; i < len; i++)
        all[i] = i + 1;
    run(&a, &p, setup, input, len, all, len);
    if (strcmp(a.text, expected) != 0)
        test_fail(file, line, "byte by byte: %s\n#  expected: %s", a.text, expected);
    for (size_t cut = 0; cut <= len && len <= 4096; cut++) {
        run(&a, &p, setup, input, len, &cut, 1);
        if (strcmp(a.text, expected) != 0)
            test_fail(file, line, "cut at %zu: %s\n#  expected: %s", cut, a.text, expected);
    }
    free(all);
    http1_finish(&p);
}

/* A literal may contain NUL bytes. */
#define EXPECT(input, expected) \
    expect(__FILE__, __LINE__, &(struct setup){0}, input, sizeof(input) - 1, expected)
#define EXPECT_WITH(input, expected, ...) \
    expect(__FILE__, __LINE__, &(struct setup){__VA_ARGS__}, input, sizeof(input) - 1, expected)

#define OK "HTTP/1.1 200 OK\r\n"

/* --- what servers send --- */

TEST(http1_reads_an_nginx_response)
{
    EXPECT("HTTP/1.1 200 OK\r\n"
           "Server: nginx/1.22.1\r\n"
           "Date: Sat, 21 Nov 2026 07:00:00 GMT\r\n"
           "Content-Type: text/html\r\n"
           "Content-Length: 5\r\n"
           "Last-Modified: Tue, 04 Dec 2018 14:52:24 GMT\r\n"
           "Connection: keep-alive\r\n"
           "ETag: \"5c0692e1-264\"\r\n"
           "Accept-Ranges: bytes\r\n"
           "\r\nhello",
           "200(OK){Server=nginx/1.22.1|Date=Sat, 21 Nov 2026 07:00:00 GMT|Content-Type=text/html|"
           "Content-Length=5|Last-Modified=Tue, 04 Dec 2018 14:52:24 GMT|Connection=keep-alive|"
           "ETag=\"5c0692e1-264\"|Accept-Ranges=bytes}<hello>end+keep");
}

TEST(http1_reads_a_chunked_response_with_trailers)
{
    EXPECT(OK "Transfer-Encoding: chunked\r\nTrailer: Digest\r\n\r\n"
              "5\r\nhello\r\n1;a=b;c=\"d e\"\r\n \r\n00A \t;x\r\n0123456789\r\n0\r\n"
              "Digest: abc \r\nX:\r\n\r\nleft",
           "200(OK){Transfer-Encoding=chunked|Trailer=Digest}<hello 0123456789>"
           "{Digest=abc|X=}end+keep+4");
}

TEST(http1_reads_a_body_until_the_close)
{
    EXPECT("HTTP/1.0 200 OK\r\nServer: old\r\n\r\nall of it", "200(OK){Server=old}<all of it>end");
    EXPECT(OK "\r\n", "200(OK){}end");
    EXPECT(OK "Connection: keep-alive\r\n\r\nx", "200(OK){Connection=keep-alive}<x>end");
}

TEST(http1_reads_a_head_without_reason)
{
    EXPECT("HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", "404(){Content-Length=0}end+keep");
    EXPECT("HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", "404(){Content-Length=0}end+keep");
    EXPECT("HTTP/1.1 200 Tr\xc3\xa8s \tbien\r\nContent-Length: 0\r\n\r\n",
           "200(Tr\xc3\xa8s \tbien){Content-Length=0}end+keep");
}

TEST(http1_passes_informational_heads)
{
    EXPECT("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK
           "Content-Length: 2\r\n\r\nhi",
           "100;103;200(OK){Content-Length=2}<hi>end+keep");
    /* The body headers of a 1xx head are ignored and do not apply to the final response. */
    EXPECT("HTTP/1.1 102 x\r\nContent-Length: 5\r\n\r\n" OK "Transfer-Encoding: chunked\r\n\r\n"
           "0\r\n\r\n",
           "102;200(OK){Transfer-Encoding=chunked}end+keep");
}

TEST(http1_leaves_what_follows_the_message)
{
    EXPECT(OK "Content-Length: 2\r\n\r\nhi" OK, "200(OK){Content-Length=2}<hi>end+keep+17");
    EXPECT("HTTP/1.1 304 Not Modified\r\n\r\nx", "304(Not Modified){}end+keep+1");
}

TEST(http1_trims_values)
{
    EXPECT(OK "A:b\r\nC: \t d \t \r\nE:\r\nF: \t\r\nG: h  i\r\nContent-Length:0\r\n\r\n",
           "200(OK){A=b|C=d|E=|F=|G=h  i|Content-Length=0}end+keep");
}

TEST(http1_reads_every_token_byte_in_names)
{
    EXPECT(OK "!#$%&'*+-.^_`|~09azAZ: x\r\nContent-Length: 0\r\n\r\n",
           "200(OK){!#$%&'*+-.^_`|~09azAZ=x|Content-Length=0}end+keep");
}

/* Names that llhttp handles with special states, and prefixes of such names. */
TEST(http1_reads_names_like_the_special_ones)
{
    EXPECT(OK "Con: a\r\nConnection-X: close\r\nContent-Lengt: 7\r\nContent-Length2: 8\r\n"
              "Transfer-Encodin: b\r\nUpgrade: h2c\r\nProxy-Connection: close\r\n"
              "Content-Length: 0\r\n\r\n",
           "200(OK){Con=a|Connection-X=close|Content-Lengt=7|Content-Length2=8|Transfer-Encodin=b|"
           "Upgrade=h2c|Proxy-Connection=close|Content-Length=0}end+keep");
    EXPECT(OK "Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\nx",
           "200(OK){Connection=upgrade|Upgrade=h2c|Content-Length=1}<x>end+keep");
}

/* --- where the body ends --- */

TEST(http1_responses_to_head_have_no_body)
{
    EXPECT_WITH(OK "Content-Length: 1234\r\n\r\n", "200(OK){Content-Length=1234}end+keep",
                .is_head = true);
    EXPECT_WITH(OK "Transfer-Encoding: chunked\r\n\r\n",
                "200(OK){Transfer-Encoding=chunked}end+keep", .is_head = true);
    EXPECT_WITH(OK "\r\n", "200(OK){}end+keep", .is_head = true);
}

TEST(http1_status_204_and_304_have_no_body)
{
    EXPECT("HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\n\r\n",
           "304(Not Modified){Content-Length=1234}end+keep");
    EXPECT("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
           "304(Not Modified){Transfer-Encoding=chunked}end+keep");
    EXPECT("HTTP/1.1 204 No Content\r\n\r\n", "204(No Content){}end+keep");
    EXPECT("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
           "204(No Content){Content-Length=0}end+keep");
}

TEST(http1_does_not_trust_a_204_that_announces_a_body)
{
    EXPECT("HTTP/1.1 204 x\r\nContent-Length: 3\r\n\r\nabc", "204(x){Content-Length=3}end+3");
    EXPECT("HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "204(x){Transfer-Encoding=chunked}end+5");
}

TEST(http1_keeps_the_connection_as_version_and_header_say)
{
    EXPECT(OK "Connection: close\r\nContent-Length: 0\r\n\r\n",
           "200(OK){Connection=close|Content-Length=0}end");
    EXPECT(OK "Connection: Keep-Alive, Close\r\nContent-Length: 0\r\n\r\n",
           "200(OK){Connection=Keep-Alive, Close|Content-Length=0}end");
    EXPECT("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "200(OK){Content-Length=0}end");
    EXPECT("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
           "200(OK){Connection=keep-alive|Content-Length=0}end+keep");
}

TEST(http1_accessors_tell_the_framing)
{
    struct http1 p;
    struct http1_body_span span;
    size_t used;
    static const char chunked[] = OK "Transfer-Encoding: Chunked\r\n\r\n",
                      length[] = OK "Content-Length: 9223372036854775807\r\n\r\n",
                      close[] = OK "\r\n";

    http1_init(&p, NULL, false);
    CHECK(!http1_has_begun(&p));
    CHECK_EQ(http1_feed(&p, chunked, 0, &used, &span), HTTP1_NEED_INPUT);
    CHECK(!http1_has_begun(&p));
    CHECK_EQ(http1_feed(&p, chunked, 1, &used, &span), HTTP1_NEED_INPUT);
    CHECK(http1_has_begun(&p));
    CHECK_EQ(http1_feed(&p, chunked + 1, sizeof chunked - 2, &used, &span), HTTP1_HEAD);
    CHECK(http1_is_chunked(&p) && !http1_is_close_delimited(&p) && http1_has_body(&p));
    CHECK_EQ(http1_content_length(&p), -1);
    CHECK(!http1_keep_alive(&p));

    http1_reset(&p, NULL, false);
    CHECK_EQ(http1_feed(&p, length, sizeof length - 1, &used, &span), HTTP1_HEAD);
    CHECK_EQ(http1_content_length(&p), INT64_MAX);
    CHECK(!http1_is_chunked(&p) && !http1_is_close_delimited(&p) && http1_has_body(&p));

    http1_reset(&p, NULL, false);
    CHECK_EQ(http1_feed(&p, close, sizeof close - 1, &used, &span), HTTP1_HEAD);
    CHECK(http1_is_close_delimited(&p) && http1_has_body(&p));
    CHECK_EQ(http1_feed(&p, "abc", 3, &used, &span), HTTP1_BODY);
    CHECK_EQ(http1_received(&p), 3);

    http1_reset(&p, NULL, true);
    CHECK_EQ(http1_feed(&p, length, sizeof length - 1, &used, &span), HTTP1_HEAD);
    CHECK_EQ(http1_content_length(&p), INT64_MAX);
    CHECK(!http1_has_body(&p));
    http1_finish(&p);
}

TEST(http1_body_spans_point_into_the_input)
{
    struct http1 p;
    struct http1_body_span span;
    size_t used;
    static const char input[] = OK "Content-Length: 10\r\n\r\n0123456789";

    http1_init(&p, NULL, false);
    CHECK_EQ(http1_feed(&p, input, sizeof input - 1, &used, &span), HTTP1_HEAD);
    CHECK_EQ(used, sizeof input - 1 - 10);
    CHECK_EQ(http1_feed(&p, input + used, 10, &used, &span), HTTP1_BODY);
    CHECK(span.data == input + sizeof input - 11);
    CHECK_EQ(span.len, 10);
    CHECK_EQ(used, 10);
    CHECK_EQ(http1_feed(&p, NULL, 0, &used, &span), HTTP1_END);
    http1_finish(&p);
}

TEST(http1_reset_keeps_the_memory_of_headers)
{
    struct http1 p;
    struct http1_body_span span;
    size_t used;
    static const char input[] = OK "Server: x\r\nContent-Length: 0\r\n\r\n";

    http1_init(&p, NULL, false);
    CHECK_EQ(http1_feed(&p, input, sizeof input - 1, &used, &span), HTTP1_HEAD);
    const char *bytes = p.headers.bytes;
    http1_reset(&p, NULL, false);
    CHECK_EQ(http1_feed(&p, input, sizeof input - 1, &used, &span), HTTP1_HEAD);
    CHECK(p.headers.bytes == bytes);
    CHECK_EQ(http1_headers(&p)->count, 2);
    http1_finish(&p);
}

/* --- truncation --- */

TEST(http1_tells_no_response_from_half_a_response)
{
    EXPECT("", "!WHORL_EHTTP_NO_RESPONSE");
    EXPECT("H", "!WHORL_EHTTP_TRUNCATED");
    EXPECT(OK, "!WHORL_EHTTP_TRUNCATED");
    EXPECT(OK "A: b\r\n\r", "!WHORL_EHTTP_TRUNCATED");
    EXPECT("HTTP/1.1 100 Continue\r\n\r\n", "100;!WHORL_EHTTP_TRUNCATED");
    EXPECT(OK "Content-Length: 5\r\n\r\nhell",
           "200(OK){Content-Length=5}<hell>!WHORL_EHTTP_TRUNCATED");
    EXPECT(OK "Content-Length: 5\r\n\r\n", "200(OK){Content-Length=5}!WHORL_EHTTP_TRUNCATED");
    EXPECT(OK "Content-Length: 0\r\n\r\n", "200(OK){Content-Length=0}end+keep");
}

#define CHUNKED      OK "Transfer-Encoding: chunked\r\n\r\n"
#define CHUNKED_HEAD "200(OK){Transfer-Encoding=chunked}"

TEST(http1_chunked_bodies_need_their_last_chunk_and_empty_line)
{
    EXPECT(CHUNKED, CHUNKED_HEAD "!WHORL_EHTTP_TRUNCATED");
    EXPECT(CHUNKED "5\r\nhel", CHUNKED_HEAD "<hel>!WHORL_EHTTP_TRUNCATED");
    EXPECT(CHUNKED "3\r\nhel\r\n", CHUNKED_HEAD "<hel>!WHORL_EHTTP_TRUNCATED");
    EXPECT(CHUNKED "3\r\nhel\r\n0", CHUNKED_HEAD "<hel>!WHORL_EHTTP_TRUNCATED");
    EXPECT(CHUNKED "0\r\n", CHUNKED_HEAD "!WHORL_EHTTP_TRUNCATED");
    EXPECT(CHUNKED "0\r\n\r", CHUNKED_HEAD "!WHORL_EHTTP_TRUNCATED");
    EXPECT(CHUNKED "0\r\nA: b\r\n", CHUNKED_HEAD "!WHORL_EHTTP_TRUNCATED");
    EXPECT(CHUNKED "0\r\n\r\n", CHUNKED_HEAD "end+keep");
}

/* --- hostile heads --- */

TEST(http1_refuses_other_protocols_by_their_first_bytes)
{
    EXPECT_WITH("SSH-2.0-OpenSSH_9.2", "!WHORL_EHTTP_STATUS_LINE", .no_eof = true);
    EXPECT_WITH("\x15\x03\x01\x00\x02", "!WHORL_EHTTP_STATUS_LINE", .no_eof = true);
    EXPECT_WITH("<html>", "!WHORL_EHTTP_STATUS_LINE", .no_eof = true);
    EXPECT_WITH("ICY 200 OK\r\n", "!WHORL_EHTTP_STATUS_LINE", .no_eof = true);
    EXPECT_WITH("\r\n" OK, "!WHORL_EHTTP_STATUS_LINE", .no_eof = true);
    EXPECT_WITH(" " OK, "!WHORL_EHTTP_STATUS_LINE", .no_eof = true);
    EXPECT_WITH("GET / HTTP/1.1\r\n", "!WHORL_EHTTP_STATUS_LINE", .no_eof = true);
    EXPECT_WITH("http/1.1 200 OK\r\n", "!WHORL_EHTTP_STATUS_LINE", .no_eof = true);
    EXPECT_WITH("\0x", "!WHORL_EHTTP_STATUS_LINE", .no_eof = true);
    EXPECT_WITH("HTTP/1.1 20", "...", .no_eof = true);
    EXPECT_WITH("HTTP/1.1 200\r", "...", .no_eof = true);
}

TEST(http1_names_a_server_that_speaks_http_2)
{
    static const char settings[] = "\0\0\x12\4\0\0\0\0\0\0\3\0\0\0\x64\0\4\0\0\xff\xff";
    static const char other[] = "\0\0\x12\4\0\0\0\0\1";
    static const char short_of_one[] = "\0\0\x12\4\0\0";
    expect("settings", __LINE__, &(struct setup){0}, settings, sizeof settings - 1,
           "!WHORL_EHTTP_VERSION");
    expect("other", __LINE__, &(struct setup){0}, other, sizeof other - 1,
           "!WHORL_EHTTP_STATUS_LINE");
    expect("short", __LINE__, &(struct setup){0}, short_of_one, sizeof short_of_one - 1,
           "!WHORL_EHTTP_TRUNCATED");
}

TEST(http1_refuses_versions_but_1_0_and_1_1)
{
    EXPECT("HTTP/0.9 200 OK\r\n\r\n", "!WHORL_EHTTP_VERSION");
    EXPECT("HTTP/1.2 200 OK\r\n\r\n", "!WHORL_EHTTP_VERSION");
    EXPECT("HTTP/2.0 200 OK\r\n\r\n", "!WHORL_EHTTP_VERSION");
    EXPECT("HTTP/2 200 OK\r\n\r\n", "!WHORL_EHTTP_STATUS_LINE");
    EXPECT("HTTP/1 200 OK\r\n\r\n", "!WHORL_EHTTP_STATUS_LINE");
    EXPECT("HTTP/11.1 200 OK\r\n\r\n", "!WHORL_EHTTP_STATUS_LINE");
    EXPECT("HTTP/1.10 200 OK\r\n\r\n", "!WHORL_EHTTP_STATUS_LINE");
    EXPECT("HTTP/2.0 2x0 OK\r\n\r\n", "!WHORL_EHTTP_VERSION");
}

TEST(http1_refuses_status_codes_but_three_digits_from_100_to_999)
{
    static const char *const lines[] = {
        "HTTP/1.1 7 x",    "HTTP/1.1 0200 x", "HTTP/1.1 2000 x", "HTTP/1.1 20 x",
        "HTTP/1.1 099 x",  "HTTP/1.1 000 x",  "HTTP/1.1 2O0 x",  "HTTP/1.1  200 x",
        "HTTP/1.1\t200 x", "HTTP/1.1 200x",   "HTTP/1.1 200\tx", "HTTP/1.1 -20 x",
        "HTTP/1.1 ",       "HTTP/1.1",        "HTTP/1.1 20",     "HTTP/1.1 +20 x",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char input[64];
        int len = snprintf(input, sizeof input, "%s\r\n\r\n", lines[i]);
        expect(lines[i], __LINE__, &(struct setup){0}, input, (size_t)len,
               "!WHORL_EHTTP_STATUS_LINE");
    }
    EXPECT("HTTP/1.1 599 x\r\n\r\n", "599(x){}end");
    EXPECT("HTTP/1.1 600 x\r\n\r\n", "600(x){}end");
    EXPECT("HTTP/1.1 999 x\r\n\r\n", "999(x){}end");
}

TEST(http1_refuses_to_switch_protocols)
{
    EXPECT("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
           "!WHORL_EHTTP_UPGRADE");
    EXPECT("HTTP/1.1 101 x\r\n\r\n", "!WHORL_EHTTP_UPGRADE");
}

/* RFC 9112 §5.2 */
TEST(http1_unfolds_lines_of_fields_that_decide_nothing)
{
    EXPECT(OK "A: b\r\n c\r\n\r\n", "200(OK){A=b   c}end");
    EXPECT(OK "A: b\r\n\tc\r\n\r\n", "200(OK){A=b  \tc}end");
    EXPECT(OK "A:\r\n\tb\r\nC: d\r\n\r\n", "200(OK){A=b|C=d}end");
    EXPECT(OK "A: b\r\n \r\n\r\n", "200(OK){A=b}end");
    EXPECT(OK "A: b\r\n c\r\n d\r\n\r\n", "200(OK){A=b   c   d}end");
    EXPECT(CHUNKED "0\r\nA: b\r\n c\r\n\r\n", CHUNKED_HEAD "{A=b   c}end+keep");
}

TEST(http1_refuses_other_folded_lines)
{
    EXPECT(OK " A: b\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "\tA: b\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "Transfer-Encoding:\r\n chunked\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "Transfer-Encoding:\r\n\tchunked\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "A: b\r\nCONTENT-LENGTH: 1\r\n 0\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "A: b\r\n c\r\nLocation: http://a/\r\n b\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "Set-Cookie: a=b;\r\n Domain=c\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(CHUNKED "0\r\n A: b\r\n\r\n", CHUNKED_HEAD "!WHORL_EHTTP_HEADER");
}

TEST(http1_refuses_line_feeds_and_carriage_returns_alone)
{
    EXPECT("HTTP/1.1 200 OK\n\n", "!WHORL_EHTTP_STATUS_LINE");
    EXPECT(OK "A: b\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "A: b\r\n\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "A: b\rC: d\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "A: b\r\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "A\r: b\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT("HTTP/1.1 200 O\rK\r\n\r\n", "!WHORL_EHTTP_STATUS_LINE");
    EXPECT("HTTP/1.1 200\r\r\n\r\n", "!WHORL_EHTTP_STATUS_LINE");
    EXPECT(OK "A: b\r\n\rC: d\r\n\r\n", "!WHORL_EHTTP_HEADER");
}

TEST(http1_refuses_control_bytes_everywhere_in_a_head)
{
    for (int c = 0; c < 0x80; c++) {
        if (c == '\t' || c == '\r' || c == '\n' || (c >= 0x20 && c != 0x7f))
            continue;
        char value[] = OK "A: b?c\r\n\r\n", reason[] = "HTTP/1.1 200 O?K\r\n\r\n",
             name[] = OK "A?: b\r\n\r\n", trailer[] = CHUNKED "0\r\nA: ?\r\n\r\n";
        *strchr(value, '?') = *strchr(reason, '?') = (char)c;
        *strchr(name, '?') = *strchr(trailer, '?') = (char)c;
        EXPECT(value, "!WHORL_EHTTP_HEADER");
        EXPECT(reason, "!WHORL_EHTTP_STATUS_LINE");
        EXPECT(name, "!WHORL_EHTTP_HEADER");
        EXPECT(trailer, CHUNKED_HEAD "!WHORL_EHTTP_HEADER");
    }
    EXPECT(OK "A: \xc3\xa4\xff\r\nContent-Length: 0\r\n\r\n",
           "200(OK){A=\xc3\xa4\xff|Content-Length=0}end+keep");
}

TEST(http1_refuses_bytes_in_names_that_are_no_token)
{
    for (int c = 0; c < 256; c++) {
        char text[1] = {(char)c}, inside[] = OK "A?b: x\r\n\r\n", first[] = OK "?b: x\r\n\r\n",
             last[] = OK "A?: x\r\n\r\n";
        if (header_is_token(text, 1) || c == '\n' || c == ':')
            continue;
        *strchr(inside, '?') = *strchr(first, '?') = *strchr(last, '?') = (char)c;
        EXPECT(inside, "!WHORL_EHTTP_HEADER");
        EXPECT(first, "!WHORL_EHTTP_HEADER");
        EXPECT(last, "!WHORL_EHTTP_HEADER");
    }
    EXPECT(OK ": x\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "no colon\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "nocolon\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "Content-Length : 5\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "Content-Length\t: 5\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "Transfer-Encoding : chunked\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "Connection : close\r\n\r\n", "!WHORL_EHTTP_HEADER");
}

/* --- hostile framing --- */

TEST(http1_refuses_a_content_length_that_is_no_plain_number)
{
    static const char *const values[] = {
        "",
        "-1",
        "+1",
        "0x5",
        "5,5",
        "5, 5",
        "5 5",
        "5.0",
        "1e3",
        "five",
        "5;a",
        "\"5\"",
        "5\t5",
        " -5",
        "5 ,",
        ",5",
        "5x",
        "\xc2\xb2",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999999999999",
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char input[128];
        int len = snprintf(input, sizeof input, OK "Content-Length: %s\r\n\r\n", values[i]);
        expect(values[i], __LINE__, &(struct setup){0}, input, (size_t)len, "!WHORL_EHTTP_LENGTH");
    }
    EXPECT(OK "Content-Length: 5\t\r\n\r\nhello", "200(OK){Content-Length=5}<hello>end+keep");
    EXPECT(OK "Content-Length:\t5 \t \r\n\r\nhello", "200(OK){Content-Length=5}<hello>end+keep");
    EXPECT(OK "Content-Length: 0000005 \r\n\r\nhello",
           "200(OK){Content-Length=0000005}<hello>end+keep");
}

TEST(http1_refuses_a_second_content_length)
{
    EXPECT(OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "!WHORL_EHTTP_LENGTH");
    EXPECT(OK "Content-Length: 5\r\nA: b\r\ncontent-length: 6\r\n\r\nhello", "!WHORL_EHTTP_LENGTH");
}

TEST(http1_refuses_transfer_codings_but_one_chunked)
{
    static const char *const values[] = {
        "gzip",
        "chunked, gzip",
        "gzip, chunked",
        "chunked, chunked",
        "identity",
        "chunked;a=b",
        "xchunked",
        "chunkedx",
        "chunke",
        "",
        "\"chunked\"",
        "chunked,",
        ",chunked",
        "chunked identity",
        ("\x0b"
         "chunked"),
        "chunked\tgzip",
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char input[128];
        int len = snprintf(input, sizeof input, OK "Transfer-Encoding: %s\r\n\r\n", values[i]);
        expect(values[i], __LINE__, &(struct setup){0}, input, (size_t)len,
               strchr(values[i], 0x0b) ? "!WHORL_EHTTP_HEADER" : "!WHORL_EHTTP_TRANSFER_ENCODING");
    }
    EXPECT(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
           "!WHORL_EHTTP_TRANSFER_ENCODING");
    EXPECT(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n",
           "!WHORL_EHTTP_TRANSFER_ENCODING");
    EXPECT(OK "Transfer-Encoding: cHuNkEd \t\r\n\r\n0\r\n\r\n",
           "200(OK){Transfer-Encoding=cHuNkEd}end+keep");
}

TEST(http1_refuses_transfer_encoding_beside_content_length)
{
    EXPECT(OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
           "!WHORL_EHTTP_TRANSFER_ENCODING");
    EXPECT(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "!WHORL_EHTTP_TRANSFER_ENCODING");
}

TEST(http1_refuses_transfer_encoding_in_http_1_0)
{
    EXPECT("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "!WHORL_EHTTP_TRANSFER_ENCODING");
}

TEST(http1_refuses_malformed_chunks)
{
    static const char *const chunks[] = {
        "\r\n",
        "x\r\n",
        "-1\r\n",
        "+5\r\nhello",
        "0x5\r\nhello",
        " 5\r\nhello",
        "5 x\r\nhello",
        "5\nhello\r\n",
        "5\rhello\r\n",
        "5;\x01\r\nhello",
        "5;a\nhello",
        "5;a\rb\r\nhello",
        ";a\r\n",
        "5,\r\nhello",
        "G\r\n",
        "8000000000000000\r\n",
        "10000000000000000\r\n",
        "00000000000000005\r\nhello\r\n",
        "5;\x7f\r\n",
        "5_\r\nhello",
    };
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        char input[256];
        int len = snprintf(input, sizeof input, CHUNKED "%s0\r\n\r\n", chunks[i]);
        expect(chunks[i], __LINE__, &(struct setup){0}, input, (size_t)len,
               CHUNKED_HEAD "!WHORL_EHTTP_CHUNK");
    }
    EXPECT(CHUNKED "5\r\nhelloX\r\n", CHUNKED_HEAD "<hello>!WHORL_EHTTP_CHUNK");
    EXPECT(CHUNKED "5\r\nhello\n", CHUNKED_HEAD "<hello>!WHORL_EHTTP_CHUNK");
    EXPECT(CHUNKED "5\r\nhello\r5", CHUNKED_HEAD "<hello>!WHORL_EHTTP_CHUNK");
    EXPECT(CHUNKED "5\r\nhello0\r\n\r\n", CHUNKED_HEAD "<hello>!WHORL_EHTTP_CHUNK");
    EXPECT(CHUNKED "7fffffffffffffff\r\nx", CHUNKED_HEAD "<x>!WHORL_EHTTP_TRUNCATED");
}

TEST(http1_keeps_trailers_apart_and_checks_them)
{
    EXPECT(CHUNKED "0\r\nServer: late\r\n\r\n", CHUNKED_HEAD "{Server=late}end+keep");
    EXPECT(CHUNKED "0\r\nbad trailer\r\n\r\n", CHUNKED_HEAD "!WHORL_EHTTP_HEADER");
    EXPECT(CHUNKED "0\r\nA: b\n\r\n", CHUNKED_HEAD "!WHORL_EHTTP_HEADER");
    EXPECT(CHUNKED "0\r\n\n", CHUNKED_HEAD "!WHORL_EHTTP_HEADER");
    EXPECT(CHUNKED "0\r\n: b\r\n\r\n", CHUNKED_HEAD "!WHORL_EHTTP_HEADER");
    /* RFC 9110 §6.5.1: in trailers such fields have no meaning. */
    EXPECT(CHUNKED "0\r\nConnection: close\r\nTransfer-Encoding: gzip\r\n\r\n",
           CHUNKED_HEAD "{Connection=close}end+keep");
    EXPECT(CHUNKED "0\r\nA: b\r\nContent-Length: 7\r\ncontent-length: x\r\nC: d\r\n\r\n",
           CHUNKED_HEAD "{A=b|C=d}end+keep");
    EXPECT(CHUNKED "0\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
           CHUNKED_HEAD "end+keep");
}

/* --- limits --- */

static char *fill(const char *head, const char *part, size_t count, const char *tail, size_t *ret)
{
    size_t part_len = strlen(part);
    char *text = malloc(strlen(head) + count * part_len + strlen(tail) + 1);
    char *end = stpcpy(text, head);
    for (size_t i = 0; i < count; i++)
        end = stpcpy(end, part);
    end = stpcpy(end, tail);
    *ret = (size_t)(end - text);
    return text;
}

/* Feeds `head`, `count` times `part`, and `tail`. Checks the end of the account. */
static void expect_filled(int line, const struct setup *setup, const char *head, const char *part,
                          size_t count, const char *tail, const char *expected)
{
    static struct account a;
    static struct http1 p;
    size_t len;
    char *input = fill(head, part, count, tail, &len);
    size_t *cuts = malloc(len * sizeof *cuts);

    for (size_t step = 1; step <= len + 1000; step += step < 8 ? 1 : 997) {
        size_t n = 0;
        for (size_t at = step; at < len; at += step)
            cuts[n++] = at;
        run(&a, &p, setup, input, len, cuts, n);
        size_t expected_len = strlen(expected);
        if (a.len < expected_len || strcmp(a.text + a.len - expected_len, expected) != 0)
            test_fail(__FILE__, line, "in steps of %zu: %.200s ... %s", step, a.text,
                      http1_error_text(&p));
    }
    free(cuts);
    free(input);
    http1_finish(&p);
}

TEST(http1_bounds_the_head)
{
    struct setup small = {
        .limits.head_bytes_max = 1000, .limits.headers_max = 1000, .no_eof = true};
    expect_filled(__LINE__, &small, OK, "A: b\r\n", 163, "\r\n", "|A=b}...");
    /* 17 + 163 * 6 + 2 = 997 bytes. The next line is one too many, and so is a line without an
     * end. */
    expect_filled(__LINE__, &small, OK, "A: b\r\n", 164, "\r\n", "!WHORL_EHTTP_HEAD_TOO_LARGE");
    expect_filled(__LINE__, &small, OK "A: ", "x", 2000, "", "!WHORL_EHTTP_HEAD_TOO_LARGE");
    expect_filled(__LINE__, &small, "HTTP/1.1 200 ", "x", 2000, "", "!WHORL_EHTTP_HEAD_TOO_LARGE");
    expect_filled(__LINE__, &small, "HTTP/1.1 200 ", "x", 987, "", "...");
    expect_filled(__LINE__, &small, "HTTP/1.1 200 ", "x", 988, "", "!WHORL_EHTTP_HEAD_TOO_LARGE");
    expect_filled(__LINE__, &small, "", "x", 2000, "", "!WHORL_EHTTP_STATUS_LINE");
}

TEST(http1_bounds_the_number_of_headers)
{
    struct setup few = {.limits.headers_max = 5};
    EXPECT_WITH(OK "A: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\nContent-Length: 0\r\n\r\n",
                "200(OK){A=1|A=2|A=3|A=4|Content-Length=0}end+keep", .limits.headers_max = 5);
    expect_filled(__LINE__, &few, OK, "A: b\r\n", 6, "\r\n", "!WHORL_EHTTP_HEADERS_TOO_MANY");
    expect_filled(__LINE__, &few, OK, "A: b\r\n", 6, "", "!WHORL_EHTTP_HEADERS_TOO_MANY");
    expect_filled(__LINE__, &few, CHUNKED "0\r\n", "A: b\r\n", 6, "\r\n",
                  "!WHORL_EHTTP_HEADERS_TOO_MANY");
    expect_filled(__LINE__, &(struct setup){0}, OK, "A: b\r\n", 129, "\r\n",
                  "!WHORL_EHTTP_HEADERS_TOO_MANY");
}

TEST(http1_bounds_trailers)
{
    struct setup small = {.limits.head_bytes_max = 200, .limits.headers_max = 1000};
    expect_filled(__LINE__, &small, CHUNKED "0\r\n", "A: b\r\n", 33, "\r\n", "}end+keep");
    expect_filled(__LINE__, &small, CHUNKED "0\r\n", "A: b\r\n", 34, "\r\n",
                  "!WHORL_EHTTP_HEAD_TOO_LARGE");
    expect_filled(__LINE__, &small, CHUNKED "0\r\n", "x", 300, "", "!WHORL_EHTTP_HEAD_TOO_LARGE");
}

TEST(http1_bounds_informational_responses)
{
    struct setup two = {.limits.informational_max = 2}, none = {.limits.informational_max = -1};
    const char *hint = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", *end = OK "\r\n";
    expect_filled(__LINE__, &two, "", hint, 2, end, "103;103;200(OK){}end");
    expect_filled(__LINE__, &two, "", hint, 3, end, "103;103;!WHORL_EHTTP_INFORMATIONAL");
    expect_filled(__LINE__, &none, "", hint, 1, end, "!WHORL_EHTTP_INFORMATIONAL");
    expect_filled(__LINE__, &(struct setup){0}, "", hint, 17, end, "!WHORL_EHTTP_INFORMATIONAL");
}

TEST(http1_bounds_the_body)
{
    EXPECT_WITH(OK "Content-Length: 5\r\n\r\nhello", "200(OK){Content-Length=5}<hello>end+keep",
                .limits.body_bytes_max = 5);
    EXPECT_WITH(OK "Content-Length: 6\r\n\r\nhello!",
                "200(OK){Content-Length=6}!WHORL_EHTTP_BODY_TOO_LARGE", .limits.body_bytes_max = 5);
    EXPECT_WITH(OK "\r\nhello", "200(OK){}<hello>end", .limits.body_bytes_max = 5);
    EXPECT_WITH(OK "\r\nhello!", "200(OK){}<hello>!WHORL_EHTTP_BODY_TOO_LARGE",
                .limits.body_bytes_max = 5);
    EXPECT_WITH(CHUNKED "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", CHUNKED_HEAD "<hello>end+keep",
                .limits.body_bytes_max = 5);
    EXPECT_WITH(CHUNKED "2\r\nhe\r\n4\r\nllo!\r\n0\r\n\r\n",
                CHUNKED_HEAD "<he>!WHORL_EHTTP_BODY_TOO_LARGE", .limits.body_bytes_max = 5);
}

TEST(http1_bounds_chunk_extensions)
{
    struct setup none = {0};
    expect_filled(__LINE__, &none, CHUNKED "1;", "x", 5000, "\r\ny\r\n0\r\n\r\n",
                  "!WHORL_EHTTP_CHUNK");
    expect_filled(__LINE__, &none, CHUNKED "1", " ", 5000, "\r\ny\r\n0\r\n\r\n",
                  "!WHORL_EHTTP_CHUNK");
    /* Each line is within its limit, but 1000 of them exceed the total. */
    expect_filled(__LINE__, &none, CHUNKED,
                  "1;0123456789012345678901234567890123456789012345678901234567890123456789012345"
                  "678901234567890123456789\r\ny\r\n",
                  1000, "0\r\n\r\n", "!WHORL_EHTTP_CHUNK");
    /* Chunks of one byte are slow but valid. */
    expect_filled(__LINE__, &none, CHUNKED, "1\r\ny\r\n", 3000, "0\r\n\r\n", ">end+keep");
}

/* --- memory --- */

static int read_one(void *arg)
{
    struct http1 p;
    struct http1_body_span span;
    size_t len, used, pos = 0;
    char *input = arg;
    int event;

    len = strlen(input);
    http1_init(&p, NULL, false);
    do {
        event = http1_feed(&p, input + pos, len - pos < 100 ? len - pos : 100, &used, &span);
        pos += used;
    } while (event >= 0 && event != HTTP1_END);
    http1_finish(&p);
    return event == HTTP1_END ? 0 : event;
}

TEST(http1_survives_every_failed_allocation)
{
    size_t len;
    char *input =
        fill(CHUNKED "0\r\n", "A: 0123456789012345678901234567890123456789\r\n", 100, "\r\n", &len);
    CHECK(faults_sweep(read_one, input) >= 6);
    free(input);
}

/* A usual response costs two allocations; the next response on the same parser costs none. */
TEST(http1_allocates_twice_and_then_never)
{
    struct http1 p;
    struct http1_body_span span;
    size_t used;
    static const char input[] =
        OK "Server: nginx\r\nDate: x\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n";

    http1_init(&p, NULL, false);
    faults_arm(1000);
    CHECK_EQ(http1_feed(&p, input, sizeof input - 1, &used, &span), HTTP1_HEAD);
    CHECK_EQ(faults_seen(), 2);
    http1_reset(&p, NULL, false);
    CHECK_EQ(http1_feed(&p, input, sizeof input - 1, &used, &span), HTTP1_HEAD);
    CHECK_EQ(faults_seen(), 2);
    CHECK(!faults_disarm());
    http1_finish(&p);
}

TEST_MAIN()

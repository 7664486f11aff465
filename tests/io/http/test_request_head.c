/* SPDX-License-Identifier: MIT */
/* The request parser. For the accounts, see http1_account.h. */
#include "faults.h"
#include "http1_account.h"

/* A literal may contain NUL bytes. The arguments after `expected` are the limits. */
#define EXPECT_WITH(input, expected, ...)                                                          \
    expect(__FILE__, __LINE__, &(struct http1_setup){.is_request = true, .limits = {__VA_ARGS__}}, \
           input, sizeof(input) - 1, expected)
#define EXPECT(input, expected) EXPECT_WITH(input, expected, 0)

#define H "Host: h\r\n"

/* --- what clients send --- */

TEST(request_without_a_body_ends_with_its_head)
{
    EXPECT("GET / HTTP/1.1\r\nHost: example.org:8080\r\nAccept: */*\r\n\r\nGET",
           "GET /@example.org:8080{Host=example.org:8080|Accept=*/*}end+keep+3");
}

TEST(request_target_is_taken_apart)
{
    EXPECT("GET /a/b.html?x=1&y=%zz?% HTTP/1.1\r\n" H "\r\n",
           "GET /a/b.html?x=1&y=%zz?%@h{Host=h}end+keep");
    EXPECT("GET /? HTTP/1.1\r\n" H "\r\n", "GET /?@h{Host=h}end+keep");
    EXPECT("GET //x/%2e%2E/%c3%a4|{} HTTP/1.1\r\n" H "\r\n",
           "GET //x/%2e%2E/%c3%a4|{}@h{Host=h}end+keep");
}

TEST(request_target_may_be_a_url_whose_host_wins)
{
    EXPECT("GET http://other:81/p?q HTTP/1.1\r\n" H "\r\n", "GET /p?q@other:81{Host=h}end+keep");
    EXPECT("GET HTTPS://other HTTP/1.1\r\n" H "\r\n", "GET /@other{Host=h}end+keep");
    EXPECT("GET http://other?q HTTP/1.1\r\n" H "\r\n", "GET /?q@other{Host=h}end+keep");
    EXPECT("GET http://o/ HTTP/1.0\r\n\r\n", "GET /@o/1.0{}end");
}

TEST(request_for_the_whole_server_is_an_options)
{
    EXPECT("OPTIONS * HTTP/1.1\r\n" H "\r\n", "OPTIONS *@h{Host=h}end+keep");
    EXPECT("GET * HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
}

TEST(request_method_is_any_token)
{
    EXPECT("M-SEARCH / HTTP/1.1\r\n" H "\r\n", "M-SEARCH /@h{Host=h}end+keep");
    EXPECT("!#$%&'*+-.^_`|~az09 / HTTP/1.1\r\n" H "\r\n",
           "!#$%&'*+-.^_`|~az09 /@h{Host=h}end+keep");
}

TEST(request_bodies_have_a_length_or_chunks)
{
    EXPECT("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhelloPOST",
           "POST /@h{Host=h|Content-Length=5}<hello>end+keep+4");
    EXPECT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
           "5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
           "POST /@h{Host=h|Transfer-Encoding=chunked}<hello>{X=y}end+keep");
    EXPECT("POST / HTTP/1.1\r\n" H "\r\nhello", "POST /@h{Host=h}end+keep+5");
}

TEST(request_keeps_the_connection_as_version_and_header_say)
{
    EXPECT("GET / HTTP/1.1\r\n" H "Connection: x, close\r\n\r\n",
           "GET /@h{Host=h|Connection=x, close}end");
    EXPECT("GET / HTTP/1.0\r\n" H "\r\n", "GET /@h/1.0{Host=h}end");
    EXPECT("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
           "GET //1.0{Connection=Keep-Alive}end+keep");
}

TEST(request_may_follow_one_empty_line)
{
    EXPECT("\r\nGET / HTTP/1.1\r\n" H "\r\n", "GET /@h{Host=h}end+keep");
    EXPECT("\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("\rGET / HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("\nGET / HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
}

/* --- what attackers send --- */

TEST(request_line_is_strict)
{
    EXPECT("GET /\r\n\r\n", "!WHORL_EHTTP_REQUEST_LINE"); /* HTTP/0.9 */
    EXPECT("GET\r\n\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("GET  / HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("GET /  HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("GET / HTTP/1.1 \r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("GET / HTTP/1.1x\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT(" GET / HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("GET\t/\tHTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("GET / http/1.1\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("GET / HTTP/11\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("G:T / HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("GET / HTTP/1.1\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("GET / HTTP/1.1\r" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("GET / HTTP/1.1\r\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
}

TEST(request_versions_but_1_0_and_1_1_are_named)
{
    EXPECT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "!WHORL_EHTTP_VERSION");
    EXPECT("GET / HTTP/1.2\r\n" H "\r\n", "!WHORL_EHTTP_VERSION");
    EXPECT("GET / HTTP/0.9\r\n" H "\r\n", "!WHORL_EHTTP_VERSION");
    EXPECT("GET / HTTP/3.1\r\n" H "\r\n", "!WHORL_EHTTP_VERSION");
    EXPECT("GET / HTTP/3.1x\r\n" H "\r\n", "!WHORL_EHTTP_VERSION");
}

TEST(request_targets_that_no_url_has_are_refused)
{
    EXPECT("GET x HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("GET ?x HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("GET /#x HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("GET /\x7f HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("GET /\0 HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("GET /\rx HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("GET /%zz HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("GET /% HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("GET /a%00b HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("GET http:///x HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("GET http://u@h/ HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("GET ftp://h/ HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE");
    EXPECT("CONNECT h:443 HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_METHOD");
}

TEST(request_needs_exactly_one_valid_host)
{
    EXPECT("GET / HTTP/1.1\r\n\r\n", "!WHORL_EHTTP_HOST");
    EXPECT("GET / HTTP/1.1\r\n" H "host: h\r\n\r\n", "!WHORL_EHTTP_HOST");
    EXPECT("GET / HTTP/1.0\r\n" H H "\r\n", "!WHORL_EHTTP_HOST");
    EXPECT("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "!WHORL_EHTTP_HOST");
    EXPECT("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", "!WHORL_EHTTP_HOST");
    EXPECT("GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", "!WHORL_EHTTP_HOST");
    EXPECT("GET / HTTP/1.1\r\nHost: h/x\r\n\r\n", "!WHORL_EHTTP_HOST");
    EXPECT("GET http://h/ HTTP/1.1\r\n\r\n", "!WHORL_EHTTP_HOST");
    EXPECT("GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET /@{Host=}end+keep");
    EXPECT("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET /@[::1]:80{Host=[::1]:80}end+keep");
    EXPECT("GET / HTTP/1.0\r\n\r\n", "GET //1.0{}end");
}

TEST(request_hosts_have_these_bytes)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "-._~!$&'()*+;=%[]:";
    for (int c = 0; c < 256; c++) {
        char text[] = {'a', (char)c, 'b'};
        CHECK_EQ(request_is_host(text, 3), c != 0 && strchr(allowed, c) != NULL);
    }
}

TEST(request_framing_has_one_meaning)
{
#define POST "POST / HTTP/1.1\r\n" H
    EXPECT(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "!WHORL_EHTTP_LENGTH");
    EXPECT(POST "Content-Length: 5, 5\r\n\r\nhello", "!WHORL_EHTTP_LENGTH");
    EXPECT(POST "Content-Length: +5\r\n\r\nhello", "!WHORL_EHTTP_LENGTH");
    EXPECT(POST "Content-Length: -5\r\n\r\nhello", "!WHORL_EHTTP_LENGTH");
    EXPECT(POST "Content-Length: 0x5\r\n\r\nhello", "!WHORL_EHTTP_LENGTH");
    EXPECT(POST "Content-Length: 99999999999999999999\r\n\r\n", "!WHORL_EHTTP_LENGTH");
    EXPECT(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "!WHORL_EHTTP_TRANSFER_ENCODING");
    EXPECT(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
           "!WHORL_EHTTP_TRANSFER_ENCODING");
    EXPECT(POST "Transfer-Encoding: gzip\r\n\r\n", "!WHORL_EHTTP_TRANSFER_ENCODING");
    EXPECT(POST "Transfer-Encoding: gzip, chunked\r\n\r\n", "!WHORL_EHTTP_TRANSFER_CODING");
    EXPECT(POST "Transfer-Encoding: a,\tb,Chunked \r\n\r\n", "!WHORL_EHTTP_TRANSFER_CODING");
    EXPECT(POST "Transfer-Encoding: gzip, chunked\r\nContent-Length: 5\r\n\r\n",
           "!WHORL_EHTTP_TRANSFER_ENCODING");
    EXPECT(POST "Transfer-Encoding: gzip, chunked, chunked\r\n\r\n",
           "!WHORL_EHTTP_TRANSFER_ENCODING");
    EXPECT(POST "Transfer-Encoding: chunked, identity\r\n\r\n", "!WHORL_EHTTP_TRANSFER_ENCODING");
    EXPECT(POST "Transfer-Encoding: xchunked\r\n\r\n", "!WHORL_EHTTP_TRANSFER_ENCODING");
    EXPECT(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
           "!WHORL_EHTTP_TRANSFER_ENCODING");
    EXPECT("POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "!WHORL_EHTTP_TRANSFER_ENCODING");
}

TEST(request_headers_are_strict)
{
#define GET "GET / HTTP/1.1\r\n" H
    EXPECT(GET "Content-Length : 5\r\n\r\nhello", "!WHORL_EHTTP_HEADER");
    EXPECT(GET "A: b\r\n c\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(GET "A: b\r\n\tc\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT("GET / HTTP/1.1\r\n A: b\r\n" H "\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(GET "A: b\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(GET "A: b\rC: d\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(GET "A: b\0c\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(GET "A: b\x7f\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(GET ": b\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(GET "A b\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(GET "A\x01: b\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(GET "A(: b\r\n\r\n", "!WHORL_EHTTP_HEADER");
}

TEST(request_chunks_are_strict)
{
#define CHUNKED "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
#define TOLD    "POST /@h{Host=h|Transfer-Encoding=chunked}"
    EXPECT(CHUNKED "x\r\n", TOLD "!WHORL_EHTTP_CHUNK");
    EXPECT(CHUNKED "-1\r\n", TOLD "!WHORL_EHTTP_CHUNK");
    EXPECT(CHUNKED "0x1\r\nx\r\n", TOLD "!WHORL_EHTTP_CHUNK");
    EXPECT(CHUNKED "1\nx\r\n", TOLD "!WHORL_EHTTP_CHUNK");
    EXPECT(CHUNKED "1\r\nxy\r\n", TOLD "<x>!WHORL_EHTTP_CHUNK");
    EXPECT(CHUNKED "fffffffffffffffff\r\n", TOLD "!WHORL_EHTTP_CHUNK");
    EXPECT(CHUNKED "1;a\x01\r\nx\r\n", TOLD "!WHORL_EHTTP_CHUNK");
    EXPECT(CHUNKED "0\r\nA: b\r\n c\r\n\r\n", TOLD "!WHORL_EHTTP_HEADER");
    EXPECT(CHUNKED "0\r\nContent-Length: 5\r\nA: b\r\n\r\n", TOLD "{A=b}end+keep");
    EXPECT(CHUNKED "1\r\nx", TOLD "<x>!WHORL_EHTTP_TRUNCATED");
}

TEST(request_heads_have_limits)
{
    EXPECT_WITH("GET /123456789 HTTP/1.1\r\n" H "\r\n", "GET /123456789@h{Host=h}end+keep",
                .target_bytes_max = 10);
    EXPECT_WITH("GET /123456789a\x01 HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_TARGET_TOO_LONG",
                .target_bytes_max = 10);
    EXPECT_WITH("GET /12345678\x01 HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_REQUEST_LINE",
                .target_bytes_max = 10);
    EXPECT("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG\x01 / HTTP/1.1\r\n" H "\r\n", "!WHORL_EHTTP_METHOD");
    EXPECT_WITH("GET / HTTP/1.1\r\n" H
                "A: 0123456789012345678901234567890123456789012345678901234567890123456789\r\n\r\n",
                "!WHORL_EHTTP_HEAD_TOO_LARGE", .head_bytes_max = 64);
    EXPECT_WITH("GET /0123456789012345678901234567890123456789012345678901234567890123\x01\r\n",
                "!WHORL_EHTTP_HEAD_TOO_LARGE", .head_bytes_max = 64);
    EXPECT_WITH(GET "A: b\r\nC: d\r\n\r\n", "!WHORL_EHTTP_HEADERS_TOO_MANY", .headers_max = 2);
    EXPECT_WITH(POST "Content-Length: 5\r\n\r\nhello",
                "POST /@h{Host=h|Content-Length=5}!WHORL_EHTTP_BODY_TOO_LARGE",
                .body_bytes_max = 4);
}

static int parse_all(void *arg)
{
    static const char input[] = "POST http://o/p?q HTTP/1.1\r\nHost: h\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nA: b\r\n\r\n";
    struct http1 p = {0};
    struct http1_body_span span;
    size_t pos = 0, used;
    int event;

    (void)arg;
    http1_reset_request(&p, NULL);
    do {
        event = http1_feed(&p, input + pos, sizeof input - 1 - pos, &used, &span);
        pos += used;
    } while (event > 0 && event != HTTP1_END);
    http1_finish(&p);
    return event == HTTP1_END ? 0 : event;
}

TEST(request_parser_survives_every_failed_allocation)
{
    CHECK(faults_sweep(parse_all, NULL) >= 4);
}

TEST_MAIN()

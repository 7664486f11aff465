/* SPDX-License-Identifier: MIT */
/* Request heads as bytes, and what a caller must not put into them. */
#include <stdlib.h>

#include "io/http/request.h"
#include "test.h"

struct want {
    const char *url, *method;
    struct whorl_http_header headers[6];
    const char *user_agent;
    int64_t body_len;
    bool decode, other_origin, trust_redirects, drop_body_headers;
};

/* Writes the head with every capacity and returns the result; the text is stored in `ret`. */
static ssize_t write_head(const struct want *want, char ret[4096], struct whorl_error *error)
{
    WHORL_AUTO(url) url = {0};
    struct request_head head = {
        .method = want->method,
        .url = &url,
        .headers = want->headers,
        .user_agent = want->user_agent,
        .body_len = want->body_len,
        .decode = want->decode,
        .other_origin = want->other_origin,
        .trust_redirects = want->trust_redirects,
        .drop_body_headers = want->drop_body_headers,
    };
    CHECK_OK(whorl_url_parse(want->url ? want->url : "http://a/", NULL, &url));
    while (head.headers_count < 6 && want->headers[head.headers_count].name)
        head.headers_count++;
    ssize_t len = request_head_write(&head, NULL, 0, error);
    if (len < 0)
        return len;
    CHECK(len < 4096);
    for (ssize_t cap = 0; cap <= len + 1; cap++) {
        char *buf = malloc((size_t)cap + 1); /* so that a write past the end is detected */
        buf[cap] = '~';
        CHECK_EQ(request_head_write(&head, buf, (size_t)cap, error), len);
        CHECK_EQ(buf[cap], '~');
        if (cap >= len) {
            memcpy(ret, buf, (size_t)len);
            ret[len] = '\0';
        }
        free(buf);
    }
    return len;
}

static void expect(int line, struct want want, const char *expected)
{
    char text[4096];
    struct whorl_error error = {0};
    ssize_t len = write_head(&want, text, &error);
    if (len < 0)
        test_fail(__FILE__, line, "%s", error.text);
    if (strcmp(text, expected) != 0)
        test_fail(__FILE__, line, "is\n%s\nexpected\n%s", text, expected);
}

static void expect_error(int line, struct want want, int code)
{
    char text[4096];
    struct whorl_error error = {0};
    want.body_len = want.body_len ? want.body_len : REQUEST_NO_BODY;
    ssize_t len = write_head(&want, text, &error);
    if (len != code)
        test_fail(__FILE__, line, "%zd (%s), expected %s", len, error.text, whorl_error_name(code));
    CHECK_EQ(error.code, code);
    CHECK_STR(error.step, "request");
    CHECK(error.text[0]);
}

#define HEAD(expected, ...) \
    expect(__LINE__, (struct want){.body_len = REQUEST_NO_BODY, __VA_ARGS__}, expected)
#define BAD_HEADER(...) \
    expect_error(__LINE__, (struct want){.headers = {__VA_ARGS__}}, WHORL_EHTTP_REQUEST_HEADER)

#ifdef WHORL_WITH_BROTLI
#define BR ", br"
#else
#define BR ""
#endif
#ifdef WHORL_WITH_ZSTD
#define ZSTD ", zstd"
#else
#define ZSTD ""
#endif

TEST(request_get_has_the_usual_headers)
{
    HEAD("GET /a?b HTTP/1.1\r\nHost: example.org:8080\r\nUser-Agent: whorl/1\r\nAccept: */*\r\n"
         "Accept-Encoding: identity\r\n\r\n",
         .url = "http://Example.org:8080/a?b#c", .user_agent = "whorl/1");
    HEAD("GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate" BR ZSTD
         "\r\n\r\n",
         .decode = true, .user_agent = "");
    HEAD("GET / HTTP/1.1\r\nHost: [::1]\r\nAccept: */*\r\nAccept-Encoding: identity\r\n\r\n",
         .url = "http://[::1]/");
}

#define DEFAULTS "Host: a\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"

TEST(request_body_is_announced)
{
    expect(__LINE__, (struct want){.method = "POST", .body_len = 0},
           "POST / HTTP/1.1\r\n" DEFAULTS "Content-Length: 0\r\n\r\n");
    expect(__LINE__, (struct want){.method = "PUT", .body_len = 12345678901234},
           "PUT / HTTP/1.1\r\n" DEFAULTS "Content-Length: 12345678901234\r\n\r\n");
    expect(__LINE__, (struct want){.method = "PUT", .body_len = REQUEST_CHUNKED},
           "PUT / HTTP/1.1\r\n" DEFAULTS "Transfer-Encoding: chunked\r\n\r\n");
    expect(__LINE__, (struct want){.method = "POST", .body_len = REQUEST_NO_BODY},
           "POST / HTTP/1.1\r\n" DEFAULTS "Content-Length: 0\r\n\r\n");
    expect(__LINE__, (struct want){.method = "DELETE", .body_len = REQUEST_NO_BODY},
           "DELETE / HTTP/1.1\r\n" DEFAULTS "\r\n");
    expect(__LINE__, (struct want){.method = "GET", .body_len = 3},
           "GET / HTTP/1.1\r\n" DEFAULTS "Content-Length: 3\r\n\r\n");
}

TEST(request_headers_of_the_caller_replace_the_defaults)
{
    HEAD("GET / HTTP/1.1\r\nHost: a\r\nuser-agent: me\r\nACCEPT: text/html\r\n"
         "Accept-Encoding: br\r\nX-A: 1\r\nX-A: 2\r\n\r\n",
         .user_agent = "whorl/1",
         .headers = {{"user-agent", "me"},
                     {"ACCEPT", "text/html"},
                     {"Accept-Encoding", "br"},
                     {"X-A", "1"},
                     {"X-A", "2"}});
    HEAD("GET / HTTP/1.1\r\nHost: b:81\r\nAccept: */*\r\nAccept-Encoding: identity\r\nX-A: "
         "1\r\n\r\n",
         .headers = {{"X-A", "1"}, {"Host", "b:81"}});
    HEAD("GET / HTTP/1.1\r\n" DEFAULTS "Connection: close\r\nRange: bytes=5-\r\n\r\n",
         .headers = {{"Connection", "close"}, {"Range", "bytes=5-"}});
}

TEST(request_empty_values_remove_the_defaults)
{
    HEAD("GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n", .user_agent = "whorl/1",
         .headers = {{"User-Agent", ""}, {"Accept", ""}, {"Accept-Encoding", ""}, {"X", ""}});
    HEAD("GET / HTTP/1.1\r\n" DEFAULTS "\r\n", .url = "http://u:p@a/",
         .headers = {{"Authorization", ""}});
}

TEST(request_userinfo_becomes_basic_authorization)
{
    static const char *const cases[][2] = {
        {"Aladdin:open%20sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}, /* RFC 7617 §2 */
        {"u:p", "dTpw"},
        {"us:p", "dXM6cA=="},
        {"us:pw", "dXM6cHc="},
        {"u", "dTo="},
        {":p", "OnA="},
        {":", "Og=="},
        {"u:", "dTo="},
        {"u:p:q%3ar", "dTpwOnE6cg=="},
        {"test:123%C2%A3", "dGVzdDoxMjPCow=="}, /* RFC 7617 §2.1 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char url[64], expected[256];
        snprintf(url, sizeof url, "http://%s@a/", cases[i][0]);
        snprintf(expected, sizeof expected,
                 "GET / HTTP/1.1\r\n" DEFAULTS "Authorization: Basic %s\r\n\r\n", cases[i][1]);
        HEAD(expected, .url = url);
    }
    HEAD("GET / HTTP/1.1\r\n" DEFAULTS "authorization: Bearer x\r\n\r\n", .url = "http://u:p@a/",
         .headers = {{"authorization", "Bearer x"}});
    expect_error(__LINE__, (struct want){.url = "http://a%3ab:c@a/"}, WHORL_EHTTP_REQUEST_HEADER);
    expect_error(__LINE__, (struct want){.url = "http://a%3ab@a/"}, WHORL_EHTTP_REQUEST_HEADER);
    expect_error(__LINE__, (struct want){.url = "http://a:b%0a@a/"}, WHORL_EHTTP_REQUEST_HEADER);
    expect_error(__LINE__, (struct want){.url = "http://%00:b@a/"}, WHORL_EHTTP_REQUEST_HEADER);
}

TEST(request_leaves_what_may_be_secret_behind_on_another_origin)
{
    HEAD("GET / HTTP/1.1\r\n" DEFAULTS "Range: bytes=0-\r\n\r\n", .other_origin = true,
         .headers = {{"Authorization", "Bearer x"},
                     {"cookie", "a=b"},
                     {"Host", "b"},
                     {"X-Api-Key", "x"},
                     {"Range", "bytes=0-"}});
    HEAD("GET / HTTP/1.1\r\n" DEFAULTS "X-Api-Key: x\r\nCookie: a=b\r\n\r\n", .other_origin = true,
         .trust_redirects = true,
         .headers = {{"X-Api-Key", "x"}, {"Cookie", "a=b"}, {"Host", "b"}});
    /* The credentials in the new URL are for the new origin. */
    HEAD("GET / HTTP/1.1\r\n" DEFAULTS "Authorization: Basic dTpw\r\n\r\n", .url = "http://u:p@a/",
         .other_origin = true, .headers = {{"Authorization", "x"}});
}

TEST(request_leaves_body_headers_behind_when_the_method_changed)
{
    HEAD("GET / HTTP/1.1\r\n" DEFAULTS "X-A: 1\r\nAuthorization: x\r\n\r\n",
         .drop_body_headers = true,
         .headers = {{"Content-Type", "text/plain"},
                     {"content-language", "de"},
                     {"X-A", "1"},
                     {"Expect", "100-continue"},
                     {"Authorization", "x"}});
}

TEST(request_refuses_headers_that_frame_the_message)
{
    BAD_HEADER({"Content-Length", "5"});
    BAD_HEADER({"content-length", "5"});
    BAD_HEADER({"Transfer-Encoding", "chunked"});
    BAD_HEADER({"TE", "trailers"});
    BAD_HEADER({"Upgrade", "h2c"});
    BAD_HEADER({"HTTP2-Settings", "x"});
    BAD_HEADER({"Connection", "upgrade"});
    BAD_HEADER({"Connection", "close, Authorization"});
    BAD_HEADER({"Keep-Alive", "1"});
    BAD_HEADER({"Proxy-Connection", "close"});
    BAD_HEADER({"Host", "a"}, {"host", "b"});
    BAD_HEADER({"Host", ""});
    BAD_HEADER({"Host", "a b"});
    BAD_HEADER({"Host", "a/b"});
    BAD_HEADER({"Host", "u@b"});
}

TEST(request_refuses_injection)
{
    static const char *const values[] = {"a\r\nX: y", "a\n",  "\ra", "a\r\n\r\nGET / HTTP/1.1",
                                         "\x01",      "\x7f", "a\vb"};
    static const char *const names[] = {"",         "a b", "a:",  "a\r\nb",
                                        "\xc3\xa4", "a\t", "(a)", "a\x7f"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        BAD_HEADER({"X", values[i]});
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        BAD_HEADER({names[i], "x"});
    BAD_HEADER({"X", NULL});
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        expect_error(__LINE__, (struct want){.user_agent = values[i]}, WHORL_EHTTP_REQUEST_HEADER);
    HEAD("GET / HTTP/1.1\r\n" DEFAULTS "X: a\tb \xc3\xa4\r\n\r\n",
         .headers = {{"X", "a\tb \xc3\xa4"}});
}

/* The session itself makes these values and checks them. This is the check of the whole head. */
TEST(request_has_no_control_byte_wherever_it_comes_from)
{
    static const char *const values[] = {"a\r\nX: y", "a\n", "a\r", "\x01", "a\x7f"};
    WHORL_AUTO(url) url = {0};

    CHECK_OK(whorl_url_parse("http://a/", NULL, &url));
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const struct request_head heads[] = {
            {.cookies = values[i]},
            {.content_type = values[i]},
            {.authorization = values[i]},
            {.is_forwarded = true, .proxy_authorization = values[i]},
        };
        for (size_t j = 0; j < sizeof heads / sizeof *heads; j++) {
            struct request_head head = heads[j];
            char buf[1000];
            head.url = &url;
            head.body_len = REQUEST_NO_BODY;
            CHECK_EQ(request_head_write(&head, buf, sizeof buf, NULL), WHORL_EHTTP_REQUEST_HEADER);
        }
    }
}

/* Headers that are left out are still checked: a mistake is found on the first request or never. */
TEST(request_checks_headers_it_leaves_out)
{
    expect_error(__LINE__, (struct want){.other_origin = true, .headers = {{"Cookie", "a\n"}}},
                 WHORL_EHTTP_REQUEST_HEADER);
}

TEST(request_refuses_methods_that_are_no_token)
{
    static const char *const methods[] = {"",       "GET ", "G T",      "GET\r\n",
                                          "GET /x", "G:T",  "\xc3\xa4", "CONNECT"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        expect_error(__LINE__, (struct want){.method = methods[i]}, WHORL_EHTTP_METHOD);
    HEAD("M-SEARCH / HTTP/1.1\r\n" DEFAULTS "\r\n", .method = "M-SEARCH");
    HEAD("get / HTTP/1.1\r\n" DEFAULTS "\r\n", .method = "get");
}

TEST(request_errors_do_not_show_values)
{
    char text[4096];
    struct whorl_error error = {0};
    struct want want = {.headers = {{"Authorization", "secret\n"}}, .body_len = REQUEST_NO_BODY};
    CHECK_ERR(write_head(&want, text, &error), WHORL_EHTTP_REQUEST_HEADER);
    CHECK(strstr(error.text, "Authorization"));
    CHECK(!strstr(error.text, "secret"));
}

TEST(request_idempotent_methods_are_those_of_rfc_9110)
{
    CHECK(request_is_idempotent(NULL));
    CHECK(request_is_idempotent("GET"));
    CHECK(request_is_idempotent("HEAD"));
    CHECK(request_is_idempotent("PUT"));
    CHECK(request_is_idempotent("DELETE"));
    CHECK(!request_is_idempotent("POST"));
    CHECK(!request_is_idempotent("PATCH"));
    CHECK(!request_is_idempotent("get"));
}

TEST_MAIN()

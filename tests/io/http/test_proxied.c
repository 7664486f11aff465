/* SPDX-License-Identifier: MIT */
/* Sessions with an HTTP proxy that follows scripts: what it is sent, and what it may not do. */
#include <stdlib.h>
#include <string.h>

#include <whorl/http.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/task.h>
#include <whorl/tls.h>
#include <whorl/url.h>

#include "cancel.h"
#include "fakehttp.h"
#include "faults.h"
#include "memstream.h"
#include "test.h"

static struct whorl_error error;

static struct whorl_http_session *session_of(struct fake *fake, const char *proxy)
{
    return fake_session_with(fake, (struct whorl_http_session_options){.proxy = {.url = proxy}});
}

/* Gets `url` and returns the result; the status goes to `*ret`, or 0. */
static WHORL_SUSPENDS int get(struct whorl_http_session *session,
                              const struct whorl_http_request *request, int *ret)
{
    WHORL_AUTO(http_response) *response = NULL;
    char *body;

    error = (struct whorl_error){0};
    *ret = 0;
    int err = whorl_http_do(session, request, &error, &response);
    if (err)
        return err;
    *ret = whorl_http_response_status(response);
    err = whorl_http_response_read_to_end(response, 1 << 20, &body, NULL);
    if (err == 0)
        free(body);
    return err;
}

static WHORL_SUSPENDS_SHIELDED void check_status(struct whorl_http_session *session,
                                                 const char *url, int expected)
{
    struct whorl_http_request request = {.url = url};
    int status;

    CHECK_OK(get(session, &request, &status));
    CHECK_EQ(status, expected);
}

static WHORL_SUSPENDS_SHIELDED void check_error(struct whorl_http_session *session, const char *url,
                                                int code, const char *text)
{
    struct whorl_http_request request = {.url = url};
    int status;

    CHECK_EQ(get(session, &request, &status), code);
    CHECK_EQ(error.code, code);
    CHECK_STR(error.step, "proxy");
    CHECK_STR(error.text, text);
}

#define REST    "User-Agent: t\r\nAccept: */*\r\nAccept-Encoding: identity\r\n\r\n"
#define OK      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define CONNECT "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\nUser-Agent: t\r\n"
#define ASKS(more)                                                                             \
    "HTTP/1.1 407 Give\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 4\r\n" more \
    "\r\nbody"
#define BASIC "Proxy-Authorization: Basic dTpw\r\n" /* u:p */

/* Forwarding */

TEST_VIRTUAL(an_http_request_is_sent_to_the_proxy_in_the_absolute_form)
{
    static const struct fake_step script[] = {
        {FAKE_EXPECT, "GET http://a.test:81/x?y HTTP/1.1\r\nHost: a.test:81\r\n" REST, 0},
        {FAKE_SEND, OK, 0},
        {FAKE_EXPECT, "GET http://a.test:81/z HTTP/1.1\r\nHost: a.test:81\r\n" REST, 0},
        {FAKE_SEND, OK, 0},
        {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_of(&fake, "http://p.test:3128");

    check_status(session, "http://a.test:81/x?y#z", 200);
    CHECK_STR(fake.last, "p.test:3128");
    check_status(session, "http://a.test:81/z", 200);
    CHECK_EQ(fake.dialled, 1);
}

TEST_VIRTUAL(a_server_in_no_proxy_is_reached_directly)
{
    static const struct fake_step script[] = {
        {FAKE_EXPECT, "GET / HTTP/1.1\r\nHost: a.test\r\n" REST, 0}, {FAKE_SEND, OK, 0}, {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = fake_session_with(
        &fake, (struct whorl_http_session_options){
                   .proxy = {.url = "http://u:p@p.test:3128", .no_proxy = "a.test"}});

    check_status(session, "http://a.test/", 200);
    CHECK_STR(fake.last, "a.test:80");
}

/* A redirect changes from the proxy to a direct connection. */
TEST_VIRTUAL(the_credentials_of_the_proxy_do_not_reach_a_server)
{
    static const struct fake_step asks[] = {
        {FAKE_EXPECT, "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n" REST, 0},
        {FAKE_SEND, ASKS(""), 0},
        {FAKE_EXPECT, "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n" BASIC REST, 0},
        {FAKE_SEND, "HTTP/1.1 302 F\r\nLocation: http://direct.test/\r\nContent-Length: 0\r\n\r\n",
         0},
        {0}};
    static const struct fake_step server[] = {
        {FAKE_EXPECT, "GET / HTTP/1.1\r\nHost: direct.test\r\n" REST, 0}, {FAKE_SEND, OK, 0}, {0}};
    FAKE fake = {.scripts = {asks, server}};
    WHORL_AUTO(http_session) *session = fake_session_with(
        &fake, (struct whorl_http_session_options){
                   .proxy = {.url = "http://u:p@p.test", .no_proxy = "direct.test"}});

    check_status(session, "http://a.test/", 200);
    CHECK_EQ(fake.dialled, 2);
}

/* http and https servers may have different proxies. */
TEST_VIRTUAL(the_credentials_of_one_proxy_do_not_reach_the_other)
{
    static const struct fake_step plain[] = {
        {FAKE_EXPECT, "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n" REST, 0},
        {FAKE_SEND, ASKS(""), 0},
        {FAKE_EXPECT, "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n" BASIC REST, 0},
        {FAKE_SEND, "HTTP/1.1 302 F\r\nLocation: https://a.test/\r\nContent-Length: 0\r\n\r\n", 0},
        {0}};
    static const struct fake_step tls[] = {
        {FAKE_EXPECT, CONNECT "\r\n", 0}, {FAKE_SEND, ASKS(""), 0}, {0}};
    FAKE fake = {.scripts = {plain, tls}};

    setenv("http_proxy", "http://u:p@p.test", 1);
    setenv("https_proxy", "http://q.test", 1);
    WHORL_AUTO(http_session) *session = fake_session_with(
        &fake,
        (struct whorl_http_session_options){.proxy = {.no_proxy = "", .from_environment = true}});
    check_error(session, "http://a.test/", WHORL_EHTTP_PROXY_AUTH,
                "http://q.test:80 for a.test:443: it answered CONNECT with 407 Give (the "
                "proxy asks for a name and a password)");
}

/* The one that has not asked gets nothing, also if the other one has. */
TEST_VIRTUAL(each_proxy_asks_for_its_own_credentials)
{
    static const struct fake_step plain[] = {{.action = FAKE_HEAD},
                                             {FAKE_SEND, ASKS(""), 0},
                                             {FAKE_HEAD, BASIC, 0},
                                             {FAKE_SEND, OK, 0},
                                             {0}};
    static const struct fake_step first[] = {
        {FAKE_EXPECT, CONNECT "\r\n", 0}, {FAKE_SEND, ASKS(""), 0}, {0}};
    static const struct fake_step second[] = {
        {FAKE_EXPECT, CONNECT "Proxy-Authorization: Basic eDp5\r\n\r\n", 0}, /* x:y */
        {FAKE_SEND, "HTTP/1.1 403 No\r\n\r\n", 0},
        {0}};
    FAKE fake = {.scripts = {plain, first, second}};

    setenv("http_proxy", "http://u:p@p.test", 1);
    setenv("https_proxy", "http://x:y@q.test", 1);
    WHORL_AUTO(http_session) *session = fake_session_with(
        &fake,
        (struct whorl_http_session_options){.proxy = {.no_proxy = "", .from_environment = true}});
    check_status(session, "http://a.test/", 200);
    check_error(session, "https://a.test/", WHORL_EHTTP_PROXY_REFUSED,
                "http://q.test:80 for a.test:443: it answered CONNECT with 403 No");
    CHECK_EQ(fake.dialled, 3);
}

TEST_VIRTUAL(once_asked_the_credentials_are_sent_at_once)
{
    static const struct fake_step first[] = {{FAKE_HEAD, "GET http://a.test/1 ", 0},
                                             {FAKE_SEND, ASKS("Connection: close\r\n"), 0},
                                             {.action = FAKE_CLOSE}};
    static const struct fake_step second[] = {
        {FAKE_EXPECT, "GET http://a.test/1 HTTP/1.1\r\nHost: a.test\r\n" BASIC REST, 0},
        {FAKE_SEND, OK, 0},
        {FAKE_EXPECT, "GET http://a.test/2 HTTP/1.1\r\nHost: a.test\r\n" BASIC REST, 0},
        {FAKE_SEND, OK, 0},
        {0}};
    FAKE fake = {.scripts = {first, second}};
    WHORL_AUTO(http_session) *session = session_of(&fake, "http://u:p@p.test");

    check_status(session, "http://a.test/1", 200);
    check_status(session, "http://a.test/2", 200);
}

TEST_VIRTUAL(a_second_407_is_an_error_of_the_proxy)
{
    static const struct fake_step script[] = {{FAKE_HEAD, "GET http://a.test/ ", 0},
                                              {FAKE_SEND, ASKS(""), 0},
                                              {FAKE_HEAD, BASIC, 0},
                                              {FAKE_SEND, ASKS(""), 0},
                                              {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_of(&fake, "http://u:p@p.test");

    check_error(session, "http://a.test/", WHORL_EHTTP_PROXY_AUTH,
                "http://p.test:80 for a.test:80: it answered with 407 Give (the proxy does "
                "not accept the name or the password)");
    CHECK_EQ(fake.dialled, 1);
}

TEST_VIRTUAL(a_407_without_credentials_is_an_error_of_the_proxy)
{
    static const struct fake_step script[] = {
        {FAKE_HEAD, "GET http://a.test/ ", 0}, {FAKE_SEND, ASKS(""), 0}, {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_of(&fake, "http://p.test");

    check_error(session, "http://a.test/", WHORL_EHTTP_PROXY_AUTH,
                "http://p.test:80 for a.test:80: it answered with 407 Give (the proxy asks "
                "for a name and a password)");
    CHECK_EQ(fake.dialled, 1);
}

TEST_VIRTUAL(a_407_for_another_scheme_gets_no_password)
{
    static const struct fake_step script[] = {
        {FAKE_HEAD, "GET http://a.test/ ", 0},
        {FAKE_SEND,
         "HTTP/1.1 407 G\r\nProxy-Authenticate: Basicx realm=Basic, Digest realm=\"a, Basic b\"\r\n"
         "WWW-Authenticate: Basic realm=\"x\"\r\n"
         "Content-Length: 0\r\n\r\n",
         0},
        {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_of(&fake, "http://u:p@p.test");

    check_error(session, "http://a.test/", WHORL_EHTTP_PROXY_AUTH,
                "http://p.test:80 for a.test:80: it answered with 407 G (the proxy asks for "
                "a kind of credentials that is not supported)");
}

/* Digest */

#define DIGEST(algorithm, nonce, more)                                           \
    "Proxy-Authenticate: Digest realm=\"r\", qop=\"auth\", algorithm=" algorithm \
    ", nonce=\"" nonce "\"" more "\r\n"
#define ASKS_DIGEST(headers) "HTTP/1.1 407 Give\r\n" headers "Content-Length: 0\r\n\r\n"
#define ANSWER(uri, algorithm, nonce, nc)                                     \
    "\r\nProxy-Authorization: Digest username=\"u\", realm=\"r\", uri=\"" uri \
    "\", algorithm=" algorithm ", nonce=\"" nonce "\", nc=" nc ", cnonce=\""

TEST_VIRTUAL(digest_is_preferred_to_basic_and_counts_on)
{
    static const struct fake_step script[] = {
        {FAKE_EXPECT, "GET http://a.test/1 HTTP/1.1\r\nHost: a.test\r\n" REST, 0},
        {FAKE_SEND,
         ASKS_DIGEST("Proxy-Authenticate: Basic realm=\"x\"\r\n" DIGEST("MD5", "m", "")
                         DIGEST("SHA-256", "n", "")),
         0},
        {FAKE_HEAD, ANSWER("http://a.test/1", "SHA-256", "n", "00000001"), 0},
        {FAKE_SEND, OK, 0},
        {FAKE_HEAD, ANSWER("http://b.test/2?x", "SHA-256", "n", "00000002"), 0},
        {FAKE_SEND, OK, 0},
        {0}};
    static const struct fake_step other[] = {
        {FAKE_HEAD, ANSWER("http://b.test/2?x", "SHA-256", "n", "00000002"), 0},
        {FAKE_SEND, OK, 0},
        {0}};
    FAKE fake = {.scripts = {script, other}};
    WHORL_AUTO(http_session) *session = session_of(&fake, "http://u:p@p.test");

    check_status(session, "http://a.test/1", 200);
    check_status(session, "http://b.test/2?x", 200);
}

TEST_VIRTUAL(a_stale_nonce_of_a_proxy_is_replaced)
{
    static const struct fake_step script[] = {
        {FAKE_HEAD, "GET http://a.test/1 ", 0},
        {FAKE_SEND, ASKS_DIGEST(DIGEST("MD5", "n", "")), 0},
        {FAKE_HEAD, ANSWER("http://a.test/1", "MD5", "n", "00000001"), 0},
        {FAKE_SEND, ASKS_DIGEST(DIGEST("MD5", "o", ", stale=true")), 0},
        {FAKE_HEAD, ANSWER("http://a.test/1", "MD5", "o", "00000001"), 0},
        {FAKE_SEND, OK, 0},
        {FAKE_HEAD, ANSWER("http://a.test/2", "MD5", "o", "00000002"), 0},
        {FAKE_SEND, ASKS_DIGEST(DIGEST("MD5", "q", "")), 0}, /* without stale=true, but it is old */
        {FAKE_HEAD, ANSWER("http://a.test/2", "MD5", "q", "00000001"), 0},
        {FAKE_SEND, OK, 0},
        {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_of(&fake, "http://u:p@p.test");

    check_status(session, "http://a.test/1", 200);
    check_status(session, "http://a.test/2", 200);
    CHECK_EQ(fake.dialled, 1);
}

TEST_VIRTUAL(a_proxy_that_finds_every_nonce_stale_is_asked_three_times)
{
    static const struct fake_step script[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, ASKS_DIGEST(DIGEST("MD5", "n", ", stale=true")), 0},
        {FAKE_HEAD, "nonce=\"n\"", 0},
        {FAKE_SEND, ASKS_DIGEST(DIGEST("MD5", "o", ", stale=true")), 0},
        {FAKE_HEAD, "nonce=\"o\"", 0},
        {FAKE_SEND, ASKS_DIGEST(DIGEST("MD5", "q", ", stale=true")), 0},
        {0}};
    static const struct fake_step tunnel[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, ASKS_DIGEST(DIGEST("MD5", "n", ", stale=true")), 0},
        {0}};
    FAKE fake = {.scripts = {script}};
    FAKE tunnels = {.scripts = {tunnel}};
    WHORL_AUTO(http_session) *session = session_of(&fake, "http://u:p@p.test");
    WHORL_AUTO(http_session) *other = session_of(&tunnels, "http://u:p@p.test");

    check_error(session, "http://a.test/", WHORL_EHTTP_PROXY_AUTH,
                "http://p.test:80 for a.test:80: it answered with 407 Give (the proxy does "
                "not accept the name or the password)");
    CHECK_EQ(fake.dialled, 1);
    check_error(other, "https://a.test/", WHORL_EHTTP_PROXY_AUTH,
                "http://p.test:80 for a.test:443: it answered CONNECT with 407 Give (the "
                "proxy does not accept the name or the password)");
    CHECK_EQ(tunnels.dialled, 3);
}

TEST_VIRTUAL(digest_of_a_tunnel_is_for_the_host_and_port)
{
    static const struct fake_step first[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, ASKS_DIGEST(DIGEST("SHA-256", "n", ", opaque=\"o\"")), 0},
        {0}};
    static const struct fake_step second[] = {
        {FAKE_HEAD, ANSWER("a.test:443", "SHA-256", "n", "00000001"), 0},
        {FAKE_SEND, ASKS_DIGEST(DIGEST("SHA-256", "q", ", stale=TRUE")), 0},
        {0}};
    static const struct fake_step third[] = {
        {FAKE_HEAD, ANSWER("a.test:443", "SHA-256", "q", "00000001"), 0},
        {FAKE_SEND, "HTTP/1.1 503 Full\r\n\r\n", 0},
        {0}};
    static const struct fake_step fourth[] = {
        {FAKE_HEAD, ANSWER("[::1]:443", "SHA-256", "q", "00000002"), 0},
        {FAKE_SEND, "HTTP/1.1 503 Full\r\n\r\n", 0},
        {0}};
    FAKE fake = {.scripts = {first, second, third, fourth}};
    WHORL_AUTO(http_session) *session = session_of(&fake, "http://u:p@p.test");

    check_error(session, "https://a.test/", WHORL_EHTTP_PROXY_FAILED,
                "http://p.test:80 for a.test:443: it answered CONNECT with 503 Full");
    check_error(session, "https://[::1]/", WHORL_EHTTP_PROXY_FAILED,
                "http://p.test:80 for ::1:443: it answered CONNECT with 503 Full");
    CHECK_EQ(fake.dialled, 4);
}

/* Only a proxy's 407 counts. */
TEST_VIRTUAL(a_server_that_answers_407_gets_no_credentials)
{
    static const struct fake_step script[] = {
        {FAKE_HEAD, "GET / ", 0}, {FAKE_SEND, ASKS(""), 0}, {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session =
        fake_session_with(&fake, (struct whorl_http_session_options){
                                     .proxy = {.url = "http://u:p@p.test", .no_proxy = "*"}});

    check_status(session, "http://a.test/", 407);
}

static WHORL_SUSPENDS ssize_t read_once(void *arg, void *buf, size_t len)
{
    const char **text = arg;
    size_t n = strlen(*text) < len ? strlen(*text) : len;

    memcpy(buf, *text, n);
    *text += n;
    return (ssize_t)n;
}

TEST_VIRTUAL(a_body_that_can_be_sent_only_once_has_the_credentials_at_once)
{
    static const struct fake_step script[] = {
        {FAKE_HEAD, BASIC, 0}, {FAKE_READ, NULL, 5}, {FAKE_SEND, OK, 0}, {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_of(&fake, "http://u:p@p.test");
    const char *text = "hello";
    struct whorl_http_request request = {
        .method = "POST",
        .url = "http://a.test/",
        .body = {.read = read_once, .arg = &text, .len = 5},
    };
    int status;

    CHECK_OK(get(session, &request, &status));
    CHECK_EQ(status, 200);
}

TEST_VIRTUAL(a_body_that_can_be_sent_only_once_is_not_sent_again_after_a_407)
{
    static const struct fake_step script[] = {
        {FAKE_HEAD, BASIC, 0}, {FAKE_READ, NULL, 5}, {FAKE_SEND, ASKS(""), 0}, {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_of(&fake, "http://u:p@p.test");
    const char *text = "hello";
    struct whorl_http_request request = {
        .method = "POST",
        .url = "http://a.test/",
        .body = {.read = read_once, .arg = &text, .len = 5},
    };
    int status;

    CHECK_EQ(get(session, &request, &status), WHORL_EHTTP_PROXY_AUTH);
    CHECK_STR(error.text, "http://p.test:80 for a.test:80: it answered with 407 Give (the "
                          "request body cannot be sent again with credentials)");
    CHECK_EQ(fake.dialled, 1);
}

TEST_VIRTUAL(a_body_in_memory_is_sent_again_after_a_407)
{
    static const struct fake_step script[] = {{FAKE_HEAD, "POST ", 0},
                                              {FAKE_READ, NULL, 5},
                                              {FAKE_SEND, ASKS(""), 0},
                                              {FAKE_HEAD, BASIC, 0},
                                              {FAKE_EXPECT, "hello", 0},
                                              {FAKE_SEND, OK, 0},
                                              {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_of(&fake, "http://u:p@p.test");
    struct whorl_http_request request = {
        .method = "POST",
        .url = "http://a.test/",
        .body = whorl_http_body_from_text("hello"),
    };
    int status;

    CHECK_OK(get(session, &request, &status));
    CHECK_EQ(status, 200);
    CHECK_EQ(fake.dialled, 1);
}

TEST_VIRTUAL(headers_for_a_proxy_are_refused)
{
    static const char *const names[] = {"Proxy-Authorization", "proxy-connection",
                                        "Proxy-Authenticate", "PROXY-x"};
    FAKE fake = {.scripts = {NULL}};
    WHORL_AUTO(http_session) *session = fake_session_with(
        &fake, (struct whorl_http_session_options){.proxy = {.url = "http://p", .no_proxy = "b"}});

    static const struct fake_step script[] = {{0}};
    fake.scripts[0] = script;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct whorl_http_header header = {names[i], "x"};
        struct whorl_http_request request = {
            .url = i % 2 ? "http://a.test/" : "http://b/", .headers = &header, .headers_count = 1};
        int status;
        CHECK_EQ(get(session, &request, &status), WHORL_EHTTP_REQUEST_HEADER);
    }
}

TEST_VIRTUAL(a_proxy_that_cannot_be_reached_is_named_together_with_the_server)
{
    FAKE fake = {.dial_err = -ECONNREFUSED, .dial_text = "p.test:3128: connection refused"};
    WHORL_AUTO(http_session) *session = session_of(&fake, "http://me:secret@p.test:3128");

    check_error(session, "http://a.test/", -ECONNREFUSED,
                "http://p.test:3128 for a.test:80: p.test:3128: connection refused");
}

TEST_VIRTUAL(a_bad_setting_makes_no_session)
{
    struct whorl_http_session_options options = {.proxy = {.url = "ftp://p"}};
    struct whorl_http_session *session;

    CHECK_EQ(whorl_http_session_create(&options, &session), WHORL_EHTTP_PROXY_SETTING);
    options.proxy = (struct whorl_http_proxy){.no_proxy = "a:b:c"};
    CHECK_EQ(whorl_http_session_create(&options, &session), WHORL_EHTTP_PROXY_SETTING);
}

/* CONNECT */

/* The error of an https request whose proxy answers CONNECT with this. */
static WHORL_SUSPENDS_SHIELDED void check_connect(const char *answer, int code, const char *text)
{
    const struct fake_step script[] = {
        {FAKE_EXPECT, CONNECT "\r\n", 0}, {FAKE_SEND, answer, 0}, {.action = FAKE_CLOSE}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_of(&fake, "http://p.test:3128");
    char whole[300];

    snprintf(whole, sizeof whole, "http://p.test:3128 for a.test:443: %s", text);
    check_error(session, "https://a.test/", code, whole);
    CHECK_EQ(fake.dialled, 1);
}

TEST_VIRTUAL(a_refused_tunnel_is_an_error_with_its_status)
{
    check_connect("HTTP/1.1 403 No\x1b[31m\r\nContent-Length: 2\r\n\r\nhi",
                  WHORL_EHTTP_PROXY_PROTOCOL, "control byte in line 1 of the headers");
    check_connect("HTTP/1.1 403 Not you\r\nContent-Length: 2\r\n\r\nhi", WHORL_EHTTP_PROXY_REFUSED,
                  "it answered CONNECT with 403 Not you");
    check_connect("HTTP/1.1 502 Bad Gateway\r\n\r\n", WHORL_EHTTP_PROXY_FAILED,
                  "it answered CONNECT with 502 Bad Gateway");
    check_connect("HTTP/1.0 407 Give\r\n\r\n", WHORL_EHTTP_PROXY_AUTH,
                  "it answered CONNECT with 407 Give (the proxy asks for a name and a password)");
}

TEST_VIRTUAL(a_proxys_redirect_is_not_followed)
{
    check_connect("HTTP/1.1 302 Found\r\nLocation: https://evil.test/\r\n\r\n",
                  WHORL_EHTTP_PROXY_REFUSED,
                  "it answered CONNECT with 302 Found (a proxy's redirect is not followed)");
}

TEST_VIRTUAL(a_body_of_a_tunnel_is_refused)
{
    check_connect("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", WHORL_EHTTP_PROXY_PROTOCOL,
                  "the proxy sent bytes behind its answer, before the server got any");
    check_connect("HTTP/1.1 200 OK\r\n\r\nx", WHORL_EHTTP_PROXY_PROTOCOL,
                  "the proxy sent bytes behind its answer, before the server got any");
}

TEST_VIRTUAL(a_proxy_that_closes_or_breaks_the_protocol_is_an_error)
{
    check_connect("HTTP/1.1 2", WHORL_EHTTP_PROXY_FAILED,
                  "the proxy closed the connection within its answer");
    check_connect("HTTP/1.1 200 OK\r\n", WHORL_EHTTP_PROXY_FAILED,
                  "the proxy closed the connection within its answer");
    check_connect("SSH-2.0-x\r\n", WHORL_EHTTP_PROXY_PROTOCOL,
                  "not an HTTP/1 status line: \"SSH-2.0-x\"");
}

TEST_VIRTUAL(a_proxy_that_closes_without_an_answer_is_an_error)
{
    static const struct fake_step script[] = {{.action = FAKE_HEAD}, {.action = FAKE_CLOSE}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_of(&fake, "http://p.test");

    check_error(session, "https://a.test/", WHORL_EHTTP_PROXY_FAILED,
                "http://p.test:80 for a.test:443: the proxy closed the connection without an "
                "answer");
}

TEST_VIRTUAL(a_huge_head_of_a_proxy_is_refused)
{
    static const struct fake_step script[] = {{.action = FAKE_HEAD},
                                              {FAKE_SEND, "HTTP/1.1 200 OK\r\nX: ", 0},
                                              {.action = FAKE_BODY, .n = 100000},
                                              {FAKE_SEND, "\r\n\r\n", 0},
                                              {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session =
        fake_session_with(&fake, (struct whorl_http_session_options){
                                     .head_bytes_max = 5000, .proxy = {.url = "http://p.test"}});

    check_error(session, "https://a.test/", WHORL_EHTTP_PROXY_PROTOCOL,
                "http://p.test:80 for a.test:443: headers take more than 5000 bytes");
}

TEST_VIRTUAL(informational_heads_of_a_proxy_are_skipped_up_to_a_limit)
{
    char many[2000] = "";

    check_connect("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 403 No\r\n\r\n",
                  WHORL_EHTTP_PROXY_REFUSED, "it answered CONNECT with 403 No");
    for (int i = 0; i < 17; i++)
        strcat(many, "HTTP/1.1 102 P\r\n\r\n");
    check_connect(many, WHORL_EHTTP_PROXY_PROTOCOL, "more than 16 informational responses");
}

TEST_VIRTUAL(the_connect_limit_ends_a_proxy_that_drips)
{
    static const struct fake_step script[] = {{.action = FAKE_HEAD},
                                              {FAKE_SEND, "HTTP/1.1 102 P\r\n\r\n", 0},
                                              {.action = FAKE_SLEEP, .n = 700 * WHORL_MILLISECOND},
                                              {FAKE_SEND, "HTTP/1.1 102 P\r\n\r\n", 0},
                                              {.action = FAKE_SLEEP, .n = 700 * WHORL_MILLISECOND},
                                              {FAKE_SEND, "HTTP/1.1 403 N\r\n\r\n", 0},
                                              {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = fake_session_with(
        &fake, (struct whorl_http_session_options){.proxy = {.url = "http://u:secret@p.test"},
                                                   .timeouts = {.connect_ns = WHORL_SECOND}});
    int64_t start_ns = whorl_now();

    check_error(session, "https://a.test/", WHORL_EHTTP_CONNECT_TIMEOUT,
                "http://p.test:80 for a.test:443: not connected within 1 s (connect limit)");
    CHECK_EQ(whorl_now() - start_ns, WHORL_SECOND);
}

TEST_VIRTUAL(a_tunnel_is_asked_for_again_once_with_credentials)
{
    static const struct fake_step first[] = {
        {FAKE_EXPECT, CONNECT "\r\n", 0}, {FAKE_SEND, ASKS(""), 0}, {0}};
    static const struct fake_step second[] = {
        {FAKE_EXPECT, CONNECT BASIC "\r\n", 0}, {FAKE_SEND, ASKS(""), 0}, {0}};
    FAKE fake = {.scripts = {first, second}};
    WHORL_AUTO(http_session) *session = session_of(&fake, "http://u:p@p.test");

    check_error(session, "https://a.test/", WHORL_EHTTP_PROXY_AUTH,
                "http://p.test:80 for a.test:443: it answered CONNECT with 407 Give (the "
                "proxy does not accept the name or the password)");
    CHECK_EQ(fake.dialled, 2);
}

TEST_VIRTUAL(a_user_agent_cannot_add_lines_to_connect)
{
    static const struct fake_step script[] = {{FAKE_READ, NULL, 1}, {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session =
        fake_session_with(&fake, (struct whorl_http_session_options){
                                     .user_agent = "t\r\nX: y", .proxy = {.url = "http://p.test"}});

    check_error(session, "https://a.test/", WHORL_EHTTP_REQUEST_HEADER,
                "http://p.test:80 for a.test:443: not a valid request header");
}

/* Shortage and cancellation at every point */

static const struct fake_step asking_proxy[] = {
    {FAKE_HEAD, NULL, 0}, {FAKE_SEND, ASKS(""), 0}, {0}};
static const struct fake_step refusing_proxy[] = {
    {FAKE_HEAD, NULL, 0}, {FAKE_SEND, "HTTP/1.1 403 No\r\n\r\n", 0}, {0}};

/* A tunnel that is refused after the credentials: 0; or the code of another failure. */
static WHORL_SUSPENDS int ask_for_tunnel(struct fake *fake)
{
    struct whorl_http_session_options options = {.dialer = fake_dialer(fake),
                                                 .proxy = {.url = "http://u:p@p.test"}};
    WHORL_AUTO(http_session) *session = NULL;
    struct whorl_http_request request = {.url = "https://a.test/"};
    int status;

    int err = whorl_http_session_create(&options, &session);
    if (err == 0)
        err = get(session, &request, &status);
    return err == WHORL_EHTTP_PROXY_REFUSED ? 0 : err;
}

static int cancelled_tunnel(void *arg)
{
    FAKE fake = {.scripts = {asking_proxy, refusing_proxy}, .chunk = 20, .dial_ns = 1};

    (void)arg;
    return ask_for_tunnel(&fake);
}

static void no_streams(void)
{
    CHECK_EQ(memstream_alive(), 0);
}

TEST_VIRTUAL(a_tunnel_can_be_cancelled_at_any_point)
{
    int cancelled =
        cancel_everywhere(&(struct cancel_plan){.victim = cancelled_tunnel, .end = no_streams});

    CHECK(cancelled >= 6); /* two connections: dial, send, and wait for the answer */
}

static int tunnel_once(void *arg)
{
    (void)arg;
    FAKE fake = {.scripts = {asking_proxy, refusing_proxy}};
    return ask_for_tunnel(&fake);
}

static int tunnel_in_run(void *arg)
{
    return whorl_run_virtual(NULL, tunnel_once, arg);
}

TEST(a_tunnel_survives_every_failed_allocation)
{
    CHECK(faults_sweep(tunnel_in_run, NULL) > 10);
}

TEST_MAIN()

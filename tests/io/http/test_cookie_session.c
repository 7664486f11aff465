/* SPDX-License-Identifier: MIT */
/* Cookies of a session: what each hop sends and stores. The jar is tested in test_cookies.c. */
#include <stdlib.h>

#include <whorl/http.h>
#include <whorl/http_cookies.h>
#include <whorl/url.h>

#include "fakehttp.h"
#include "test.h"

#define COMMON   "User-Agent: t\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
#define OK       "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
#define REDIRECT "HTTP/1.1 302 F\r\nContent-Length: 0\r\nLocation: "

/* A fake server behind a session that has a jar. */
struct setting {
    struct whorl_http_cookies *cookies;
    struct whorl_http_session *session;
};

static struct setting setting_of(struct fake *fake)
{
    struct setting s = {0};
    CHECK_OK(whorl_http_cookies_create(&s.cookies));
    struct whorl_http_session_options options = {.user_agent = "t",
                                                 .cookies = s.cookies,
                                                 .dialer = fake_dialer(fake),
                                                 .version = fake_version()};
    CHECK_OK(whorl_http_session_create(&options, &s.session));
    return s;
}

static void setting_finish(struct setting *s)
{
    whorl_http_cookies_release(s->cookies); /* the session still holds it */
    whorl_http_session_destroy(s->session);
}

#define SETTING(name, fake) \
    __attribute__((cleanup(setting_finish))) struct setting name = setting_of(fake)

static WHORL_SUSPENDS int fetch(struct setting *s, struct whorl_http_request request)
{
    WHORL_AUTO(http_response) *response = NULL;
    if (!request.url)
        request.url = "http://a.test/";
    return whorl_http_do(s->session, &request, NULL, &response);
}

/* All cookies of the jar: "name@domain name@domain". */
static const char *stored(struct setting *s)
{
    static char text[512];
    struct whorl_http_cookie c;
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; whorl_http_cookies_at(s->cookies, i, &c); i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s=%s@%s", i ? " " : "", c.name,
                                c.value, c.domain);
    return text;
}

TEST_VIRTUAL(cookies_of_redirects_and_errors_are_stored_and_sent_per_hop)
{
    static const struct fake_step first[] = {
        {FAKE_EXPECT, "GET / HTTP/1.1\r\nHost: a.test\r\n" COMMON "\r\n", 0},
        {FAKE_SEND,
         "HTTP/1.1 103 Early\r\nSet-Cookie: early=1\r\n\r\n" REDIRECT
         "/b\r\nSet-Cookie: r=1\r\nset-cookie: deep=1; Path=/b\r\n\r\n",
         0},
        {FAKE_EXPECT, "GET /b HTTP/1.1\r\nHost: a.test\r\n" COMMON "Cookie: deep=1; r=1\r\n\r\n",
         0},
        {FAKE_SEND, REDIRECT "http://b.test/\r\nSet-Cookie: bad=1; Domain=b.test\r\n\r\n", 0},
        {FAKE_EXPECT, "GET / HTTP/1.1\r\nHost: a.test\r\n" COMMON "Cookie: r=1\r\n\r\n", 0},
        {FAKE_SEND, "HTTP/1.1 401 No\r\nContent-Length: 0\r\nSet-Cookie: e=1\r\n\r\n", 0},
        {0}};
    static const struct fake_step second[] = {
        {FAKE_EXPECT, "GET / HTTP/1.1\r\nHost: b.test\r\n" COMMON "\r\n", 0},
        {FAKE_SEND, REDIRECT "http://a.test/\r\nSet-Cookie: b=1\r\n\r\n", 0},
        {0}};
    FAKE fake = {.scripts = {first, second}};
    SETTING(s, &fake);
    CHECK_OK(fetch(&s, (struct whorl_http_request){0}));
    CHECK_STR(stored(&s), "r=1@a.test deep=1@a.test b=1@b.test e=1@a.test");
}

TEST_VIRTUAL(cookies_do_not_go_from_https_to_http)
{
    static const struct fake_step script[] = {
        {FAKE_EXPECT, "GET / HTTP/1.1\r\nHost: a.test\r\n" COMMON "Cookie: p=1\r\n\r\n", 0},
        {FAKE_SEND, OK "Set-Cookie: s=2\r\nSet-Cookie: x=1; Secure\r\n\r\n", 0},
        {0}};
    FAKE fake = {.scripts = {script}};
    SETTING(s, &fake);
    WHORL_AUTO(url) url = {0};
    CHECK_OK(whorl_url_parse("https://a.test/", NULL, &url));
    CHECK_OK(whorl_http_cookies_set(s.cookies, &url, "s=1; Secure", NULL));
    CHECK_OK(whorl_http_cookies_set(s.cookies, &url, "p=1", NULL));
    CHECK_OK(fetch(&s, (struct whorl_http_request){0}));
    CHECK_STR(stored(&s), "s=1@a.test p=1@a.test");
}

TEST_VIRTUAL(a_cookie_header_of_the_caller_replaces_the_jars_at_its_origin_only)
{
    static const struct whorl_http_header header = {"Cookie", "own=1"};
    static const struct fake_step first[] = {
        {FAKE_EXPECT, "GET / HTTP/1.1\r\nHost: a.test\r\n" COMMON "Cookie: own=1\r\n\r\n", 0},
        {FAKE_SEND, REDIRECT "http://a.test:81/\r\nSet-Cookie: jar=2\r\n\r\n", 0},
        {0}};
    static const struct fake_step second[] = {
        {FAKE_EXPECT, "GET / HTTP/1.1\r\nHost: a.test:81\r\n" COMMON "Cookie: jar=2\r\n\r\n", 0},
        {FAKE_SEND, OK "\r\n", 0},
        {0}};
    FAKE fake = {.scripts = {first, second}};
    SETTING(s, &fake);
    WHORL_AUTO(url) url = {0};
    CHECK_OK(whorl_url_parse("http://a.test/", NULL, &url));
    CHECK_OK(whorl_http_cookies_set(s.cookies, &url, "jar=1", NULL));
    CHECK_OK(fetch(&s, (struct whorl_http_request){.headers = &header, .headers_count = 1}));
}

TEST_VIRTUAL(a_request_without_cookies_neither_sends_nor_stores_them)
{
    static const struct whorl_http_header none = {"Cookie", ""};
    static const struct fake_step script[] = {
        {FAKE_EXPECT, "GET / HTTP/1.1\r\nHost: a.test\r\n" COMMON "\r\n", 0},
        {FAKE_SEND, OK "Set-Cookie: x=1\r\n\r\n", 0},
        {FAKE_EXPECT, "GET / HTTP/1.1\r\nHost: a.test\r\n" COMMON "\r\n", 0},
        {FAKE_SEND, OK "Set-Cookie: y=1\r\n\r\n", 0},
        {0}};
    FAKE fake = {.scripts = {script}};
    SETTING(s, &fake);
    WHORL_AUTO(url) url = {0};
    CHECK_OK(whorl_url_parse("http://a.test/", NULL, &url));
    CHECK_OK(whorl_http_cookies_set(s.cookies, &url, "jar=1", NULL));
    CHECK_OK(fetch(&s, (struct whorl_http_request){.no_cookies = true}));
    CHECK_STR(stored(&s), "jar=1@a.test");
    /* An empty header removes the client's own, as with others. */
    CHECK_OK(fetch(&s, (struct whorl_http_request){.headers = &none, .headers_count = 1}));
    CHECK_STR(stored(&s), "jar=1@a.test y=1@a.test");
}

TEST_VIRTUAL(control_bytes_reach_neither_the_jar_nor_a_request)
{
    static const struct fake_step script[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, OK "Set-Cookie: a=1\tb\r\nSet-Cookie: ok=1\r\n\r\n", 0},
        {FAKE_EXPECT, "GET / HTTP/1.1\r\nHost: a.test\r\n" COMMON "Cookie: ok=1\r\n\r\n", 0},
        {FAKE_SEND, OK "\r\n", 0},
        {0}};
    FAKE fake = {.scripts = {script}};
    SETTING(s, &fake);
    WHORL_AUTO(url) url = {0};
    CHECK_OK(fetch(&s, (struct whorl_http_request){0}));
    CHECK_OK(whorl_url_parse("http://a.test/", NULL, &url));
    CHECK_ERR(whorl_http_cookies_set(s.cookies, &url, "x=1\r\nInjected: 1", NULL),
              WHORL_EHTTP_COOKIE);
    CHECK_OK(fetch(&s, (struct whorl_http_request){0}));
}

TEST_MAIN()

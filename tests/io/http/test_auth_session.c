/* SPDX-License-Identifier: MIT */
/* Credentials in sessions: when they are sent, and to whom they are not. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/http.h>
#include <whorl/http_auth.h>

#include "fakehttp.h"
#include "io/http/auth.h"
#include "test.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define ASK(challenge)                                                                 \
    "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: " challenge "\r\nContent-Length: " \
    "4\r\n\r\nnope"
#define ASK_BASIC     ASK("Basic realm=\"r\"")
#define DIGEST(nonce) "Digest realm=\"r\", nonce=\"" nonce "\", qop=\"auth\", opaque=\"o\""
#define BASIC         "Authorization: Basic dTpw\r\n" /* u:p */
#define ANSWER(nonce, nc)                                                                         \
    "Authorization: Digest username=\"u\", realm=\"r\", uri=\"/\", algorithm=MD5, nonce=\"" nonce \
    "\", nc=" nc ", "

/* A whole head, so nothing else is in it. */
#define HEAD(host, authorization)                                          \
    "GET / HTTP/1.1\r\nHost: " host "\r\nUser-Agent: t\r\nAccept: */*\r\n" \
    "Accept-Encoding: identity\r\n" authorization "\r\n"

static struct whorl_error error;

static const struct whorl_http_credentials at_a = {
    .origin = "http://a.test", .user = "u", .password = "p"};

static struct whorl_http_session *session_with(struct fake *fake,
                                               const struct whorl_http_credentials *credentials,
                                               const struct whorl_http_netrc *netrc)
{
    return fake_session_with(fake, (struct whorl_http_session_options){
                                       .credentials = credentials,
                                       .credentials_count = credentials != NULL,
                                       .netrc = netrc,
                                   });
}

/* The status or an error. The body is read. */
static WHORL_SUSPENDS int fetch(struct whorl_http_session *session,
                                struct whorl_http_request request)
{
    WHORL_AUTO(http_response) *response = NULL;
    char *body = NULL;

    error = (struct whorl_error){0};
    if (!request.url)
        request.url = "http://a.test/";
    int err = whorl_http_do(session, &request, &error, &response);
    if (err)
        return err;
    CHECK_OK(whorl_http_response_read_to_end(response, 1000, &body, NULL));
    free(body);
    return whorl_http_response_status(response);
}

#define GET ((struct whorl_http_request){0})

TEST_VIRTUAL(basic_is_sent_once_the_server_asks_and_then_at_once)
{
    static const struct fake_step script[] = {{FAKE_EXPECT, HEAD("a.test", ""), 0},
                                              {FAKE_SEND, ASK_BASIC, 0},
                                              {FAKE_EXPECT, HEAD("a.test", BASIC), 0},
                                              {FAKE_SEND, OK, 0},
                                              {FAKE_EXPECT, HEAD("a.test", BASIC), 0},
                                              {FAKE_SEND, OK, 0},
                                              {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_with(&fake, &at_a, NULL);
    CHECK_EQ(fetch(session, GET), 200);
    CHECK_EQ(fetch(session, GET), 200);
    CHECK_EQ(fake.dialled, 1); /* the body of the 401 was read */
}

TEST_VIRTUAL(the_body_of_a_401_is_waited_for_but_not_a_long_one)
{
    static const struct fake_step slow[] = {{.action = FAKE_HEAD},
                                            {FAKE_SEND, ASK_BASIC, (int64_t)sizeof ASK_BASIC - 3},
                                            {.action = FAKE_SLEEP, .n = WHORL_SECOND},
                                            {FAKE_SEND, "pe", 0},
                                            {FAKE_HEAD, BASIC, 0},
                                            {FAKE_SEND, OK, 0},
                                            {0}};
    static const struct fake_step endless[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND,
         "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"r\"\r\nContent-Length: 65537\r\n\r\n",
         0},
        {0}};
    static const struct fake_step next[] = {{FAKE_HEAD, BASIC, 0}, {FAKE_SEND, OK, 0}, {0}};
    FAKE fake = {.scripts = {slow}};
    FAKE fake2 = {.scripts = {endless, next}};
    WHORL_AUTO(http_session) *session = session_with(&fake, &at_a, NULL);
    WHORL_AUTO(http_session) *session2 = session_with(&fake2, &at_a, NULL);
    CHECK_EQ(fetch(session, GET), 200);
    CHECK_EQ(fake.dialled, 1);
    CHECK_EQ(fetch(session2, GET), 200);
    CHECK_EQ(fake2.played, 2);
    CHECK_EQ(fake2.dialled, fake_is_http2() ? 1 : 2);
}

TEST_VIRTUAL(a_second_401_is_returned_and_nothing_is_remembered)
{
    static const struct fake_step script[] = {{FAKE_EXPECT, HEAD("a.test", ""), 0},
                                              {FAKE_SEND, ASK_BASIC, 0},
                                              {FAKE_EXPECT, HEAD("a.test", BASIC), 0},
                                              {FAKE_SEND, ASK_BASIC, 0},
                                              {FAKE_EXPECT, HEAD("a.test", ""), 0},
                                              {FAKE_SEND, OK, 0},
                                              {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_with(&fake, &at_a, NULL);
    CHECK_EQ(fetch(session, GET), 401);
    CHECK_EQ(fetch(session, GET), 200);
}

TEST_VIRTUAL(preemptive_credentials_are_sent_at_once_and_never_twice)
{
    static const struct fake_step script[] = {
        {FAKE_EXPECT, HEAD("a.test", BASIC), 0},
        {FAKE_SEND, ASK_BASIC, 0},
        {FAKE_EXPECT, HEAD("a.test", "Authorization: Bearer tok\r\n"), 0},
        {FAKE_SEND, ASK("Bearer"), 0},
        {0}};
    struct whorl_http_credentials basic = {.user = "u", .password = "p", .preemptive = true};
    struct whorl_http_credentials bearer = {
        .scheme = WHORL_HTTP_AUTH_BEARER, .token = "tok", .preemptive = true};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_with(&fake, NULL, NULL);
    CHECK_EQ(fetch(session, (struct whorl_http_request){.credentials = &basic}), 401);
    CHECK_EQ(fetch(session, (struct whorl_http_request){.credentials = &bearer}), 401);
}

TEST_VIRTUAL(digest_counts_on_with_the_nonce_of_an_earlier_request)
{
    static const struct fake_step script[] = {{FAKE_EXPECT, HEAD("a.test", ""), 0},
                                              {FAKE_SEND, ASK(DIGEST("n1")), 0},
                                              {FAKE_HEAD, ANSWER("n1", "00000001"), 0},
                                              {FAKE_SEND, OK, 0},
                                              {FAKE_HEAD, ANSWER("n1", "00000002"), 0},
                                              {FAKE_SEND, OK, 0},
                                              {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_with(&fake, &at_a, NULL);
    CHECK_EQ(fetch(session, GET), 200);
    CHECK_EQ(fetch(session, GET), 200);
}

TEST_VIRTUAL(a_stale_nonce_is_answered_once_more_only)
{
    static const struct fake_step script[] = {{.action = FAKE_HEAD},
                                              {FAKE_SEND, ASK(DIGEST("n1")), 0},
                                              {FAKE_HEAD, ANSWER("n1", "00000001"), 0},
                                              {FAKE_SEND, ASK(DIGEST("n2") ", stale=true"), 0},
                                              {FAKE_HEAD, ANSWER("n2", "00000001"), 0},
                                              {FAKE_SEND, ASK(DIGEST("n3") ", stale=TRUE"), 0},
                                              {FAKE_EXPECT, HEAD("a.test", ""), 0},
                                              {FAKE_SEND, OK, 0},
                                              {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_with(&fake, &at_a, NULL);
    CHECK_EQ(fetch(session, GET), 401);
    CHECK_EQ(fetch(session, GET), 200);
}

TEST_VIRTUAL(an_old_nonce_may_be_refused_without_stale)
{
    static const struct fake_step script[] = {{.action = FAKE_HEAD},
                                              {FAKE_SEND, ASK(DIGEST("n1")), 0},
                                              {FAKE_HEAD, ANSWER("n1", "00000001"), 0},
                                              {FAKE_SEND, OK, 0},
                                              {FAKE_HEAD, ANSWER("n1", "00000002"), 0},
                                              {FAKE_SEND, ASK(DIGEST("n2")), 0},
                                              {FAKE_HEAD, ANSWER("n2", "00000001"), 0},
                                              {FAKE_SEND, ASK(DIGEST("n3")), 0},
                                              {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_with(&fake, &at_a, NULL);
    CHECK_EQ(fetch(session, GET), 200);
    CHECK_EQ(fetch(session, GET), 401);
}

TEST_VIRTUAL(a_url_with_a_name_answers_digest_too)
{
    static const struct fake_step script[] = {{FAKE_EXPECT, HEAD("a.test", BASIC), 0},
                                              {FAKE_SEND, ASK(DIGEST("n1")), 0},
                                              {FAKE_HEAD, ANSWER("n1", "00000001"), 0},
                                              {FAKE_SEND, OK, 0},
                                              {FAKE_EXPECT, HEAD("a.test", ""), 0},
                                              {FAKE_SEND, OK, 0},
                                              {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_with(&fake, NULL, NULL);
    CHECK_EQ(fetch(session, (struct whorl_http_request){.url = "http://u:%70@a.test/"}), 200);
    CHECK_EQ(fetch(session, GET), 200);
}

TEST_VIRTUAL(an_authorization_header_of_the_caller_is_sent_alone)
{
    struct whorl_http_header own = {"authorization", "Own x"};
    static const struct fake_step script[] = {
        {FAKE_EXPECT, HEAD("a.test", "authorization: Own x\r\n"), 0},
        {FAKE_SEND, ASK_BASIC, 0},
        {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_with(&fake, &at_a, NULL);
    CHECK_EQ(fetch(session, (struct whorl_http_request){.headers = &own, .headers_count = 1}), 401);
}

/* --- other origins --- */

#define MOVED(url) "HTTP/1.1 302 Found\r\nLocation: " url "\r\nContent-Length: 0\r\n\r\n"

/* A server that redirects to `url`, where another one asks for credentials and gets none. */
static WHORL_SUSPENDS_SHIELDED void check_not_sent(const char *location, const char *host,
                                                   const struct whorl_http_credentials *of_session,
                                                   const struct whorl_http_credentials *of_request)
{
    char head[300], moved[200];
    snprintf(head, sizeof head,
             "GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: t\r\nAccept: */*\r\n"
             "Accept-Encoding: identity\r\n\r\n",
             host);
    snprintf(moved, sizeof moved, MOVED("%s"), location);
    struct fake_step first[] = {{.action = FAKE_HEAD}, {FAKE_SEND, moved, 0}, {0}};
    struct fake_step other[] = {{FAKE_EXPECT, head, 0}, {FAKE_SEND, ASK_BASIC, 0}, {0}};
    FAKE fake = {.scripts = {first, other}};
    WHORL_AUTO(http_session) *session = session_with(&fake, of_session, NULL);
    CHECK_EQ(fetch(session, (struct whorl_http_request){.credentials = of_request}), 401);
    CHECK_EQ(fake.dialled, 2);
}

TEST_VIRTUAL(credentials_of_a_session_are_not_sent_to_another_host_or_port)
{
    struct whorl_http_credentials at_once = at_a;
    at_once.preemptive = true;
    check_not_sent("http://b.test/", "b.test", &at_once, NULL);
    check_not_sent("http://a.test:81/", "a.test:81", &at_once, NULL);
    check_not_sent("http://b.test/", "b.test", &at_a, NULL);
}

TEST_VIRTUAL(credentials_of_a_request_are_not_sent_to_another_host_or_port)
{
    struct whorl_http_credentials own = {.user = "u", .password = "p"};
    check_not_sent("http://b.test/", "b.test", NULL, &own);
    own.preemptive = true;
    check_not_sent("http://b.test/", "b.test", NULL, &own);
    check_not_sent("http://a.test:81/", "a.test:81", NULL, &own);
}

TEST_VIRTUAL(credentials_for_https_are_not_sent_over_http)
{
    static const struct fake_step script[] = {
        {FAKE_EXPECT, HEAD("a.test", ""), 0}, {FAKE_SEND, ASK_BASIC, 0}, {0}};
    struct whorl_http_credentials https = {
        .origin = "https://a.test:80", .user = "u", .password = "p", .preemptive = true};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_with(&fake, &https, NULL);
    CHECK_EQ(fetch(session, GET), 401);
}

/* What was learnt from a challenge belongs to its origin, even if others have the same name and
 * password. */
TEST(an_answer_is_not_sent_to_another_origin_with_the_same_credentials)
{
    static const char *const origins[] = {"http://a.test", "http://b.test", "http://a.test:443",
                                          "https://a.test"};
    struct whorl_http_credentials credentials[4];
    struct whorl_http_session_options options = {.credentials = credentials,
                                                 .credentials_count = 4};
    struct whorl_http_request request = {0};
    struct whorl_url urls[4] = {0};
    struct header_list headers = {0};
    struct http_auth auth = {0};

    for (int i = 0; i < 4; i++) {
        credentials[i] = at_a;
        credentials[i].origin = origins[i];
        CHECK_OK(whorl_url_parse(origins[i], NULL, &urls[i]));
    }
    CHECK_OK(http_auth_init(&auth, &options));
    CHECK_OK(header_list_append(&headers, "WWW-Authenticate", "Basic realm=\"r\""));
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++) { /* those before `i` have asked */
            struct http_outgoing out = {.request = &request, .url = &urls[j], .method = "GET"};
            struct http_auth_run run = {0};
            CHECK_OK(http_auth_write(&auth, &run, &out, NULL));
            CHECK_STR(out.authorization, j < i ? "Basic dTpw" : "");
            http_auth_run_finish(&run);
        }
        struct http_outgoing out = {.request = &request, .url = &urls[i], .method = "GET"};
        struct http_auth_run run = {0};
        CHECK_EQ(http_auth_challenged(&auth, &run, &out, &headers), 1);
        http_auth_run_finish(&run);
    }
    for (int i = 0; i < 4; i++)
        whorl_url_finish(&urls[i]);
    header_list_finish(&headers);
    http_auth_finish(&auth);
}

TEST_VIRTUAL(credentials_of_the_other_origin_are_sent_to_it_after_a_redirect)
{
    static const struct fake_step first[] = {
        {FAKE_EXPECT, HEAD("b.test", ""), 0}, {FAKE_SEND, MOVED("http://a.test/"), 0}, {0}};
    static const struct fake_step second[] = {{FAKE_EXPECT, HEAD("a.test", ""), 0},
                                              {FAKE_SEND, ASK_BASIC, 0},
                                              {FAKE_EXPECT, HEAD("a.test", BASIC), 0},
                                              {FAKE_SEND, OK, 0},
                                              {0}};
    FAKE fake = {.scripts = {first, second}};
    WHORL_AUTO(http_session) *session = session_with(&fake, &at_a, NULL);
    CHECK_EQ(fetch(session, (struct whorl_http_request){.url = "http://b.test/"}), 200);
}

TEST_VIRTUAL(the_credentials_of_a_url_are_not_sent_to_another_host)
{
    static const struct fake_step first[] = {
        {FAKE_EXPECT, HEAD("a.test", BASIC), 0}, {FAKE_SEND, MOVED("http://b.test/"), 0}, {0}};
    static const struct fake_step second[] = {
        {FAKE_EXPECT, HEAD("b.test", ""), 0}, {FAKE_SEND, ASK_BASIC, 0}, {0}};
    FAKE fake = {.scripts = {first, second}};
    WHORL_AUTO(http_session) *session = session_with(&fake, NULL, NULL);
    CHECK_EQ(fetch(session, (struct whorl_http_request){.url = "http://u:p@a.test/"}), 401);
}

static struct whorl_http_netrc *netrc_of(const char *text)
{
    char path[200];
    struct whorl_http_netrc *netrc = NULL;

    snprintf(path, sizeof path, "%s/netrc", test_tmpdir());
    FILE *f = fopen(path, "w");
    CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
    CHECK_OK(whorl_http_netrc_load(path, NULL, &netrc));
    return netrc;
}

TEST_VIRTUAL(netrc_answers_for_its_host)
{
    static const struct fake_step script[] = {{FAKE_EXPECT, HEAD("a.test", ""), 0},
                                              {FAKE_SEND, ASK_BASIC, 0},
                                              {FAKE_EXPECT, HEAD("a.test", BASIC), 0},
                                              {FAKE_SEND, OK, 0},
                                              {0}};
    FAKE fake = {.scripts = {script}};
    struct whorl_http_netrc *netrc = netrc_of("machine a.test login u password p");
    struct whorl_http_session *session = session_with(&fake, NULL, netrc);
    CHECK_EQ(fetch(session, GET), 200);
    whorl_http_session_destroy(session);
    whorl_http_netrc_destroy(netrc);
}

TEST_VIRTUAL(the_default_entry_of_netrc_is_not_for_hosts_that_a_redirect_names)
{
    static const struct fake_step first[] = {{.action = FAKE_HEAD},
                                             {FAKE_SEND, ASK_BASIC, 0},
                                             {FAKE_HEAD, BASIC, 0},
                                             {FAKE_SEND, MOVED("http://b.test/"), 0},
                                             {0}};
    static const struct fake_step second[] = {
        {FAKE_EXPECT, HEAD("b.test", ""), 0}, {FAKE_SEND, ASK_BASIC, 0}, {0}};
    FAKE fake = {.scripts = {first, second}};
    struct whorl_http_netrc *netrc = netrc_of("default login u password p");
    struct whorl_http_session *session = session_with(&fake, NULL, netrc);
    CHECK_EQ(fetch(session, GET), 401);
    whorl_http_session_destroy(session);
    whorl_http_netrc_destroy(netrc);
}

/* --- bodies and mistakes --- */

static WHORL_SUSPENDS ssize_t read_hi(void *arg, void *buf, size_t len)
{
    int *calls = arg;
    if ((*calls)++ > 0 || len < 2)
        return 0;
    memcpy(buf, "hi", 2);
    return 2;
}

static int rewind_hi(void *arg)
{
    *(int *)arg = 0;
    return 0;
}

TEST_VIRTUAL(a_body_is_sent_again_with_the_answer_or_the_error_says_why_not)
{
    static const struct fake_step script[] = {{.action = FAKE_HEAD},
                                              {.action = FAKE_READ, .n = 2},
                                              {FAKE_SEND, ASK_BASIC, 0},
                                              {FAKE_HEAD, BASIC, 0},
                                              {FAKE_EXPECT, "hi", 0},
                                              {FAKE_SEND, OK, 0},
                                              {0}};
    static const struct fake_step once[] = {
        {.action = FAKE_HEAD}, {.action = FAKE_READ, .n = 2}, {FAKE_SEND, ASK_BASIC, 0}, {0}};
    FAKE fake = {.scripts = {script}};
    FAKE fake2 = {.scripts = {once}};
    WHORL_AUTO(http_session) *session = session_with(&fake, &at_a, NULL);
    WHORL_AUTO(http_session) *session2 = session_with(&fake2, &at_a, NULL);
    int calls = 0;
    struct whorl_http_request put = {
        .method = "PUT", .body = {.read = read_hi, .rewind = rewind_hi, .arg = &calls, .len = 2}};

    CHECK_EQ(fetch(session, put), 200);
    calls = 0;
    put.body.rewind = NULL;
    CHECK_ERR(fetch(session2, put), WHORL_EHTTP_AUTH_BODY);
    CHECK_STR(error.text, "a.test:80: the server asks for credentials (401), and the request body "
                          "cannot be sent again");
}

TEST_VIRTUAL(credentials_that_are_set_only_in_part_are_refused)
{
    static const struct whorl_http_credentials bad[] = {
        {0},
        {.user = "u", .token = "t"},
        {.scheme = WHORL_HTTP_AUTH_BEARER, .user = "u"},
        {.scheme = WHORL_HTTP_AUTH_DIGEST, .user = "u", .preemptive = true},
        {.scheme = 9, .user = "u"},
        {.origin = "http://a.test", .user = "u"},
    };
    FAKE fake = {0};
    WHORL_AUTO(http_session) *session = session_with(&fake, NULL, NULL);
    struct whorl_http_session *other = NULL;
    struct whorl_http_session_options options = {.credentials_count = 1};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_ERR(fetch(session, (struct whorl_http_request){.credentials = &bad[i]}), -EINVAL);
    CHECK_ERR(whorl_http_session_create(&options, &other), -EINVAL);
    options.credentials = bad;
    CHECK_ERR(whorl_http_session_create(&options, &other), -EINVAL);
    options.credentials = &(struct whorl_http_credentials){.origin = "ftp://a.test", .user = "u"};
    CHECK_ERR(whorl_http_session_create(&options, &other), WHORL_EHTTP_SCHEME);
}

TEST_VIRTUAL(a_password_that_cannot_be_sent_is_not_in_the_error)
{
    struct whorl_http_credentials own = {.user = "u", .password = "secret\r\n", .preemptive = true};
    FAKE fake = {.scripts = {(const struct fake_step[]){{0}}}};
    WHORL_AUTO(http_session) *session = session_with(&fake, NULL, NULL);
    CHECK_ERR(fetch(session, (struct whorl_http_request){.credentials = &own}),
              WHORL_EHTTP_REQUEST_HEADER);
    CHECK_STR(error.text, "a.test:80: the password in the credentials contains a control byte");
    own.password = "p";
    own.user = "se:cret";
    CHECK_ERR(fetch(session, (struct whorl_http_request){.credentials = &own}),
              WHORL_EHTTP_REQUEST_HEADER);
    CHECK_STR(error.text, "a.test:80: the user name in the credentials contains a colon, which the "
                          "Basic scheme cannot send");
    own = (struct whorl_http_credentials){.scheme = WHORL_HTTP_AUTH_BEARER, .token = "sec\nret"};
    CHECK_ERR(fetch(session, (struct whorl_http_request){.credentials = &own}),
              WHORL_EHTTP_REQUEST_HEADER);
    CHECK_STR(error.text, "a.test:80: the token in the credentials contains a control byte");
}

/* A NUL would end the text early, and another password than the user's would be sent. */
TEST_VIRTUAL(a_control_byte_in_the_user_of_a_url_or_of_netrc_is_refused)
{
    static const char *const urls[] = {"http://u:sec%00ret@a.test/", "http://u%00:secret@a.test/",
                                       "http://u:sec%0d%0aret@a.test/", "http://u%7f@a.test/"};
    static const char *const whats[] = {"user name or password", "user name or password",
                                        "password", "user name"};
    FAKE fake = {.scripts = {(const struct fake_step[]){{0}}}};
    WHORL_AUTO(http_session) *session = session_with(&fake, NULL, NULL);
    char text[128];

    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        CHECK_ERR(fetch(session, (struct whorl_http_request){.url = urls[i]}),
                  WHORL_EHTTP_REQUEST_HEADER);
        snprintf(text, sizeof text, "a.test:80: the %s in the URL contains a control byte",
                 whats[i]);
        CHECK_STR(error.text, text);
    }
    FAKE other = {.scripts = {(const struct fake_step[]){{0}}}};
    struct whorl_http_netrc *netrc = netrc_of("machine a.test login u password \"sec\\nret\"");
    struct whorl_http_session *second = session_with(&other, NULL, netrc);
    CHECK_ERR(fetch(second, GET), WHORL_EHTTP_REQUEST_HEADER);
    CHECK_STR(error.text, "a.test:80: the password in the netrc file contains a control byte");
    whorl_http_session_destroy(second);
    whorl_http_netrc_destroy(netrc);
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT */
/* Which requests may share a connection: for each field of the pool's key in which requests of a
 * session can differ, two that differ in nothing else. test_dialled.c has the options of dialling.
 * The proxy, its credentials and the TLS configuration belong to the session, and sessions share
 * nothing. */
#include <stdlib.h>

#include <whorl/http.h>
#include <whorl/tls.h>

#include "fakehttp.h"
#include "test.h"

static const struct fake_step hello[] = {
    {.action = FAKE_HEAD},
    {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 0},
    {.action = FAKE_REPEAT}};

/* Returns 0, or the error of the request. */
static WHORL_SUSPENDS int get(struct whorl_http_session *session, const char *url,
                              enum whorl_http_version version)
{
    struct whorl_http_request request = {.url = url, .version = version};
    WHORL_AUTO(http_response) *response = NULL;
    char *body = NULL;

    int err = whorl_http_do(session, &request, NULL, &response);
    if (err)
        return err;
    CHECK_OK(whorl_http_response_read_to_end(response, 100, &body, NULL));
    free(body);
    return 0;
}

TEST_VIRTUAL_HTTP1(equal_requests_share_a_connection)
{
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session =
        fake_session_with(&fake, (struct whorl_http_session_options){0});

    CHECK_OK(get(session, "http://a.test/", WHORL_HTTP_1));
    CHECK_OK(get(session, "http://A.test:80/other?x#y", WHORL_HTTP_1));
    CHECK_EQ(fake.dialled, 1);
}

TEST_VIRTUAL_HTTP1(a_connection_is_not_used_for_another_host_or_port)
{
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session =
        fake_session_with(&fake, (struct whorl_http_session_options){0});

    CHECK_OK(get(session, "http://a.test/", WHORL_HTTP_1));
    CHECK_OK(get(session, "http://b.test/", WHORL_HTTP_1));
    CHECK_EQ(fake.dialled, 2);
    CHECK_OK(get(session, "http://a.test:81/", WHORL_HTTP_1));
    CHECK_EQ(fake.dialled, 3);
    CHECK_STR(fake.last, "a.test:81");
}

/* The request would leave without TLS. */
TEST_VIRTUAL_HTTP1(a_connection_is_not_used_for_another_scheme)
{
    static const struct fake_step closes[] = {{.action = FAKE_CLOSE}};
    FAKE fake = {.scripts = {hello, closes}};
    WHORL_AUTO(http_session) *session =
        fake_session_with(&fake, (struct whorl_http_session_options){0});

    CHECK_OK(get(session, "http://a.test:443/", WHORL_HTTP_1));
    CHECK(get(session, "https://a.test/", WHORL_HTTP_1) < 0);
    CHECK_EQ(fake.dialled, 2);
}

TEST_VIRTUAL_HTTP1(a_connection_is_not_used_for_a_request_of_another_version)
{
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session =
        fake_session_with(&fake, (struct whorl_http_session_options){0});

    CHECK_OK(get(session, "http://a.test/", WHORL_HTTP_ANY));
    CHECK_OK(get(session, "http://a.test/", WHORL_HTTP_1));
    CHECK_EQ(fake.dialled, 2);
    CHECK(get(session, "http://a.test/", WHORL_HTTP_2) < 0);
    CHECK_EQ(fake.dialled, 3);
}

/* A connection with a proxy serves every server of plain http; but each has its own, because the
 * key has the host too. */
TEST_VIRTUAL_HTTP1(sessions_with_other_proxies_or_credentials_share_no_connection)
{
    static const char *const proxies[] = {NULL, "http://p.test:3128", "http://q.test:3128",
                                          "http://me:secret@p.test:3128",
                                          "http://you:secret@p.test:3128"};
    FAKE fake = {.scripts = {hello}};
    struct whorl_http_session *sessions[5];

    for (int i = 0; i < 5; i++)
        sessions[i] = fake_session_with(
            &fake, (struct whorl_http_session_options){.proxy = {.url = proxies[i]}});
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 5; i++) {
            CHECK_OK(get(sessions[i], "http://a.test/", WHORL_HTTP_1));
            CHECK_EQ(fake.dialled, round == 0 ? i + 1 : 5);
        }
    for (int i = 0; i < 5; i++)
        whorl_http_session_destroy(sessions[i]);
}

TEST_MAIN()

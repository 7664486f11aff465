/* SPDX-License-Identifier: MIT */
/* An HTTP session resumes its TLS sessions, each only with the server that it was made with. */
#include <stdlib.h>

#include <whorl/http.h>
#include <whorl/tls.h>

#include "certs.h"
#include "nginx.h"
#include "test.h"
#include "tls_library.h"

static struct whorl_http_session *new_session(void)
{
    struct whorl_tls_options options = {.ca_file = cert_path("ca.pem")};
    struct whorl_tls_config *config;
    struct whorl_http_session *session;

    CHECK_OK(whorl_tls_config_create(&options, NULL, &config));
    CHECK_OK(
        whorl_http_session_create(&(struct whorl_http_session_options){.tls = config}, &session));
    whorl_tls_config_destroy(config);
    return session;
}

/* Makes a connection of its own for one request. Returns whether the server has resumed a session:
 * its answer says so. */
static WHORL_SUSPENDS_SHIELDED bool is_resumed(struct whorl_http_session *session, const char *host,
                                               uint16_t port)
{
    struct whorl_http_response *response;
    char url[100], text[10] = "";

    snprintf(url, sizeof url, "https://%s:%u/", host, port);
    struct whorl_http_request request = {.url = url};
    CHECK_OK(whorl_http_do(session, &request, NULL, &response));
    CHECK(whorl_http_response_read(response, text, sizeof text - 1) > 0);
    CHECK(*text == 'r' || *text == '.');
    whorl_http_response_close(response);
    whorl_http_session_close_idle(session);
    return *text == 'r';
}

static struct nginx *start(const char *protocols, const char *tickets)
{
    char conf[300];

    /* ssl_session_reused is "r" or ".". */
    snprintf(conf, sizeof conf,
             "ssl_session_cache shared:tests:1m; ssl_session_tickets %s;"
             "location / { return 200 '$ssl_session_reused'; }",
             tickets);
    return nginx_start(&(struct nginx_options){.protocols = protocols, .server_conf = conf});
}

static WHORL_SUSPENDS_SHIELDED void check_server(const char *protocols, const char *tickets)
{
    struct nginx *nginx = start(protocols, tickets), *other = start(protocols, tickets);
    struct whorl_http_session *a = new_session(), *b = new_session();
    uint16_t port = nginx_tls_port(nginx);

    CHECK(!is_resumed(a, "localhost", port));
    for (int i = 0; i < 5; i++)
        CHECK(is_resumed(a, "localhost", port));
    CHECK(!is_resumed(b, "localhost", port));
    CHECK(!is_resumed(a, "127.0.0.1", port));
    CHECK(!is_resumed(a, "localhost", nginx_tls_port(other)));
    CHECK(is_resumed(a, "localhost", port));
    CHECK(is_resumed(b, "localhost", port));
    whorl_http_session_destroy(a);
    whorl_http_session_destroy(b);
    nginx_stop(nginx);
    nginx_stop(other);
}

TEST_IO(sessions_are_resumed_by_their_ids)
{
    check_server("TLSv1.2", "off");
}

TEST_IO(sessions_are_resumed_by_tickets)
{
    if (!tests_use_openssl())
        test_skip("BearSSL has no tickets");
    check_server("TLSv1.2", "on");
    check_server("TLSv1.3", "on");
}

/* nginx answers the requests that a proxy would forward, so the answer is about the TLS connection
 * with the proxy. */
static WHORL_SUSPENDS_SHIELDED bool is_resumed_by_proxy(struct whorl_http_session *session)
{
    struct whorl_http_request request = {.url = "http://a.test/"};
    struct whorl_http_response *response;
    char text[10] = "";

    CHECK_OK(whorl_http_do(session, &request, NULL, &response));
    CHECK(whorl_http_response_read(response, text, sizeof text - 1) > 0);
    CHECK(*text == 'r' || *text == '.');
    whorl_http_response_close(response);
    whorl_http_session_close_idle(session);
    return *text == 'r';
}

static WHORL_SUSPENDS_SHIELDED void check_proxy(const char *protocols, const char *tickets)
{
    struct nginx *nginx = start(protocols, tickets);
    struct whorl_tls_options tls = {.ca_file = cert_path("ca.pem")};
    WHORL_AUTO(tls_config) *config = NULL;
    WHORL_AUTO(http_session) *session = NULL;
    char url[100];

    CHECK_OK(whorl_tls_config_create(&tls, NULL, &config));
    snprintf(url, sizeof url, "https://localhost:%u", nginx_tls_port(nginx));
    struct whorl_http_session_options options = {
        .tls = config,
        .proxy = {.url = url, .no_proxy = "localhost", .tls = config},
    };
    CHECK_OK(whorl_http_session_create(&options, &session));
    CHECK(!is_resumed(session, "localhost", nginx_tls_port(nginx)));
    /* A session with a server is not resumed with a proxy, even if both are the same program. */
    CHECK(!is_resumed_by_proxy(session));
    for (int i = 0; i < 3; i++)
        CHECK(is_resumed_by_proxy(session));
    nginx_stop(nginx);
}

TEST_IO(sessions_with_an_https_proxy_are_resumed)
{
    check_proxy("TLSv1.2", "off");
}

TEST_IO(sessions_with_an_https_proxy_are_resumed_by_tickets)
{
    if (!tests_use_openssl())
        test_skip("BearSSL has no tickets");
    check_proxy("TLSv1.3", "on");
}

/* The server does not have the session any more. */
TEST_IO(refused_session_costs_a_full_handshake)
{
    static const char *const conf = "ssl_session_cache off; ssl_session_tickets off;"
                                    "location / { return 200 '$ssl_session_reused'; }";
    struct nginx *nginx =
        nginx_start(&(struct nginx_options){.protocols = "TLSv1.2", .server_conf = conf});
    struct whorl_http_session *session = new_session();

    for (int i = 0; i < 3; i++)
        CHECK(!is_resumed(session, "localhost", nginx_tls_port(nginx)));
    whorl_http_session_destroy(session);
}

TEST_MAIN()

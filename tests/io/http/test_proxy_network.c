/* SPDX-License-Identifier: MIT */
/* Sessions through real proxies: squid, tinyproxy and microsocks, with nginx as the server. */
#include <stdlib.h>
#include <string.h>

#include <whorl/http.h>
#include <whorl/tls.h>

#include "certs.h"
#include "nginx.h"
#include "ports.h"
#include "proxies.h"
#include "scripted_peer.h"
#include "test.h"

static struct whorl_error error;

/* A session that trusts the test's certificates, as also its proxy setting does. */
static struct whorl_http_session *session_of(const char *proxy, enum whorl_http_version version)
{
    static const char *const both[] = {"h2", "http/1.1", NULL};
    struct whorl_http_session_options options = {.version = version, .proxy = {.url = proxy}};
    struct whorl_tls_options tls = {.ca_file = cert_path("ca.pem"),
                                    .alpn = version == WHORL_HTTP_1 ? both + 1 : both};
    WHORL_AUTO(tls_config) *config = NULL;
    WHORL_AUTO(tls_config) *proxy_config = NULL;
    struct whorl_http_session *session = NULL;

    CHECK_OK(whorl_tls_config_create(&tls, NULL, &config));
    tls.alpn = NULL;
    CHECK_OK(whorl_tls_config_create(&tls, NULL, &proxy_config));
    options.tls = config;
    options.proxy.tls = proxy_config;
    CHECK_OK(whorl_http_session_create(&options, &session));
    return session;
}

static WHORL_SUSPENDS int get(struct whorl_http_session *session, const char *url, char **ret,
                              enum whorl_http_version *ret_version)
{
    WHORL_AUTO(http_response) *response = NULL;
    struct whorl_http_request request = {.url = url};

    error = (struct whorl_error){0};
    int err = whorl_http_do(session, &request, &error, &response);
    if (err)
        return err;
    *ret_version = whorl_http_response_version(response);
    err = whorl_http_response_read_to_end(response, 1 << 20, ret, NULL);
    return err ? err : whorl_http_response_status(response);
}

static WHORL_SUSPENDS_SHIELDED void check_get(struct whorl_http_session *session, const char *url,
                                              enum whorl_http_version version, const char *body)
{
    char *text = NULL;
    enum whorl_http_version got = WHORL_HTTP_ANY;
    int status = get(session, url, &text, &got);

    if (status < 0)
        test_fail(__FILE__, __LINE__, "%s: %s: %s", url, error.step, error.text);
    CHECK_EQ(status, 200);
    CHECK_EQ(got, version);
    CHECK_STR(text, body);
    free(text);
}

/* nginx answers with the proxy credentials that it has got. */
static struct nginx *start_nginx(void)
{
    return nginx_start(&(struct nginx_options){
        .http2 = true,
        .server_conf = "location / { return 200 '$host $uri [$http_proxy_authorization]'; }"
                       "location /407 { return 407 '[$http_proxy_authorization]'; }"});
}

/* All kinds of request through a proxy: twice, so that connections are used again. */
static WHORL_SUSPENDS_SHIELDED void check_all(const char *proxy, const char *host)
{
    struct nginx *nginx = start_nginx();
    struct whorl_http_session_stats stats;
    char plain[100], tls[100], body[100];

    snprintf(plain, sizeof plain, "http://%s:%u/a", host, nginx_port(nginx));
    snprintf(tls, sizeof tls, "https://%s:%u/a", host, nginx_tls_port(nginx));
    snprintf(body, sizeof body, "%s /a []", host);
    for (int version = WHORL_HTTP_ANY; version <= WHORL_HTTP_1; version++) {
        WHORL_AUTO(http_session) *session = session_of(proxy, version);
        for (int i = 0; i < 2; i++) {
            check_get(session, plain, WHORL_HTTP_1, body);
            check_get(session, tls, version == WHORL_HTTP_ANY ? WHORL_HTTP_2 : WHORL_HTTP_1, body);
        }
        whorl_http_session_get_stats(session, &stats);
        CHECK_EQ(stats.requests - stats.reuses, stats.connections);
        CHECK_EQ(stats.connections, 2);
    }
    nginx_stop(nginx);
}

static const char *url_of(const char *scheme, uint16_t port)
{
    static char url[100];

    snprintf(url, sizeof url, "%slocalhost:%u", scheme, port);
    return url;
}

TEST_IO(requests_through_squid)
{
    check_all(url_of("http://", proxy_start_squid(NULL)), "localhost");
}

TEST_IO(requests_through_tinyproxy)
{
    struct nginx *nginx = start_nginx();
    WHORL_AUTO(http_session) *session =
        session_of(url_of("http://", proxy_start_tinyproxy(NULL)), WHORL_HTTP_ANY);
    char url[100];

    /* It keeps no connection, so every http request opens one. */
    for (int i = 0; i < 2; i++) {
        snprintf(url, sizeof url, "http://localhost:%u/b", nginx_port(nginx));
        check_get(session, url, WHORL_HTTP_1, "localhost /b []");
        snprintf(url, sizeof url, "https://localhost:%u/b", nginx_tls_port(nginx));
        check_get(session, url, WHORL_HTTP_2, "localhost /b []");
    }
}

TEST_IO(requests_through_squid_over_tls)
{
    check_all(url_of("https://", proxy_start_squid(&(struct proxy_options){.cert = "good"})),
              "localhost");
}

TEST_IO(an_https_proxy_with_the_wrong_name_gets_no_request)
{
    uint16_t port = proxy_start_squid(&(struct proxy_options){.cert = "wrong-name"});
    WHORL_AUTO(http_session) *session =
        session_of(url_of("https://me:secret@", port), WHORL_HTTP_ANY);
    enum whorl_http_version version;
    char *text, expected[100];

    snprintf(expected, sizeof expected, "https://localhost:%u for a.test:80: ", port);
    CHECK_EQ(get(session, "http://a.test/", &text, &version), WHORL_ETLS_NAME);
    CHECK_STR(error.step, "proxy");
    CHECK(strncmp(error.text, expected, strlen(expected)) == 0);
}

TEST_IO(squid_gets_credentials_and_the_server_does_not)
{
    struct proxy_options options = {.user = "me", .password = "word"};
    uint16_t port = proxy_start_squid(&options);

    check_all(url_of("http://me:word@", port), "localhost");
}

/* Squid finds a nonce stale after its third request. */
TEST_IO(squid_asks_for_digest)
{
    struct proxy_options options = {.user = "me", .password = "wo rd", .digest = true};
    uint16_t port = proxy_start_squid(&options);
    struct nginx *nginx = start_nginx();
    WHORL_AUTO(http_session) *right = session_of(url_of("http://me:wo%20rd@", port), WHORL_HTTP_1);
    WHORL_AUTO(http_session) *wrong = session_of(url_of("http://me:secret@", port), WHORL_HTTP_1);
    enum whorl_http_version version;
    char url[100], body[100], *text;

    check_all(url_of("http://me:wo%20rd@", port), "localhost");
    for (int i = 0; i < 10; i++) {
        snprintf(url, sizeof url, "http://localhost:%u/%d", nginx_port(nginx), i);
        snprintf(body, sizeof body, "localhost /%d []", i);
        check_get(right, url, WHORL_HTTP_1, body);
    }
    for (int i = 0; i < 2; i++) {
        snprintf(url, sizeof url, "%s://localhost:%u/b", i ? "https" : "http",
                 i ? nginx_tls_port(nginx) : nginx_port(nginx));
        CHECK_EQ(get(wrong, url, &text, &version), WHORL_EHTTP_PROXY_AUTH);
        CHECK(strstr(error.text, "the proxy does not accept the name or the password"));
        CHECK(!strstr(error.text, "secret"));
    }
}

TEST_IO(tinyproxy_refuses_a_wrong_password)
{
    struct proxy_options options = {.user = "me", .password = "word"};
    uint16_t port = proxy_start_tinyproxy(&options);
    struct nginx *nginx = start_nginx();
    WHORL_AUTO(http_session) *right = session_of(url_of("http://me:word@", port), WHORL_HTTP_ANY);
    WHORL_AUTO(http_session) *wrong = session_of(url_of("http://me:wrong@", port), WHORL_HTTP_ANY);
    enum whorl_http_version version;
    char url[100], *text;

    snprintf(url, sizeof url, "https://localhost:%u/b", nginx_tls_port(nginx));
    check_get(right, url, WHORL_HTTP_2, "localhost /b []");
    /* It asks with 407, but refuses a wrong password with 401. */
    CHECK_EQ(get(wrong, url, &text, &version), WHORL_EHTTP_PROXY_REFUSED);
    CHECK(!strstr(error.text, "wrong"));
    CHECK(strstr(error.text, "it answered CONNECT with 401 Unauthorized"));
}

TEST_IO(a_server_that_refuses_is_the_proxys_error)
{
    WHORL_AUTO(http_session) *http =
        session_of(url_of("http://", proxy_start_squid(NULL)), WHORL_HTTP_ANY);
    WHORL_AUTO(http_session) *socks =
        session_of(url_of("socks5h://", proxy_start_microsocks(NULL)), WHORL_HTTP_ANY);
    enum whorl_http_version version;
    char url[100], *text;

    snprintf(url, sizeof url, "https://127.0.0.1:%u/", port_refused());
    CHECK_EQ(get(http, url, &text, &version), WHORL_EHTTP_PROXY_FAILED);
    CHECK(strstr(error.text, "503"));
    CHECK_EQ(get(socks, url, &text, &version), WHORL_EHTTP_PROXY_FAILED);
    CHECK(strstr(error.text, "SOCKS reply 5: connection refused"));
}

TEST_IO(requests_through_microsocks)
{
    struct proxy_options options = {.user = "me", .password = "word"};

    check_all(url_of("socks5h://", proxy_start_microsocks(NULL)), "localhost");
    check_all(url_of("socks5h://", proxy_start_microsocks(NULL)), "127.0.0.1");
    check_all(url_of("socks5://", proxy_start_microsocks(NULL)), "localhost");
    check_all(url_of("socks5h://me:word@", proxy_start_microsocks(&options)), "localhost");
}

TEST_IO(microsocks_refuses_a_wrong_password)
{
    struct proxy_options options = {.user = "me", .password = "word"};
    uint16_t port = proxy_start_microsocks(&options);
    WHORL_AUTO(http_session) *none = session_of(url_of("socks5h://", port), WHORL_HTTP_ANY);
    WHORL_AUTO(http_session) *wrong =
        session_of(url_of("socks5h://me:secret@", port), WHORL_HTTP_ANY);
    enum whorl_http_version version;
    char *text;

    CHECK_EQ(get(none, "http://localhost/", &text, &version), WHORL_EHTTP_PROXY_AUTH);
    CHECK(strstr(error.text, "asks for a name"));
    CHECK_EQ(get(wrong, "http://localhost/", &text, &version), WHORL_EHTTP_PROXY_AUTH);
    CHECK(strstr(error.text, "does not accept"));
    CHECK(!strstr(error.text, "secret"));
}

/* Only the 407 of a proxy that forwards is the proxy's. */
TEST_IO(a_server_behind_a_tunnel_that_answers_407_gets_no_credentials)
{
    struct proxy_options options = {.user = "me", .password = "word"};
    struct nginx *nginx = start_nginx();
    WHORL_AUTO(http_session) *socks =
        session_of(url_of("socks5h://me:word@", proxy_start_microsocks(&options)), WHORL_HTTP_ANY);
    WHORL_AUTO(http_session) *http =
        session_of(url_of("http://me:word@", proxy_start_squid(&options)), WHORL_HTTP_1);
    enum whorl_http_version version;
    char url[100], *text;

    for (int i = 0; i < 2; i++) {
        snprintf(url, sizeof url, "%s://localhost:%u/407", i ? "https" : "http",
                 i ? nginx_tls_port(nginx) : nginx_port(nginx));
        CHECK_EQ(get(i ? http : socks, url, &text, &version), 407);
        CHECK_STR(text, "[]");
        free(text);
    }
}

/* HTTP/2 without TLS needs a tunnel. nginx cannot speak both on one port, so a server follows a
 * script: it sends its SETTINGS at once, in the packet of the proxy's answer. */
TEST_IO(a_server_may_be_the_first_to_send_in_a_tunnel_without_tls)
{
    static const struct peer_step script[] = {
        PEER_READ_HEAD(),
        PEER_SEND("HTTP/1.1 200 OK\r\n\r\n\0\0\0\4\0\0\0\0\0"),
        PEER_READ_UNTIL("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        PEER_SEND("\0\0\1\1\5\0\0\0\1\x89"), /* 204 */
        PEER_HANG(),
        PEER_END,
    };
    struct scripted_peer *peer = peer_start(script);
    WHORL_AUTO(http_session) *session =
        session_of(url_of("http://", peer_port(peer)), WHORL_HTTP_2);
    enum whorl_http_version version;
    char *text = NULL;

    CHECK_EQ(get(session, "http://a.test/", &text, &version), 204);
    CHECK_EQ(version, WHORL_HTTP_2);
    CHECK(strncmp(peer_received(peer, 0, NULL), "CONNECT a.test:80 HTTP/1.1\r\n", 28) == 0);
    free(text);
}

TEST_MAIN()

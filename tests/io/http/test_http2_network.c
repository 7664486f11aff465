/* SPDX-License-Identifier: MIT */
/* HTTP/2 with real servers: nginx, which chooses the version in the TLS handshake, and nghttpd
 * without TLS. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <whorl/group.h>
#include <whorl/http.h>
#include <whorl/task.h>
#include <whorl/tls.h>

#include "certs.h"
#include "nginx.h"
#include "ports.h"
#include "scripted_peer.h"
#include "session_stats.h"
#include "subprocess.h"
#include "test.h"

static struct whorl_error error;

/* A session that trusts the test's certificates and offers `alpn` (NULL: nothing). */
static struct whorl_http_session *session_of(const char *const *alpn,
                                             enum whorl_http_version version)
{
    struct whorl_http_session_options options = {.version = version};
    struct whorl_tls_options tls = {.ca_file = cert_path("ca.pem"), .alpn = alpn};
    WHORL_AUTO(tls_config) *config = NULL;
    struct whorl_http_session *session = NULL;

    CHECK_OK(whorl_tls_config_create(&tls, NULL, &config));
    options.tls = config;
    CHECK_OK(whorl_http_session_create(&options, &session));
    return session;
}

/* Writes the file `name` with `len` bytes, which differ from place to place. */
static void make_file(const char *name, size_t len)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", test_tmpdir(), name);
    FILE *file = fopen(path, "w");
    CHECK(file);
    for (size_t i = 0; i < len; i++)
        fputc('a' + (int)((i * 7 + i / 26) % 26), file);
    fclose(file);
}

static WHORL_SUSPENDS_SHIELDED void check_get(struct whorl_http_session *session, const char *url,
                                              enum whorl_http_version version, size_t len)
{
    WHORL_AUTO(http_response) *response = NULL;
    char *body = NULL;
    size_t body_len;

    CHECK_OK(whorl_http_get(session, url, &response));
    CHECK_EQ(whorl_http_response_status(response), 200);
    CHECK_EQ(whorl_http_response_version(response), version);
    CHECK_OK(whorl_http_response_read_to_end(response, 1 << 28, &body, &body_len));
    CHECK_EQ(body_len, len);
    for (size_t i = 0; i < len; i++)
        CHECK_EQ(body[i], 'a' + (int)((i * 7 + i / 26) % 26));
    free(body);
}

TEST_IO(http2_is_chosen_by_the_handshake_if_both_sides_offer_it)
{
    static const char *const both[] = {"h2", "http/1.1", NULL}, *const old[] = {"http/1.1", NULL};
    struct nginx *nginx =
        nginx_start(&(struct nginx_options){.docroot = test_tmpdir(), .http2 = true});
    char url[200];
    WHORL_AUTO(http_session) *new_session = session_of(both, WHORL_HTTP_ANY);
    WHORL_AUTO(http_session) *old_session = session_of(old, WHORL_HTTP_ANY);
    WHORL_AUTO(http_session) *none_session = session_of(NULL, WHORL_HTTP_ANY);
    struct whorl_http_request request = {.url = url, .version = WHORL_HTTP_1};
    struct whorl_http_response *response;

    make_file("file", 100000);
    snprintf(url, sizeof url, "https://localhost:%u/file", nginx_tls_port(nginx));
    check_get(new_session, url, WHORL_HTTP_2, 100000);
    check_get(new_session, url, WHORL_HTTP_2, 100000);
    CHECK_EQ(session_stats(new_session).connections, 1);
    check_get(old_session, url, WHORL_HTTP_1, 100000);
    check_get(none_session, url, WHORL_HTTP_1, 100000);
    /* HTTP/2 is not offered for a request that must not use it. */
    CHECK_OK(whorl_http_do(new_session, &request, &error, &response));
    CHECK_EQ(whorl_http_response_version(response), WHORL_HTTP_1);
    whorl_http_response_close(response);
    request.version = WHORL_HTTP_2;
    CHECK_ERR(whorl_http_do(old_session, &request, &error, &response), WHORL_EHTTP_VERSION);
    CHECK(strstr(error.text, "the server does not speak HTTP/2"));
    snprintf(url, sizeof url, "http://localhost:%u/file", nginx_port(nginx));
    check_get(new_session, url, WHORL_HTTP_1, 100000);
}

struct fetches {
    struct whorl_http_session *session;
    const char *url;
    int left;
};

static int fetch_some(void *arg)
{
    struct fetches *fetches = arg;

    while (fetches->left > 0) {
        WHORL_AUTO(http_response) *response = NULL;
        char *body = NULL;
        size_t len;
        fetches->left--;
        int err = whorl_http_get(fetches->session, fetches->url, &response);
        if (err == 0)
            err = whorl_http_response_read_to_end(response, 1 << 20, &body, &len);
        CHECK_OK(err);
        CHECK_EQ(len, 20000);
        free(body);
    }
    return 0;
}

TEST_IO(http2_many_requests_share_a_connection_to_nginx)
{
    static const char *const both[] = {"h2", "http/1.1", NULL};
    /* nginx ends a connection with GOAWAY after 300 requests. */
    struct nginx *nginx = nginx_start(&(struct nginx_options){
        .docroot = test_tmpdir(), .http2 = true, .server_conf = "keepalive_requests 300;"});
    char url[200];
    WHORL_AUTO(http_session) *session = session_of(both, WHORL_HTTP_2);
    struct fetches fetches = {.session = session, .url = url, .left = 1000};
    WHORL_AUTO(group) group = {0};

    make_file("file", 20000);
    snprintf(url, sizeof url, "https://localhost:%u/file", nginx_tls_port(nginx));
    for (int i = 0; i < 50; i++)
        CHECK_OK(whorl_spawn(&group, fetch_some, &fetches));
    CHECK_OK(whorl_group_wait(&group));
    CHECK(session_stats(session).connections >= 4 && session_stats(session).connections <= 8);
}

/* nghttpd without TLS, which serves the temporary directory. */
static uint16_t start_nghttpd(const char *option)
{
    char text[16];
    uint16_t port;
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    if (!test_has_program("nghttpd"))
        test_skip("nghttpd is not installed");
    close(port_listen(&port));
    snprintf(text, sizeof text, "%u", port);
    subprocess_daemon((const char *[]){"nghttpd", "--no-tls", "-a", "127.0.0.1", "-d",
                                       test_tmpdir(), text, option, NULL},
                      (const char *[]){"PATH=/usr/sbin:/usr/bin", NULL}, NULL, NULL);
    addr.sin_port = htons(port);
    for (int i = 0; i < 500 * test_timeout_scale(); i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool answers = connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0;
        close(fd);
        if (answers)
            return port;
        poll(NULL, 0, 10);
    }
    test_fail(__FILE__, __LINE__, "nghttpd does not answer");
    return 0;
}

TEST_IO(http2_is_spoken_without_tls_if_asked_for)
{
    WHORL_AUTO(http_session) *session = session_of(NULL, WHORL_HTTP_2);
    uint16_t port = start_nghttpd("--trailer=a: b");
    struct whorl_http_response *response;
    char url[200], buf[16384];
    ssize_t n;

    make_file("large", 30000000); /* more than the windows */
    snprintf(url, sizeof url, "http://127.0.0.1:%u/large", port);
    check_get(session, url, WHORL_HTTP_2, 30000000);
    CHECK_OK(whorl_http_get(session, url, &response));
    while ((n = whorl_http_response_read(response, buf, sizeof buf)) > 0)
        ;
    CHECK_EQ(n, 0);
    CHECK_STR(whorl_http_response_trailer(response, "a"), "b");
    whorl_http_response_close(response);
    CHECK_EQ(session_stats(session).connections, 1);
}

TEST_IO(http2_server_that_speaks_only_http1_is_named)
{
    static const struct peer_step script[] = {
        PEER_READ_HEAD(), PEER_SEND("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
        PEER_CLOSE(), PEER_END};
    struct scripted_peer *peer = peer_start(script);
    WHORL_AUTO(http_session) *session = session_of(NULL, WHORL_HTTP_2);
    struct whorl_http_response *response;
    char url[200];
    struct whorl_http_request request = {.url = url};

    snprintf(url, sizeof url, "http://127.0.0.1:%u/", peer_port(peer));
    CHECK_ERR(whorl_http_do(session, &request, &error, &response), WHORL_EHTTP_VERSION);
    CHECK(strstr(error.text, "the server speaks HTTP/1 only"));
}

TEST_MAIN()

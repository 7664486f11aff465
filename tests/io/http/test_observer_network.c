/* SPDX-License-Identifier: MIT */
/* The events of TLS and HTTP/2 that an observer gets, with nginx and an HTTP/2 server in memory. */
#include <stdlib.h>
#include <string.h>

#include <whorl/dial.h>
#include <whorl/group.h>
#include <whorl/http.h>
#include <whorl/net.h>
#include <whorl/scope.h>
#include <whorl/task.h>
#include <whorl/tls.h>

#include "certs.h"
#include "http2_server.h"
#include "nginx.h"
#include "test.h"
#include "tls_library.h"
#include "trace_log.h"

static struct trace_log trace;

/* A session that trusts the test's certificates, if `ca` is true, and offers `alpn`. */
static struct whorl_http_session *session_of(bool ca, const char *const *alpn)
{
    struct whorl_tls_options tls = {.ca_file = cert_path(ca ? "ca.pem" : "ca-ec.pem"),
                                    .alpn = alpn};
    WHORL_AUTO(tls_config) *config = NULL;
    struct whorl_http_session *session = NULL;

    trace_log_clear(&trace);
    CHECK_OK(whorl_tls_config_create(&tls, NULL, &config));
    const struct whorl_http_session_options options = {.tls = config,
                                                       .observer = trace_log_observer(&trace)};
    CHECK_OK(whorl_http_session_create(&options, &session));
    return session;
}

static const char *url_of(const char *scheme, uint16_t port)
{
    static char url[100];
    snprintf(url, sizeof url, "%s://localhost:%u/", scheme, port);
    return url;
}

static WHORL_SUSPENDS int get(struct whorl_http_session *session, const char *url)
{
    WHORL_AUTO(http_response) *response = NULL;
    char *body;

    int err = whorl_http_get(session, url, &response);
    if (err == 0)
        err = whorl_http_response_read_to_end(response, 1 << 24, &body, NULL);
    if (err == 0)
        free(body);
    return err;
}

/* The text without the START of the request, whose URL has a port, and without the attempts, whose
 * number depends on whether the machine has IPv6. */
static const char *steps(void)
{
    static char text[TRACE_LOG_SIZE];
    static const char *const dropped[] = {":connect ", ":connect failed", ":start"};
    char copy[TRACE_LOG_SIZE], *rest;

    strcpy(copy, trace.text);
    text[0] = '\0';
    for (char *at = copy; at; at = rest) {
        /* A step begins with a number and a colon. */
        rest = strchr(at, ' ');
        while (rest && !(rest[1] >= '0' && rest[1] <= '9' && strchr(rest, ':') == rest + 2))
            rest = strchr(rest + 1, ' ');
        if (rest)
            *rest++ = '\0';
        bool is_dropped = strcmp(at + 1, ":connect") == 0;
        for (size_t i = 0; i < 3; i++)
            is_dropped |= strncmp(at + 1, dropped[i], strlen(dropped[i])) == 0;
        if (!is_dropped)
            sprintf(text + strlen(text), "%s%s", *text ? " " : "", at);
    }
    trace.text[0] = '\0';
    return text;
}

TEST_IO(trace_of_https_has_the_lookup_the_connection_and_the_handshake)
{
    struct nginx *nginx =
        nginx_start(&(struct nginx_options){.server_conf = "location / { return 200 hi; }",
                                            .http_conf = "ssl_session_cache shared:s:1m;"});
    WHORL_AUTO(http_session) *session = session_of(true, NULL);
    const struct whorl_http_info *info = &trace.info;
    const char *url = url_of("https", nginx_tls_port(nginx));

    CHECK_OK(get(session, url));
    CHECK_STR(steps(), "1:open(first) 1:resolve 1:resolved 1:connected 1:tls(full) "
                       "1:ready(HTTP/1.1) 1:request head 1:sent(0) 1:response head(200) 1:kept "
                       "1:end");
    CHECK(info->dns_ns >= 0 && info->connect_ns >= 0 && info->tls_ns > 0);
    CHECK(info->first_byte_ns > 0 && info->body_ns >= 0);
    CHECK(info->total_ns >= info->dns_ns + info->connect_ns + info->tls_ns + info->first_byte_ns);
    CHECK_EQ(whorl_addr_port(&info->peer), nginx_tls_port(nginx));
    CHECK(whorl_addr_port(&info->local) > 0);
    CHECK_STR(info->tls_version, "TLS 1.2");
    CHECK(strstr(info->tls_suite, "ECDHE"));
    CHECK(!info->tls_resumed);

    CHECK_OK(get(session, url));
    CHECK_STR(steps(), "2:reuse 2:request head 2:sent(0) 2:response head(200) 2:kept 2:end");
    CHECK_EQ(info->tls_ns, -1);
    CHECK_EQ(info->dns_ns, -1);
    CHECK_STR(info->tls_version, "TLS 1.2");

    whorl_http_session_close_idle(session);
    CHECK_OK(get(session, url));
    CHECK_STR(steps(), "3:open(asked) 3:resolve 3:resolved 3:connected 3:tls(resumed) "
                       "3:ready(HTTP/1.1) 3:request head 3:sent(0) 3:response head(200) 3:kept "
                       "3:end");
    CHECK(info->tls_resumed);
    CHECK_EQ(info->conn, 2);
}

TEST_IO(trace_of_a_refused_connection_and_of_a_failed_handshake)
{
    struct nginx *nginx = nginx_start(&(struct nginx_options){0});
    WHORL_AUTO(http_session) *session = session_of(true, NULL);
    char url[100];

    /* nginx does not listen there. */
    snprintf(url, sizeof url, "https://127.0.0.2:%u/", nginx_tls_port(nginx));
    CHECK_ERR(get(session, url), -ECONNREFUSED);
    CHECK_STR(steps(), "1:open(first) 1:end(ECONNREFUSED)");
    CHECK(strncmp(trace.end, "connect: 127.0.0.2:", 19) == 0);
    CHECK_EQ(whorl_addr_port(&trace.info.peer), nginx_tls_port(nginx));
    CHECK_ERR(get(session, url_of("https", nginx_port(nginx))), WHORL_ETLS_NOTTLS);
    CHECK_STR(steps(), "2:open(first) 2:resolve 2:resolved 2:connected 2:end(WHORL_ETLS_NOTTLS)");
    CHECK(trace.info.connect_ns >= 0);
    CHECK_EQ(trace.info.tls_ns, -1);
}

TEST_IO(trace_of_a_certificate_that_is_not_trusted)
{
    struct nginx *nginx = nginx_start(&(struct nginx_options){0});
    WHORL_AUTO(http_session) *session = session_of(false, NULL);

    CHECK_ERR(get(session, url_of("https", nginx_tls_port(nginx))), WHORL_ETLS_TRUST);
    CHECK_STR(steps(), "1:open(first) 1:resolve 1:resolved 1:connected 1:end(WHORL_ETLS_TRUST)");
    CHECK_EQ(strncmp(trace.end, "TLS: ", 5), 0);
}

TEST_IO(trace_of_http2_that_the_handshake_has_chosen)
{
    static const char *const both[] = {"h2", "http/1.1", NULL};
    struct nginx *nginx = nginx_start(
        &(struct nginx_options){.http2 = true, .server_conf = "location / { return 200 hi; }"});
    WHORL_AUTO(http_session) *session = session_of(true, both);

    CHECK_OK(get(session, url_of("https", nginx_tls_port(nginx))));
    CHECK_STR(steps(), "1:open(first) 1:resolve 1:resolved 1:connected 1:tls(full) "
                       "1:ready(HTTP/2) 1:request head 1:sent(0) 1:response head(200) 1:kept "
                       "1:end");
    CHECK_STR(trace.info.protocol, "HTTP/2");
    CHECK(strstr(trace.heads, "GET / HTTP/2\r\n"));
    CHECK(strstr(trace.heads, "HTTP/2 200\r\n"));
    CHECK(trace.info.received_head > 10);
    CHECK_EQ(trace.info.received_body, 2);
}

static void count_step(void *arg, const struct whorl_dial_event *event)
{
    (void)event;
    ++*(int *)arg;
}

TEST_IO(a_watch_of_the_dialling_options_is_told_too)
{
    int steps_told = 0;
    const struct whorl_dial_watch watch = {.event = count_step, .arg = &steps_told};
    const struct whorl_dial_options dial = {.watch = &watch};
    const struct whorl_http_session_options options = {.dial = &dial,
                                                       .observer = trace_log_observer(&trace)};
    struct nginx *nginx =
        nginx_start(&(struct nginx_options){.server_conf = "location / { return 200 hi; }"});
    WHORL_AUTO(http_session) *session = NULL;

    trace_log_clear(&trace);
    CHECK_OK(whorl_http_session_create(&options, &session));
    CHECK_OK(get(session, url_of("http", nginx_port(nginx))));
    CHECK(strstr(trace.text, "1:resolved"));
    CHECK(steps_told >= 4); /* resolve, resolved, try, connected */
}

TEST_IO(trace_of_a_server_that_refuses_tls_1_2)
{
    struct nginx *nginx = nginx_start(&(struct nginx_options){
        .protocols = "TLSv1.3", .server_conf = "location / { return 200 hi; }"});
    WHORL_AUTO(http_session) *session = session_of(true, NULL);

    if (!whorl_tls_has_library(WHORL_TLS_OPENSSL) || tests_use_openssl())
        test_skip("BearSSL is not tried first, or there is no OpenSSL");
    CHECK_OK(get(session, url_of("https", nginx_tls_port(nginx))));
    CHECK_STR(steps(), "1:open(first) 1:resolve 1:resolved 1:connected 1:tls again 1:resolve "
                       "1:resolved 1:connected 1:tls(full) 1:ready(HTTP/1.1) 1:request head "
                       "1:sent(0) 1:response head(200) 1:kept 1:end");
    CHECK_STR(trace.info.tls_version, "TLS 1.3");
}

/* HTTP/2 in memory */

static struct whorl_http_session *http2_session(struct http2_server *server)
{
    const struct whorl_http_session_options options = {.dialer = http2_server_dialer(server),
                                                       .version = WHORL_HTTP_2,
                                                       .observer = trace_log_observer(&trace)};
    struct whorl_http_session *session = NULL;

    trace_log_clear(&trace);
    CHECK_OK(whorl_http_session_create(&options, &session));
    return session;
}

struct job {
    struct whorl_http_session *session;
    const char *url;
};

static int get_job(void *arg)
{
    struct job *job = arg;
    return get(job->session, job->url);
}

TEST_VIRTUAL(trace_tells_two_streams_of_a_connection_apart)
{
    HTTP2_SERVER server = {0};
    WHORL_AUTO(http_session) *session = http2_session(&server);
    struct job slow = {session, "http://a.test/slow"}, quick = {session, "http://a.test/body/x"};
    WHORL_AUTO(group) group = {0};

    CHECK_OK(get(session, "http://a.test/body/first"));
    steps();
    CHECK_OK(whorl_spawn(&group, get_job, &slow));
    CHECK_OK(whorl_spawn(&group, get_job, &quick));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(steps(), "2:reuse 2:request head 2:sent(0) 3:reuse 3:request head 3:sent(0) "
                       "3:response head(200) 3:kept 3:end 2:response head(200) 2:kept 2:end");
    CHECK_EQ(trace.info.conn, 1);
    CHECK_EQ(trace.info.first_byte_ns, 2 * WHORL_SECOND);
}

TEST_VIRTUAL(trace_of_a_stream_that_the_server_refuses)
{
    HTTP2_SERVER server = {0};
    WHORL_AUTO(http_session) *session = http2_session(&server);

    CHECK_OK(get(session, "http://a.test/body/first"));
    steps();
    server.refuse = 1;
    CHECK_OK(get(session, "http://a.test/body/x"));
    CHECK_STR(steps(), "2:reuse 2:request head 2:sent(0) 2:retry(WHORL_EHTTP_REFUSED) 2:kept "
                       "2:reuse 2:request head 2:sent(0) 2:response head(200) 2:kept 2:end");
    CHECK_EQ(trace.info.retries, 1);
}

TEST_VIRTUAL(trace_of_a_cancelled_stream_keeps_the_connection)
{
    HTTP2_SERVER server = {0};
    WHORL_AUTO(http_session) *session = http2_session(&server);
    struct whorl_scope scope;

    whorl_scope_enter_timeout(&scope, WHORL_SECOND);
    int err = get(session, "http://a.test/never");
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    CHECK_STR(steps(), "1:open(first) 1:ready(HTTP/2) 1:request head 1:sent(0) 1:kept "
                       "1:end(ECANCELED)");
    CHECK_OK(get(session, "http://a.test/body/x"));
    CHECK_STR(steps(), "2:reuse 2:request head 2:sent(0) 2:response head(200) 2:kept 2:end");
}

TEST_VIRTUAL(trace_says_that_the_server_has_ended_the_http2_connection)
{
    HTTP2_SERVER server = {.goaway_after = 1};
    WHORL_AUTO(http_session) *session = http2_session(&server);

    CHECK_OK(get(session, "http://a.test/body/first"));
    steps();
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_OK(get(session, "http://a.test/body/x"));
    CHECK(strstr(trace.text, "2:open(ended)") || strstr(trace.text, "2:open(refused)"));
}

TEST_MAIN()

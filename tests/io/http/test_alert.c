/* SPDX-License-Identifier: MIT */
/* Servers of TLS 1.3 that refuse a client after its handshake is complete, with an alert. */
#include <whorl/group.h>
#include <whorl/http.h>
#include <whorl/stream.h>
#include <whorl/tls.h>

#include "certs.h"
#include "io/http/http2_conn.h"
#include "memstream.h"
#include "test.h"
#include "tls13_server.h"

struct refusal {
    struct whorl_stream *stream;
    bool is_http2;
};

/* A server that requires a certificate of the client. */
static int refuse(void *arg)
{
    const struct refusal *refusal = arg;
    struct tls13_server_options options = {.client_ca = "ca.pem",
                                           .alpn = refusal->is_http2 ? "h2" : NULL};
    struct tls_server *server = tls13_server_create(refusal->stream, &options);

    CHECK_ERR(tls_server_handshake(server), -EPROTO);
    tls_server_destroy(server);
    return 0;
}

static bool is_slow; /* the alert arrives before the request is sent */
static int dialled;

static WHORL_SUSPENDS int dial(void *arg, const char *host, uint16_t port,
                               struct whorl_error *error, struct whorl_stream **ret)
{
    struct refusal refusal = {.is_http2 = *(bool *)arg};

    (void)host, (void)port, (void)error;
    dialled++;
    CHECK_OK(memstream_pair(ret, &refusal.stream));
    memstream_yield(*ret, is_slow);
    CHECK_OK(whorl_spawn_copy(whorl_root_group(), refuse, &refusal));
    return 0;
}

static WHORL_SUSPENDS_SHIELDED void check_refused(bool is_http2, const struct whorl_http_body *body)
{
    static const char *const alpn[] = {"h2", "http/1.1", NULL};
    struct whorl_tls_options tls = {
        .ca_file = cert_path("ca.pem"), .alpn = alpn, .library = WHORL_TLS_OPENSSL};
    WHORL_AUTO(tls_config) *config = NULL;
    WHORL_AUTO(http_session) *session = NULL;
    struct whorl_http_response *response;
    struct whorl_error error;
    struct whorl_http_request request = {.url = "https://localhost/", .method = "POST"};

    CHECK_OK(whorl_tls_config_create(&tls, NULL, &config));
    struct whorl_http_session_options options = {.tls = config,
                                                 .dialer = {.dial = dial, .arg = &is_http2}};
    CHECK_OK(whorl_http_session_create(&options, &session));
    request.body = *body;
    CHECK_ERR(whorl_http_do(session, &request, &error, &response), WHORL_ETLS_ALERT);
    CHECK_STR(error.step, "response");
    CHECK_STR(error.text, "localhost:443: the server sent alert certificate_required (116)");
    CHECK_EQ(dialled, 1);
    dialled = 0;
}

TEST_VIRTUAL(alert_after_the_handshake_is_named)
{
    static char data[200000];
    static const int64_t lens[] = {0, 10, sizeof data};

    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        struct whorl_http_body body = {.data = lens[i] ? data : NULL, .len = lens[i]};
        check_refused(false, &body);
    }
}

TEST_VIRTUAL(alert_that_ends_an_http2_connection_is_named)
{
    struct whorl_http_body body = {0};

    if (!http2_conn_is_supported())
        test_skip("whorl was built without HTTP/2");
    check_refused(true, &body);
    is_slow = true; /* the request has not been sent, but another connection would not help */
    check_refused(true, &body);
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT */
/* Servers that refuse TLS 1.2: the session connects to them again, with OpenSSL. */
#include <stdlib.h>

#include <whorl/dial.h>
#include <whorl/http.h>
#include <whorl/tls.h>

#include "certs.h"
#include "faults.h"
#include "io/http/http2_conn.h"
#include "io/http/upgrades.h"
#include "nginx.h"
#include "test.h"

/* A session that counts its dials. */
struct client {
    struct whorl_http_session *session;
    int dials;
    enum whorl_http_version version; /* of the last response */
    struct whorl_error error;
};

static WHORL_SUSPENDS int count_dial(void *arg, const char *host, uint16_t port,
                                     struct whorl_error *error, struct whorl_stream **ret)
{
    struct client *client = arg;

    client->dials++;
    return whorl_dial_stream(host, port, NULL, error, ret);
}

static void client_init(struct client *client, struct whorl_tls_options tls)
{
    struct whorl_tls_config *config;

    tls.ca_file = tls.ca_file ? tls.ca_file : cert_path("ca.pem");
    CHECK_OK(whorl_tls_config_create(&tls, NULL, &config));
    *client = (struct client){0};
    struct whorl_http_session_options options = {.tls = config,
                                                 .dialer = {.dial = count_dial, .arg = client}};
    CHECK_OK(whorl_http_session_create(&options, &client->session));
    whorl_tls_config_destroy(config);
}

/* Requests a page that does not exist. Returns the result, and sets `dials` for this request. */
static WHORL_SUSPENDS int get(struct client *client, const char *host, struct nginx *nginx)
{
    struct whorl_http_response *response = NULL;
    char url[100];

    snprintf(url, sizeof url, "https://%s:%u/", host, nginx_tls_port(nginx));
    struct whorl_http_request request = {.url = url};
    client->dials = 0;
    int err = whorl_http_do(client->session, &request, &client->error, &response);
    if (err == 0)
        client->version = whorl_http_response_version(response);
    whorl_http_response_close(response);
    whorl_http_session_close_idle(client->session);
    return err;
}

TEST_IO(server_that_refuses_tls_1_2_is_reached_and_remembered)
{
    struct nginx *nginx = nginx_start(&(struct nginx_options){.protocols = "TLSv1.3"});
    struct client client;

    client_init(&client, (struct whorl_tls_options){0});
    CHECK_OK(get(&client, "localhost", nginx));
    CHECK_EQ(client.dials, 2);
    CHECK_OK(get(&client, "localhost", nginx));
    CHECK_EQ(client.dials, 1);
    CHECK_OK(get(&client, "127.0.0.1", nginx)); /* another origin */
    CHECK_EQ(client.dials, 2);
    CHECK_OK(get(&client, "127.0.0.1", nginx));
    CHECK_EQ(client.dials, 1);
    whorl_http_session_destroy(client.session);
}

TEST_IO(refused_attempt_leaves_no_error_after_a_successful_upgrade)
{
    struct nginx *nginx = nginx_start(&(struct nginx_options){.protocols = "TLSv1.3"});
    struct client client;

    client_init(&client, (struct whorl_tls_options){0});
    client.error = (struct whorl_error){.code = 1, .step = "before", .text = "as it was"};
    CHECK_OK(get(&client, "localhost", nginx));
    CHECK_EQ(client.dials, 2);
    CHECK_EQ(client.error.code, 1);
    CHECK_STR(client.error.step, "before");
    CHECK_STR(client.error.text, "as it was");
    whorl_http_session_destroy(client.session);
}

TEST_IO(upgraded_connection_speaks_http2)
{
    static const char *const alpn[] = {"h2", "http/1.1", NULL};
    struct nginx *nginx =
        nginx_start(&(struct nginx_options){.protocols = "TLSv1.3", .http2 = true});
    struct client client;

    if (!http2_conn_is_supported())
        test_skip("whorl was built without HTTP/2");
    client_init(&client, (struct whorl_tls_options){.alpn = alpn});
    CHECK_OK(get(&client, "localhost", nginx));
    CHECK_EQ(client.dials, 2);
    CHECK_EQ(client.version, WHORL_HTTP_2);
    CHECK_OK(get(&client, "localhost", nginx));
    CHECK_EQ(client.dials, 1);
    CHECK_EQ(client.version, WHORL_HTTP_2);
    whorl_http_session_destroy(client.session);
}

TEST_IO(server_that_speaks_tls_1_2_needs_no_second_connection)
{
    struct nginx *old = nginx_start(&(struct nginx_options){.protocols = "TLSv1.2"});
    struct nginx *both = nginx_start(&(struct nginx_options){.protocols = "TLSv1.2 TLSv1.3"});
    struct client client;

    client_init(&client, (struct whorl_tls_options){0});
    CHECK_OK(get(&client, "localhost", old));
    CHECK_EQ(client.dials, 1);
    CHECK_OK(get(&client, "localhost", both));
    CHECK_EQ(client.dials, 1);
    whorl_http_session_destroy(client.session);
}

TEST_IO(forced_library_is_kept)
{
    struct nginx *nginx = nginx_start(&(struct nginx_options){.protocols = "TLSv1.3"});
    struct client client;

    client_init(&client, (struct whorl_tls_options){.library = WHORL_TLS_BEARSSL});
    CHECK_ERR(get(&client, "localhost", nginx), WHORL_ETLS_VERSION);
    CHECK_EQ(client.dials, 1);
    CHECK(strstr(client.error.text, "it does not speak TLS 1.2"));
    whorl_http_session_destroy(client.session);
    client_init(&client, (struct whorl_tls_options){.library = WHORL_TLS_OPENSSL});
    CHECK_OK(get(&client, "localhost", nginx));
    CHECK_EQ(client.dials, 1);
    whorl_http_session_destroy(client.session);
}

TEST_IO(oldest_version_is_never_undercut)
{
    struct nginx *nginx = nginx_start(&(struct nginx_options){.protocols = "TLSv1.2"});
    struct client client;

    client_init(&client, (struct whorl_tls_options){.version_min = WHORL_TLS_1_3});
    CHECK_ERR(get(&client, "localhost", nginx), WHORL_ETLS_VERSION);
    CHECK_EQ(client.dials, 1);
    CHECK(strstr(client.error.text, "it does not speak TLS 1.3"));
    whorl_http_session_destroy(client.session);
}

TEST_IO(upgraded_connection_checks_the_certificate)
{
    struct nginx *nginx =
        nginx_start(&(struct nginx_options){.protocols = "TLSv1.3", .cert = "expired"});
    struct client client;

    client_init(&client, (struct whorl_tls_options){0});
    CHECK_ERR(get(&client, "localhost", nginx), WHORL_ETLS_EXPIRED);
    CHECK_EQ(client.dials, 2);
    CHECK_ERR(get(&client, "localhost", nginx), WHORL_ETLS_EXPIRED);
    CHECK_EQ(client.dials, 2); /* what failed is not remembered */
    whorl_http_session_destroy(client.session);
}

TEST(memory_for_origins_is_bounded)
{
    struct http_upgrades upgrades = {0};
    long live = faults_live();
    char host[20];

    for (int i = 0; i < 3 * HTTP_UPGRADES_MAX; i++) {
        snprintf(host, sizeof host, "h%d.test", i);
        for (int k = 0; k < 2; k++)
            http_upgrades_add(&upgrades, host, 443);
        CHECK(http_upgrades_has(&upgrades, host, 443));
        CHECK(!http_upgrades_has(&upgrades, host, 8443));
        CHECK(faults_live() - live <= HTTP_UPGRADES_MAX);
    }
    CHECK(http_upgrades_has(&upgrades, "h128.test", 443));
    CHECK(!http_upgrades_has(&upgrades, "h127.test", 443));
    http_upgrades_finish(&upgrades);
    CHECK_EQ(faults_live(), live);
}

TEST_MAIN()

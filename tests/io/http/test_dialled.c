/* SPDX-License-Identifier: MIT */
/* The options of dialling in HTTP: of sessions and requests, with TLS, HTTP/2, Unix sockets and
 * proxies, and which requests share a connection. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <whorl/dial.h>
#include <whorl/http.h>
#include <whorl/task.h>
#include <whorl/tls.h>

#include "certs.h"
#include "faults.h"
#include "nginx.h"
#include "ports.h"
#include "proxies.h"
#include "test.h"

static struct whorl_error error;

/* nginx says which host it was asked for, with which version, and from which address. It also
 * listens on Unix sockets in test_tmpdir(): "plain", "http2" without TLS, and "tls". */
static struct nginx *start_nginx(void)
{
    char conf[600];

    snprintf(conf, sizeof conf,
             "listen unix:%s/plain; listen unix:%s/http2 http2; listen unix:%s/tls ssl http2;\n"
             "location / { return 200 \"$http_host $server_protocol $remote_addr\"; }",
             test_tmpdir(), test_tmpdir(), test_tmpdir());
    return nginx_start(&(struct nginx_options){.server_conf = conf, .http2 = true});
}

/* Sets the certificates that the options trust. */
static struct whorl_tls_config *trust(struct whorl_http_session_options *options)
{
    static const char *const alpn[] = {"h2", "http/1.1", NULL};
    struct whorl_tls_options tls = {.ca_file = cert_path("ca.pem"), .alpn = alpn};
    struct whorl_tls_config *config;

    CHECK_OK(whorl_tls_config_create(&tls, NULL, &config));
    return options->tls = config;
}

static struct whorl_http_session *session_of(const struct whorl_dial_options *dial,
                                             const char *proxy)
{
    struct whorl_http_session_options options = {.dial = dial, .proxy = {.url = proxy}};
    struct whorl_http_session *session;

    WHORL_AUTO(tls_config) *config = trust(&options);
    CHECK(config);
    CHECK_OK(whorl_http_session_create(&options, &session));
    return session;
}

/* Fetches and returns the body, or the name of the error. Sets `*reused`, which may be NULL. */
static WHORL_SUSPENDS_SHIELDED const char *get(struct whorl_http_session *session, const char *url,
                                               const struct whorl_dial_options *dial, bool *reused)
{
    static char text[200];
    struct whorl_http_request request = {.url = url, .dial = dial};
    WHORL_AUTO(http_response) *response = NULL;
    struct whorl_http_timing timing;
    char *body = NULL;

    error.code = 0;
    int err = whorl_http_do(session, &request, &error, &response);
    if (err) {
        CHECK_ERR(error.code, err);
        return whorl_error_name(err);
    }
    CHECK_OK(whorl_http_response_read_to_end(response, sizeof text - 1, &body, NULL));
    snprintf(text, sizeof text, "%s", body);
    free(body);
    whorl_http_response_get_timing(response, &timing);
    if (reused)
        *reused = timing.reused;
    return text;
}

/* A text with a port in it. Valid for the next 15 calls. */
static const char *with_port(const char *format, unsigned port)
{
    static char texts[16][200];
    static int next;
    char *text = texts[next++ % 16];

    snprintf(text, sizeof texts[0], format, port);
    return text;
}

/* The path of a Unix socket of nginx. Valid until the next call. */
static const char *unix_path(const char *name)
{
    static char path[100];

    snprintf(path, sizeof path, "%s/%s", test_tmpdir(), name);
    return path;
}

TEST_IO(the_session_has_options_and_a_request_may_have_others)
{
    struct nginx *nginx = start_nginx();
    const char *one = with_port("a.test:%u:127.0.0.1", nginx_port(nginx));
    const char *url = with_port("http://a.test:%u/", nginx_port(nginx));
    char *copied = strdup(one);
    struct whorl_dial_options dial = {.overrides = (const char *const[]){copied},
                                      .overrides_count = 1},
                              other = {.overrides = &one,
                                       .overrides_count = 1,
                                       .local_addr = "127.0.0.7"};
    WHORL_AUTO(http_session) *session = session_of(&dial, NULL);

    memset(copied, 'x', strlen(copied));
    free(copied);
    CHECK_STR(get(session, url, NULL, NULL),
              with_port("a.test:%u HTTP/1.1 127.0.0.1", nginx_port(nginx)));
    CHECK_STR(get(session, url, &other, NULL),
              with_port("a.test:%u HTTP/1.1 127.0.0.7", nginx_port(nginx)));
    /* A request's options are all there are: this one has no override. */
    other = (struct whorl_dial_options){.overrides_count = 0};
    CHECK(strncmp(get(session, url, &other, NULL), "WHORL_EDNS_", 11) == 0);
    CHECK_STR(error.step, "resolve");
}

static WHORL_SUSPENDS int resolve(void *arg, const char *host, uint16_t port, int family,
                                  struct whorl_addr *ret, size_t ret_max)
{
    (void)family;
    CHECK(ret_max > 0);
    CHECK_OK(whorl_yield());
    if (strcmp(host, "a.test") != 0)
        return WHORL_EDNS_NOTFOUND;
    CHECK_OK(whorl_addr_parse(arg, port, ret));
    return 1;
}

static WHORL_SUSPENDS int resolve_again(void *arg, const char *host, uint16_t port, int family,
                                        struct whorl_addr *ret, size_t ret_max)
{
    return resolve(arg, host, port, family, ret, ret_max);
}

TEST_IO(requests_share_a_connection_only_with_the_same_options)
{
    struct nginx *nginx = start_nginx();
    unsigned port = nginx_port(nginx);
    const char *url = with_port("http://a.test:%u/", port);
    const char *one = with_port("a.test:%u:127.0.0.1", port);
    const char *two = with_port("a.test:%u:127.0.0.1,127.0.0.2", port);
    const char *all = with_port("*:%u:127.0.0.1", port);
    const char *from_1 = with_port("a.test:%u HTTP/1.1 127.0.0.1", port);
    const char *from_7 = with_port("a.test:%u HTTP/1.1 127.0.0.7", port);
    const char *from_unix = with_port("a.test:%u HTTP/1.1 unix:", port);
    const char *list[] = {all, one}, *elsewhere[] = {one, "b.test:1:127.0.0.1"};
    char ip[] = "127.0.0.1", same_ip[] = "127.0.0.1";
    struct whorl_resolver resolver = {.resolve = resolve, .arg = ip};
    const struct {
        struct whorl_dial_options dial;
        const char *body;
    } different[] = {
        {{.resolver = resolver}, from_1},
        {{.resolver = {.resolve = resolve, .arg = same_ip}}, from_1},
        {{.resolver = {.resolve = resolve_again, .arg = ip}}, from_1},
        {{.resolver = resolver, .family = AF_INET}, from_1},
        {{.resolver = resolver, .delay_small_writes = true}, from_1},
        {{.resolver = resolver, .local_addr = "127.0.0.1"}, from_1},
        {{.resolver = resolver, .local_addr = "127.0.0.7"}, from_7},
        {{.resolver = resolver, .interface = "lo"}, from_1},
        {{.unix_path = unix_path("plain")}, from_unix},
        {{.overrides = &one, .overrides_count = 1}, from_1},
        {{.overrides = &two, .overrides_count = 1}, from_1},
        {{.overrides = &all, .overrides_count = 1}, from_1},
    };
    const struct whorl_dial_options same[] = {
        {.overrides = list, .overrides_count = 2}, /* the other one does not apply */
        {.overrides = elsewhere, .overrides_count = 2},
        {.overrides = &one, .overrides_count = 1, .attempt_delay_ns = 5},
    };
    WHORL_AUTO(http_session) *session = session_of(NULL, NULL);
    bool reused;

    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < sizeof different / sizeof *different; i++) {
            CHECK_STR(get(session, url, &different[i].dial, &reused), different[i].body);
            CHECK_EQ(reused, round == 1);
        }
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        CHECK_STR(get(session, url, &same[i], &reused), from_1);
        CHECK(reused);
    }
}

TEST_IO(host_and_certificate_stay_the_urls_over_a_unix_socket)
{
    struct whorl_dial_options plain = {0}, tls = {0};
    char plain_path[100], tls_path[100];
    WHORL_AUTO(http_session) *session = session_of(NULL, NULL);

    start_nginx();
    plain.unix_path = strcpy(plain_path, unix_path("plain"));
    tls.unix_path = strcpy(tls_path, unix_path("tls"));
    CHECK_STR(get(session, "http://a.test/", &plain, NULL), "a.test HTTP/1.1 unix:");
    CHECK_STR(get(session, "https://localhost:1/", &tls, NULL), "localhost:1 HTTP/2.0 unix:");
    CHECK_STR(get(session, "https://a.test/", &tls, NULL), "WHORL_ETLS_NAME");
    CHECK_STR(error.step, "TLS");
    tls.unix_path = unix_path("none");
    CHECK_STR(get(session, "https://localhost:1/", &tls, NULL), "ENOENT");
    CHECK_STR(error.step, "connect");
    CHECK(strstr(error.text, tls.unix_path));
}

TEST_IO(http2_without_tls_works_over_a_unix_socket)
{
    struct whorl_dial_options dial = {.unix_path = unix_path("http2")};
    struct whorl_http_session_options options = {.dial = &dial, .version = WHORL_HTTP_2};
    WHORL_AUTO(http_session) *session = NULL;

    start_nginx();
    CHECK_OK(whorl_http_session_create(&options, &session));
    CHECK_STR(get(session, "http://a.test/", NULL, NULL), "a.test HTTP/2.0 unix:");
}

TEST_IO(with_a_proxy_the_options_are_for_the_connection_to_it)
{
    struct nginx *nginx = start_nginx();
    unsigned proxy = proxy_start_squid(NULL), port = nginx_port(nginx);
    const char *url = with_port("http://localhost:%u/", port);
    const char *body = with_port("localhost:%u HTTP/1.1 127.0.0.1", port);
    const char *right[] = {with_port("proxy.test:%u:127.0.0.1", proxy),
                           with_port("localhost:%u:127.0.0.9", port)};
    const char *other[] = {with_port("proxy.test:%u:127.0.0.1,127.0.0.2", proxy), right[1]};
    struct whorl_dial_options dial = {.overrides = right, .overrides_count = 2};
    struct whorl_dial_options through_unix = {.unix_path = unix_path("plain")};
    WHORL_AUTO(http_session) *session = session_of(&dial, with_port("http://proxy.test:%u", proxy));
    bool reused;

    CHECK_STR(get(session, url, NULL, NULL), body);
    CHECK_STR(get(session, url, NULL, &reused), body);
    CHECK(reused);
    dial.overrides = other;
    CHECK_STR(get(session, url, &dial, &reused), body);
    CHECK(!reused);
    /* nginx takes the place of the proxy. */
    CHECK_STR(get(session, "http://a.test/", &through_unix, NULL), "a.test HTTP/1.1 unix:");
}

TEST_IO(the_server_is_resolved_with_the_options_for_a_socks5_proxy_only)
{
    struct nginx *nginx = start_nginx();
    unsigned proxy = proxy_start_microsocks(NULL), port = nginx_port(nginx);
    char ip[] = "127.0.0.1";
    const char *right = with_port("a.test:%u:127.0.0.1", port);
    const char *wrong = with_port("localhost:%u:127.0.0.9", port);
    const char *url = with_port("http://a.test:%u/", port);
    const char *body = with_port("a.test:%u HTTP/1.1 127.0.0.1", port);
    const char *local = with_port("http://localhost:%u/", port);
    struct whorl_dial_options dial = {.overrides = &right, .overrides_count = 1};
    WHORL_AUTO(http_session) *here = session_of(&dial, with_port("socks5://127.0.0.1:%u", proxy));
    WHORL_AUTO(http_session) *there = session_of(NULL, with_port("socks5h://127.0.0.1:%u", proxy));

    CHECK_STR(get(here, url, NULL, NULL), body);
    dial = (struct whorl_dial_options){.resolver = {.resolve = resolve, .arg = ip}};
    CHECK_STR(get(here, url, &dial, NULL), body);
    dial = (struct whorl_dial_options){.overrides = &wrong, .overrides_count = 1};
    CHECK_STR(get(here, local, &dial, NULL), "WHORL_EHTTP_PROXY_FAILED");
    CHECK_STR(get(there, local, &dial, NULL), with_port("localhost:%u HTTP/1.1 127.0.0.1", port));
}

static WHORL_SUSPENDS int refuse(void *arg, const char *host, uint16_t port,
                                 struct whorl_error *detail, struct whorl_stream **ret)
{
    (void)arg, (void)host, (void)port, (void)detail, (void)ret;
    return whorl_yield() ? -ECANCELED : -ECONNREFUSED;
}

TEST_IO(wrong_options_are_refused)
{
    struct whorl_dial_options wrong = {.local_addr = "here"}, right = {.local_addr = "127.0.0.1"};
    struct whorl_http_session_options options = {.dial = &wrong};
    struct whorl_http_session *none = NULL;
    WHORL_AUTO(http_session) *plain = session_of(NULL, NULL);
    WHORL_AUTO(http_session) *own = NULL;

    CHECK_ERR(whorl_http_session_create(&options, &none), -EINVAL);
    options = (struct whorl_http_session_options){.dial = &right, .dialer = {.dial = refuse}};
    CHECK_ERR(whorl_http_session_create(&options, &none), -EINVAL);
    CHECK(!none);
    CHECK_STR(get(plain, "http://127.0.0.1:1/", &wrong, NULL), "EINVAL");
    CHECK_STR(error.step, "options");
    CHECK_STR(error.text, "local_addr \"here\": not an IPv4 or IPv6 address");
    options.dial = NULL;
    CHECK_OK(whorl_http_session_create(&options, &own));
    CHECK_STR(get(own, "http://127.0.0.1:1/", &right, NULL), "EINVAL");
    CHECK_STR(error.text, "dial is set, but the session has a dialer of its own");
    CHECK_STR(get(own, "http://127.0.0.1:1/", NULL, NULL), "ECONNREFUSED");
}

/* Counts its calls in `arg`. */
static WHORL_SUSPENDS int dial_and_count(void *arg, const char *host, uint16_t port,
                                         const struct whorl_dial_options *options,
                                         struct whorl_error *detail, struct whorl_stream **ret)
{
    ++*(int *)arg;
    CHECK(options);
    return whorl_dial_stream(host, port, options, detail, ret);
}

TEST_IO(a_dialer_that_takes_the_options_gets_them)
{
    int calls = 0;
    struct nginx *nginx = start_nginx();
    const char *url = with_port("http://localhost:%u/", nginx_port(nginx));
    struct whorl_dial_options dial = {.local_addr = "127.0.0.5"}, other = {.family = AF_INET};
    struct whorl_http_session_options options = {
        .dial = &dial,
        .dialer = {.dial = refuse, .dial_with = dial_and_count, .arg = &calls},
    };
    WHORL_AUTO(http_session) *session = NULL;

    CHECK_OK(whorl_http_session_create(&options, &session));
    CHECK_STR(get(session, url, NULL, NULL),
              with_port("localhost:%u HTTP/1.1 127.0.0.5", nginx_port(nginx)));
    CHECK_STR(get(session, url, &other, NULL),
              with_port("localhost:%u HTTP/1.1 127.0.0.1", nginx_port(nginx)));
    CHECK_EQ(calls, 2);
}

static int make_session(void *arg)
{
    struct whorl_http_session_options options = {.dial = arg};
    WHORL_AUTO(http_session) *session = NULL;

    return whorl_http_session_create(&options, &session);
}

TEST_IO(a_session_with_options_survives_every_failed_allocation)
{
    const char *one = "a.test:80:127.0.0.1";
    struct whorl_dial_options dial = {.overrides = &one, .overrides_count = 1};

    CHECK(faults_sweep(make_session, &dial) >= 3);
}

TEST_MAIN()

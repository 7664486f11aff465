/* SPDX-License-Identifier: MIT */
/* The ClientHello, byte by byte. */
#include <stdlib.h>

#include <whorl/group.h>
#include <whorl/tls.h>

#include "certs.h"
#include "io/tls/suites.h"
#include "memstream.h"
#include "test.h"
#include "tls_library.h"

/* A ClientHello in its record, and the positions of its parts. */
struct hello {
    unsigned char bytes[1024];
    size_t len;
    const unsigned char *suites, *extensions;
    size_t suites_len, extensions_len;
};

static unsigned u16(const unsigned char *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

struct call {
    struct whorl_stream *carrier;
    const char *host;
    const char *const *alpn;
    int err;
};

static int connect_task(void *arg)
{
    struct call *call = arg;
    struct whorl_tls_options options = {.ca_file = cert_path("ca.pem"), .alpn = call->alpn};
    struct whorl_tls_config *config;
    struct whorl_stream *stream;

    CHECK_OK(whorl_tls_config_create(&options, NULL, &config));
    call->err = whorl_tls_connect(config, call->carrier, call->host, NULL, &stream);
    whorl_tls_config_destroy(config);
    return 0;
}

static bool has_renegotiation_signal(const struct hello *hello)
{
    for (size_t i = 0; i < hello->suites_len; i += 2)
        if (u16(hello->suites + i) == 0x00ff) /* RFC 5746 */
            return true;
    return false;
}

/* Lets a client send its hello for `host` and parses it. */
static WHORL_SUSPENDS_SHIELDED void listen(struct hello *hello, const char *host,
                                           const char *const *alpn)
{
    struct whorl_stream *client, *server;
    WHORL_AUTO(group) group = {0};

    CHECK_OK(memstream_pair(&client, &server));
    struct call call = {client, host, alpn, 0};
    CHECK_OK(whorl_spawn(&group, connect_task, &call));
    ssize_t n = whorl_stream_read(server, hello->bytes, sizeof hello->bytes);
    CHECK(n > 0);
    hello->len = (size_t)n;
    whorl_stream_close(server);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_ERR(call.err, WHORL_ETLS_HANDSHAKE);
    whorl_stream_close(client);

    const unsigned char *p = hello->bytes;
    CHECK_EQ(p[0], 22);
    CHECK_EQ(u16(p + 3), hello->len - 5); /* one record */
    p += 5;
    CHECK_EQ(p[0], 1); /* one ClientHello */
    CHECK_EQ((unsigned)p[1] << 16 | u16(p + 2), hello->len - 9);
    p += 4;
    CHECK_EQ(u16(p), 0x0303); /* TLS 1.2 */
    p += 2 + 32;
    /* No session. RFC 8446 §D.4: with TLS 1.3, the id has 32 random bytes. */
    CHECK_EQ(*p, tests_use_openssl() ? 32 : 0);
    p += 1 + *p;
    hello->suites_len = u16(p);
    hello->suites = p + 2;
    p += 2 + hello->suites_len;
    CHECK_EQ(u16(p), 0x0100); /* no compression */
    p += 2;
    hello->extensions_len = u16(p);
    hello->extensions = p + 2;
    CHECK(hello->extensions + hello->extensions_len == hello->bytes + hello->len);
}

/* The contents of an extension, or NULL. */
static const unsigned char *extension(const struct hello *hello, unsigned type, size_t *ret_len)
{
    const unsigned char *p = hello->extensions, *end = p + hello->extensions_len;

    for (; p < end; p += 4 + u16(p + 2)) {
        CHECK(end - p >= 4 + (ptrdiff_t)u16(p + 2));
        if (u16(p) == type) {
            *ret_len = u16(p + 2);
            return p + 4;
        }
    }
    return NULL;
}

enum {
    EXT_SERVER_NAME = 0,
    EXT_MAX_FRAGMENT_LENGTH = 1,
    EXT_CURVES = 10,
    EXT_SIGNATURES = 13,
    EXT_ALPN = 16,
    EXT_RENEGOTIATION = 0xff01,
};

static void check_suites(const struct hello *hello, const uint16_t *expected, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < hello->suites_len; i += 2) {
        unsigned suite = u16(hello->suites + i);
        if (suite == 0x00ff) /* RFC 5746 signal */
            continue;
        CHECK(n < count);
        CHECK_EQ(suite, expected[n]);
        n++;
    }
    CHECK_EQ(n, count);
}

static const uint16_t all_aes_first[] = {0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f,
                                         0xc02c, 0xc030, 0xcca9, 0xcca8};
static const uint16_t all_chacha_first[] = {0x1303, 0x1301, 0x1302, 0xcca9, 0xcca8,
                                            0xc02b, 0xc02f, 0xc02c, 0xc030};
static const uint16_t aes_first[] = {0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8};
static const uint16_t chacha_first[] = {0xcca9, 0xcca8, 0xc02b, 0xc02f, 0xc02c, 0xc030};

TEST_VIRTUAL(hello_offers_ecdhe_with_aead_and_nothing_else)
{
    bool has_aes = br_aes_x86ni_ctr_get_vtable() && br_ghash_pclmul_get();
    struct hello hello;

    listen(&hello, "example.org", NULL);
    if (tests_use_openssl())
        check_suites(&hello, has_aes ? all_aes_first : all_chacha_first, 9);
    else
        check_suites(&hello, has_aes ? aes_first : chacha_first, 6);
}

TEST(suites_depend_on_the_processor)
{
    static br_ssl_client_context client;

    suites_apply_for(&client.eng, true);
    CHECK_EQ(client.eng.suites_num, 6);
    CHECK(memcmp(client.eng.suites_buf, aes_first, sizeof aes_first) == 0);
    suites_apply_for(&client.eng, false);
    CHECK_EQ(client.eng.suites_num, 6);
    CHECK(memcmp(client.eng.suites_buf, chacha_first, sizeof chacha_first) == 0);
    CHECK_STR(suite_name(0xcca8), "ECDHE-RSA-CHACHA20-POLY1305");
    CHECK_STR(suite_name(0x002f), "unknown");
}

TEST_VIRTUAL(hello_names_the_host)
{
    struct hello hello;
    size_t len;

    listen(&hello, "Example.ORG.", NULL);
    const unsigned char *sni = extension(&hello, EXT_SERVER_NAME, &len);
    CHECK(sni);
    CHECK_EQ(len, 5 + 11);
    CHECK(memcmp(sni, "\0\016\0\0\013example.org", len) == 0);
}

TEST_VIRTUAL(hello_never_names_an_address)
{
    static const char *const literals[] = {"127.0.0.1", "::1", "2001:DB8::1", "fe80::1%eth0"};
    struct hello hello;
    size_t len;

    for (size_t i = 0; i < sizeof literals / sizeof *literals; i++) {
        listen(&hello, literals[i], NULL);
        CHECK(!extension(&hello, EXT_SERVER_NAME, &len));
    }
}

TEST_VIRTUAL(hello_asks_for_full_size_records)
{
    struct hello hello;
    size_t len;

    listen(&hello, "example.org", NULL);
    CHECK(!extension(&hello, EXT_MAX_FRAGMENT_LENGTH, &len));
}

TEST_VIRTUAL(hello_offers_protocols_in_their_order)
{
    static const char *const alpn[] = {"http/1.1", "x", NULL};
    struct hello hello;
    size_t len;

    listen(&hello, "example.org", alpn);
    const unsigned char *list = extension(&hello, EXT_ALPN, &len);
    CHECK(list);
    CHECK_EQ(len, 13);
    CHECK(memcmp(list, "\0\013\010http/1.1\001x", len) == 0);
    listen(&hello, "example.org", NULL);
    CHECK(!extension(&hello, EXT_ALPN, &len));
}

TEST_VIRTUAL(hello_accepts_no_old_signatures)
{
    struct hello hello;
    size_t len;

    listen(&hello, "example.org", NULL);
    const unsigned char *list = extension(&hello, EXT_SIGNATURES, &len);
    CHECK(list && len > 2);
    for (size_t i = 2; i < len; i += 2)
        CHECK(list[i] >= 4); /* SHA-256 and more */
    CHECK(extension(&hello, EXT_CURVES, &len));
    CHECK(extension(&hello, EXT_RENEGOTIATION, &len) || has_renegotiation_signal(&hello));
}

TEST_VIRTUAL(hello_is_fresh_each_time)
{
    struct hello a, b;

    listen(&a, "example.org", NULL);
    listen(&b, "example.org", NULL);
    CHECK(memcmp(a.bytes + 11, b.bytes + 11, 32) != 0);
}

TEST_VIRTUAL(what_is_no_host_is_refused_before_a_word)
{
    static const char *const bad[] = {"",     ".",    "a..b",      ".a",    "a b", "a/b",
                                      "*.ab", "a\nb", "b\303\274", "[::1]", "a..", "::1:"};
    struct whorl_tls_options options = {.ca_file = cert_path("ca.pem")};
    WHORL_AUTO(tls_config) *config = NULL;
    struct whorl_stream *client, *server, *stream;
    struct whorl_error error;
    char longest[300];

    CHECK_OK(whorl_tls_config_create(&options, NULL, &config));
    CHECK_OK(memstream_pair(&client, &server));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_ERR(whorl_tls_connect(config, client, bad[i], &error, &stream), WHORL_ETLS_NAME);
    CHECK_STR(error.text, "\"::1:\" is not a host name");
    memset(longest, 'a', sizeof longest);
    longest[256] = '\0';
    CHECK_ERR(whorl_tls_connect(config, client, longest, &error, &stream), WHORL_ETLS_NAME);
    CHECK_EQ(memstream_pending(server), 0);
    whorl_stream_close(server);
    longest[255] = '\0';
    CHECK_ERR(whorl_tls_connect(config, client, longest, &error, &stream), -EPIPE);
    whorl_stream_close(client);
}

TEST_MAIN()

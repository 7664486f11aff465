/* SPDX-License-Identifier: MIT */
/* A TLS server's engine and what a client sends first. The engine has no certificate, so it refuses
 * every client, which costs no public-key operation. But it must read the same host in a
 * ClientHello as tls_hello_host() does, and the result must not depend on how the bytes are cut.
 */
#include <string.h>

#include <bearssl.h>

#include "fuzz.h"
#include "io/tls/engine.h"
#include "io/tls/hello.h"
#include "io/tls/record.h"
#include "io/tls/server.h"

struct outcome {
    int code;
    size_t fed, sent;
    char host[TLS_HOST_MAX];
};

/* Gives the engine the bytes in pieces. */
static struct outcome play(const uint8_t *data, size_t len, size_t piece)
{
    static struct tls_server_config config = {.refs = 1}; /* never freed */
    struct outcome outcome = {0};
    struct tls_engine *engine;
    unsigned char out[1024];

    FUZZ_CHECK(tls_engine_create_server(&config, 0, &engine) == 0);
    const struct tls_engine_ops *ops = engine->ops;
    while (outcome.fed < len) {
        size_t left = len - outcome.fed, n = left < piece ? left : piece;
        size_t taken = ops->feed(engine, data + outcome.fed, n);
        outcome.fed += taken;
        size_t drained = ops->drain(engine, out, sizeof out);
        outcome.sent += drained;
        FUZZ_CHECK(ops->state(engine) != TLS_OPEN && !ops->readable(engine));
        if (taken == 0 && drained == 0)
            break;
    }
    if (ops->state(engine) == TLS_FAILED)
        outcome.code = ops->failure(engine, NULL);
    if (ops->sni(engine))
        strcpy(outcome.host, ops->sni(engine));
    ops->destroy(engine);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct outcome whole = play(data, len, len ? len : 1);
    struct outcome cut = play(data, len, 1 + len / 7);
    char host[TLS_HOST_MAX];
    size_t record = len < TLS_RECORD_HEADER ? 0 : (size_t)data[3] << 8 | data[4];

    FUZZ_CHECK(whole.code == cut.code && whole.sent == cut.sent);
    FUZZ_CHECK(strcmp(whole.host, cut.host) == 0);
    if (len >= TLS_RECORD_HEADER + record && whole.host[0] &&
        tls_hello_host(data + TLS_RECORD_HEADER, record, host))
        FUZZ_CHECK(strcmp(whole.host, host) == 0);
    return 0;
}

/* Uses a ClientHello for the host, with a fixed random. */
static void use_hello(void (*use)(void *ctx, const void *seed, size_t len), void *ctx,
                      const char *host, size_t suites)
{
    static br_ssl_client_context client;
    static br_x509_minimal_context x509;
    static unsigned char buffer[BR_SSL_BUFSIZE_BIDI];
    unsigned char hello[1024];
    size_t len;

    br_ssl_client_init_full(&client, &x509, NULL, 0);
    br_ssl_engine_set_buffer(&client.eng, buffer, sizeof buffer, 1);
    br_ssl_engine_inject_entropy(&client.eng, "not random", 10);
    if (suites > 0)
        client.eng.suites_num = (unsigned char)suites;
    FUZZ_CHECK(br_ssl_client_reset(&client, host, 0));
    const unsigned char *bytes = br_ssl_engine_sendrec_buf(&client.eng, &len);
    FUZZ_CHECK(bytes && len > 43 && len <= sizeof hello);
    memcpy(hello, bytes, len);
    memset(hello + 11, 'r', 32);
    use(ctx, hello, len);
}

void fuzz_seeds(void (*use)(void *ctx, const void *seed, size_t len), void *ctx)
{
    use_hello(use, ctx, "a.test", 0);
    use_hello(use, ctx, "LONG.name.of-a-host.test.", 4);
    use_hello(use, ctx, NULL, 2);
    use(ctx, "\x15\x03\x03\x00\x02\x02\x28", 7);
}

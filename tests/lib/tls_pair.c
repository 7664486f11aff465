/* SPDX-License-Identifier: MIT */
/* A TLS client and a server, connected in memory. */
#include "tls_pair.h"

#include <stdlib.h>
#include <string.h>

#include <whorl/group.h>

#include "certs.h"
#include "faults.h"
#include "memstream.h"
#include "test.h"
#include "tls_library.h"

struct whorl_tls_config *tls_pair_config(const char *const *alpn)
{
    struct whorl_tls_options options = {.ca_file = cert_path("ca.pem"), .alpn = alpn};
    struct whorl_tls_config *config;

    CHECK_OK(whorl_tls_config_create(&options, NULL, &config));
    return config;
}

void tls_pair_init(struct tls_pair *pair, const struct tls_server_options *options,
                   const char *const *alpn)
{
    tls_pair_init_client(pair, tls_pair_config(alpn));
    pair->server = tls_server_create(pair->far, options);
}

void tls_pair_init_client(struct tls_pair *pair, struct whorl_tls_config *config)
{
    memset(pair, 0, sizeof *pair);
    pair->config = config;
    CHECK_OK(memstream_pair(&pair->carrier, &pair->far));
}

WHORL_SUSPENDS_SHIELDED void tls_pair_connect(struct tls_pair *pair)
{
    tls_pair_connect_to(pair, "localhost");
}

WHORL_SUSPENDS_SHIELDED void tls_pair_connect_to(struct tls_pair *pair, const char *host)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, tls_pair_handshake, pair));
    pair->err = whorl_tls_connect(pair->config, pair->carrier, host, &pair->error, &pair->tls);
    if (pair->err) {
        whorl_stream_close(pair->carrier);
        pair->carrier = NULL;
    }
    CHECK_OK(whorl_group_wait(&group));
}

WHORL_SUSPENDS_SHIELDED void tls_pair_open(struct tls_pair *pair)
{
    tls_pair_init(pair, NULL, NULL);
    tls_pair_connect(pair);
    CHECK_OK(pair->err);
}

void tls_pair_finish(struct tls_pair *pair)
{
    whorl_stream_close(pair->tls);
    tls_server_destroy(pair->server);
    whorl_tls_config_destroy(pair->config);
    CHECK_EQ(memstream_alive(), 0);
}

/* --- tasks of the server ---------------------------------------------------------------------- */

int tls_pair_handshake(void *arg)
{
    struct tls_pair *pair = arg;

    pair->server_err = tls_server_handshake(pair->server);
    if (pair->server_err && pair->hangs_up)
        test_ignore(whorl_stream_close_write(pair->far));
    return 0;
}

int tls_pair_echo(void *server)
{
    char buf[4096];
    ssize_t n = tls_server_handshake(server);

    while (n == 0 && (n = tls_server_read(server, buf, sizeof buf)) > 0)
        n = tls_server_write(server, buf, (size_t)n);
    return 0;
}

int tls_pair_echo_or_fail(void *server)
{
    CHECK_OK(tls_server_handshake(server));
    return tls_pair_echo(server);
}

/* --- data ------------------------------------------------------------------------------------- */

void tls_pair_fill(unsigned char *buf, size_t len, unsigned seed)
{
    for (size_t i = 0; i < len; i++)
        buf[i] = (unsigned char)((seed = seed * 1103515245 + 12345) >> 8);
}

WHORL_SUSPENDS_SHIELDED void tls_pair_check_echo(struct whorl_stream *tls, size_t len)
{
    unsigned char *sent = malloc(len), *got = malloc(len);

    CHECK(sent && got);
    tls_pair_fill(sent, len, (unsigned)len);
    CHECK_OK(whorl_stream_write(tls, sent, len));
    CHECK_OK(whorl_stream_read_exact(tls, got, len));
    CHECK(memcmp(sent, got, len) == 0);
    free(sent);
    free(got);
}

/* --- cancellation ----------------------------------------------------------------------------- */

void tls_countdown_call(void *arg)
{
    struct tls_countdown *countdown = arg;

    if (++countdown->calls == countdown->at)
        whorl_scope_cancel(countdown->scope);
}

static WHORL_SUSPENDS int converse(struct tls_pair *pair)
{
    enum { LEN = 40000 };
    static unsigned char sent[LEN], got[LEN];
    int err = whorl_tls_connect(pair->config, pair->carrier, "localhost", &pair->error, &pair->tls);

    tls_pair_fill(sent, LEN, 3);
    if (err == 0)
        err = whorl_stream_write(pair->tls, sent, LEN);
    if (err == 0)
        err = whorl_stream_read_exact(pair->tls, got, LEN);
    if (err == 0) {
        CHECK(memcmp(sent, got, LEN) == 0);
        err = whorl_stream_close_write(pair->tls);
    }
    return err;
}

/* --- tests that hold for every kind of server ------------------------------------------------- */

WHORL_SUSPENDS_SHIELDED void tls_pair_check_chunking(tls_pair_init_fn init)
{
    static const size_t chunks[] = {0, 1, 5, 1000, 16384};
    static const size_t sizes[] = {1, 16383, 16384, 16385, 50000};

    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        struct tls_pair pair;
        WHORL_AUTO(group) group = {0};
        init(&pair);
        memstream_chunk(pair.carrier, chunks[i]);
        memstream_chunk(pair.far, chunks[i]);
        CHECK_OK(whorl_spawn(&group, tls_pair_echo_or_fail, pair.server));
        CHECK_OK(whorl_tls_connect(pair.config, pair.carrier, "localhost", NULL, &pair.tls));
        for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++)
            tls_pair_check_echo(pair.tls, sizes[j]);
        whorl_stream_close(pair.tls);
        pair.tls = NULL;
        CHECK_OK(whorl_group_wait(&group));
        tls_pair_finish(&pair);
    }
}

WHORL_SUSPENDS_SHIELDED void tls_pair_check_cancelling(tls_pair_init_fn init)
{
    bool reached = true;
    unsigned at;
    long live = 0; /* blocks after the first round: the runtime keeps its stacks */

    tests_start_threads();
    for (at = 1; reached; at++) {
        struct tls_pair pair;
        struct whorl_scope scope;
        struct tls_countdown countdown = {&scope, 0, at};
        struct whorl_group group = {0};
        init(&pair);
        memstream_chunk(pair.carrier, 3000);
        CHECK_OK(whorl_spawn(&group, tls_pair_echo, pair.server));
        whorl_scope_enter(&scope, WHORL_FOREVER);
        memstream_hook(pair.carrier, tls_countdown_call, &countdown);
        int err = converse(&pair);
        whorl_scope_leave(&scope, 0);
        reached = countdown.calls >= at;
        CHECK_ERR(err, reached ? -ECANCELED : 0);
        whorl_stream_close(pair.tls ? pair.tls : pair.carrier);
        pair.tls = NULL;
        CHECK_OK(whorl_group_wait(&group));
        tls_pair_finish(&pair);
        live = live ? live : faults_live();
        CHECK_EQ(faults_live(), live);
    }
    CHECK(at > 20);
}

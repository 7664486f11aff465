/* SPDX-License-Identifier: MIT */
/* A TLS client and a server, connected in memory. */
#include "tls_pair.h"

#include <stdlib.h>
#include <string.h>

#include <whorl/group.h>

#include "certs.h"
#include "memstream.h"
#include "test.h"

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
    memset(pair, 0, sizeof *pair);
    pair->config = tls_pair_config(alpn);
    CHECK_OK(memstream_pair(&pair->carrier, &pair->far));
    pair->server = tls_server_create(pair->far, options);
}

WHORL_SUSPENDS_SHIELDED void tls_pair_connect(struct tls_pair *pair)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, tls_pair_handshake, pair));
    pair->err =
        whorl_tls_connect(pair->config, pair->carrier, "localhost", &pair->error, &pair->tls);
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

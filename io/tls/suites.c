/* SPDX-License-Identifier: MIT */
/* The cipher suites: ephemeral elliptic-curve key exchanges with authenticated encryption only. */
#include "io/tls/suites.h"

#include <pthread.h>
#include <stddef.h>

static const struct {
    uint16_t suite;
    const char *name;
} names[] = {
    {BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256"},
    {BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384"},
    {BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305"},
};

static const uint16_t aes_first[] = {
    BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
};

static const uint16_t chacha_first[] = {
    BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
};

bool suites_prefer_aes(void)
{
    return (br_aes_x86ni_ctr_get_vtable() && br_ghash_pclmul_get()) ||
           (br_aes_pwr8_ctr_get_vtable() && br_ghash_pwr8_get());
}

void suites_apply_for(br_ssl_engine_context *engine, bool has_aes)
{
    br_ssl_engine_set_versions(engine, BR_TLS12, BR_TLS12);
    if (has_aes)
        br_ssl_engine_set_suites(engine, aes_first, sizeof aes_first / sizeof *aes_first);
    else
        br_ssl_engine_set_suites(engine, chacha_first, sizeof chacha_first / sizeof *chacha_first);
    /* The hashes also determine the signature algorithms that are offered: no SHA-1, no MD5. */
    br_ssl_engine_set_hash(engine, br_sha256_ID, &br_sha256_vtable);
    br_ssl_engine_set_hash(engine, br_sha384_ID, &br_sha384_vtable);
    br_ssl_engine_set_hash(engine, br_sha512_ID, &br_sha512_vtable);
    br_ssl_engine_set_prf_sha256(engine, &br_tls12_sha256_prf);
    br_ssl_engine_set_prf_sha384(engine, &br_tls12_sha384_prf);
    br_ssl_engine_set_default_rsavrfy(engine);
    br_ssl_engine_set_default_ecdsa(engine);
    br_ssl_engine_set_default_aes_gcm(engine);
    br_ssl_engine_set_default_chapol(engine);
    br_ssl_engine_add_flags(engine, BR_OPT_NO_RENEGOTIATION | BR_OPT_FAIL_ON_ALPN_MISMATCH);
}

/* An engine that is set up. BearSSL identifies the processor for each algorithm that it chooses,
 * and the instruction for that takes tens of microseconds in a virtual machine. */
static br_ssl_engine_context model;
static pthread_once_t model_once = PTHREAD_ONCE_INIT;

static void make_model(void)
{
    suites_apply_for(&model, suites_prefer_aes());
    /* The caller seeds the engine. This keeps BearSSL from asking the processor for more. */
    model.rng_os_rand_done = 1;
}

void suites_apply(br_ssl_engine_context *engine)
{
    pthread_once(&model_once, make_model);
    *engine = model;
}

const char *suite_name(uint16_t suite)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].suite == suite)
            return names[i].name;
    return "unknown";
}

/* SPDX-License-Identifier: MIT */
/* The cipher suites that clients offer and servers accept, and the BearSSL algorithms for them. */
#ifndef IO_TLS_SUITES_H
#define IO_TLS_SUITES_H

#include <bearssl.h>

#include <whorl/base.h>

/* Sets the version, suites, algorithms and flags of a zeroed client or server, before anything else
 * is set. The caller then seeds it. Prefers AES-GCM to ChaCha20 when the processor has instructions
 * for both AES and GHASH. */
void suites_apply(br_ssl_engine_context *engine);

/* Whether the processor has instructions for AES and for GHASH. Without both, BearSSL's
 * constant-time AES-GCM is several times slower than its ChaCha20. */
bool suites_prefer_aes(void);

/* suites_apply() for a given kind of processor. */
void suites_apply_for(br_ssl_engine_context *engine, bool has_aes);

/* The name of a suite, such as "ECDHE-RSA-AES128-GCM-SHA256"; "unknown" when it is not offered. */
const char *suite_name(uint16_t suite);

#endif

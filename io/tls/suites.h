/* SPDX-License-Identifier: MIT */
/* The cipher suites offered, and what a BearSSL client needs to carry them out. */
#ifndef IO_TLS_SUITES_H
#define IO_TLS_SUITES_H

#include <bearssl.h>

#include <whorl/base.h>

/* Sets version, suites, algorithms and flags of a zeroed client. Offers AES-GCM before ChaCha20 when
 * the processor has instructions for both halves of it, else after. */
void suites_apply(br_ssl_client_context *client);

/* suites_apply() for a given kind of processor. */
void suites_apply_for(br_ssl_client_context *client, bool has_aes);

/* "ECDHE-RSA-AES128-GCM-SHA256"; "unknown" for one we do not offer. */
const char *suite_name(uint16_t suite);

#endif

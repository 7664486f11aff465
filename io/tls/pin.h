/* SPDX-License-Identifier: MIT */
/* Pins: hashes of public keys, as in "sha256//BASE64". */
#ifndef IO_TLS_PIN_H
#define IO_TLS_PIN_H

#include <whorl/error.h>

struct tls_cert;

enum { TLS_PIN_LEN = 32 };

/* The length of a pin as text, with its terminating zero. */
enum { TLS_PIN_TEXT_SIZE = 8 + 44 + 1 };

/* Parses a NULL-terminated list; NULL: none. Returns 0, -EINVAL, or -ENOMEM. */
int tls_pins_parse(const char *const *texts, struct whorl_error *error,
                   unsigned char (**ret)[TLS_PIN_LEN], size_t *ret_count);

/* The pin of the key of a certificate. */
void tls_pin_of(const struct tls_cert *cert, unsigned char pin[TLS_PIN_LEN]);

/* Writes a pin as text. */
void tls_pin_format(const unsigned char pin[TLS_PIN_LEN], char text[TLS_PIN_TEXT_SIZE]);

#endif

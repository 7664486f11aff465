/* SPDX-License-Identifier: MIT */
/* Pins (RFC 7469 §2.4: the hash of the SubjectPublicKeyInfo), with base64 (RFC 4648 §4). */
#include "io/tls/pin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bearssl.h>

#include "io/tls/cert.h"

enum { BASE64_LEN = 44 };

static const char prefix[] = "sha256//";
static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void tls_pin_format(const unsigned char pin[TLS_PIN_LEN], char text[TLS_PIN_TEXT_SIZE])
{
    char *end = stpcpy(text, prefix);

    for (size_t i = 0; i < TLS_PIN_LEN; i += 3) {
        unsigned bits = (unsigned)pin[i] << 16 | (unsigned)pin[i + 1] << 8;
        if (i + 2 < TLS_PIN_LEN)
            bits |= pin[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            *end++ = digits[bits >> shift & 63];
    }
    strcpy(end - 1, "="); /* the last group has two bytes */
}

static bool parse(const char *text, unsigned char pin[TLS_PIN_LEN])
{
    unsigned char bytes[BASE64_LEN / 4 * 3];
    char again[TLS_PIN_TEXT_SIZE];

    if (strlen(text) != TLS_PIN_TEXT_SIZE - 1)
        return false;
    const char *base64 = text + sizeof prefix - 1;
    for (size_t i = 0; i < BASE64_LEN; i += 4) {
        unsigned bits = 0;
        for (size_t k = 0; k < 4; k++) {
            const char *digit = strchr(digits, base64[i + k]);
            bits = bits << 6 | (digit ? (unsigned)(digit - digits) : 0);
        }
        for (size_t k = 0; k < 3; k++)
            bytes[i / 4 * 3 + k] = (unsigned char)(bits >> (16 - 8 * k));
    }
    memcpy(pin, bytes, TLS_PIN_LEN);
    /* This finds wrong digits, and bits that do not count. */
    tls_pin_format(pin, again);
    return strcmp(text, again) == 0;
}

int tls_pins_parse(const char *const *texts, struct whorl_error *error,
                   unsigned char (**ret)[TLS_PIN_LEN], size_t *ret_count)
{
    size_t count = 0;

    while (texts && texts[count])
        count++;
    if (count == 0)
        return 0;
    unsigned char(*pins)[TLS_PIN_LEN] = malloc(count * sizeof *pins);
    if (!pins)
        return whorl_error_set(error, -ENOMEM, "TLS", "out of memory");
    for (size_t i = 0; i < count; i++)
        if (!parse(texts[i], pins[i])) {
            free(pins);
            return whorl_error_set(error, -EINVAL, "TLS",
                                   "pin \"%.80s\" is not sha256// with 44 characters of base64",
                                   texts[i]);
        }
    *ret = pins;
    *ret_count = count;
    return 0;
}

void tls_pin_of(const struct tls_cert *cert, unsigned char pin[TLS_PIN_LEN])
{
    br_sha256_context sha256;

    br_sha256_init(&sha256);
    br_sha256_update(&sha256, cert->public_key.data, cert->public_key.len);
    br_sha256_out(&sha256, pin);
}

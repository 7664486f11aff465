/* SPDX-License-Identifier: MIT */
/* The position of the next received byte in its record. The engines track it, because the libraries
 * have no function that says whether a record is incomplete. */
#ifndef IO_TLS_RECORD_H
#define IO_TLS_RECORD_H

#include <whorl/base.h>

enum { TLS_RECORD_HEADER = 5 };

/* Zero-initialised: before the first record. */
struct tls_record_position {
    unsigned char header[TLS_RECORD_HEADER];
    size_t header_len, payload_left;
};

/* Moves the position over received bytes. */
static inline void tls_record_advance(struct tls_record_position *position,
                                      const unsigned char *bytes, size_t len)
{
    while (len > 0) {
        size_t n;
        if (position->payload_left > 0) {
            n = len < position->payload_left ? len : position->payload_left;
            position->payload_left -= n;
        } else {
            n = 1;
            position->header[position->header_len++] = *bytes;
            if (position->header_len == TLS_RECORD_HEADER) {
                position->payload_left = (size_t)position->header[3] << 8 | position->header[4];
                position->header_len = 0;
            }
        }
        bytes += n;
        len -= n;
    }
}

/* Whether the last record is incomplete. */
static inline bool tls_record_is_open(const struct tls_record_position *position)
{
    return position->header_len > 0 || position->payload_left > 0;
}

#endif

/* SPDX-License-Identifier: MIT */
/* Writes the error texts of timeouts. */
#include "io/http/stage.h"

#include <stdio.h>

enum { DURATION_SIZE = 32 };

/* "1.5 s", "200 ms": exact down to a millisecond. */
static const char *duration(char text[DURATION_SIZE], int64_t ns)
{
    long long ms = (ns + WHORL_MILLISECOND / 2) / WHORL_MILLISECOND;

    if (ms < 1000)
        snprintf(text, DURATION_SIZE, "%lld ms", ms);
    else if (ms % 1000 == 0)
        snprintf(text, DURATION_SIZE, "%lld s", ms / 1000);
    else
        snprintf(text, DURATION_SIZE, "%g s", (double)ms / 1000);
    return text;
}

/* ", after 5 of 10 bytes"; "" outside the body. */
static const char *progress(char text[64], int64_t received, int64_t length)
{
    text[0] = '\0';
    if (received >= 0 && length >= 0)
        snprintf(text, 64, ", after %lld of %lld bytes", (long long)received, (long long)length);
    else if (received >= 0)
        snprintf(text, 64, ", after %lld bytes", (long long)received);
    return text;
}

const char *http_timeout_text(char text[HTTP_TIMEOUT_TEXT_SIZE], int code,
                              const struct whorl_http_timeouts *limits, int64_t received,
                              int64_t length)
{
    char wait[DURATION_SIZE], so_far[64];
    const char *format;
    int64_t limit_ns;

    switch (code) {
    case WHORL_EHTTP_QUEUE_TIMEOUT:
        format = "no connection became free within %s (queue limit)%s";
        limit_ns = limits->queue_ns;
        break;
    case WHORL_EHTTP_CONNECT_TIMEOUT:
        format = "not connected within %s (connect limit)%s";
        limit_ns = limits->connect_ns;
        break;
    case WHORL_EHTTP_TLS_TIMEOUT:
        format = "TLS handshake not finished within %s (TLS limit)%s";
        limit_ns = limits->tls_ns;
        break;
    case WHORL_EHTTP_FIRST_BYTE_TIMEOUT:
        format = "no answer within %s (first-byte limit)%s";
        limit_ns = limits->first_byte_ns;
        break;
    case WHORL_EHTTP_STALL_TIMEOUT:
        format = "nothing moved for %s (stall limit)%s";
        limit_ns = limits->stall_ns;
        break;
    case WHORL_EHTTP_SPEED_TIMEOUT:
        snprintf(text, HTTP_TIMEOUT_TEXT_SIZE, "slower than %lld bytes/s for %s (minimum speed)%s",
                 (long long)limits->speed_min, duration(wait, limits->speed_ns),
                 progress(so_far, received, length));
        return text;
    case WHORL_EHTTP_TOTAL_TIMEOUT:
        format = "not finished within %s (total limit)%s";
        limit_ns = limits->total_ns;
        break;
    default:
        return NULL;
    }
    snprintf(text, HTTP_TIMEOUT_TEXT_SIZE, format, duration(wait, limit_ns),
             progress(so_far, received, length));
    return text;
}

/* SPDX-License-Identifier: MIT */
/* What users ask of a response: status, headers, the body in parts or whole, and its end. */
#include <stdlib.h>
#include <string.h>

#include <whorl/http.h>
#include <whorl/task.h>

#include "io/http/exchange.h"
#include "io/http/session.h"

enum { ALL_MIN = 4096 }; /* first size of a body of unknown length */

int whorl_http_response_status(const struct whorl_http_response *response)
{
    return http1_status(&response->parser);
}

const char *whorl_http_response_reason(const struct whorl_http_response *response)
{
    return http1_reason(&response->parser);
}

const struct whorl_url *whorl_http_response_url(const struct whorl_http_response *response)
{
    return &response->url;
}

const char *whorl_http_response_header(const struct whorl_http_response *response, const char *name)
{
    return header_list_get(http1_headers(&response->parser), name);
}

bool whorl_http_response_header_at(const struct whorl_http_response *response, size_t index,
                                   struct whorl_http_header *ret)
{
    return header_list_at(http1_headers(&response->parser), index, ret);
}

const char *whorl_http_response_trailer(const struct whorl_http_response *response,
                                        const char *name)
{
    if (response->ahead != HTTP_AHEAD_END)
        return NULL;
    return header_list_get(http1_trailers(&response->parser), name);
}

int64_t whorl_http_response_length(const struct whorl_http_response *response)
{
    return response->decodes ? -1 : http1_content_length(&response->parser);
}

void whorl_http_response_timing(const struct whorl_http_response *response,
                                struct whorl_http_timing *ret)
{
    *ret = response->timing;
}

int64_t whorl_http_response_received(const struct whorl_http_response *response)
{
    return http1_received(&response->parser);
}

/* Reading */

int http_response_fail(struct whorl_http_response *response, int err, const char *step,
                       const char *text)
{
    return whorl_error_set(response->error, err, step, "%s:%u: %s", response->url.host,
                           response->url.port, text);
}

int http_response_latch(struct whorl_http_response *response, int err, const char *text)
{
    response->ahead = HTTP_AHEAD_ERROR;
    response->err = err;
    response->coded_len = 0;
    http_exchange_end(response);
    return http_response_fail(response, err, "body", text ? text : whorl_strerror(err));
}

/* Decodes into `buf`. Spans of coded bytes stay in the receive buffer until they are used up, and
 * nothing is received before that. */
static WHORL_SUSPENDS ssize_t read_decoded(struct whorl_http_response *r, char *buf, size_t len)
{
    struct decode *decode = &r->decode;
    ssize_t n;
    int err;

    if (r->ahead == HTTP_AHEAD_ERROR)
        return r->err;
    do {
        size_t used, got;
        err = decode_run(decode, r->coded, r->coded_len, &used, buf, len, &got);
        r->coded += used;
        r->coded_len -= used;
        if (got > 0)
            return (ssize_t)got;
        n = 1;
        if (err == 0 && r->coded_len == 0) {
            n = http_body_next(r, NULL, 0, &r->coded);
            r->coded_len = n > 0 ? (size_t)n : 0;
            if (n < 0)
                return n;
        }
    } while (err == 0 && n > 0);
    if (err == 0)
        err = decode_end(decode);
    return err ? http_response_latch(r, err, decode_reason(decode)) : 0;
}

WHORL_SUSPENDS ssize_t whorl_http_response_read(struct whorl_http_response *response, void *buf,
                                                size_t len)
{
    const char *part = NULL;
    int err = whorl_check_cancelled();
    if (err || len == 0)
        return err;
    if (response->decodes)
        return read_decoded(response, buf, len);
    ssize_t n = http_body_next(response, buf, len, &part);
    if (n > 0 && part != buf)
        memcpy(buf, part, (size_t)n);
    return n;
}

/* The size to begin with: the announced length where it is small enough to be believed, and one
 * more byte in which the end shows. */
static size_t first_size(const struct whorl_http_response *response, size_t len_max)
{
    int64_t len = whorl_http_response_length(response);
    if (len < 0 || len > HTTP_BUF_SIZE * 64)
        len = len < 0 ? ALL_MIN : HTTP_BUF_SIZE * 64;
    return (uint64_t)len < len_max ? (size_t)len : len_max;
}

WHORL_SUSPENDS int whorl_http_response_read_all(struct whorl_http_response *response,
                                                size_t len_max, char **ret, size_t *ret_len)
{
    if (len_max > SIZE_MAX / 2)
        len_max = SIZE_MAX / 2;
    if (whorl_http_response_length(response) > (int64_t)len_max)
        return http_response_latch(response, WHORL_EHTTP_BODY_TOO_LARGE, NULL);
    size_t cap = first_size(response, len_max), len = 0;
    char *buf = malloc(cap + 1);
    ssize_t n;

    if (!buf)
        return -ENOMEM;
    /* One byte more than may be kept is room to notice that there is more. */
    while ((n = whorl_http_response_read(response, buf + len, cap + 1 - len)) > 0) {
        len += (size_t)n;
        if (len > len_max) {
            n = http_response_latch(response, WHORL_EHTTP_BODY_TOO_LARGE, NULL);
            break;
        }
        if (len <= cap)
            continue;
        cap = cap > len_max / 2 ? len_max : cap * 2;
        char *grown = realloc(buf, cap + 1);
        if (!grown) {
            n = -ENOMEM;
            break;
        }
        buf = grown;
    }
    if (n < 0) {
        free(buf);
        return (int)n;
    }
    buf[len] = '\0';
    *ret = buf;
    if (ret_len)
        *ret_len = len;
    return 0;
}

void whorl_http_response_close(struct whorl_http_response *response)
{
    if (!response)
        return;
    http_body_skip(response);
    http_exchange_end(response);
    http_response_release(response);
}

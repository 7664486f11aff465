/* SPDX-License-Identifier: MIT */
/* The public functions of a response: its status, its headers, its body in parts or as a whole, and
 * its close. */
#include "io/http/response.h"

#include <stdlib.h>
#include <string.h>

#include <whorl/limiter.h>
#include <whorl/task.h>

#include "io/fd/to_end.h"
#include "runtime/base/check.h"
#include "runtime/base/run_id.h"

enum {
    SIZE_BELIEVED = 1 << 20,          /* first size of a body whose announced length is larger */
    CLOSED_MAX = HTTP_SPARES_MAX / 2, /* closed responses that WHORL_DEBUG=check keeps */
};

enum { LIMITED_MIN = 4096 }; /* bytes that are read at once, however slowly */

/* Memory */

int http_response_create(struct http_store *store, struct http_pool *pool,
                         struct whorl_http_response **ret)
{
    struct http_spare *spare = http_spares_take(&store->responses, !run_id_is_checked());
    struct whorl_http_response *response =
        spare ? container_of(spare, struct whorl_http_response, spare) : malloc(sizeof *response);
    if (!response) {
        store->responses.out--;
        return -ENOMEM;
    }
    memset(response, 0, offsetof(struct whorl_http_response, error));
    response->error.code = 0;
    response->store = store;
    response->pool = pool;
    *ret = response;
    return 0;
}

void http_response_destroy(struct whorl_http_response *response)
{
    struct http_spares *list = &response->store->responses;

    whorl_check(!response->conn);
    http_exchange_destroy(response->exchange);
    http_conn_info_release(response->conn_info);
    whorl_url_finish(&response->url);
    if (response->part.data)
        http_part_buf_drop(&response->part, response->store);
    http_part_pipe_close(response->pipe, response->store);
    if (response->decodes)
        decode_finish(&response->decode);
    response->closed = true;
    if (!http_spares_put(list, &response->spare, true))
        free(response);
    struct http_spare *oldest =
        run_id_is_checked() ? http_spares_take_oldest(list, CLOSED_MAX) : NULL;
    if (oldest)
        free(container_of(oldest, struct whorl_http_response, spare));
}

void http_responses_drain(struct http_store *store)
{
    struct http_spare *spare;
    while ((spare = http_spares_drain(&store->responses)))
        free(container_of(spare, struct whorl_http_response, spare));
}

/* Aborts when the response has been closed. This does not work if the memory was freed or reused in
 * the meantime. With WHORL_DEBUG=check the memory of the last closed responses is not reused. */
void http_response_check_open(const struct whorl_http_response *response)
{
    whorl_check_text(!response->closed, "an HTTP response was used or closed after it was closed");
}

/* What is known of the exchange */

static void fill_conn(const struct http_conn_info *conn, struct whorl_http_info *ret)
{
    ret->conn = conn->number;
    ret->peer = conn->peer;
    ret->local = conn->local;
    ret->tls_version = conn->tls_version;
    ret->tls_suite = conn->tls_suite;
    ret->tls_resumed = conn->tls_resumed;
}

/* The times of a connection that this request has opened. */
static void fill_opening(const struct whorl_http_response *r, struct whorl_http_info *ret)
{
    const struct http_conn_info *conn = r->conn_info;

    ret->dns_ns = conn ? conn->dns_ns : -1;
    ret->tls_ns = r->timing.tls_ns;
    ret->connect_ns = r->timing.connect_ns;
    if (ret->connect_ns >= 0 && ret->dns_ns > 0)
        ret->connect_ns -= ret->dns_ns;
}

static void fill_exchange(const struct whorl_http_response *r, struct whorl_http_info *ret)
{
    const struct http_exchange *x = r->exchange;
    const struct http_clock *clock = &x->clock;

    ret->first_byte_ns = clock->first_byte_ns;
    if (r->end_ns > 0 && clock->began_ns >= 0 && x->ahead == HTTP_AHEAD_END)
        ret->body_ns = r->end_ns - clock->began_ns;
    ret->sent_head = x->sent_head;
    ret->sent_body = clock->body_sent;
    ret->received_head = x->received_head;
    ret->received_body = x->received;
    ret->protocol = x->head.protocol;
    ret->unsent = x->head.status > 0 && x->unsent;
}

static void fill(const struct whorl_http_response *r, struct whorl_http_info *ret)
{
    *ret = (struct whorl_http_info){
        .request = r->watch.request,
        .queue_ns = r->timing.queue_ns,
        .dns_ns = -1,
        .connect_ns = -1,
        .tls_ns = -1,
        .first_byte_ns = -1,
        .body_ns = -1,
        .limited_ns = r->limited_ns,
        .total_ns = (r->end_ns ? r->end_ns : whorl_now()) - r->watch.start_ns,
        .reuse = r->reuse,
        .redirects = r->timing.redirects,
        .retries = r->timing.retries,
    };
    if (r->conn_info)
        fill_conn(r->conn_info, ret);
    if (!r->timing.reused)
        fill_opening(r, ret);
    if (r->exchange)
        fill_exchange(r, ret);
}

void whorl_http_response_get_info(const struct whorl_http_response *response,
                                  struct whorl_http_info *ret)
{
    http_response_check_open(response);
    fill(response, ret);
}

void http_response_tell_end(const struct whorl_http_response *r, int err,
                            const struct whorl_error *error)
{
    struct whorl_http_info info;

    if (!http_watch_is_on(&r->watch))
        return;
    fill(r, &info);
    http_watch_tell(&r->watch, r->conn_info,
                    (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_END,
                                              .err = err,
                                              .error = err && error->code == err ? error : NULL,
                                              .info = &info});
}

/* The exchange and its connection */

static void tell_release(const struct whorl_http_response *r, bool reusable,
                         enum whorl_http_reuse why)
{
    http_watch_tell(&r->watch, r->conn_info,
                    (struct whorl_http_event){
                        .kind = reusable ? WHORL_HTTP_EVENT_KEPT : WHORL_HTTP_EVENT_CLOSED,
                        .reuse = reusable ? WHORL_HTTP_REUSED : why,
                    });
}

void http_response_release(struct whorl_http_response *r, bool reusable, enum whorl_http_reuse why)
{
    if (!r->conn)
        return;
    r->conn->why = why;
    r->end_ns = whorl_now();
    if (http_watch_is_on(&r->watch) && http_conn_is_open(r->conn))
        tell_release(r, reusable, why);
    http_pool_release_at(r->pool, r->conn, reusable, r->end_ns);
    r->conn = NULL;
}

void http_response_end(struct whorl_http_response *r)
{
    if (!r->conn)
        return;
    bool reusable = http_exchange_end(r->exchange);
    http_response_release(r, reusable, r->exchange->why);
}

void http_response_settle(struct whorl_http_response *r)
{
    const struct http_exchange *x = r->exchange;

    if (!r->conn || !http_exchange_is_over(x))
        return;
    if (x->ahead == HTTP_AHEAD_ERROR) {
        r->err = x->err;
        r->error = x->error;
    }
    http_response_end(r);
}

void http_response_drop_exchange(struct whorl_http_response *r)
{
    if (!r->exchange)
        return;
    http_exchange_end(r->exchange);
    http_exchange_destroy(r->exchange);
    r->exchange = NULL;
}

/* Status and headers */

int whorl_http_response_status(const struct whorl_http_response *response)
{
    http_response_check_open(response);
    return response->exchange->head.status;
}

enum whorl_http_version whorl_http_response_version(const struct whorl_http_response *response)
{
    http_response_check_open(response);
    return response->version;
}

const char *whorl_http_response_reason(const struct whorl_http_response *response)
{
    http_response_check_open(response);
    return response->exchange->head.reason;
}

const struct whorl_url *whorl_http_response_url(const struct whorl_http_response *response)
{
    http_response_check_open(response);
    return &response->url;
}

const char *whorl_http_response_header(const struct whorl_http_response *response, const char *name)
{
    http_response_check_open(response);
    return header_list_get(response->exchange->head.headers, name);
}

bool whorl_http_response_header_at(const struct whorl_http_response *response, size_t index,
                                   struct whorl_http_header *ret)
{
    http_response_check_open(response);
    return header_list_at(response->exchange->head.headers, index, ret);
}

const char *whorl_http_response_trailer(const struct whorl_http_response *response,
                                        const char *name)
{
    http_response_check_open(response);
    if (response->err || response->exchange->ahead != HTTP_AHEAD_END)
        return NULL;
    return header_list_get(response->exchange->head.trailers, name);
}

int64_t whorl_http_response_length(const struct whorl_http_response *response)
{
    http_response_check_open(response);
    return response->decodes ? -1 : response->exchange->head.length;
}

void whorl_http_response_get_timing(const struct whorl_http_response *response,
                                    struct whorl_http_timing *ret)
{
    http_response_check_open(response);
    *ret = response->timing;
}

int64_t whorl_http_response_received(const struct whorl_http_response *response)
{
    http_response_check_open(response);
    return response->exchange->received;
}

const struct whorl_error *whorl_http_response_error(const struct whorl_http_response *response)
{
    http_response_check_open(response);
    return &response->error;
}

/* Reading */

/* Body bytes that were read, as sent by the server. */
static int64_t consumed(const struct http_exchange *x)
{
    return x->received - (x->ahead == HTTP_AHEAD_SPAN ? (int64_t)x->buffered : 0);
}

/* The body has failed permanently: fills the error, and returns the connection. From now on every
 * read returns `err`. If `text` is NULL, it is the text of `err`. Returns `err`. */
static int latch(struct whorl_http_response *r, int err, const char *text)
{
    r->err = err;
    r->coded_len = 0;
    http_exchange_latch(r->exchange, err, text);
    r->error = r->exchange->error;
    http_response_end(r);
    return err;
}

/* Takes tokens for the bytes that earlier reads have received. It is done before the next read and
 * not after one, so that a cancel loses no bytes. */
static WHORL_SUSPENDS int pay(struct whorl_http_response *r)
{
    int64_t start_ns = whorl_now();
    int err = 0;

    for (size_t i = 0; i < 2; i++) {
        struct whorl_limiter *limiter = r->limiters[i];
        while (limiter && err == 0 && r->unpaid[i] > 0) {
            uint64_t burst = limiter->burst ? limiter->burst : 1;
            uint64_t n = r->unpaid[i] < burst ? r->unpaid[i] : burst;
            err = whorl_limiter_acquire(limiter, n);
            if (err == 0)
                r->unpaid[i] -= n;
        }
    }
    r->limited_ns += whorl_now() - start_ns;
    return err;
}

/* The most bytes to read at once, so that the speed is even. */
static size_t limited_len(const struct whorl_http_response *r, size_t len)
{
    for (size_t i = 0; i < 2; i++) {
        const struct whorl_limiter *limiter = r->limiters[i];
        size_t most = limiter && limiter->burst > LIMITED_MIN ? limiter->burst : LIMITED_MIN;
        if (limiter && limiter->rate > 0 && len > most)
            len = most;
    }
    return len;
}

static WHORL_SUSPENDS ssize_t read_limited(struct whorl_http_response *r, char *buf, size_t len,
                                           const char **ret)
{
    int err = pay(r);
    if (err)
        return err;
    int64_t before = consumed(r->exchange);
    ssize_t n = http_exchange_read(r->exchange, buf, limited_len(r, len), ret);
    for (size_t i = 0; n > 0 && i < 2; i++)
        r->unpaid[i] += (uint64_t)(consumed(r->exchange) - before);
    return n;
}

static void tell_body(const struct whorl_http_response *r)
{
    http_watch_tell(
        &r->watch, r->conn_info,
        (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_BODY, .bytes = consumed(r->exchange)});
}

WHORL_SUSPENDS ssize_t http_response_read_part(struct whorl_http_response *r, char *buf, size_t len,
                                               const char **ret)
{
    if (r->err)
        return r->err;
    ssize_t n = http_response_is_limited(r) ? read_limited(r, buf, len, ret)
                                            : http_exchange_read(r->exchange, buf, len, ret);
    if (n > 0 && http_watch_is_on(&r->watch))
        tell_body(r);
    http_response_settle(r);
    return n;
}

WHORL_SUSPENDS ssize_t http_response_splice(struct whorl_http_response *r, int pipe_fd, size_t len)
{
    ssize_t n = http_exchange_splice(r->exchange, pipe_fd, len);

    if (n > 0 && http_watch_is_on(&r->watch))
        tell_body(r);
    http_response_settle(r);
    return n;
}

bool http_response_must_receive(const struct whorl_http_response *r)
{
    return r->exchange->ahead == HTTP_AHEAD_INPUT;
}

WHORL_SUSPENDS const char *http_response_take_whole(struct whorl_http_response *r, size_t *ret_len)
{
    struct http_exchange *x = r->exchange;
    const char *whole = NULL;

    *ret_len = 0;
    if (r->decodes || http_response_is_limited(r))
        return NULL;
    if (x->ahead == HTTP_AHEAD_END && x->received == 0)
        return "";
    if (x->ahead != HTTP_AHEAD_SPAN || x->received != (int64_t)x->buffered ||
        x->received != x->head.length)
        return NULL;
    *ret_len = (size_t)http_response_read_part(r, NULL, 0, &whole);
    return whole;
}

/* Decodes into `buf`. Coded bytes stay in the memory of the exchange until all of them are used,
 * and nothing more is received before that. */
static WHORL_SUSPENDS ssize_t read_decoded(struct whorl_http_response *r, char *buf, size_t len)
{
    struct decode *decode = &r->decode;
    ssize_t n;
    int err;

    if (r->err)
        return r->err;
    /* A few received bytes can decode to many megabytes without any wait. */
    if (r->decoded_run >= DECODE_PAUSE_BYTES) {
        r->decoded_run = 0;
        err = whorl_yield();
        if (err)
            return err;
    }
    do {
        size_t used, got;
        err = decode_run(decode, r->coded, r->coded_len, &used, buf, len, &got);
        r->coded += used;
        r->coded_len -= used;
        r->decoded_run += got;
        if (got > 0)
            return (ssize_t)got;
        n = 1;
        if (decode_has_paused(decode)) {
            err = whorl_yield();
            if (err)
                return err;
        } else if (err == 0 && r->coded_len == 0) {
            n = http_response_read_part(r, NULL, 0, &r->coded);
            r->coded_len = n > 0 ? (size_t)n : 0;
            if (n < 0)
                return n;
        }
    } while (err == 0 && n > 0);
    if (err == 0)
        err = decode_end(decode);
    return err ? latch(r, err, decode_reason(decode)) : 0;
}

WHORL_SUSPENDS ssize_t whorl_http_response_read(struct whorl_http_response *response, void *buf,
                                                size_t len)
{
    const char *part = NULL;

    http_response_check_open(response);
    int err = whorl_check_cancelled();
    if (err || len == 0)
        return err;
    if (response->decodes)
        return read_decoded(response, buf, len);
    ssize_t n = http_response_read_part(response, buf, len, &part);
    if (n > 0 && part != buf)
        memcpy(buf, part, (size_t)n);
    return n;
}

WHORL_SUSPENDS ssize_t http_response_next_part(struct whorl_http_response *response,
                                               struct http_part_buf *buf, int64_t moved,
                                               const char **ret)
{
    if (http_response_must_receive(response))
        http_part_buf_grow(buf, response->store, moved);
    if (!response->decodes)
        return http_response_read_part(response, buf->data, buf->size, ret);
    if (!buf->data) {
        int err = http_part_buf_alloc(buf, response->store, HTTP_BUF_SIZE);
        if (err)
            return err;
    }
    *ret = buf->data;
    return whorl_http_response_read(response, buf->data, buf->size);
}

WHORL_SUSPENDS ssize_t whorl_http_response_read_part(struct whorl_http_response *response,
                                                     const char **ret)
{
    http_response_check_open(response);
    ssize_t n = whorl_check_cancelled();
    if (n)
        return n;
    n = http_response_next_part(response, &response->part, response->part_moved, ret);
    if (n > 0)
        response->part_moved += n;
    return n;
}

/* The first size of the memory: the announced length, where it is small enough to be believed. */
static size_t first_size(const struct whorl_http_response *response)
{
    int64_t len = whorl_http_response_length(response);
    if (len < 0)
        return TO_END_SIZE;
    return len < SIZE_BELIEVED ? (size_t)len : SIZE_BELIEVED;
}

static WHORL_SUSPENDS ssize_t read_response(void *response, void *buf, size_t len)
{
    return whorl_http_response_read(response, buf, len);
}

WHORL_SUSPENDS int whorl_http_response_read_to_end(struct whorl_http_response *response,
                                                   size_t len_max, char **ret, size_t *ret_len)
{
    int64_t announced = whorl_http_response_length(response);

    if (announced > 0 && (uint64_t)announced > len_max)
        return latch(response, WHORL_EHTTP_BODY_TOO_LARGE, NULL);
    int err = to_end_read(read_response, response, first_size(response), len_max, ret, ret_len);
    if (err == -EFBIG && !response->err)
        return latch(response, WHORL_EHTTP_BODY_TOO_LARGE, NULL);
    return err;
}

WHORL_SUSPENDS int whorl_http_response_drain(struct whorl_http_response *response, int64_t len_max)
{
    const struct http_exchange *x = response->exchange;
    const char *part;

    http_response_check_open(response);
    ssize_t n = whorl_check_cancelled();
    if (n)
        return (int)n;
    if (response->decodes) { /* what follows is not decoded */
        response->decodes = false;
        decode_finish(&response->decode);
    }
    if (response->err)
        return response->err;
    int64_t start = consumed(x), rest = x->head.has_body ? x->head.length - start : 0;
    do {
        if (rest > len_max || consumed(x) - start > len_max)
            return latch(response, WHORL_EHTTP_BODY_TOO_LARGE, NULL);
        n = http_response_read_part(response, NULL, 0, &part);
    } while (n > 0);
    return (int)n;
}

void whorl_http_response_close(struct whorl_http_response *response)
{
    if (!response)
        return;
    http_response_check_open(response);
    http_exchange_skip(response->exchange); /* at the end of the body the connection can be kept */
    http_response_end(response);
    http_response_tell_end(response, response->err, &response->error);
    http_response_destroy(response);
}

/* SPDX-License-Identifier: MIT */
/* Responses: two bytes of settings, then the stream. Fed whole, byte by byte, and in pieces of
 * random sizes, it must give the same result, and an accepted response must keep the rules.
 */
#include <stdbool.h>
#include <string.h>

#include "fuzz.h"
#include "io/http/http1.h"

/* The complete result of a parse. */
struct account {
    int verdict; /* HTTP1_END or an error */
    int informationals, status;
    bool keep_alive;
    size_t surplus;
    uint64_t head_hash, trailer_hash, body_hash;
    int64_t body_len, content_length;
};

static uint64_t hash(uint64_t h, const void *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        h = (h ^ ((const uint8_t *)data)[i]) * 1099511628211u;
    return h;
}

static uint64_t check_list(const struct header_list *list, size_t max)
{
    struct whorl_http_header h;
    uint64_t sum = 1;

    FUZZ_CHECK(list->count <= max);
    for (size_t i = 0; header_list_at(list, i, &h); i++) {
        size_t len = strlen(h.value);
        FUZZ_CHECK(header_is_token(h.name, strlen(h.name)));
        FUZZ_CHECK(strlen(h.name) == list->fields[i].name_len);
        FUZZ_CHECK(header_is_value(h.value, len));
        FUZZ_CHECK(len == list->fields[i].value_len);
        FUZZ_CHECK(len == 0 || !strchr(" \t", h.value[0]));
        FUZZ_CHECK(len == 0 || !strchr(" \t", h.value[len - 1]));
        FUZZ_CHECK(header_list_get(list, h.name));
        sum = hash(sum, h.name, strlen(h.name) + 1);
        sum = hash(sum, h.value, len + 1);
    }
    return sum;
}

/* Checks an accepted final head. */
static void check_head(const struct http1 *p)
{
    const struct header_list *headers = http1_headers(p);
    size_t index = 0;
    bool has_length = header_list_next(headers, "Content-Length", &index);

    FUZZ_CHECK(http1_status(p) >= 200 && http1_status(p) <= 999);
    FUZZ_CHECK(header_is_value(http1_reason(p), strlen(http1_reason(p))));
    FUZZ_CHECK(!has_length || !header_list_next(headers, "Content-Length", &index));
    FUZZ_CHECK(has_length == (http1_content_length(p) >= 0));
    FUZZ_CHECK(!has_length || !header_list_get(headers, "Transfer-Encoding"));
    if (http1_is_chunked(p))
        FUZZ_CHECK(header_list_has_token(headers, "Transfer-Encoding", "chunked"));
    if (http1_status(p) == 204 || http1_status(p) == 304)
        FUZZ_CHECK(!http1_has_body(p));
}

static void check_error(const struct http1 *p)
{
    const char *text = http1_error_text(p);
    FUZZ_CHECK(*text);
    for (; *text; text++)
        FUZZ_CHECK(*text >= 0x20 && *text < 0x7f);
}

/* Feeds the stream in pieces: all of it when `step` is 0, otherwise pieces of 1 to `step` bytes. */
static struct account parse(const struct http1_limits *limits, bool is_head, const char *data,
                            size_t len, uint32_t step)
{
    struct account a = {.head_hash = 1, .trailer_hash = 1, .body_hash = 1};
    struct http1 p;
    struct http1_body_span span;
    size_t pos = 0, end = 0, used;
    uint32_t state = step;
    int event;

    http1_init(&p, limits, is_head);
    for (;;) {
        event = http1_feed(&p, data + pos, end - pos, &used, &span);
        FUZZ_CHECK(used <= end - pos);
        const char *from = data + pos;
        pos += used;
        if (event == HTTP1_NEED_INPUT) {
            FUZZ_CHECK(pos == end);
            if (end == len) {
                event = http1_eof(&p);
                break;
            }
            state = state * 1664525 + 1013904223;
            end += step ? 1 + (state >> 16) % step : len;
            end = end > len ? len : end;
        } else if (event == HTTP1_INFORMATIONAL) {
            a.informationals++;
            check_list(http1_headers(&p), limits->headers_max);
        } else if (event == HTTP1_HEAD) {
            a.head_hash = check_list(http1_headers(&p), limits->headers_max);
            a.status = http1_status(&p);
            a.content_length = http1_content_length(&p);
            check_head(&p);
        } else if (event == HTTP1_BODY) {
            FUZZ_CHECK(a.status && span.len > 0 && span.data >= from &&
                       span.data + span.len == from + used);
            a.body_hash = hash(a.body_hash, span.data, span.len);
            a.body_len += (int64_t)span.len;
        } else {
            break;
        }
    }
    a.verdict = event;
    if (event == HTTP1_END) {
        a.trailer_hash = check_list(http1_trailers(&p), limits->headers_max);
        a.keep_alive = http1_keep_alive(&p);
        a.surplus = len - pos;
        if (a.content_length >= 0 && http1_has_body(&p))
            FUZZ_CHECK(a.body_len == a.content_length);
    } else {
        FUZZ_CHECK(event < 0);
        check_error(&p);
    }
    FUZZ_CHECK(a.body_len == http1_received(&p));
    FUZZ_CHECK(a.body_len <= limits->body_bytes_max);
    FUZZ_CHECK(a.informationals <= limits->informational_max);
    FUZZ_CHECK(p.headers.bytes_len <= limits->head_bytes_max);
    FUZZ_CHECK(p.trailers.bytes_len <= limits->head_bytes_max);
    http1_finish(&p);
    return a;
}

static void check_same(const struct account *a, const struct account *b)
{
    FUZZ_CHECK(a->verdict == b->verdict);
    FUZZ_CHECK(a->informationals == b->informationals);
    FUZZ_CHECK(a->status == b->status);
    FUZZ_CHECK(a->keep_alive == b->keep_alive);
    FUZZ_CHECK(a->surplus == b->surplus);
    FUZZ_CHECK(a->head_hash == b->head_hash);
    FUZZ_CHECK(a->trailer_hash == b->trailer_hash);
    FUZZ_CHECK(a->body_hash == b->body_hash);
    FUZZ_CHECK(a->body_len == b->body_len);
    FUZZ_CHECK(a->content_length == b->content_length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 2)
        return 0;
    struct http1_limits limits = {
        .head_bytes_max = data[0] & 1 ? 64 + data[1] : 65536,
        .headers_max = data[0] & 2 ? 1 + data[1] % 8 : 128,
        .informational_max = data[0] & 4 ? 1 : 16,
        .body_bytes_max = data[0] & 8 ? 1 + data[1] : INT64_MAX,
    };
    bool is_head = data[0] & 16;
    const char *stream = (const char *)data + 2;
    struct account whole = parse(&limits, is_head, stream, len - 2, 0);
    struct account bytes = parse(&limits, is_head, stream, len - 2, 1);
    struct account pieces = parse(&limits, is_head, stream, len - 2, 2 + data[1] % 64);
    check_same(&whole, &bytes);
    check_same(&whole, &pieces);
    return 0;
}

void fuzz_seeds(void (*use)(void *ctx, const void *seed, size_t len), void *ctx)
{
#define SEED_WITH(settings, text) use(ctx, settings text, sizeof(settings text) - 1)
#define SEED(text)                SEED_WITH("\0\0", text)
#define OK                        "HTTP/1.1 200 OK\r\n"
    SEED(OK "Server: nginx/1.22.1\r\nContent-Type: text/html\r\nContent-Length: 5\r\n"
            "Connection: keep-alive\r\nETag: \"5c0692e1-264\"\r\n\r\nhelloHTTP/1.1");
    SEED(OK "Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"
            "5;a=\"b\"\r\nhello\r\n00a \r\n0123456789\r\n0\r\nX: y\r\n\r\n");
    SEED("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nLink: </a>\r\n\r\n" OK
         "Content-Length: 2\r\n\r\nhi");
    SEED("HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\n\r\nuntil the end");
    SEED("HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nETag: \"x\"\r\n\r\n");
    SEED("HTTP/1.1 204 \r\nTransfer-Encoding: chunked\r\n\r\n");
    SEED("HTTP/1.1 404\r\nContent-Length:0 \t\r\nX:\r\nY: \t\r\nZ: a \t b\r\n\r\n");
    SEED(OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\n");
    SEED(OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n");
    SEED(OK "Transfer-Encoding: gzip, chunked\r\n\r\n");
    SEED(OK "A: b\r\n c\r\n: d\r\nE : f\r\n\r\n");
    SEED(OK "Upgrade: h2c\r\nConnection: upgrade\r\nProxy-Connection: close\r\n\r\n");
    SEED("HTTP/1.1 101 Switching Protocols\r\n\r\n");
    SEED_WITH("\x1f\x05", OK "A: b\r\nContent-Length: 12\r\n\r\n");
    SEED_WITH("\x08\x04", OK "Content-Length: 5\r\n\r\nhello");
    SEED_WITH("\x08\x04", OK "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n");
    SEED_WITH("\x08\x04", OK "\r\nhello");
    SEED_WITH("\x03\x20", OK "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\nC: d\r\n\r\n");
#undef SEED
#undef SEED_WITH
}

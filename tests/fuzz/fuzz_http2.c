/* SPDX-License-Identifier: MIT */
/* The frames of an HTTP/2 server: a byte of settings, then the stream. Fed whole and in pieces, it
 * must give the same result for two requests, and an accepted response must keep the rules. */
#include <string.h>

#include <whorl/base.h>
#include <whorl/error.h>

#include "fuzz.h"
#include "io/http/http2.h"

enum { STREAMS = 2 };

/* The results of the requests. */
struct account {
    int connection_err, err[STREAMS], status[STREAMS];
    bool is_over[STREAMS], is_unprocessed[STREAMS];
    int64_t received[STREAMS], length[STREAMS];
    uint64_t hash[STREAMS];
};

static uint64_t hash(uint64_t h, const void *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        h = (h ^ ((const uint8_t *)data)[i]) * 1099511628211u;
    return h;
}

static nghttp2_nv nv(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), 0};
}

static void open_stream(struct http2 *h, struct http2_stream *s, const char *method)
{
    nghttp2_nv fields[] = {nv(":method", method), nv(":scheme", "http"), nv(":authority", "a"),
                           nv(":path", "/")};

    s->is_head = strcmp(method, "HEAD") == 0;
    FUZZ_CHECK(http2_open(h, s, fields, 4, false) == 0);
}

static void send_all(struct http2 *h)
{
    char buf[4096];

    while (http2_output(h, buf, sizeof buf) > 0)
        ;
}

static uint64_t check_list(const struct header_list *list, size_t max)
{
    struct whorl_http_header field;
    uint64_t sum = 1;

    FUZZ_CHECK(list->count <= max);
    for (size_t i = 0; header_list_at(list, i, &field); i++) {
        size_t len = strlen(field.value);
        FUZZ_CHECK(header_is_token(field.name, strlen(field.name)));
        FUZZ_CHECK(strlen(field.name) == list->fields[i].name_len);
        FUZZ_CHECK(header_is_value(field.value, len) && len == list->fields[i].value_len);
        FUZZ_CHECK(len == 0 ||
                   (!strchr(" \t", field.value[0]) && !strchr(" \t", field.value[len - 1])));
        for (const char *c = field.name; *c; c++)
            FUZZ_CHECK(*c < 'A' || *c > 'Z');
        sum = hash(sum, field.name, strlen(field.name) + 1);
        sum = hash(sum, field.value, len + 1);
    }
    return sum;
}

static void check_stream(struct http2_stream *s, struct account *a, int index)
{
    struct http2_chunk *chunk;
    int64_t len = 0;

    a->err[index] = s->err;
    a->status[index] = s->status;
    a->is_over[index] = s->is_over;
    a->is_unprocessed[index] = s->is_unprocessed;
    a->received[index] = s->received;
    while ((chunk = http2_stream_take(s))) {
        len += (int64_t)(chunk->end - chunk->start);
        a->hash[index] =
            hash(a->hash[index], chunk->data + chunk->start, chunk->end - chunk->start);
        http2_chunk_release(s->store, chunk);
    }
    FUZZ_CHECK(len == s->received && len <= s->limits.body_bytes_max);
    FUZZ_CHECK(s->informationals <= s->limits.informational_max + 1);
    FUZZ_CHECK(!(s->err && s->is_over));
    if (s->err) {
        FUZZ_CHECK(s->reason[0]);
        for (const char *c = s->reason; *c; c++)
            FUZZ_CHECK(*c >= 0x20 && *c < 0x7f);
    }
    if (!s->is_over)
        return;
    a->length[index] = s->length;
    uint64_t lists[] = {check_list(&s->headers, s->limits.headers_max),
                        check_list(&s->trailers, s->limits.headers_max)};
    a->hash[index] = hash(a->hash[index], lists, sizeof lists);
    FUZZ_CHECK(s->status >= 200 && s->status <= 999);
    if (s->is_head || s->status == 204 || s->status == 304)
        FUZZ_CHECK(s->received == 0);
    else if (s->length >= 0)
        FUZZ_CHECK(s->received == s->length);
}

/* Feeds the stream in pieces: all of it when `step` is 0, otherwise pieces of 1 to `step` bytes. */
static struct account run(uint8_t settings, const char *data, size_t len, uint32_t step)
{
    struct http2_options options = {0};
    struct http_store store = {0};
    struct http1_limits limits = {
        .head_bytes_max = settings & 1 ? 100 : 0,
        .headers_max = settings & 2 ? 3 : 0,
        .informational_max = settings & 4 ? 1 : 0,
        .body_bytes_max = settings & 8 ? 10 : 0,
    };
    struct http2_stream streams[STREAMS] = {{.limits = limits, .store = &store},
                                            {.limits = limits, .store = &store}};
    struct account a = {.hash = {1, 1}};
    struct http2 *h;
    uint32_t state = step;

    FUZZ_CHECK(http2_create(&options, &h) == 0);
    open_stream(h, &streams[0], "GET");
    open_stream(h, &streams[1], settings & 16 ? "HEAD" : "GET");
    send_all(h);
    for (size_t pos = 0; pos < len;) {
        state = state * 1664525 + 1013904223;
        size_t n = step ? 1 + (state >> 16) % step : len;
        n = n < len - pos ? n : len - pos;
        http2_feed(h, data + pos, n, 0);
        pos += n;
    }
    send_all(h);
    a.connection_err = http2_error(h);
    FUZZ_CHECK(!a.connection_err || http2_reason(h)[0]);
    if (settings & 32)
        http2_end(h, 0, NULL);
    for (int i = 0; i < STREAMS; i++)
        check_stream(&streams[i], &a, i);
    for (int i = 0; i < STREAMS; i++) {
        FUZZ_CHECK(!a.connection_err || streams[i].err || streams[i].is_over);
        http2_stream_close(&streams[i]);
        http2_stream_finish(&streams[i]);
    }
    send_all(h);
    http2_destroy(h);
    http2_chunks_drain(&store);
    FUZZ_CHECK(store.http2_chunks.out == 0);
    return a;
}

/* The streams must agree; once they have ended, it does not matter how the connection ends. How
 * much of a body arrived before it failed depends on the pieces. */
static void check_same(const struct account *a, const struct account *b)
{
    for (int i = 0; i < STREAMS; i++) {
        FUZZ_CHECK(a->err[i] == b->err[i] && a->status[i] == b->status[i]);
        FUZZ_CHECK(a->is_over[i] == b->is_over[i]);
        FUZZ_CHECK(a->is_unprocessed[i] == b->is_unprocessed[i]);
        if (a->err[i])
            continue;
        FUZZ_CHECK(a->received[i] == b->received[i] && a->length[i] == b->length[i]);
        FUZZ_CHECK(a->hash[i] == b->hash[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 1 || len > 8192) /* more could be a flood, which depends on the pieces */
        return 0;
    const char *stream = (const char *)data + 1;
    struct account whole = run(data[0], stream, len - 1, 0);
    struct account pieces = run(data[0], stream, len - 1, 1 + data[0] % 64);
    /* nghttp2 counts a CONTINUATION again when its header arrives in pieces. */
    if (whole.connection_err != WHORL_EHTTP_FLOOD && pieces.connection_err != WHORL_EHTTP_FLOOD)
        check_same(&whole, &pieces);
    return 0;
}

void fuzz_seeds(void (*use)(void *ctx, const void *seed, size_t len), void *ctx)
{
#define SEED_WITH(settings, text) use(ctx, settings text, sizeof(settings text) - 1)
#define SEED(text)                SEED_WITH("\0", text)
#define SETTINGS         \
    "\0\0\0\4\0\0\0\0\0" \
    "\0\0\0\4\1\0\0\0\0"
#define OK_1   "\0\0\1\1\4\0\0\0\1\x88"
#define DATA_1 "\0\0\2\0\1\0\0\0\1hi"
    SEED(SETTINGS OK_1 DATA_1);
    SEED(SETTINGS "\0\0\1\1\5\0\0\0\1\x88"
                  "\0\0\1\1\5\0\0\0\3\x89");
    SEED(SETTINGS "\0\0\5\1\4\0\0\0\1\x88\x0f\x0d\1"
                  "2" DATA_1);
    SEED(SETTINGS "\0\0\6\1\4\0\0\0\1\x88\0\1a\1b" DATA_1);
    SEED(SETTINGS "\0\0\6\1\4\0\0\0\1\x88\x40\1a\1b"
                  "\0\0\1\0\0\0\0\0\1h"
                  "\0\0\1\1\5\0\0\0\1\xbe");
    SEED(SETTINGS "\0\0\5\1\4\0\0\0\1\x48\3"
                  "103" OK_1 DATA_1);
    SEED(SETTINGS "\0\0\1\1\0\0\0\0\1\x88"
                  "\0\0\5\x9\4\0\0\0\1\0\1A\1b");
    SEED(SETTINGS "\0\0\4\3\0\0\0\0\1\0\0\0\7"
                  "\0\0\4\3\0\0\0\0\3\0\0\0\x0b");
    SEED(SETTINGS "\0\0\x8\7\0\0\0\0\0\0\0\0\1\0\0\0\0" OK_1 DATA_1);
    SEED(SETTINGS "\0\0\x8\6\0\0\0\0\0"
                  "12345678"
                  "\0\0\4\x8\0\0\0\0\0\0\0\1\0" OK_1);
    SEED("\0\0\6\4\0\0\0\0\0\0\3\0\0\0\1" OK_1 "\0\0\6\0\x9\0\0\0\1\3hi\0\0\0");
    SEED(SETTINGS "\0\0\x9\5\4\0\0\0\1\0\0\0\2\x82\x86\x84\1a" OK_1);
    SEED(SETTINGS "\0\0\5\1\4\0\0\0\1\x88\x0f\x0d\1"
                  "1" DATA_1);
    SEED("HTTP/1.1 400 Bad Request\r\n\r\n");
    SEED_WITH("\x1f", SETTINGS OK_1 DATA_1);
    SEED_WITH("\x30", SETTINGS OK_1 "\0\0\2\0\0\0\0\0\1hi"
                                    "\0\0\5\1\5\0\0\0\3\x88\x0f\x0d\1"
                                    "9");
#undef SEED
#undef SEED_WITH
}

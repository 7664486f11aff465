/* SPDX-License-Identifier: MIT */
/* HTTP/2 without I/O: the results of valid and invalid frames of a server. */
#include <stdlib.h>

#include <whorl/base.h>
#include <whorl/error.h>

#include "faults.h"
#include "http2_frames.h"
#include "io/http/http2.h"
#include "io/http/http2_allowance.h"

/* One connection with one stream, whose request is sent. */
struct peer {
    struct http2 *h;
    struct http2_stream s;
    struct http_store store;
    char out[1 << 17];
    size_t out_len; /* of what was sent since the last call of send_all() */
};

static struct frames f;

static void send_all(struct peer *p)
{
    size_t n;

    p->out_len = 0;
    while ((n = http2_output(p->h, p->out + p->out_len, sizeof p->out - p->out_len)) > 0)
        p->out_len += n;
}

static nghttp2_nv nv(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), 0};
}

static int request(struct peer *p, struct http2_stream *s, const char *method, bool has_body)
{
    nghttp2_nv fields[] = {nv(":method", method), nv(":scheme", "http"), nv(":authority", "a.test"),
                           nv(":path", "/")};

    s->store = &p->store;
    s->is_head = strcmp(method, "HEAD") == 0;
    return http2_open(p->h, s, fields, 4, has_body);
}

static void start(struct peer *p, const char *method, struct http1_limits limits)
{
    struct http2_options options = {0};

    *p = (struct peer){.s.limits = limits};
    CHECK_OK(http2_create(&options, &p->h));
    CHECK_OK(request(p, &p->s, method, false));
    CHECK_EQ(p->s.id, 1);
    send_all(p);
    f.len = 0;
    frames_settings(&f);
}

/* Feeds the frames in pieces of `step` bytes, and answers. */
static void feed_in(struct peer *p, size_t step)
{
    for (size_t at = 0; at < f.len; at += step)
        http2_feed(p->h, f.bytes + at, f.len - at < step ? f.len - at : step, 0);
    f.len = 0;
    send_all(p);
}

static void feed(struct peer *p)
{
    feed_in(p, sizeof f.bytes);
}

static void finish(struct peer *p)
{
    http2_stream_close(&p->s);
    http2_stream_finish(&p->s);
    http2_destroy(p->h);
    http2_chunks_drain(&p->store);
    CHECK_EQ(p->store.http2_chunks.out, 0);
}

/* Whether a frame of that type with that error code was sent last: RST_STREAM or GOAWAY. */
static bool was_sent(const struct peer *p, int type, uint32_t code)
{
    size_t at = 0;
    const unsigned char *out = (const unsigned char *)p->out;

    while (at + 9 <= p->out_len) {
        size_t len = (size_t)out[at] << 16 | (size_t)out[at + 1] << 8 | out[at + 2];
        size_t from = at + 9 + (type == FRAMES_GOAWAY ? 4 : 0);
        if (out[at + 3] == type &&
            (code == UINT32_MAX || (out[from + 2] << 8 | out[from + 3]) == (int)code))
            return true;
        at += 9 + len;
    }
    return false;
}

static void check_body(struct peer *p, const char *expected)
{
    size_t len = strlen(expected);
    struct http2_chunk *chunk = http2_stream_take(&p->s);

    CHECK(chunk && chunk->end - chunk->start == len);
    CHECK(memcmp(chunk->data + chunk->start, expected, len) == 0);
    http2_chunk_release(&p->store, chunk);
    CHECK(!http2_stream_take(&p->s));
}

TEST(http2_response_is_the_same_however_it_is_cut)
{
    for (size_t step = 1; step < 100; step += 7) {
        struct peer p;
        start(&p, "GET", (struct http1_limits){0});
        frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "103", "link", "</a>", NULL);
        frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", "content-length", "5", "a", " b\t",
                    NULL);
        frames_add(&f, FRAMES_DATA, 0, 1, "he", 2);
        frames_add(&f, FRAMES_DATA, 0, 1, "llo", 3);
        frames_head(&f, 1, FRAMES_END_HEADERS | FRAMES_END_STREAM, "t", "u", NULL);
        feed_in(&p, step);
        CHECK_OK(http2_error(p.h));
        CHECK(http2_next_changed(p.h) == &p.s);
        CHECK(!http2_next_changed(p.h));
        CHECK_OK(p.s.err);
        CHECK(p.s.is_over);
        CHECK_EQ(p.s.status, 200);
        CHECK_EQ(p.s.informationals, 1);
        CHECK_EQ(p.s.length, 5);
        CHECK_STR(header_list_get(&p.s.headers, "A"), "b");
        CHECK(!header_list_get(&p.s.headers, "link"));
        CHECK_STR(header_list_get(&p.s.trailers, "t"), "u");
        check_body(&p, "hello");
        finish(&p);
    }
}

TEST(http2_preface_announces_windows_and_refuses_pushes)
{
    struct http2_options options = {.head_bytes_max = 4096};
    struct peer p = {0};
    static const unsigned char settings[] = {
        0, 0,  24, 4, 0, 0, 0, 0, 0,  0, 2, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0,   0, 4,
        0, 32, 0,  0, 0, 6, 0, 0, 16, 0, 0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 255, 0, 1,
    };

    CHECK_OK(http2_create(&options, &p.h));
    send_all(&p);
    CHECK_EQ(p.out_len, 24 + sizeof settings);
    CHECK(memcmp(p.out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24) == 0);
    CHECK(memcmp(p.out + 24, settings, sizeof settings) == 0);
    http2_destroy(p.h);
}

/* A response that is refused: the server's frames, and the error of the stream. */
struct refusal {
    const char *what;
    const char *head[16]; /* pairs of name and value */
    const char *body, *trailer[4];
    int expected;
    bool is_head;
};

static const struct refusal refusals[] = {
    {"uppercase", {":status", "200", "Server", "x"}, NULL, {0}, WHORL_EHTTP_HEADER, false},
    {"status twice", {":status", "200", ":status", "200"}, NULL, {0}, WHORL_EHTTP_HEADER, false},
    {"status after", {"a", "b", ":status", "200"}, NULL, {0}, WHORL_EHTTP_HEADER, false},
    {"no status", {"a", "b"}, NULL, {0}, WHORL_EHTTP_HEADER, false},
    {"request's", {":status", "200", ":path", "/"}, NULL, {0}, WHORL_EHTTP_HEADER, false},
    {"unknown pseudo", {":status", "200", ":x", "/"}, NULL, {0}, WHORL_EHTTP_HEADER, false},
    {"short status", {":status", "20"}, NULL, {0}, WHORL_EHTTP_HEADER, false},
    {"101", {":status", "101"}, NULL, {0}, WHORL_EHTTP_HEADER, false},
    {"connection", {":status", "200", "connection", "close"}, NULL, {0}, WHORL_EHTTP_HEADER, false},
    {"keep-alive", {":status", "200", "keep-alive", "1"}, NULL, {0}, WHORL_EHTTP_HEADER, false},
    {"proxy", {":status", "200", "proxy-connection", "x"}, NULL, {0}, WHORL_EHTTP_HEADER, false},
    {"coding",
     {":status", "200", "transfer-encoding", "chunked"},
     NULL,
     {0},
     WHORL_EHTTP_HEADER,
     false},
    {"upgrade", {":status", "200", "upgrade", "h2c"}, NULL, {0}, WHORL_EHTTP_HEADER, false},
    {"empty name", {":status", "200", "", "x"}, NULL, {0}, WHORL_EHTTP_HEADER, false},
    {"space in name", {":status", "200", "a b", "x"}, NULL, {0}, WHORL_EHTTP_HEADER, false},
    {"line feed", {":status", "200", "a", "x\ny: z"}, NULL, {0}, WHORL_EHTTP_HEADER, false},
    {"length twice",
     {":status", "200", "content-length", "2", "content-length", "2"},
     "hi",
     {0},
     WHORL_EHTTP_HEADER,
     false},
    {"length text",
     {":status", "200", "content-length", "2x"},
     "hi",
     {0},
     WHORL_EHTTP_HEADER,
     false},
    {"too long", {":status", "200", "content-length", "1"}, "hi", {0}, WHORL_EHTTP_LENGTH, false},
    {"too short", {":status", "200", "content-length", "3"}, "hi", {0}, WHORL_EHTTP_LENGTH, false},
    {"HEAD", {":status", "200", "content-length", "2"}, "hi", {0}, WHORL_EHTTP_LENGTH, true},
    {"204", {":status", "204"}, "hi", {0}, WHORL_EHTTP_LENGTH, false},
    {"304", {":status", "304", "content-length", "2"}, "hi", {0}, WHORL_EHTTP_LENGTH, false},
    {"trailer status", {":status", "200"}, "hi", {":status", "200"}, WHORL_EHTTP_HEADER, false},
    {"trailer name", {":status", "200"}, "hi", {"A", "b"}, WHORL_EHTTP_HEADER, false},
};

static void add_pairs(int flags, const char *const *pairs)
{
    char block[2048];
    size_t len = 0;

    for (; *pairs; pairs += 2)
        len = frames_field(block, len, pairs[0], pairs[1]);
    frames_add(&f, FRAMES_HEADERS, flags | FRAMES_END_HEADERS, 1, block, len);
}

TEST(http2_refuses_heads_and_lengths_that_the_rfc_forbids)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *r = &refusals[i];
        struct peer p;
        start(&p, r->is_head ? "HEAD" : "GET", (struct http1_limits){0});
        add_pairs(r->body ? 0 : FRAMES_END_STREAM, r->head);
        if (r->body)
            frames_add(&f, FRAMES_DATA, r->trailer[0] ? 0 : FRAMES_END_STREAM, 1, r->body,
                       strlen(r->body));
        if (r->trailer[0])
            add_pairs(FRAMES_END_STREAM, r->trailer);
        feed(&p);
        if (p.s.err != r->expected || !p.s.reason[0] || http2_error(p.h))
            test_fail(__FILE__, __LINE__, "%s: %d, \"%s\", connection %d", r->what, p.s.err,
                      p.s.reason, http2_error(p.h));
        CHECK(was_sent(&p, FRAMES_RST_STREAM, NGHTTP2_PROTOCOL_ERROR));
        /* Another stream of the connection is not affected. */
        struct http2_stream other = {0};
        CHECK_OK(request(&p, &other, "GET", false));
        send_all(&p);
        frames_head(&f, 3, FRAMES_END_HEADERS | FRAMES_END_STREAM, ":status", "204", NULL);
        feed(&p);
        CHECK(other.is_over);
        CHECK_OK(other.err);
        http2_stream_close(&other);
        http2_stream_finish(&other);
        finish(&p);
    }
}

TEST(http2_head_announced_lengths_and_304_have_no_body)
{
    struct peer p;

    start(&p, "HEAD", (struct http1_limits){0});
    frames_head(&f, 1, FRAMES_END_HEADERS | FRAMES_END_STREAM, ":status", "200", "content-length",
                "1234", NULL);
    feed(&p);
    CHECK_OK(p.s.err);
    CHECK(p.s.is_over);
    CHECK_EQ(p.s.length, 1234);
    finish(&p);
    start(&p, "GET", (struct http1_limits){0});
    frames_head(&f, 1, FRAMES_END_HEADERS | FRAMES_END_STREAM, ":status", "304", "content-length",
                "1234", NULL);
    feed(&p);
    CHECK_OK(p.s.err);
    CHECK(p.s.is_over);
    finish(&p);
}

TEST(http2_applies_the_limits_of_http1)
{
    struct peer p;

    start(&p, "GET", (struct http1_limits){.head_bytes_max = 40});
    frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", "a", "0123456789012345678901234567",
                NULL);
    feed(&p);
    CHECK_ERR(p.s.err, WHORL_EHTTP_HEAD_TOO_LARGE);
    finish(&p);

    start(&p, "GET", (struct http1_limits){.headers_max = 2});
    frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", "a", "1", "b", "2", "c", "3", NULL);
    feed(&p);
    CHECK_ERR(p.s.err, WHORL_EHTTP_HEADERS_TOO_MANY);
    finish(&p);

    start(&p, "GET", (struct http1_limits){.informational_max = 2});
    for (int i = 0; i < 3; i++)
        frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "100", NULL);
    feed(&p);
    CHECK_ERR(p.s.err, WHORL_EHTTP_INFORMATIONAL);
    finish(&p);

    start(&p, "GET", (struct http1_limits){.body_bytes_max = 4});
    frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", NULL);
    frames_add(&f, FRAMES_DATA, 0, 1, "hell", 4);
    feed(&p);
    CHECK_OK(p.s.err);
    frames_add(&f, FRAMES_DATA, FRAMES_END_STREAM, 1, "o", 1);
    feed(&p);
    CHECK_ERR(p.s.err, WHORL_EHTTP_BODY_TOO_LARGE);
    check_body(&p, "hell");
    CHECK(was_sent(&p, FRAMES_RST_STREAM, NGHTTP2_CANCEL));
    finish(&p);
}

/* Floods */

/* Feeds the same frame until the connection fails. Returns how many frames it took. */
static int flood(struct peer *p, int most)
{
    struct frames one = f;
    int n = 0;

    while (n < most && !http2_error(p->h)) {
        f = one;
        feed(p);
        n++;
    }
    return n;
}

/* Starts a connection, on which the response has begun, and feeds the frame that follows. */
static void check_flood(int type, int flags, uint32_t id, const void *payload, size_t len)
{
    struct peer p;

    start(&p, "GET", (struct http1_limits){0});
    frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", NULL);
    feed(&p);
    frames_add(&f, type, flags, id, payload, len);
    int n = flood(&p, 20000);
    CHECK_ERR(http2_error(p.h), WHORL_EHTTP_FLOOD);
    CHECK_ERR(p.s.err, WHORL_EHTTP_FLOOD);
    CHECK(n <= HTTP2_FRAMES_SPARE * 7); /* an unknown frame counts by its bytes */
    CHECK(was_sent(&p, FRAMES_GOAWAY, NGHTTP2_ENHANCE_YOUR_CALM));
    finish(&p);
}

TEST(http2_ends_a_connection_that_floods_with_pings)
{
    check_flood(FRAMES_PING, 0, 0, "12345678", 8);
}

TEST(http2_ends_a_connection_that_floods_with_settings)
{
    check_flood(FRAMES_SETTINGS, 0, 0, NULL, 0);
}

TEST(http2_ends_a_connection_that_floods_with_window_updates)
{
    check_flood(FRAMES_WINDOW_UPDATE, 0, 1, "\0\0\0\1", 4);
}

TEST(http2_ends_a_connection_that_floods_with_priorities)
{
    check_flood(FRAMES_PRIORITY, 0, 3, "\0\0\0\0\1", 5);
}

TEST(http2_ends_a_connection_that_floods_with_empty_data)
{
    check_flood(FRAMES_DATA, 0, 1, NULL, 0);
}

TEST(http2_ends_a_connection_that_floods_with_unknown_frames)
{
    check_flood(0xbe, 0, 0, "x", 1);
}

TEST(http2_ends_a_connection_that_floods_with_resets)
{
    struct peer p;

    start(&p, "GET", (struct http1_limits){0});
    feed(&p);
    http2_stream_close(&p.s);
    send_all(&p);
    frames_number(&f, FRAMES_RST_STREAM, 1, 0);
    CHECK(flood(&p, 20000) <= HTTP2_FRAMES_SPARE);
    CHECK_ERR(http2_error(p.h), WHORL_EHTTP_FLOOD);
    finish(&p);
}

TEST(http2_ends_a_connection_that_splits_a_head_endlessly)
{
    struct peer p;

    start(&p, "GET", (struct http1_limits){0});
    frames_head(&f, 1, 0, ":status", "200", NULL);
    feed(&p);
    frames_add(&f, FRAMES_CONTINUATION, 0, 1, NULL, 0);
    CHECK(flood(&p, 20000) <= HTTP2_FRAMES_SPARE);
    CHECK_ERR(http2_error(p.h), WHORL_EHTTP_FLOOD);
    CHECK_ERR(p.s.err, WHORL_EHTTP_FLOOD);
    finish(&p);
}

TEST(http2_ends_a_connection_whose_settings_are_too_many)
{
    char settings[6 * 2000];
    struct peer p;

    for (size_t i = 0; i < sizeof settings; i += 6)
        memcpy(settings + i, "\0\1\0\0\0\1", 6);
    start(&p, "GET", (struct http1_limits){0});
    frames_add(&f, FRAMES_SETTINGS, 0, 0, settings, sizeof settings);
    feed(&p);
    CHECK_ERR(http2_error(p.h), WHORL_EHTTP_PROTOCOL);
    finish(&p);
}

TEST(http2_allows_pings_that_come_slowly_or_with_data)
{
    struct peer p;

    start(&p, "GET", (struct http1_limits){0});
    frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", NULL);
    feed(&p);
    for (int64_t i = 0; i < 10000; i++) {
        f.len = 0;
        frames_add(&f, FRAMES_PING, 0, 0, "12345678", 8);
        http2_feed(p.h, f.bytes, f.len, i * WHORL_SECOND / 10);
        send_all(&p);
        CHECK(was_sent(&p, FRAMES_PING, UINT32_MAX)); /* the acknowledgement */
    }
    f.len = 0;
    for (int i = 0; i < 10000; i++) {
        frames_add(&f, FRAMES_PING, 0, 0, "12345678", 8);
        frames_add(&f, FRAMES_DATA, 0, 1, "x", 1);
        feed(&p);
    }
    CHECK_OK(http2_error(p.h));
    finish(&p);
}

/* Connections that end */

TEST(http2_refuses_a_pushed_stream)
{
    struct peer p;
    char payload[64] = {0, 0, 0, 2};
    size_t len = frames_field(payload, 4, ":method", "GET");

    start(&p, "GET", (struct http1_limits){0});
    frames_add(&f, FRAMES_PUSH_PROMISE, FRAMES_END_HEADERS, 1, payload, len);
    feed(&p);
    CHECK_ERR(http2_error(p.h), WHORL_EHTTP_PROTOCOL);
    CHECK_ERR(p.s.err, WHORL_EHTTP_PROTOCOL);
    CHECK(was_sent(&p, FRAMES_GOAWAY, NGHTTP2_PROTOCOL_ERROR));
    finish(&p);
}

TEST(http2_says_that_a_server_speaks_only_http1)
{
    struct peer p;

    start(&p, "GET", (struct http1_limits){0});
    f.len = 0;
    frames_raw(&f, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
    feed_in(&p, 3);
    CHECK_ERR(http2_error(p.h), WHORL_EHTTP_VERSION);
    CHECK_STR(p.s.reason, "the server speaks HTTP/1 only");
    finish(&p);
}

TEST(http2_goaway_leaves_the_streams_that_the_server_has_taken)
{
    struct http2_stream later = {0};
    struct peer p;

    start(&p, "GET", (struct http1_limits){0});
    CHECK_OK(request(&p, &later, "GET", false));
    send_all(&p);
    frames_goaway(&f, 1, NGHTTP2_NO_ERROR);
    feed(&p);
    CHECK_OK(p.s.err);
    CHECK_ERR(later.err, WHORL_EHTTP_REFUSED);
    CHECK(later.is_unprocessed);
    CHECK(http2_is_draining(p.h));
    CHECK_EQ(http2_capacity(p.h), 0);
    frames_head(&f, 1, FRAMES_END_HEADERS | FRAMES_END_STREAM, ":status", "200", NULL);
    feed(&p);
    CHECK(p.s.is_over);
    CHECK(!p.s.err);
    http2_stream_close(&later);
    http2_stream_finish(&later);
    finish(&p);
}

static void check_reset(uint32_t code, int expected, bool is_unprocessed)
{
    struct peer p;

    start(&p, "GET", (struct http1_limits){0});
    frames_number(&f, FRAMES_RST_STREAM, 1, code);
    feed(&p);
    CHECK_ERR(p.s.err, expected);
    CHECK_EQ(p.s.is_unprocessed, is_unprocessed);
    CHECK_OK(http2_error(p.h));
    finish(&p);
}

TEST(http2_tells_what_a_reset_means_for_the_request)
{
    check_reset(NGHTTP2_REFUSED_STREAM, WHORL_EHTTP_REFUSED, true);
    check_reset(NGHTTP2_ENHANCE_YOUR_CALM, WHORL_EHTTP_CALM, false);
    check_reset(NGHTTP2_HTTP_1_1_REQUIRED, WHORL_EHTTP_VERSION, true);
    check_reset(NGHTTP2_INTERNAL_ERROR, WHORL_EHTTP_NO_RESPONSE, false);
    check_reset(NGHTTP2_NO_ERROR, WHORL_EHTTP_NO_RESPONSE, false);
}

TEST(http2_body_that_is_cut_is_truncated_and_its_bytes_remain)
{
    struct peer p;

    start(&p, "GET", (struct http1_limits){0});
    frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", NULL);
    frames_add(&f, FRAMES_DATA, 0, 1, "hel", 3);
    feed(&p);
    http2_end(p.h, 0, NULL);
    CHECK_ERR(p.s.err, WHORL_EHTTP_TRUNCATED);
    check_body(&p, "hel");
    finish(&p);

    start(&p, "GET", (struct http1_limits){0});
    frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", NULL);
    frames_add(&f, FRAMES_DATA, 0, 1, "hel", 3);
    frames_number(&f, FRAMES_RST_STREAM, 1, NGHTTP2_INTERNAL_ERROR);
    feed(&p);
    CHECK_ERR(p.s.err, WHORL_EHTTP_TRUNCATED);
    check_body(&p, "hel");
    finish(&p);
}

/* Windows */

static char megabyte[1 << 20];

/* Feeds `len` bytes of body on stream `id`. */
static void feed_data(struct peer *p, uint32_t id, size_t len)
{
    while (len > 0) {
        size_t n = len < 16384 ? len : 16384;
        frames_add(&f, FRAMES_DATA, 0, id, megabyte, n);
        feed(p);
        len -= n;
    }
}

TEST(http2_window_opens_as_the_caller_takes_and_not_before)
{
    struct http2_chunk *chunk;
    struct peer p;

    start(&p, "GET", (struct http1_limits){0});
    frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", NULL);
    feed(&p);
    feed_data(&p, 1, HTTP2_STREAM_WINDOW);
    CHECK_OK(p.s.err);
    CHECK_EQ(p.out_len, 0); /* no WINDOW_UPDATE */
    frames_add(&f, FRAMES_DATA, 0, 1, "x", 1);
    struct frames more = f;
    feed(&p);
    CHECK_ERR(p.s.err, WHORL_EHTTP_PROTOCOL);
    CHECK_STR(p.s.reason, "more bytes than the window has room for");
    CHECK(was_sent(&p, FRAMES_RST_STREAM, NGHTTP2_FLOW_CONTROL_ERROR));
    finish(&p);

    start(&p, "GET", (struct http1_limits){0});
    frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", NULL);
    feed(&p);
    feed_data(&p, 1, HTTP2_STREAM_WINDOW);
    while ((chunk = http2_stream_take(&p.s)))
        http2_chunk_release(&p.store, chunk);
    send_all(&p);
    CHECK(was_sent(&p, FRAMES_WINDOW_UPDATE, UINT32_MAX));
    f = more;
    feed(&p);
    CHECK_OK(http2_error(p.h));
    CHECK_OK(p.s.err);
    finish(&p);
}

/* A server that has not seen the RST_STREAM yet sends what the window has room for. */
TEST(http2_body_of_a_cancelled_stream_leaves_the_others_alone)
{
    struct http2_stream other = {0};
    struct peer p;

    start(&p, "GET", (struct http1_limits){0});
    CHECK_OK(request(&p, &other, "GET", false));
    for (uint32_t id = 1; id < 6; id += 4) { /* 3 is the other one */
        if (id > 1)
            CHECK_OK(request(&p, &p.s, "GET", false));
        send_all(&p);
        frames_head(&f, id, FRAMES_END_HEADERS, ":status", "200", NULL);
        feed(&p);
        http2_stream_close(&p.s);
        send_all(&p);
        for (int i = 0; i < HTTP2_STREAM_WINDOW / 1000; i++) {
            frames_add(&f, FRAMES_DATA, 0, id, megabyte, 1000);
            feed(&p);
        }
        CHECK_OK(http2_error(p.h));
    }
    frames_head(&f, 3, FRAMES_END_HEADERS | FRAMES_END_STREAM, ":status", "200", NULL);
    feed(&p);
    CHECK(other.is_over);
    http2_stream_close(&other);
    http2_stream_finish(&other);
    frames_add(&f, FRAMES_DATA, 0, 5, NULL, 0);
    CHECK(flood(&p, 200000) < 200000);
    CHECK_ERR(http2_error(p.h), WHORL_EHTTP_FLOOD);
    finish(&p);
}

/* Sends the head, then as much body as the window of a stream has room for. */
static void check_refused_body(const char *name, const char *value, int expected)
{
    struct http2_stream other = {0};
    struct peer p;

    start(&p, "GET", (struct http1_limits){0});
    CHECK_OK(request(&p, &other, "GET", false));
    send_all(&p);
    frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", name, value, NULL);
    feed(&p);
    feed_data(&p, 1, HTTP2_STREAM_WINDOW);
    CHECK_ERR(p.s.err, expected);
    CHECK_OK(http2_error(p.h));
    frames_head(&f, 3, FRAMES_END_HEADERS | FRAMES_END_STREAM, ":status", "200", NULL);
    feed(&p);
    CHECK(other.is_over);
    CHECK_OK(other.err);
    http2_stream_close(&other);
    http2_stream_finish(&other);
    finish(&p);
}

TEST(http2_body_of_a_refused_response_leaves_the_other_streams_alone)
{
    check_refused_body("Upper-Case", "x", WHORL_EHTTP_HEADER); /* nghttp2 refuses it */
    check_refused_body("content-length", "100", WHORL_EHTTP_LENGTH);
    check_refused_body("content-length", "100000", WHORL_EHTTP_LENGTH);
}

TEST(http2_cancelled_stream_gives_its_room_in_the_connection_back)
{
    struct peer p;

    start(&p, "GET", (struct http1_limits){0});
    for (uint32_t id = 1; id < 2 * 40; id += 2) { /* 40 windows of a stream: 80 MiB */
        if (id > 1) {
            CHECK_OK(request(&p, &p.s, "GET", false));
            send_all(&p);
        }
        frames_head(&f, id, FRAMES_END_HEADERS, ":status", "200", NULL);
        feed(&p);
        feed_data(&p, id, HTTP2_STREAM_WINDOW);
        CHECK_OK(http2_error(p.h));
        CHECK_OK(p.s.err);
        http2_stream_close(&p.s);
        send_all(&p);
        CHECK(was_sent(&p, FRAMES_RST_STREAM, NGHTTP2_CANCEL));
    }
    finish(&p);
}

TEST(http2_body_of_a_request_waits_for_the_window)
{
    struct peer p;

    start(&p, "GET", (struct http1_limits){0});
    feed(&p);
    http2_stream_close(&p.s);
    CHECK_OK(request(&p, &p.s, "POST", true));
    http2_stream_send(&p.s, megabyte, 100000, true);
    send_all(&p);
    CHECK_EQ(p.s.out_len, 100000 - 65535); /* the initial window */
    CHECK(!http2_next_changed(p.h));
    frames_number(&f, FRAMES_WINDOW_UPDATE, 3, 100000);
    frames_number(&f, FRAMES_WINDOW_UPDATE, 0, 100000);
    feed(&p);
    CHECK_EQ(p.s.out_len, 0);
    CHECK(http2_next_changed(p.h) == &p.s);
    frames_head(&f, 3, FRAMES_END_HEADERS | FRAMES_END_STREAM, ":status", "200", NULL);
    feed(&p);
    CHECK(p.s.is_over && p.s.is_ended);
    finish(&p);
}

/* Limits on streams */

TEST(http2_capacity_is_the_smaller_of_both_limits)
{
    struct http2_options options = {.streams_max = 2};
    struct http2_stream third = {0};
    struct peer p = {0};

    CHECK_OK(http2_create(&options, &p.h));
    CHECK_EQ(http2_capacity(p.h), 2);
    send_all(&p);
    f.len = 0;
    frames_setting(&f, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1);
    feed(&p);
    CHECK_EQ(http2_capacity(p.h), 1);
    CHECK_OK(request(&p, &p.s, "GET", false));
    CHECK_ERR(request(&p, &third, "GET", false), WHORL_EHTTP_REFUSED);
    CHECK(third.is_unprocessed);
    frames_setting(&f, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000);
    feed(&p);
    CHECK_EQ(http2_capacity(p.h), 2);
    http2_stream_finish(&third);
    finish(&p);
}

static int whole_response(void *arg)
{
    struct http2_options options = {0};
    struct peer *p = arg;
    int err = http2_create(&options, &p->h);

    p->s = (struct http2_stream){0};
    if (err)
        return err;
    err = request(p, &p->s, "GET", false);
    if (err == 0) {
        char buf[4096];
        while (http2_output(p->h, buf, sizeof buf) > 0)
            ;
        http2_feed(p->h, f.bytes, f.len, 0);
        while (http2_output(p->h, buf, sizeof buf) > 0)
            ;
        err = http2_error(p->h) ? http2_error(p->h) : p->s.err;
        if (err == 0)
            CHECK(p->s.is_over);
        http2_stream_close(&p->s);
    }
    http2_stream_finish(&p->s);
    http2_destroy(p->h);
    http2_chunks_drain(&p->store);
    return err;
}

TEST(http2_survives_every_failed_allocation)
{
    static struct peer p;

    f.len = 0;
    frames_settings(&f);
    frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", "a", "b", NULL);
    frames_add(&f, FRAMES_DATA, FRAMES_END_STREAM, 1, "hello", 5);
    CHECK(faults_sweep(whole_response, &p) > 5);
}

static int five_uploads(void *arg)
{
    struct http2_options options = {0};
    struct peer *p = arg;
    struct http2_stream uploads[5] = {0};
    char buf[4096];
    int err = http2_create(&options, &p->h);

    if (err)
        return err;
    for (size_t i = 0; i < 5 && err == 0; i++) {
        err = request(p, &uploads[i], "POST", true);
        while (http2_output(p->h, buf, sizeof buf) > 0)
            ;
        err = http2_error(p->h) ? http2_error(p->h) : err;
    }
    http2_rest(p->h); /* so that nghttp2 allocates again */
    for (size_t i = 0; i < 5 && err == 0; i++)
        http2_stream_send(&uploads[i], "body", 4, true);
    while (http2_output(p->h, buf, sizeof buf) > 0)
        ;
    for (size_t i = 0; i < 5 && err == 0; i++) {
        err = http2_error(p->h) ? http2_error(p->h) : uploads[i].err;
        if (err == 0)
            CHECK_EQ(uploads[i].out_len, 0);
    }
    for (size_t i = 0; i < 5; i++) {
        http2_stream_close(&uploads[i]);
        http2_stream_finish(&uploads[i]);
    }
    http2_destroy(p->h);
    return err;
}

TEST(http2_upload_is_sent_or_fails_when_memory_runs_out)
{
    static struct peer p;

    CHECK(faults_sweep(five_uploads, &p) > 5);
}

TEST_MAIN()

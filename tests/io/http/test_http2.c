/* SPDX-License-Identifier: MIT */
/* HTTP/2 without I/O: the results of valid and invalid frames of a server. */
#include <stdlib.h>

#include <whorl/base.h>
#include <whorl/error.h>

#include "faults.h"
#include "http2_peer.h"

TEST(http2_response_is_the_same_however_it_is_cut)
{
    for (size_t step = 1; step < 100; step += 7) {
        struct peer p;
        peer_start(&p, "GET", (struct http1_limits){0});
        frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "103", "link", "</a>", NULL);
        frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", "content-length", "5", "a", " b\t",
                    NULL);
        frames_add(&f, FRAMES_DATA, 0, 1, "he", 2);
        frames_add(&f, FRAMES_DATA, 0, 1, "llo", 3);
        frames_head(&f, 1, FRAMES_END_HEADERS | FRAMES_END_STREAM, "t", "u", NULL);
        peer_feed_in(&p, step);
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
        peer_check_body(&p, "hello");
        peer_finish(&p);
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
    peer_send_all(&p);
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
        peer_start(&p, r->is_head ? "HEAD" : "GET", (struct http1_limits){0});
        add_pairs(r->body ? 0 : FRAMES_END_STREAM, r->head);
        if (r->body)
            frames_add(&f, FRAMES_DATA, r->trailer[0] ? 0 : FRAMES_END_STREAM, 1, r->body,
                       strlen(r->body));
        if (r->trailer[0])
            add_pairs(FRAMES_END_STREAM, r->trailer);
        peer_feed(&p);
        if (p.s.err != r->expected || !p.s.reason[0] || http2_error(p.h))
            test_fail(__FILE__, __LINE__, "%s: %d, \"%s\", connection %d", r->what, p.s.err,
                      p.s.reason, http2_error(p.h));
        CHECK(peer_has_sent(&p, FRAMES_RST_STREAM, NGHTTP2_PROTOCOL_ERROR));
        /* Another stream of the connection is not affected. */
        struct http2_stream other = {0};
        CHECK_OK(peer_request(&p, &other, "GET", false));
        peer_send_all(&p);
        frames_head(&f, 3, FRAMES_END_HEADERS | FRAMES_END_STREAM, ":status", "204", NULL);
        peer_feed(&p);
        CHECK(other.is_over);
        CHECK_OK(other.err);
        http2_stream_close(&other);
        http2_stream_finish(&other);
        peer_finish(&p);
    }
}

TEST(http2_head_announced_lengths_and_304_have_no_body)
{
    struct peer p;

    peer_start(&p, "HEAD", (struct http1_limits){0});
    frames_head(&f, 1, FRAMES_END_HEADERS | FRAMES_END_STREAM, ":status", "200", "content-length",
                "1234", NULL);
    peer_feed(&p);
    CHECK_OK(p.s.err);
    CHECK(p.s.is_over);
    CHECK_EQ(p.s.length, 1234);
    peer_finish(&p);
    peer_start(&p, "GET", (struct http1_limits){0});
    frames_head(&f, 1, FRAMES_END_HEADERS | FRAMES_END_STREAM, ":status", "304", "content-length",
                "1234", NULL);
    peer_feed(&p);
    CHECK_OK(p.s.err);
    CHECK(p.s.is_over);
    peer_finish(&p);
}

TEST(http2_applies_the_limits_of_http1)
{
    struct peer p;

    peer_start(&p, "GET", (struct http1_limits){.head_bytes_max = 40});
    frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", "a", "0123456789012345678901234567",
                NULL);
    peer_feed(&p);
    CHECK_ERR(p.s.err, WHORL_EHTTP_HEAD_TOO_LARGE);
    peer_finish(&p);

    peer_start(&p, "GET", (struct http1_limits){.headers_max = 2});
    frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", "a", "1", "b", "2", "c", "3", NULL);
    peer_feed(&p);
    CHECK_ERR(p.s.err, WHORL_EHTTP_HEADERS_TOO_MANY);
    peer_finish(&p);

    peer_start(&p, "GET", (struct http1_limits){.informational_max = 2});
    for (int i = 0; i < 3; i++)
        frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "100", NULL);
    peer_feed(&p);
    CHECK_ERR(p.s.err, WHORL_EHTTP_INFORMATIONAL);
    peer_finish(&p);

    peer_start(&p, "GET", (struct http1_limits){.body_bytes_max = 4});
    frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", NULL);
    frames_add(&f, FRAMES_DATA, 0, 1, "hell", 4);
    peer_feed(&p);
    CHECK_OK(p.s.err);
    frames_add(&f, FRAMES_DATA, FRAMES_END_STREAM, 1, "o", 1);
    peer_feed(&p);
    CHECK_ERR(p.s.err, WHORL_EHTTP_BODY_TOO_LARGE);
    peer_check_body(&p, "hell");
    CHECK(peer_has_sent(&p, FRAMES_RST_STREAM, NGHTTP2_CANCEL));
    peer_finish(&p);
}

/* Connections that end */

TEST(http2_refuses_a_pushed_stream)
{
    struct peer p;
    char payload[64] = {0, 0, 0, 2};
    size_t len = frames_field(payload, 4, ":method", "GET");

    peer_start(&p, "GET", (struct http1_limits){0});
    frames_add(&f, FRAMES_PUSH_PROMISE, FRAMES_END_HEADERS, 1, payload, len);
    peer_feed(&p);
    CHECK_ERR(http2_error(p.h), WHORL_EHTTP_PROTOCOL);
    CHECK_ERR(p.s.err, WHORL_EHTTP_PROTOCOL);
    CHECK(peer_has_sent(&p, FRAMES_GOAWAY, NGHTTP2_PROTOCOL_ERROR));
    peer_finish(&p);
}

TEST(http2_says_that_a_server_speaks_only_http1)
{
    struct peer p;

    peer_start(&p, "GET", (struct http1_limits){0});
    f.len = 0;
    frames_raw(&f, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
    peer_feed_in(&p, 3);
    CHECK_ERR(http2_error(p.h), WHORL_EHTTP_VERSION);
    CHECK_STR(p.s.reason, "the server speaks HTTP/1 only");
    peer_finish(&p);
}

TEST(http2_goaway_leaves_the_streams_that_the_server_has_taken)
{
    struct http2_stream later = {0};
    struct peer p;

    peer_start(&p, "GET", (struct http1_limits){0});
    CHECK_OK(peer_request(&p, &later, "GET", false));
    peer_send_all(&p);
    frames_goaway(&f, 1, NGHTTP2_NO_ERROR);
    peer_feed(&p);
    CHECK_OK(p.s.err);
    CHECK_ERR(later.err, WHORL_EHTTP_REFUSED);
    CHECK(later.is_unprocessed);
    CHECK(http2_is_draining(p.h));
    CHECK_EQ(http2_capacity(p.h), 0);
    frames_head(&f, 1, FRAMES_END_HEADERS | FRAMES_END_STREAM, ":status", "200", NULL);
    peer_feed(&p);
    CHECK(p.s.is_over);
    CHECK(!p.s.err);
    http2_stream_close(&later);
    http2_stream_finish(&later);
    peer_finish(&p);
}

static void check_reset(uint32_t code, int expected, bool is_unprocessed)
{
    struct peer p;

    peer_start(&p, "GET", (struct http1_limits){0});
    frames_number(&f, FRAMES_RST_STREAM, 1, code);
    peer_feed(&p);
    CHECK_ERR(p.s.err, expected);
    CHECK_EQ(p.s.is_unprocessed, is_unprocessed);
    CHECK_OK(http2_error(p.h));
    peer_finish(&p);
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

    peer_start(&p, "GET", (struct http1_limits){0});
    frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", NULL);
    frames_add(&f, FRAMES_DATA, 0, 1, "hel", 3);
    peer_feed(&p);
    http2_end(p.h, 0, NULL);
    CHECK_ERR(p.s.err, WHORL_EHTTP_TRUNCATED);
    peer_check_body(&p, "hel");
    peer_finish(&p);

    peer_start(&p, "GET", (struct http1_limits){0});
    frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", NULL);
    frames_add(&f, FRAMES_DATA, 0, 1, "hel", 3);
    frames_number(&f, FRAMES_RST_STREAM, 1, NGHTTP2_INTERNAL_ERROR);
    peer_feed(&p);
    CHECK_ERR(p.s.err, WHORL_EHTTP_TRUNCATED);
    peer_check_body(&p, "hel");
    peer_finish(&p);
}

/* Limits on streams */

TEST(http2_capacity_is_the_smaller_of_both_limits)
{
    struct http2_options options = {.streams_max = 2};
    struct http2_stream third = {0};
    struct peer p = {0};

    CHECK_OK(http2_create(&options, &p.h));
    CHECK_EQ(http2_capacity(p.h), 2);
    peer_send_all(&p);
    f.len = 0;
    frames_setting(&f, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1);
    peer_feed(&p);
    CHECK_EQ(http2_capacity(p.h), 1);
    CHECK_OK(peer_request(&p, &p.s, "GET", false));
    CHECK_ERR(peer_request(&p, &third, "GET", false), WHORL_EHTTP_REFUSED);
    CHECK(third.is_unprocessed);
    frames_setting(&f, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000);
    peer_feed(&p);
    CHECK_EQ(http2_capacity(p.h), 2);
    http2_stream_finish(&third);
    peer_finish(&p);
}

static int whole_response(void *arg)
{
    struct http2_options options = {0};
    struct peer *p = arg;
    int err = http2_create(&options, &p->h);

    p->s = (struct http2_stream){0};
    if (err)
        return err;
    err = peer_request(p, &p->s, "GET", false);
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
        err = peer_request(p, &uploads[i], "POST", true);
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

/* SPDX-License-Identifier: MIT */
/* What an HTTP/2 server may send that brings no response any further. */
#include <whorl/base.h>
#include <whorl/error.h>

#include "http2_peer.h"
#include "io/http/http2_allowance.h"

/* Feeds the same frame until the connection fails. Returns how many frames it took. */
static int flood(struct peer *p, int most)
{
    struct frames one = f;
    int n = 0;

    while (n < most && !http2_error(p->h)) {
        f = one;
        peer_feed(p);
        n++;
    }
    return n;
}

/* Starts a connection, on which the response has begun, and feeds the frame that follows. */
static void check_flood(int type, int flags, uint32_t id, const void *payload, size_t len)
{
    struct peer p;

    peer_start(&p, "GET", (struct http1_limits){0});
    frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", NULL);
    peer_feed(&p);
    frames_add(&f, type, flags, id, payload, len);
    int n = flood(&p, 20000);
    CHECK_ERR(http2_error(p.h), WHORL_EHTTP_FLOOD);
    CHECK_ERR(p.s.err, WHORL_EHTTP_FLOOD);
    CHECK(n <= HTTP2_FRAMES_SPARE * 7); /* an unknown frame counts by its bytes */
    CHECK(peer_has_sent(&p, FRAMES_GOAWAY, NGHTTP2_ENHANCE_YOUR_CALM));
    peer_finish(&p);
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

    peer_start(&p, "GET", (struct http1_limits){0});
    peer_feed(&p);
    http2_stream_close(&p.s);
    peer_send_all(&p);
    frames_number(&f, FRAMES_RST_STREAM, 1, 0);
    CHECK(flood(&p, 20000) <= HTTP2_FRAMES_SPARE);
    CHECK_ERR(http2_error(p.h), WHORL_EHTTP_FLOOD);
    peer_finish(&p);
}

TEST(http2_ends_a_connection_that_splits_a_head_endlessly)
{
    struct peer p;

    peer_start(&p, "GET", (struct http1_limits){0});
    frames_head(&f, 1, 0, ":status", "200", NULL);
    peer_feed(&p);
    frames_add(&f, FRAMES_CONTINUATION, 0, 1, NULL, 0);
    CHECK(flood(&p, 20000) <= HTTP2_FRAMES_SPARE);
    CHECK_ERR(http2_error(p.h), WHORL_EHTTP_FLOOD);
    CHECK_ERR(p.s.err, WHORL_EHTTP_FLOOD);
    peer_finish(&p);
}

TEST(http2_ends_a_connection_whose_settings_are_too_many)
{
    char settings[6 * 2000];
    struct peer p;

    for (size_t i = 0; i < sizeof settings; i += 6)
        memcpy(settings + i, "\0\1\0\0\0\1", 6);
    peer_start(&p, "GET", (struct http1_limits){0});
    frames_add(&f, FRAMES_SETTINGS, 0, 0, settings, sizeof settings);
    peer_feed(&p);
    CHECK_ERR(http2_error(p.h), WHORL_EHTTP_PROTOCOL);
    peer_finish(&p);
}

TEST(http2_allows_pings_that_come_slowly_or_with_data)
{
    struct peer p;

    peer_start(&p, "GET", (struct http1_limits){0});
    frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", NULL);
    peer_feed(&p);
    for (int64_t i = 0; i < 10000; i++) {
        f.len = 0;
        frames_add(&f, FRAMES_PING, 0, 0, "12345678", 8);
        http2_feed(p.h, f.bytes, f.len, i * WHORL_SECOND / 10);
        peer_send_all(&p);
        CHECK(peer_has_sent(&p, FRAMES_PING, UINT32_MAX)); /* the acknowledgement */
    }
    f.len = 0;
    for (int i = 0; i < 10000; i++) {
        frames_add(&f, FRAMES_PING, 0, 0, "12345678", 8);
        frames_add(&f, FRAMES_DATA, 0, 1, "x", 1);
        peer_feed(&p);
    }
    CHECK_OK(http2_error(p.h));
    peer_finish(&p);
}

/* Streams that were reset */

/* A server that has not seen the RST_STREAM yet sends what the window has room for. */
TEST(http2_body_of_a_cancelled_stream_leaves_the_others_alone)
{
    struct http2_stream other = {0};
    struct peer p;

    peer_start(&p, "GET", (struct http1_limits){0});
    CHECK_OK(peer_request(&p, &other, "GET", false));
    for (uint32_t id = 1; id < 6; id += 4) { /* 3 is the other one */
        if (id > 1)
            CHECK_OK(peer_request(&p, &p.s, "GET", false));
        peer_send_all(&p);
        frames_head(&f, id, FRAMES_END_HEADERS, ":status", "200", NULL);
        peer_feed(&p);
        http2_stream_close(&p.s);
        peer_send_all(&p);
        for (int i = 0; i < HTTP2_STREAM_WINDOW / 1000; i++) {
            frames_add(&f, FRAMES_DATA, 0, id, megabyte, 1000);
            peer_feed(&p);
        }
        CHECK_OK(http2_error(p.h));
    }
    frames_head(&f, 3, FRAMES_END_HEADERS | FRAMES_END_STREAM, ":status", "200", NULL);
    peer_feed(&p);
    CHECK(other.is_over);
    http2_stream_close(&other);
    http2_stream_finish(&other);
    frames_add(&f, FRAMES_DATA, 0, 5, NULL, 0);
    CHECK(flood(&p, 200000) < 200000);
    CHECK_ERR(http2_error(p.h), WHORL_EHTTP_FLOOD);
    peer_finish(&p);
}

/* Sends the head, then as much body as the window of a stream has room for. */
static void check_refused_body(const char *name, const char *value, int expected)
{
    struct http2_stream other = {0};
    struct peer p;

    peer_start(&p, "GET", (struct http1_limits){0});
    CHECK_OK(peer_request(&p, &other, "GET", false));
    peer_send_all(&p);
    frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", name, value, NULL);
    peer_feed(&p);
    peer_feed_data(&p, 1, HTTP2_STREAM_WINDOW);
    CHECK_ERR(p.s.err, expected);
    CHECK_OK(http2_error(p.h));
    frames_head(&f, 3, FRAMES_END_HEADERS | FRAMES_END_STREAM, ":status", "200", NULL);
    peer_feed(&p);
    CHECK(other.is_over);
    CHECK_OK(other.err);
    http2_stream_close(&other);
    http2_stream_finish(&other);
    peer_finish(&p);
}

TEST(http2_body_of_a_refused_response_leaves_the_other_streams_alone)
{
    check_refused_body("Upper-Case", "x", WHORL_EHTTP_HEADER); /* nghttp2 refuses it */
    check_refused_body("content-length", "100", WHORL_EHTTP_LENGTH);
    check_refused_body("content-length", "100000", WHORL_EHTTP_LENGTH);
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT */
/* The windows of HTTP/2: bodies in both directions. */
#include <whorl/base.h>
#include <whorl/error.h>

#include "http2_peer.h"

TEST(http2_window_opens_as_the_caller_takes_and_not_before)
{
    struct http2_chunk *chunk;
    struct peer p;

    peer_start(&p, "GET", (struct http1_limits){0});
    frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", NULL);
    peer_feed(&p);
    peer_feed_data(&p, 1, HTTP2_STREAM_WINDOW);
    CHECK_OK(p.s.err);
    CHECK_EQ(p.out_len, 0); /* no WINDOW_UPDATE */
    frames_add(&f, FRAMES_DATA, 0, 1, "x", 1);
    struct frames more = f;
    peer_feed(&p);
    CHECK_ERR(p.s.err, WHORL_EHTTP_PROTOCOL);
    CHECK_STR(p.s.reason, "more bytes than the window has room for");
    CHECK(peer_has_sent(&p, FRAMES_RST_STREAM, NGHTTP2_FLOW_CONTROL_ERROR));
    peer_finish(&p);

    peer_start(&p, "GET", (struct http1_limits){0});
    frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", NULL);
    peer_feed(&p);
    peer_feed_data(&p, 1, HTTP2_STREAM_WINDOW);
    while ((chunk = http2_stream_take(&p.s)))
        http2_chunk_release(&p.store, chunk);
    peer_send_all(&p);
    CHECK(peer_has_sent(&p, FRAMES_WINDOW_UPDATE, UINT32_MAX));
    f = more;
    peer_feed(&p);
    CHECK_OK(http2_error(p.h));
    CHECK_OK(p.s.err);
    peer_finish(&p);
}

TEST(http2_cancelled_stream_gives_its_room_in_the_connection_back)
{
    struct peer p;

    peer_start(&p, "GET", (struct http1_limits){0});
    for (uint32_t id = 1; id < 2 * 40; id += 2) { /* 40 windows of a stream: 80 MiB */
        if (id > 1) {
            CHECK_OK(peer_request(&p, &p.s, "GET", false));
            peer_send_all(&p);
        }
        frames_head(&f, id, FRAMES_END_HEADERS, ":status", "200", NULL);
        peer_feed(&p);
        peer_feed_data(&p, id, HTTP2_STREAM_WINDOW);
        CHECK_OK(http2_error(p.h));
        CHECK_OK(p.s.err);
        http2_stream_close(&p.s);
        peer_send_all(&p);
        CHECK(peer_has_sent(&p, FRAMES_RST_STREAM, NGHTTP2_CANCEL));
    }
    peer_finish(&p);
}

TEST(http2_body_of_a_request_waits_for_the_window)
{
    struct peer p;

    peer_start(&p, "GET", (struct http1_limits){0});
    peer_feed(&p);
    http2_stream_close(&p.s);
    CHECK_OK(peer_request(&p, &p.s, "POST", true));
    http2_stream_send(&p.s, megabyte, 100000, true);
    peer_send_all(&p);
    CHECK_EQ(p.s.out_len, 100000 - 65535); /* the initial window */
    CHECK(!http2_next_changed(p.h));
    frames_number(&f, FRAMES_WINDOW_UPDATE, 3, 100000);
    frames_number(&f, FRAMES_WINDOW_UPDATE, 0, 100000);
    peer_feed(&p);
    CHECK_EQ(p.s.out_len, 0);
    CHECK(http2_next_changed(p.h) == &p.s);
    frames_head(&f, 3, FRAMES_END_HEADERS | FRAMES_END_STREAM, ":status", "200", NULL);
    peer_feed(&p);
    CHECK(p.s.is_over && p.s.is_ended);
    peer_finish(&p);
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT */
/* Compressed replies: when the server compresses, and that the client can decompress. */
#include <stdlib.h>

#include <zlib.h>

#include <whorl.h>

#include "io/http_server/gzip.h"
#include "served.h"
#include "test.h"

/* --- the decision --- */

static bool accepts(const char *value)
{
    struct header_list list = {0};
    if (value)
        CHECK_OK(header_list_append(&list, "accept-encoding", value));
    bool accepted = gzip_is_accepted(&list);
    header_list_finish(&list);
    return accepted;
}

TEST(gzip_is_used_if_the_client_accepts_it)
{
    CHECK(accepts("gzip"));
    CHECK(accepts("deflate, GZIP;q=0.5"));
    CHECK(accepts("gzip; q=1.000"));
    CHECK(accepts("gzip;q=0.001"));
    CHECK(accepts("*"));
    CHECK(accepts("identity;q=0, *;q=0.1"));
    CHECK(!accepts(NULL));
    CHECK(!accepts(""));
    CHECK(!accepts("identity"));
    CHECK(!accepts("gzip;q=0"));
    CHECK(!accepts("gzip;q=0.000"));
    CHECK(!accepts("gzip;q=x"));
    CHECK(!accepts("gzip;q="));
    CHECK(!accepts("gzip;level=1"));
    CHECK(!accepts("*, gzip;q=0"));
    CHECK(!accepts("xgzip"));
}

TEST(gzip_is_used_for_text)
{
    CHECK(gzip_is_text("text/html; charset=utf-8"));
    CHECK(gzip_is_text("TEXT/plain"));
    CHECK(gzip_is_text("application/json"));
    CHECK(gzip_is_text("application/problem+json; x"));
    CHECK(gzip_is_text("image/svg+xml"));
    CHECK(!gzip_is_text("image/png"));
    CHECK(!gzip_is_text("application/octet-stream"));
    CHECK(!gzip_is_text("text/event-stream")); /* each event has to arrive at once */
    CHECK(!gzip_is_text(""));
}

/* --- replies --- */

enum { LEN = 200000 };

static char *text_body(void)
{
    char *text = malloc(LEN);
    for (size_t i = 0; i < LEN; i++)
        text[i] = "the quick brown fox "[(i + i / 700) % 20];
    return text;
}

static WHORL_SUSPENDS int send_text(void *arg, struct whorl_http_incoming *incoming,
                                    struct whorl_http_reply *reply)
{
    const char *path = whorl_http_incoming_path(incoming), *text = arg;
    if (strcmp(path, "/whole") == 0)
        return whorl_http_reply_send(reply, 200, "text/plain", text, LEN);
    if (strcmp(path, "/short") == 0)
        return whorl_http_reply_send(reply, 200, "text/plain", text, 10);
    if (strcmp(path, "/part") == 0)
        return whorl_http_reply_send(reply, 206, "text/plain", text, LEN);
    if (strcmp(path, "/image") == 0)
        return whorl_http_reply_send(reply, 200, "image/png", text, 1000);
    int err = whorl_http_reply_add_header(reply, "Content-Type", "text/plain");
    if (err == 0 && strcmp(path, "/encoded") == 0)
        err = whorl_http_reply_add_header(reply, "Content-Encoding", "br");
    if (err == 0)
        err = whorl_http_reply_start(reply, 200, strcmp(path, "/chunks") == 0 ? -1 : LEN);
    for (size_t at = 0; at < LEN && err == 0; at += LEN / 4)
        err = whorl_http_reply_write(reply, text + at, LEN / 4);
    return err;
}

/* Removes chunk framing in place. Returns the length. */
static size_t without_chunks(char *body)
{
    char *to = body, *at = body;
    for (size_t len; (len = strtoul(at, &at, 16)) > 0; to += len, at += len + 2) {
        memmove(to, at + 2, len);
        at += 2;
    }
    CHECK(memcmp(at, "\r\n\r\n", 4) == 0);
    return (size_t)(to - body);
}

static void expect_gzip(char *body, size_t len, const char *text)
{
    static char plain[LEN + 1];
    z_stream z = {.next_in = (Bytef *)body,
                  .avail_in = (uInt)len,
                  .next_out = (Bytef *)plain,
                  .avail_out = sizeof plain};
    CHECK_EQ(inflateInit2(&z, 15 + 16), Z_OK);
    CHECK_EQ(inflate(&z, Z_FINISH), Z_STREAM_END);
    CHECK_EQ(z.total_out, LEN);
    CHECK_EQ(z.avail_in, 0);
    CHECK(memcmp(plain, text, LEN) == 0);
    inflateEnd(&z);
}

/* Reads a reply, whose body may contain NULs. */
static WHORL_SUSPENDS_SHIELDED char *fetch(struct served_setup *setup, const char *path,
                                           const char *headers, size_t *ret_len)
{
    struct served_conn conn;
    char request[200], *reply;
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\n%s\r\n", path, headers);
    served_open(&conn, setup);
    served_send(&conn, request, strlen(request));
    CHECK_OK(whorl_stream_close_write(conn.client));
    CHECK_OK(whorl_stream_read_to_end(conn.client, 1 << 20, &reply, ret_len));
    free(served_close(&conn));
    CHECK_OK(setup->result);
    return reply;
}

#define ACCEPT "Accept-Encoding: gzip\r\n"

TEST_VIRTUAL(whole_replies_and_bodies_in_parts_are_compressed)
{
    static const char *const paths[] = {"/whole", "/chunks", "/length"};
    char *text = text_body();
    struct served_setup setup = {.fn = send_text, .arg = text, .options.gzip = true};
    for (size_t i = 0; i < 3; i++) {
        size_t len;
        char *reply = fetch(&setup, paths[i], ACCEPT, &len), *body = strstr(reply, "\r\n\r\n") + 4;
        CHECK(strstr(reply, "Content-Encoding: gzip\r\n") < body);
        CHECK(strstr(reply, "Vary: Accept-Encoding\r\n") < body);
        CHECK(len < LEN / 10);
        CHECK_EQ(strstr(reply, "Content-Length: ") != NULL, i == 0);
        expect_gzip(body, i == 0 ? (size_t)(reply + len - body) : without_chunks(body), text);
        free(reply);
    }
    free(text);
}

static WHORL_SUSPENDS_SHIELDED bool is_plain(struct served_setup *setup, const char *path,
                                             const char *headers, bool vary)
{
    size_t len;
    char *reply = fetch(setup, path, headers, &len), *end = strstr(reply, "\r\n\r\n");
    *end = '\0';
    bool plain = !strstr(reply, "Content-Encoding: gzip");
    CHECK_EQ(strstr(reply, "Vary: Accept-Encoding") != NULL, vary);
    free(reply);
    return plain;
}

TEST_VIRTUAL(other_replies_are_not_compressed)
{
    char *text = text_body();
    struct served_setup setup = {.fn = send_text, .arg = text, .options.gzip = true};
    CHECK(is_plain(&setup, "/whole", "", true));
    CHECK(is_plain(&setup, "/length", "", true));
    CHECK(is_plain(&setup, "/short", ACCEPT, false));
    CHECK(is_plain(&setup, "/image", ACCEPT, false));
    CHECK(is_plain(&setup, "/encoded", ACCEPT, false));
    CHECK(is_plain(&setup, "/part", ACCEPT, false));
    setup.options.gzip = false;
    CHECK(is_plain(&setup, "/whole", ACCEPT, false));
    free(text);
}

TEST_MAIN()

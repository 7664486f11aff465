/* SPDX-License-Identifier: MIT */
/* A whole HTTP server on a stream in memory. Whatever a client sends, however the bytes are cut,
 * the server's replies must be read by this library's client parser: one for each exchange in the
 * log, with its status and number of bytes, and nothing between them. */
#include <string.h>

#include <whorl.h>

#include "fuzz.h"
#include "io/http/http1.h"
#include "memstream.h"

enum { EXCHANGES_MAX = 256 };

/* One run of the server. */
struct session {
    const uint8_t *data;
    size_t len;
    uint8_t settings;
    struct {
        int status;
        bool is_head;
        int64_t bytes;
    } exchanges[EXCHANGES_MAX];
    int count;
    char *replies;
    size_t replies_len;
};

/* What the handler does depends on the length of the path. */
static WHORL_SUSPENDS int handle(void *arg, struct whorl_http_incoming *incoming,
                                 struct whorl_http_reply *reply)
{
    size_t way = strlen(whorl_http_incoming_path(incoming)) % 8;
    char buf[512];
    ssize_t n = 1;
    int err = 0;

    (void)arg;
    while (way % 2 == 0 && n > 0)
        n = whorl_http_incoming_read(incoming, buf, way == 2 ? 7 : sizeof buf);
    if (n < 0)
        return (int)n;
    switch (way) {
    case 2:
    case 3:
        err = whorl_http_reply_start(reply, 200, way == 2 ? 600 : -1);
        for (int i = 0; i < 2 && err == 0; i++)
            err = whorl_http_reply_write(reply, memset(buf, 'x', 300), 300);
        if (err == 0 && way == 3)
            err = whorl_http_reply_add_trailer(reply, "A", "b");
        return err;
    case 4:
        return whorl_http_reply_send(reply, 204, NULL, "x", 1);
    case 5:
        return -EIO;
    default:
        return whorl_http_reply_send(reply, 200, "text/plain", memset(buf, 'y', 512), 512);
    }
}

static void note(void *arg, const struct whorl_http_log_entry *entry)
{
    struct session *s = arg;
    FUZZ_CHECK(s->count < EXCHANGES_MAX);
    s->exchanges[s->count].status = entry->status;
    s->exchanges[s->count].is_head = strcmp(entry->method, "HEAD") == 0;
    s->exchanges[s->count++].bytes = entry->bytes;
}

static int serve(void *arg)
{
    struct session *s = arg;
    struct whorl_stream *client, *server;
    struct whorl_http_server_options options = {
        .log = note,
        .gzip = s->settings & 1,
        .head_bytes_max = s->settings & 2 ? 128 : 0,
        .body_bytes_max = s->settings & 4 ? 8 : 0,
        .headers_max = s->settings & 8 ? 3 : 0,
    };

    FUZZ_CHECK(memstream_pair(&client, &server) == 0);
    memstream_chunk(server, s->settings >> 4);
    FUZZ_CHECK(whorl_stream_write(client, s->data, s->len) == 0);
    FUZZ_CHECK(whorl_stream_close_write(client) == 0);
    FUZZ_CHECK(whorl_http_serve_stream(server, &options, handle, s) == 0);
    whorl_stream_close(server);
    FUZZ_CHECK(whorl_stream_read_to_end(client, 1 << 24, &s->replies, &s->replies_len) == 0);
    whorl_stream_close(client);
    return 0;
}

/* Reads the reply at `at`. Returns where it ends. */
static const char *check_reply(struct session *s, int index, const char *at)
{
    const char *end = s->replies + s->replies_len;
    struct http1_body_span span;
    struct http1 p;
    size_t used;
    int event;

    http1_init(&p, NULL, s->exchanges[index].is_head);
    do {
        event = http1_feed(&p, at, (size_t)(end - at), &used, &span);
        at += used;
    } while (event > HTTP1_NEED_INPUT && event != HTTP1_END);
    /* What ends with the connection was the last reply to an HTTP/1.0 client. */
    if (event == HTTP1_NEED_INPUT && http1_is_close_delimited(&p))
        event = http1_eof(&p);
    FUZZ_CHECK(event == HTTP1_END);
    FUZZ_CHECK(http1_status(&p) == s->exchanges[index].status);
    FUZZ_CHECK(http1_received(&p) == s->exchanges[index].bytes);
    FUZZ_CHECK(index + 1 == s->count || http1_keep_alive(&p));
    FUZZ_CHECK(header_list_get(http1_headers(&p), "Date"));
    http1_finish(&p);
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct session s;

    if (len < 1)
        return 0;
    s = (struct session){.data = data + 1, .len = len - 1, .settings = data[0]};
    FUZZ_CHECK(whorl_run_virtual(NULL, serve, &s) == 0);
    const char *at = s.replies;
    for (int i = 0; i < s.count; i++)
        if (s.exchanges[i].status > 0)
            at = check_reply(&s, i, at);
    FUZZ_CHECK(at == s.replies + s.replies_len);
    free(s.replies);
    return 0;
}

void fuzz_seeds(void (*use)(void *ctx, const void *seed, size_t len), void *ctx)
{
#define SEED_WITH(settings, text) use(ctx, settings text, sizeof(settings text) - 1)
#define SEED(text)                SEED_WITH("\0", text)
#define H                         "Host: h\r\n"
#define GET(path)                 "GET " path " HTTP/1.1\r\n" H "\r\n"
    SEED(GET("/") GET("/1") GET("/12") GET("/123") GET("/1234") GET("/12345") GET("/123456"));
    SEED("HEAD / HTTP/1.1\r\n" H "\r\nHEAD /12 HTTP/1.1\r\n" H "\r\n" GET("/"));
    SEED("POST /1 HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello" GET("/12"));
    SEED("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello" GET("/1"));
    SEED("POST /1 HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
         "5\r\nhello\r\n0\r\nA: b\r\n\r\n" GET("/"));
    SEED("POST /12 HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
         "5\r\nhello\r\n0\r\n\r\n" GET("/"));
    SEED("POST /1 HTTP/1.1\r\n" H
         "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello" GET("/"));
    SEED("GET /12 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    SEED("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n");
    SEED_WITH("\x01", "GET /12 HTTP/1.1\r\n" H "Accept-Encoding: gzip\r\n\r\n" GET("/"));
    SEED_WITH("\x11", "GET / HTTP/1.1\r\n" H "Accept-Encoding: gzip\r\n\r\n" GET("/"));
    SEED_WITH("\x14", "POST /1 HTTP/1.1\r\n" H "Content-Length: 9\r\n\r\nhello....");
    SEED_WITH("\x32", "GET / HTTP/1.1\r\n" H "A: 0123456789012345678901234567890123456789\r\n\r\n");
#undef SEED
#undef SEED_WITH
}

/* SPDX-License-Identifier: MIT */
/* Bodies in both directions: complete, cut at every byte, too large, decoded, sent in parts,
 * answered early. */
#include <stdlib.h>

#include <zlib.h>

#include <whorl/group.h>
#include <whorl/http.h>
#include <whorl/stream.h>
#include <whorl/task.h>

#include "fakehttp.h"
#include "memstream.h"
#include "test.h"

static struct whorl_error error;

static size_t open_of(struct whorl_http_session *session)
{
    struct whorl_http_session_stats stats;
    whorl_http_session_get_stats(session, &stats);
    CHECK_EQ(stats.open, stats.idle);
    return stats.open;
}

#define RESPONDS(...)                       \
    (const struct fake_step[])              \
    {                                       \
        {.action = FAKE_HEAD}, __VA_ARGS__, \
        {                                   \
            0                               \
        }                                   \
    }

enum { IN_PARTS = 0 }; /* instead of the size of a buffer */

static WHORL_SUSPENDS ssize_t read_some(struct whorl_http_response *response, size_t size,
                                        const char **ret)
{
    static char buf[100000];

    *ret = buf;
    if (size == IN_PARTS)
        return whorl_http_response_read_part(response, ret);
    return whorl_http_response_read(response, buf, size);
}

/* Reads with buffers of different sizes and checks that the bytes are the pattern. */
static WHORL_SUSPENDS_SHIELDED void check_pattern(struct fake *fake, int64_t len)
{
    static const size_t sizes[] = {IN_PARTS, 1, 7, 1000, 16383, 16384, 100000};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        WHORL_AUTO(http_session) *session = fake_session(fake);
        WHORL_AUTO(http_response) *response = NULL;
        const char *part;
        int64_t at = 0;
        ssize_t n;
        CHECK_OK(whorl_http_get(session, "http://a.test/", &response));
        while ((n = read_some(response, sizes[i], &part)) > 0)
            for (ssize_t k = 0; k < n; k++, at++)
                if (part[k] != fake_pattern(at))
                    test_fail(__FILE__, __LINE__, "byte %lld is wrong with buffers of %zu",
                              (long long)at, sizes[i]);
        CHECK_ERR(n, 0);
        CHECK_EQ(at, len);
        CHECK_EQ(whorl_http_response_received(response), len);
    }
    fake_finish(fake);
}

TEST_VIRTUAL(a_sized_body_arrives_whatever_the_buffers)
{
    const struct fake_step *script =
        RESPONDS({FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n", 0},
                 {.action = FAKE_BODY, .n = 50000});
    for (size_t chunk = 0; chunk < 30000; chunk = chunk * 5 + 3)
        check_pattern(&(struct fake){.scripts = {script}, .chunk = chunk}, 50000);
}

/* Long enough for the larger buffers of whorl_http_response_read_part(). */
TEST_VIRTUAL(a_long_body_arrives_whatever_the_buffers)
{
    const struct fake_step *script =
        RESPONDS({FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n", 0},
                 {.action = FAKE_BODY, .n = 3000000});
    FAKE fake = {.scripts = {script}, .capacity = 300000};
    static const size_t sizes[] = {IN_PARTS, 100000};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        WHORL_AUTO(http_session) *session = fake_session(&fake);
        WHORL_AUTO(http_response) *response = NULL;
        const char *part;
        size_t largest = 0;
        int64_t at = 0;
        ssize_t n;
        CHECK_OK(whorl_http_get(session, "http://a.test/", &response));
        while ((n = read_some(response, sizes[i], &part)) > 0) {
            largest = (size_t)n > largest ? (size_t)n : largest;
            for (ssize_t k = 0; k < n; k++, at++)
                CHECK(part[k] == fake_pattern(at));
        }
        CHECK_ERR(n, 0);
        CHECK_EQ(at, 3000000);
        if (sizes[i] == IN_PARTS) /* a frame of HTTP/2 is not larger than 16 KiB */
            CHECK(largest > (fake_is_http2() ? 10000 : 100000));
    }
}

TEST_VIRTUAL(a_body_until_close_arrives_whatever_the_buffers)
{
    const struct fake_step *script =
        RESPONDS({FAKE_SEND, "HTTP/1.1 200 OK\r\n\r\n", 0}, {.action = FAKE_BODY, .n = 50000},
                 {.action = FAKE_CLOSE});
    for (size_t chunk = 0; chunk < 30000; chunk = chunk * 5 + 3)
        check_pattern(&(struct fake){.scripts = {script}, .chunk = chunk}, 50000);
}

/* `len` bytes of the pattern in chunks of growing sizes, with a trailer. */
static char *chunked(int64_t len)
{
    char *text = malloc((size_t)len * 8 + 200), *p = text;
    CHECK(text);
    p += sprintf(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    int64_t at = 0;
    for (int64_t size = 1; at < len; size = size * 2 % 9973) {
        int64_t n = size < len - at ? size : len - at;
        p += sprintf(p, "%llx;x=y\r\n", (long long)n);
        for (int64_t i = 0; i < n; i++)
            *p++ = fake_pattern(at++);
        p += sprintf(p, "\r\n");
    }
    sprintf(p, "0\r\nX-Trailer: t\r\n\r\n");
    return text;
}

TEST_VIRTUAL(a_chunked_body_arrives_whatever_the_buffers)
{
    char *text = chunked(40000);
    const struct fake_step *script = RESPONDS({FAKE_SEND, text, 0});
    for (size_t chunk = 0; chunk < 30000; chunk = chunk * 5 + 3)
        check_pattern(&(struct fake){.scripts = {script}, .chunk = chunk}, 40000);
    free(text);
}

TEST_VIRTUAL(trailers_are_known_at_the_end_and_not_before)
{
    char *text = chunked(30000);
    FAKE fake = {.scripts = {RESPONDS({FAKE_SEND, text, 0})}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    WHORL_AUTO(http_response) *response = NULL;
    char *body;
    size_t len;

    CHECK_OK(whorl_http_get(session, "http://a.test/", &response));
    CHECK(!whorl_http_response_trailer(response, "X-Trailer"));
    CHECK_EQ(whorl_http_response_length(response), -1);
    CHECK_OK(whorl_http_response_read_to_end(response, 30000, &body, &len));
    CHECK_EQ(len, 30000);
    CHECK_STR(whorl_http_response_trailer(response, "x-trailer"), "t");
    CHECK(!whorl_http_response_header(response, "x-trailer"));
    CHECK_EQ(open_of(session), 1);
    free(body);
    free(text);
}

/* Closes the connection after each byte of the response. A partial body must never be taken for a
 * complete one. */
enum ending { CUT, RESET };

static WHORL_SUSPENDS_SHIELDED void check_cut(const char *text, size_t head_len, enum ending ending,
                                              bool is_chunked)
{
    size_t len = strlen(text);
    for (size_t k = 0; k <= len; k++) {
        struct fake_step script[] = {{.action = FAKE_HEAD},
                                     {FAKE_SEND, text, (int64_t)k},
                                     {.action = FAKE_SLEEP, .n = 1},
                                     {.action = ending == CUT ? FAKE_CLOSE : FAKE_RESET},
                                     {0}};
        FAKE fake = {.scripts = {script}};
        if (k == 0)
            memmove(&script[1], &script[2], 2 * sizeof script[0]);
        WHORL_AUTO(http_session) *session = fake_session(&fake);
        WHORL_AUTO(http_response) *response = NULL;
        struct whorl_http_request request = {.url = "http://a.test/"};
        char *body = NULL;

        error = (struct whorl_error){0};
        int err = whorl_http_do(session, &request, &error, &response);
        CHECK_EQ(err == 0, k >= head_len);
        if (err == 0)
            err = whorl_http_response_read_to_end(response, 1000, &body, NULL);
        if (response)
            error = *whorl_http_response_error(response);
        if (k == len) {
            CHECK_OK(err);
            CHECK_STR(body, "hello, world");
            free(body);
        } else {
            int expected = ending == RESET                               ? -ECONNRESET
                           : k == 0 || (fake_is_http2() && k < head_len) ? WHORL_EHTTP_NO_RESPONSE
                                                                         : WHORL_EHTTP_TRUNCATED;
            CHECK_ERR(err, expected);
            CHECK_EQ(error.code, expected);
            CHECK_STR(error.step, k < head_len ? "response" : "body");
            CHECK(error.text[0]);
        }
        (void)is_chunked;
        CHECK_OK(whorl_sleep(2)); /* the client sees the close */
        whorl_http_response_close(response);
        response = NULL;
        whorl_http_session_close_idle(session);
        CHECK_EQ(open_of(session), 0);
    }
    CHECK_OK(whorl_yield());
    fake_settle();
    CHECK_EQ(memstream_alive(), 0);
}

#define SIZED_HEAD   "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n"
#define CHUNKED_HEAD "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

TEST_VIRTUAL(an_end_at_any_byte_of_a_sized_response_is_an_error)
{
    check_cut(SIZED_HEAD "hello, world", strlen(SIZED_HEAD), CUT, false);
}

TEST_VIRTUAL(a_reset_at_any_byte_of_a_sized_response_is_an_error)
{
    check_cut(SIZED_HEAD "hello, world", strlen(SIZED_HEAD), RESET, false);
}

TEST_VIRTUAL(an_end_at_any_byte_of_a_chunked_response_is_an_error)
{
    check_cut(CHUNKED_HEAD "5\r\nhello\r\n7;a=b\r\n, world\r\n0\r\nX: y\r\n\r\n",
              strlen(CHUNKED_HEAD), CUT, true);
}

TEST_VIRTUAL(a_reset_at_any_byte_of_a_chunked_response_is_an_error)
{
    check_cut(CHUNKED_HEAD "5\r\nhello\r\n7;a=b\r\n, world\r\n0\r\nX: y\r\n\r\n",
              strlen(CHUNKED_HEAD), RESET, true);
}

TEST_VIRTUAL(a_reset_in_a_body_until_close_is_an_error)
{
    FAKE fake = {.scripts = {RESPONDS({FAKE_SEND, "HTTP/1.1 200 OK\r\n\r\nhello", 0},
                                      {.action = FAKE_SLEEP, .n = 1}, {.action = FAKE_RESET})}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    WHORL_AUTO(http_response) *response = NULL;
    char buf[100];
    CHECK_OK(whorl_http_get(session, "http://a.test/", &response));
    CHECK_EQ(whorl_http_response_read(response, buf, sizeof buf), 5);
    for (int i = 0; i < 3; i++)
        CHECK_ERR(whorl_http_response_read(response, buf, sizeof buf), -ECONNRESET);
    CHECK_EQ(open_of(session), 0);
}

/* TLS that ends without close_notify. */
static void rude(struct fake *fake, struct whorl_stream *client, struct whorl_stream *server)
{
    (void)client;
    memstream_fail(server, (size_t)fake->dial_ns, WHORL_ETLS_TRUNCATED);
    fake->dial_ns = 0;
}

TEST_VIRTUAL_HTTP1(tls_truncation_is_an_error_unless_the_body_was_whole)
{
    static const char until_close[] = "HTTP/1.1 200 OK\r\n\r\nhello";
    static const char sized[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    for (int i = 0; i < 3; i++) {
        const char *text = i == 0 ? until_close : sized;
        FAKE fake = {.scripts = {RESPONDS({FAKE_SEND, text, 0})},
                     .dial_ns = (int64_t)strlen(text) - (i == 2),
                     .on_dial = rude};
        WHORL_AUTO(http_session) *session = fake_session(&fake);
        WHORL_AUTO(http_response) *response = NULL;
        char *body = NULL;
        CHECK_OK(whorl_http_get(session, "http://a.test/", &response));
        int err = whorl_http_response_read_to_end(response, 100, &body, NULL);
        CHECK_ERR(err, i == 1 ? 0 : WHORL_ETLS_TRUNCATED);
        if (err == 0)
            CHECK_STR(body, "hello");
        free(body);
    }
}

/* Limits */

static WHORL_SUSPENDS int limited(const struct fake_step *script, int64_t body_max, size_t all_max,
                                  bool decode, int64_t decoded_max)
{
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    WHORL_AUTO(http_response) *response = NULL;
    struct whorl_http_request request = {.url = "http://a.test/",
                                         .body_bytes_max = body_max,
                                         .decode = decode,
                                         .decoded_bytes_max = decoded_max};
    char *body = NULL;
    size_t len;

    error = (struct whorl_error){0};
    int err = whorl_http_do(session, &request, &error, &response);
    if (err == 0) {
        err = whorl_http_response_read_to_end(response, all_max, &body, &len);
        error = *whorl_http_response_error(response);
    }
    free(body);
    CHECK_EQ(error.code, err);
    return err;
}

TEST_VIRTUAL(a_body_announced_too_large_is_refused_with_its_head)
{
    const struct fake_step *script =
        RESPONDS({FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n", 0});
    CHECK_ERR(limited(script, 11, 100, false, 0), WHORL_EHTTP_BODY_TOO_LARGE);
    CHECK_STR(error.step, "response");
}

TEST_VIRTUAL(a_body_that_grows_too_large_is_an_error_where_it_does)
{
    const struct fake_step *script =
        RESPONDS({FAKE_SEND, CHUNKED_HEAD "5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n", 0});
    CHECK_OK(limited(script, 12, 12, false, 0));
    CHECK_ERR(limited(script, 11, 100, false, 0), WHORL_EHTTP_BODY_TOO_LARGE);
    CHECK_STR(error.step, "body");
    CHECK_ERR(limited(script, 0, 11, false, 0), WHORL_EHTTP_BODY_TOO_LARGE);
    const struct fake_step *until_close =
        RESPONDS({FAKE_SEND, "HTTP/1.1 200 OK\r\n\r\nhello, world", 0}, {.action = FAKE_CLOSE});
    CHECK_OK(limited(until_close, 12, 12, false, 0));
    CHECK_ERR(limited(until_close, 11, 100, false, 0), WHORL_EHTTP_BODY_TOO_LARGE);
}

TEST_VIRTUAL(read_all_of_an_announced_body_too_large_does_not_wait_for_it)
{
    const struct fake_step *script =
        RESPONDS({FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n", 0});
    CHECK_ERR(limited(script, 0, 11, false, 0), WHORL_EHTTP_BODY_TOO_LARGE);
}

TEST_VIRTUAL(read_all_of_an_empty_body_is_an_empty_string)
{
    FAKE fake = {
        .scripts = {RESPONDS({FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0})}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    WHORL_AUTO(http_response) *response = NULL;
    char *body;
    size_t len = 7;
    CHECK_OK(whorl_http_get(session, "http://a.test/", &response));
    CHECK_OK(whorl_http_response_read_to_end(response, 0, &body, &len));
    CHECK_STR(body, "");
    CHECK_EQ(len, 0);
    free(body);
}

/* Decoding */

static size_t gzip(const char *text, size_t len, unsigned char *out, size_t cap)
{
    z_stream z = {0};
    CHECK_EQ(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)text;
    z.avail_in = (unsigned)len;
    z.next_out = out;
    z.avail_out = (unsigned)cap;
    CHECK_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

/* The script of a response with 50,000 encoded bytes of the pattern. */
static const struct fake_step *coded_script(size_t drop)
{
    static char head[200], text[50000];
    static unsigned char coded[60000];
    static struct fake_step script[5];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = fake_pattern((int64_t)i);
    size_t len = gzip(text, sizeof text, coded, sizeof coded) - drop;
    snprintf(head, sizeof head,
             "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", len);
    script[0] = (struct fake_step){.action = FAKE_HEAD};
    script[1] = (struct fake_step){FAKE_SEND, head, 0};
    script[2] = (struct fake_step){FAKE_SEND, (char *)coded, (int64_t)len};
    script[3] = (struct fake_step){0};
    return script;
}

TEST_VIRTUAL(a_coded_body_is_decoded_when_asked)
{
    for (size_t chunk = 0; chunk < 10000; chunk = chunk * 5 + 3) {
        FAKE fake = {.scripts = {coded_script(0)}, .chunk = chunk};
        WHORL_AUTO(http_session) *session = fake_session(&fake);
        WHORL_AUTO(http_response) *response = NULL;
        struct whorl_http_request request = {.url = "http://a.test/", .decode = true};
        char *body;
        size_t len;
        CHECK_OK(whorl_http_do(session, &request, NULL, &response));
        CHECK_EQ(whorl_http_response_length(response), -1);
        CHECK_OK(whorl_http_response_read_to_end(response, 50000, &body, &len));
        CHECK_EQ(len, 50000);
        for (size_t i = 0; i < len; i++)
            CHECK(body[i] == fake_pattern((int64_t)i));
        free(body);
        CHECK(whorl_http_response_received(response) < 50000);
        CHECK_EQ(open_of(session), 1);
    }
}

TEST_VIRTUAL(a_coded_body_is_left_alone_when_not_asked)
{
    FAKE fake = {.scripts = {coded_script(0)}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    WHORL_AUTO(http_response) *response = NULL;
    char buf[2];
    CHECK_OK(whorl_http_get(session, "http://a.test/", &response));
    CHECK_EQ(whorl_http_response_read(response, buf, 2), 2);
    CHECK(memcmp(buf, "\x1f\x8b", 2) == 0);
}

TEST_VIRTUAL(a_coded_body_that_is_cut_or_too_large_is_an_error)
{
    CHECK_OK(limited(coded_script(0), 0, 50000, true, 50000));
    CHECK_ERR(limited(coded_script(0), 0, 100000, true, 49999), WHORL_EHTTP_BODY_TOO_LARGE);
    CHECK_ERR(limited(coded_script(4), 0, 100000, true, 0), WHORL_EHTTP_ENCODING);
    CHECK_STR(error.step, "body");
    const struct fake_step *unknown = RESPONDS(
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Encoding: dcb\r\nContent-Length: 2\r\n\r\nxx", 0});
    CHECK_ERR(limited(unknown, 0, 100, true, 0), WHORL_EHTTP_ENCODING_UNKNOWN);
    CHECK_OK(limited(unknown, 0, 100, false, 0));
}

static WHORL_SUSPENDS int count_turns(void *arg)
{
    int *turns = arg;
    for (int err = 0; err == 0; ++*turns)
        err = whorl_yield();
    return 0;
}

TEST_VIRTUAL(other_tasks_run_while_a_few_bytes_decode_to_many)
{
    enum { LEN = 32 << 20 };
    static char head[200];
    static unsigned char coded[200000];
    char *text = calloc(LEN, 1);
    size_t coded_len = gzip(text, LEN, coded, sizeof coded);
    FAKE fake = {.scripts = {RESPONDS({FAKE_SEND, head, 0},
                                      {FAKE_SEND, (char *)coded, (int64_t)coded_len})}};
    WHORL_AUTO(group) group = {0};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    WHORL_AUTO(http_response) *response = NULL;
    struct whorl_http_request request = {.url = "http://a.test/", .decode = true};
    int64_t received = -1, decoded = 0;
    int turns = 0, last = 0;
    ssize_t n;

    snprintf(head, sizeof head,
             "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", coded_len);
    CHECK_OK(whorl_http_do(session, &request, NULL, &response));
    CHECK_OK(whorl_spawn(&group, count_turns, &turns));
    while ((n = whorl_http_response_read(response, text, 65536)) > 0) {
        decoded += n;
        if (received != whorl_http_response_received(response) || turns != last) {
            received = whorl_http_response_received(response);
            last = turns;
            decoded = 0;
        }
        CHECK(decoded < (1 << 20));
    }
    CHECK_EQ(n, 0);
    whorl_group_cancel(&group);
    free(text);
}

/* Request bodies */

struct source {
    int64_t at, len; /* the source has `len` bytes of the pattern */
    size_t part;     /* bytes per call */
    int64_t pause_ns;
    int err; /* error to return instead of the end */
};

static WHORL_SUSPENDS ssize_t give(void *arg, void *buf, size_t len)
{
    struct source *s = arg;
    size_t n = 0;
    if (s->pause_ns) {
        int err = whorl_sleep(s->pause_ns);
        if (err)
            return err;
    }
    if (s->at == s->len)
        return s->err;
    for (; n < len && n < s->part && s->at < s->len; n++)
        ((char *)buf)[n] = fake_pattern(s->at++);
    return (ssize_t)n;
}

static bool kept; /* whether the last connection was kept open */

static WHORL_SUSPENDS int put_body(struct fake *fake, const struct whorl_http_request *request,
                                   int *ret_status)
{
    char *body;
    WHORL_AUTO(http_session) *session = fake_session(fake);
    WHORL_AUTO(http_response) *response = NULL;
    struct whorl_http_request copy = *request;
    copy.url = "http://a.test/";
    error = (struct whorl_error){0};
    int err = whorl_http_do(session, &copy, &error, &response);
    if (err)
        return err;
    *ret_status = whorl_http_response_status(response);
    err = whorl_http_response_read_to_end(response, 100, &body, NULL);
    if (err)
        return err;
    free(body);
    kept = open_of(session) == 1;
    return 0;
}

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

TEST_VIRTUAL(a_small_body_goes_with_the_head_in_one_write)
{
    FAKE fake = {.scripts = {(const struct fake_step[]){
                     {FAKE_EXPECT,
                      "POST / HTTP/1.1\r\nHost: a.test\r\nUser-Agent: t\r\nAccept: */*\r\n"
                      "Accept-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello",
                      0},
                     {FAKE_SEND, OK, 0},
                     {0}}}};
    struct whorl_http_request request = {.method = "POST", .body = {.data = "hello", .len = 5}};
    int status;
    CHECK_OK(put_body(&fake, &request, &status));
    CHECK_EQ(status, 200);
}

TEST_VIRTUAL(a_large_body_from_memory_arrives_whole)
{
    enum { LEN = 1000000 };
    char *data = malloc(LEN + 1);
    for (int i = 0; i < LEN; i++)
        data[i] = fake_pattern(i);
    data[LEN] = '\0';
    FAKE fake = {.scripts = {RESPONDS({FAKE_EXPECT, data, 0}, {FAKE_SEND, OK, 0})},
                 .capacity = 5000};
    struct whorl_http_request request = {.method = "PUT", .body = {.data = data, .len = LEN}};
    int status;
    CHECK_OK(put_body(&fake, &request, &status));
    CHECK_EQ(status, 200);
    free(data);
}

TEST_VIRTUAL(a_chunked_body_is_framed)
{
    struct source source = {.len = 10, .part = 4};
    FAKE fake = {.scripts = {(const struct fake_step[]){
                     {FAKE_HEAD, "Transfer-Encoding: chunked\r\n\r\n", 0},
                     {FAKE_EXPECT, "4\r\nahov\r\n4\r\ncjqx\r\n2\r\nel\r\n0\r\n\r\n", 0},
                     {FAKE_SEND, OK, 0},
                     {0}}}};
    struct whorl_http_request request = {.method = "POST",
                                         .body = {.read = give, .len = -1, .arg = &source}};
    int status;
    CHECK_OK(put_body(&fake, &request, &status));
}

TEST_VIRTUAL(a_sized_body_from_a_callback_must_keep_its_word)
{
    struct source source = {.len = 10, .part = 4};
    FAKE fake = {
        .scripts = {(const struct fake_step[]){{FAKE_HEAD, "Content-Length: 10\r\n\r\n", 0},
                                               {FAKE_EXPECT, "ahovcjqxel", 0},
                                               {FAKE_SEND, OK, 0},
                                               {0}}}};
    struct whorl_http_request request = {.method = "POST",
                                         .body = {.read = give, .len = 10, .arg = &source}};
    int status;
    CHECK_OK(put_body(&fake, &request, &status));

    source = (struct source){.len = 9, .part = 4};
    CHECK_ERR(put_body(&fake, &request, &status), WHORL_EHTTP_REQUEST_BODY);
    CHECK_STR(error.step, "send");
}

TEST_VIRTUAL(a_callbacks_error_ends_the_exchange)
{
    struct source source = {.len = 8, .part = 4, .err = -EIO};
    FAKE fake = {.scripts = {RESPONDS({.action = FAKE_READ, .n = 100})}};
    struct whorl_http_request request = {.method = "POST",
                                         .body = {.read = give, .len = -1, .arg = &source}};
    int status;
    CHECK_ERR(put_body(&fake, &request, &status), -EIO);
    CHECK_STR(error.step, "send");
    source = (struct source){.len = 4, .part = 4, .err = -EPIPE};
    CHECK_ERR(put_body(&fake, &request, &status), -EPIPE);
    CHECK_OK(whorl_yield());
    fake_settle();
    CHECK_EQ(memstream_alive(), 0);
}

/* The answer arrives before the end of the request. */
TEST_VIRTUAL(an_early_refusal_ends_the_sending)
{
    struct source source = {.len = 1 << 30, .part = 10000, .pause_ns = WHORL_MILLISECOND};
    FAKE fake = {
        .scripts = {RESPONDS({.action = FAKE_READ, .n = 20000},
                             {FAKE_SEND, "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno", 0})},
        .capacity = 5000};
    struct whorl_http_request request = {.method = "POST",
                                         .body = {.read = give, .len = -1, .arg = &source}};
    int status;
    CHECK_OK(put_body(&fake, &request, &status));
    CHECK_EQ(status, 413);
    CHECK(source.at < 100000);
    /* The rest of the request was never sent. With HTTP/2, that ends only the stream. */
    CHECK_EQ(kept, fake_is_http2());
    CHECK_OK(whorl_yield());
    fake_settle();
    CHECK_EQ(memstream_alive(), 0);
}

TEST_VIRTUAL(an_early_refusal_followed_by_a_close_is_read)
{
    static char data[1 << 20];
    FAKE fake = {
        .scripts = {RESPONDS({.action = FAKE_READ, .n = 20000},
                             {FAKE_SEND, "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno", 0},
                             {.action = FAKE_CLOSE})},
        .capacity = 5000};
    struct whorl_http_request request = {.method = "POST",
                                         .body = {.data = data, .len = sizeof data}};
    int status;
    CHECK_OK(put_body(&fake, &request, &status));
    CHECK_EQ(status, 413);
}

/* The server answers and then neither reads nor closes. */
TEST_VIRTUAL(an_early_refusal_is_read_although_nothing_more_can_be_sent)
{
    static char data[1 << 20];
    static const int64_t lens[] = {40000, 70000, sizeof data};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        FAKE fake = {
            .scripts = {RESPONDS({FAKE_SEND, "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno", 0},
                                 {.action = FAKE_SLEEP, .n = WHORL_HOUR})},
            .capacity = fake_is_http2() ? 5000 : 100000}; /* as sockets */
        struct whorl_http_request request = {.method = "POST",
                                             .body = {.data = data, .len = lens[i]}};
        int64_t start = whorl_now();
        int status;
        CHECK_OK(put_body(&fake, &request, &status));
        CHECK_EQ(status, 413);
        CHECK_EQ(whorl_now(), start);
    }
}

/* The server closes before the first write: the write fails, but the response can still be read. */
static WHORL_SUSPENDS_SHIELDED void refuse_at_once(struct fake *fake, struct whorl_stream *client,
                                                   struct whorl_stream *server)
{
    static const char text[] = "HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno";
    (void)fake, (void)client;
    CHECK_OK(whorl_stream_write(server, text, strlen(text)));
    memstream_capacity(client, 1);
}

TEST_VIRTUAL(a_write_that_fails_lets_the_response_be_read)
{
    FAKE fake = {.scripts = {(const struct fake_step[]){{.action = FAKE_CLOSE}}},
                 .on_dial = refuse_at_once};
    struct whorl_http_request request = {0};
    int status = 0;
    CHECK_OK(put_body(&fake, &request, &status));
    CHECK_EQ(status, 503);
}

static WHORL_SUSPENDS_SHIELDED void answer_half(struct fake *fake, struct whorl_stream *client,
                                                struct whorl_stream *server)
{
    static const char text[] = "HTTP/1.1 200 OK\r\n\r\nhalf";
    (void)fake, (void)client;
    CHECK_OK(whorl_stream_write(server, text, strlen(text)));
    memstream_capacity(client, 1);
}

/* Only the end of the connection ends this body, and the write has found the connection broken: so
 * nobody knows whether more was to come. */
TEST_VIRTUAL_HTTP1(a_write_that_fails_does_not_end_a_body_without_a_length)
{
    FAKE fake = {.scripts = {(const struct fake_step[]){{.action = FAKE_CLOSE}}},
                 .on_dial = answer_half};
    struct whorl_http_request request = {0};
    int status = 0;
    CHECK_ERR(put_body(&fake, &request, &status), WHORL_EHTTP_TRUNCATED);
}

TEST_VIRTUAL(an_early_success_lets_the_sending_go_on)
{
    struct source source = {.len = 100000, .part = 10000, .pause_ns = WHORL_MILLISECOND};
    FAKE fake = {.scripts = {RESPONDS({.action = FAKE_READ, .n = 20000}, {FAKE_SEND, OK, 0},
                                      {.action = FAKE_READ, .n = 80000})},
                 .capacity = 5000};
    struct whorl_http_request request = {.method = "POST",
                                         .body = {.read = give, .len = 100000, .arg = &source}};
    int status;
    CHECK_OK(put_body(&fake, &request, &status));
    CHECK_EQ(status, 200);
    CHECK_EQ(source.at, 100000);
    CHECK(kept);
}

TEST_VIRTUAL(a_connection_that_ends_while_the_body_goes_out_is_an_error)
{
    static char data[1 << 20];
    FAKE closes = {.scripts = {RESPONDS({.action = FAKE_READ, .n = 20000}, {.action = FAKE_CLOSE})},
                   .capacity = 5000};
    FAKE resets = {.scripts = {RESPONDS({.action = FAKE_READ, .n = 20000}, {.action = FAKE_RESET})},
                   .capacity = 5000};
    struct whorl_http_request request = {.method = "POST",
                                         .body = {.data = data, .len = sizeof data}};
    int status, err = put_body(&closes, &request, &status);
    CHECK(err == -EPIPE || err == WHORL_EHTTP_NO_RESPONSE);
    CHECK_ERR(put_body(&resets, &request, &status), -ECONNRESET);
    CHECK_OK(whorl_yield());
    fake_settle();
    CHECK_EQ(memstream_alive(), 0);
}

TEST_MAIN()

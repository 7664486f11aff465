/* SPDX-License-Identifier: MIT */
/* Requests as a server reads them: several on one connection. However the bytes are cut, the parser
 * must find the same requests, and what it accepts must have one meaning only. */
#include <string.h>

#include "fuzz.h"
#include "io/http/http1.h"
#include "io/http_server/conditions.h"
#include "io/http_server/path.h"

/* What the bytes of a connection mean. */
struct account {
    int requests;
    int verdict; /* of the last one: HTTP1_NEED_INPUT at the end of the input, or an error */
    uint64_t hash;
};

static uint64_t hash(uint64_t sum, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++)
        sum = (sum ^ bytes[i]) * 0x100000001b3;
    return sum;
}

static uint64_t hash_text(uint64_t sum, const char *text)
{
    return text ? hash(sum, text, strlen(text) + 1) : sum + 1;
}

static uint64_t check_list(const struct header_list *list, size_t headers_max, uint64_t sum)
{
    struct whorl_http_header h;
    FUZZ_CHECK(list->count <= headers_max);
    for (size_t i = 0; header_list_at(list, i, &h); i++) {
        FUZZ_CHECK(header_is_token(h.name, strlen(h.name)));
        FUZZ_CHECK(header_is_value(h.value, strlen(h.value)));
        FUZZ_CHECK(strlen(h.value) == list->fields[i].value_len);
        sum = hash_text(hash_text(sum, h.name), h.value);
    }
    return sum;
}

static int count(const struct header_list *list, const char *name)
{
    size_t index = 0;
    int n = 0;
    while (header_list_next(list, name, &index))
        n++;
    return n;
}

/* Whether every byte is one of a URL. */
static void check_target(const char *target)
{
    FUZZ_CHECK(*target);
    for (; *target; target++)
        FUZZ_CHECK(*target > 0x20 && *target < 0x7f && *target != '#');
}

/* A file server must not leave its directory. */
static void check_path(const char *path, const struct header_list *headers)
{
    char name[512];
    const struct representation file = {"\"t\"", 784111777, 784112777, 100};
    struct verdict verdict;

    FUZZ_CHECK(*path == '/' || strcmp(path, "*") == 0);
    if (path_decode(path, name, sizeof name)) {
        FUZZ_CHECK(*name != '/' && strcmp(name, "..") != 0 && strncmp(name, "../", 3) != 0);
        FUZZ_CHECK(!strstr(name, "/../"));
        FUZZ_CHECK(strlen(name) < 3 || strcmp(name + strlen(name) - 3, "/..") != 0);
        FUZZ_CHECK(*path_media_type(name));
    }
    conditions_judge(headers, &file, &verdict);
    FUZZ_CHECK(verdict.first >= 0 && verdict.len >= 0 && verdict.first + verdict.len <= 100);
    FUZZ_CHECK(verdict.status != 206 || verdict.len > 0);
}

/* Checks an accepted head. Returns its hash. */
static uint64_t check_head(const struct http1 *p, const struct http1_limits *limits, uint64_t sum)
{
    const struct header_list *headers = http1_headers(p);
    int lengths = count(headers, "Content-Length"), codings = count(headers, "Transfer-Encoding");
    int hosts = count(headers, "Host");

    sum = check_list(headers, limits->headers_max, sum);
    FUZZ_CHECK(header_is_token(http1_method(p), strlen(http1_method(p))));
    FUZZ_CHECK(strcmp(http1_method(p), "CONNECT") != 0);
    check_target(http1_target(p));
    FUZZ_CHECK(strlen(http1_target(p)) <= limits->target_bytes_max);
    check_path(http1_path(p), headers);
    FUZZ_CHECK(lengths + codings <= 1);
    FUZZ_CHECK((lengths == 1) == (http1_content_length(p) >= 0));
    FUZZ_CHECK((codings == 1) == http1_is_chunked(p));
    FUZZ_CHECK(http1_version_minor(p) == 1 || codings == 0);
    FUZZ_CHECK(hosts == 1 || (hosts == 0 && http1_version_minor(p) == 0));
    FUZZ_CHECK(!http1_is_close_delimited(p));
    sum = hash_text(hash_text(sum, http1_method(p)), http1_target(p));
    sum = hash_text(hash_text(sum, http1_path(p)), http1_query(p));
    return hash_text(sum, http1_host(p)) + (uint64_t)http1_version_minor(p);
}

static void check_error(const struct http1 *p)
{
    const char *text = http1_error_text(p);
    FUZZ_CHECK(*text);
    for (; *text; text++)
        FUZZ_CHECK(*text >= 0x20 && *text < 0x7f);
}

/* Reads requests until an error or the end of the input: all of it at once when `step` is 0,
 * otherwise in pieces of 1 to `step` bytes. */
static struct account parse(const struct http1_limits *limits, const char *data, size_t len,
                            uint32_t step)
{
    struct account a = {.hash = 1};
    struct http1 p = {0};
    struct http1_body_span span;
    size_t pos = 0, end = 0, used;
    uint32_t state = step;

    http1_reset_request(&p, limits);
    for (;;) {
        a.verdict = http1_feed(&p, data + pos, end - pos, &used, &span);
        FUZZ_CHECK(used <= end - pos);
        pos += used;
        if (a.verdict == HTTP1_NEED_INPUT && end < len) {
            FUZZ_CHECK(pos == end);
            state = state * 1664525 + 1013904223;
            end += step ? 1 + (state >> 16) % step : len;
            end = end > len ? len : end;
        } else if (a.verdict == HTTP1_HEAD) {
            a.hash = check_head(&p, limits, a.hash);
            a.requests++;
        } else if (a.verdict == HTTP1_BODY) {
            FUZZ_CHECK(span.len > 0 && http1_received(&p) <= limits->body_bytes_max);
            a.hash = hash(a.hash, span.data, span.len);
        } else if (a.verdict == HTTP1_END) {
            a.hash = check_list(http1_trailers(&p), limits->headers_max, a.hash);
            if (!http1_keep_alive(&p))
                break;
            http1_reset_request(&p, limits);
        } else {
            break;
        }
    }
    if (a.verdict < 0)
        check_error(&p);
    else if (a.verdict == HTTP1_NEED_INPUT)
        FUZZ_CHECK(http1_eof(&p) < 0);
    http1_finish(&p);
    return a;
}

static void check_same(const struct account *a, const struct account *b)
{
    FUZZ_CHECK(a->requests == b->requests);
    FUZZ_CHECK(a->verdict == b->verdict);
    FUZZ_CHECK(a->hash == b->hash);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 2)
        return 0;
    struct http1_limits limits = {
        .head_bytes_max = data[0] & 1 ? 64 + data[1] : 32768,
        .headers_max = data[0] & 2 ? 1 + data[1] % 8 : 128,
        .target_bytes_max = data[0] & 4 ? 1 + data[1] % 32 : 8192,
        .body_bytes_max = data[0] & 8 ? 1 + data[1] : INT64_MAX,
    };
    const char *stream = (const char *)data + 2;
    struct account whole = parse(&limits, stream, len - 2, 0);
    struct account bytes = parse(&limits, stream, len - 2, 1);
    struct account pieces = parse(&limits, stream, len - 2, 2 + data[1] % 64);
    check_same(&whole, &bytes);
    check_same(&whole, &pieces);
    return 0;
}

void fuzz_seeds(void (*use)(void *ctx, const void *seed, size_t len), void *ctx)
{
#define SEED_WITH(settings, text) use(ctx, settings text, sizeof(settings text) - 1)
#define SEED(text)                SEED_WITH("\0\0", text)
#define H                         "Host: h\r\n"
    SEED("GET /a/b.html?c=d HTTP/1.1\r\n" H "User-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n");
    SEED("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n" H "\r\n");
    SEED("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
         "5;a=\"b\"\r\nhello\r\n0\r\nX: y\r\n\r\n\r\nHEAD / HTTP/1.0\r\n\r\n");
    SEED("GET http://user/p?q HTTP/1.1\r\n" H "Connection: close\r\n\r\n");
    SEED("GET HTTPS://[::1]:8080 HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.1\r\n");
    SEED("OPTIONS * HTTP/1.1\r\n" H "\r\nCONNECT h:443 HTTP/1.1\r\n" H "\r\n");
    SEED("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    SEED("GET /%2e%2e/..%2f%c3%a4/x.html HTTP/1.1\r\n" H "Range: bytes=1-3, 5-\r\n"
         "If-None-Match: W/\"t\", *\r\nIf-Range: \"t\"\r\n\r\n");
    SEED("GET / HTTP/1.1\r\n" H "Range: bytes=-5\r\nIf-Modified-Since: "
         "Sun, 06 Nov 1994 08:49:37 GMT\r\nAccept-Encoding: gzip;q=0.5, *\r\n\r\n");
    SEED("POST / HTTP/1.1\r\n" H
         "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    SEED("GET / HTTP/1.1\r\n" H "A: b\r\n c\r\n: d\r\nE : f\r\nHost: i\r\n\r\n");
    SEED_WITH("\x0f\x10",
              "POST /012345678 HTTP/1.1\r\n" H "Content-Length: 12\r\n\r\n0123456789ab");
    SEED_WITH("\x01\x00", "GET / HTTP/1.1\r\n" H "A: 012345678901234567890123456789012345\r\n\r\n");
    SEED_WITH("\x08\x04",
              "PUT / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
#undef SEED
#undef SEED_WITH
}

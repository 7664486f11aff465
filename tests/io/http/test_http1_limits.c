/* SPDX-License-Identifier: MIT */
/* The limits of the response parser, and its memory. For the accounts, see http1_account.h. */
#include "faults.h"
#include "http1_response.h"

/* --- limits --- */

static char *fill(const char *head, const char *part, size_t count, const char *tail, size_t *ret)
{
    size_t part_len = strlen(part);
    char *text = malloc(strlen(head) + count * part_len + strlen(tail) + 1);
    char *end = stpcpy(text, head);
    for (size_t i = 0; i < count; i++)
        end = stpcpy(end, part);
    end = stpcpy(end, tail);
    *ret = (size_t)(end - text);
    return text;
}

/* Feeds `head`, `count` times `part`, and `tail`. Checks the end of the account. */
static void expect_filled(int line, const struct http1_setup *setup, const char *head,
                          const char *part, size_t count, const char *tail, const char *expected)
{
    static struct http1_account a;
    static struct http1 p;
    size_t len;
    char *input = fill(head, part, count, tail, &len);
    size_t *cuts = malloc(len * sizeof *cuts);

    for (size_t step = 1; step <= len + 1000; step += step < 8 ? 1 : 997) {
        size_t n = 0;
        for (size_t at = step; at < len; at += step)
            cuts[n++] = at;
        run(&a, &p, setup, input, len, cuts, n);
        size_t expected_len = strlen(expected);
        if (a.len < expected_len || strcmp(a.text + a.len - expected_len, expected) != 0)
            test_fail(__FILE__, line, "in steps of %zu: %.200s ... %s", step, a.text,
                      http1_error_text(&p));
    }
    free(cuts);
    free(input);
    http1_finish(&p);
}

TEST(http1_bounds_the_head)
{
    struct http1_setup small = {
        .limits.head_bytes_max = 1000, .limits.headers_max = 1000, .no_eof = true};
    expect_filled(__LINE__, &small, OK, "A: b\r\n", 163, "\r\n", "|A=b}...");
    /* 17 + 163 * 6 + 2 = 997 bytes. The next line is one too many, and so is a line without an
     * end. */
    expect_filled(__LINE__, &small, OK, "A: b\r\n", 164, "\r\n", "!WHORL_EHTTP_HEAD_TOO_LARGE");
    expect_filled(__LINE__, &small, OK "A: ", "x", 2000, "", "!WHORL_EHTTP_HEAD_TOO_LARGE");
    expect_filled(__LINE__, &small, "HTTP/1.1 200 ", "x", 2000, "", "!WHORL_EHTTP_HEAD_TOO_LARGE");
    expect_filled(__LINE__, &small, "HTTP/1.1 200 ", "x", 987, "", "...");
    expect_filled(__LINE__, &small, "HTTP/1.1 200 ", "x", 988, "", "!WHORL_EHTTP_HEAD_TOO_LARGE");
    expect_filled(__LINE__, &small, "", "x", 2000, "", "!WHORL_EHTTP_STATUS_LINE");
}

TEST(http1_bounds_the_number_of_headers)
{
    struct http1_setup few = {.limits.headers_max = 5};
    EXPECT_WITH(OK "A: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\nContent-Length: 0\r\n\r\n",
                "200(OK){A=1|A=2|A=3|A=4|Content-Length=0}end+keep", .limits.headers_max = 5);
    expect_filled(__LINE__, &few, OK, "A: b\r\n", 6, "\r\n", "!WHORL_EHTTP_HEADERS_TOO_MANY");
    expect_filled(__LINE__, &few, OK, "A: b\r\n", 6, "", "!WHORL_EHTTP_HEADERS_TOO_MANY");
    expect_filled(__LINE__, &few, CHUNKED "0\r\n", "A: b\r\n", 6, "\r\n",
                  "!WHORL_EHTTP_HEADERS_TOO_MANY");
    expect_filled(__LINE__, &(struct http1_setup){0}, OK, "A: b\r\n", 129, "\r\n",
                  "!WHORL_EHTTP_HEADERS_TOO_MANY");
}

TEST(http1_bounds_trailers)
{
    struct http1_setup small = {.limits.head_bytes_max = 200, .limits.headers_max = 1000};
    expect_filled(__LINE__, &small, CHUNKED "0\r\n", "A: b\r\n", 33, "\r\n", "}end+keep");
    expect_filled(__LINE__, &small, CHUNKED "0\r\n", "A: b\r\n", 34, "\r\n",
                  "!WHORL_EHTTP_HEAD_TOO_LARGE");
    expect_filled(__LINE__, &small, CHUNKED "0\r\n", "x", 300, "", "!WHORL_EHTTP_HEAD_TOO_LARGE");
}

TEST(http1_bounds_informational_responses)
{
    struct http1_setup two = {.limits.informational_max = 2},
                       none = {.limits.informational_max = -1};
    const char *hint = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", *end = OK "\r\n";
    expect_filled(__LINE__, &two, "", hint, 2, end, "103;103;200(OK){}end");
    expect_filled(__LINE__, &two, "", hint, 3, end, "103;103;!WHORL_EHTTP_INFORMATIONAL");
    expect_filled(__LINE__, &none, "", hint, 1, end, "!WHORL_EHTTP_INFORMATIONAL");
    expect_filled(__LINE__, &(struct http1_setup){0}, "", hint, 17, end,
                  "!WHORL_EHTTP_INFORMATIONAL");
}

TEST(http1_bounds_the_body)
{
    EXPECT_WITH(OK "Content-Length: 5\r\n\r\nhello", "200(OK){Content-Length=5}<hello>end+keep",
                .limits.body_bytes_max = 5);
    EXPECT_WITH(OK "Content-Length: 6\r\n\r\nhello!",
                "200(OK){Content-Length=6}!WHORL_EHTTP_BODY_TOO_LARGE", .limits.body_bytes_max = 5);
    EXPECT_WITH(OK "\r\nhello", "200(OK){}<hello>end", .limits.body_bytes_max = 5);
    EXPECT_WITH(OK "\r\nhello!", "200(OK){}<hello>!WHORL_EHTTP_BODY_TOO_LARGE",
                .limits.body_bytes_max = 5);
    EXPECT_WITH(CHUNKED "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", CHUNKED_HEAD "<hello>end+keep",
                .limits.body_bytes_max = 5);
    EXPECT_WITH(CHUNKED "2\r\nhe\r\n4\r\nllo!\r\n0\r\n\r\n",
                CHUNKED_HEAD "<he>!WHORL_EHTTP_BODY_TOO_LARGE", .limits.body_bytes_max = 5);
}

TEST(http1_bounds_chunk_extensions)
{
    struct http1_setup none = {0};
    expect_filled(__LINE__, &none, CHUNKED "1;", "x", 5000, "\r\ny\r\n0\r\n\r\n",
                  "!WHORL_EHTTP_CHUNK");
    expect_filled(__LINE__, &none, CHUNKED "1", " ", 5000, "\r\ny\r\n0\r\n\r\n",
                  "!WHORL_EHTTP_CHUNK");
    /* Each line is within its limit, but 1000 of them exceed the total. */
    expect_filled(__LINE__, &none, CHUNKED,
                  "1;0123456789012345678901234567890123456789012345678901234567890123456789012345"
                  "678901234567890123456789\r\ny\r\n",
                  1000, "0\r\n\r\n", "!WHORL_EHTTP_CHUNK");
    /* Chunks of one byte are slow but valid. */
    expect_filled(__LINE__, &none, CHUNKED, "1\r\ny\r\n", 3000, "0\r\n\r\n", ">end+keep");
}

/* --- memory --- */

static int read_one(void *arg)
{
    struct http1 p;
    struct http1_body_span span;
    size_t len, used, pos = 0;
    char *input = arg;
    int event;

    len = strlen(input);
    http1_init(&p, NULL, false);
    do {
        event = http1_feed(&p, input + pos, len - pos < 100 ? len - pos : 100, &used, &span);
        pos += used;
    } while (event >= 0 && event != HTTP1_END);
    http1_finish(&p);
    return event == HTTP1_END ? 0 : event;
}

TEST(http1_survives_every_failed_allocation)
{
    size_t len;
    char *input =
        fill(CHUNKED "0\r\n", "A: 0123456789012345678901234567890123456789\r\n", 100, "\r\n", &len);
    CHECK(faults_sweep(read_one, input) >= 6);
    free(input);
}

/* A usual response costs two allocations; the next response on the same parser costs none. */
TEST(http1_allocates_twice_and_then_never)
{
    struct http1 p;
    struct http1_body_span span;
    size_t used;
    static const char input[] =
        OK "Server: nginx\r\nDate: x\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n";

    http1_init(&p, NULL, false);
    faults_arm(1000);
    CHECK_EQ(http1_feed(&p, input, sizeof input - 1, &used, &span), HTTP1_HEAD);
    CHECK_EQ(faults_seen(), 2);
    http1_reset(&p, NULL, false);
    CHECK_EQ(http1_feed(&p, input, sizeof input - 1, &used, &span), HTTP1_HEAD);
    CHECK_EQ(faults_seen(), 2);
    CHECK(!faults_disarm());
    http1_finish(&p);
}

TEST_MAIN()

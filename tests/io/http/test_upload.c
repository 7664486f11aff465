/* SPDX-License-Identifier: MIT */
/* Request bodies: their types, forms, and bodies from files. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <whorl.h>

#include "fakehttp.h"
#include "faults.h"
#include "memstream.h"
#include "test.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static struct whorl_error error;

/* Sends the body and returns the status or the error. */
static WHORL_SUSPENDS int post(struct whorl_http_session *session, const char *method,
                               struct whorl_http_body body)
{
    struct whorl_http_request request = {.method = method, .url = "http://a.test/", .body = body};
    WHORL_AUTO(http_response) *response = NULL;
    int err = whorl_http_do(session, &request, &error, &response);
    return err ? err : whorl_http_response_status(response);
}

/* --- types --- */

TEST(a_form_is_encoded_as_the_url_standard_says)
{
    static const struct {
        struct whorl_http_form_field fields[3];
        size_t count;
        const char *expected;
    } cases[] = {
        {{{"a", "1"}}, 1, "a=1"},
        {{{"a", "1"}, {"a", ""}, {"", "b"}}, 3, "a=1&a=&=b"},
        {{{"q", "x y+z"}}, 1, "q=x+y%2Bz"},
        {{{"a&b", "c=d"}}, 1, "a%26b=c%3Dd"},
        {{{"Az09*-._", "~!'()%\r\n"}}, 1, "Az09*-._=%7E%21%27%28%29%25%0D%0A"},
        {{{"name", "J\xc3\xbcrgen"}}, 1, "name=J%C3%BCrgen"},
        {{{NULL, NULL}}, 0, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *form = NULL;
        CHECK_OK(whorl_http_form_encode(cases[i].fields, cases[i].count, &form));
        CHECK_STR(form, cases[i].expected);
        free(form);
    }
    char *untouched = NULL;
    faults_arm(1);
    int err = whorl_http_form_encode(cases[0].fields, 1, &untouched);
    CHECK(faults_disarm());
    CHECK_ERR(err, -ENOMEM);
    CHECK(!untouched);
}

#define HEAD(method)                                                         \
    method " / HTTP/1.1\r\nHost: a.test\r\nUser-Agent: t\r\nAccept: */*\r\n" \
           "Accept-Encoding: identity\r\n"

TEST_VIRTUAL(bodies_have_their_types)
{
    static const struct fake_step steps[] = {
        {FAKE_EXPECT, HEAD("POST") "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
         0},
        {FAKE_SEND, OK, 0},
        {FAKE_EXPECT,
         HEAD("POST") "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n\r\nhi", 0},
        {FAKE_SEND, OK, 0},
        {FAKE_EXPECT,
         HEAD("POST") "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\n"
                      "a=1",
         0},
        {FAKE_SEND, OK, 0},
        {FAKE_EXPECT,
         HEAD("POST") "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 0\r\n\r\n", 0},
        {FAKE_SEND, OK, 0},
        {0}};
    FAKE fake = {.scripts = {steps}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);

    CHECK_EQ(post(session, "POST", whorl_http_body_from_json("{}")), 200);
    CHECK_EQ(post(session, "POST", whorl_http_body_from_text("hi")), 200);
    CHECK_EQ(post(session, "POST", whorl_http_body_from_form("a=1")), 200);
    CHECK_EQ(post(session, "POST", whorl_http_body_from_text("")), 200);
}

TEST_VIRTUAL(a_type_in_the_headers_wins_and_a_redirect_to_get_sends_none)
{
    static const struct fake_step steps[] = {
        {FAKE_EXPECT, HEAD("POST") "content-type: a/b\r\nContent-Length: 2\r\n\r\n{}", 0},
        {FAKE_SEND, OK, 0},
        {FAKE_EXPECT, HEAD("POST") "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
         0},
        {FAKE_SEND, "HTTP/1.1 303 See Other\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", 0},
        {FAKE_EXPECT, HEAD("GET") "\r\n", 0},
        {FAKE_SEND, OK, 0},
        {0}};
    FAKE fake = {.scripts = {steps}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct whorl_http_header header = {"content-type", "a/b"};
    struct whorl_http_request request = {.method = "POST",
                                         .url = "http://a.test/",
                                         .headers = &header,
                                         .headers_count = 1,
                                         .body = whorl_http_body_from_json("{}")};
    struct whorl_http_response *response;

    CHECK_OK(whorl_http_do(session, &request, NULL, &response));
    whorl_http_response_close(response);
    CHECK_EQ(post(session, "POST", request.body), 200);
    request.headers_count = 0;
    request.body.content_type = "a\r\nb";
    CHECK_ERR(whorl_http_do(session, &request, NULL, &response), WHORL_EHTTP_REQUEST_HEADER);
}

/* --- files --- */

/* Makes a file without a name whose bytes are those of fake_pattern(). */
static int pattern_file(int64_t len)
{
    int fd = open(test_tmpdir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    char *bytes = malloc((size_t)len + 1);
    CHECK(fd >= 0);
    for (int64_t i = 0; i < len; i++)
        bytes[i] = fake_pattern(i);
    CHECK_EQ(write(fd, bytes, (size_t)len), len);
    free(bytes);
    return fd;
}

/* A server at the other end of a socket pair or of a stream in memory: it reads a request of
 * `expected` bytes of body, which start with number `first`, and answers. */
struct taker {
    struct whorl_group group;
    bool use_memory;
    int64_t first, expected;
    const char *answer;
    struct whorl_stream *server;
    int taken;
};

static int take(void *arg)
{
    struct taker *taker = arg;
    WHORL_AUTO(stream) *server = taker->server;
    WHORL_AUTO(reader) *reader = NULL;
    char *line, *body = malloc((size_t)taker->expected + 1);

    CHECK_OK(whorl_reader_create(server, NULL, &reader));
    while (whorl_reader_read_line(reader, &line, NULL) == 1 && *line)
        ;
    CHECK_OK(whorl_reader_read_exact(reader, body, (size_t)taker->expected));
    for (int64_t i = 0; i < taker->expected; i++)
        if (body[i] != fake_pattern(taker->first + i))
            test_fail(__FILE__, __LINE__, "byte %lld is wrong", (long long)i);
    free(body);
    taker->taken++;
    CHECK_OK(whorl_stream_write(server, taker->answer, strlen(taker->answer)));
    while (whorl_reader_read_line(reader, &line, NULL) == 1)
        ;
    return 0;
}

static WHORL_SUSPENDS int dial_taker(void *arg, const char *host, uint16_t port,
                                     struct whorl_error *dial_error, struct whorl_stream **ret)
{
    struct taker *taker = arg;
    int fds[2];
    (void)host, (void)port, (void)dial_error;
    if (taker->use_memory) {
        CHECK_OK(whorl_stream_pair(NULL, ret, &taker->server));
    } else {
        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0 ? -errno : 0);
        CHECK_OK(whorl_stream_from_socket(fds[0], ret));
        CHECK_OK(whorl_stream_from_socket(fds[1], &taker->server));
    }
    return whorl_spawn(&taker->group, take, taker);
}

/* Sends the body to a taker. Returns the status or an error. */
static WHORL_SUSPENDS int put_to(struct taker *taker, struct whorl_http_body body)
{
    struct whorl_http_session_options options = {.dialer = {.dial = dial_taker, .arg = taker}};
    struct whorl_http_session *session = NULL;

    taker->answer = taker->answer ? taker->answer : OK;
    CHECK_OK(whorl_http_session_create(&options, &session));
    int status = post(session, "PUT", body);
    whorl_http_session_destroy(session);
    CHECK_OK(whorl_group_wait(&taker->group));
    return status;
}

TEST_IO(a_file_is_sent_from_its_offset_and_its_position_stays)
{
    static const struct {
        int64_t offset, len, expected;
    } cases[] = {
        {0, 5, 5},         {3, -1, 299997},     {0, 0, 0},           {300000, -1, 0},
        {1, 16384, 16384}, {100, 16385, 16385}, {7, 200000, 200000},
    };
    int fd = pattern_file(300000);

    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        size_t c = i / 2;
        struct taker taker = {
            .use_memory = i % 2, .first = cases[c].offset, .expected = cases[c].expected};
        CHECK_EQ(put_to(&taker, whorl_http_body_from_file(fd, cases[c].offset, cases[c].len, NULL)),
                 200);
        CHECK_EQ(taker.taken, 1);
    }
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 300000);
    close(fd);
}

TEST_IO(a_pipe_is_sent_in_chunks)
{
    const struct fake_step script[] = {
        {FAKE_EXPECT, HEAD("PUT") "Content-Type: a/b\r\n", 0},
        {FAKE_EXPECT, fake_is_http2() ? "" : "Expect: 100-continue\r\n", 0},
        {FAKE_EXPECT, "Transfer-Encoding: chunked\r\n\r\n", 0},
        {FAKE_SEND, "HTTP/1.1 100 Continue\r\n\r\n", 0},
        {FAKE_EXPECT, "5\r\nhello\r\n0\r\n\r\n", 0},
        {FAKE_SEND, OK, 0},
        {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    int fds[2];

    CHECK_OK(whorl_pipe(fds));
    CHECK_EQ(write(fds[1], "hello", 5), 5);
    close(fds[1]);
    CHECK_EQ(post(session, "PUT", whorl_http_body_from_file(fds[0], 0, -1, "a/b")), 200);
    close(fds[0]);
}

static const struct fake_step moves[] = {
    {FAKE_HEAD, "Content-Length: 20000\r\n", 0},
    {FAKE_READ, NULL, 20000},
    {FAKE_SEND, "HTTP/1.1 307 T\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", 0},
    {FAKE_HEAD, "Content-Length: 20000\r\n", 0},
    {FAKE_READ, NULL, 20000},
    {FAKE_SEND, OK, 0},
    {0}};

TEST_IO(a_redirect_sends_a_regular_file_again_and_nothing_else)
{
    FAKE fake = {.scripts = {moves}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    int fd = pattern_file(20000), fds[2];
    char bytes[20000] = "";

    CHECK_EQ(post(session, "POST", whorl_http_body_from_file(fd, 0, -1, NULL)), 200);
    close(fd);
    CHECK_OK(whorl_pipe(fds));
    CHECK_EQ(write(fds[1], bytes, sizeof bytes), sizeof bytes);
    FAKE again = {.scripts = {moves}};
    WHORL_AUTO(http_session) *other = fake_session(&again);
    CHECK_ERR(post(other, "POST", whorl_http_body_from_file(fds[0], 0, 20000, NULL)),
              WHORL_EHTTP_REDIRECT_BODY);
    close(fds[0]);
    close(fds[1]);
}

TEST_IO(a_file_that_is_too_short_ends_the_exchange)
{
    static const int64_t lens[] = {11, 20000, 100000};
    int fd = pattern_file(10);
    static const struct fake_step script[] = {{.action = FAKE_HEAD}, {0}};

    for (size_t i = 0; i < 3; i++) {
        FAKE fake = {.scripts = {script}};
        WHORL_AUTO(http_session) *session = fake_session(&fake);
        CHECK_ERR(post(session, "PUT", whorl_http_body_from_file(fd, 0, lens[i], NULL)),
                  WHORL_EHTTP_REQUEST_BODY);
        CHECK_STR(error.step, "send");
    }
    close(fd);
}

TEST_IO(files_that_cannot_be_sent_are_refused_before_anything_is)
{
    FAKE fake = {0};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    int fd = pattern_file(10), fds[2];

    CHECK_OK(whorl_pipe(fds));
    CHECK_ERR(post(session, "PUT", whorl_http_body_from_file(fd, 11, -1, NULL)), -EINVAL);
    CHECK_ERR(post(session, "PUT", whorl_http_body_from_file(fd, -1, -1, NULL)), -EINVAL);
    CHECK_ERR(post(session, "PUT", whorl_http_body_from_file(fd, 0, -2, NULL)), -EINVAL);
    CHECK_ERR(post(session, "PUT", whorl_http_body_from_file(fds[0], 1, -1, NULL)), -EINVAL);
    CHECK_ERR(post(session, "PUT", whorl_http_body_from_file(-1, 0, -1, NULL)), -EBADF);
    struct whorl_http_body both = whorl_http_body_from_file(fd, 0, -1, NULL);
    both.data = "x";
    CHECK_ERR(post(session, "PUT", both), -EINVAL);
    both = (struct whorl_http_body){.data = "x", .len = 1, .offset = 1};
    CHECK_ERR(post(session, "PUT", both), -EINVAL);
    CHECK_EQ(fake.dialled, 0);
    close(fd);
    close(fds[0]);
    close(fds[1]);
}

/* The server answers early and reads no more: sending inside the kernel stops. */
TEST_IO(an_early_refusal_stops_the_sending_of_a_file)
{
    int fd = pattern_file(1 << 22);
    struct taker taker = {.expected = 100000,
                          .answer = "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"};

    CHECK_EQ(put_to(&taker, whorl_http_body_from_file(fd, 0, -1, NULL)), 413);
    close(fd);
}

/* A 200 instead of the 100, or in the middle of the body, is a response. It says that the body was
 * not sent whole. */
TEST_IO(a_response_tells_whether_the_body_was_sent_whole)
{
    static const struct {
        int64_t len, taken;
        enum whorl_http_expect expect;
        bool unsent;
    } cases[] = {
        {100000, 100000, WHORL_HTTP_EXPECT_NEVER, false},
        {100000, 0, WHORL_HTTP_EXPECT_ALWAYS, true},
        {1 << 22, 0, WHORL_HTTP_EXPECT_LARGE, true},
        {0, 0, WHORL_HTTP_EXPECT_ALWAYS, false},
    };

    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int fd = pattern_file((size_t)cases[c].len);
        struct taker taker = {.expected = cases[c].taken, .answer = OK};
        struct whorl_http_session_options options = {.dialer = {.dial = dial_taker, .arg = &taker}};
        struct whorl_http_session *session = NULL;
        struct whorl_http_response *response = NULL;
        const struct whorl_http_request request = {
            .url = "http://a/",
            .method = "PUT",
            .expect = cases[c].expect,
            .body = whorl_http_body_from_file(fd, 0, -1, NULL),
        };
        struct whorl_http_info info;

        CHECK_OK(whorl_http_session_create(&options, &session));
        CHECK_OK(whorl_http_do(session, &request, NULL, &response));
        whorl_http_response_get_info(response, &info);
        CHECK_EQ(whorl_http_response_status(response), 200);
        CHECK_EQ(info.unsent, cases[c].unsent);
        CHECK_EQ(info.sent_body, cases[c].taken);
        whorl_http_response_close(response);
        whorl_http_session_destroy(session);
        CHECK_OK(whorl_group_wait(&taker.group));
        close(fd);
    }
}

/* What the events of a request say about its body. */
struct sending {
    int64_t length, last, sent; /* `last` of this attempt */
    int events, restarts;
};

static void note_sending(void *arg, const struct whorl_http_event *event)
{
    struct sending *sending = arg;

    if (event->kind == WHORL_HTTP_EVENT_REQUEST_HEAD) {
        sending->restarts += sending->last > 0;
        sending->last = 0;
    } else if (event->kind == WHORL_HTTP_EVENT_SENDING) {
        CHECK(event->bytes > sending->last);
        CHECK_EQ(event->length, sending->length);
        CHECK_EQ(sending->sent, 0);
        sending->last = event->bytes;
        sending->events++;
    } else if (event->kind == WHORL_HTTP_EVENT_SENT) {
        sending->sent = event->bytes;
    }
}

/* Puts a body of this length. Checks that the events count up to its end. Returns how many there
 * are. */
static WHORL_SUSPENDS int put_watched(struct whorl_http_body body, int64_t len)
{
    struct taker taker = {.expected = len, .answer = OK};
    struct whorl_http_session_options options = {.dialer = {.dial = dial_taker, .arg = &taker}};
    struct whorl_http_session *session = NULL;
    struct whorl_http_response *response = NULL;
    struct sending sending = {.length = len};
    const struct whorl_http_request request = {
        .url = "http://a/",
        .method = "PUT",
        .expect = WHORL_HTTP_EXPECT_NEVER,
        .body = body,
        .observer = {.event = note_sending, .arg = &sending},
    };

    CHECK_OK(whorl_http_session_create(&options, &session));
    CHECK_OK(whorl_http_do(session, &request, NULL, &response));
    CHECK_EQ(sending.sent, len);
    CHECK_EQ(sending.last, len);
    CHECK_EQ(sending.restarts, 0);
    whorl_http_response_close(response);
    whorl_http_session_destroy(session);
    CHECK_OK(whorl_group_wait(&taker.group));
    return sending.events;
}

TEST_IO(events_count_the_bytes_of_a_body_that_are_sent)
{
    enum { LEN = 4 << 20 };
    int fd = pattern_file(LEN);
    char *data = malloc(LEN);

    for (int64_t i = 0; i < LEN; i++)
        data[i] = fake_pattern(i);
    CHECK(put_watched(whorl_http_body_from_file(fd, 0, -1, NULL), LEN) >= 16);
    CHECK(put_watched((struct whorl_http_body){.data = data, .len = LEN}, LEN) >= 16);
    free(data);
    close(fd);
}

/* --- trailers --- */

/* A body of two parts, whose hash is known at its end. */
struct summed {
    int calls;
    char sum[8];
};

static WHORL_SUSPENDS ssize_t read_summed(void *arg, void *buf, size_t len)
{
    struct summed *summed = arg;
    CHECK(len >= 2);
    if (summed->calls++ < 2) {
        memcpy(buf, "ab", 2);
        return 2;
    }
    strcpy(summed->sum, "abab");
    return 0;
}

static int rewind_summed(void *arg)
{
    struct summed *summed = arg;
    *summed = (struct summed){.sum = "old"};
    return 0;
}

/* Puts a body with the trailers. Returns the status or the error. */
static WHORL_SUSPENDS int put_with(struct whorl_http_session *session, struct summed *summed,
                                   const struct whorl_http_header *trailers, size_t count)
{
    struct whorl_http_body body = {.read = read_summed,
                                   .rewind = rewind_summed,
                                   .arg = summed,
                                   .len = -1,
                                   .trailers = trailers,
                                   .trailers_count = count};
    rewind_summed(summed);
    return post(session, "PUT", body);
}

#define GO   "HTTP/1.1 100 Continue\r\n\r\n"
#define SUMS "2\r\nab\r\n2\r\nab\r\n0\r\n"

TEST_VIRTUAL_HTTP1(trailers_follow_the_body_with_the_values_of_that_time)
{
    static const struct fake_step steps[] = {
        {FAKE_EXPECT,
         HEAD("PUT") "Expect: 100-continue\r\nTrailer: X-Sum, X-Two\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n",
         0},
        {FAKE_SEND, GO, 0},
        {FAKE_EXPECT, SUMS "X-Sum: abab\r\nX-Two: \r\n\r\n", 0},
        {FAKE_SEND, OK, 0},
        {FAKE_HEAD, "Trailer: X-Long\r\n", 0},
        {FAKE_SEND, GO, 0},
        {FAKE_READ, NULL, 17 + 8 + 3000 + 4},
        {FAKE_SEND, OK, 0},
        {0}};
    FAKE fake = {.scripts = {steps}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct summed summed;
    struct whorl_http_header trailers[] = {{"X-Sum", summed.sum}, {"X-Two", ""}};
    char text[3001] = "";

    CHECK_EQ(put_with(session, &summed, trailers, 2), 200);
    memset(text, 'x', 3000);
    CHECK_EQ(put_with(session, &summed, &(struct whorl_http_header){"X-Long", text}, 1), 200);
    CHECK_EQ(fake.dialled, 1);
}

TEST_VIRTUAL_HTTP1(trailers_that_may_be_secret_do_not_follow_to_another_origin)
{
    static const struct fake_step leaves[] = {
        {FAKE_HEAD, "Trailer: X-Sum, Content-Digest\r\n", 0},
        {FAKE_SEND, "HTTP/1.1 307 T\r\nLocation: http://b.test/\r\nContent-Length: 0\r\n\r\n", 0},
        {0}};
    static const struct fake_step takes[] = {
        {FAKE_HEAD, "Trailer: Content-Digest\r\n", 0},
        {FAKE_SEND, GO, 0},
        {FAKE_EXPECT, SUMS "Content-Digest: abab\r\n\r\n", 0},
        {FAKE_SEND, "HTTP/1.1 303 T\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", 0},
        {FAKE_EXPECT,
         "GET / HTTP/1.1\r\nHost: b.test\r\nUser-Agent: t\r\nAccept: */*\r\n"
         "Accept-Encoding: identity\r\n\r\n",
         0},
        {FAKE_SEND, OK, 0},
        {0}};
    FAKE fake = {.scripts = {leaves, takes}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct summed summed;
    struct whorl_http_header trailers[] = {{"X-Sum", summed.sum}, {"Content-Digest", summed.sum}};

    CHECK_EQ(put_with(session, &summed, trailers, 2), 200);
}

TEST_VIRTUAL_HTTP1(trailers_that_would_change_the_message_are_refused)
{
    static const struct fake_step takes[] = {
        {.action = FAKE_HEAD}, {FAKE_SEND, GO, 0}, {FAKE_EXPECT, "2\r\nab\r\n2\r\nab\r\n", 0}, {0}};
    static const char *const names[] = {"Content-Length",
                                        "transfer-encoding",
                                        "Host",
                                        "TE",
                                        "Authorization",
                                        "Cookie",
                                        "a b",
                                        "",
                                        "X\r\nY",
                                        "Content-Type",
                                        "Trailer",
                                        "If-Match",
                                        "Proxy-Connection"};
    FAKE fake = {.scripts = {takes}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct summed summed;
    int dialled;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct whorl_http_header trailer = {names[i], "1"};
        CHECK_ERR(put_with(session, &summed, &trailer, 1), WHORL_EHTTP_REQUEST_HEADER);
        CHECK_STR(error.step, "request");
        CHECK_EQ(summed.calls, 0);
    }
    dialled = fake.dialled;
    struct whorl_http_header bad = {"X-Sum", "1\r\nX: y"};
    CHECK_ERR(put_with(session, &summed, &bad, 1), WHORL_EHTTP_REQUEST_HEADER);
    CHECK_STR(error.step, "request");
    CHECK_EQ(fake.dialled, dialled + 1);
    struct whorl_http_body body = whorl_http_body_from_text("a");
    body.trailers = &bad;
    body.trailers_count = 1;
    CHECK_ERR(post(session, "PUT", body), -EINVAL);
    body = (struct whorl_http_body){.trailers = &bad, .trailers_count = 1};
    CHECK_ERR(post(session, "PUT", body), -EINVAL);
}

/* --- without memory --- */

static int upload_form(void *arg)
{
    static const struct fake_step steps[] = {
        {.action = FAKE_HEAD}, {FAKE_READ, NULL, 300}, {FAKE_SEND, OK, 0}, {0}};
    FAKE fake = {.scripts = {steps}};
    struct whorl_http_session_options options = {.dialer = fake_dialer(&fake)};
    struct whorl_http_form_part part = {.name = "a", .text = "1"};
    WHORL_AUTO(http_form) *form = NULL;
    WHORL_AUTO(http_session) *session = NULL;
    struct whorl_http_body body = {0};
    (void)arg;

    int err = whorl_http_session_create(&options, &session);
    if (err == 0)
        err = whorl_http_form_create(&form);
    for (int i = 0; err == 0 && i < 3; i++)
        err = whorl_http_form_add(form, &part);
    if (err == 0)
        err = whorl_http_form_get_body(form, &body);
    err = err ? err : post(session, "POST", body);
    return err == 200 ? 0 : err;
}

static int upload_with_trailers(void *arg)
{
    static const struct fake_step steps[] = {{.action = FAKE_HEAD},
                                             {FAKE_SEND, GO, 0},
                                             {FAKE_READ, NULL, 17 + 8 + 3000 + 4},
                                             {FAKE_SEND, OK, 0},
                                             {0}};
    FAKE fake = {.scripts = {steps}};
    struct whorl_http_session_options options = {.dialer = fake_dialer(&fake)};
    WHORL_AUTO(http_session) *session = NULL;
    struct whorl_http_header trailer = {"X-Long", arg};
    struct summed summed;

    int err = whorl_http_session_create(&options, &session);
    err = err ? err : put_with(session, &summed, &trailer, 1);
    return err == 200 ? 0 : err;
}

static int run_form(void *arg)
{
    return whorl_run_virtual(NULL, upload_form, arg);
}

static int run_trailers(void *arg)
{
    return whorl_run_virtual(NULL, upload_with_trailers, arg);
}

TEST_HTTP1(uploads_survive_every_failed_allocation)
{
    char text[3001] = "";

    memset(text, 'x', 3000);
    CHECK(faults_sweep(run_form, NULL) > 10);
    CHECK(faults_sweep(run_trailers, text) > 10);
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT */
/* SOCKS5 byte by byte: what a client sends, and how it reads the proxy's answers. */
#include <string.h>

#include <whorl/group.h>
#include <whorl/scope.h>
#include <whorl/stream.h>

#include "io/net/socks5_connect.h"
#include "memstream.h"
#include "test.h"

struct proxy {
    struct whorl_stream *stream; /* the proxy's end */
    const char *answers;
    size_t len;
};

static int answer(void *arg)
{
    struct proxy *proxy = arg;

    int err = whorl_stream_write(proxy->stream, proxy->answers, proxy->len);
    return err ? err : whorl_stream_close_write(proxy->stream);
}

struct outcome {
    int err;
    const char *why;
    unsigned char sent[600];
    size_t sent_len;
    char rest[8]; /* what the client can read after the handshake */
};

/* Runs a handshake with a proxy that sends `answers` and then ends. The client reads `chunk` bytes
 * at a time; 0: all that are there. */
static WHORL_SUSPENDS_SHIELDED void talk(struct outcome *ret, const struct socks5_request *request,
                                         const char *answers, size_t len, size_t chunk)
{
    struct whorl_stream *client, *server;
    WHORL_AUTO(group) group = {0};

    *ret = (struct outcome){0};
    CHECK_OK(memstream_pair(&client, &server));
    memstream_chunk(client, chunk);
    memstream_tap(client, ret->sent, sizeof ret->sent, &ret->sent_len);
    struct proxy proxy = {.stream = server, .answers = answers, .len = len};
    CHECK_OK(whorl_spawn(&group, answer, &proxy));
    ret->err = socks5_connect(client, request, &ret->why);
    if (ret->err == 0)
        CHECK(whorl_stream_read(client, ret->rest, sizeof ret->rest - 1) >= 0);
    CHECK_OK(whorl_group_wait(&group));
    whorl_stream_close(client);
    whorl_stream_close(server);
}

#define TALK(request, answers, chunk) talk(&outcome, request, answers, sizeof(answers) - 1, chunk)
#define CHECK_SENT(text)                                          \
    do {                                                          \
        CHECK_EQ(outcome.sent_len, sizeof(text) - 1);             \
        CHECK(memcmp(outcome.sent, text, sizeof(text) - 1) == 0); \
    } while (0)

static struct outcome outcome;

TEST_VIRTUAL(a_name_goes_to_the_proxy_as_it_is)
{
    struct socks5_request request = {.host = "a.test", .port = 443};

    for (size_t chunk = 0; chunk < 3; chunk++) {
        TALK(&request, "\5\0\5\0\0\1\1\2\3\4\0\1hello", chunk);
        CHECK_OK(outcome.err);
        CHECK_SENT("\5\1\0\5\1\0\3\6a.test\1\273");
        CHECK(strncmp(outcome.rest, "hello", chunk ? chunk : 5) == 0);
    }
}

TEST_VIRTUAL(addresses_are_sent_as_bytes)
{
    TALK((&(struct socks5_request){.host = "127.0.0.1", .port = 80}),
         "\5\0\5\0\0\4aaaabbbbccccdddd\0\1x", 0);
    CHECK_OK(outcome.err);
    CHECK_SENT("\5\1\0\5\1\0\1\177\0\0\1\0\120");
    CHECK_STR(outcome.rest, "x");
    TALK((&(struct socks5_request){.host = "::1", .port = 80}), "\5\0\5\0\0\3\0011\0\1x", 0);
    CHECK_OK(outcome.err);
    CHECK_SENT("\5\1\0\5\1\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\120");
    CHECK_STR(outcome.rest, "x");
}

TEST_VIRTUAL(the_password_is_sent_only_if_the_proxy_chooses_it)
{
    struct socks5_request request = {.host = "a.test", .port = 1, .user = "me", .password = "word"};

    TALK(&request, "\5\2\1\0\5\0\0\1\0\0\0\0\0\0", 0);
    CHECK_OK(outcome.err);
    CHECK_SENT("\5\2\0\2\1\2me\4word\5\1\0\3\6a.test\0\1");
    TALK(&request, "\5\0\5\0\0\1\0\0\0\0\0\0", 0);
    CHECK_OK(outcome.err);
    CHECK_SENT("\5\2\0\2\5\1\0\3\6a.test\0\1");
}

TEST_VIRTUAL(refusals_say_why)
{
    struct socks5_request request = {.host = "a.test", .port = 1}, known = request;

    known.user = "me";
    known.password = "word";
#define CHECK_REFUSED(who, answers, code, text) \
    do {                                        \
        TALK(who, answers, 0);                  \
        CHECK_EQ(outcome.err, code);            \
        CHECK_STR(outcome.why, text);           \
    } while (0)
    CHECK_REFUSED(&request, "\5\377", WHORL_EHTTP_PROXY_AUTH,
                  "the proxy asks for a name and a password");
    CHECK_REFUSED(&known, "\5\377", WHORL_EHTTP_PROXY_AUTH,
                  "the proxy accepts neither a password nor its absence");
    CHECK_REFUSED(&known, "\5\2\1\1", WHORL_EHTTP_PROXY_AUTH,
                  "the proxy does not accept the name or the password");
    CHECK_REFUSED(&request, "\5\0\5\2\0\1\0\0\0\0\0\0", WHORL_EHTTP_PROXY_REFUSED,
                  "SOCKS reply 2: not allowed by the proxy's rules");
    CHECK_REFUSED(&request, "\5\0\5\4\0\1", WHORL_EHTTP_PROXY_FAILED,
                  "SOCKS reply 4: host unreachable");
    CHECK_REFUSED(&request, "\5\0\5\11\0\1", WHORL_EHTTP_PROXY_PROTOCOL,
                  "the proxy's reply has an unknown code");
    /* A method that was not offered would make the client send a password it does not have. */
    CHECK_REFUSED(&request, "\5\2\1\0", WHORL_EHTTP_PROXY_PROTOCOL,
                  "the proxy chose a method that was not offered");
    CHECK_REFUSED(&request, "\4\0", WHORL_EHTTP_PROXY_PROTOCOL, "the proxy does not speak SOCKS5");
    CHECK_REFUSED(&request, "\5\0\5\0\1\1\0\0\0\0\0\0", WHORL_EHTTP_PROXY_PROTOCOL,
                  "the proxy's reply has a reserved byte that is not 0");
    CHECK_REFUSED(&request, "\5\0\5\0\0\2\0\0\0\0\0\0", WHORL_EHTTP_PROXY_PROTOCOL,
                  "the proxy's reply has an unknown type of address");
    CHECK_REFUSED(&known, "\5\2\5\0", WHORL_EHTTP_PROXY_PROTOCOL,
                  "the proxy's answer to the password has another version");
}

TEST_VIRTUAL(a_proxy_that_closes_at_any_byte_is_an_error)
{
    static const char answers[] = "\5\0\5\0\0\3\3abc\0\1";
    struct socks5_request request = {.host = "a.test", .port = 1};

    for (size_t len = 0; len < sizeof answers - 1; len++) {
        talk(&outcome, &request, answers, len, 0);
        CHECK_EQ(outcome.err, WHORL_EHTTP_PROXY_FAILED);
        CHECK_STR(outcome.why, "the proxy closed the connection before it had connected");
    }
    talk(&outcome, &request, answers, sizeof answers - 1, 0);
    CHECK_OK(outcome.err);
}

TEST(a_host_that_does_not_fit_is_refused)
{
    char host[300];
    struct socks5_request request = {.host = host, .port = 1};
    struct socks5 s;

    memset(host, 'a', sizeof host);
    host[256] = '\0';
    CHECK_EQ(socks5_init(&s, &request), WHORL_EDNS_BADNAME);
    host[255] = '\0';
    CHECK_OK(socks5_init(&s, &request));
    host[0] = '\0';
    CHECK_EQ(socks5_init(&s, &request), WHORL_EDNS_BADNAME);
}

TEST_MAIN()

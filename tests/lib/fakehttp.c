/* SPDX-License-Identifier: MIT */
/* HTTP servers in memory that follow scripts. */
#include "fakehttp.h"

#include <ctype.h>
#include <stdlib.h>

#include <whorl/group.h>
#include <whorl/scope.h>
#include <whorl/stream.h>
#include <whorl/task.h>

#include "fakehttp2.h"
#include "memstream.h"
#include "test.h"

struct fake_server {
    struct fake_server *next, **link;
    struct whorl_scope scope;
    struct fake *fake;
    struct whorl_stream *stream;
    const struct fake_step *script;
    bool is_connection; /* of a client, not of a gateway */
};

bool fake_is_http2(void)
{
    const char *version = getenv("TEST_HTTP");
    return version && strcmp(version, "2") == 0;
}

static int start_gateway(struct fake *fake, struct whorl_stream *stream)
{
#ifdef TEST_HAS_HTTP2
    return fakehttp2_start(fake, stream);
#else
    (void)fake, (void)stream;
    test_fail(__FILE__, __LINE__, "whorl was built without HTTP/2");
#endif
}

static void stop_gateways(struct fake *fake)
{
#ifdef TEST_HAS_HTTP2
    fakehttp2_stop(fake);
#else
    (void)fake;
#endif
}

/* Returns false when the client has closed, which ends the script. */
static WHORL_SUSPENDS bool read_exactly(struct fake_server *server, char *buf, size_t len)
{
    return whorl_stream_read_exact(server->stream, buf, len) == 0;
}

static WHORL_SUSPENDS bool expect(struct fake_server *server, const char *text)
{
    for (const char *p = text; *p; p++) {
        char c;
        if (!read_exactly(server, &c, 1))
            return false;
        /* The names of headers have lost their case in HTTP/2. */
        if (fake_is_http2() ? tolower((unsigned char)c) != tolower((unsigned char)*p) : c != *p)
            test_fail(__FILE__, __LINE__, "server read '%c' (%d) after \"%.*s\", expected \"%s\"",
                      c, c, (int)(p - text), text, p);
    }
    return true;
}

static WHORL_SUSPENDS bool expect_head(struct fake_server *server, const char *text)
{
    char head[8192];
    size_t len = 0;
    do {
        if (len + 1 >= sizeof head)
            test_fail(__FILE__, __LINE__, "head of the request is too long");
        if (!read_exactly(server, head + len, 1))
            return false;
        head[++len] = '\0';
    } while (len < 4 || strcmp(head + len - 4, "\r\n\r\n") != 0);
    if (text && !(fake_is_http2() ? strcasestr(head, text) : strstr(head, text)))
        test_fail(__FILE__, __LINE__, "head lacks \"%s\": \"%s\"", text, head);
    return true;
}

static WHORL_SUSPENDS bool skip(struct fake_server *server, int64_t n)
{
    char c;
    while (n-- > 0)
        if (!read_exactly(server, &c, 1))
            return false;
    return true;
}

static WHORL_SUSPENDS bool send_pattern(struct fake_server *server, int64_t n)
{
    char buf[4096];
    for (int64_t sent = 0; sent < n;) {
        size_t len = 0;
        for (; len < sizeof buf && sent < n; sent++)
            buf[len++] = fake_pattern(sent);
        if (whorl_stream_write(server->stream, buf, len))
            return false;
    }
    return true;
}

static WHORL_SUSPENDS bool play(struct fake_server *server, const struct fake_step *step)
{
    switch (step->action) {
    case FAKE_END:
    case FAKE_REPEAT:
        break;
    case FAKE_EXPECT:
        return expect(server, step->text);
    case FAKE_HEAD:
        return expect_head(server, step->text);
    case FAKE_READ:
        return skip(server, step->n);
    case FAKE_SEND:
        return whorl_stream_write(server->stream, step->text,
                                  step->n ? (size_t)step->n : strlen(step->text)) == 0;
    case FAKE_BODY:
        return send_pattern(server, step->n);
    case FAKE_SLEEP:
        return whorl_sleep(step->n) == 0;
    case FAKE_FINISH:
        return whorl_stream_close_write(server->stream) == 0;
    case FAKE_CLOSE:
        return false;
    case FAKE_RESET:
        memstream_reset(server->stream);
        return false;
    }
    return true;
}

static int serve(void *arg)
{
    struct fake_server *server = arg;
    const struct fake_step *step = server->script;
    struct fake *fake = server->fake;
    char c;

    server->next = fake->servers;
    if (server->next)
        server->next->link = &server->next;
    server->link = &fake->servers;
    fake->servers = server;
    whorl_scope_enter(&server->scope, WHORL_FOREVER);
    while (step->action != FAKE_END && play(server, step))
        step = step->action == FAKE_REPEAT ? server->script : step + 1;
    if (step->action == FAKE_END)
        while (whorl_stream_read(server->stream, &c, 1) > 0)
            ;
    whorl_scope_leave(&server->scope, 0);
    whorl_stream_close(server->stream);
    *server->link = server->next;
    if (server->next)
        server->next->link = server->link;
    fake->open -= server->is_connection;
    fake->scripts_open--;
    return 0;
}

WHORL_SUSPENDS_SHIELDED void fake_finish(struct fake *fake)
{
    struct whorl_scope shield;
    whorl_scope_enter_shield(&shield, WHORL_FOREVER);
    while (fake->open > 0 || fake->scripts_open > 0) {
        for (struct fake_server *server = fake->servers; server; server = server->next)
            whorl_scope_cancel(&server->scope);
        stop_gateways(fake);
        if (whorl_yield())
            break;
    }
    whorl_scope_leave(&shield, 0);
}

/* Starts a server that follows the next script. */
static int start_script(struct fake *fake, struct whorl_stream *stream, bool is_connection)
{
    struct fake_server server = {.fake = fake, .stream = stream, .is_connection = is_connection};
    size_t n = 0, i = (size_t)fake->played++;

    while (n < 16 && fake->scripts[n])
        n++;
    if (n == 0)
        test_fail(__FILE__, __LINE__, "no script for a connection to %s", fake->last);
    server.script = fake->scripts[i < n ? i : n - 1];
    int err = whorl_spawn_copy(whorl_root_group(), serve, &server);
    if (err == 0)
        fake->scripts_open++;
    return err;
}

int fake_start_script(struct fake *fake, struct whorl_stream **ret)
{
    struct whorl_stream *client, *server;
    int err = memstream_pair(&client, &server);

    if (err)
        return err;
    memstream_capacity(client, fake->capacity);
    memstream_capacity(server, fake->capacity);
    err = start_script(fake, server, false);
    if (err) {
        whorl_stream_close(client);
        whorl_stream_close(server);
        return err;
    }
    *ret = client;
    return 0;
}

static WHORL_SUSPENDS int dial(void *arg, const char *host, uint16_t port,
                               struct whorl_error *error, struct whorl_stream **ret)
{
    struct fake *fake = arg;
    struct whorl_stream *client, *server;

    snprintf(fake->last, sizeof fake->last, "%s:%u", host, port);
    if (fake->dial_ns) {
        int err = whorl_sleep(fake->dial_ns);
        if (err)
            return err;
    }
    if (fake->dial_err) {
        if (fake->dial_text)
            whorl_error_set(error, fake->dial_err, "connect", "%s", fake->dial_text);
        return fake->dial_err;
    }
    int err = memstream_pair(&client, &server);
    if (err)
        return err;
    memstream_chunk(client, fake->chunk);
    memstream_capacity(client, fake->capacity);
    memstream_capacity(server, fake->capacity);
    memstream_yield(client, fake->yield);
    fake->dialled++;
    if (fake->on_dial)
        fake->on_dial(fake, client, server);
    err = fake_is_http2() ? start_gateway(fake, server) : start_script(fake, server, true);
    if (err) {
        whorl_stream_close(client);
        whorl_stream_close(server);
        return err;
    }
    fake->open++;
    *ret = client;
    return 0;
}

struct whorl_http_dialer fake_dialer(struct fake *fake)
{
    return (struct whorl_http_dialer){.dial = dial, .arg = fake};
}

struct whorl_http_session *fake_session_with(struct fake *fake,
                                             struct whorl_http_session_options options)
{
    struct whorl_http_session *session = NULL;

    options.dialer = fake_dialer(fake);
    if (options.version == WHORL_HTTP_ANY)
        options.version = fake_version();
    if (!options.user_agent)
        options.user_agent = "t";
    CHECK_OK(whorl_http_session_create(&options, &session));
    return session;
}

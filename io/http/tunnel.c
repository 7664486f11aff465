/* SPDX-License-Identifier: MIT */
/* CONNECT: one request, one head. */
#include "io/http/tunnel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/error.h>

#include "io/http/watch.h"

enum { INPUT = 1024 };

static WHORL_SUSPENDS int send_request(struct whorl_stream *stream,
                                       const struct http_tunnel *tunnel)
{
    const char *agent = tunnel->user_agent ? tunnel->user_agent : "";
    const char *authorization = tunnel->authorization ? tunnel->authorization : "";
    char *text;

    if (!header_is_value(agent, strlen(agent)))
        return WHORL_EHTTP_REQUEST_HEADER;
    int len = asprintf(&text, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s%s%s%s%s%s\r\n",
                       tunnel->authority, tunnel->authority, *agent ? "User-Agent: " : "", agent,
                       *agent ? "\r\n" : "", *authorization ? "Proxy-Authorization: " : "",
                       authorization, *authorization ? "\r\n" : "");
    if (len < 0)
        return -ENOMEM;
    if (tunnel->watch)
        http_watch_tell_request(tunnel->watch->watch, tunnel->watch->info,
                                (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_PROXY_REQUEST,
                                                          .host = tunnel->host,
                                                          .port = tunnel->port,
                                                          .text = tunnel->proxy},
                                text, (size_t)len, NULL);
    int err = whorl_stream_write(stream, text, (size_t)len);
    free(text);
    return err;
}

/* The proxy has closed the connection before the end of its head. */
static int judge_end(struct http1 *answer, const char **ret_why)
{
    *ret_why = http1_eof(answer) == WHORL_EHTTP_NO_RESPONSE
                   ? "the proxy closed the connection without an answer"
                   : "the proxy closed the connection within its answer";
    return WHORL_EHTTP_PROXY_FAILED;
}

/* Reads up to the final head. `*ret_surplus` is the number of bytes read behind it. */
static WHORL_SUSPENDS int read_head(struct whorl_stream *stream, size_t step, struct http1 *answer,
                                    size_t *ret_surplus, const char **ret_why)
{
    struct http1_body_span span;
    char buf[INPUT];

    for (;;) {
        ssize_t n = whorl_stream_read(stream, buf, step < sizeof buf ? step : sizeof buf);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return judge_end(answer, ret_why);
        size_t at = 0, used;
        int event;
        do {
            event = http1_feed(answer, buf + at, (size_t)n - at, &used, &span);
            at += used;
        } while (event == HTTP1_INFORMATIONAL);
        if (event == HTTP1_HEAD) {
            *ret_surplus = (size_t)n - at;
            return 0;
        }
        if (event < 0) {
            *ret_why = event == -ENOMEM ? NULL : http1_error_text(answer);
            return event == -ENOMEM ? event : WHORL_EHTTP_PROXY_PROTOCOL;
        }
    }
}

WHORL_SUSPENDS int http_tunnel_open(struct whorl_stream *stream, const struct http_tunnel *tunnel,
                                    struct http1 *answer, const char **ret_why)
{
    size_t surplus = 0;

    *ret_why = NULL;
    int err = send_request(stream, tunnel);
    /* A proxy that does not wait for the whole request may have answered it before it closed. */
    if (err && err != -EPIPE && err != -ECONNRESET)
        return err;
    err = read_head(stream, tunnel->server_may_begin ? 1 : INPUT, answer, &surplus, ret_why);
    if (err)
        return err;
    /* RFC 9110 §9.3.6: a 2xx has no content, and what follows its head comes from the server. A
     * server that is to receive a TLS ClientHello sends nothing before it. */
    if (http1_status(answer) / 100 == 2 && surplus > 0) {
        *ret_why = "the proxy sent bytes behind its answer, before the server got any";
        return WHORL_EHTTP_PROXY_PROTOCOL;
    }
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* Tells an observer (http_trace.h) what happens to one request. Without an observer, all functions
 * return at once. None of them suspends. */
#ifndef IO_HTTP_WATCH_H
#define IO_HTTP_WATCH_H

#include <whorl/dial.h>
#include <whorl/http.h>

#include "io/http/header.h"

struct http_conn_info;

/* The observer of a request, and what its events contain. It belongs to the response. */
struct http_watch {
    struct whorl_http_observer observer; /* without a function, there are no events */
    uint64_t request;                    /* number in the session */
    int64_t start_ns;
};

static inline bool http_watch_is_on(const struct http_watch *watch)
{
    return watch && watch->observer.event;
}

/* Calls the observer, which there must be. */
void http_watch_send(const struct http_watch *watch, const struct http_conn_info *conn,
                     const struct whorl_http_event *event);

/* Tells an event; the caller fills everything but the request's number and the time. It is inline,
 * so without an observer the event is not even made.
 *
 * @conn  NULL: there is no connection */
static inline void http_watch_tell(const struct http_watch *watch,
                                   const struct http_conn_info *conn, struct whorl_http_event event)
{
    if (http_watch_is_on(watch))
        http_watch_send(watch, conn, &event);
}

/* Tells a head, without its secrets. If there is no memory, the event has no head.
 *
 * @head      as it is sent; a request of HTTP/2 has the form of HTTP/1.1
 * @protocol  replaces the version in the request line */
void http_watch_tell_request(const struct http_watch *watch, const struct http_conn_info *conn,
                             struct whorl_http_event event, const char *head, size_t len,
                             const char *protocol);

/* The same for the head of a response, from its parts. */
void http_watch_tell_response(const struct http_watch *watch, const struct http_conn_info *conn,
                              struct whorl_http_event event, const char *protocol,
                              const char *reason, const struct header_list *headers);

/* Tells the result of a handshake on the TLS stream `stream`. */
void http_watch_tell_tls(const struct http_watch *watch, const struct http_conn_info *conn,
                         const struct whorl_stream *stream, const char *host, bool with_proxy);

/* What the steps of a dial go to. */
struct http_dial_watch {
    struct whorl_dial_watch base;
    const struct http_watch *watch;
    struct http_conn_info *info;         /* its dns_ns and peer are filled */
    const struct whorl_dial_watch *next; /* of the user's options; gets the steps too; NULL: none */
};

/* Prepares it. It must stay where it is until the dial has ended. */
void http_dial_watch_init(struct http_dial_watch *dial, const struct http_watch *watch,
                          struct http_conn_info *info);

#endif

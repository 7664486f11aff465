/* SPDX-License-Identifier: MIT */
/* Watching HTTP exchanges: a function that is called at each step of a request, and the times,
 * bytes and addresses of an exchange. http.h includes this header.
 *
 *     static void print_event(void *arg, const struct whorl_http_event *event)
 *     {
 *         fprintf(arg, "%llu %6lld us %s\n", (unsigned long long)event->request,
 *                 (long long)(event->time_ns / 1000), whorl_http_event_name(event->kind));
 *     }
 *
 *     static int make_session(struct whorl_http_session **ret)
 *     {
 *         struct whorl_http_session_options options = {
 *             .observer = {.event = print_event, .arg = stderr}};
 *         return whorl_http_session_create(&options, ret);
 *     }
 *
 * The events of one request have the same number, and come in this order. After a retry, a redirect
 * and the answer to a challenge, they begin again at QUEUE.
 *
 *     START
 *     QUEUE                                        only if it waits for a connection
 *     REUSE, or
 *     OPEN, RESOLVE, RESOLVED, (CONNECT, CONNECT_FAILED | CONNECTED)*,
 *           PROXY_REQUEST, PROXY_RESPONSE, TLS | TLS_AGAIN, READY
 *     REQUEST_HEAD, SENDING*, SENT
 *     INFORMATIONAL*, RESPONSE_HEAD, BODY*
 *     KEPT | CLOSED
 *     RETRY | REDIRECT | AUTH                      if the request is sent again
 *     END                                          the failure, or the close of the response
 *
 * KEPT and CLOSED come as soon as the connection is not needed any more, so they may precede BODY:
 * the body has been received, and is still to be read. After RETRY the same connection may be
 * opened again without them. A response to a long request may begin before SENT. Events of
 * connections come only with requests: the close of an idle connection is no event, but
 * OPEN says why it could not be reused.
 *
 * A call that fails before START, because it is cancelled already or there is no memory, has no
 * events.
 *
 * No event contains a secret. Values of Authorization, Proxy-Authorization, Cookie and Set-Cookie
 * are replaced by "***", and so are those of all other request headers that are not known to be
 * harmless, and of response headers whose name speaks of a token, key, secret, session or password.
 * What a URL has in its path and query is shown.
 */
#ifndef WHORL_HTTP_TRACE_H
#define WHORL_HTTP_TRACE_H

#include <whorl/base.h>
#include <whorl/error.h>
#include <whorl/net.h>

struct whorl_http_response;

/* Whether a request used a kept connection, and why not. The same reasons say why a connection is
 * closed after an exchange. */
enum whorl_http_reuse {
    WHORL_HTTP_REUSED,      /* it did; the connection is kept */
    WHORL_HTTP_NEW_FIRST,   /* there was none to this origin */
    WHORL_HTTP_NEW_BUSY,    /* all carry other requests */
    WHORL_HTTP_NEW_OTHER,   /* the kept ones differ: proxy, credentials, TLS options or version */
    WHORL_HTTP_NEW_EXPIRED, /* it was idle for too long */
    WHORL_HTTP_NEW_ENDED,   /* the server has closed it while it was idle, or sent something */
    WHORL_HTTP_NEW_REFUSED, /* the server does not keep it: Connection: close, HTTP/1.0, GOAWAY */
    WHORL_HTTP_NEW_ASKED,   /* the request said Connection: close, or idle ones were closed */
    WHORL_HTTP_NEW_UNREAD,  /* the body before was not read to its end */
    WHORL_HTTP_NEW_UNSENT,  /* the request before was not sent to its end */
    WHORL_HTTP_NEW_FAILED,  /* the exchange before has failed */
    WHORL_HTTP_NEW_LIMIT,   /* it was closed to stay below a limit of the session */
};

/* What is known of an exchange. Of a redirected request, it is the last one. Durations are in
 * nanoseconds, and -1 when there was no such stage or it did not end. */
struct whorl_http_info {
    uint64_t request; /* number in the session, from 1 */
    uint64_t conn;    /* number of the connection in the session, from 1; 0: none */
    int64_t queue_ns;
    int64_t dns_ns;               /* the lookup; -1 also if the session's dialer did not tell */
    int64_t connect_ns;           /* to the server or through the proxy, without the lookup */
    int64_t tls_ns;               /* with the server */
    int64_t first_byte_ns;        /* from the last byte sent to the first received; a 1xx that
                                     arrives before the last byte is sent does not count */
    int64_t body_ns;              /* from the first byte received to the end of the body */
    int64_t limited_ns;           /* of body_ns: waits for the limiters of the request */
    int64_t total_ns;             /* from the start to the end of the body, or until now */
    int64_t sent_head, sent_body; /* bytes; of HTTP/2, the head before its compression */
    int64_t received_head, received_body; /* the body as sent by the server */
    struct whorl_addr peer, local; /* of the socket, so with a proxy the proxy's; len 0: unknown */
    const char *protocol;          /* "HTTP/1.1", "HTTP/2"; NULL: none yet */
    const char *tls_version;       /* "TLS 1.3"; NULL: no TLS */
    const char *tls_suite;         /* as whorl_tls_suite(); NULL: no TLS */
    bool tls_resumed;
    enum whorl_http_reuse reuse;
    int redirects, retries;
    bool unsent; /* the response came although the request's body was not sent to its end, as when
                    a server answers 200 instead of 100 (Continue): it cannot have the whole body.
                    RFC 9110 §10.1.1 says that such a server did not need it */
};

/* The kinds of events. The comment of each names the fields of the event that are set. */
enum whorl_http_event_kind {
    WHORL_HTTP_EVENT_START,          /* method; url, but NULL if the request is refused before its
                                         URL is read, or if it is not a URL */
    WHORL_HTTP_EVENT_QUEUE,          /* waits for a connection */
    WHORL_HTTP_EVENT_REUSE,          /* takes a kept connection; addr */
    WHORL_HTTP_EVENT_OPEN,           /* opens a connection; host, port; reuse: why */
    WHORL_HTTP_EVENT_RESOLVE,        /* host */
    WHORL_HTTP_EVENT_RESOLVED,       /* addrs */
    WHORL_HTTP_EVENT_CONNECT,        /* addr */
    WHORL_HTTP_EVENT_CONNECT_FAILED, /* addr, err */
    WHORL_HTTP_EVENT_CONNECTED,      /* addr */
    WHORL_HTTP_EVENT_PROXY_REQUEST, /* host and port of the server; text: of the proxy; head, unless
                                         it is SOCKS5 */
    WHORL_HTTP_EVENT_PROXY_RESPONSE, /* status and head, unless it is SOCKS5 */
    WHORL_HTTP_EVENT_TLS,            /* host, tls_* */
    WHORL_HTTP_EVENT_TLS_AGAIN,      /* host: the peer refuses TLS 1.2; it is connected to again,
                                         with OpenSSL */
    WHORL_HTTP_EVENT_READY,          /* the connection is open; text: "HTTP/2" */
    WHORL_HTTP_EVENT_REQUEST_HEAD,   /* head */
    WHORL_HTTP_EVENT_SENDING,        /* a part of a long body has been sent; bytes of the body so
                                         far; length. A request that is sent again, after a retry,
                                         a redirect or a 401, begins at 0 again */
    WHORL_HTTP_EVENT_SENT,           /* the whole request; bytes of its body */
    WHORL_HTTP_EVENT_INFORMATIONAL,  /* status */
    WHORL_HTTP_EVENT_RESPONSE_HEAD,  /* status, head */
    WHORL_HTTP_EVENT_BODY,           /* bytes of the body so far, as sent by the server */
    WHORL_HTTP_EVENT_RETRY,          /* err */
    WHORL_HTTP_EVENT_REDIRECT,       /* method, url: of the next request */
    WHORL_HTTP_EVENT_AUTH,           /* the request is sent again with credentials; status */
    WHORL_HTTP_EVENT_KEPT,           /* the connection, for other requests */
    WHORL_HTTP_EVENT_CLOSED,         /* the connection; reuse: why */
    WHORL_HTTP_EVENT_END,            /* err; error with the detail if err is set; info */
};

/* A step. Pointers are valid during the call; fields that the kind does not name are zero. */
struct whorl_http_event {
    enum whorl_http_event_kind kind;
    uint64_t request, conn; /* as in struct whorl_http_info */
    int64_t time_ns;        /* since START */
    const char *method, *url, *host, *text;
    uint16_t port;
    const struct whorl_addr *addr;
    const struct whorl_addr *addrs; /* `addrs_count` of them, at most 8 */
    size_t addrs_count;
    const char *tls_version, *tls_suite, *tls_alpn; /* tls_alpn NULL: none was chosen */
    bool tls_resumed, tls_with_proxy;
    const char *head; /* lines that end with CR LF, as sent; secrets are replaced. The server chose
                         the bytes of a response: escape them before printing, see text.h */
    size_t head_len;
    int64_t bytes;
    int64_t length; /* of the request's body; -1: unknown */
    int status;
    int err; /* 0: success */
    enum whorl_http_reuse reuse;
    const struct whorl_error *error;
    const struct whorl_http_info *info;
};

/* The function. It runs in the task of the request, in a task that it has started, or outside any
 * task. It must not suspend, and must neither close the response nor destroy the session. */
struct whorl_http_observer {
    void (*event)(void *arg, const struct whorl_http_event *event);
    void *arg;     /* valid until the last response is closed */
    bool no_heads; /* no event has a `head`: to take its secrets out costs time */
};

#ifdef __cplusplus
extern "C" {
#endif

/** Fills `ret` with what is known of the exchange so far. Never suspends. */
WHORL_API void whorl_http_response_get_info(const struct whorl_http_response *response,
                                            struct whorl_http_info *ret);

/** The name of an event, such as "request head"; never NULL, and valid for ever. */
WHORL_API const char *whorl_http_event_name(enum whorl_http_event_kind kind);

/** The reason as a phrase, such as "the server has closed it"; never NULL, and valid for ever. */
WHORL_API const char *whorl_http_reuse_text(enum whorl_http_reuse reuse);

/** The reason as a word for programs, such as "ended"; never NULL, and valid for ever. */
WHORL_API const char *whorl_http_reuse_name(enum whorl_http_reuse reuse);

#ifdef __cplusplus
}
#endif

#endif

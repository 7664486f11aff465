/* SPDX-License-Identifier: MIT */
/* The names of events and reasons, see http_trace.h. */
#include <whorl/http_trace.h>

const char *whorl_http_event_name(enum whorl_http_event_kind kind)
{
    static const char *const names[] = {
        [WHORL_HTTP_EVENT_START] = "start",
        [WHORL_HTTP_EVENT_QUEUE] = "queue",
        [WHORL_HTTP_EVENT_REUSE] = "reuse",
        [WHORL_HTTP_EVENT_OPEN] = "open",
        [WHORL_HTTP_EVENT_RESOLVE] = "resolve",
        [WHORL_HTTP_EVENT_RESOLVED] = "resolved",
        [WHORL_HTTP_EVENT_CONNECT] = "connect",
        [WHORL_HTTP_EVENT_CONNECT_FAILED] = "connect failed",
        [WHORL_HTTP_EVENT_CONNECTED] = "connected",
        [WHORL_HTTP_EVENT_PROXY_REQUEST] = "proxy request",
        [WHORL_HTTP_EVENT_PROXY_RESPONSE] = "proxy response",
        [WHORL_HTTP_EVENT_TLS] = "tls",
        [WHORL_HTTP_EVENT_TLS_AGAIN] = "tls again",
        [WHORL_HTTP_EVENT_READY] = "ready",
        [WHORL_HTTP_EVENT_REQUEST_HEAD] = "request head",
        [WHORL_HTTP_EVENT_SENDING] = "sending",
        [WHORL_HTTP_EVENT_SENT] = "sent",
        [WHORL_HTTP_EVENT_INFORMATIONAL] = "informational",
        [WHORL_HTTP_EVENT_RESPONSE_HEAD] = "response head",
        [WHORL_HTTP_EVENT_BODY] = "body",
        [WHORL_HTTP_EVENT_RETRY] = "retry",
        [WHORL_HTTP_EVENT_REDIRECT] = "redirect",
        [WHORL_HTTP_EVENT_AUTH] = "auth",
        [WHORL_HTTP_EVENT_KEPT] = "kept",
        [WHORL_HTTP_EVENT_CLOSED] = "closed",
        [WHORL_HTTP_EVENT_END] = "end",
    };

    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "unknown";
}

/* The word and the phrase of each reason. */
static const struct {
    const char *name, *text;
} reuses[] = {
    [WHORL_HTTP_REUSED] = {"reused", "a kept connection is used"},
    [WHORL_HTTP_NEW_FIRST] = {"first", "there was no connection to this server"},
    [WHORL_HTTP_NEW_BUSY] = {"busy", "all connections to this server are in use"},
    [WHORL_HTTP_NEW_OTHER] = {"other", "the connections to this server have other options"},
    [WHORL_HTTP_NEW_EXPIRED] = {"expired", "the kept connection was idle for too long"},
    [WHORL_HTTP_NEW_ENDED] = {"ended", "the server has closed the kept connection"},
    [WHORL_HTTP_NEW_REFUSED] = {"refused", "the server does not keep connections"},
    [WHORL_HTTP_NEW_ASKED] = {"asked", "the client wanted the last connection closed"},
    [WHORL_HTTP_NEW_UNREAD] = {"unread", "the last response was not read to its end"},
    [WHORL_HTTP_NEW_UNSENT] = {"unsent", "the last request was not sent to its end"},
    [WHORL_HTTP_NEW_FAILED] = {"failed", "the last exchange has failed"},
    [WHORL_HTTP_NEW_LIMIT] = {"limit", "a limit on the number of connections"},
};

const char *whorl_http_reuse_text(enum whorl_http_reuse reuse)
{
    return (size_t)reuse < sizeof reuses / sizeof reuses[0] ? reuses[reuse].text : "unknown";
}

const char *whorl_http_reuse_name(enum whorl_http_reuse reuse)
{
    return (size_t)reuse < sizeof reuses / sizeof reuses[0] ? reuses[reuse].name : "unknown";
}

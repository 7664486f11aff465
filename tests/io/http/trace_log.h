/* SPDX-License-Identifier: MIT */
/* An observer that writes the events of HTTP requests to a text, for tests. */
#ifndef TRACE_LOG_H
#define TRACE_LOG_H

#include <whorl/http.h>

#include "test.h"

enum { TRACE_LOG_SIZE = 16384, TRACE_LOG_REQUESTS = 16 };

struct trace_log {
    char text[TRACE_LOG_SIZE];   /* "1:start 1:open(first) ..."; the number is the request's */
    char heads[TRACE_LOG_SIZE];  /* all heads */
    struct whorl_http_info info; /* of the last END */
    char end[300];               /* "step: text" of the last END */
    int64_t last_ns[TRACE_LOG_REQUESTS];
    int ends, bodies;
};

static inline const char *trace_log_detail(const struct whorl_http_event *event)
{
    static char text[200];

    text[0] = '\0';
    switch (event->kind) {
    case WHORL_HTTP_EVENT_OPEN:
    case WHORL_HTTP_EVENT_CLOSED:
        return whorl_http_reuse_name(event->reuse);
    case WHORL_HTTP_EVENT_START:
    case WHORL_HTTP_EVENT_REDIRECT:
        snprintf(text, sizeof text, "%s %s", event->method, event->url ? event->url : "-");
        break;
    case WHORL_HTTP_EVENT_RESPONSE_HEAD:
    case WHORL_HTTP_EVENT_INFORMATIONAL:
    case WHORL_HTTP_EVENT_PROXY_RESPONSE:
    case WHORL_HTTP_EVENT_AUTH:
        snprintf(text, sizeof text, "%d", event->status);
        break;
    case WHORL_HTTP_EVENT_READY:
        return event->text;
    case WHORL_HTTP_EVENT_TLS:
        snprintf(text, sizeof text, "%s%s", event->tls_with_proxy ? "proxy " : "",
                 event->tls_resumed ? "resumed" : "full");
        break;
    case WHORL_HTTP_EVENT_SENT:
        snprintf(text, sizeof text, "%lld", (long long)event->bytes);
        break;
    case WHORL_HTTP_EVENT_RETRY:
    case WHORL_HTTP_EVENT_CONNECT_FAILED:
        return whorl_error_name(event->err);
    case WHORL_HTTP_EVENT_END:
        return event->err ? whorl_error_name(event->err) : "";
    default:
        break;
    }
    return text;
}

static inline void trace_log_event(void *arg, const struct whorl_http_event *event)
{
    struct trace_log *log = arg;
    size_t len = strlen(log->text), heads_len = strlen(log->heads);
    const char *detail = trace_log_detail(event);
    int64_t *last_ns = &log->last_ns[event->request % TRACE_LOG_REQUESTS];

    CHECK(event->time_ns >= *last_ns);
    *last_ns = event->time_ns;
    CHECK(event->request > 0);
    if (event->kind == WHORL_HTTP_EVENT_BODY) { /* how many there are depends on the network */
        log->bodies++;
        return;
    }
    if (event->kind == WHORL_HTTP_EVENT_SENDING)
        return;
    snprintf(log->text + len, sizeof log->text - len, "%s%llu:%s%s%s%s", len ? " " : "",
             (unsigned long long)event->request, whorl_http_event_name(event->kind),
             *detail ? "(" : "", detail, *detail ? ")" : "");
    if (event->head)
        snprintf(log->heads + heads_len, sizeof log->heads - heads_len, "%.*s",
                 (int)event->head_len, event->head);
    if (event->kind != WHORL_HTTP_EVENT_END)
        return;
    CHECK(!!event->error == !!event->err);
    log->ends++;
    log->info = *event->info;
    CHECK_EQ(log->info.request, event->request);
    CHECK_EQ(log->info.conn, event->conn);
    snprintf(log->end, sizeof log->end, "%s: %s", event->error ? event->error->step : "",
             event->error ? event->error->text : "");
}

static inline struct whorl_http_observer trace_log_observer(struct trace_log *log)
{
    return (struct whorl_http_observer){.event = trace_log_event, .arg = log};
}

static inline void trace_log_clear(struct trace_log *log)
{
    *log = (struct trace_log){0};
}

#endif

/* SPDX-License-Identifier: MIT */
/* Tells the observer; see watch.h. */
#include "io/http/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/tls.h>
#include <whorl/tls_server.h>

#include "io/http/conn_info.h"
#include "io/http/redact.h"

void http_watch_send(const struct http_watch *watch, const struct http_conn_info *conn,
                     const struct whorl_http_event *event)
{
    struct whorl_http_event full = *event;

    full.request = watch->request;
    full.conn = conn ? conn->number : 0;
    full.time_ns = whorl_now() - watch->start_ns;
    watch->observer.event(watch->observer.arg, &full);
}

void http_watch_tell_request(const struct http_watch *watch, const struct http_conn_info *conn,
                             struct whorl_http_event event, const char *head, size_t len,
                             const char *protocol)
{
    if (!http_watch_is_on(watch))
        return;
    char *safe = NULL;
    if (!watch->observer.no_heads)
        safe = redact_request(head, len, protocol, &event.head_len);
    event.head = safe;
    http_watch_tell(watch, conn, event);
    free(safe);
}

void http_watch_tell_response(const struct http_watch *watch, const struct http_conn_info *conn,
                              struct whorl_http_event event, const char *protocol,
                              const char *reason, const struct header_list *headers)
{
    if (!http_watch_is_on(watch))
        return;
    char *safe = NULL;
    if (!watch->observer.no_heads)
        safe = redact_response(protocol, event.status, reason, headers, &event.head_len);
    event.head = safe;
    http_watch_tell(watch, conn, event);
    free(safe);
}

void http_watch_tell_tls(const struct http_watch *watch, const struct http_conn_info *conn,
                         const struct whorl_stream *stream, const char *host, bool with_proxy)
{
    if (!http_watch_is_on(watch))
        return;
    http_watch_tell(watch, conn,
                    (struct whorl_http_event){
                        .kind = WHORL_HTTP_EVENT_TLS,
                        .host = host,
                        .tls_version = whorl_tls_version_name(stream),
                        .tls_suite = whorl_tls_suite(stream),
                        .tls_alpn = whorl_tls_alpn(stream),
                        .tls_resumed = whorl_tls_is_resumed(stream),
                        .tls_with_proxy = with_proxy,
                    });
}

/* Dialling */

/* The first step of a dial that is neither the lookup nor part of it ends the lookup. */
static void end_lookup(struct http_conn_info *info)
{
    if (info->lookup_ns >= 0 && info->dns_ns < 0)
        info->dns_ns = whorl_now() - info->lookup_ns;
}

static void on_dial_step(void *arg, const struct whorl_dial_event *event)
{
    static const enum whorl_http_event_kind kinds[] = {
        [WHORL_DIAL_RESOLVE] = WHORL_HTTP_EVENT_RESOLVE,
        [WHORL_DIAL_RESOLVED] = WHORL_HTTP_EVENT_RESOLVED,
        [WHORL_DIAL_TRY] = WHORL_HTTP_EVENT_CONNECT,
        [WHORL_DIAL_FAILED] = WHORL_HTTP_EVENT_CONNECT_FAILED,
        [WHORL_DIAL_CONNECTED] = WHORL_HTTP_EVENT_CONNECTED,
    };
    struct http_dial_watch *dial = arg;
    struct http_conn_info *info = dial->info;

    if (event->step == WHORL_DIAL_RESOLVE)
        info->lookup_ns = whorl_now();
    else
        end_lookup(info);
    if (event->addr)
        info->peer = *event->addr;
    if (dial->next)
        dial->next->event(dial->next->arg, event);
    http_watch_tell(dial->watch, info,
                    (struct whorl_http_event){
                        .kind = kinds[event->step],
                        .host = event->host,
                        .addr = event->addr,
                        .addrs = event->addrs,
                        .addrs_count = event->addrs_count,
                        .err = event->err,
                    });
}

void http_dial_watch_init(struct http_dial_watch *dial, const struct http_watch *watch,
                          struct http_conn_info *info)
{
    info->lookup_ns = info->dns_ns = -1;
    *dial = (struct http_dial_watch){
        .base = {.event = on_dial_step, .arg = dial}, .watch = watch, .info = info};
}

/* SPDX-License-Identifier: MIT */
/* Sessions: options, statistics, and what the requests of a session share. do.c carries out a
 * request. */
#include "io/http/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/task.h>

#include "io/http/cookie_jar.h"
#include "io/http/exchange_http1.h"
#include "io/http/exchange_http2.h"
#include "io/http/http2_conn.h"
#include "io/http/response.h"
#include "io/net/dial_options.h"
#include "io/tls/config.h"
#include "runtime/base/check.h"
#include "runtime/base/run_id.h"

enum {
    CONNS_MAX = 256,
    CONNS_PER_HOST_MAX = 6,
    REDIRECTS_MAX = 10,
};

/* The sessions of this thread that are not destroyed; the most recently used is first. A destroyed
 * session is not in the list, so its use is noticed without reading its memory. */
static _Thread_local struct whorl_http_session *sessions;

/* Moves the session to the front of the list. Returns false when it is not in the list. */
static bool find_session(const struct whorl_http_session *session)
{
    struct whorl_http_session **link = &sessions, *found;

    while (*link && *link != session)
        link = &(*link)->next;
    found = *link;
    if (found) {
        *link = found->next;
        found->next = sessions;
        sessions = found;
    }
    return found;
}

void http_session_check(const struct whorl_http_session *session)
{
    whorl_check_text(session, "an HTTP session is NULL");
    whorl_check_text(session == sessions || find_session(session),
                     "an HTTP session was used after it was destroyed, or on a thread that did "
                     "not make it");
    whorl_check_text(session->run == run_id_of_thread,
                     "an HTTP session was used outside the run in which it was made; destroy it "
                     "before that run ends, and make one per run");
}

/* The session's dialer if it was given none. */
static WHORL_SUSPENDS int dial_tcp(void *arg, const char *host, uint16_t port,
                                   const struct whorl_dial_options *options,
                                   struct whorl_error *error, struct whorl_stream **ret)
{
    (void)arg;
    return whorl_dial_stream(host, port, options, error, ret);
}

/* Copies the options of dialling, if there are any. */
static int copy_dial(const struct whorl_http_session_options *o, struct whorl_dial_options **ret)
{
    if (!o->dialer.dial_with)
        return o->dial ? -EINVAL : 0;
    int err = o->dial ? whorl_dial_options_check(o->dial, NULL) : 0;
    if (err)
        return err;
    *ret = dial_options_copy(o->dial ? o->dial : &(struct whorl_dial_options){0});
    return *ret ? 0 : -ENOMEM;
}

static void fill_defaults(struct whorl_http_session_options *o)
{
    struct whorl_http_timeouts *t = &o->timeouts;

    o->conns_max = o->conns_max ? o->conns_max : CONNS_MAX;
    o->conns_per_host_max = o->conns_per_host_max ? o->conns_per_host_max : CONNS_PER_HOST_MAX;
    o->idle_max = o->idle_max ? o->idle_max : o->conns_max;
    o->idle_ns = o->idle_ns ? o->idle_ns : 30 * WHORL_SECOND;
    o->redirects_max = o->redirects_max ? o->redirects_max : REDIRECTS_MAX;
    t->queue_ns = http_session_limit(t->queue_ns, WHORL_FOREVER);
    t->connect_ns = http_session_limit(t->connect_ns, 30 * WHORL_SECOND);
    t->tls_ns = http_session_limit(t->tls_ns, 30 * WHORL_SECOND);
    t->first_byte_ns = http_session_limit(t->first_byte_ns, 60 * WHORL_SECOND);
    t->stall_ns = http_session_limit(t->stall_ns, 60 * WHORL_SECOND);
    t->total_ns = http_session_limit(t->total_ns, WHORL_FOREVER);
    t->speed_ns = http_session_limit(t->speed_ns, 30 * WHORL_SECOND);
    if (!o->dialer.dial && !o->dialer.dial_with)
        o->dialer.dial_with = dial_tcp;
}

int whorl_http_session_create(const struct whorl_http_session_options *options,
                              struct whorl_http_session **ret)
{
    if (!whorl_task_self())
        return WHORL_ENOTASK;
    struct whorl_http_session *session = calloc(1, sizeof *session);
    if (!session)
        return -ENOMEM;
    if (options)
        session->options = *options;
    fill_defaults(&session->options);
    struct whorl_http_session_options *o = &session->options;
    session->pool = (struct http_pool){
        .conns_max = o->conns_max,
        .conns_per_host_max = o->conns_per_host_max,
        .idle_max = o->idle_max,
        .idle_ns = o->idle_ns,
    };
    session->user_agent = strdup(o->user_agent ? o->user_agent : "whorl/" WHORL_VERSION);
    int err = session->user_agent ? http_proxies_init(&session->proxies, &o->proxy, NULL) : -ENOMEM;
    if (err == 0)
        err = http_auth_init(&session->auth, o);
    if (err == 0)
        err = copy_dial(o, &session->dial);
    if (err == 0)
        err = http_pool_init(&session->pool);
    if (err) {
        free(session->dial);
        http_auth_finish(&session->auth);
        http_proxies_finish(&session->proxies);
        free(session->user_agent);
        free(session);
        return err;
    }
    o->user_agent = session->user_agent;
    o->credentials = NULL; /* copied */
    o->dial = NULL;        /* copied */
    session->tls = o->tls ? tls_config_hold(o->tls) : NULL;
    o->cookies = o->cookies ? cookie_jar_hold(o->cookies) : NULL;
    session->proxy_tls = o->proxy.tls ? tls_config_hold(o->proxy.tls) : NULL;
    session->run = run_id_of_thread;
    session->next = sessions;
    sessions = session;
    *ret = session;
    return 0;
}

void whorl_http_session_destroy(struct whorl_http_session *session)
{
    if (!session)
        return;
    http_session_check(session);
    whorl_check_text(session->store.responses.out == 0,
                     "whorl_http_session_destroy: close every response first");
    sessions = session->next; /* http_session_check() has moved it to the front */
    http_pool_finish(&session->pool);
    http_responses_drain(&session->store);
    http1_exchanges_drain(&session->store);
    http2_exchanges_drain(&session->store);
    http_bufs_drain(&session->store);
    http_upgrades_finish(&session->upgrades);
    http_auth_finish(&session->auth);
    tls_client_sessions_release(session->tls_sessions);
    whorl_tls_config_destroy(session->tls);
    whorl_http_cookies_release(session->options.cookies);
    whorl_tls_config_destroy(session->proxy_tls);
    tls_client_sessions_release(session->proxy_tls_sessions);
    http_proxies_finish(&session->proxies);
    auth_answer_finish(&session->proxy_answers[0]);
    auth_answer_finish(&session->proxy_answers[1]);
    url_cache_finish(&session->urls);
    free(session->dial);
    free(session->user_agent);
    free(session);
}

void whorl_http_session_close_idle(struct whorl_http_session *session)
{
    http_session_check(session);
    http_pool_close_idle(&session->pool);
}

bool whorl_http_has_version(enum whorl_http_version version)
{
    return version != WHORL_HTTP_2 || http2_conn_is_supported();
}

void whorl_http_session_get_stats(const struct whorl_http_session *session,
                                  struct whorl_http_session_stats *ret)
{
    http_session_check(session);
    *ret = (struct whorl_http_session_stats){
        .requests = session->requests,
        .connections = session->connections,
        .reuses = session->reuses,
        .open = session->pool.open_count,
        .idle = session->pool.idle_count,
        .queued = session->pool.queued_count,
    };
}

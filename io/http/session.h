/* SPDX-License-Identifier: MIT */
/* What a session consists of, for the files that carry out requests. */
#ifndef IO_HTTP_SESSION_H
#define IO_HTTP_SESSION_H

#include <whorl/dial.h>
#include <whorl/http.h>
#include <whorl/tls.h>

#include "io/http/auth.h"
#include "io/http/auth_answer.h"
#include "io/http/pool.h"
#include "io/http/proxy.h"
#include "io/http/store.h"
#include "io/http/upgrades.h"
#include "io/tls/client_sessions.h"
#include "io/url/cache.h"

struct whorl_http_session {
    struct http_pool pool;
    struct http_store store;
    struct http_auth auth;
    struct http_upgrades upgrades;
    struct tls_client_sessions *tls_sessions;  /* held; NULL until needed */
    struct whorl_http_session_options options; /* defaults filled in; strings are ours */
    char *user_agent;                          /* owned */
    struct whorl_http_session *next;           /* in the thread's list */
    uint64_t run;                              /* the run that it belongs to, see run_id.h */
    struct whorl_tls_config *tls;              /* held; NULL until needed */
    struct whorl_dial_options *dial;           /* owned; NULL: the dialer takes none */
    struct http_proxies proxies;
    struct auth_answer proxy_answers[2]; /* to their challenges: of that for http, that for https */
    struct whorl_tls_config *proxy_tls;  /* held; for https proxies; NULL until needed */
    struct tls_client_sessions *proxy_tls_sessions; /* held; NULL until needed */
    struct url_cache urls;                          /* for whorl_http_request.url */
    uint64_t requests, connections, reuses;
    uint64_t watched, dials; /* numbers of the last request and connection, for the watch */
};

/* Aborts when the session cannot be used here. */
void http_session_check(const struct whorl_http_session *session);

/* The request's limit if it sets one, else the session's. */
static inline int64_t http_session_limit(int64_t request, int64_t session)
{
    return request > 0 ? request : session;
}

#endif

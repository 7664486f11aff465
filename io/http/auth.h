/* SPDX-License-Identifier: MIT */
/* The credentials of a session: which of them a request gets, and what a 401 means. http_auth.h has
 * the rules.
 *
 *     http_auth_write(auth, run, out)          before each sending; sets out->authorization
 *     ... 401 ...
 *     http_auth_challenged(auth, run, ...)     1: send the request again
 *     http_auth_run_next(run)                  a redirect was followed
 *     http_auth_run_finish(run)                at the end of the request
 *
 * After a challenge, the session remembers for its origin how it was answered, so that later
 * requests are answered in advance. It does not know which paths belong to the realm: the whole
 * origin is one protection space, and another realm in it costs one more 401.
 */
#ifndef IO_HTTP_AUTH_H
#define IO_HTTP_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include <whorl/http.h>

#include "io/http/auth_answer.h"
#include "io/http/exchange.h"
#include "io/http/header.h"

struct auth_entry;
struct auth_space;

/* Of a session. Zero-initialised: no credentials. */
struct http_auth {
    struct auth_entry *entries; /* owned */
    size_t entries_count;
    struct auth_space *spaces; /* owned; the oldest is first */
    size_t spaces_count;
    const struct whorl_http_netrc *netrc; /* borrowed; NULL: none */
};

/* Of one whorl_http_do(). Zero-initialised is valid. */
struct http_auth_run {
    char *value;             /* owned; NULL, or out->authorization */
    struct auth_tries tries; /* since the last redirect */
};

/** Copies the credentials of the options. Returns 0; -EINVAL; WHORL_EHTTP_URL; WHORL_EHTTP_SCHEME;
 *  -ENOMEM. Free it with http_auth_finish(), also after an error. */
int http_auth_init(struct http_auth *auth, const struct whorl_http_session_options *options);

/** Wipes and frees. Accepts a zeroed struct. */
void http_auth_finish(struct http_auth *auth);

/** Checks the credentials of a request. Returns 0 or -EINVAL. */
int http_auth_check(const struct whorl_http_credentials *credentials, struct whorl_error *error);

/** Sets out->authorization, which is valid until the next call. Returns 0; -ENOMEM; an error of
 *  auth_answer_write(), such as WHORL_EHTTP_REQUEST_HEADER for a name or password that cannot be
 *  sent. Then `error` is filled. It says where the secret comes from, and does not contain it. */
int http_auth_write(struct http_auth *auth, struct http_auth_run *run, struct http_outgoing *out,
                    struct whorl_error *error);

/** Decides about a 401. Returns 1 when the request is to be sent again; 0 when the 401 is final;
 *  -ENOMEM. */
int http_auth_challenged(struct http_auth *auth, struct http_auth_run *run,
                         const struct http_outgoing *out, const struct header_list *headers);

/** A redirect begins a new exchange of challenge and answer. */
void http_auth_run_next(struct http_auth_run *run);

/** Wipes and frees. */
void http_auth_run_finish(struct http_auth_run *run);

#endif

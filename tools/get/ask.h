/* SPDX-License-Identifier: MIT */
/* What is sent to the servers: the method and the body that --method, --head, --data, --json-data,
 * --form and --upload-file ask for, and the credentials.
 *
 *     ask_load()                       once, before the run
 *         ask_begin()                  for each try of each transfer: opens the files of the body
 *             whorl_http_do(session, &request.http, ...)
 *         ask_end()                    when the response has been closed
 *         ask_may_repeat()             after a failure
 *     ask_finish()
 */
#ifndef WHORL_GET_ASK_H
#define WHORL_GET_ASK_H

#include <stdbool.h>
#include <stddef.h>

#include <whorl/http.h>
#include <whorl/http_form.h>

#include "tools/get/options.h"

struct user;

/* Zero-initialised is valid, and asks for nothing but GET. */
struct ask {
    const struct options *options;
    const char *method;
    char *text; /* owned; the body of --data or --json-data; NULL: none */
    size_t text_len;
    bool is_once; /* a part of the body comes from a pipe or a terminal, and is read once */
};

/**
 * Reads the files of --data and --json-data, and looks at those of --form and --upload-file. May
 * wait for standard input.
 *
 * @why  what is wrong, without control bytes
 *
 * Returns: 0; -errno.
 */
int ask_load(struct ask *ret, const struct options *options, char *why, size_t why_size);

/* Overwrites and frees. Accepts a zeroed struct. */
void ask_finish(struct ask *ask);

/* One request. Valid between ask_begin() and ask_end(); it does not move meanwhile. */
struct ask_request {
    struct whorl_http_request http;
    struct whorl_http_credentials credentials;
    struct whorl_http_form *form; /* owned */
    int fd;                       /* owned unless it is standard input; -1: none */
    char *url;                    /* owned; NULL: as the user gave it */
};

/* Prepares a request of `url` with these headers, which are all borrowed. `user` may have no name.
 * Returns 0 or a negative code, with `error` filled. Call ask_end() in both cases. */
WHORL_SUSPENDS int ask_begin(struct ask_request *ret, const struct ask *ask, const char *url,
                             const struct whorl_http_header *headers, size_t headers_count,
                             const struct user *user, struct whorl_error *error);

void ask_end(struct ask_request *request);

/* Whether the requests are HEAD: their responses have no body, and their heads are printed. */
bool ask_is_head(const struct ask *ask);

/* Whether the response of such a request is what the user wants to have, and not only the news that
 * something was stored or done: so an empty one makes a file. */
bool ask_is_download(const struct ask *ask);

/* Whether each request is a GET without a body: such a file can be fetched in parts. */
bool ask_is_plain(const struct ask *ask);

/* Whether another try is safe and possible after one that failed in `step`: the method is
 * idempotent (RFC 9110 §9.2.2) and the body can be sent again, or nothing had been sent. Otherwise
 * `ret_why` says why not. */
bool ask_may_repeat(const struct ask *ask, const char *step, const char **ret_why);

#endif

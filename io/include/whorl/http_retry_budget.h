/* SPDX-License-Identifier: MIT */
/* A budget for retries: of the requests that were sent to an origin in the last seconds, only a
 * part may be retries.
 *
 * While a server fails only now and then, its requests are retried as the policy says. When it
 * fails all the time, retries multiply its load just when it has least to spare: with four attempts
 * per request, it gets four times the requests. With a budget it gets at most a fifth more.
 *
 *     struct whorl_http_retry_budget budget = {0};       // shared by all requests
 *     struct whorl_http_retry_policy policy = {.budget = &budget};
 *     err = whorl_http_do_with_retries(session, &request, &policy, &error, &response);
 *
 * An origin is scheme, host and port. A retry is allowed if the origin had fewer retries in the
 * last `window_ns` than the larger of these:
 *
 *     percent       of the requests in that time; the retries themselves do not count
 *     retries_min   so that a program with few requests can retry them
 *
 * A retry that is not allowed does not happen later either: the request fails. The origins that
 * were used last are remembered. When one is forgotten, its window is empty again.
 */
#ifndef WHORL_HTTP_RETRY_BUDGET_H
#define WHORL_HTTP_RETRY_BUDGET_H

#include <whorl/base.h>
#include <whorl/url.h>

/* Sizes of a budget. */
enum { WHORL_HTTP_RETRY_BUDGET_ORIGINS = 64, WHORL_HTTP_RETRY_BUDGET_SLOTS = 10 };

/* The requests of one origin in the slots of the window; private. */
struct whorl_http_retry_window {
    uint64_t origin; /* its hash; two origins with the same one share the window */
    int64_t slot;    /* number of the newest slot since the clock's zero; its counts are at
                        `slot` modulo the number of slots */
    uint32_t requests[WHORL_HTTP_RETRY_BUDGET_SLOTS], retries[WHORL_HTTP_RETRY_BUDGET_SLOTS];
};

/* In the caller's memory; about 6 KiB. Tasks of one run may share it. Zero-initialised is valid: 0
 * means the default. */
struct whorl_http_retry_budget {
    int percent;       /* 20; below 0: none */
    int retries_min;   /* 10; below 0: none */
    int64_t window_ns; /* 10 s */

    struct whorl_http_retry_window windows[WHORL_HTTP_RETRY_BUDGET_ORIGINS]; /* private */
    size_t windows_count;                                                    /* private */
};

#ifdef __cplusplus
extern "C" {
#endif

/** Counts a request that is not a retry. The calls of http_retry.h do it for their requests. Never
 *  suspends. */
WHORL_API void whorl_http_retry_budget_note(struct whorl_http_retry_budget *budget,
                                            const struct whorl_url *url);

/** Takes a retry out of the budget. Returns whether it is allowed. Never suspends. */
WHORL_API bool whorl_http_retry_budget_take(struct whorl_http_retry_budget *budget,
                                            const struct whorl_url *url);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* Retries of HTTP requests: a policy, which is a plain value, and a loop that follows it.
 *
 * Failures that may be temporary are retried: errors of the network, a connection that ended too
 * early, and the statuses 408, 425, 429 and 5xx. Only requests whose method is idempotent are
 * retried, because a failed request may have reached the server, and only if the body can be sent
 * again. Before each retry there is a pause. Its upper bound doubles with each failure, and half of
 * it is random, so that clients that failed together do not return together. A pause is never
 * shorter than the server asks for in Retry-After. A budget (http_retry_budget.h) limits the
 * retries to a part of an origin's requests; the origin is that of the request's URL, also after
 * redirects.
 *
 * whorl_http_do_with_retries() retries until the head of a response has arrived. A loop of one's
 * own can also retry what follows:
 *
 *     static WHORL_SUSPENDS int save(struct whorl_http_session *session,
 *                                    const struct whorl_http_request *request, const char *path)
 *     {
 *         struct whorl_http_retry retry;
 *         int err, again;
 *
 *         whorl_http_retry_init(&retry, NULL);
 *         do {
 *             WHORL_AUTO(http_response) *response = NULL;
 *             err = whorl_http_do(session, request, NULL, &response);
 *             if (err == 0 && whorl_http_response_status(response) == 200)
 *                 err = whorl_http_response_save(response, path, NULL);
 *             again = whorl_http_retry_wait(&retry, request, err, response);
 *         } while (again > 0);
 *         return err ? err : again;
 *     }
 */
#ifndef WHORL_HTTP_RETRY_H
#define WHORL_HTTP_RETRY_H

#include <whorl/base.h>
#include <whorl/http.h>
#include <whorl/http_retry_budget.h>

/* When to retry. Zero-initialised is valid: 0 means the default. */
struct whorl_http_retry_policy {
    int attempts_max;           /* the first one included; 4 */
    int64_t first_ns;           /* upper bound of the first pause, doubled by each retry; 0.5 s */
    int64_t longest_ns;         /* of the upper bounds; Retry-After may exceed it; 30 s */
    int64_t retry_after_max_ns; /* a server that asks for more is not asked again; 2 min */
    int64_t total_ns;           /* for all attempts and pauses; no pause is begun that would end
                                   after it; default: no limit */
    bool any_method;            /* retry also POST, PATCH and others that are not idempotent */
    struct whorl_http_retry_budget *budget; /* borrowed; NULL: none */
};

/* A request that is retried, in the caller's memory. */
struct whorl_http_retry {
    struct whorl_http_retry_policy policy; /* with the defaults filled in */
    int64_t deadline_ns;                   /* WHORL_FOREVER: none */
    int attempts;                          /* that have failed */
    int64_t pause_ns;                      /* the last pause; 0: there was none */
    uint64_t random;                       /* state of the generator for the pauses */
    bool is_counted;                       /* by the budget */
};

#ifdef __cplusplus
extern "C" {
#endif

/** Whether a retry may succeed after a failure. `err` is its code; if that is 0, `status` is the
 *  failure. Shortages, such as -EMFILE and -ENOMEM, count as temporary. */
WHORL_API bool whorl_http_retry_helps(int err, int status);

/**
 * Calculates the next pause.
 *
 * @policy    NULL for the defaults
 * @attempts  that have failed, at least 1
 * @asked_ns  as whorl_http_retry_after() returns it: -1 when the server has not asked for a pause
 * @random    any number; chooses between half of the upper bound and the whole
 *
 * Returns: the pause in nanoseconds; -1 when the policy gives up. `total_ns` is not considered.
 */
WHORL_API int64_t whorl_http_retry_pause(const struct whorl_http_retry_policy *policy, int attempts,
                                         int64_t asked_ns, uint64_t random);

/** Begins: call it right before the first attempt. `policy` is copied; NULL for the defaults. Never
 *  suspends. */
WHORL_API void whorl_http_retry_init(struct whorl_http_retry *retry,
                                     const struct whorl_http_retry_policy *policy);

/**
 * Decides after an attempt whether there is another one, and pauses before it. Prepares the body to
 * be sent again.
 *
 * @err       the result of the attempt: 0 or a negative code
 * @response  of the attempt, still open; NULL when there is none
 *
 * Returns:  1 when the request is to be sent again; 0 when not: the attempt has succeeded, or the
 *           policy gives up; an error of the body's `rewind`.
 * Suspends: for the pause.
 * Cancel:   -ECANCELED.
 */
WHORL_API WHORL_SUSPENDS int whorl_http_retry_wait(struct whorl_http_retry *retry,
                                                   const struct whorl_http_request *request,
                                                   int err,
                                                   const struct whorl_http_response *response);

/**
 * Sends a request as whorl_http_do() does, again and again until it succeeds or the policy gives
 * up. A response with a status such as 503 is returned when there is no further retry.
 *
 * @policy  borrowed for the call; NULL for the defaults. Its `total_ns` ends with the head of the
 *          last response; the body has the limits of the request
 * @error   of the last attempt; filled on failure only; may be NULL
 * @ret     the last response; close it with whorl_http_response_close()
 *
 * Returns:  as whorl_http_do(); WHORL_EHTTP_TOTAL_TIMEOUT when `total_ns` ends during an attempt.
 * Suspends: until headers arrive, and for the pauses.
 * Cancel:   -ECANCELED; the request may have reached the server.
 */
WHORL_API WHORL_SUSPENDS int whorl_http_do_with_retries(
    struct whorl_http_session *session, const struct whorl_http_request *request,
    const struct whorl_http_retry_policy *policy, struct whorl_error *error,
    struct whorl_http_response **ret);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* The loop that retries a request. */
#include <errno.h>
#include <sys/stat.h>
#include <time.h>

#include <whorl/http_retry.h>
#include <whorl/scope.h>
#include <whorl/task.h>
#include <whorl/url.h>

#include "io/http/request.h"
#include "io/http/retry_policy.h"

enum { DRAIN_MAX = 64 * 1024 }; /* of an unwanted body, to keep its connection */

#define DRAIN_NS (WHORL_SECOND / 2)

void whorl_http_retry_init(struct whorl_http_retry *retry,
                           const struct whorl_http_retry_policy *policy)
{
    const struct whorl_task *self = whorl_task_self();

    *retry = (struct whorl_http_retry){.policy = retry_policy_fill(policy)};
    retry->deadline_ns = retry->policy.total_ns == WHORL_FOREVER
                             ? WHORL_FOREVER
                             : whorl_after(retry->policy.total_ns);
    /* Differs from task to task and from moment to moment, and repeats in a virtual run. */
    retry->random = (uint64_t)whorl_now() ^ (self ? whorl_task_id(self) << 40 : 0);
}

/* splitmix64 */
static uint64_t next_random(struct whorl_http_retry *retry)
{
    uint64_t x = retry->random += 0x9e3779b97f4a7c15;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

/* Whether the body can be sent a second time. */
static bool can_repeat(const struct whorl_http_body *body)
{
    struct stat st;

    if (body->use_fd)
        return fstat(body->fd, &st) == 0 && S_ISREG(st.st_mode);
    return !body->read || body->rewind;
}

static int64_t asked_ns(const struct whorl_http_response *response)
{
    return whorl_http_retry_after(whorl_http_response_header(response, "Retry-After"), time(NULL));
}

/* Counts the first attempt of a request, or takes a retry out of the budget (`is_retry`). Returns
 * whether it may be made. */
static bool ask_budget(struct whorl_http_retry *retry, const struct whorl_http_request *request,
                       bool is_retry)
{
    struct whorl_http_retry_budget *budget = retry->policy.budget;
    struct whorl_url url;
    bool allowed = true;

    if (!budget || (!is_retry && retry->is_counted) || whorl_url_parse(request->url, NULL, &url))
        return true;
    if (is_retry)
        allowed = whorl_http_retry_budget_take(budget, &url);
    else
        whorl_http_retry_budget_note(budget, &url);
    retry->is_counted = true;
    whorl_url_finish(&url);
    return allowed;
}

/* The pause after an attempt; -1 to give up, or if it has succeeded. */
static int64_t next_pause(struct whorl_http_retry *retry, const struct whorl_http_request *request,
                          int err, const struct whorl_http_response *response)
{
    int status = response ? whorl_http_response_status(response) : 0;

    ask_budget(retry, request, false);
    if (!whorl_http_retry_helps(err, status) || !can_repeat(&request->body) ||
        (!retry->policy.any_method && !request_is_idempotent(request->method)))
        return -1;
    retry->attempts++;
    int64_t pause_ns = whorl_http_retry_pause(
        &retry->policy, retry->attempts, response ? asked_ns(response) : -1, next_random(retry));
    bool gives_up = pause_ns < 0 || whorl_after(pause_ns) >= retry->deadline_ns;
    return !gives_up && ask_budget(retry, request, true) ? pause_ns : -1;
}

/* Waits, and prepares the body. Returns 1; an error of `rewind`; -ECANCELED. */
static WHORL_SUSPENDS int pause_before(struct whorl_http_retry *retry,
                                       const struct whorl_http_request *request, int64_t pause_ns)
{
    const struct whorl_http_body *body = &request->body;

    retry->pause_ns = pause_ns;
    int err = whorl_sleep(pause_ns);
    if (err == 0 && body->read)
        err = body->rewind(body->arg);
    return err ? err : 1;
}

WHORL_SUSPENDS int whorl_http_retry_wait(struct whorl_http_retry *retry,
                                         const struct whorl_http_request *request, int err,
                                         const struct whorl_http_response *response)
{
    int cancelled = whorl_check_cancelled();

    if (cancelled)
        return cancelled;
    int64_t pause_ns = next_pause(retry, request, err, response);
    return pause_ns < 0 ? 0 : pause_before(retry, request, pause_ns);
}

/* Drops a response before the pause, during which other tasks can use its connection. */
static WHORL_SUSPENDS int drop(struct whorl_http_response *response)
{
    struct whorl_scope scope;

    whorl_scope_enter_timeout(&scope, DRAIN_NS);
    int err = whorl_http_response_drain(response, DRAIN_MAX);
    err = whorl_scope_leave(&scope, err);
    whorl_http_response_close(response);
    return err == -ECANCELED ? err : 0;
}

static WHORL_SUSPENDS int attempt(struct whorl_http_session *session,
                                  const struct whorl_http_request *request, int64_t deadline_ns,
                                  struct whorl_error *error, struct whorl_http_response **ret)
{
    struct whorl_scope scope;

    whorl_scope_enter(&scope, deadline_ns);
    int err = whorl_http_do(session, request, error, ret);
    int left = whorl_scope_leave(&scope, err);
    if (err == -ECANCELED && left == -ETIMEDOUT)
        return whorl_error_set(error, WHORL_EHTTP_TOTAL_TIMEOUT, "response",
                               "the time for all attempts is over");
    return err;
}

WHORL_SUSPENDS int whorl_http_do_with_retries(struct whorl_http_session *session,
                                              const struct whorl_http_request *request,
                                              const struct whorl_http_retry_policy *policy,
                                              struct whorl_error *error,
                                              struct whorl_http_response **ret)
{
    struct whorl_http_retry retry;

    whorl_http_retry_init(&retry, policy);
    for (;;) {
        struct whorl_http_response *response = NULL;
        int err = attempt(session, request, retry.deadline_ns, error, &response);
        int64_t pause_ns = next_pause(&retry, request, err, response);
        if (pause_ns < 0) {
            if (err == 0)
                *ret = response;
            return err;
        }
        err = response ? drop(response) : 0;
        if (err == 0)
            err = pause_before(&retry, request, pause_ns);
        if (err < 0)
            return whorl_error_set(error, err, "request", "%s", whorl_strerror(err));
    }
}

/* SPDX-License-Identifier: MIT */
/* Stages of an exchange. Each has its own time limit and error code, and the total limit applies in
 * all of them. A stage is a scope; it is entered only when there is a limit.
 *
 *     struct http_stage stage;
 *     http_stage_enter(&stage, whorl_after(tls_ns), WHORL_EHTTP_TLS_TIMEOUT, total_deadline_ns);
 *     err = whorl_tls_connect(...);
 *     err = http_stage_leave(&stage, err);  // WHORL_EHTTP_TLS_TIMEOUT, WHORL_EHTTP_TOTAL_TIMEOUT
 */
#ifndef IO_HTTP_STAGE_H
#define IO_HTTP_STAGE_H

#include <errno.h>

#include <whorl/base.h>
#include <whorl/error.h>
#include <whorl/http.h>
#include <whorl/scope.h>

struct http_stage {
    struct whorl_scope scope; /* valid while entered */
    int code;                 /* returned when the time is over */
    bool entered;
};

enum { HTTP_TIMEOUT_TEXT_SIZE = 120 };

/* Writes what a timeout means: which limit, how long it is, and how much of the body had arrived.
 *
 * @received, @length  bytes of the body so far, and as announced; -1: not in the body, unknown
 *
 * Returns: `text`; NULL when `code` is not one of the timeouts of struct whorl_http_timeouts. */
const char *http_timeout_text(char text[HTTP_TIMEOUT_TEXT_SIZE], int code,
                              const struct whorl_http_timeouts *limits, int64_t received,
                              int64_t length);

/* The deadline of a limit that starts now. */
static inline int64_t http_deadline(int64_t limit_ns)
{
    return limit_ns == WHORL_FOREVER ? WHORL_FOREVER : whorl_after(limit_ns);
}

/* Returns the earlier of the stage's own deadline and the total deadline, and stores the code for
 * that one. */
static inline int64_t http_stage_choose(struct http_stage *stage, int64_t deadline_ns, int code,
                                        int64_t total_deadline_ns)
{
    bool is_total = total_deadline_ns < deadline_ns;

    stage->code = is_total ? WHORL_EHTTP_TOTAL_TIMEOUT : code;
    return is_total ? total_deadline_ns : deadline_ns;
}

static inline void http_stage_enter(struct http_stage *stage, int64_t deadline_ns, int code,
                                    int64_t total_deadline_ns)
{
    deadline_ns = http_stage_choose(stage, deadline_ns, code, total_deadline_ns);
    stage->entered = deadline_ns != WHORL_FOREVER;
    if (stage->entered)
        whorl_scope_enter(&stage->scope, deadline_ns);
}

/* Moves the deadline of a stage, also while another task is in it. The stage must be entered. */
static inline void http_stage_move(struct http_stage *stage, int64_t deadline_ns, int code,
                                   int64_t total_deadline_ns)
{
    whorl_scope_set_deadline(&stage->scope,
                             http_stage_choose(stage, deadline_ns, code, total_deadline_ns));
}

/* Leaves the stage. `err` is a code or a count; returned as it is, or as the stage's code when the
 * time is over. */
static inline ssize_t http_stage_leave(struct http_stage *stage, ssize_t err)
{
    if (!stage->entered)
        return err;
    int left = whorl_scope_leave(&stage->scope, err < 0 ? (int)err : 0);
    if (err == -ECANCELED && left == -ETIMEDOUT)
        return stage->code;
    return err;
}

#endif

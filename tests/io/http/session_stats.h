/* SPDX-License-Identifier: MIT */
/* The figures of a session, as a value that a test can compare. */
#ifndef TEST_HTTP_SESSION_STATS_H
#define TEST_HTTP_SESSION_STATS_H

#include <whorl/http.h>

static inline struct whorl_http_session_stats session_stats(struct whorl_http_session *session)
{
    struct whorl_http_session_stats stats;

    whorl_http_session_get_stats(session, &stats);
    return stats;
}

#endif

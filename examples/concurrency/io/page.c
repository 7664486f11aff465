/* SPDX-License-Identifier: MIT */
/* Fetches one page, in the same way for every model. */
#include "page.h"

#include <errno.h>
#include <stdio.h>

#include <whorl.h>

#include "../timeline.h"

/* If a site never answers, only this many pages wait for the time-out; the others are not tried. */
enum { FAILURES_MAX = 10 };

int page_session(const struct batch *batch, struct whorl_http_session **ret)
{
    int64_t limit_ns = batch->timeout_s * WHORL_SECOND;

    const struct whorl_http_session_options options = {
        .conns_per_host_max = (size_t)batch->per_site,
        .conns_max = (size_t)batch->count * 2,
        .timeouts = {.connect_ns = limit_ns,
                     .tls_ns = limit_ns,
                     .first_byte_ns = limit_ns,
                     .stall_ns = limit_ns,
                     .total_ns = limit_ns},
    };
    return whorl_http_session_create(&options, ret);
}

uint64_t page_digest(uint64_t digest, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        digest = (digest ^ (unsigned char)data[i]) * 1099511628211U;
    return digest;
}

WHORL_SUSPENDS static int fetch(struct whorl_http_session *session, const char *url,
                                struct result *ret)
{
    WHORL_AUTO(http_response) *response = NULL;
    struct whorl_http_request request = {.url = url};
    struct whorl_http_timing timing;
    char buf[16384];

    ssize_t n = whorl_http_do(session, &request, &ret->error, &response);
    if (n < 0)
        return (int)n;
    ret->status = whorl_http_response_status(response);
    while ((n = whorl_http_response_read(response, buf, sizeof buf)) > 0) {
        ret->digest = page_digest(ret->digest, buf, (size_t)n);
        ret->len += n;
    }
    if (n < 0)
        ret->error = *whorl_http_response_error(response);
    whorl_http_response_get_timing(response, &timing);
    ret->reused = timing.reused;
    return (int)n;
}

WHORL_SUSPENDS_SHIELDED void page_get(struct batch *batch, struct whorl_http_session *session,
                                      const struct page *page, struct result *ret)
{
    *ret = (struct result){.digest = PAGE_DIGEST_EMPTY};
    if (atomic_load(&batch->failures) >= FAILURES_MAX) {
        whorl_error_set(&ret->error, -ECANCELED, "not tried", "too many others failed");
        return;
    }
    int err = fetch(session, page->url, ret);
    if (err) {
        ret->error.code = err;
        atomic_fetch_add(&batch->failures, 1);
    }
}

int page_lane(struct batch *batch, const char *kind)
{
    char name[32];

    snprintf(name, sizeof name, "%s %d", kind, atomic_fetch_add(&batch->lanes, 1) + 1);
    return timeline_lane(batch->timeline, name);
}

/* SPDX-License-Identifier: MIT */
/* The robots.txt of each origin, fetched once per run, with the retries of other requests. When it
 * cannot be fetched, nothing of the origin is allowed (RFC 9309 §2.3.1.4), as a message says. */
#ifndef WHORL_GET_ROBOTS_CACHE_H
#define WHORL_GET_ROBOTS_CACHE_H

#include <stdbool.h>

#include <whorl/base.h>

struct report;
struct whorl_http_retry_budget;
struct whorl_http_retry_policy;
struct whorl_http_session;
struct whorl_url;

/* The product token of this crawler. */
#define ROBOTS_PRODUCT "whorl-get"

/* Set all fields but `origins`. */
struct robots_cache {
    struct whorl_http_session *session;
    const struct whorl_http_retry_policy *policy;
    struct whorl_http_retry_budget *budget;
    struct report
        *report;   /* gets a message when an origin allows nothing because its file is not known */
    void *origins; /* the root of a tsearch(3) tree */
};

/* Whether the URL may be fetched. Fetches robots.txt if it is not known yet; tasks that ask for the
 * same origin meanwhile wait. Returns 1, 0, -ENOMEM or -ECANCELED. */
WHORL_SUSPENDS int robots_cache_allows(struct robots_cache *cache, const struct whorl_url *url);

void robots_cache_finish(struct robots_cache *cache);

#endif

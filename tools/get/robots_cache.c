/* SPDX-License-Identifier: MIT */
/* Fetches robots.txt, see robots_cache.h. */
#include "tools/get/robots_cache.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/http.h>
#include <whorl/http_retry.h>
#include <whorl/sync.h>
#include <whorl/url.h>

#include "tools/get/report.h"
#include "tools/get/robots.h"

struct origin {
    bool is_known, is_asked;
    struct whorl_event answered; /* wakes the tasks that wait for another one's request */
    struct robots robots;
    char name[]; /* "https://h:8080" */
};

static int compare(const void *a, const void *b)
{
    const struct origin *x = a, *y = b;

    return strcmp(x->name, y->name);
}

/* Finds the origin, or makes it. Returns NULL without memory. */
static struct origin *get_origin(struct robots_cache *cache, const struct whorl_url *url)
{
    size_t size = strlen(url->scheme) + 3 + strlen(url->authority) + 1;
    struct origin *origin = calloc(1, sizeof *origin + size), **found;

    if (!origin)
        return NULL;
    snprintf(origin->name, size, "%s://%s", url->scheme, url->authority);
    found = tsearch(origin, &cache->origins, compare);
    if (!found || *found != origin)
        free(origin);
    return found ? *found : NULL;
}

/* Reads the first part of a body. A body that breaks off is one that could not be read. */
static WHORL_SUSPENDS int read_body(struct whorl_http_response *response, struct buffer *ret)
{
    while (ret->len <= ROBOTS_MAX) {
        char *to = buffer_room(ret, 16 << 10);
        if (!to)
            return -ENOMEM;
        ssize_t n = whorl_http_response_read(response, to, 16 << 10);
        if (n <= 0)
            return (int)n;
        ret->len += (size_t)n;
    }
    return 0;
}

static void complain(struct robots_cache *cache, const struct origin *origin, const char *cause,
                     int tries)
{
    struct buffer line = {0};

    buffer_printf(&line, "whorl-get: %s/robots.txt could not be fetched: %s", origin->name, cause);
    if (tries > 1)
        buffer_printf(&line, " (tried %d times)", tries);
    buffer_printf(&line, "; links to %s/ are not followed\n", origin->name);
    if (!line.failed)
        report_say(cache->report, &line);
    buffer_finish(&line);
}

enum { CAUSE_SIZE = sizeof((struct whorl_error *)NULL)->text };

/* Makes the rules of a response. Returns 0; a failure of the body, whose text is in `cause`. */
static WHORL_SUSPENDS int take_response(struct whorl_http_response *response, struct robots *ret,
                                        char cause[CAUSE_SIZE])
{
    struct buffer text = {0};
    int status = whorl_http_response_status(response);

    if (!robots_judge(status, ret)) {
        snprintf(cause, CAUSE_SIZE, "status %d", status);
        return 0;
    }
    int err = read_body(response, &text);
    if (err)
        snprintf(cause, CAUSE_SIZE, "%s", whorl_http_response_error(response)->text);
    else
        err = robots_parse(text.text ? text.text : "", text.len, ROBOTS_PRODUCT, ret);
    buffer_finish(&text);
    return err;
}

/* Sends one request, and pauses if there is to be another one. Returns 1 in this case; 0: the rules
 * are complete; -ENOMEM; -ECANCELED. */
static WHORL_SUSPENDS int try_once(struct robots_cache *cache,
                                   const struct whorl_http_request *request,
                                   struct whorl_http_retry *retry, struct robots *ret,
                                   char cause[CAUSE_SIZE])
{
    WHORL_AUTO(http_response) *response = NULL;
    struct whorl_error error = {0};

    int err = whorl_http_do(cache->session, request, &error, &response);
    if (err == WHORL_EHTTP_REDIRECTS || err == WHORL_EHTTP_REDIRECT_LOCATION) {
        (void)robots_judge(310, ret); /* RFC 9309 §2.3.1.2: as if it did not exist */
        return 0;
    }
    if (err)
        snprintf(cause, CAUSE_SIZE, "%s", error.text);
    else
        err = take_response(response, ret, cause);
    if (err == -ENOMEM || err == -ECANCELED)
        return err;
    if (err)
        (void)robots_judge(0, ret);
    if (response && !err && whorl_http_response_drain(response, 64 << 10) == -ECANCELED)
        return -ECANCELED; /* otherwise, other requests can use the connection in the pause */
    int again = whorl_http_retry_wait(retry, request, err, response);
    if (again == 1)
        robots_finish(ret);
    return again;
}

static WHORL_SUSPENDS int ask(struct robots_cache *cache, struct origin *origin)
{
    struct whorl_http_retry_policy policy = *cache->policy;
    struct whorl_http_retry retry;
    struct buffer url = {0};
    char cause[CAUSE_SIZE];
    int again;

    buffer_printf(&url, "%s/robots.txt", origin->name);
    if (url.failed)
        return -ENOMEM;
    const struct whorl_http_request request = {
        .url = url.text,
        .decode = true,
        .redirects_max = ROBOTS_REDIRECTS_MAX,
        .decoded_bytes_max = (int64_t)16 << 20,
    };
    policy.budget = cache->budget;
    whorl_http_retry_init(&retry, &policy);
    do {
        again = try_once(cache, &request, &retry, &origin->robots, cause);
    } while (again > 0);
    if (again == 0 && origin->robots.none)
        complain(cache, origin, cause, retry.attempts);
    buffer_finish(&url);
    return again;
}

WHORL_SUSPENDS int robots_cache_allows(struct robots_cache *cache, const struct whorl_url *url)
{
    struct origin *origin = get_origin(cache, url);
    int err = origin ? 0 : -ENOMEM;

    while (err == 0 && !origin->is_known) {
        if (origin->is_asked) {
            err = whorl_event_wait(&origin->answered);
            continue;
        }
        origin->is_asked = true;
        whorl_event_reset(&origin->answered);
        err = ask(cache, origin);
        origin->is_known = err == 0;
        origin->is_asked = false; /* after a failure, a waiter asks again */
        whorl_event_set(&origin->answered);
    }
    return err ? err : robots_allows(&origin->robots, url->target);
}

static void free_origin(void *arg)
{
    struct origin *origin = arg;

    robots_finish(&origin->robots);
    free(origin);
}

void robots_cache_finish(struct robots_cache *cache)
{
    tdestroy(cache->origins, free_origin);
    cache->origins = NULL;
}

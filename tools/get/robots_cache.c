/* SPDX-License-Identifier: MIT */
/* Fetches robots.txt, see robots_cache.h. */
#include "tools/get/robots_cache.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/http.h>
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

static void complain(struct robots_cache *cache, const struct origin *origin, const char *cause)
{
    struct buffer line = {0};

    buffer_printf(&line, "whorl-get: %s/robots.txt: %s; no link to there is followed\n",
                  origin->name, cause);
    if (!line.failed)
        report_say(cache->report, &line);
    buffer_finish(&line);
}

static WHORL_SUSPENDS int ask(struct robots_cache *cache, struct origin *origin)
{
    struct buffer text = {0}, url = {0};
    WHORL_AUTO(http_response) *response = NULL;
    struct whorl_error error = {0};
    char cause[sizeof error.text];
    int status = 0;

    buffer_printf(&url, "%s/robots.txt", origin->name);
    const struct whorl_http_request request = {
        .url = url.text,
        .decode = true,
        .redirects_max = ROBOTS_REDIRECTS_MAX,
        .decoded_bytes_max = (int64_t)16 << 20,
    };
    int err = url.failed ? -ENOMEM : whorl_http_do(cache->session, &request, &error, &response);
    if (err == 0)
        status = whorl_http_response_status(response);
    else if (err == WHORL_EHTTP_REDIRECTS || err == WHORL_EHTTP_REDIRECT_LOCATION)
        status = 310, err = 0; /* RFC 9309 §2.3.1.2: as if it did not exist */
    snprintf(cause, sizeof cause, "%s", error.text);
    if (err == 0 && robots_judge(status, &origin->robots)) {
        err = read_body(response, &text);
        if (err == 0)
            err =
                robots_parse(text.text ? text.text : "", text.len, ROBOTS_PRODUCT, &origin->robots);
        if (err)
            snprintf(cause, sizeof cause, "%s", whorl_http_response_error(response)->text);
    } else if (err == 0) {
        snprintf(cause, sizeof cause, "status %d", status);
    }
    if (err && err != -ENOMEM && err != -ECANCELED) {
        (void)robots_judge(0, &origin->robots);
        err = 0;
    }
    if (err == 0 && origin->robots.none)
        complain(cache, origin, cause);
    buffer_finish(&text);
    buffer_finish(&url);
    return err;
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

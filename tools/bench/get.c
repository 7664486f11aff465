/* SPDX-License-Identifier: MIT */
/* An HTTP client that fetches one URL many times, to measure the cost of a request. */
#include "tools/bench/get.h"

#include <stdio.h>

#include <whorl.h>

#include "tools/bench/figure.h"

struct fetch {
    struct whorl_http_session *session;
    const char *url;
    long left, conns;
    int64_t bytes;
    long errors;
    int first_error;
};

static WHORL_SUSPENDS int fetch_one(struct fetch *fetch)
{
    WHORL_AUTO(http_response) *response = NULL;
    char buf[4096];
    ssize_t n = whorl_http_get(fetch->session, fetch->url, &response);

    if (n == 0 && whorl_http_response_status(response) >= 400)
        return -EPROTO;
    while (n >= 0 && (n = whorl_http_response_read(response, buf, sizeof buf)) > 0)
        fetch->bytes += n;
    return (int)n;
}

static int fetch_many(void *arg)
{
    struct fetch *fetch = arg;

    while (fetch->left > 0) {
        fetch->left--;
        int err = fetch_one(fetch);
        if (err == -ECANCELED)
            return err;
        if (err < 0 && fetch->errors++ == 0)
            fetch->first_error = err;
    }
    return 0;
}

static int get_root(void *arg)
{
    struct fetch *fetch = arg;
    const struct whorl_http_session_options options = {.conns_max = (size_t)fetch->conns,
                                                       .conns_per_host_max = (size_t)fetch->conns};
    WHORL_AUTO(http_session) *session = NULL;
    WHORL_AUTO(group) group = {0};

    int err = whorl_http_session_create(&options, &session);
    fetch->session = session;
    for (long i = 0; i < fetch->conns && err == 0; i++)
        err = whorl_spawn(&group, fetch_many, fetch);
    return err ? err : whorl_group_wait(&group);
}

int bench_get(const char *url, long n, long conns)
{
    struct fetch fetch = {.url = url, .left = n, .conns = conns};
    int64_t start = whorl_now();
    struct whorl_error error = {0};
    int err = whorl_io_run_with(NULL, &error, get_root, &fetch);

    if (err) {
        fprintf(stderr, "whorl-bench: get: %s\n", error.text[0] ? error.text : whorl_strerror(err));
        return 1;
    }
    figure_print("requests_per_s", (double)n * 1e9 / (double)(whorl_now() - start));
    figure_print("bytes", (double)fetch.bytes);
    figure_print("errors", (double)fetch.errors);
    if (fetch.errors)
        fprintf(stderr, "whorl-bench: get: %s: %s\n", url, whorl_strerror(fetch.first_error));
    return fetch.errors ? 1 : 0;
}

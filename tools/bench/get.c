/* SPDX-License-Identifier: MIT */
/* An HTTP client that fetches one URL many times, to measure the cost of a request. */
#include "tools/bench/get.h"

#include <stdio.h>

#include <whorl.h>

#include "tools/bench/figure.h"
#include "tools/bench/root.h"

struct fetch {
    struct whorl_http_session *session;
    const char *url;
    long left, tasks;
    bool is_http2;
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
    size_t tasks = (size_t)fetch->tasks;
    const struct whorl_http_session_options options = {
        .conns_max = tasks,
        .conns_per_host_max = fetch->is_http2 ? 1 : tasks,
        .streams_max = tasks,
        .version = fetch->is_http2 ? WHORL_HTTP_2 : WHORL_HTTP_ANY,
    };
    WHORL_AUTO(http_session) *session = NULL;
    WHORL_AUTO(group) group = {0};

    int err = whorl_http_session_create(&options, &session);
    fetch->session = session;
    for (long i = 0; i < fetch->tasks && err == 0; i++)
        err = whorl_spawn(&group, fetch_many, fetch);
    return err ? err : whorl_group_wait(&group);
}

static int measure(struct fetch fetch)
{
    const char *url = fetch.url, *what = fetch.is_http2 ? "http2" : "get";
    double n = (double)fetch.left;
    int64_t start = whorl_now();

    if (bench_run(what, get_root, &fetch) != 0)
        return 1;
    figure_print("requests_per_s", n * 1e9 / (double)(whorl_now() - start));
    figure_print("bytes", (double)fetch.bytes);
    figure_print("errors", (double)fetch.errors);
    if (fetch.errors)
        fprintf(stderr, "whorl-bench: %s: %s: %s\n", what, url, whorl_strerror(fetch.first_error));
    return fetch.errors ? 1 : 0;
}

int bench_get(const char *url, long n, long conns)
{
    return measure((struct fetch){.url = url, .left = n, .tasks = conns});
}

int bench_http2(const char *url, long n, long streams)
{
    return measure((struct fetch){.url = url, .left = n, .tasks = streams, .is_http2 = true});
}

/* SPDX-License-Identifier: MIT */
/* Fetches sitemaps, see sitemap_input.h. */
#include "tools/get/sitemap_input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/http.h>
#include <whorl/offload.h>
#include <whorl/url.h>

#include "tools/get/buffer.h"
#include "tools/get/crawl_filter.h"
#include "tools/get/get.h"
#include "tools/get/outcome.h"
#include "tools/get/report.h"
#include "tools/get/sitemap.h"
#include "tools/get/text.h"

struct input {
    struct get *get;
    const char *list;
    sitemap_input_fn *take;
    void *arg;
    struct buffer sitemaps; /* of an index: for each, its text and a NUL */
    uint64_t left_out;
};

/* One document. */
struct document {
    struct buffer text;
    struct buffer urls; /* for each, 's' for a sitemap or 'u', its text and a NUL */
    char why[256];
};

static int note_url(void *arg, bool is_sitemap, const char *url)
{
    struct document *document = arg;

    buffer_add(&document->urls, is_sitemap ? "s" : "u", 1);
    buffer_add(&document->urls, url, strlen(url) + 1);
    return document->urls.failed ? -ENOMEM : 0;
}

/* The work of a thread. */
static int parse(void *arg)
{
    struct document *document = arg;

    return sitemap_read(document->text.text ? document->text.text : "", document->text.len,
                        note_url, document, document->why, sizeof document->why);
}

static WHORL_SUSPENDS int receive(struct whorl_http_response *response, struct buffer *ret,
                                  struct whorl_error *error)
{
    for (;;) {
        char *to = buffer_room(ret, 64 << 10);
        if (!to)
            return -ENOMEM;
        ssize_t n = whorl_http_response_read(response, to, 64 << 10);
        if (n < 0)
            *error = *whorl_http_response_error(response);
        if (n <= 0)
            return (int)n;
        ret->len += (size_t)n;
        if (ret->len > SITEMAP_MAX)
            return whorl_error_set(error, -E2BIG, "sitemap", "is longer than %d MiB",
                                   SITEMAP_MAX >> 20);
    }
}

/* Fetches and parses a document. Returns 0, 1 when the status is the failure, or a negative code;
 * the outcome has the failure. */
static WHORL_SUSPENDS int fetch(struct input *input, const struct whorl_url *at,
                                struct document *document, struct outcome *outcome)
{
    struct get *get = input->get;
    WHORL_AUTO(url) given = {0};
    /* Only the origin that the user has named gets the user's headers and password. */
    int given_err = whorl_url_parse(input->list, NULL, &given);
    bool is_given = given_err == 0 && whorl_url_same_origin(at, &given);
    const struct whorl_http_credentials credentials = {
        .user = get->user.name, .password = get->user.password, .preemptive = at->is_tls};
    const struct whorl_http_request request = {
        .url = strcmp(at->text, given.text ? given.text : "") == 0 ? input->list : at->text,
        .headers = is_given ? get->options->headers : NULL,
        .headers_count = is_given ? get->options->headers_count : 0,
        .credentials = is_given && get->user.name ? &credentials : NULL,
        .decode = true,
        .trust_redirects = get->options->trust_redirects,
    };
    WHORL_AUTO(http_response) *response = NULL;
    struct whorl_error *error = &outcome->error;

    int err = whorl_http_do(get->session, &request, error, &response);
    if (err)
        return err;
    outcome->status = whorl_http_response_status(response);
    if (outcome->status != 200) {
        whorl_error_set(error, 0, "status", "%d", outcome->status);
        return 1;
    }
    err = receive(response, &document->text, error);
    if (err)
        return err;
    err = whorl_offload_run(NULL, parse, document);
    if (err && err != -ECANCELED)
        whorl_error_set(error, err, "sitemap", "%s",
                        document->why[0] ? document->why : whorl_strerror(err));
    return err;
}

/* Takes what a document names. */
static WHORL_SUSPENDS int take_all(struct input *input, const struct whorl_url *at,
                                   const struct buffer *urls, bool is_index_allowed)
{
    const char *end = urls->text + urls->len;
    int err = 0;

    for (const char *p = urls->text; p < end && err == 0; p += strlen(p) + 1) {
        WHORL_AUTO(url) url = {0};
        bool is_sitemap = *p == 's';
        if (whorl_url_parse(p + 1, NULL, &url) ||
            crawl_judge(input->get->options, at, at, REFERENCE_PAGE, &url) != CRAWL_FOLLOW ||
            (is_sitemap && !is_index_allowed))
            input->left_out++;
        else if (is_sitemap)
            buffer_add(&input->sitemaps, url.text, strlen(url.text) + 1);
        else
            err = input->take(input->arg, url.text, input->list);
    }
    return err;
}

static WHORL_SUSPENDS int read_one(struct input *input, const char *text, bool is_index_allowed)
{
    struct get *get = input->get;
    struct outcome outcome = {.url = text, .list = input->list, .tries = 1};
    struct document document = {0};
    WHORL_AUTO(url) at = {0};

    int err = whorl_url_parse(text, &outcome.error, &at);
    if (err == 0)
        err = fetch(input, &at, &document, &outcome);
    if (err == -ECANCELED) {
        outcome.interrupted = true;
        whorl_error_set(&outcome.error, err, "transfer", "interrupted");
    } else if (err < 0 && !outcome.error.text[0]) {
        whorl_error_set(&outcome.error, err, "sitemap", "%s", whorl_strerror(err));
    }
    if (err)
        events_end(&get->events, NULL, 0, &outcome);
    err = err == -ECANCELED ? err : 0;
    if (err == 0 && document.urls.text)
        err = take_all(input, &at, &document.urls, is_index_allowed);
    buffer_finish(&document.text);
    buffer_finish(&document.urls);
    return err;
}

static void say_left_out(struct input *input)
{
    struct buffer line = {0}, name = {0};
    size_t size = 4 * strlen(input->list) + 5;
    char *to = buffer_room(&name, size);

    if (to && input->left_out > 0 && !input->get->options->quiet) {
        name.len = text_escape_url(to, size, input->list);
        buffer_printf(&line, "%s: %llu URLs are left out\n", name.text,
                      (unsigned long long)input->left_out);
        report_say(input->get->report, &line);
    }
    buffer_finish(&line);
    buffer_finish(&name);
}

WHORL_SUSPENDS int sitemap_input_read(struct get *get, const char *url, sitemap_input_fn *take,
                                      void *arg)
{
    struct input input = {.get = get, .list = url, .take = take, .arg = arg};
    size_t count = 0;

    int err = read_one(&input, url, true);
    const char *p = input.sitemaps.text, *end = p + input.sitemaps.len;
    for (; p < end && err == 0; p += strlen(p) + 1) {
        if (count++ < SITEMAP_INDEX_MAX)
            err = read_one(&input, p, false);
        else
            input.left_out++;
    }
    say_left_out(&input);
    buffer_finish(&input.sitemaps);
    return err;
}

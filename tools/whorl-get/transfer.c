/* SPDX-License-Identifier: MIT */
/* One transfer: request, save, retry, report; see transfer.h. */
#include "tools/whorl-get/transfer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <whorl/fd.h>
#include <whorl/task.h>
#include <whorl/text.h>
#include <whorl/url.h>

#include "tools/whorl-get/get.h"
#include "tools/whorl-get/text.h"

enum { COPY_SIZE = 64 * 1024 };

struct transfer {
    struct get *get;
    const char *url; /* as the user gave it */
    struct whorl_url parsed;
    char name[NAME_SIZE];  /* from the URL */
    char taken[NAME_SIZE]; /* the name with a number, used when the plain name is taken */
    const char *path;      /* the path of the file, relative to --dir */
    bool wrote;            /* bytes were written to standard output, so a retry is impossible */
    int64_t asked_ns;      /* the delay from the Retry-After header, or -1 */
    struct outcome outcome;
    struct progress_item item;
    char *final_url;
};

static bool to_stdout(const struct options *options)
{
    return options->output && strcmp(options->output, "-") == 0;
}

static uint64_t next_random(struct get *get)
{
    uint64_t x = get->random; /* xorshift64 */

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return get->random = x;
}

/* Called when the name is taken. Returns the next name to try. */
static const char *next_path(void *ctx, unsigned attempt)
{
    struct transfer *t = ctx;

    (void)attempt;
    name_numbered(t->taken, t->name, name_hints_next(&t->get->names, t->name));
    return t->path = t->taken;
}

static WHORL_SUSPENDS int save_to_stdout(struct transfer *t, struct whorl_http_response *response)
{
    char *buf = malloc(COPY_SIZE);
    ssize_t n;
    int err = 0;

    if (!buf)
        return whorl_error_set(&t->outcome.error, -ENOMEM, "write", "standard output: %s",
                               whorl_strerror(-ENOMEM));
    while ((n = whorl_http_response_read(response, buf, COPY_SIZE)) > 0) {
        t->wrote = true;
        err = whorl_write_all(STDOUT_FILENO, buf, (size_t)n);
        if (err) {
            whorl_error_set(&t->outcome.error, err, "write", "standard output: %s",
                            whorl_strerror(err));
            break;
        }
    }
    free(buf);
    return err ? err : (int)n;
}

static WHORL_SUSPENDS int save(struct transfer *t, struct whorl_http_response *response)
{
    const struct options *options = t->get->options;
    struct whorl_http_save_options how = {.ctx = t};

    if (to_stdout(options))
        return save_to_stdout(t, response);
    if (options->output) {
        how.overwrite = true;
        t->path = options->output;
    } else {
        how.dir_fd = t->get->dir_fd;
        how.use_dir_fd = true;
        how.next_path = next_path;
        t->path = t->name;
    }
    return whorl_http_response_save(response, t->path, &how);
}

/* Checks the status of the response. Returns 0 when the body is what the user asked for, and 1 when
 * the status is a failure. */
static int judge(struct transfer *t, struct whorl_http_response *response)
{
    struct outcome *o = &t->outcome;
    char reason[128];

    if (o->status >= 200 && o->status < 300 && (o->status != 206 || t->get->ranged))
        return 0;
    o->error = (struct whorl_error){.step = "status"};
    const char *raw = whorl_http_response_reason(response);
    whorl_text_escape(raw, strlen(raw), reason, sizeof reason);
    const char *why = "";
    if (o->status == 206)
        why = " (no range was requested)";
    else if (o->status >= 300 && o->status < 400)
        why = whorl_http_response_header(response, "location") ? " (redirect not followed)" : "";
    snprintf(o->error.text, sizeof o->error.text, "%d%s%s%s", o->status, *reason ? " " : "", reason,
             why);
    t->asked_ns = whorl_http_retry_after(whorl_http_response_header(response, "retry-after"),
                                         (int64_t)time(NULL));
    return 1;
}

static void note_response(struct transfer *t, struct whorl_http_response *response)
{
    struct outcome *o = &t->outcome;

    o->status = whorl_http_response_status(response);
    whorl_http_response_timing(response, &o->timing);
    if (t->get->report->json || o->timing.redirects > 0) {
        t->final_url = strdup(whorl_http_response_url(response)->text);
        o->final_url = t->final_url;
    }
}

/* Completes the error text: the library's text, and what only this program knows. */
static void explain(struct transfer *t, int err, const char *step)
{
    struct whorl_error *error = &t->outcome.error;
    const struct options *options = t->get->options;

    if (error->code != err || !error->text[0])
        whorl_error_set(error, err, step, "%s", whorl_strerror(err));
    if (err == WHORL_EHTTP_BODY_TOO_LARGE) {
        size_t len = strlen(error->text);
        snprintf(error->text + len, sizeof error->text - len, "%s",
                 options->size_max ? " (--max-size)"
                                   : " (after decoding; --max-size changes the limit)");
    }
    if (options->dir && strcmp(error->step, "write") == 0) /* the library's text has no --dir */
        whorl_error_set(error, err, "write", "%s/%s: %s", options->dir, t->path,
                        whorl_strerror(err));
}

/* Makes one attempt. Returns 0, 1 when the response's status is the failure, or a negative code. */
static WHORL_SUSPENDS int try_once(struct transfer *t)
{
    const struct options *options = t->get->options;
    struct outcome *o = &t->outcome;
    struct whorl_http_request request = {
        .url = t->url,
        .headers = options->headers,
        .headers_count = options->headers_count,
        .decode = options->compressed,
    };
    WHORL_AUTO(http_response) *response = NULL;

    o->error = (struct whorl_error){0};
    o->status = 0;
    free(t->final_url);
    o->final_url = t->final_url = NULL;
    t->asked_ns = -1;
    t->item.state = BAR_ASKING;
    int err = whorl_http_do(t->get->session, &request, &o->error, &response);
    if (err) {
        explain(t, err, "request");
        return err;
    }
    note_response(t, response);
    err = judge(t, response);
    if (err)
        return err;

    t->item.state = BAR_RECEIVING;
    t->item.response = response;
    err = save(t, response);
    t->item.response = NULL;
    o->bytes = whorl_http_response_received(response);
    if (err && !o->error.code) /* save_to_stdout() sets the error itself if its write fails */
        o->error = *whorl_http_response_error(response);
    if (err)
        explain(t, err, "write");
    return err;
}

/* Whether to retry, and after which pause. */
static bool may_retry(struct transfer *t, int err, int64_t *ret_pause_ns)
{
    struct outcome *o = &t->outcome;

    if (t->wrote || !retry_helps(err == 1 ? 0 : err, o->status))
        return false;
    *ret_pause_ns = retry_pause(&t->get->retry, o->tries, t->asked_ns, next_random(t->get));
    if (*ret_pause_ns >= 0)
        return true;
    if (t->asked_ns > t->get->retry.asked_max_ns) {
        char time[TEXT_NUMBER_SIZE];
        size_t len = strlen(o->error.text);
        snprintf(o->error.text + len, sizeof o->error.text - len,
                 " (the server asks to retry after %s)", text_time(time, t->asked_ns));
    }
    return false;
}

/* Retries until the transfer succeeds or a retry would not help. Returns 0, 1 when the status is
 * the failure, or a negative code. */
static WHORL_SUSPENDS int try_all(struct transfer *t)
{
    for (;;) {
        int64_t pause_ns;
        t->outcome.tries++;
        int err = try_once(t);
        if (err == 0 || err == -ECANCELED || !may_retry(t, err, &pause_ns))
            return err;
        report_retry(t->get->report, &t->outcome, pause_ns);
        t->item.state = BAR_PAUSING;
        t->item.pause_until_ns = whorl_after(pause_ns);
        if (whorl_sleep(pause_ns) == -ECANCELED)
            return -ECANCELED;
    }
}

/* Makes the file name from the URL. A URL that cannot be parsed ends the transfer here. */
static int name_it(struct transfer *t)
{
    int err = whorl_url_parse(t->url, &t->outcome.error, &t->parsed);

    if (err == 0)
        name_from_target(t->name, t->parsed.target);
    else
        explain(t, err, "URL");
    return err;
}

static void settle(struct transfer *t, int err)
{
    const struct options *options = t->get->options;
    struct outcome *o = &t->outcome;

    o->ok = err == 0;
    o->interrupted = err == -ECANCELED;
    if (err == -ECANCELED)
        whorl_error_set(&o->error, err, "transfer", "interrupted");
    if (err == 0) {
        o->dir = options->dir;
        o->file = to_stdout(options) ? "-" : t->path;
    }
}

WHORL_SUSPENDS int transfer_run(void *arg)
{
    const struct transfer_job *job = arg;
    struct get *get = job->get;
    struct transfer t = {
        .get = get,
        .url = job->url,
        .outcome = {.url = job->url, .list = job->list, .line = job->line},
    };
    int64_t start_ns = whorl_now();

    int err = name_it(&t);
    if (err == 0) {
        progress_join(get->progress, &t.item, get->options->output ? get->options->output : t.name,
                      &t.parsed);
        err = try_all(&t);
        progress_leave(get->progress, &t.item);
    }
    t.outcome.duration_ns = whorl_now() - start_ns;
    settle(&t, err);
    report_outcome(get->report, &t.outcome);
    free(t.final_url);
    whorl_url_finish(&t.parsed);
    free(job->url);
    return report_wait_room(get->report);
}

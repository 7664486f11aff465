/* SPDX-License-Identifier: MIT */
/* Requests and their responses, see transfer_answer.h. */
#include "tools/get/transfer_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <whorl/url.h>

#include "tools/get/text.h"

/* How long a host gets no request if it says only that there were too many. */
#define REFUSED_NS WHORL_SECOND

/* The observer of all requests of a transfer. */
static void observe(void *arg, const struct whorl_http_event *event)
{
    struct transfer *t = arg;
    const struct whorl_http_observer *next = &t->get->observer;

    if (event->kind == WHORL_HTTP_EVENT_OPEN) {
        snprintf(t->opened, sizeof t->opened, "%s", event->host);
        t->opened_port = event->port;
    }
    events_observe(&t->get->events, &t->followed, event);
    if (event->kind == WHORL_HTTP_EVENT_END)
        events_note_limited(&t->get->events, &t->followed, event->info->limited_ns);
    if (next->event)
        next->event(next->arg, event);
}

void transfer_prepare_request(struct transfer *t, struct whorl_http_request *request)
{
    request->observer = (struct whorl_http_observer){
        .event = observe, .arg = t, .no_heads = !t->get->options->verbose};
    request->limiters[0] = t->get->limiter.rate > 0 ? &t->get->limiter : NULL;
    request->limiters[1] = t->limiter.rate > 0 ? &t->limiter : NULL;
    request->redirects_max = t->get->mirror ? -1 : 0; /* a redirect is a link */
}

bool transfer_is_unmodified(const struct transfer *t)
{
    return t->outcome.status == 304 && (t->get->conditional || t->is_conditional);
}

/* Whether the server has answered without the whole body of the request. A success may mean that
 * it did not need the body (RFC 9110 §10.1.1). But the user wants the body to be there. */
static bool has_not_sent_all(const struct whorl_http_response *response, int64_t *ret_sent)
{
    struct whorl_http_info info;

    whorl_http_response_get_info(response, &info);
    *ret_sent = info.sent_body;
    return info.unsent;
}

int transfer_judge(struct transfer *t, struct whorl_http_response *response)
{
    struct outcome *o = &t->outcome;
    bool is_success = o->status >= 200 && o->status < 300 && (o->status != 206 || t->get->ranged);
    char reason[128], unsent[128] = "";
    int64_t sent;

    if (is_success && has_not_sent_all(response, &sent))
        snprintf(unsent, sizeof unsent,
                 ", but the body was not sent whole: the server answered "
                 "after %lld bytes of it",
                 (long long)sent);
    else if (is_success)
        return 0;
    if (transfer_is_unmodified(t))
        return 0;
    o->error = (struct whorl_error){.step = "status"};
    const char *raw = whorl_http_response_reason(response);
    text_escape(reason, sizeof reason, raw, strlen(raw));
    bool is_redirect = o->status >= 300 && o->status < 400;
    const char *why = is_success         ? unsent
                      : o->status == 206 ? " (no range was requested)"
                      : is_redirect && whorl_http_response_header(response, "location")
                          ? " (redirect not followed)"
                          : "";
    snprintf(o->error.text, sizeof o->error.text, "%d%s%s%s", o->status, *reason ? " " : "", reason,
             why);
    t->asked_ns = whorl_http_retry_after(whorl_http_response_header(response, "retry-after"),
                                         (int64_t)time(NULL));
    return 1;
}

void transfer_tell_schedule(struct transfer *t)
{
    const struct outcome *o = &t->outcome;
    struct schedule *schedule = &t->get->schedule;
    const struct whorl_http_retry_policy *retry = &t->get->retry;

    t->is_refused = o->status == 429 || (o->status == 503 && t->asked_ns >= 0);
    if (!t->is_refused)
        schedule_answered(schedule, t->scheduled, -1);
    else if (t->asked_ns > retry->retry_after_max_ns)
        schedule_silence(schedule, t->scheduled);
    else
        schedule_answered(schedule, t->scheduled, t->asked_ns >= 0 ? t->asked_ns : REFUSED_NS);
}

void transfer_note_validators(struct transfer *t, const char *etag, const char *modified)
{
    char *copy = etag ? strdup(etag) : NULL; /* without memory, it is not in the manifest */

    free(t->etag);
    t->etag = copy;
    snprintf(t->modified, sizeof t->modified, "%s", modified ? modified : "");
}

void transfer_note_response(struct transfer *t, struct whorl_http_response *response)
{
    struct outcome *o = &t->outcome;

    const char *final_url = whorl_http_response_url(response)->text;

    o->status = whorl_http_response_status(response);
    if (manifest_is_open(&t->get->manifest) || t->get->options->existing == EXISTING_UPDATE)
        transfer_note_validators(t, whorl_http_response_header(response, "etag"),
                                 whorl_http_response_header(response, "last-modified"));
    /* An entity tag identifies a version of one resource only (RFC 9110 §8.8.3). */
    t->is_elsewhere = o->status == 304 && t->is_conditional && t->before.final_url &&
                      strcmp(t->before.final_url, final_url) != 0;
    whorl_http_response_get_timing(response, &o->timing);
    if (t->get->report->json || t->get->options->events || o->timing.redirects > 0 ||
        manifest_is_open(&t->get->manifest)) {
        free(t->final_url);
        t->final_url = strdup(final_url);
        o->final_url = t->final_url;
    }
    if (t->get->mirror) {
        const char *type = whorl_http_response_header(response, "content-type");
        snprintf(t->type, sizeof t->type, "%s", type ? type : "");
    }
    bool is_part = download_has_part(&t->download);
    events_headers(&t->get->events, &t->followed, response,
                   is_part ? download_done(&t->download) : 0,
                   is_part ? download_length(&t->download) : whorl_http_response_length(response));
}

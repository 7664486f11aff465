/* SPDX-License-Identifier: MIT */
/* One attempt, see transfer_attempt.h. */
#include "tools/get/transfer_attempt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/url.h>

#include "tools/get/disposition.h"
#include "tools/get/mirror.h"
#include "tools/get/transfer_answer.h"
#include "tools/get/transfer_error.h"
#include "tools/get/transfer_keep.h"
#include "tools/get/transfer_settings.h"
#include "tools/get/transfer_store.h"

/* Whether the body of the response is saved. The response to an upload is often empty, which makes
 * no file unless the user has named one, or says what it must contain. */
static bool has_body_to_save(const struct transfer *t, const struct whorl_http_response *response)
{
    const struct get *get = t->get;

    if (ask_is_head(&get->ask))
        return false;
    return ask_is_download(&get->ask) || get->options->output || verify_is_expected(&t->verify) ||
           (t->outcome.status != 204 && whorl_http_response_length(response) != 0);
}

/* With --recursive, a redirect is a link: it may lead to a file that is there already, or to one
 * that is not wanted. So it is not followed here. */
static bool takes_redirect(struct transfer *t, const struct whorl_http_response *response)
{
    const char *location = whorl_http_response_header(response, "location");
    WHORL_AUTO(url) to = {0};

    if (!t->get->mirror || !mirror_is_redirect(t->outcome.status) || !location)
        return false;
    if (whorl_url_resolve(&t->url, location, NULL, &to))
        return false; /* transfer_judge() says that it cannot be followed */
    free(t->location);
    t->location = strdup(location);
    free(t->final_url);
    t->final_url = strdup(to.text);
    t->outcome.final_url = t->final_url;
    t->outcome.moved = true;
    return t->location != NULL;
}

/* With --remote-header-name, the server may name the file. */
static void take_header_name(struct transfer *t, const struct whorl_http_response *response)
{
    const char *header = whorl_http_response_header(response, "Content-Disposition");
    char name[NAME_SIZE];

    if (t->get->options->header_names && !t->entry.out && disposition_name(header, name))
        strcpy(t->target.name, name);
}

/* Sends a request, unless a response is `given`, which it closes, and stores the body. Returns as
 * transfer_try_once(), or DOWNLOAD_AFRESH: the response is closed, and the request is to be sent
 * again. */
static WHORL_SUSPENDS int ask_and_store(struct transfer *t,
                                        const struct whorl_http_request *request,
                                        struct whorl_http_response *given)
{
    struct outcome *o = &t->outcome;
    WHORL_AUTO(http_response) *response = given;

    int err = response ? 0 : whorl_http_do(t->get->session, request, &o->error, &response);
    if (err) {
        transfer_explain(t, err, "request");
        return err;
    }
    transfer_note_response(t, response);
    if (t->get->options->show_headers || ask_is_head(&t->get->ask))
        report_head(t->get->report, response);
    if (takes_redirect(t, response)) {
        transfer_tell_schedule(t);
        return 0;
    }
    err = transfer_judge(t, response);
    transfer_tell_schedule(t);
    if (err == 0)
        take_header_name(t, response);
    if (err || transfer_is_unmodified(t) || !has_body_to_save(t, response))
        return err;

    if (t->may_keep && !t->download.no_ranges && download_is_worth(response)) {
        err = transfer_receive_part(t, &response);
        if (err != DOWNLOAD_AFRESH || !response)
            return err;
    }
    err = transfer_save(t, response);
    o->wasted = 0;
    o->bytes = whorl_http_response_received(response);
    if (err) {
        o->error = *whorl_http_response_error(response);
        transfer_explain(t, err, "body");
    } else {
        events_verify(&t->get->events, &t->followed, t->outcome.verified);
    }
    return err;
}

/* Returns as transfer_try_once(). */
static WHORL_SUSPENDS int try_request(struct transfer *t, const struct whorl_http_request *request)
{
    struct whorl_http_response *response = NULL;

    int err = transfer_try_continue(t, &response);
    if (err != DOWNLOAD_AFRESH) {
        whorl_http_response_close(response);
        return err;
    }
    err = ask_and_store(t, request, response);
    if (err == DOWNLOAD_AFRESH) /* once: from now on, no part is made */
        err = ask_and_store(t, request, NULL);
    return err;
}

WHORL_SUSPENDS int transfer_try_once(struct transfer *t)
{
    struct outcome *o = &t->outcome;
    struct ask_request request;

    o->error = (struct whorl_error){0};
    o->timing = (struct whorl_http_timing){0};
    o->info = (struct whorl_http_info){0};
    o->status = 0;
    o->bytes = o->written = 0;
    o->place = t->path = NULL;
    free(t->final_url);
    o->final_url = t->final_url = NULL;
    t->asked_ns = -1;
    t->is_elsewhere = false;
    t->dialed[0] = t->opened[0] = '\0';
    events_try(&t->get->events, &t->followed);
    /* There is room for these headers. They are not for the requests of parts. */
    struct whorl_http_header *headers = t->headers;
    size_t count = t->headers_count;
    t->is_conditional = false;
    if (t->source == t->scheduled->url) {
        count += existing_headers(&t->existing, headers + count);
        t->is_conditional = count > t->headers_count;
    } else {
        headers = calloc(count + 1, sizeof *headers);
        if (!headers)
            return whorl_error_set(&o->error, -ENOMEM, "request", "out of memory");
        count = transfer_headers_for(t, t->source, headers);
    }
    int err = ask_begin(&request, &t->get->ask, t->source, headers, count,
                        transfer_user_for(t, t->source), &o->error);
    transfer_prepare_request(t, &request.http);
    if (err == 0)
        err = try_request(t, &request.http);
    ask_end(&request);
    if (headers != t->headers)
        free(headers);
    return err;
}

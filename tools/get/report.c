/* SPDX-License-Identifier: MIT */
/* Lines, objects and totals, see report.h. */
#include "tools/get/report.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <whorl/url.h>

#include "tools/get/object.h"
#include "tools/get/progress.h"
#include "tools/get/text.h"
#include "tools/get/writer.h"

static void add(struct buffer *line, const char *text)
{
    buffer_add(line, text, strlen(text));
}

static void add_escaped(struct buffer *line, const char *text)
{
    size_t len = strlen(text), room = 4 * len;
    char *to = buffer_room(line, room);

    if (to)
        line->len += text_escape(to, room + 1, text, len);
}

/* Appends a URL as it was given. An empty one is quoted, because it would not be seen. */
static void add_url(struct buffer *line, const char *url)
{
    size_t room = 4 * strlen(url) + 3;
    char *to = buffer_room(line, room);

    if (*url == '\0')
        add(line, "''");
    else if (to)
        line->len += text_escape_url(to, room + 1, url);
}

static void add_dir(struct buffer *line, const char *dir)
{
    if (!dir)
        return;
    add_escaped(line, dir);
    if (dir[0] && dir[strlen(dir) - 1] != '/')
        add(line, "/");
}

/* Appends the duration of one stage before the response, for --verbose. */
static void add_stage(struct buffer *line, const char *name, int64_t duration_ns)
{
    char time[TEXT_NUMBER_SIZE];

    if (duration_ns >= 0)
        buffer_printf(line, ", %s %s", name, text_time(time, duration_ns));
}

static void add_details(struct buffer *line, const struct outcome *o)
{
    buffer_printf(line, "; %d", o->status);
    if (o->timing.redirects > 0 && o->final_url) {
        add(line, " from ");
        add_escaped(line, o->final_url);
    }
    if (o->tries > 1)
        buffer_printf(line, " on try %d", o->tries);
    buffer_printf(line, ", %s connection", o->timing.reused ? "reused" : "new");
    add_stage(line, "queue", o->timing.queue_ns);
    add_stage(line, "connect", o->timing.connect_ns);
    add_stage(line, "TLS", o->timing.tls_ns);
    add_stage(line, "first byte", o->timing.first_byte_ns);
}

static void add_success(struct buffer *line, const struct outcome *o, bool verbose)
{
    char size[TEXT_NUMBER_SIZE], time[TEXT_NUMBER_SIZE];

    add_url(line, o->url);
    if (o->file) {
        add(line, " -> ");
        add_dir(line, o->dir);
        add_escaped(line, o->file);
    } else if (o->moved) {
        buffer_printf(line, ": %d, see ", o->status);
        add_url(line, o->final_url ? o->final_url : "");
    } else if (o->status == 304) {
        add(line, ": not modified");
    } else {
        buffer_printf(line, ": %d", o->status);
    }
    if (o->plan) {
        buffer_printf(line, " (not fetched%s)\n", o->plan);
        return;
    }
    if (o->existing && o->tries == 0) {
        if (o->verified)
            buffer_printf(line, " (already complete, %s matches)\n", o->verified);
        else
            add(line, " (exists, skipped)\n");
        return;
    }
    if (o->existing && o->status == 304)
        add(line, " (not modified");
    else
        buffer_printf(line, " (%s", text_size(size, o->bytes));
    if (o->resumed_from > 0)
        buffer_printf(line, " after %s of an earlier run", text_size(size, o->resumed_from));
    if (o->written != o->bytes - o->wasted)
        buffer_printf(line, ", %s decoded,", text_size(size, o->written));
    buffer_printf(line, " in %s", text_time(time, o->duration_ns));
    if (o->splits > 0)
        buffer_printf(line, " over %d connections", o->splits + 1);
    if (o->verified)
        buffer_printf(line, ", %s verified", o->verified);
    if (o->afresh) {
        add(line, "; started afresh: ");
        add(line, o->afresh);
    }
    if (o->timing.downgraded)
        add(line, "; redirected from https to http");
    if (verbose)
        add_details(line, o);
    add(line, ")\n");
}

/* Whether the text is only a cause, as in "URL: no host". The opposite is a text that also names
 * the object of the step, as in "connect 127.0.0.1:9: connection refused". */
static bool is_mere_cause(const struct whorl_error *error)
{
    return strcmp(error->step, "URL") == 0 || strcmp(error->step, "settings") == 0 ||
           (error->code && strcmp(error->text, whorl_strerror(error->code)) == 0);
}

/* Whether the cause of the failure is in the line of the list. */
static bool is_of_line(const struct whorl_error *error)
{
    return error->step[0] == '\0' || strcmp(error->step, "URL") == 0 ||
           strcmp(error->step, "settings") == 0;
}

static void add_failure(struct buffer *line, const struct outcome *o)
{
    add(line, "whorl-get: ");
    if (o->list && (is_of_line(&o->error) || !o->url)) {
        add_escaped(line, o->list);
        if (o->line > 0)
            buffer_printf(line, ":%ld", o->line);
        add(line, ": ");
    }
    if (o->url) {
        add_url(line, o->url);
        add(line, ": ");
    }
    if (o->error.step[0]) {
        add_escaped(line, o->error.step);
        add(line, !o->place && is_mere_cause(&o->error) ? ": " : " ");
    }
    if (o->place) {
        add_dir(line, o->dir);
        add_escaped(line, o->place);
        add(line, ": ");
    }
    add_escaped(line, o->error.text);
    if (o->timing.downgraded)
        add(line, " (redirected from https to http)");
    if (o->tries > 1)
        buffer_printf(line, " (tried %d times)", o->tries);
    add(line, "\n");
}

void report_format_line(struct buffer *ret, const struct outcome *outcome, bool verbose)
{
    if (outcome->ok)
        add_success(ret, outcome, verbose);
    else
        add_failure(ret, outcome);
}

/* Adds the text of the failure, with the file that it is about. */
static void add_error(struct object *object, const struct outcome *o)
{
    struct buffer text = {0};

    if (o->place) {
        add_dir(&text, o->dir);
        add_escaped(&text, o->place);
        add(&text, ": ");
    }
    add(&text, o->error.text);
    object_add_text(object, "error", text.failed ? o->error.text : text.text);
    buffer_finish(&text);
}

/* Adds an address; null when it is not known. */
static void add_addr(struct object *object, const char *name, const struct whorl_addr *addr)
{
    char text[WHORL_ADDR_TEXT_MAX];

    object_add_text(object, name, addr->len > 0 ? whorl_addr_text(addr, text, sizeof text) : NULL);
}

/* Adds how the last request went. */
static void add_info(struct object *object, const struct whorl_http_info *info)
{
    bool is_known = info->request > 0;

    add_addr(object, "address", &info->peer);
    add_addr(object, "local_address", &info->local);
    object_add_text(object, "protocol", info->protocol);
    object_add_text(object, "tls", info->tls_version);
    object_add_text(object, "cipher", info->tls_suite);
    object_add_text(object, "connection",
                    info->conn > 0 ? whorl_http_reuse_name(info->reuse) : NULL);
    object_add_int(object, "sent", info->sent_head + info->sent_body);
    object_add_int(object, "received", info->received_head + info->received_body);
    object_add_seconds(object, "queue", is_known ? info->queue_ns : -1);
    object_add_seconds(object, "dns", is_known ? info->dns_ns : -1);
    object_add_seconds(object, "connect", is_known ? info->connect_ns : -1);
    object_add_seconds(object, "handshake", is_known ? info->tls_ns : -1);
    object_add_seconds(object, "first_byte", is_known ? info->first_byte_ns : -1);
    object_add_seconds(object, "body", is_known ? info->body_ns : -1);
}

const char *report_class(const struct outcome *o)
{
    if (o->mismatched)
        return "verify";
    if (o->error.code == 0)
        return "status";
    return whorl_error_class_name(whorl_error_classify(&o->error));
}

void report_add_place(struct object *object, const struct crawl_place *place)
{
    if (!place->is_crawled)
        return;
    object_add_int(object, "depth", place->depth);
    object_add_url(object, "parent", place->parent);
}

void report_add_outcome(struct object *object, const struct outcome *o)
{
    bool responded = o->status > 0;

    object_add_bool(object, "ok", o->ok);
    if (o->plan)
        object_add_bool(object, "dry_run", true);
    object_add_url(object, "url", o->url);
    object_add_text(object, "final_url", o->final_url);
    object_add_text(object, "dir", o->file ? o->dir : NULL);
    object_add_text(object, "file", o->file);
    object_add_text(object, "method", o->method);
    if (responded)
        object_add_int(object, "status", o->status);
    else
        object_add_null(object, "status");
    object_add_int(object, "bytes", o->bytes);
    object_add_int(object, "written", o->written);
    object_add_seconds(object, "seconds", o->duration_ns);
    object_add_int(object, "tries", o->tries);
    object_add_int(object, "resumed_from", o->resumed_from);
    object_add_int(object, "splits", o->splits);
    object_add_int(object, "wasted", o->wasted);
    object_add_int(object, "reread", o->reread);
    if (o->afresh)
        object_add_text(object, "afresh", o->afresh);
    if (!o->ok)
        object_add_int(object, "kept", o->kept);
    if (o->existing)
        object_add_text(object, "existing", o->existing);
    object_add_int(object, "redirects", responded ? o->timing.redirects : o->info.redirects);
    object_add_text(object, "verified", o->verified);
    object_add_bool(object, "downgraded", o->timing.downgraded);
    object_add_bool(object, "reused", responded && o->timing.reused);
    add_info(object, &o->info);
    report_add_place(object, &o->crawl);
    if (o->list) {
        object_add_text(object, "list", o->list);
        object_add_int(object, "line", o->line);
    }
    if (!o->ok) {
        object_add_text(object, "step", o->error.step);
        add_error(object, o);
        object_add_text(object, "class", report_class(o));
        object_add_text(object, "code", o->error.code ? whorl_error_name(o->error.code) : NULL);
    }
}

void report_format_object(struct buffer *ret, const struct outcome *outcome)
{
    struct object object;

    object_begin(&object);
    report_add_outcome(&object, outcome);
    object_write(&object, ret);
}

void report_say(struct report *report, const struct buffer *lines)
{
    report->said_ns = whorl_now();
    if (lines->failed)
        writer_fail(report->messages, -ENOMEM);
    else if (report->progress)
        progress_add_line(report->progress, lines->text, lines->len);
    else
        writer_add(report->messages, lines->text, lines->len);
}

static void print_object(struct report *report, const struct buffer *object)
{
    if (object->failed)
        writer_fail(report->objects, -ENOMEM);
    else
        writer_add(report->objects, object->text, object->len);
}

void report_format_head(struct buffer *ret, const struct whorl_http_response *response)
{
    struct whorl_http_header header;
    const char *reason = whorl_http_response_reason(response);
    bool is_http2 = whorl_http_response_version(response) == WHORL_HTTP_2;

    buffer_printf(ret, "HTTP/%s %d", is_http2 ? "2" : "1.1", whorl_http_response_status(response));
    if (*reason) {
        add(ret, " ");
        add_escaped(ret, reason);
    }
    add(ret, "\n");
    for (size_t i = 0; whorl_http_response_header_at(response, i, &header); i++) {
        add_escaped(ret, header.name);
        add(ret, ": ");
        add_escaped(ret, header.value);
        add(ret, "\n");
    }
    add(ret, "\n");
}

void report_head(struct report *report, const struct whorl_http_response *response)
{
    struct buffer *text = &report->text;

    buffer_clear(text);
    if (report->has_many) {
        add_url(text, whorl_http_response_url(response)->text);
        add(text, "\n");
    }
    report_format_head(text, response);
    if (report->heads_to_objects)
        print_object(report, text);
    else
        report_say(report, text);
}

/* Counts and reports an outcome. */
static void report_outcome(struct report *report, const struct outcome *o)
{
    struct totals *totals = &report->totals;
    bool unstarted = o->interrupted && o->tries == 0;

    totals->done += o->ok;
    totals->failed += !o->ok && !o->interrupted;
    totals->mismatched += o->mismatched;
    totals->interrupted += o->interrupted && !unstarted;
    totals->unstarted += unstarted;
    totals->kept += o->kept;
    totals->parts += o->interrupted && o->kept > 0;
    totals->bytes += o->bytes;
    totals->written += o->written;
    if (report->json) {
        buffer_clear(&report->text);
        report_format_object(&report->text, o);
        print_object(report, &report->text);
    }
    /* The user who interrupts knows why the transfers end, so they get no line each. */
    if (o->ok ? report->quiet || report->json : o->interrupted)
        return;
    buffer_clear(&report->text);
    report_format_line(&report->text, o, report->verbose);
    report_say(report, &report->text);
}

/* Reports that an attempt failed and that a retry follows. */
static void report_retry(struct report *report, const struct outcome *o, int64_t pause_ns)
{
    struct buffer *text = &report->text;
    char time[TEXT_NUMBER_SIZE];

    if (!report->verbose)
        return;
    struct outcome once = *o;
    once.tries = 1;
    buffer_clear(text);
    report_format_line(text, &once, false);
    if (!text->failed)
        text->len--; /* the newline */
    buffer_printf(text, "; try %d in %s\n", o->tries + 1, text_time(time, pause_ns));
    report_say(report, text);
}

static void take(struct event_sink *sink, const struct event *event)
{
    struct report *report = (struct report *)((char *)sink - offsetof(struct report, sink));

    if (event->kind == EVENT_DONE)
        report_outcome(report, event->outcome);
    if (event->kind != EVENT_RETRY)
        return;
    report->totals.retries++;
    report_retry(report, event->outcome, event->delay_ns);
}

void report_attach(struct report *report, struct events *events)
{
    report->sink.take = take;
    events_add_sink(events, &report->sink);
}

void report_add_sums(struct object *object, const struct totals *totals, bool interrupted,
                     int64_t duration_ns)
{
    object_add_int(object, "ok", (int64_t)totals->done);
    object_add_int(object, "failed",
                   (int64_t)(totals->failed + totals->interrupted + totals->unstarted));
    object_add_bool(object, "interrupted", interrupted);
    object_add_int(object, "retries", (int64_t)totals->retries);
    object_add_int(object, "bytes", totals->bytes);
    object_add_int(object, "written", totals->written);
    object_add_seconds(object, "seconds", duration_ns);
}

static void add_summary_object(struct buffer *text, const struct totals *totals, bool interrupted,
                               int64_t duration_ns)
{
    struct object object;

    object_begin(&object);
    object_add_bool(&object, "summary", true);
    report_add_sums(&object, totals, interrupted, duration_ns);
    object_write(&object, text);
}

static void add_interruption(struct buffer *text, const struct totals *totals)
{
    char size[TEXT_NUMBER_SIZE];

    buffer_printf(text, "whorl-get: interrupted; %llu transfer%s stopped",
                  (unsigned long long)totals->interrupted, totals->interrupted == 1 ? "" : "s");
    if (totals->kept > 0)
        buffer_printf(text, ", kept %s", text_size(size, totals->kept));
    if (totals->kept > 0 && totals->parts < totals->interrupted)
        buffer_printf(text, " of %llu", (unsigned long long)totals->parts);
    if (totals->kept > 0)
        add(text, "; run again to continue");
    else if (totals->interrupted > 0)
        add(text, ", partial files removed");
    add(text, "\n");
}

void report_format_summary(struct buffer *ret, const struct totals *totals, int64_t duration_ns)
{
    char size[TEXT_NUMBER_SIZE], time[TEXT_NUMBER_SIZE], rate[TEXT_NUMBER_SIZE];
    uint64_t files = totals->done + totals->failed + totals->interrupted;
    double seconds = (double)duration_ns / (double)WHORL_SECOND;

    buffer_printf(ret, "%llu of %llu files, %s in %s", (unsigned long long)totals->done,
                  (unsigned long long)files, text_size(size, totals->bytes),
                  text_time(time, duration_ns));
    if (duration_ns > 0)
        buffer_printf(ret, ", %s/s", text_size(rate, (int64_t)((double)totals->bytes / seconds)));
    if (totals->failed > 0)
        buffer_printf(ret, ", %llu failed", (unsigned long long)totals->failed);
    if (totals->retries > 0)
        buffer_printf(ret, ", %llu %s", (unsigned long long)totals->retries,
                      totals->retries == 1 ? "retry" : "retries");
    add(ret, "\n");
}

void report_summary(struct report *report, bool interrupted)
{
    const struct totals *totals = &report->totals;
    struct buffer *text = &report->text;
    int64_t duration_ns = whorl_now() - totals->started_ns;
    uint64_t total = totals->done + totals->failed + totals->interrupted;

    buffer_clear(text);
    if (report->json) {
        add_summary_object(text, totals, interrupted, duration_ns);
        print_object(report, text);
        buffer_clear(text);
    }
    if (interrupted)
        add_interruption(text, totals);
    if (!report->quiet && !report->json && total > 1 && (report->tty || report->verbose))
        report_format_summary(text, totals, duration_ns);
    report_say(report, text);
}

WHORL_SUSPENDS int report_wait_room(struct report *report)
{
    int err = writer_wait_room(report->messages);

    if (err == 0 && (report->json || report->heads_to_objects))
        err = writer_wait_room(report->objects);
    if (err == 0 && report->stream)
        err = writer_wait_room(report->stream);
    return err;
}

int report_exit_status(const struct report *report, bool interrupted)
{
    bool lost = ((report->json || report->heads_to_objects) && report->objects->err) ||
                (report->stream && report->stream->err);

    if (report->totals.failed == 0 && report->totals.interrupted == 0 && !interrupted && !lost)
        return EXIT_ALL;
    if (report->totals.mismatched > 0)
        return EXIT_MISMATCH;
    return report->totals.done > 0 ? EXIT_SOME : EXIT_NONE;
}

void report_finish(struct report *report)
{
    buffer_finish(&report->text);
}

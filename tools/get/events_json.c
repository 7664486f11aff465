/* SPDX-License-Identifier: MIT */
/* Events as JSON, see events_json.h. */
#include "tools/get/events_json.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <whorl/http.h>
#include <whorl/net.h>
#include <whorl/url.h>

#include "tools/get/object.h"
#include "tools/get/report.h"
#include "tools/get/text.h"
#include "tools/get/totals.h"
#include "tools/get/writer.h"

enum { ADDRESSES_MAX = 16 };

/* EVENT_PROGRESS comes for every tick; a program needs it less often. */
static const int64_t progress_interval_ns = WHORL_SECOND / 5;

int events_json_parse(const char *text, const char **ret_path)
{
    const char *target = text + strlen("jsonl");
    int fd;

    *ret_path = NULL;
    if (strcmp(text, "jsonl") == 0)
        return STDOUT_FILENO;
    if (strncmp(text, "jsonl:", 6) != 0 || target[1] == '\0')
        return -EINVAL;
    target++;
    if (text_parse_int(target, 0, 1 << 20, &fd) == 0)
        return fd;
    *ret_path = target;
    return 0;
}

static void add_addresses(struct object *object, const struct event *event)
{
    char texts[ADDRESSES_MAX][WHORL_ADDR_TEXT_MAX];
    const char *addresses[ADDRESSES_MAX];
    size_t count = event->addrs_count < ADDRESSES_MAX ? event->addrs_count : ADDRESSES_MAX;

    for (size_t i = 0; i < count; i++)
        addresses[i] = whorl_addr_text(&event->addrs[i], texts[i], sizeof texts[i]);
    if (event->kind == EVENT_RESOLVED)
        object_add_texts(object, "addresses", addresses, count);
    else
        object_add_text(object, "address", count > 0 ? addresses[0] : NULL);
}

/* Adds all headers. A cookie is a secret, and a URL may contain one. */
static void add_headers(struct object *object, const struct whorl_http_response *response)
{
    struct whorl_http_header header;

    object_begin_pairs(object, "headers");
    for (size_t i = 0; whorl_http_response_header_at(response, i, &header); i++) {
        if (strcasecmp(header.name, "set-cookie") == 0)
            header.value = "***";
        object_add_pair(object, header.name, header.value);
    }
}

static void add_length(struct object *object, const struct event *event)
{
    if (event->followed->length < 0)
        object_add_null(object, "length");
    else
        object_add_int(object, "length", event->followed->length);
}

static void add_response(struct object *object, const struct event *event)
{
    const struct whorl_http_response *response = event->response;
    struct whorl_http_timing timing;

    whorl_http_response_get_timing(response, &timing);
    object_add_int(object, "try", event->followed->tries);
    object_add_int(object, "status", whorl_http_response_status(response));
    object_add_text(object, "final_url", whorl_http_response_url(response)->text);
    object_add_int(object, "redirects", timing.redirects);
    object_add_bool(object, "reused", timing.reused);
    object_add_text(object, "version",
                    whorl_http_response_version(response) == WHORL_HTTP_2 ? "HTTP/2" : "HTTP/1.1");
    add_length(object, event);
    add_headers(object, response);
}

/* Adds the time that was spent in each phase; null when it is not known. */
static void add_phases(struct object *object, const int64_t *spent_ns)
{
    static const char *const names[PHASES] = {
        "queue_seconds", "redirect_seconds",   "dns_seconds",  "connect_seconds",
        "tls_seconds",   "first_byte_seconds", "body_seconds", "disk_seconds",
        "retry_seconds", "throttled_seconds",
    };

    for (int i = 0; i < PHASES; i++)
        object_add_seconds(object, names[i], spent_ns ? spent_ns[i] : -1);
}

static void add_failure(struct object *object, const struct event *event)
{
    const struct outcome *o = event->outcome;

    object_add_int(object, "try", o->tries);
    if (o->status > 0)
        object_add_int(object, "status", o->status);
    else
        object_add_null(object, "status");
    object_add_text(object, "step", o->error.step);
    object_add_text(object, "error", o->error.text);
    object_add_text(object, "class", report_class(o));
    object_add_text(object, "code", o->error.code ? whorl_error_name(o->error.code) : NULL);
    object_add_seconds(object, "delay", event->delay_ns);
}

static void begin(struct object *object, const char *name, const struct event *event,
                  int64_t started_ns)
{
    object_begin(object);
    object_add_text(object, "event", name);
    object_add_seconds(object, "time", event->time_ns - started_ns);
    if (event->id > 0)
        object_add_int(object, "id", (int64_t)event->id);
    else
        object_add_null(object, "id");
    /* The other events of the transfer can be found by its number. */
    if (event->kind == EVENT_QUEUED)
        object_add_url(object, "url", event->url);
}

static const char *name_of(enum event_kind kind)
{
    static const char *const names[] = {
        [EVENT_QUEUED] = "queued",       [EVENT_STARTED] = "started", [EVENT_RESOLVED] = "resolved",
        [EVENT_CONNECTED] = "connected", [EVENT_UPLOAD] = "upload",   [EVENT_HEADERS] = "headers",
        [EVENT_PROGRESS] = "progress",   [EVENT_RETRY] = "retry",     [EVENT_VERIFIED] = "verified",
        [EVENT_DONE] = "done",
    };

    return kind < sizeof names / sizeof names[0] ? names[kind] : NULL;
}

void events_json_format(struct buffer *ret, const struct event *event, int64_t started_ns)
{
    const struct followed *followed = event->followed;
    struct object object;

    if (!name_of(event->kind))
        return;
    begin(&object, name_of(event->kind), event, started_ns);
    switch (event->kind) {
    case EVENT_QUEUED:
        object_add_text(&object, "list", event->list);
        if (event->list)
            object_add_int(&object, "line", event->line);
        else
            object_add_null(&object, "line");
        report_add_place(&object, &event->place);
        break;
    case EVENT_STARTED:
        object_add_text(&object, "name", followed->name);
        object_add_seconds(&object, "queue_seconds", event->time_ns - followed->queued_ns);
        break;
    case EVENT_RESOLVED:
    case EVENT_CONNECTED:
        object_add_text(&object, "host", event->host);
        add_addresses(&object, event);
        object_add_seconds(&object, "seconds", event->duration_ns);
        break;
    case EVENT_HEADERS:
        add_response(&object, event);
        break;
    case EVENT_PROGRESS:
        object_add_int(&object, "try", followed->tries);
        object_add_int(&object, "bytes", followed->have);
        add_length(&object, event);
        object_add_int(&object, "rate", (int64_t)followed->rate);
        object_add_int(&object, "connections", followed->connections);
        break;
    case EVENT_UPLOAD:
        object_add_int(&object, "try", followed->tries);
        object_add_int(&object, "sent", followed->sent);
        if (followed->send_length < 0)
            object_add_null(&object, "send_total");
        else
            object_add_int(&object, "send_total", followed->send_length);
        object_add_int(&object, "rate", (int64_t)followed->rate);
        break;
    case EVENT_RETRY:
        add_failure(&object, event);
        break;
    case EVENT_VERIFIED:
        object_add_int(&object, "bytes", followed->have);
        add_length(&object, event);
        object_add_text(&object, "hash", event->hash);
        break;
    case EVENT_DONE:
        report_add_outcome(&object, event->outcome);
        add_phases(&object, followed ? followed->spent_ns : NULL);
        break;
    case EVENT_SPAN:
        break;
    }
    object_write(&object, ret);
}

static void print(struct events_json *json)
{
    if (json->text.failed)
        writer_fail(json->out, -ENOMEM);
    else
        writer_add(json->out, json->text.text, json->text.len);
}

/* The bytes which an event of progress is about. */
static int64_t moved_bytes(const struct event *event)
{
    return event->kind == EVENT_UPLOAD ? event->followed->sent : event->followed->have;
}

/* Whether to drop the event: progress that nobody needs, or that the reader is too slow for. */
static bool is_needless(const struct events_json *json, const struct event *event)
{
    const struct followed *followed = event->followed;

    /* The end of an upload is always of interest. */
    if (event->kind == EVENT_UPLOAD && followed->sent == followed->send_length)
        return false;
    return (event->kind == EVENT_PROGRESS || event->kind == EVENT_UPLOAD) &&
           (moved_bytes(event) == followed->told ||
            event->time_ns - followed->told_ns < progress_interval_ns ||
            !writer_is_drained(json->out));
}

static void take(struct event_sink *sink, const struct event *event)
{
    struct events_json *json =
        (struct events_json *)((char *)sink - offsetof(struct events_json, sink));

    if (event->kind == EVENT_SPAN || is_needless(json, event))
        return;
    if (event->kind == EVENT_PROGRESS || event->kind == EVENT_UPLOAD) {
        event->followed->told = moved_bytes(event);
        event->followed->told_ns = event->time_ns;
    }
    buffer_clear(&json->text);
    events_json_format(&json->text, event, json->started_ns);
    print(json);
}

void events_json_attach(struct events_json *json, struct events *events)
{
    json->started_ns = events->started_ns;
    json->sink.take = take;
    events_add_sink(events, &json->sink);
}

void events_json_end(struct events_json *json, const struct events *events,
                     const struct totals *totals, bool interrupted)
{
    struct event event = {.kind = EVENT_DONE, .time_ns = whorl_now()};
    struct object object;

    begin(&object, "summary", &event, json->started_ns);
    report_add_sums(&object, totals, interrupted, event.time_ns - json->started_ns);
    add_phases(&object, events->spent_ns);
    buffer_clear(&json->text);
    object_write(&object, &json->text);
    print(json);
}

void events_json_finish(struct events_json *json)
{
    buffer_finish(&json->text);
}

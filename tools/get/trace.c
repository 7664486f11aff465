/* SPDX-License-Identifier: MIT */
/* Writes the trace, see trace.h. A line has the number of the transfer, the time in seconds since
 * its start, and a sign: "*" for what the client does, ">" for heads that are sent, "<" for heads
 * that are received.
 *
 *     1   0.000412 * connects to 127.0.0.1:8080
 *     1   0.000530 > GET /a HTTP/1.1
 */
#include "tools/get/trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/net.h>

#include "tools/get/events.h"
#include "tools/get/report.h"
#include "tools/get/text.h"
#include "tools/get/transfer.h"

static void add_escaped(struct buffer *line, const char *text, size_t len)
{
    size_t room = 4 * len;
    char *to = buffer_room(line, room);

    if (to)
        line->len += text_escape(to, room + 1, text, len);
}

/* One line of the trace being written. */
struct place {
    struct buffer *to;
    uint64_t id;
    int64_t time_ns;
};

static void begin(const struct place *at, char sign)
{
    buffer_printf(at->to, "%3llu %10.6f %c ", (unsigned long long)at->id,
                  (double)at->time_ns / (double)WHORL_SECOND, sign);
}

__attribute__((format(printf, 2, 3))) static void note(const struct place *at, const char *format,
                                                       ...)
{
    char *text; /* a URL has any length, and is not cut */
    va_list args;

    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    begin(at, '*');
    if (len >= 0) {
        add_escaped(at->to, text, (size_t)len);
        free(text);
    }
    buffer_add(at->to, "\n", 1);
}

/* Writes each line of a head. The empty line at its end is not shown. */
static void add_head(const struct place *at, char sign, const char *head, size_t len)
{
    while (len > 0) {
        const char *end = memmem(head, len, "\r\n", 2);
        size_t n = end ? (size_t)(end - head) : len;
        if (n > 0) {
            begin(at, sign);
            add_escaped(at->to, head, n);
            buffer_add(at->to, "\n", 1);
        }
        n += end ? 2 : 0;
        head += n;
        len -= n;
    }
}

static const char *addr_text(char text[WHORL_ADDR_TEXT_MAX], const struct whorl_addr *addr)
{
    return whorl_addr_text(addr, text, WHORL_ADDR_TEXT_MAX);
}

static void add_addresses(const struct place *at, const struct whorl_http_event *event)
{
    char text[WHORL_ADDR_TEXT_MAX];

    begin(at, '*');
    buffer_printf(at->to, "addresses:");
    for (size_t i = 0; i < event->addrs_count; i++)
        buffer_printf(at->to, " %s", addr_text(text, &event->addrs[i]));
    buffer_add(at->to, "\n", 1);
}

static void add_tls(const struct place *at, const struct whorl_http_event *event)
{
    note(at, "%s with %s%s: %s%s%s, session %s", event->tls_version,
         event->tls_with_proxy ? "the proxy " : "", event->host, event->tls_suite,
         event->tls_alpn ? ", chose " : "", event->tls_alpn ? event->tls_alpn : "",
         event->tls_resumed ? "resumed" : "new");
}

static void add_end(const struct place *at, const struct whorl_http_event *event)
{
    const struct whorl_http_info *info = event->info;
    char size[TEXT_NUMBER_SIZE], time[TEXT_NUMBER_SIZE];

    if (event->err == 0)
        note(at, "done: %s of body in %s", text_size(size, info->received_body),
             text_time(time, info->total_ns));
    else if (event->error)
        note(at, "failed (%s, %s): %s %s",
             whorl_error_class_name(whorl_error_classify(event->error)),
             whorl_error_name(event->err), event->error->step, event->error->text);
    else
        note(at, "failed (%s): %s", whorl_error_name(event->err), whorl_strerror(event->err));
}

/* The steps before the request is sent. Returns false for other events. */
static bool add_opening(const struct place *at, const struct whorl_http_event *event)
{
    unsigned long long conn = event->conn;
    char text[WHORL_ADDR_TEXT_MAX];

    switch (event->kind) {
    case WHORL_HTTP_EVENT_START:
        note(at, "%s %s", event->method, event->url ? event->url : "(not a URL)");
        break;
    case WHORL_HTTP_EVENT_QUEUE:
        note(at, "waits for a connection");
        break;
    case WHORL_HTTP_EVENT_REUSE:
        note(at, "reuses connection %llu%s%s", conn, event->addr ? " to " : "",
             event->addr ? addr_text(text, event->addr) : "");
        break;
    case WHORL_HTTP_EVENT_OPEN:
        note(at, "opens connection %llu to %s:%u: %s", conn, event->host, event->port,
             whorl_http_reuse_text(event->reuse));
        break;
    case WHORL_HTTP_EVENT_RESOLVE:
        note(at, "looks up %s", event->host);
        break;
    case WHORL_HTTP_EVENT_RESOLVED:
        add_addresses(at, event);
        break;
    case WHORL_HTTP_EVENT_CONNECT:
        note(at, "connects to %s", addr_text(text, event->addr));
        break;
    case WHORL_HTTP_EVENT_CONNECT_FAILED:
        note(at, "%s: %s", addr_text(text, event->addr), whorl_strerror(event->err));
        break;
    case WHORL_HTTP_EVENT_CONNECTED:
        note(at, "connected to %s", addr_text(text, event->addr));
        break;
    case WHORL_HTTP_EVENT_PROXY_REQUEST:
        note(at, "asks the proxy %s for %s:%u", event->text, event->host, event->port);
        add_head(at, '>', event->head, event->head_len);
        break;
    case WHORL_HTTP_EVENT_PROXY_RESPONSE:
        if (!event->head)
            note(at, "the proxy has connected");
        add_head(at, '<', event->head, event->head_len);
        break;
    case WHORL_HTTP_EVENT_TLS:
        add_tls(at, event);
        break;
    case WHORL_HTTP_EVENT_TLS_AGAIN:
        note(at, "%s refuses TLS 1.2: connects again, with OpenSSL", event->host);
        break;
    case WHORL_HTTP_EVENT_READY:
        note(at, "speaks %s", event->text);
        break;
    default:
        return false;
    }
    return true;
}

/* The other steps. */
static void add_exchange(const struct place *at, const struct whorl_http_event *event)
{
    unsigned long long conn = event->conn;
    char size[TEXT_NUMBER_SIZE];

    switch (event->kind) {
    case WHORL_HTTP_EVENT_REQUEST_HEAD:
        add_head(at, '>', event->head, event->head_len);
        break;
    case WHORL_HTTP_EVENT_SENT:
        if (event->bytes > 0)
            note(at, "sent: %s of body", text_size(size, event->bytes));
        break;
    case WHORL_HTTP_EVENT_INFORMATIONAL:
        note(at, "informational response %d", event->status);
        break;
    case WHORL_HTTP_EVENT_RESPONSE_HEAD:
        add_head(at, '<', event->head, event->head_len);
        break;
    case WHORL_HTTP_EVENT_RETRY:
        note(at, "sends the request again: %s", whorl_strerror(event->err));
        break;
    case WHORL_HTTP_EVENT_REDIRECT:
        note(at, "follows the redirect: %s %s", event->method, event->url);
        break;
    case WHORL_HTTP_EVENT_AUTH:
        note(at, "answers the %d with credentials", event->status);
        break;
    case WHORL_HTTP_EVENT_KEPT:
        note(at, "keeps connection %llu", conn);
        break;
    case WHORL_HTTP_EVENT_CLOSED:
        note(at, "closes connection %llu: %s", conn, whorl_http_reuse_text(event->reuse));
        break;
    case WHORL_HTTP_EVENT_END:
        add_end(at, event);
        break;
    default:
        break;
    }
}

void trace_format(struct buffer *ret, uint64_t id, int64_t time_ns,
                  const struct whorl_http_event *event)
{
    const struct place at = {.to = ret, .id = id, .time_ns = time_ns};

    if (!add_opening(&at, event))
        add_exchange(&at, event);
}

/* Requests in progress */

static struct trace_run *find(struct trace *trace, uint64_t request)
{
    for (size_t i = trace->runs_count; i > 0; i--)
        if (trace->runs[i - 1].request == request)
            return &trace->runs[i - 1];
    return NULL;
}

/* A request begins, in the task of its transfer. Without memory, its lines have the number 0. */
static void add_run(struct trace *trace, uint64_t request)
{
    const struct followed *followed = transfer_followed();

    if (trace->runs_count == trace->runs_size) {
        size_t size = trace->runs_size ? 2 * trace->runs_size : 16;
        struct trace_run *runs = realloc(trace->runs, size * sizeof *runs);
        if (!runs)
            return;
        trace->runs = runs;
        trace->runs_size = size;
    }
    trace->runs[trace->runs_count++] = (struct trace_run){
        .request = request,
        .id = followed ? followed->id : 0,
        .since_ns = followed ? whorl_now() - followed->started_ns : 0,
    };
}

static void remove_run(struct trace *trace, uint64_t request)
{
    struct trace_run *run = find(trace, request);

    if (run)
        *run = trace->runs[--trace->runs_count];
}

static void print(struct trace *trace, const struct whorl_http_event *event)
{
    const struct trace_run *run = find(trace, event->request);

    buffer_clear(&trace->line);
    trace_format(&trace->line, run ? run->id : 0, event->time_ns + (run ? run->since_ns : 0),
                 event);
    if (trace->line.len > 0)
        report_say(trace->report, &trace->line);
}

static void on_event(void *arg, const struct whorl_http_event *event)
{
    struct trace *trace = arg;

    if (trace->has_lines && event->kind == WHORL_HTTP_EVENT_START)
        add_run(trace, event->request);
    if (trace->has_lines)
        print(trace, event);
    if (event->kind != WHORL_HTTP_EVENT_END)
        return;
    transfer_note_info(event->info);
    remove_run(trace, event->request);
}

struct whorl_http_observer trace_observer(struct trace *trace)
{
    return (struct whorl_http_observer){.event = on_event, .arg = trace};
}

void trace_finish(struct trace *trace)
{
    free(trace->runs);
    buffer_finish(&trace->line);
}

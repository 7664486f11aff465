/* SPDX-License-Identifier: MIT */
/* Lines, objects and totals, see report.h. */
#include "tools/whorl-get/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <whorl/text.h>

#include "tools/whorl-get/progress.h"
#include "tools/whorl-get/text.h"
#include "tools/whorl-get/writer.h"

/* A buffer to which pieces of text are appended. A piece that does not fit is left out. */
struct line {
    char *buf;
    size_t size, len;
};

__attribute__((format(printf, 2, 3))) static void add(struct line *line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = vsnprintf(line->buf + line->len, line->size - line->len, format, args);
    va_end(args);
    if (n > 0 && (size_t)n < line->size - line->len)
        line->len += (size_t)n;
    line->buf[line->len] = '\0';
}

static void add_escaped(struct line *line, const char *text)
{
    line->len +=
        whorl_text_escape(text, strlen(text), line->buf + line->len, line->size - line->len);
}

static void add_url(struct line *line, const char *url)
{
    line->len += text_escape_url(line->buf + line->len, line->size - line->len, url);
}

/* Appends `,"name":"text"`, or null instead of the text. A text takes at most a sixth of the line,
 * so that all texts have room. */
static void add_json(struct line *line, const char *name, const char *text)
{
    add(line, ",\"%s\":", name);
    if (text)
        line->len += text_json(line->buf + line->len, line->size / 6, text);
    else
        add(line, "null");
}

static void add_json_url(struct line *line, const char *name, const char *url)
{
    add(line, ",\"%s\":", name);
    line->len += text_json_url(line->buf + line->len, line->size / 6, url);
}

/* Appends the duration of one stage before the response, for --verbose. */
static void add_stage(struct line *line, const char *name, int64_t duration_ns)
{
    char time[TEXT_NUMBER_SIZE];

    if (duration_ns >= 0)
        add(line, ", %s %s", name, text_time(time, duration_ns));
}

static void add_dir(struct line *line, const struct outcome *o)
{
    if (!o->dir)
        return;
    add_escaped(line, o->dir);
    if (o->dir[0] && o->dir[strlen(o->dir) - 1] != '/')
        add(line, "/");
}

static void add_success(struct line *line, const struct outcome *o, bool verbose)
{
    char size[TEXT_NUMBER_SIZE], time[TEXT_NUMBER_SIZE];

    add_url(line, o->url);
    add(line, " -> ");
    add_dir(line, o);
    add_escaped(line, o->file);
    add(line, " (%s in %s", text_size(size, o->bytes), text_time(time, o->duration_ns));
    if (verbose) {
        add(line, "; %d", o->status);
        if (o->timing.redirects > 0 && o->final_url) {
            add(line, " from ");
            add_escaped(line, o->final_url);
        }
        if (o->tries > 1)
            add(line, " on try %d", o->tries);
        add(line, ", %s connection", o->timing.reused ? "reused" : "new");
        add_stage(line, "queue", o->timing.queue_ns);
        add_stage(line, "connect", o->timing.connect_ns);
        add_stage(line, "TLS", o->timing.tls_ns);
        add_stage(line, "first byte", o->timing.first_byte_ns);
    }
    add(line, ")\n");
}

/* Whether the text is only a cause, as in "URL: no host". The opposite is a text that also names
 * the object of the step, as in "connect 127.0.0.1:9: connection refused". */
static bool is_mere_cause(const struct whorl_error *error)
{
    return strcmp(error->step, "URL") == 0 ||
           (error->code && strcmp(error->text, whorl_strerror(error->code)) == 0);
}

static void add_failure(struct line *line, const struct outcome *o)
{
    add(line, "whorl-get: ");
    if (o->list && (o->error.step[0] == '\0' || strcmp(o->error.step, "URL") == 0 || !o->url[0])) {
        add_escaped(line, o->list);
        if (o->line > 0)
            add(line, ":%ld", o->line);
        add(line, ": ");
    }
    if (o->url[0]) {
        add_url(line, o->url);
        add(line, ": ");
    }
    if (o->error.step[0]) {
        add_escaped(line, o->error.step);
        add(line, is_mere_cause(&o->error) ? ": " : " ");
    }
    add_escaped(line, o->error.text);
    if (o->tries > 1)
        add(line, " (tried %d times)", o->tries);
    add(line, "\n");
}

size_t report_format_line(char *ret, size_t size, const struct outcome *outcome, bool verbose)
{
    struct line line = {ret, size - 1, 0}; /* keeps a byte for the newline of a line that is cut */

    if (outcome->ok)
        add_success(&line, outcome, verbose);
    else
        add_failure(&line, outcome);
    if (line.len == 0 || ret[line.len - 1] != '\n')
        memcpy(ret + line.len, "\n", 2), line.len++;
    return line.len;
}

static double seconds(int64_t duration_ns)
{
    return (double)duration_ns / (double)WHORL_SECOND;
}

size_t report_format_object(char *ret, size_t size, const struct outcome *o)
{
    struct line line = {ret, size, 0};

    add(&line, "{\"ok\":%s", o->ok ? "true" : "false");
    add_json_url(&line, "url", o->url);
    add_json(&line, "final_url", o->final_url);
    add_json(&line, "dir", o->file ? o->dir : NULL);
    add_json(&line, "file", o->file);
    if (o->status > 0)
        add(&line, ",\"status\":%d", o->status);
    else
        add(&line, ",\"status\":null");
    add(&line, ",\"bytes\":%lld,\"seconds\":%.6f,\"tries\":%d", (long long)o->bytes,
        seconds(o->duration_ns), o->tries);
    add(&line, ",\"redirects\":%d,\"reused\":%s", o->status > 0 ? o->timing.redirects : 0,
        o->status > 0 && o->timing.reused ? "true" : "false");
    if (o->list) {
        add_json(&line, "list", o->list);
        add(&line, ",\"line\":%ld", o->line);
    }
    if (!o->ok) {
        add_json(&line, "step", o->error.step);
        add_json(&line, "error", o->error.text);
        add_json(&line, "code", o->error.code ? whorl_error_name(o->error.code) : NULL);
    }
    add(&line, "}\n");
    return line.len;
}

/* Prints a line for people. It appears above the bars, if there are any. */
static void say(struct report *report, const char *text, size_t len)
{
    if (report->progress)
        progress_add_line(report->progress, text, len);
    else
        writer_add(report->messages, text, len);
}

void report_outcome(struct report *report, const struct outcome *o)
{
    char *text = report->text;

    report->totals.done += o->ok;
    report->totals.failed += !o->ok && !o->interrupted;
    report->totals.interrupted += o->interrupted;
    report->totals.bytes += o->bytes;
    if (report->json)
        writer_add(report->objects, text, report_format_object(text, REPORT_LINE_SIZE, o));
    /* The user who interrupts knows why the transfers end, so they get no line each. */
    if (o->ok ? report->quiet || report->json : o->interrupted)
        return;
    say(report, text, report_format_line(text, REPORT_LINE_SIZE, o, report->verbose));
}

void report_retry(struct report *report, const struct outcome *o, int64_t pause_ns)
{
    char *text = report->text, time[TEXT_NUMBER_SIZE];

    if (!report->verbose)
        return;
    struct outcome once = *o;
    once.tries = 1;
    size_t len = report_format_line(text, REPORT_LINE_SIZE - 64, &once, false) - 1;
    len += (size_t)snprintf(text + len, REPORT_LINE_SIZE - len, "; try %d in %s\n", o->tries + 1,
                            text_time(time, pause_ns));
    say(report, text, len);
}

void report_summary(struct report *report, bool interrupted)
{
    char text[512], size[TEXT_NUMBER_SIZE], time[TEXT_NUMBER_SIZE];
    struct line line = {text, sizeof text, 0};
    int64_t duration_ns = whorl_now() - report->totals.started_ns;
    uint64_t total = report->totals.done + report->totals.failed + report->totals.interrupted;

    if (report->json) {
        add(&line,
            "{\"summary\":true,\"ok\":%llu,\"failed\":%llu,\"interrupted\":%s,\"bytes\":%lld,"
            "\"seconds\":%.6f}\n",
            (unsigned long long)report->totals.done,
            (unsigned long long)(report->totals.failed + report->totals.interrupted),
            interrupted ? "true" : "false", (long long)report->totals.bytes, seconds(duration_ns));
        writer_add(report->objects, text, line.len);
        line.len = 0;
    }
    if (interrupted)
        add(&line, "whorl-get: interrupted; %llu transfer%s stopped, partial files removed\n",
            (unsigned long long)report->totals.interrupted,
            report->totals.interrupted == 1 ? "" : "s");
    if (!report->quiet && !report->json && total > 1 && (report->tty || report->verbose)) {
        add(&line, "%llu of %llu files, %s in %s", (unsigned long long)report->totals.done,
            (unsigned long long)total, text_size(size, report->totals.bytes),
            text_time(time, duration_ns));
        if (report->totals.failed > 0)
            add(&line, ", %llu failed", (unsigned long long)report->totals.failed);
        add(&line, "\n");
    }
    say(report, text, line.len);
}

WHORL_SUSPENDS int report_wait_room(struct report *report)
{
    int err = writer_wait_room(report->messages);

    if (err == 0 && report->json)
        err = writer_wait_room(report->objects);
    return err;
}

int report_exit_status(const struct report *report, bool interrupted)
{
    bool lost = report->json && report->objects->err;

    if (report->totals.failed == 0 && report->totals.interrupted == 0 && !interrupted && !lost)
        return EXIT_ALL;
    return report->totals.done > 0 ? EXIT_SOME : EXIT_NONE;
}

/* SPDX-License-Identifier: MIT */
/* Writes a timeline as trace events in JSON, for Perfetto and chrome://tracing. A section becomes a
 * process, a lane a thread, and each span a slice. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <whorl/text.h>

#include "timeline.h"
#include "timeline_view.h"

/* Writes a JSON string. Names can hold any bytes. */
static void put_string(const char *text, FILE *to)
{
    char piece[512];

    putc('"', to);
    for (size_t len = strlen(text), n; len > 0; text += n, len -= n) {
        n = whorl_text_cut(text, len, sizeof piece / 6 - 1); /* escaped, it fits: see text.h */
        whorl_text_escape_json(text, n, piece, sizeof piece);
        fputs(piece, to);
    }
    putc('"', to);
}

/* Writes a time in microseconds, the unit of the format. */
static void put_us(int64_t ns, FILE *to)
{
    fprintf(to, "%" PRId64 ".%03d", ns / 1000, (int)(ns % 1000));
}

static void put_name(const char *what, size_t pid, size_t tid, const char *name, FILE *to)
{
    fprintf(to, "{\"ph\":\"M\",\"name\":\"%s\",\"pid\":%zu,\"tid\":%zu,\"args\":{\"name\":", what,
            pid, tid);
    put_string(name, to);
    fputs("}}", to);
}

static void put_section(const struct timeline_view_section *section, size_t pid, const char *title,
                        FILE *to)
{
    put_name("process_name", pid, 1, section->name[0] ? section->name : title, to);
    for (size_t i = 0; i < section->count; i++) {
        const struct timeline_view_lane *lane = &section->lanes[i];
        fputs(",\n", to);
        put_name("thread_name", pid, i + 1, lane->name, to);
        fprintf(to,
                ",\n{\"ph\":\"M\",\"name\":\"thread_sort_index\",\"pid\":%zu,\"tid\":%zu,"
                "\"args\":{\"sort_index\":%zu}}",
                pid, i + 1, i);
        for (size_t s = 0; s < lane->count; s++) {
            const struct timeline_span *span = &lane->spans[s];
            fprintf(to, ",\n{\"ph\":\"X\",\"name\":\"%s\",\"pid\":%zu,\"tid\":%zu,\"ts\":",
                    span->works ? "computes" : "waits", pid, i + 1);
            put_us(span->from_ns - section->began_ns, to);
            fputs(",\"dur\":", to);
            put_us(span->to_ns - span->from_ns, to);
            putc('}', to);
        }
    }
}

int timeline_write_trace(const struct timeline *timeline, const char *title, FILE *to)
{
    struct timeline_view view;

    int err = timeline_view_init(&view, timeline);
    if (err)
        return err;
    errno = 0; /* afterwards it is the error of the first failed write, if any */
    fputs("{\"displayTimeUnit\":\"ms\",\"otherData\":{\"title\":", to);
    put_string(title, to);
    fprintf(to, ",\"lost\":%zu},\n\"traceEvents\":[\n", view.lost);
    for (size_t i = 0; i < view.count; i++) {
        fputs(i > 0 ? ",\n" : "", to);
        put_section(&view.sections[i], i + 1, title, to);
    }
    fputs("\n]}\n", to);
    timeline_view_finish(&view);
    if (fflush(to) != 0 || ferror(to))
        err = errno ? -errno : -EIO;
    return err;
}

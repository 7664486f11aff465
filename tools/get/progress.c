/* SPDX-License-Identifier: MIT */
/* Bars on a terminal, see progress.h. */
#include "tools/get/progress.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <whorl/signal.h>
#include <whorl/task.h>
#include <whorl/url.h>

#include "tools/get/bars.h"
#include "tools/get/events.h"
#include "tools/get/text.h"
#include "tools/get/totals.h"
#include "tools/get/writer.h"

enum {
    /* A label is a host with ": ", a directory, and a name. A byte is escaped to at most four. */
    HOST_MAX = 300,
    DIR_MAX = 100, /* of a longer directory only the end is shown */
    NAME_MAX_SHOWN = 400,
    LABEL_MAX = HOST_MAX + DIR_MAX + NAME_MAX_SHOWN,
    LABEL_SIZE = 4 * LABEL_MAX + 64, /* with the number of the try */
    COLUMNS_MAX = 400,               /* wider terminals are not filled */
};

static const int64_t frame_interval_min_ns = 50 * WHORL_MILLISECOND;

/* A body of which nothing arrives for this time is stalled. */
static const int64_t stall_ns = 3 * WHORL_SECOND;

bool progress_is_possible(int fd)
{
    const char *term = getenv("TERM");

    return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

void progress_init(struct progress *progress, int fd, struct writer *out,
                   const struct events *events, const struct totals *totals)
{
    static const int continued[] = {SIGCONT, 0};
    const char *no_color = getenv("NO_COLOR");

    *progress = (struct progress){
        .out = out,
        .events = events,
        .totals = totals,
        .fd = fd,
        .colour = !no_color || !*no_color,
    };
    if (whorl_signals_open(continued, &progress->continued))
        progress->continued = NULL;
}

void progress_finish(struct progress *progress)
{
    whorl_signals_close(progress->continued);
    progress->continued = NULL;
    buffer_finish(&progress->lines);
}

void progress_add_line(struct progress *progress, const char *text, size_t len)
{
    buffer_add(&progress->lines, text, len);
    if (progress->lines.len >= WRITER_FULL)
        progress_draw(progress);
}

static void put(struct progress *progress, const char *text)
{
    writer_add(progress->out, text, strlen(text));
}

/* Reads the size of the terminal. If it is unknown, assumes 80 by 24. */
static void measure(const struct progress *progress, int *ret_columns, int *ret_rows)
{
    struct winsize size;
    bool known = ioctl(progress->fd, TIOCGWINSZ, &size) == 0;

    *ret_columns = known && size.ws_col > 0 ? size.ws_col : 80;
    *ret_rows = known && size.ws_row > 0 ? size.ws_row : 24;
}

/* How many lines of the terminal a row takes: a terminal wraps rows when it becomes narrower. */
static int lines_of(int row_columns, int columns)
{
    return row_columns <= columns ? 1 : (row_columns + columns - 1) / columns;
}

/* Forgets what was drawn: it stays where it is, and the next frame begins at the cursor. */
static void forget_rows(struct progress *progress)
{
    progress->rows = 0;
    progress->lost = 0;
}

/* When a window with many rows becomes lower, the terminal moves the first rows out at its top,
 * where nothing can erase them. When the window grows again, the terminal moves them back in. The
 * cursor is at the start of our first row: removes the old rows that are now above it. `grown` is
 * the number of lines that the window has gained. */
static void erase_lost(struct progress *progress, int grown)
{
    char text[64];
    int visible = grown - progress->since;

    if (visible > progress->lost)
        visible = progress->lost;
    if (visible <= 0)
        return;
    snprintf(text, sizeof text, "\x1b[%dA\x1b[%dM", progress->since + visible, visible);
    put(progress, text);
    if (progress->since > 0) {
        snprintf(text, sizeof text, "\x1b[%dB", progress->since);
        put(progress, text);
    }
    progress->lost -= visible;
}

/* Moves the cursor to the start of the first row. */
static void go_to_top(struct progress *progress, int columns, int rows)
{
    char text[32];
    int lines = 0, grown = rows - progress->screen_rows;

    if (columns != progress->screen_columns)
        progress->lost = 0; /* how many lines they take now depends on the terminal */
    progress->screen_columns = columns;
    progress->screen_rows = rows;
    if (progress->rows == 0)
        return;
    for (size_t i = 0; i < progress->rows; i++)
        lines += lines_of(progress->row_columns[i], columns);
    progress->rows = 0;
    put(progress, "\r");
    if (lines > 1) {
        snprintf(text, sizeof text, "\x1b[%dA", lines - 1);
        put(progress, text);
    }
    if (lines > rows) {
        progress->lost = lines - rows + (progress->since == 0 ? progress->lost : 0);
        progress->since = 0;
    } else if (grown > 0) {
        erase_lost(progress, grown);
    }
}

/* Prints the pending lines. Each one clears the rest of the row which it overwrites. */
static void put_lines(struct progress *progress, int columns)
{
    if (progress->lines.len == 0)
        return;
    char *at = progress->lines.text, *end = at + progress->lines.len;
    while (at < end) {
        char *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline)
            *newline = '\0';
        put(progress, at);
        put(progress, "\x1b[K\n");
        progress->since += lines_of(text_width(at), columns);
        at = newline ? newline + 1 : end;
    }
    buffer_clear(&progress->lines);
}

static void put_row(struct progress *progress, const char *text)
{
    if (progress->rows == PROGRESS_ROWS_MAX)
        return;
    if (progress->rows > 0)
        put(progress, "\n");
    put(progress, text);
    put(progress, "\x1b[K");
    progress->row_columns[progress->rows++] = text_width(text);
}

/* The length of the directory in `target`, with both slashes. */
static size_t dir_len(const char *target)
{
    const char *slash = memrchr(target, '/', strcspn(target, "?"));

    return slash ? (size_t)(slash - target) + 1 : 0;
}

static bool same_dir(const char *a, const char *b)
{
    size_t len = dir_len(a);

    return len == dir_len(b) && memcmp(a, b, len) == 0;
}

/* Writes the label of a bar: the name, with what tells it apart from the first `shown` items that
 * have the same name. */
static void format_label(char ret[LABEL_SIZE], const struct progress *progress,
                         const struct followed *item, size_t shown)
{
    const struct followed *other = progress->events->first;
    const char *target = item->at->target;
    bool hosts_differ = false, dirs_differ = false;
    char text[LABEL_MAX + 1];

    for (; other && shown > 0; other = other->next, shown--) {
        if (strcmp(other->name, item->name) != 0)
            continue;
        if (strcmp(other->at->authority, item->at->authority) != 0)
            hosts_differ = true;
        else if (!same_dir(other->at->target, target))
            dirs_differ = true;
    }
    size_t len = dirs_differ ? dir_len(target) : 0, skipped = len > DIR_MAX ? len - DIR_MAX : 0;
    int n =
        snprintf(text, sizeof text, "%.*s%s%.*s%.*s", HOST_MAX - 2,
                 hosts_differ ? item->at->authority : "", hosts_differ && !dirs_differ ? ": " : "",
                 (int)(len - skipped), target + skipped, NAME_MAX_SHOWN - 1, item->name);
    n = (int)text_escape(ret, LABEL_SIZE, text, (size_t)n);
    if (item->sending)
        n += snprintf(ret + n, LABEL_SIZE - (size_t)n, " (upload)");
    if (item->tries > 1)
        n += snprintf(ret + n, LABEL_SIZE - (size_t)n, " (try %d)", item->tries);
    if (item->connections > 1)
        snprintf(ret + n, LABEL_SIZE - (size_t)n, " (%d connections)", item->connections);
}

enum { WAITS_SIZE = 80 };

/* Says why nothing arrives. Returns NULL while the body does. */
static const char *why_waiting(char ret[WAITS_SIZE], const struct followed *item, int64_t now)
{
    int64_t left_ns = item->pause_until_ns > now ? item->pause_until_ns - now : 0;

    switch (item->mark.phase) {
    case PHASE_QUEUE:
        return "waiting for a connection";
    case PHASE_DNS:
        return "resolving the name";
    case PHASE_CONNECT:
        return "connecting";
    case PHASE_TLS:
        return "TLS handshake";
    case PHASE_REDIRECT:
    case PHASE_FIRST_BYTE:
        if (item->sending)
            break;
        return "waiting for the server";
    case PHASE_DISK:
        return now - item->mark.since_ns > stall_ns ? "waiting for the disk" : NULL;
    case PHASE_RETRY:
    case PHASE_THROTTLED:
        if (item->receiving)
            return "throttled";
        if (left_ns > 0)
            snprintf(ret, WAITS_SIZE, "retry in %lld s (%s)", (long long)(left_ns / WHORL_SECOND),
                     item->cause);
        else
            snprintf(ret, WAITS_SIZE, "waiting to retry (%s)", item->cause);
        return ret;
    case PHASE_BODY:
    case PHASES:
        break;
    }
    if (now - item->moved_ns < stall_ns)
        return NULL;
    snprintf(ret, WAITS_SIZE, "%s for %lld s", item->sending ? "nothing sent" : "no data",
             (long long)((now - item->moved_ns) / WHORL_SECOND));
    return ret;
}

/* Whether this process may draw. A frame would disturb another process that is in the
 * foreground. */
static bool in_foreground(const struct progress *progress)
{
    pid_t group = tcgetpgrp(progress->fd);

    return group < 0 || group == getpgrp();
}

/* Whether the process was stopped and has been continued since the last frame. */
static bool was_stopped(struct progress *progress)
{
    bool yes = false;

    while (progress->continued && whorl_signals_try_wait(progress->continued, NULL) == 0)
        yes = true;
    return yes;
}

static void put_bar(struct progress *progress, const struct followed *item, int64_t now, int width,
                    size_t room)
{
    char label[LABEL_SIZE], text[BARS_LINE_SIZE(COLUMNS_MAX)], waits[WAITS_SIZE];

    format_label(label, progress, item, room);
    const struct bar bar = {
        .label = label,
        .waits = why_waiting(waits, item, now),
        .share = followed_share(item),
        .have = item->sending ? item->sent : item->have,
        .rate = item->rate > 0 ? (int64_t)item->rate : 0,
        .left_ns = followed_left_ns(item),
    };
    bars_format(text, sizeof text, &bar, width, progress->colour);
    put_row(progress, text);
}

/* The time until all is done; -1 when it cannot be known. A file whose length is not known counts
 * as one of the average size. */
static int64_t total_left_ns(const struct events *events, const struct totals *totals)
{
    double left = 0, size = (double)totals->bytes, unknown = (double)totals->queued;
    uint64_t sized = totals->done;

    if (totals->open || events->rate < 1)
        return -1;
    for (const struct followed *item = events->first; item; item = item->next) {
        if (item->length < 0) {
            unknown++;
            left -= (double)item->have;
            continue;
        }
        left += (double)(item->length - item->have);
        size += (double)item->length;
        sized++;
    }
    if (unknown > 0 && sized == 0)
        return -1;
    if (unknown > 0)
        left += unknown * size / (double)sized;
    return left > 0 ? (int64_t)(left / events->rate * 1e9) : 0;
}

void progress_sum(struct bars_total *ret, const struct events *events, const struct totals *totals)
{
    *ret = (struct bars_total){
        .done = totals->done,
        .failed = totals->failed,
        .files =
            totals->done + totals->failed + totals->interrupted + events->active + totals->queued,
        .open = totals->open,
        .queued = totals->queued,
        .received = events->received,
        .rate = events->rate > 0 ? (int64_t)events->rate : 0,
        .left_ns = total_left_ns(events, totals),
    };
    for (const struct followed *item = events->first; item; item = item->next) {
        bool waiting = !item->receiving && item->mark.phase >= PHASE_RETRY;
        ret->waiting += waiting;
        ret->active += !waiting;
        if (!item->sending)
            continue;
        ret->sent += item->sent;
        ret->send_length = item->send_length < 0 || ret->send_length < 0
                               ? -1
                               : ret->send_length + item->send_length;
    }
}

static void put_total(struct progress *progress, size_t shown, int width)
{
    char text[BARS_LINE_SIZE(COLUMNS_MAX)];
    struct bars_total total;

    progress_sum(&total, progress->events, progress->totals);
    total.hidden = progress->events->active - shown;
    bars_format_total(text, sizeof text, &total, width);
    put_row(progress, text);
}

void progress_draw(struct progress *progress)
{
    int columns, rows;
    int64_t now = whorl_now();

    measure(progress, &columns, &rows);
    if (was_stopped(progress))
        forget_rows(progress);
    if (!in_foreground(progress)) { /* another process uses the screen now */
        forget_rows(progress);
        put_lines(progress, columns);
        return;
    }
    go_to_top(progress, columns, rows);
    put_lines(progress, columns);

    /* A full row would wrap on some terminals. */
    int width = columns - 1 < COLUMNS_MAX ? columns - 1 : COLUMNS_MAX;
    size_t room = rows > 2 ? (size_t)rows - 2 : 0, shown = 0;
    if (room > PROGRESS_ROWS_MAX - 1)
        room = PROGRESS_ROWS_MAX - 1;
    const struct followed *item = progress->events->first;
    for (; item && shown < room; item = item->next, shown++)
        put_bar(progress, item, now, width, room);
    put_total(progress, shown, width);
    put(progress, "\x1b[J");
    progress->frame_ns = now;
}

void progress_draw_if_due(struct progress *progress)
{
    if (whorl_now() - progress->frame_ns >= frame_interval_min_ns)
        progress_draw(progress);
}

void progress_clear(struct progress *progress)
{
    int columns, rows;

    measure(progress, &columns, &rows);
    if (was_stopped(progress))
        forget_rows(progress);
    go_to_top(progress, columns, rows);
    put_lines(progress, columns);
    put(progress, "\x1b[J");
}

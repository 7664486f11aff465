/* SPDX-License-Identifier: MIT */
/* Bars on a terminal, see progress.h. */
#include "tools/whorl-get/progress.h"

#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <whorl/http.h>
#include <whorl/task.h>
#include <whorl/text.h>

#include "tools/whorl-get/text.h"
#include "tools/whorl-get/writer.h"

static const int64_t frame_interval_ns = WHORL_SECOND / 10;

bool progress_is_possible(int fd)
{
    const char *term = getenv("TERM");

    return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

void progress_init(struct progress *progress, int fd, struct writer *out,
                   const struct totals *totals)
{
    const char *no_color = getenv("NO_COLOR");

    *progress = (struct progress){
        .out = out,
        .totals = totals,
        .fd = fd,
        .colour = !no_color || !*no_color,
        .ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0,
        .frame_ns = whorl_now(),
    };
    progress->last = &progress->first;
}

void progress_finish(struct progress *progress)
{
    free(progress->lines);
    progress->lines = NULL;
}

void progress_join(struct progress *progress, struct progress_item *item, const char *name)
{
    if (!progress)
        return;
    *item = (struct progress_item){.link = progress->last};
    (progress->ascii ? whorl_text_escape_ascii : whorl_text_escape)(name, strlen(name), item->label,
                                                                    sizeof item->label);
    *progress->last = item;
    progress->last = &item->next;
    progress->active++;
}

void progress_leave(struct progress *progress, struct progress_item *item)
{
    if (!progress)
        return;
    *item->link = item->next;
    if (item->next)
        item->next->link = item->link;
    else
        progress->last = item->link;
    progress->active--;
}

void progress_add_line(struct progress *progress, const char *text, size_t len)
{
    if (progress->lines_size - progress->lines_len < len) {
        size_t size = progress->lines_size ? 2 * progress->lines_size : 4096;
        while (size - progress->lines_len < len)
            size *= 2;
        char *lines = realloc(progress->lines, size);
        if (!lines)
            return;
        progress->lines = lines;
        progress->lines_size = size;
    }
    memcpy(progress->lines + progress->lines_len, text, len);
    progress->lines_len += len;
    if (progress->lines_len >= WRITER_FULL)
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

/* Moves the cursor to the start of the first row. If the terminal became narrower, it has wrapped
 * the rows, so each may take several lines. */
static void go_to_top(struct progress *progress, int columns)
{
    char text[32];
    int up = -1;

    if (progress->rows == 0)
        return;
    for (size_t i = 0; i < progress->rows; i++)
        up += progress->row_columns[i] <= columns
                  ? 1
                  : (progress->row_columns[i] + columns - 1) / columns;
    put(progress, "\r");
    if (up > 0) {
        snprintf(text, sizeof text, "\x1b[%dA", up);
        put(progress, text);
    }
    progress->rows = 0;
}

/* Prints the pending lines. Each one clears the rest of the row which it overwrites. */
static void put_lines(struct progress *progress)
{
    const char *at = progress->lines, *end = at + progress->lines_len;

    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        writer_add(progress->out, at, (size_t)((newline ? newline : end) - at));
        put(progress, "\x1b[K\n");
        at = newline ? newline + 1 : end;
    }
    progress->lines_len = 0;
}

static void put_row(struct progress *progress, const char *text, int columns)
{
    if (progress->rows == PROGRESS_ROWS_MAX)
        return;
    if (progress->rows > 0)
        put(progress, "\n");
    put(progress, text);
    put(progress, "\x1b[K");
    progress->row_columns[progress->rows++] = columns;
}

/* Updates a rate in bytes per second. The rate is an average over about two seconds. */
static void smooth(double *rate, int64_t gained, int64_t elapsed_ns)
{
    double now = (double)gained * 1e9 / (double)(elapsed_ns > 0 ? elapsed_ns : 1);
    double weight = (double)elapsed_ns / 2e9;

    if (weight > 1 || *rate == 0)
        weight = 1;
    *rate += (now - *rate) * weight;
}

static struct bar bar_of(struct progress_item *item, int64_t now, int64_t elapsed_ns)
{
    struct bar bar = {.label = item->label, .state = item->state, .length = -1};

    if (item->response) {
        bar.received = whorl_http_response_received(item->response);
        bar.length = whorl_http_response_length(item->response);
    }
    smooth(&item->rate, bar.received - item->received_before, elapsed_ns);
    item->received_before = bar.received;
    bar.rate = item->rate > 0 ? (int64_t)item->rate : 0;
    bar.pause_ns = item->pause_until_ns > now ? item->pause_until_ns - now : 0;
    return bar;
}

/* Whether this process may draw. A frame would disturb another process that is in the
 * foreground. */
static bool in_foreground(const struct progress *progress)
{
    pid_t group = tcgetpgrp(progress->fd);

    return group < 0 || group == getpgrp();
}

void progress_draw(struct progress *progress)
{
    char text[BARS_LINE_SIZE(400)];
    int columns, rows;
    int64_t now = whorl_now(), elapsed_ns = now - progress->frame_ns, received = 0;

    measure(progress, &columns, &rows);
    if (!in_foreground(progress)) { /* another process uses the screen now: forget our rows */
        progress->rows = 0;
        put_lines(progress);
        return;
    }
    go_to_top(progress, columns);
    put_lines(progress);

    int width = columns - 1 < 400 ? columns - 1 : 400; /* a full row would wrap on some terminals */
    size_t room = rows > 2 ? (size_t)rows - 2 : 0, shown = 0;
    if (room > PROGRESS_ROWS_MAX - 1)
        room = PROGRESS_ROWS_MAX - 1;
    for (struct progress_item *item = progress->first; item; item = item->next) {
        struct bar bar = bar_of(item, now, elapsed_ns);
        received += bar.received;
        if (shown < room) {
            bars_format(text, sizeof text, &bar, width, progress->colour);
            put_row(progress, text, width);
            shown++;
        }
    }
    received += progress->totals->bytes;
    smooth(&progress->rate, received - progress->received_before, elapsed_ns);
    struct bars_total total = {
        .done = progress->totals->done,
        .failed = progress->totals->failed,
        .active = progress->active,
        .hidden = progress->active - shown,
        .received = received,
        .rate = progress->rate > 0 ? (int64_t)progress->rate : 0,
        .duration_ns = now - progress->totals->started_ns,
    };
    bars_format_total(text, sizeof text, &total, width);
    put_row(progress, text, width);
    put(progress, "\x1b[J");
    progress->received_before = received;
    progress->frame_ns = now;
}

WHORL_SUSPENDS int progress_run(void *arg)
{
    struct progress *progress = arg;
    int err;

    while ((err = whorl_sleep(frame_interval_ns)) == 0)
        if (writer_is_drained(progress->out)) /* a slow terminal gets fewer frames, no old ones */
            progress_draw(progress);
    return err;
}

void progress_clear(struct progress *progress)
{
    int columns, rows;

    measure(progress, &columns, &rows);
    go_to_top(progress, columns);
    put_lines(progress);
    put(progress, "\x1b[J");
}

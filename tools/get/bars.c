/* SPDX-License-Identifier: MIT */
/* Progress lines, see bars.h. */
#include "tools/get/bars.h"

#include <stdio.h>
#include <string.h>

#include <whorl/base.h>

#include "tools/get/text.h"

enum { FIGURES_COLUMNS = 25, LEFT_COLUMNS = 9, LABEL_MIN = 12, BAR_MIN = 6, BAR_MAX = 40 };

/* On a narrower terminal, the name needs the columns of the time left. */
enum { COLUMNS_WITH_LEFT = 60 };

/* Writes the time that is left: "5 s", "2:05". Rounds up, so that "0 s" is never shown. */
static const char *format_left(char ret[TEXT_NUMBER_SIZE], int64_t left_ns)
{
    int64_t s = (left_ns + WHORL_SECOND - 1) / WHORL_SECOND;

    if (left_ns < 0)
        ret[0] = '\0';
    else if (s < 60)
        snprintf(ret, TEXT_NUMBER_SIZE, "%d s", s > 0 ? (int)s : 1);
    else if (s >= 100 * 3600)
        snprintf(ret, TEXT_NUMBER_SIZE, "> 99 h");
    else
        text_time(ret, s * WHORL_SECOND);
    return ret;
}

/* Writes the figures at the end of a line: " 45%   1.2 MB   340 kB/s    2:05 ". They are always
 * `columns` wide. */
static void format_figures(char *ret, size_t size, const struct bar *bar, int columns)
{
    char a[TEXT_NUMBER_SIZE], b[TEXT_NUMBER_SIZE], left[TEXT_NUMBER_SIZE], percent[16] = "    ";
    int part = (int)(100 * bar->share), n;

    if (bar->share >= 0)
        snprintf(percent, sizeof percent, "%3d%%", part < 100 ? part : 100);
    if (bar->waits)
        n = snprintf(ret, size, "%s %.*s", percent, columns - 5, bar->waits);
    else
        n = snprintf(ret, size, "%s %8s %8s/s%*s", percent, text_size(a, bar->have),
                     text_size(b, bar->rate), columns - FIGURES_COLUMNS,
                     columns > FIGURES_COLUMNS ? format_left(left, bar->left_ns) : "");
    if (n < columns)
        snprintf(ret + n, size - (size_t)n, "%*s", columns - n, "");
}

/* Writes "[=====>    ]", `columns` wide, which is at least BAR_MIN. The bar is empty when the
 * length is unknown. */
static size_t format_bar(char *ret, size_t size, const struct bar *bar, int columns, bool colour)
{
    char inner[BAR_MAX + 1];
    int room = columns - 2, full = bar->share > 0 ? (int)(room * bar->share) : 0;

    if (full > room)
        full = room;
    memset(inner, '=', (size_t)full);
    memset(inner + full, ' ', (size_t)(room - full));
    inner[room] = '\0';
    if (full > 0 && full < room)
        inner[full] = '>';
    const char *on = colour && full > 0 ? "\x1b[36m" : "", *off = *on ? "\x1b[0m" : "";
    int n = snprintf(ret, size, "[%s%s%s]", on, inner, off);
    return n > 0 ? (size_t)n : 0;
}

size_t bars_format(char *ret, size_t size, const struct bar *bar, int columns, bool colour)
{
    char figures[128], label[BARS_LINE_SIZE(120)];
    int figures_columns = FIGURES_COLUMNS + (columns >= COLUMNS_WITH_LEFT ? LEFT_COLUMNS : 0);
    int rest = columns - figures_columns;

    if (rest < 1) { /* there is room only for the name */
        text_fit(ret, size, bar->label, columns < 0 ? 0 : columns);
        return strlen(ret);
    }
    int bar_columns = rest - LABEL_MIN - 1 >= BAR_MIN ? rest * 2 / 5 : 0;
    if (bar_columns > BAR_MAX)
        bar_columns = BAR_MAX;
    if (bar_columns > 0 && bar_columns < BAR_MIN)
        bar_columns = BAR_MIN;
    int label_columns = rest - bar_columns - 1;
    if (label_columns > 120)
        label_columns = 120;

    int taken = text_fit(label, sizeof label, bar->label, label_columns);
    size_t out = (size_t)snprintf(ret, size, "%s%*s", label, label_columns - taken + 1, "");
    if (bar_columns > 0)
        out += format_bar(ret + out, size - out, bar, bar_columns, colour);
    format_figures(figures, sizeof figures, bar, figures_columns);
    out += (size_t)snprintf(ret + out, size - out, "%s", figures);
    while (out > 0 && ret[out - 1] == ' ')
        ret[--out] = '\0';
    return out;
}

/* Appends ", 7 queued" if there are any. */
static void add_count(char *text, size_t size, uint64_t count, const char *word)
{
    size_t len = strlen(text);

    if (count > 0)
        snprintf(text + len, size - len, ", %llu %s", (unsigned long long)count, word);
}

size_t bars_format_total(char *ret, size_t size, const struct bars_total *total, int columns)
{
    char text[400], received[TEXT_NUMBER_SIZE], rate[TEXT_NUMBER_SIZE], left[TEXT_NUMBER_SIZE];
    size_t len;

    snprintf(text, sizeof text, "%llu of %llu%s files", (unsigned long long)total->done,
             (unsigned long long)total->files, total->open ? "+" : "");
    add_count(text, sizeof text, total->failed, "failed");
    add_count(text, sizeof text, total->active, "active");
    len = strlen(text);
    if (total->hidden > 0)
        snprintf(text + len, sizeof text - len, " (%llu not shown)",
                 (unsigned long long)total->hidden);
    add_count(text, sizeof text, total->waiting, "waiting");
    len = strlen(text);
    snprintf(text + len, sizeof text - len, ", %s, %s/s", text_size(received, total->received),
             text_size(rate, total->rate));
    len = strlen(text);
    if (total->send_length != 0)
        snprintf(text + len, sizeof text - len, ", sent %s%s%s", text_size(received, total->sent),
                 total->send_length > 0 ? " of " : "",
                 total->send_length > 0 ? text_size(rate, total->send_length) : "");
    len = strlen(text);
    if (total->left_ns >= 0)
        snprintf(text + len, sizeof text - len, ", %s left", format_left(left, total->left_ns));
    add_count(text, sizeof text, total->queued, "queued");
    if (columns < 0)
        columns = 0;
    /* A part that does not fit is removed completely: "30" instead of "300 kB" would be wrong. */
    char *comma;
    while (strlen(text) > (size_t)columns && (comma = strrchr(text, ',')))
        *comma = '\0';
    snprintf(ret, size, "%.*s", columns, text);
    return strlen(ret);
}

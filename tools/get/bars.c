/* SPDX-License-Identifier: MIT */
/* Progress lines, see bars.h. */
#include "tools/get/bars.h"

#include <stdio.h>
#include <string.h>

#include "tools/get/text.h"

enum { FIGURES_COLUMNS = 25, LABEL_MIN = 12, BAR_MIN = 6, BAR_MAX = 40 };

/* Writes the figures at the end of a line: " 45%  1.2 MB   340 kB/s  ". They are always
 * FIGURES_COLUMNS wide. */
static void format_figures(char *ret, size_t size, const struct bar *bar)
{
    char a[TEXT_NUMBER_SIZE], b[TEXT_NUMBER_SIZE], percent[8] = "    ";

    switch (bar->state) {
    case BAR_ASKING:
        snprintf(ret, size, "%-*s", FIGURES_COLUMNS, "      waiting");
        return;
    case BAR_PAUSING:
        snprintf(a, sizeof a, "      retry in %d s", (int)(bar->pause_ns / 1000000000));
        snprintf(ret, size, "%-*s", FIGURES_COLUMNS, a);
        return;
    case BAR_RECEIVING:
        break;
    }
    if (bar->length > 0) {
        int64_t part = bar->received >= bar->length
                           ? 100
                           : (int64_t)(100.0 * (double)bar->received / (double)bar->length);
        snprintf(percent, sizeof percent, "%3d%%", (int)part);
    }
    snprintf(ret, size, "%s %8s %8s/s ", percent, text_size(a, bar->received),
             text_size(b, bar->rate));
}

/* Writes "[=====>    ]", `columns` wide, which is at least BAR_MIN. The bar is empty when the
 * length is unknown. */
static size_t format_bar(char *ret, size_t size, const struct bar *bar, int columns, bool colour)
{
    char inner[BAR_MAX + 1];
    int room = columns - 2, full = 0;

    if (bar->state == BAR_RECEIVING && bar->length > 0)
        full = bar->received >= bar->length
                   ? room
                   : (int)((double)room * (double)bar->received / (double)bar->length);
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
    char figures[64], label[BARS_LINE_SIZE(120)];
    int rest = columns - FIGURES_COLUMNS;

    if (rest < 1) { /* there is room only for the name */
        text_fit(ret, size, bar->label, columns < 0 ? 0 : columns);
        return strlen(ret);
    }
    int bar_columns = rest - LABEL_MIN - 1 >= BAR_MIN ? rest / 2 : 0;
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
    format_figures(figures, sizeof figures, bar);
    out += (size_t)snprintf(ret + out, size - out, "%s", figures);
    while (out > 0 && ret[out - 1] == ' ')
        ret[--out] = '\0';
    return out;
}

size_t bars_format_total(char *ret, size_t size, const struct bars_total *total, int columns)
{
    char text[256], received[TEXT_NUMBER_SIZE], rate[TEXT_NUMBER_SIZE], time[TEXT_NUMBER_SIZE];
    char failed[40] = "", hidden[40] = "", queued[40] = "";

    if (total->failed > 0)
        snprintf(failed, sizeof failed, ", %llu failed", (unsigned long long)total->failed);
    if (total->hidden > 0)
        snprintf(hidden, sizeof hidden, " (%llu not shown)", (unsigned long long)total->hidden);
    if (total->queued > 0)
        snprintf(queued, sizeof queued, ", %llu queued", (unsigned long long)total->queued);
    snprintf(text, sizeof text, "%llu done%s, %llu active%s, %s, %s/s, %s%s",
             (unsigned long long)total->done, failed, (unsigned long long)total->active, hidden,
             text_size(received, total->received), text_size(rate, total->rate),
             text_time(time, total->duration_ns), queued);
    if (columns < 0)
        columns = 0;
    /* A part that does not fit is removed completely: "30" instead of "300 kB" would be wrong. */
    char *comma;
    while (strlen(text) > (size_t)columns && (comma = strrchr(text, ',')))
        *comma = '\0';
    snprintf(ret, size, "%.*s", columns, text);
    return strlen(ret);
}

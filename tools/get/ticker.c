/* SPDX-License-Identifier: MIT */
/* The ticking task, see ticker.h. */
#include "tools/get/ticker.h"

#include <string.h>

#include <whorl/task.h>

#include "tools/get/bars.h"
#include "tools/get/events.h"
#include "tools/get/progress.h"
#include "tools/get/report.h"
#include "tools/get/writer.h"

enum { LINE_COLUMNS = 100 };

static const int64_t interval_ns = WHORL_SECOND / 10;
static const int64_t silence_ns = 5 * WHORL_SECOND;

/* Prints a line of progress. */
static void say_progress(struct ticker *ticker)
{
    char text[BARS_LINE_SIZE(LINE_COLUMNS)];
    struct bars_total total;
    struct buffer line = {0};

    progress_sum(&total, ticker->events, &ticker->report->totals);
    bars_format_total(text, sizeof text, &total, LINE_COLUMNS);
    buffer_printf(&line, "whorl-get: %s\n", text);
    report_say(ticker->report, &line);
    buffer_finish(&line);
}

/* Whether nothing was printed for a while although transfers are active. */
static bool is_silent(const struct ticker *ticker)
{
    const struct report *report = ticker->report;
    int64_t since_ns = report->said_ns ? report->said_ns : report->totals.started_ns;

    return ticker->says_progress && ticker->events->active > 0 &&
           whorl_now() - since_ns >= silence_ns;
}

WHORL_SUSPENDS int ticker_run(void *arg)
{
    struct ticker *ticker = arg;
    int err;

    while ((err = whorl_sleep(interval_ns)) == 0) {
        events_tick(ticker->events);
        /* A slow terminal gets fewer frames, no old ones. */
        if (ticker->progress && writer_is_drained(ticker->report->messages))
            progress_draw_if_due(ticker->progress);
        else if (is_silent(ticker))
            say_progress(ticker);
    }
    return err;
}

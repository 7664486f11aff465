/* SPDX-License-Identifier: MIT */
/* The text of the progress display: one line per transfer and one line of totals. Each fits the
 * width of the terminal. No I/O, no clock. */
#ifndef WHORL_GET_BARS_H
#define WHORL_GET_BARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bar_state {
    BAR_ASKING,    /* no response yet */
    BAR_RECEIVING, /* the body is being received */
    BAR_PAUSING,   /* waiting before a retry */
};

struct bar {
    const char *label; /* escaped already */
    enum bar_state state;
    int64_t received;
    int64_t length; /* -1: unknown */
    int64_t rate;   /* bytes per second */
    int64_t pause_ns;
};

struct bars_total {
    uint64_t done, failed;
    uint64_t active, hidden; /* hidden: active transfers for which the screen has no room */
    uint64_t queued;
    int64_t received;
    int64_t rate;
    int64_t duration_ns;
};

/* Buffer size for a line of that many columns: 4 bytes per column, colour codes, terminator. */
#define BARS_LINE_SIZE(columns) (4 * (size_t)(columns) + 64)

/* Write a line of at most `columns` columns, without a newline. Return its length in bytes. */
size_t bars_format(char *ret, size_t size, const struct bar *bar, int columns, bool colour);
size_t bars_format_total(char *ret, size_t size, const struct bars_total *total, int columns);

#endif

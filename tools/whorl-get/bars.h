/* SPDX-License-Identifier: MIT */
/* What progress looks like: one line a transfer and one for all, each within a terminal's width. No
 * I/O, no clock. */
#ifndef WHORL_GET_BARS_H
#define WHORL_GET_BARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bar_state {
    BAR_ASKING,    /* no response yet */
    BAR_RECEIVING, /* its body comes */
    BAR_PAUSING,   /* before another try */
};

struct bar {
    const char *label; /* escaped already */
    enum bar_state state;
    int64_t received;
    int64_t length; /* -1: unknown */
    int64_t rate;   /* bytes a second */
    int64_t pause_ns;
};

struct bars_total {
    uint64_t done, failed;
    uint64_t active, hidden; /* hidden: active ones for which there is no line */
    int64_t received;
    int64_t rate;
    int64_t duration_ns;
};

/* Room for a line of that many columns: 4 bytes each, colour switches, terminator. */
#define BARS_LINE_SIZE(columns) (4 * (size_t)(columns) + 64)

/* Write a line of at most `columns` columns without newline; return its length in bytes. */
size_t bars_format(char *ret, size_t size, const struct bar *bar, int columns, bool colour);
size_t bars_format_total(char *ret, size_t size, const struct bars_total *total, int columns);

#endif

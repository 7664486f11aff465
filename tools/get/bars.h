/* SPDX-License-Identifier: MIT */
/* The text of the progress display: one line per transfer and one line of totals. Each fits the
 * width of the terminal. No I/O, no clock. */
#ifndef WHORL_GET_BARS_H
#define WHORL_GET_BARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bar {
    const char *label; /* escaped already */
    const char *waits; /* why nothing arrives: "connecting"; NULL: the body is being received */
    double share;      /* of the body, in [0, 1]; negative: the length is unknown */
    int64_t have;      /* bytes of the body */
    int64_t rate;      /* bytes per second */
    int64_t left_ns;   /* until the end; -1: unknown */
};

struct bars_total {
    uint64_t done, failed, files; /* files: all that are known */
    bool open;                    /* more may become known */
    uint64_t active, hidden;      /* hidden: transfers for which the screen has no room */
    uint64_t waiting;             /* for the next try */
    uint64_t queued;
    int64_t received;
    int64_t sent, send_length; /* of the bodies that are being sent now; 0: none; -1: unknown */
    int64_t rate;
    int64_t left_ns; /* until the end of all; -1: unknown */
};

/* Buffer size for a line of that many columns: 4 bytes per column, colour codes, terminator. */
#define BARS_LINE_SIZE(columns) (4 * (size_t)(columns) + 64)

/* Write a line of at most `columns` columns, without a newline. Return its length in bytes. */
size_t bars_format(char *ret, size_t size, const struct bar *bar, int columns, bool colour);
size_t bars_format_total(char *ret, size_t size, const struct bars_total *total, int columns);

#endif

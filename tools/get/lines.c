/* SPDX-License-Identifier: MIT */
/* The line splitter, see lines.h. */
#include "tools/get/lines.h"

#include <errno.h>
#include <string.h>

void *lines_room(struct lines *lines, size_t *ret)
{
    if (lines->start > 0) {
        memmove(lines->buf, lines->buf + lines->start, lines->end - lines->start);
        lines->end -= lines->start;
        lines->start = 0;
    }
    *ret = LINES_MAX - lines->end;
    return lines->buf + lines->end;
}

void lines_added(struct lines *lines, size_t n)
{
    lines->end += n;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static char *trim(char *line, char *end)
{
    if (end - line >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0)
        line += 3; /* the byte order mark, which some editors write at the start of a file */
    while (line < end && is_blank(*line))
        line++;
    while (end > line && is_blank(end[-1]))
        end--;
    *end = '\0';
    return line;
}

int lines_next(struct lines *lines, bool at_end, char **ret)
{
    while (lines->start < lines->end || lines->skipping) {
        char *line = lines->buf + lines->start;
        size_t len = lines->end - lines->start;
        char *newline = memchr(line, '\n', len);
        if (!newline && !at_end && lines->skipping) {
            lines->start = lines->end;
            return 0;
        }
        if (!newline && !at_end) {
            if (len < LINES_MAX)
                return 0;
            lines->start = lines->end;
            lines->skipping = true;
            lines->number++;
            return -E2BIG;
        }
        char *end = newline ? newline : line + len;
        lines->start += (size_t)(end - line) + (newline != NULL);
        if (lines->skipping) {
            lines->skipping = false;
            continue;
        }
        lines->number++;
        if (memchr(line, '\0', (size_t)(end - line)))
            return -EINVAL;
        line = trim(line, end);
        if (*line && *line != '#') {
            *ret = line;
            return 1;
        }
    }
    return 0;
}

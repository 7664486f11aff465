/* SPDX-License-Identifier: MIT */
/* The source of URLs: first the arguments, then each list. A list is read as its URLs are needed.
 *
 * With --base, a list may have relative URLs and lines of checksums (checksums.h). A list that
 * begins with "<" is a Metalink document or a sitemap, which is read as a whole. */
#ifndef WHORL_GET_SOURCE_H
#define WHORL_GET_SOURCE_H

#include <stddef.h>

#include <whorl/base.h>
#include <whorl/url.h>

#include "tools/get/buffer.h"
#include "tools/get/lines.h"
#include "tools/get/options.h"

/* Set `options`, and set `fd` to -1. All other fields start at zero. */
struct source {
    const struct options *options;
    size_t url_index, list_index;
    int fd; /* the list that is being read, or -1 */
    bool at_end;
    bool awaits_writer; /* the list is a FIFO, of which nothing was read yet */
    bool no_waiting;    /* set by source_stop_waiting() */
    struct lines lines;
    struct buffer document; /* a Metalink document, and then its lines, each with a NUL */
    size_t document_at;     /* of the next of these lines */
    long document_line;     /* its number, from 1; 0: the list is not such a document */
    struct whorl_url base;  /* of --base; parsed when it is needed */
    char *text;             /* owned; the item, if it is not a line of the list itself */
    char why[256];          /* of the item */
};

/* A URL, or the reason why none could be read: `err`, and the `step` that failed ("open", "read",
 * "line"). */
struct source_item {
    const char *url;      /* valid until the next call; NULL when `err` is set */
    const char *settings; /* see entry.h; valid as `url`; "" for an argument */
    const char *list;     /* the name of the list for messages, NULL for an argument */
    long line;            /* the line in that list; 0 when the failure concerns no single line */
    int err;
    const char *step;
    const char *why; /* the cause; NULL: as `err` says */
};

/* Gets the next item. Returns 1, 0 after the last item, or -ECANCELED. */
WHORL_SUSPENDS int source_next(struct source *source, struct source_item *ret);

/* From now on, source_next() returns only what is available without waiting: arguments, the lines
 * of regular files, and lines of other lists that have been read already. */
void source_stop_waiting(struct source *source);

/* Closes the open list, if there is one. */
void source_finish(struct source *source);

#endif

/* SPDX-License-Identifier: MIT */
/* Pieces of a text and what replaces them. Every other byte of the text stays as it is. No I/O.
 *
 *     html_edits_add(&edits, start, end, &text)     // in any order
 *     html_edits_write(&edits, page, len, &ret)
 *     html_edits_finish(&edits)
 */
#ifndef WHORL_GET_HTML_EDITS_H
#define WHORL_GET_HTML_EDITS_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/get/buffer.h"

struct html_edit;

/* Zero-initialised: none. */
struct html_edits {
    struct html_edit *list;
    size_t count, size;
};

/* Notes that `text` replaces the bytes from `start` up to `end`. On success the edits own the text,
 * and `text` is empty. Returns false when there is no memory. */
bool html_edits_add(struct html_edits *edits, size_t start, size_t end, struct buffer *text);

/* Appends the text `from` with its edits to `ret`. Of two edits that overlap, the one that starts
 * later is left out. */
void html_edits_write(struct html_edits *edits, const char *from, size_t len, struct buffer *ret);

/* Frees the edits. */
void html_edits_finish(struct html_edits *edits);

#endif

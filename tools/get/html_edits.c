/* SPDX-License-Identifier: MIT */
/* Collects the edits of a text, and writes the text with them. */
#include "tools/get/html_edits.h"

#include <stdlib.h>

struct html_edit {
    size_t start, end;
    struct buffer text; /* that replaces it */
};

bool html_edits_add(struct html_edits *edits, size_t start, size_t end, struct buffer *text)
{
    if (edits->count == edits->size) {
        size_t size = edits->size ? 2 * edits->size : 64;
        struct html_edit *list = reallocarray(edits->list, size, sizeof *list);
        if (!list)
            return false;
        edits->list = list;
        edits->size = size;
    }
    edits->list[edits->count++] = (struct html_edit){start, end, *text};
    *text = (struct buffer){0};
    return true;
}

static int by_start(const void *a, const void *b)
{
    const struct html_edit *x = a, *y = b;

    return (x->start > y->start) - (x->start < y->start);
}

/* The parser makes two elements of some broken tags, so there may be two equal edits of one place.
 */
void html_edits_write(struct html_edits *edits, const char *from, size_t len, struct buffer *ret)
{
    size_t at = 0;

    if (edits->count > 0)
        qsort(edits->list, edits->count, sizeof *edits->list, by_start);
    for (size_t i = 0; i < edits->count; i++) {
        const struct html_edit *edit = &edits->list[i];
        if (edit->start < at)
            continue;
        buffer_add(ret, from + at, edit->start - at);
        buffer_add(ret, edit->text.text, edit->text.len);
        at = edit->end;
    }
    buffer_add(ret, from + at, len - at);
}

void html_edits_finish(struct html_edits *edits)
{
    for (size_t i = 0; i < edits->count; i++)
        buffer_finish(&edits->list[i].text);
    free(edits->list);
    *edits = (struct html_edits){0};
}

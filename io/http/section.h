/* SPDX-License-Identifier: MIT */
/* Reads a header or trailer section of a message into a header list (RFC 9112 §2 to §5). llhttp is
 * the tokeniser; this file refuses the invalid input that llhttp accepts.
 */
#ifndef IO_HTTP_SECTION_H
#define IO_HTTP_SECTION_H

#include <stdbool.h>
#include <stddef.h>

#include "io/http/header.h"
#include "io/http/request_line.h"

enum {
    SECTION_STATUS_LINE_MIN = 12, /* "HTTP/1.1 200"; one space and the reason may follow */
};

struct section {
    size_t bytes_max;  /* first line included */
    size_t fields_max; /* at most */
    bool is_request;   /* of a request: the first line is a request line, and no line is folded */
    bool is_trailers;  /* no first line */
    bool is_folded;    /* a line begins with a space or a tab */
    size_t line_start; /* of the current line, in the list's bytes */
    size_t lines;      /* complete lines so far */
    struct request_line request_line; /* with `is_request`; its target_max is a limit */
    char error_text[160];
};

/** Begins a section and keeps the limits and `is_request`. The list must be empty. */
void section_start(struct section *s, bool is_trailers);

/**
 * Takes bytes from the front of `buf`, but none after the end of the section.
 *
 * @list      receives the raw bytes and, when the section is complete, the fields. Its bytes start
 *            with the first line, which is checked and ends with CR LF
 * @ret_used  how many bytes were taken
 *
 * Returns: 1 when the section is complete; 0 when all bytes were used; WHORL_EHTTP_*; -ENOMEM.
 *          After an error, `error_text` says what is wrong and where.
 */
int section_feed(struct section *s, struct header_list *list, const char *buf, size_t len,
                 size_t *ret_used);

#endif

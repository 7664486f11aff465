/* SPDX-License-Identifier: MIT */
/* The references of a style sheet: @import, url() and the strings of image-set(). No I/O.
 *
 * Debian 12 has one C library for CSS, libcroco, and that one is no longer maintained. So this is
 * the tokenizer of CSS Syntax Level 3 §4, as far as it is needed to know what is a URL: comments,
 * strings, escapes, url() without quotes, and functions. It never fails: like a browser, it reads
 * any bytes as some style sheet. The text may be in any encoding that contains ASCII.
 */
#ifndef WHORL_GET_CSS_H
#define WHORL_GET_CSS_H

#include <stddef.h>

#include "tools/get/buffer.h"
#include "tools/get/references.h"

/* Calls `visit` for each reference, which is a REFERENCE_RESOURCE. The URL of @namespace is none.
 *
 * @ret  NULL, or gets the style sheet with what `visit` has replaced; everything else of it stays
 *       as it is, byte for byte. It fails like any buffer. */
void css_visit(const char *text, size_t len, references_fn *visit, void *arg, struct buffer *ret);

#endif

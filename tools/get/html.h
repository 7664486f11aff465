/* SPDX-License-Identifier: MIT */
/* The references of an HTML page. No I/O.
 *
 * gumbo parses the page. Debian 12 has two libraries that could: gumbo, and libxml2, which reads
 * Metalink documents already. gumbo reads tags as HTML5 says, so it finds the links that a browser
 * finds, also in broken pages; libxml2's HTML parser follows HTML 4. And gumbo tells where in the
 * text each attribute is, so links can be rewritten while every other byte stays as it is.
 *
 * The page must be in an encoding that contains ASCII. Bytes in a reference that are not UTF-8 are
 * read as ISO 8859-1.
 */
#ifndef WHORL_GET_HTML_H
#define WHORL_GET_HTML_H

#include <stddef.h>

#include "tools/get/buffer.h"
#include "tools/get/references.h"

enum { HTML_MAX = 10 << 20 }; /* the longest page, in bytes */

/**
 * Calls `visit` for each reference: in the attributes that name other files, in srcset, in
 * <meta http-equiv=refresh>, and in style sheets in the page. The <base> comes first.
 *
 * @ret  NULL, or gets the page with what `visit` has replaced; everything else of it stays as it
 *       is, byte for byte. It fails like any buffer.
 *
 * Returns: 0; -ENOMEM; -E2BIG when the page is longer than HTML_MAX, or beyond a limit of
 *          html_tree.h, and then `visit` was not called.
 */
int html_visit(const char *text, size_t len, references_fn *visit, void *arg, struct buffer *ret);

#endif

/* SPDX-License-Identifier: MIT */
/* Metalink 4 documents (RFC 5854): each file has a name, URLs, a size and hashes. They become lines
 * of a list, see entry.h, so everything else is the same for both. libxml2 parses them. No I/O.
 */
#ifndef WHORL_GET_METALINK_H
#define WHORL_GET_METALINK_H

#include <stddef.h>

#include "tools/get/buffer.h"

/* The longest document, in bytes. */
enum { METALINK_MAX = 16 << 20 };

/**
 * Converts a document.
 *
 * A file's first line is its URL of the best priority, with the others as mirrors. URLs that are
 * neither http nor https are left out; a file without a URL becomes the line "#NAME".
 *
 * @ret  gets the lines, each with a NUL at its end
 * @why  what is wrong, without control bytes
 *
 * Returns: 0; -EINVAL; -ENOMEM.
 */
int metalink_to_lines(const char *text, size_t len, struct buffer *ret, char *why, size_t why_size);

#endif

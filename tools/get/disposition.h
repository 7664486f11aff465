/* SPDX-License-Identifier: MIT */
/* The name of a file in a Content-Disposition header (RFC 6266; RFC 8187 for filename*). No I/O.
 *
 *     attachment; filename="EURO rates.txt"; filename*=UTF-8''%e2%82%ac%20rates.txt
 */
#ifndef WHORL_GET_DISPOSITION_H
#define WHORL_GET_DISPOSITION_H

#include <stdbool.h>

#include "tools/get/names.h"

/* Makes a safe name of the one in the header: of a path, only the part behind the last slash or
 * backslash is used (RFC 6266 §4.3), and names.h says what becomes of its bytes. filename* is
 * preferred if it can be read.
 *
 * Returns: false when there is no name, or the header cannot be read; NULL is such a header. */
bool disposition_name(const char *header, char ret[NAME_SIZE]);

#endif

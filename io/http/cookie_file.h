/* SPDX-License-Identifier: MIT */
/* Cookie files in the Netscape format, as text in memory. No I/O. Nothing here suspends. */
#ifndef IO_HTTP_COOKIE_FILE_H
#define IO_HTTP_COOKIE_FILE_H

#include "io/http/cookie_jar.h"

/**
 * Adds the cookies of a file to a jar: all of them, or none if a line is wrong.
 *
 * @text   the file, with room for a NUL behind it; changed by the call
 * @name   of the file, for the error text
 * @error  may be NULL
 *
 * Returns: 0; WHORL_EHTTP_COOKIE_FILE; -ENOMEM.
 */
WHORL_CHECKED int cookie_file_parse(struct whorl_http_cookies *jar, char *text, size_t len,
                                    int64_t now_unix_s, const char *name,
                                    struct whorl_error *error);

/** Makes the text of a file. free() `*ret`. Returns 0 or -ENOMEM. */
WHORL_CHECKED int cookie_file_make(struct whorl_http_cookies *jar, int64_t now_unix_s, char **ret,
                                   size_t *ret_len);

#endif

/* SPDX-License-Identifier: MIT */
/* Heads for a trace: the same text with the secrets replaced by "***". No I/O. */
#ifndef IO_HTTP_REDACT_H
#define IO_HTTP_REDACT_H

#include <stddef.h>

#include "io/http/header.h"

/* The head of a request, as request_head_write() makes it.
 *
 * @protocol  replaces the version at the end of the request line; NULL: it stays
 *
 * Returns: the text, to be freed; NULL without memory. */
char *redact_request(const char *head, size_t len, const char *protocol, size_t *ret_len);

/* The head of a response, made of its parts. Returns as redact_request(). */
char *redact_response(const char *protocol, int status, const char *reason,
                      const struct header_list *headers, size_t *ret_len);

#endif

/* SPDX-License-Identifier: MIT */
/* Status codes: their texts, and the status of the reply to a refused request. */
#ifndef IO_HTTP_SERVER_STATUS_H
#define IO_HTTP_SERVER_STATUS_H

#include <stdbool.h>

/* "Not Found"; "" when there is no text for the status. */
const char *status_text(int status);

/* The status for a request that could not be read because of `err`; 500 for other errors. */
int status_of_error(int err);

/* RFC 9110 §6.4.1: whether a reply with this status has content. */
static inline bool status_has_body(int status)
{
    return status != 204 && status != 304;
}

#endif

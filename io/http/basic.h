/* SPDX-License-Identifier: MIT */
/* The Basic scheme of authentication (RFC 7617): makes credentials of the userinfo of a URL, or
 * of a name and a password. */
#ifndef IO_HTTP_BASIC_H
#define IO_HTTP_BASIC_H

#include <stddef.h>
#include <sys/types.h>

/**
 * Writes "Basic " and the base64 of "name:password", without a NUL.
 *
 * @userinfo  percent-encoded, and checked as whorl_url_parse() checks it. Without a colon the
 *            password is empty
 * @buf       may be NULL when `cap` is 0; when the result is longer than `cap`, only the first
 *            `cap` bytes are written
 *
 * Returns: the length of the result; WHORL_EHTTP_REQUEST_HEADER when the name contains a colon, or
 *          either part contains a control byte.
 */
ssize_t basic_write(const char *userinfo, char *buf, size_t cap);

/** As basic_write(), of a name and a password that are not encoded; a password of NULL is empty. */
ssize_t basic_write_plain(const char *user, const char *password, char *buf, size_t cap);

#endif

/* SPDX-License-Identifier: MIT */
/* JSON strings (RFC 8259). Strings are never cut, so an object is always valid. No I/O. */
#ifndef WHORL_GET_JSON_H
#define WHORL_GET_JSON_H

struct buffer;

/* Append `text` as a JSON string with its quotes; NULL becomes null. Bytes that are not UTF-8
 * become U+FFFD. Control characters and the like are escaped, and in a locale without UTF-8
 * everything that is not ASCII. json_add_url() replaces a user name and password by "***". */
void json_add_string(struct buffer *buffer, const char *text);
void json_add_url(struct buffer *buffer, const char *url);

#endif

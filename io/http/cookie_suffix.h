/* SPDX-License-Identifier: MIT */
/* Public suffixes: domains below which anyone can register names, such as "co.uk". A cookie for one
 * of them would reach strangers. No I/O. */
#ifndef IO_HTTP_COOKIE_SUFFIX_H
#define IO_HTTP_COOKIE_SUFFIX_H

#include <stdbool.h>

/** Whether cookies cannot have this domain: a public suffix, or not a well-formed name. It is in
 *  lower case. */
bool cookie_suffix_is_public(const char *domain);

#endif

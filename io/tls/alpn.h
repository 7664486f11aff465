/* SPDX-License-Identifier: MIT */
/* Lists of protocol names for ALPN (RFC 7301). */
#ifndef IO_TLS_ALPN_H
#define IO_TLS_ALPN_H

#include <whorl/error.h>

/* Checks and copies a NULL-terminated list; `alpn` may be NULL. Returns 0; -EINVAL when a name has
 * not 1 to 255 bytes, or the names are too long together; -ENOMEM.
 *
 * @ret  one block of memory with the pointers and the strings; free() it; NULL for an empty list */
int tls_alpn_copy(const char *const *alpn, const char ***ret, size_t *ret_count,
                  struct whorl_error *error);

#endif

/* SPDX-License-Identifier: MIT */
/* Copies and checks lists of protocol names. */
#include "io/tls/alpn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* RFC 7301 §3.1: protocol names have 1 to 255 bytes. BearSSL sends some hundred bytes at most. */
enum { NAME_MAX_LEN = 255, TOTAL_MAX = 512 };

static int refuse(int err, struct whorl_error *error)
{
    return whorl_error_set(error, err, "TLS", "ALPN protocols: %s", whorl_strerror(err));
}

int tls_alpn_copy(const char *const *alpn, const char ***ret, size_t *ret_count,
                  struct whorl_error *error)
{
    size_t n = 0, bytes = 0;

    for (; alpn && alpn[n]; n++) {
        size_t len = strlen(alpn[n]);
        if (len == 0 || len > NAME_MAX_LEN)
            return refuse(-EINVAL, error);
        bytes += len + 1;
    }
    if (bytes > TOTAL_MAX)
        return refuse(-EINVAL, error);
    const char **list = n > 0 ? malloc(n * sizeof *list + bytes) : NULL;
    if (n > 0 && !list)
        return refuse(-ENOMEM, error);
    char *text = (char *)(list + n);
    for (size_t i = 0; i < n; i++) {
        list[i] = text;
        text = stpcpy(text, alpn[i]) + 1;
    }
    *ret = list;
    *ret_count = n;
    return 0;
}

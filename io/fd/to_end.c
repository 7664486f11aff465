/* SPDX-License-Identifier: MIT */
/* Reads to the end into memory that grows. */
#include "io/fd/to_end.h"

#include <errno.h>
#include <stdlib.h>

#include <whorl/fd.h>

WHORL_SUSPENDS int to_end_read_partly(to_end_read_fn read, void *source, size_t size_first,
                                      size_t len_max, char **ret, size_t *ret_len)
{
    if (len_max > SIZE_MAX / 2)
        len_max = SIZE_MAX / 2;
    size_t cap = size_first < len_max ? size_first : len_max, len = 0;
    char *buf = malloc(cap + 1);
    bool full = false; /* the bytes leave no place for the NUL */
    ssize_t n;

    *ret = buf;
    *ret_len = 0;
    if (!buf)
        return -ENOMEM;
    /* There is room for one byte more than the limit. If that byte arrives, there are too many. */
    while ((n = read(source, buf + len, cap + 1 - len)) > 0) {
        len += (size_t)n;
        if (len > len_max) {
            n = -EFBIG;
            full = true;
            break;
        }
        if (len <= cap)
            continue;
        cap = cap >= len_max / 2 ? len_max : cap * 2 + 1; /* doubles the size, which is cap + 1 */
        char *grown = realloc(buf, cap + 1);
        if (!grown) {
            n = -ENOMEM;
            full = true;
            break;
        }
        buf = grown;
    }
    len -= full;
    buf[len] = '\0';
    *ret = buf;
    *ret_len = len;
    return (int)n;
}

WHORL_SUSPENDS int to_end_read(to_end_read_fn read, void *source, size_t size_first, size_t len_max,
                               char **ret, size_t *ret_len)
{
    char *bytes;
    size_t len;

    int err = to_end_read_partly(read, source, size_first, len_max, &bytes, &len);
    if (err) {
        free(bytes);
        return err;
    }
    *ret = bytes;
    if (ret_len)
        *ret_len = len;
    return 0;
}

static WHORL_SUSPENDS ssize_t read_fd(void *fd, void *buf, size_t len)
{
    return whorl_read(*(int *)fd, buf, len);
}

WHORL_SUSPENDS int whorl_read_to_end(int fd, size_t len_max, char **ret, size_t *ret_len)
{
    return to_end_read(read_fd, &fd, TO_END_SIZE, len_max, ret, ret_len);
}

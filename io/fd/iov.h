/* SPDX-License-Identifier: MIT */
/* Advances an array of struct iovec after a short write. */
#ifndef IO_FD_IOV_H
#define IO_FD_IOV_H

#include <stddef.h>
#include <sys/uio.h>

/* Removes `n` written bytes, and empty entries after them, from the front of `iov`. `*first` is the
 * index of the first entry that is left. */
static inline void iov_advance(struct iovec *iov, int iov_count, int *first, size_t n)
{
    while (*first < iov_count && n >= iov[*first].iov_len) {
        n -= iov[*first].iov_len;
        (*first)++;
    }
    if (*first < iov_count) {
        iov[*first].iov_base = (char *)iov[*first].iov_base + n;
        iov[*first].iov_len -= n;
    }
}

#endif

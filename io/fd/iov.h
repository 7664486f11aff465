/* SPDX-License-Identifier: MIT */
/* Lists of memory parts that are written piece by piece. */
#ifndef IO_FD_IOV_H
#define IO_FD_IOV_H

#include <stddef.h>
#include <sys/uio.h>

/* Drops `n` written bytes and parts that are empty from the front of `iov`; `*first` is the part that is
 * next. */
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

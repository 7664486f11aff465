/* SPDX-License-Identifier: MIT */
/* Reads to the end into memory that grows. All calls that are named read_to_end use it. */
#ifndef IO_FD_TO_END_H
#define IO_FD_TO_END_H

#include <whorl/base.h>

/* The first size of the memory if the length is not known. */
#define TO_END_SIZE 4096

/* Reads the next bytes: the count, 0 at the end, or a negative code. */
typedef WHORL_SUSPENDS ssize_t (*to_end_read_fn)(void *source, void *buf, size_t len);

/* Calls read(source) until it returns 0.
 *
 * @size_first  the number of bytes to expect
 * @len_max     the largest number of bytes to accept
 * @ret         the bytes and a NUL, to be freed with free()
 * @ret_len     the number of bytes, without the NUL; may be NULL
 *
 * Returns: 0; -EFBIG when there are more than `len_max` bytes; -ENOMEM; an error of `read`. */
WHORL_SUSPENDS int to_end_read(to_end_read_fn read, void *source, size_t size_first, size_t len_max,
                               char **ret, size_t *ret_len);

/* Like to_end_read(), but on failure too it sets the outputs: to the bytes that it has read before,
 * at most `len_max`. `*ret` is NULL if there was no memory for them. */
WHORL_SUSPENDS int to_end_read_partly(to_end_read_fn read, void *source, size_t size_first,
                                      size_t len_max, char **ret, size_t *ret_len);

#endif

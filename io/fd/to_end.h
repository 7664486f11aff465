/* SPDX-License-Identifier: MIT */
/* Reading to the end into memory that grows: what the calls named read_to_end share. */
#ifndef IO_FD_TO_END_H
#define IO_FD_TO_END_H

#include <whorl/base.h>

/* A first size of the memory where the length is not known. */
#define TO_END_SIZE 4096

/* Reads the next bytes: the count, 0 at the end, or a negative code. */
typedef WHORL_SUSPENDS ssize_t (*to_end_read_fn)(void *source, void *buf, size_t len);

/* Calls read(source) until it returns 0.
 *
 * @size_first  how many bytes to expect
 * @len_max     how many there may be
 * @ret         the bytes and a NUL, to be freed with free()
 * @ret_len     how many, without the NUL; may be NULL
 *
 * Returns: 0; -EFBIG when there are more than `len_max`; -ENOMEM; what `read` returned. */
WHORL_SUSPENDS int to_end_read(to_end_read_fn read, void *source, size_t size_first, size_t len_max,
                               char **ret, size_t *ret_len);

#endif

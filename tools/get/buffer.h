/* SPDX-License-Identifier: MIT */
/* Text that grows in memory. It is never cut: when there is no memory, the rest of the text is
 * dropped and `failed` says so.
 *
 *     struct buffer buffer = {0};
 *     buffer_printf(&buffer, "%d of %d", 3, 7);
 *     if (!buffer.failed)
 *         puts(buffer.text);
 *     buffer_finish(&buffer);
 */
#ifndef WHORL_GET_BUFFER_H
#define WHORL_GET_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialised is valid: an empty text. */
struct buffer {
    char *text; /* ends with a NUL, which `len` does not count; NULL before the first byte */
    size_t len, size;
    bool failed; /* there was no memory; text that is added later is dropped */
};

/* Makes the text empty and forgets a failure. Keeps the memory. */
void buffer_clear(struct buffer *buffer);

/* Returns where to write up to `len` bytes and a NUL, or NULL when there is no memory. The caller
 * then adds what it has written to `len` of the buffer. */
char *buffer_room(struct buffer *buffer, size_t len);

void buffer_add(struct buffer *buffer, const char *text, size_t len);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Frees the memory. The buffer is then empty and can be used again. */
void buffer_finish(struct buffer *buffer);

#endif

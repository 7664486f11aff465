/* SPDX-License-Identifier: MIT */
/* Buffered reading and writing on any stream: lines, parts up to a delimiter, exact lengths, and
 * formatted output.
 *
 *     static WHORL_SUSPENDS int number_lines(struct whorl_stream *stream)
 *     {
 *         WHORL_AUTO(reader) *in = NULL;
 *         WHORL_AUTO(writer) *out = NULL;
 *         char *line;
 *         int number = 0;
 *
 *         int err = whorl_reader_create(stream, NULL, &in);
 *         if (err == 0)
 *             err = whorl_writer_create(stream, NULL, &out);
 *         while (err == 0 && (err = whorl_reader_read_line(in, &line, NULL)) == 1)
 *             err = whorl_writer_printf(out, "%d %s\n", ++number, line);
 *         return err ? err : whorl_writer_flush(out);
 *     }
 *
 * A reader reads ahead: the unread bytes in its buffer cannot be read from the stream by other
 * code. Only one task at a time may use a reader, and only one a writer. Readers and writers borrow
 * the stream, which stays open when they are destroyed.
 */
#ifndef WHORL_BUFFERED_H
#define WHORL_BUFFERED_H

#include <stdarg.h>

#include <whorl/base.h>
#include <whorl/stream.h>

struct whorl_reader;
struct whorl_writer;

/* Zero-initialised is valid. */
struct whorl_reader_options {
    size_t size;     /* bytes of the buffer at first; 0: 8192 */
    size_t part_max; /* bytes of the longest line or other part to accept; 0: 65536. The buffer
                        grows for it */
};

/* Zero-initialised is valid. */
struct whorl_writer_options {
    size_t size; /* bytes of the buffer; 0: 8192 */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes a reader. Never suspends.
 *
 * @stream   borrowed until the destroy
 * @options  NULL for the defaults
 * @ret      destroy it with whorl_reader_destroy()
 *
 * Returns: 0; -ENOMEM.
 */
WHORL_API WHORL_CHECKED int whorl_reader_create(struct whorl_stream *stream,
                                                const struct whorl_reader_options *options,
                                                struct whorl_reader **ret);

/** Frees the reader and drops its unread bytes. Accepts NULL. Never suspends. */
WHORL_API void whorl_reader_destroy(struct whorl_reader *reader);

/**
 * Reads at most `len` bytes: those in the buffer, or if it is empty, those of the stream. A large
 * read goes from the stream into `buf` directly.
 *
 * Returns:  the count; 0 at the end; errors of whorl_stream_read().
 * Suspends: until there is at least one byte.
 * Cancel:   -ECANCELED; no byte is lost.
 */
WHORL_API WHORL_SUSPENDS ssize_t whorl_reader_read(struct whorl_reader *reader, void *buf,
                                                   size_t len);

/**
 * Reads exactly `len` bytes.
 *
 * Returns:  0; -ENODATA when the stream ends first; errors of whorl_stream_read(). After a failure,
 *           the bytes that were already copied to `buf` are lost.
 * Suspends: until all have arrived.
 * Cancel:   -ECANCELED; the bytes that were already copied to `buf` are lost.
 */
WHORL_API WHORL_SUSPENDS int whorl_reader_read_exact(struct whorl_reader *reader, void *buf,
                                                     size_t len);

/**
 * Reads a line that ends with "\n" or "\r\n". The last line may end with the stream instead.
 *
 * @ret      the line without its end, followed by a NUL. The memory belongs to the reader. The
 *           caller may change it. It is valid until the next call
 * @ret_len  its length, for lines that may contain NUL; may be NULL
 *
 * Returns:  1; 0 at the end; -EMSGSIZE when the line is longer than `part_max`; its bytes stay
 *           unread; -ENOMEM; errors of whorl_stream_read().
 * Suspends: until the line is complete.
 * Cancel:   -ECANCELED; no byte is lost.
 */
WHORL_API WHORL_SUSPENDS int whorl_reader_read_line(struct whorl_reader *reader, char **ret,
                                                    size_t *ret_len);

/**
 * Reads up to a delimiter, and drops the delimiter. The last part may end with the stream instead.
 *
 * @delimiter  at least one byte
 * @ret        as for whorl_reader_read_line()
 *
 * Returns:  as whorl_reader_read_line().
 * Suspends: until the delimiter has arrived.
 * Cancel:   -ECANCELED; no byte is lost.
 */
WHORL_API WHORL_SUSPENDS int whorl_reader_read_until(struct whorl_reader *reader,
                                                     const void *delimiter, size_t delimiter_len,
                                                     char **ret, size_t *ret_len);

/**
 * Waits until at least `n` bytes are unread in the buffer, and shows them without reading them.
 *
 * @ret  memory of the reader, valid until the next call
 *
 * Returns:  the number of bytes in the buffer: `n` or more, or fewer when the stream ends there;
 *           -EMSGSIZE when `n` is more than `part_max`; -ENOMEM; errors of whorl_stream_read().
 * Suspends: until that many have arrived.
 * Cancel:   -ECANCELED; no byte is lost.
 */
WHORL_API WHORL_SUSPENDS ssize_t whorl_reader_peek(struct whorl_reader *reader, size_t n,
                                                   const char **ret);

/** Drops `n` of the bytes that whorl_reader_peek() has shown. Never suspends. */
WHORL_API void whorl_reader_skip(struct whorl_reader *reader, size_t n);

/** The number of unread bytes in the buffer. */
WHORL_API size_t whorl_reader_unread(const struct whorl_reader *reader);

/**
 * Makes a writer. Never suspends.
 *
 * @stream   borrowed until the destroy
 * @options  NULL for the defaults
 * @ret      destroy it with whorl_writer_destroy()
 *
 * Returns: 0; -ENOMEM.
 */
WHORL_API WHORL_CHECKED int whorl_writer_create(struct whorl_stream *stream,
                                                const struct whorl_writer_options *options,
                                                struct whorl_writer **ret);

/** Frees the writer. Bytes that were not flushed are never sent. Accepts NULL. Never suspends. */
WHORL_API void whorl_writer_destroy(struct whorl_writer *writer);

/**
 * Writes to the buffer. If the bytes do not fit, the buffer and the bytes are sent together.
 *
 * Returns:  0; errors of whorl_stream_write(). After such an error the number of bytes that were
 *           sent is unknown, and every later call returns the same error.
 * Suspends: when the buffer is full, until the stream has taken everything.
 * Cancel:   -ECANCELED. If the stream was already being written, this is an error as above.
 *           Otherwise the call has done nothing, and it can be repeated, for example in a shield.
 */
WHORL_API WHORL_SUSPENDS int whorl_writer_write(struct whorl_writer *writer, const void *buf,
                                                size_t len);

/**
 * Writes formatted text, as printf(3).
 *
 * Returns:  0; -ENOMEM; -EOVERFLOW and -EILSEQ as vsnprintf(3); errors of whorl_writer_write().
 *           Later calls return only the errors of whorl_writer_write() again.
 * Suspends: as whorl_writer_write().
 * Cancel:   as whorl_writer_write().
 */
WHORL_API WHORL_SUSPENDS int whorl_writer_printf(struct whorl_writer *writer, const char *format,
                                                 ...) __attribute__((format(printf, 2, 3)));

/** whorl_writer_printf() with a va_list. */
WHORL_API WHORL_SUSPENDS int whorl_writer_vprintf(struct whorl_writer *writer, const char *format,
                                                  va_list args)
    __attribute__((format(printf, 2, 0)));

/**
 * Sends what is in the buffer.
 *
 * Returns:  0; errors of whorl_writer_write().
 * Suspends: until the stream has taken everything; not when the buffer is empty.
 * Cancel:   as whorl_writer_write().
 */
WHORL_API WHORL_SUSPENDS int whorl_writer_flush(struct whorl_writer *writer);

static inline void whorl_auto_reader(struct whorl_reader **reader)
{
    whorl_reader_destroy(*reader);
}

static inline void whorl_auto_writer(struct whorl_writer **writer)
{
    whorl_writer_destroy(*writer);
}

#ifdef __cplusplus
}
#endif

#endif

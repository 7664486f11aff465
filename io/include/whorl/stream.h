/* SPDX-License-Identifier: MIT */
/* Streams: two-way flows of bytes, whatever carries them: TCP, a Unix socket, TLS over either, a
 * pipe, or memory in a test. One task may read while another writes; two may not do the same.
 */
#ifndef WHORL_STREAM_H
#define WHORL_STREAM_H

#include <sys/uio.h>

#include <whorl/base.h>

struct whorl_stream;

/* For implementers. Embed `struct whorl_stream` as the first member of yours. */
struct whorl_stream_ops {
    const char *name; /* "tcp", "tls", "memory" */

    /* Reads at least one byte. Returns the count, 0 at the orderly end, or a negative code. */
    WHORL_SUSPENDS ssize_t (*read)(struct whorl_stream *stream, void *buf, size_t len);

    /* Writes all parts before it returns 0; a negative code says the stream is unusable for
     * writing. `iov` is borrowed and not changed. */
    WHORL_SUSPENDS int (*writev)(struct whorl_stream *stream, const struct iovec *iov,
                                 int iov_count);

    /* Says politely that no more will be written: FIN, or close_notify. Best effort. */
    WHORL_SUSPENDS int (*close_write)(struct whorl_stream *stream);

    /* Whether a quiet connection is still good for another exchange: false when the peer closed it
     * or sent something unasked. Never suspends. */
    bool (*is_idle)(struct whorl_stream *stream);

    /* The descriptor underneath, -1 when there is none. Never suspends. */
    int (*fd)(struct whorl_stream *stream);

    /* Releases everything. Never suspends. */
    void (*close)(struct whorl_stream *stream);
};

struct whorl_stream {
    const struct whorl_stream_ops *ops;
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes a stream of a connected stream socket.
 *
 * Returns: 0; -EBADF when `fd` is not open; -ENOMEM. Never suspends.
 * Owns:    `fd`, on success.
 */
WHORL_API WHORL_CHECKED int whorl_stream_from_socket(int fd, struct whorl_stream **ret);

/**
 * Makes a stream of the reading end of one pipe and the writing end of another; -1 for neither. They
 * are made non-blocking, so their open files must not be shared with anybody who minds. A pipe that
 * nobody reads makes writes fail with -EPIPE and raises no SIGPIPE; finishing closes the writing end.
 *
 * Returns: 0; -EBADF when a descriptor is not open; -ENOMEM. Never suspends.
 * Owns:    both descriptors, on success.
 */
WHORL_API WHORL_CHECKED int whorl_stream_from_pipe(int read_fd, int write_fd,
                                                   struct whorl_stream **ret);

/**
 * Reads what is there, at most `len` bytes.
 *
 * Returns:  the count; 0 at the end; -errno; WHORL_ETLS_TRUNCATED and other WHORL_ETLS_*.
 * Suspends: until there is at least one byte.
 * Cancel:   -ECANCELED; the stream is still usable and no byte is lost.
 */
WHORL_API WHORL_SUSPENDS ssize_t whorl_stream_read(struct whorl_stream *stream, void *buf,
                                                   size_t len);

/** Reads exactly `len` bytes: 0; -ENODATA when the stream ends first; or an error. */
WHORL_API WHORL_SUSPENDS int whorl_stream_read_exact(struct whorl_stream *stream, void *buf,
                                                     size_t len);

/**
 * Reads to the end of the stream.
 *
 * @len_max  how many bytes there may be
 * @ret      the bytes, followed by a NUL; free them with free()
 * @ret_len  how many, without the NUL; may be NULL
 *
 * Returns:  0; -EFBIG when there are more than `len_max`; -ENOMEM; errors of whorl_stream_read().
 *           Unless it is 0, what was read before is lost.
 * Suspends: until the end.
 * Cancel:   -ECANCELED; what was read before is lost.
 */
WHORL_API WHORL_SUSPENDS int whorl_stream_read_to_end(struct whorl_stream *stream, size_t len_max,
                                                      char **ret, size_t *ret_len);

/**
 * Writes all of `buf`.
 *
 * Returns:  0; -EPIPE; -ECONNRESET; other errors.
 * Suspends: until the last byte was handed over.
 * Cancel:   -ECANCELED; how much was written is unknown, so the stream can only be closed.
 */
WHORL_API WHORL_SUSPENDS int whorl_stream_write(struct whorl_stream *stream, const void *buf,
                                                size_t len);

/** whorl_stream_write() of several parts in one go. */
WHORL_API WHORL_SUSPENDS int whorl_stream_writev(struct whorl_stream *stream,
                                                 const struct iovec *iov, int iov_count);

/** Says that no more will be written. 0 or an error. */
WHORL_API WHORL_SUSPENDS int whorl_stream_close_write(struct whorl_stream *stream);

/** Whether a quiet connection can be used again. Never suspends. */
WHORL_API bool whorl_stream_is_idle(struct whorl_stream *stream);

/** The descriptor underneath, or -1. */
WHORL_API int whorl_stream_fd(struct whorl_stream *stream);

/** Closes and frees. Accepts NULL. Never suspends. */
WHORL_API void whorl_stream_close(struct whorl_stream *stream);

static inline void whorl_auto_stream(struct whorl_stream **stream)
{
    whorl_stream_close(*stream);
}

#ifdef __cplusplus
}
#endif

#endif

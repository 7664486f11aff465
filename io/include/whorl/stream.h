/* SPDX-License-Identifier: MIT */
/* Streams: bytes in both directions, whatever carries them: TCP, a Unix socket, TLS over either, a
 * pipe, or memory in a test.
 *
 *     static WHORL_SUSPENDS int ask(struct whorl_stream *stream, const char *question)
 *     {
 *         char *answer;
 *         int err = whorl_stream_write(stream, question, strlen(question));
 *         if (err == 0)
 *             err = whorl_stream_close_write(stream);
 *         if (err == 0)
 *             err = whorl_stream_read_to_end(stream, 65536, &answer, NULL);
 *         if (err)
 *             return err;
 *         puts(answer);
 *         free(answer);
 *         return 0;
 *     }
 *
 * dial.h, tls.h and process.h open streams, and the calls below make one from a descriptor. One
 * task may read while another writes, but two tasks may not read at the same time, and two may not
 * write at the same time.
 *
 * A stream over a socket may read ahead: it receives bytes before they are asked for, which makes
 * the exchange of small messages cheaper. It keeps about 100 KiB at most for the next reads; the
 * rest stays in the socket. Code that reads the socket without the stream must first call
 * whorl_stream_take_received().
 */
#ifndef WHORL_STREAM_H
#define WHORL_STREAM_H

#include <sys/uio.h>

#include <whorl/base.h>
#include <whorl/park.h>
#include <whorl/select.h>

struct whorl_stream;

/* For implementers: the wait of a whorl_case_stream() for a stream. Each stream has at most one,
 * and no task reads the stream meanwhile. */
struct whorl_stream_wait {
    /* To be called once, when the stream can be read without waiting, or with a negative code when
     * it is not possible to wait longer. It must not suspend. */
    void (*ready)(struct whorl_stream_wait *wait, int err);
    struct whorl_waiter waiter; /* this field and `data` are for the implementer of the stream */
    void *data;
};

/* For implementers: `struct whorl_stream` is the first member of your own struct. */
struct whorl_stream_ops {
    const char *name; /* "tcp", "tls", "memory" */

    /* Reads at least one byte. Returns the count, 0 at the orderly end, or a negative code. */
    WHORL_SUSPENDS ssize_t (*read)(struct whorl_stream *stream, void *buf, size_t len);

    /* Writes all parts, then returns 0. After a negative code the stream cannot be used for
     * writing. `iov` is borrowed and not changed. */
    WHORL_SUSPENDS int (*writev)(struct whorl_stream *stream, const struct iovec *iov,
                                 int iov_count);

    /* Half-close: tells the peer that nothing more will be written, by a FIN or close_notify. */
    WHORL_SUSPENDS int (*close_write)(struct whorl_stream *stream);

    /* Whether an idle connection can be used for another exchange: false when the peer has closed
     * it or has sent something that nothing asked for. Never suspends. */
    bool (*is_idle)(struct whorl_stream *stream);

    /* The descriptor underneath; -1 when there is none. Never suspends. */
    int (*fd)(struct whorl_stream *stream);

    /* See whorl_stream_take_received(). NULL: the stream never reads ahead. */
    WHORL_SUSPENDS ssize_t (*take_received)(struct whorl_stream *stream, void *buf, size_t len);

    /* Stops reading ahead for good. NULL: the stream never reads ahead. Never suspends. */
    void (*stop_ahead)(struct whorl_stream *stream);

    /* See whorl_stream_try_read(). It is also called on the loop's stack. NULL: neither that call
     * nor whorl_case_stream() is supported. Never suspends. */
    ssize_t (*try_read)(struct whorl_stream *stream, void *buf, size_t len);

    /* Whether `read` would return without waiting: bytes, the end or an error. It is also called on
     * the loop's stack. NULL only if `try_read` is NULL. Never suspends. */
    bool (*is_readable)(struct whorl_stream *stream);

    /* Begins to wait until `is_readable`, which was false just before. Returns 0, and then calls
     * wait->ready(), but not inside this call; or a negative code. Never suspends. */
    int (*start_wait)(struct whorl_stream *stream, struct whorl_stream_wait *wait);

    /* Ends such a wait. WHORL_ABORT_DONE: ready() will not be called any more. WHORL_ABORT_PENDING:
     * it will be called soon. Never suspends. */
    enum whorl_abort (*stop_wait)(struct whorl_stream *stream, struct whorl_stream_wait *wait);

    /* Releases everything. Never suspends. */
    void (*close)(struct whorl_stream *stream);
};

/* A stream. Programs use the functions below; the field is for implementers. */
struct whorl_stream {
    const struct whorl_stream_ops *ops;
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes a stream from a connected stream socket. Never suspends.
 *
 * @ret  the stream; close it with whorl_stream_close()
 *
 * Returns: 0; -EBADF when `fd` is not open; -ENOMEM.
 * Owns:    `fd`, on success.
 */
WHORL_API WHORL_CHECKED int whorl_stream_from_socket(int fd, struct whorl_stream **ret);

/**
 * Makes a stream from the reading end of one pipe and the writing end of another. Never suspends.
 *
 * Both ends become non-blocking, also for other processes that share them. When no process can read
 * the pipe any more, writes fail with -EPIPE and raise no SIGPIPE. whorl_stream_close_write()
 * closes the writing end.
 *
 * @read_fd   -1: the stream cannot be read
 * @write_fd  -1: the stream cannot be written
 * @ret       the stream; close it with whorl_stream_close()
 *
 * Returns: 0; -EBADF when a descriptor is not open; -ENOMEM.
 * Owns:    both descriptors, on success.
 */
WHORL_API WHORL_CHECKED int whorl_stream_from_pipe(int read_fd, int write_fd,
                                                   struct whorl_stream **ret);

/**
 * Reads the bytes that have arrived, at most `len`.
 *
 * Returns:  the count; 0 at the end; -errno; WHORL_ETLS_TRUNCATED and other WHORL_ETLS_*.
 * Suspends: until there is at least one byte.
 * Cancel:   -ECANCELED; the stream is still usable and no byte is lost.
 */
WHORL_API WHORL_SUSPENDS ssize_t whorl_stream_read(struct whorl_stream *stream, void *buf,
                                                   size_t len);

/**
 * Reads the bytes that have arrived, at most `len`, if there are any. Of a TLS stream it reads what
 * can be decrypted. Never suspends.
 *
 * Returns: the count; 0 at the end; -EAGAIN when whorl_stream_read() would wait; -EOPNOTSUPP for a
 *          kind of stream that does not support this; errors of whorl_stream_read().
 */
WHORL_API WHORL_CHECKED ssize_t whorl_stream_try_read(struct whorl_stream *stream, void *buf,
                                                      size_t len);

/**
 * A case for whorl_select(), ready when a read would not wait: bytes have arrived, also bytes that
 * the stream has read ahead or decrypted, or the stream has ended or failed. The case reads
 * nothing. Its result is 0; -EOPNOTSUPP; -ENOMEM; WHORL_ENOIO.
 *
 *     struct whorl_case cases[] = {whorl_case_stream(client), whorl_case_recv(messages, &message)};
 *     int taken = whorl_select(cases, 2);
 *     if (taken == 0)
 *         n = whorl_stream_read(client, buf, sizeof buf);
 *
 * For the duration of the select, the selecting task counts as the one that reads the stream. A
 * reader of buffered.h may hold bytes that it has read from the stream already, and which the case
 * does not see.
 */
WHORL_API struct whorl_case whorl_case_stream(struct whorl_stream *stream);

/**
 * Reads exactly `len` bytes.
 *
 * Returns:  0; -ENODATA when the stream ends first; errors of whorl_stream_read(). After a failure,
 *           the bytes that were already read are lost.
 * Suspends: until all have arrived.
 * Cancel:   -ECANCELED; the bytes that were already read are lost.
 */
WHORL_API WHORL_SUSPENDS int whorl_stream_read_exact(struct whorl_stream *stream, void *buf,
                                                     size_t len);

/**
 * Reads to the end of the stream.
 *
 * @len_max  the largest number of bytes to accept
 * @ret      the bytes, followed by a NUL; free them with free()
 * @ret_len  the number of bytes, without the NUL; may be NULL
 *
 * Returns:  0; -EFBIG when there are more than `len_max` bytes; -ENOMEM; errors of
 *           whorl_stream_read(). After a failure, the bytes that were already read are lost.
 * Suspends: until the end.
 * Cancel:   -ECANCELED; the bytes that were already read are lost.
 */
WHORL_API WHORL_SUSPENDS int whorl_stream_read_to_end(struct whorl_stream *stream, size_t len_max,
                                                      char **ret, size_t *ret_len);

/**
 * Writes all of `buf`.
 *
 * Returns:  0; -EPIPE; -ECONNRESET; other errors.
 * Suspends: until the stream has taken the last byte.
 * Cancel:   -ECANCELED; the number of bytes that were written is unknown, so the stream can only be
 *           closed.
 */
WHORL_API WHORL_SUSPENDS int whorl_stream_write(struct whorl_stream *stream, const void *buf,
                                                size_t len);

/**
 * Writes all of several parts, in their order.
 *
 * @iov  borrowed for the call and not changed
 *
 * Returns:  as whorl_stream_write().
 * Suspends: until the stream has taken the last byte.
 * Cancel:   as whorl_stream_write().
 */
WHORL_API WHORL_SUSPENDS int whorl_stream_writev(struct whorl_stream *stream,
                                                 const struct iovec *iov, int iov_count);

/**
 * Half-close: tells the peer that nothing more will be written.
 *
 * Returns:  0; -errno; WHORL_ETLS_*.
 * Suspends: while a TLS stream sends its close_notify; not for sockets and pipes.
 * Cancel:   -ECANCELED; the peer may or may not have been told.
 */
WHORL_API WHORL_SUSPENDS int whorl_stream_close_write(struct whorl_stream *stream);

/**
 * Copies everything from one stream to another until `from` ends, and then half-closes `to`. Bytes
 * that arrive in bulk on one socket and leave on another are spliced: they stay in the kernel, and
 * `from` no longer reads ahead.
 *
 * @ret_copied  the number of bytes that `to` has taken. It grows while the call runs, so that other
 *              tasks can show the progress; may be NULL
 *
 * Returns:  0; -ENOMEM; errors of whorl_stream_read(), whorl_stream_write() and
 *           whorl_stream_close_write().
 * Suspends: until `from` ends.
 * Cancel:   -ECANCELED; bytes may have been read and not written.
 */
WHORL_API WHORL_SUSPENDS int whorl_stream_copy(struct whorl_stream *to, struct whorl_stream *from,
                                               int64_t *ret_copied);

/**
 * Connects two streams, as a proxy does: whorl_stream_copy() in both directions at the same time,
 * until both have ended. When one direction fails, the other is cancelled.
 *
 * @ret_to_a, @ret_to_b  the number of bytes that each has taken; they grow while the call runs; may
 *                       be NULL
 *
 * Returns:  as whorl_stream_copy(), for the direction that failed first.
 * Suspends: until both have ended.
 * Cancel:   as whorl_stream_copy().
 */
WHORL_API WHORL_SUSPENDS int whorl_stream_copy_both(struct whorl_stream *a, struct whorl_stream *b,
                                                    int64_t *ret_to_a, int64_t *ret_to_b);

/** Whether an idle connection can be used again: false when the peer has closed it or has sent
 *  something. Never suspends. */
WHORL_API bool whorl_stream_is_idle(struct whorl_stream *stream);

/**
 * Takes the bytes that the stream has read ahead. The stream does not read ahead again.
 *
 * Call it before something other than this stream reads the socket: another call on the descriptor,
 * or another process that has a copy of the descriptor. Also call it before another run reads the
 * stream, if the first run continues. Call it until it returns 0. After that, further bytes stay in
 * the socket until this stream or something else reads them:
 *
 *     while ((n = whorl_stream_take_received(stream, buf, sizeof buf)) > 0)
 *         if ((err = whorl_write_all(pipe_fd, buf, (size_t)n)) != 0)
 *             return err;
 *     while (n == 0 && (moved = whorl_splice(whorl_stream_fd(stream), pipe_fd, 65536)) > 0)
 *         ;
 *
 * @len  at least 1
 *
 * Returns:  the count; 0 when nothing is left, also at the end of the stream; -EINVAL when `len` is
 *           0; -EOPNOTSUPP for a TLS stream, because plain text cannot be read from its socket;
 *           errors of whorl_stream_read().
 * Suspends: until the kernel has ended a receive that is in progress; never for new bytes.
 * Cancel:   -ECANCELED; no byte is lost.
 */
WHORL_API WHORL_SUSPENDS ssize_t whorl_stream_take_received(struct whorl_stream *stream, void *buf,
                                                            size_t len);

/** The descriptor underneath; -1 when there is none. The stream still owns it. After the first
 *  call, the stream no longer reads ahead, so the descriptor can be polled. Bytes that were read
 *  ahead before are not in the socket: see whorl_stream_take_received(). Never suspends. */
WHORL_API int whorl_stream_fd(struct whorl_stream *stream);

/** The same descriptor, for socket options and addresses only, or -1. The stream continues to read
 *  ahead, so do not read or poll the descriptor. Never suspends. */
WHORL_API int whorl_stream_option_fd(struct whorl_stream *stream);

/** Closes the stream and frees it. No task may be reading or writing. If the stream reads ahead,
 *  the peer notices the close in the next turn of the run's loop. Accepts NULL. Never suspends. */
WHORL_API void whorl_stream_close(struct whorl_stream *stream);

static inline void whorl_auto_stream(struct whorl_stream **stream)
{
    whorl_stream_close(*stream);
}

#ifdef __cplusplus
}
#endif

#endif

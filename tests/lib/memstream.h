/* SPDX-License-Identifier: MIT */
/* Streams in memory for tests: two ends, and one end reads what the other writes. They wait only on
 * the scheduler, so they work on virtual time.
 *
 *     struct whorl_stream *client, *server;
 *     CHECK_OK(memstream_pair(&client, &server));
 *     memstream_chunk(client, 1);                       // the client reads byte by byte
 *     CHECK_OK(whorl_stream_write(server, "HTTP/1.1 200 OK\r\n", 17));
 *     memstream_cut(server, 5);                         // 5 more bytes arrive, then the end
 *
 * Like a socket, an end may be closed at any time, also before the other one, and each direction
 * has at most one reader and one writer. Every read, write and finish is a cancel point.
 */
#ifndef MEMSTREAM_H
#define MEMSTREAM_H

#include <whorl/stream.h>

/* Makes two connected ends. Returns 0 or -ENOMEM. Close each with whorl_stream_close(). */
int memstream_pair(struct whorl_stream **ret_a, struct whorl_stream **ret_b);

/* Each read of `stream` returns at most `n` bytes; 0: all that are there. */
void memstream_chunk(struct whorl_stream *stream, size_t n);

/* Writes of `stream` wait while the peer has `n` or more unread bytes; 0: never. */
void memstream_capacity(struct whorl_stream *stream, size_t n);

/* After `stream` has written `n` more bytes, counted from this call, its peer reads the end. What
 * is written later is lost silently, as behind a router that has failed. */
void memstream_cut(struct whorl_stream *stream, size_t n);

/* After `stream` has written `n` more bytes, counted from this call, reads of its peer fail with
 * `err`. */
void memstream_fail(struct whorl_stream *stream, size_t n, int err);

/* From this call on both ends fail with -ECONNRESET, and unread bytes are lost. */
void memstream_reset(struct whorl_stream *stream);

/* Each suspending call of `stream` first yields once. */
void memstream_yield(struct whorl_stream *stream, bool on);

/* `hook` is called at the start of each suspending call of `stream`, for example to count calls or
 * to cancel a scope at the nth call. NULL: no hook. */
void memstream_hook(struct whorl_stream *stream, void (*hook)(void *ctx), void *ctx);

/* Number of bytes that `stream` has written so far, including lost ones. */
size_t memstream_written(struct whorl_stream *stream);

/* Number of write calls of `stream` so far. */
size_t memstream_writes(struct whorl_stream *stream);

/* Copies what `stream` writes after this call to `buf`, as far as it fits; `*len` is the number of
 * bytes. Both must stay valid until the close, or until a call with NULL removes the tap. */
void memstream_tap(struct whorl_stream *stream, unsigned char *buf, size_t size, size_t *len);

/* Number of bytes that `stream` could read now. */
size_t memstream_pending(struct whorl_stream *stream);

/* Number of pairs that are not closed at both ends, for leak checks. */
size_t memstream_alive(void);

#endif

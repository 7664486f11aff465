/* SPDX-License-Identifier: MIT */
/* Streams in memory for tests: two ends, and what one writes the other reads. They wait on the
 * scheduler only, so they work on virtual time.
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

/* Makes two connected ends. Returns 0 or -ENOMEM. Each is closed with whorl_stream_close(). */
int memstream_pair(struct whorl_stream **ret_a, struct whorl_stream **ret_b);

/* Each read of `stream` gives at most `n` bytes; 0: as much as there is. */
void memstream_chunk(struct whorl_stream *stream, size_t n);

/* Writes of `stream` wait while the peer has `n` or more unread bytes; 0: never. */
void memstream_capacity(struct whorl_stream *stream, size_t n);

/* After `n` more bytes written by `stream` its peer sees the end; what is written later is lost
 * silently, as behind a dead router. Counts from now. */
void memstream_cut(struct whorl_stream *stream, size_t n);

/* After `n` more bytes written by `stream` reads of its peer fail with `err`. Counts from now. */
void memstream_fail(struct whorl_stream *stream, size_t n, int err);

/* Both ends fail with -ECONNRESET from now on, and what was unread is lost. */
void memstream_reset(struct whorl_stream *stream);

/* Each suspending call of `stream` yields to other tasks once before it does anything. */
void memstream_yield(struct whorl_stream *stream, bool on);

/* Called at the start of each suspending call of `stream`, e.g. to count calls or cancel a scope at
 * the nth. NULL: nothing. */
void memstream_hook(struct whorl_stream *stream, void (*hook)(void *ctx), void *ctx);

/* Bytes `stream` has written so far, lost ones included. */
size_t memstream_written(struct whorl_stream *stream);

/* Calls of write that `stream` has seen. */
size_t memstream_writes(struct whorl_stream *stream);

/* Keeps a copy of what `stream` writes from now on, as far as it fits; `*len` says how much. Both
 * must stay valid until the close, or until the tap is taken off with NULL. */
void memstream_tap(struct whorl_stream *stream, unsigned char *buf, size_t size, size_t *len);

/* Bytes that `stream` could read now. */
size_t memstream_pending(struct whorl_stream *stream);

/* Pairs that are not yet closed at both ends, for leak checks. */
size_t memstream_alive(void);

#endif

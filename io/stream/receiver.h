/* SPDX-License-Identifier: MIT */
/* Receives from a stream socket in the cheaper of two ways. The caller does not notice which.
 *
 *     direct     one request per read, straight into the caller's memory; as whorl_recv()
 *     ahead      one multishot request stays in flight. The kernel puts what arrives into buffers
 *                of the run (ring_buffers.h), and reads copy it from there. This saves a request
 *                per message. reader.c says why the buffers are not lent to the reader.
 *
 *         direct -------- SMALL_ROW small messages in a row ----------------------> ahead
 *         direct <------- BULK bytes in one read; or the request has ended and ---- ahead
 *                         cannot be armed again
 *
 * A direct request is made only when the multishot request is not in flight and all bytes that it
 * received are consumed. So bytes, the end and errors come in the order of the socket.
 *
 *     reader                     receiver                      driver
 *     receiver_read() ---------> arm: io_op_start ----------->
 *                                park
 *                                on_receive: queue a piece <-- bytes arrive
 *     copies the piece <-------- wake
 *     receiver_read() ---------> park                          (no request)
 *
 * A stream that no task reads does not fill memory. When the queue has PIECES_MAX pieces, the
 * request is cancelled. The next read that finds the queue empty arms it again. When no buffer is
 * free (-ENOBUFS), the run gets more buffers. When the run has the largest allowed number of
 * buffers, the receiver returns to direct requests.
 *
 * While no task waits, the request is a background request. It keeps the socket open until its last
 * completion, also after a close. The memory for reading ahead (struct read_ahead) is allocated
 * when reading ahead begins. It is freed when reading ahead has ended and all bytes are consumed.
 * So a stream without traffic needs little memory.
 *
 * Only streams read ahead. whorl_recv() on a descriptor must not take more bytes out of the socket
 * than its caller asks for.
 *
 * A forked child drops the bytes in its copy of a receiver, because the parent reads them.
 * Receivers that were made before a fork receive directly after it, because the other process may
 * want to read the socket.
 */
#ifndef IO_STREAM_RECEIVER_H
#define IO_STREAM_RECEIVER_H

#include <stdbool.h>
#include <sys/types.h>

#include <whorl/stream.h>

/* The receiver of one socket, in the stream's memory. The fields are private. */
struct receiver {
    int fd;
    unsigned forks;           /* the value of `forks_made` when the receiver was made */
    unsigned small;           /* small messages in a row, at most SMALL_ROW */
    bool direct_only;         /* it does not begin to read ahead any more */
    struct read_ahead *ahead; /* NULL: it does not read ahead now */
};

/* Makes the receiver of a socket, which the caller closes after receiver_finish(). A socket that
 * carries packets (`is_stream` is false) receives directly, because a read returns one packet. */
void receiver_init(struct receiver *r, int fd, bool is_stream);

/* Drops the unread bytes, and asks the kernel to end the request. No task may be reading. */
void receiver_finish(struct receiver *r);

/* recv(2), see whorl_stream_read(). One task at a time. */
WHORL_SUSPENDS ssize_t receiver_read(struct receiver *r, void *buf, size_t len);

/* Whether the next read would receive directly from the socket, and the last reads have received
 * much. Then the caller may receive by itself, and reports the count of each of its calls to
 * receiver_note(). */
bool receiver_is_in_bulk(struct receiver *r);
void receiver_note(struct receiver *r, ssize_t n);

/* See whorl_stream_take_received(). */
WHORL_SUSPENDS ssize_t receiver_take_received(struct receiver *r, void *buf, size_t len);

/* The functions of struct whorl_stream_ops with these names. */
ssize_t receiver_try_read(struct receiver *r, void *buf, size_t len);
bool receiver_is_readable(struct receiver *r);
int receiver_start_wait(struct receiver *r, struct whorl_stream_wait *wait);
enum whorl_abort receiver_stop_wait(struct receiver *r, struct whorl_stream_wait *wait);

/* Asks the kernel to end the request; from now on the receiver receives directly. */
void receiver_stop(struct receiver *r);

/* Whether bytes, the end or an error were received and not yet read. */
bool receiver_has_received(const struct receiver *r);

/* Whether nothing has arrived that was not read. Costs no system call. False: it is unknown. */
bool receiver_is_quiet(const struct receiver *r);

#endif

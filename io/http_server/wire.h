/* SPDX-License-Identifier: MIT */
/* The bytes of one connection: received bytes that are not parsed yet, and writes with the stall
 * limit.
 *
 * A small buffer in the task's stack is enough for most heads and for waiting, so an idle
 * connection holds no other memory. With the frames above it, it fits into one page of the stack.
 * wire_enlarge() takes a large one for bodies, and wire_shrink() returns it.
 */
#ifndef IO_HTTP_SERVER_WIRE_H
#define IO_HTTP_SERVER_WIRE_H

#include <whorl/http_server.h>
#include <whorl/sync.h>

#include "io/http/stage.h"
#include "io/http/store.h"

enum {
    WIRE_SMALL = 1024,        /* bytes of the small buffer */
    WIRE_PART = 256 * 1024,   /* the stall limit applies to each part of a write */
    WIRE_FILE_PART = 1 << 24, /* part of a file; any byte that moves counts as progress */
};

struct http_wire {
    struct whorl_stream *stream;                       /* borrowed */
    struct http_store *store;                          /* the server's buffers */
    const struct whorl_http_server_timeouts *timeouts; /* defaults filled in */
    struct http_buf *large;                            /* NULL: `in` is `small` */
    char *in;
    size_t in_start, in_end; /* received and not yet parsed */
    /* Set while a task other than the reply's may write "100 Continue". Then only one task writes
     * at a time. */
    bool takes_turns;
    struct whorl_mutex turn;
    bool is_ended; /* the end was sent */
    bool has_peer, peer_known;
    struct whorl_addr peer; /* valid when `has_peer` */
    char small[WIRE_SMALL];
};

void wire_init(struct http_wire *wire, struct whorl_stream *stream, struct http_store *store,
               const struct whorl_http_server_timeouts *timeouts);

/* Returns the large buffer, even if it has unread bytes. */
void wire_finish(struct http_wire *wire);

/* Takes a large buffer. Bytes that have arrived are kept. Returns 0 or -ENOMEM. */
int wire_enlarge(struct http_wire *wire);

/* Returns the large buffer if the bytes in it fit into the small one. */
void wire_shrink(struct http_wire *wire);

static inline size_t wire_unread(const struct http_wire *wire)
{
    return wire->in_end - wire->in_start;
}

/* Receives into the buffer, which must have no unread bytes. The count, 0 at the end, or a code. */
WHORL_SUSPENDS ssize_t wire_receive(struct http_wire *wire);

/* Receives bytes and drops them, after wire_end(). Returns as wire_receive(). A TLS stream cannot
 * be read after its end was sent, so the socket underneath is read. */
WHORL_SUSPENDS ssize_t wire_drop(struct http_wire *wire);

/* Writes all parts; each WIRE_PART bytes within the stall limit. */
WHORL_SUSPENDS int wire_write(struct http_wire *wire, const struct iovec *parts, int count);

/* Writes a part of a file. Any bytes that move count as progress for the stall limit. Returns 0;
 * WHORL_EHTTP_REPLY_BODY when the file is shorter; other errors. `*ret_sent` is the number of bytes
 * that were sent, also after a failure. */
WHORL_SUSPENDS int wire_write_file(struct http_wire *wire, int file_fd, int64_t offset, int64_t len,
                                   int64_t *ret_sent);

/* Tells the client that nothing more is sent. Closing a socket does that too, so for sockets this
 * does something only if `now` is set: then the connection stays open for a while. Returns 0 or a
 * code. */
WHORL_SUSPENDS int wire_end(struct http_wire *wire, bool now);

/* The client's address, or NULL. */
const struct whorl_addr *wire_peer(struct http_wire *wire);

#endif

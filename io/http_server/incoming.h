/* SPDX-License-Identifier: MIT */
/* Requests as the server and its handlers see them: the parser, and reading of bodies. */
#ifndef IO_HTTP_SERVER_INCOMING_H
#define IO_HTTP_SERVER_INCOMING_H

#include <whorl/http_server.h>

#include "io/http/http1.h"
#include "io/http_server/wire.h"

enum {
    INCOMING_DRAIN_MAX = 64 * 1024, /* unread bytes of a body that are read to keep a connection */
};

struct whorl_http_incoming {
    struct http_wire *wire;
    struct http1 parser;
    struct http1_body_span span; /* parsed and not yet handed out */
    bool has_head;
    bool has_ended;    /* the whole body was parsed */
    bool expects;      /* the client waits for "100 Continue" */
    int err;           /* of the head or the body; permanent */
    int64_t rate_min;  /* bytes per second of the body */
    int64_t waited_ns; /* for the body so far */
};

/* Prepares for the next request. */
void incoming_begin(struct whorl_http_incoming *incoming, struct http_wire *wire,
                    const struct http1_limits *limits, int64_t rate_min);

/**
 * Reads the head, whose first byte has arrived. When the request is refused, `err` is set, too.
 *
 * @limit_ns  for the whole head, from its first byte
 *
 * Returns: 1; WHORL_EHTTP_HEAD_TIMEOUT; other WHORL_EHTTP_*; -errno.
 */
WHORL_SUSPENDS int incoming_read_head(struct whorl_http_incoming *incoming, int64_t limit_ns);

/* Whether the rest of the body, if any, is short enough to be read only to keep the connection. */
bool incoming_can_drain(const struct whorl_http_incoming *incoming);

/* Reads the rest of the body and drops it. Returns 0 at its end, or why that failed. */
WHORL_SUSPENDS int incoming_drain(struct whorl_http_incoming *incoming);

static inline bool incoming_is(const struct whorl_http_incoming *incoming, const char *method)
{
    return incoming->has_head && strcmp(http1_method(&incoming->parser), method) == 0;
}

#endif

/* SPDX-License-Identifier: MIT */
/* Asks a SOCKS5 proxy for a connection, on any stream. */
#ifndef IO_NET_SOCKS5_CONNECT_H
#define IO_NET_SOCKS5_CONNECT_H

#include <whorl/stream.h>

#include "io/net/socks5.h"

/**
 * Does the whole protocol on a stream to the proxy, which then is a stream to the server.
 *
 * @ret_why  set on errors of the proxy; else NULL
 *
 * Returns:  0; as socks5_init() and socks5_feed(); WHORL_EHTTP_PROXY_FAILED also when the proxy
 *           closes the connection; errors of the stream.
 * Suspends: until the proxy has connected. Only a scope limits the time.
 * Cancel:   -ECANCELED; the stream can only be closed.
 */
WHORL_SUSPENDS int socks5_connect(struct whorl_stream *stream, const struct socks5_request *request,
                                  const char **ret_why);

#endif

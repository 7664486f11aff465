/* SPDX-License-Identifier: MIT */
/* Sends for code that knows that its descriptor is a stream socket. On io_uring this saves one
 * attempt when the send has to wait; see io/driver/ring_stage.h. */
#ifndef IO_NET_SOCKET_H
#define IO_NET_SOCKET_H

#include <whorl/net.h>

/* whorl_send() and whorl_sendmsg() with MSG_WAITALL, on a stream socket. */
WHORL_SUSPENDS ssize_t socket_send_stream(int fd, const void *buf, size_t len);
WHORL_SUSPENDS ssize_t socket_sendmsg_stream(int fd, const struct msghdr *msg);

#endif

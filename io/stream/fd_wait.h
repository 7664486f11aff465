/* SPDX-License-Identifier: MIT */
/* The wait of whorl_case_stream() for a stream over a descriptor: a poll request. */
#ifndef IO_STREAM_FD_WAIT_H
#define IO_STREAM_FD_WAIT_H

#include <whorl/stream.h>

/* Whether a read of the descriptor would not wait. */
bool fd_wait_is_over(int fd);

/* The `start_wait` and `stop_wait` of such a stream. They use the field `data` of the wait. */
int fd_wait_start(int fd, struct whorl_stream_wait *wait);
enum whorl_abort fd_wait_stop(struct whorl_stream_wait *wait);

#endif

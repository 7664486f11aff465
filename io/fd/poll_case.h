/* SPDX-License-Identifier: MIT */
/* Cases of select that wait until a descriptor is ready. */
#ifndef IO_FD_POLL_CASE_H
#define IO_FD_POLL_CASE_H

#include <whorl/select.h>

/* Called on the loop's stack when the descriptor of a case is ready, unless the case was stopped.
 * Sets the case's `result` and returns true to complete the case. Returns false to wait again, when
 * another task has taken what the descriptor had. `res` is the reported events, or an error; an
 * error must complete the case. Must not suspend. */
typedef bool (*poll_case_take)(struct whorl_case *c, int res);

/* The `start` function of such a case. 0, -ENOMEM, WHORL_ENOIO, ... */
int poll_case_start(struct whorl_case *c, int fd, unsigned events, poll_case_take take);

/* The `stop` function of such a case. */
enum whorl_abort poll_case_stop(struct whorl_case *c);

#endif

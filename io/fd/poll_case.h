/* SPDX-License-Identifier: MIT */
/* Select's cases that wait for a descriptor to be ready. */
#ifndef IO_FD_POLL_CASE_H
#define IO_FD_POLL_CASE_H

#include <whorl/select.h>

/* Called on the loop when `fd` of a case still waited for is ready: completes the case by setting
 * `result` and returns true, or false to go on waiting because another was quicker. `res` is the
 * events that hold or an error, which completes it. Must not suspend. */
typedef bool (*poll_case_take)(struct whorl_case *c, int res);

/* The start of such a case. 0, -ENOMEM, WHORL_ENOIO, ... */
int poll_case_start(struct whorl_case *c, int fd, unsigned events, poll_case_take take);

/* Its stop. */
enum whorl_abort poll_case_stop(struct whorl_case *c);

#endif

/* SPDX-License-Identifier: MIT */
/* One attempt of a transfer. */
#ifndef WHORL_GET_TRANSFER_ATTEMPT_H
#define WHORL_GET_TRANSFER_ATTEMPT_H

#include "tools/get/transfer_state.h"

/* Makes one attempt. Returns 0, 1 when the response's status is the failure, or a negative code. */
WHORL_SUSPENDS int transfer_try_once(struct transfer *t);

#endif

/* SPDX-License-Identifier: MIT */
/* When an attempt has failed: another one, another URL of the file, or the end. */
#ifndef WHORL_GET_TRANSFER_RETRY_H
#define WHORL_GET_TRANSFER_RETRY_H

#include "tools/get/transfer_state.h"

/* Retries until the transfer succeeds or a retry would not help. Returns 0, 1 when the status is
 * the failure, or a negative code. */
WHORL_SUSPENDS int transfer_try_all(struct transfer *t);

#endif

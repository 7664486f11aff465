/* SPDX-License-Identifier: MIT */
/* The private part of select. */
#ifndef RUNTIME_SYNC_SELECT_H
#define RUNTIME_SYNC_SELECT_H

#include <whorl/select.h>

/* Returns the task that is parked in a select with this case; NULL when it has not parked yet. The
 * case must be started and not ended. */
const struct whorl_task *select_task_of(const struct whorl_case *c);

#endif

/* SPDX-License-Identifier: MIT */
/* The private part of select. */
#ifndef RUNTIME_SYNC_SELECT_H
#define RUNTIME_SYNC_SELECT_H

#include <whorl/select.h>

/* The task that is parked in a select with this case; NULL when none is yet. The case has been
 * started and is not over. */
const struct whorl_task *select_task_of(const struct whorl_case *c);

#endif

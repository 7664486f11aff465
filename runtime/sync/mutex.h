/* SPDX-License-Identifier: MIT */
/* Mutexes, for condition variables. */
#ifndef RUNTIME_SYNC_MUTEX_H
#define RUNTIME_SYNC_MUTEX_H

#include <whorl/sync.h>

/* Locks even when the task is cancelled, for a call that must return with the mutex locked. */
WHORL_SUSPENDS_SHIELDED void mutex_lock_always(struct whorl_mutex *mutex);

#endif

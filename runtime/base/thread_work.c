/* SPDX-License-Identifier: MIT */
/* The work that a thread of a pool runs now. */
#include "runtime/base/thread_work.h"

_Thread_local const bool *thread_work_cancelled;

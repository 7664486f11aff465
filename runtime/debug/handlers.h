/* SPDX-License-Identifier: MIT */
/* Signal handlers in a program whose tasks have small stacks. */
#ifndef RUNTIME_DEBUG_HANDLERS_H
#define RUNTIME_DEBUG_HANDLERS_H

/* Aborts when a signal has a handler that would run on the stack of a task. The frame of a signal
 * alone can be larger than a small stack. */
void handlers_check(void);

#endif

/* SPDX-License-Identifier: MIT */
/* Checks of our own invariants. They are always on. A failed check prints its condition, the
 * running task and the place where that task was spawned. Then it aborts. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <stddef.h>

struct whorl_task;

/* Writes a line about a task to standard error: about the running task of this thread when `task`
 * is NULL. This module does not know tasks, so the first run sets this function. */
typedef void (*check_task_fn)(const struct whorl_task *task);
void check_report_tasks_with(check_task_fn fn);

/* Prints the failed condition to standard error and aborts. */
__attribute__((noreturn, cold)) void check_failed(const char *file, int line, const char *what);

/* The same for a failure that concerns a second task, which is reported too. */
__attribute__((noreturn, cold)) void check_failed_with(const char *file, int line, const char *what,
                                                       const struct whorl_task *task);

#define whorl_check(condition) \
    (__builtin_expect(!(condition), 0) ? check_failed(__FILE__, __LINE__, #condition) : (void)0)

/* For a caller's mistake after which the program cannot continue. `text` tells the caller what to
 * do instead. */
#define whorl_check_text(condition, text) \
    (__builtin_expect(!(condition), 0) ? check_failed(__FILE__, __LINE__, text) : (void)0)

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif

/* SPDX-License-Identifier: MIT */
/* Reports a broken invariant and aborts. */
#include "runtime/base/check.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static check_task_fn report_task; /* read and written with the __atomic functions */

void check_report_tasks_with(check_task_fn fn)
{
    __atomic_store_n(&report_task, fn, __ATOMIC_RELEASE);
}

static void report(const struct whorl_task *task)
{
    static _Thread_local bool reporting;
    check_task_fn fn = __atomic_load_n(&report_task, __ATOMIC_ACQUIRE);

    if (!fn || reporting) /* a check failed during a report: do not start another report */
        return;
    reporting = true;
    fn(task);
    reporting = false;
}

void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "whorl: %s:%d: check failed: %s\n", file, line, what);
    report(NULL);
    abort();
}

void check_failed_with(const char *file, int line, const char *what, const struct whorl_task *task)
{
    fprintf(stderr, "whorl: %s:%d: check failed: %s\n", file, line, what);
    report(NULL);
    report(task);
    abort();
}

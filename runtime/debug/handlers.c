/* SPDX-License-Identifier: MIT */
/* Looks for signal handlers that would run on the stack of a task. */
#include "runtime/debug/handlers.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "runtime/base/check.h"

void handlers_check(void)
{
    struct sigaction action;
    char text[128];

    for (int i = 1; i < NSIG; i++) {
        if (sigaction(i, NULL, &action) < 0) /* a signal of the C library */
            continue;
        bool handled = (action.sa_flags & SA_SIGINFO) ||
                       (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN);
        if (!handled || (action.sa_flags & SA_ONSTACK))
            continue;
        snprintf(text, sizeof text,
                 "a task gets a small stack, but the handler of signal %d lacks SA_ONSTACK: "
                 "it would overflow that stack",
                 i);
        check_failed(__FILE__, __LINE__, text);
    }
}

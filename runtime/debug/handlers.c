/* SPDX-License-Identifier: MIT */
/* Looks for signal handlers that would run on the stack of a task. */
#include "runtime/debug/handlers.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "runtime/base/check.h"
#include "runtime/context/sanitizer.h"

static bool is_in_valgrind(void)
{
#ifdef CONTEXT_VALGRIND
    return RUNNING_ON_VALGRIND;
#else
    return false;
#endif
}

void handlers_check(void)
{
    struct sigaction action;
    char text[128];

    /* Valgrind uses the last signal itself. */
    for (int i = 1; i < NSIG - is_in_valgrind(); i++) {
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

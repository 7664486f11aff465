/* SPDX-License-Identifier: MIT */
/* Children: run code that is expected to end its process or to write to standard error.
 *
 *     static void unlock_twice(void *arg) { ... }
 *
 *     struct child child;
 *     child_run(&child, unlock_twice, NULL);
 *     CHECK_EQ(child.signal, SIGABRT);
 *     CHECK(strstr(child.err, "by the task that locked it"));
 */
#ifndef TEST_CHILD_H
#define TEST_CHILD_H

#include <stddef.h>

#include <whorl/base.h>

struct child {
    int exit_status; /* 0 when `fn` returned; -1 when a signal ended the child */
    int signal;      /* signal that ended the child, or 0 */
    size_t err_len;
    char err[262144]; /* standard error of the child, terminated */
};

/* Calls `fn(arg)` in a forked child without core dumps, and waits until the child ends. */
void child_run(struct child *ret, WHORL_ANNOTATE("whorl_unchecked") void (*fn)(void *arg),
               void *arg);

#endif

/* SPDX-License-Identifier: MIT */
/* Children that a test forks: they end with the test, and one that hangs is a failure. */
#ifndef TEST_FORKED_H
#define TEST_FORKED_H

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

/* fork(2). The child is killed when the test ends, and after 10 seconds. */
static inline pid_t fork_child(void)
{
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm((unsigned)(10 * test_timeout_scale()));
    }
    return child;
}

/* Waits for a child, which must exit with status 0. */
static inline void expect_success(pid_t child)
{
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

#endif

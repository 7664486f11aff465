/* SPDX-License-Identifier: MIT */
/* Runs code in a forked child, collects its standard error, and waits for it. */
#include "child.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static void settle(int err_fd)
{
    struct rlimit none = {0, 0};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &none);
    dup2(err_fd, STDERR_FILENO);
    close(err_fd);
}

void child_run(struct child *ret, WHORL_ANNOTATE("whorl_unchecked") void (*fn)(void *arg),
               void *arg)
{
    int fds[2], status;

    if (pipe(fds) < 0)
        test_fail(__FILE__, __LINE__, "pipe: %s", strerror(errno));
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        test_fail(__FILE__, __LINE__, "fork: %s", strerror(errno));
    if (pid == 0) {
        close(fds[0]);
        settle(fds[1]);
        fn(arg);
        fflush(NULL);
        _exit(0);
    }
    close(fds[1]);
    ret->err_len = 0;
    for (;;) {
        char spill[512], *to = ret->err + ret->err_len;
        size_t room = sizeof ret->err - 1 - ret->err_len;
        ssize_t n = read(fds[0], room ? to : spill, room ? room : sizeof spill);
        if (n <= 0)
            break;
        if (room)
            ret->err_len += (size_t)n;
    }
    ret->err[ret->err_len] = '\0';
    close(fds[0]);
    if (waitpid(pid, &status, 0) != pid)
        test_fail(__FILE__, __LINE__, "waitpid: %s", strerror(errno));
    ret->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    ret->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    printf("child: signal %d, status %d, wrote: %s\n", ret->signal, ret->exit_status, ret->err);
}

/* SPDX-License-Identifier: MIT */
/* A process turns the spinner. The two processes share no memory. A socket between them tells the
 * child when to end, and the child sends back the number of frames that it drew. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl/error.h>

#include "../timeline.h"
#include "answer.h"
#include "spinner.h"
#include "ways.h"

static void turn(struct spinner *spinner, int fd)
{
    spinner_turn_until_hangup(spinner, fd);
    _exit(write(fd, spinner, sizeof *spinner) == sizeof *spinner ? 0 : 1);
}

int spinner_process(struct spinner *spinner, int slow_ms)
{
    int ends[2], lane = timeline_lane(spinner->timeline, "slow");
    struct spinner theirs;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        turn(spinner, ends[1]);
    }
    int answer = -errno;
    close(ends[1]);
    if (pid > 0) {
        timeline_mark(spinner->timeline, lane, TIMELINE_WAITS);
        answer = answer_find(slow_ms);
        timeline_mark(spinner->timeline, lane, TIMELINE_ENDS);
        shutdown(ends[0], SHUT_WR);
        if (read(ends[0], &theirs, sizeof theirs) == sizeof theirs)
            *spinner = theirs;
        else
            answer = WHORL_EWORKER;
        waitpid(pid, NULL, 0);
    }
    close(ends[0]);
    return answer;
}

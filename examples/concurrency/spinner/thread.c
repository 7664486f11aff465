/* SPDX-License-Identifier: MIT */
/* A thread turns the spinner, and the system switches between the threads. A thread cannot be
 * stopped from outside, so closing a pipe tells it to end. */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "../timeline.h"
#include "answer.h"
#include "spinner.h"
#include "ways.h"

struct turning {
    struct spinner *spinner;
    int fd;
};

static void *turn(void *arg)
{
    struct turning *turning = arg;

    spinner_turn_until_hangup(turning->spinner, turning->fd);
    return NULL;
}

int spinner_thread(struct spinner *spinner, int slow_ms)
{
    pthread_t thread;
    int done[2], lane = timeline_lane(spinner->timeline, "slow");

    if (pipe(done) < 0)
        return -errno;
    struct turning turning = {spinner, done[0]};
    int err = pthread_create(&thread, NULL, turn, &turning), answer = -err;
    if (err == 0) {
        timeline_mark(spinner->timeline, lane, TIMELINE_WAITS);
        answer = answer_find(slow_ms);
        timeline_mark(spinner->timeline, lane, TIMELINE_ENDS);
    }
    close(done[1]);
    if (err == 0)
        pthread_join(thread, NULL);
    close(done[0]);
    return answer;
}

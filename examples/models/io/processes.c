/* SPDX-License-Identifier: MIT */
/* Processes: nothing is shared, so nothing can race, and a crash takes one worker only. What they say
 * to each other goes through pipes: numbers of pages one way, results the other. */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io.h"

struct result {
    int index;
    struct job job;
};

/* Small writes and reads of pipes are whole: at most PIPE_BUF bytes. */
static void work(const struct batch *batch, int number, int from, int to)
{
    struct result result;

    while (read(from, &result.index, sizeof result.index) == sizeof result.index) {
        result.job = batch->jobs[result.index];
        result.job.worker = number;
        get_blocking(batch, &result.job);
        if (write(to, &result, sizeof result) != sizeof result)
            _exit(1);
    }
    _exit(0);
}

static int hand_out(struct batch *batch, int to)
{
    for (int i = 0; i < batch->count; i++)
        if (write(to, &i, sizeof i) != sizeof i)
            return -errno;
    return 0;
}

static void collect(struct batch *batch, int from)
{
    struct result result;

    while (read(from, &result, sizeof result) == sizeof result)
        batch->jobs[result.index] = result.job;
}

int run_processes(struct batch *batch)
{
    int jobs[2], results[2], started = 0, err = 0;

    for (int i = 0; i < batch->count; i++)
        batch->jobs[i].err = -ECHILD; /* until a worker has said otherwise */
    if (pipe(jobs) < 0)
        return -errno;
    if (pipe(results) < 0) {
        err = -errno;
        close(jobs[0]);
        close(jobs[1]);
        return err;
    }
    for (int i = 0; i < batch->workers; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            close(jobs[1]); /* or it would never see the end of the numbers */
            close(results[0]);
            work(batch, i, jobs[0], results[1]);
        }
        started += pid > 0;
    }
    close(jobs[0]);
    close(results[1]);
    err = started > 0 ? hand_out(batch, jobs[1]) : -EAGAIN;
    close(jobs[1]);
    collect(batch, results[0]); /* ends when the last worker has */
    close(results[0]);
    while (started > 0 && wait(NULL) > 0)
        started--;
    return err;
}

/* SPDX-License-Identifier: MIT */
/* Processes. They run on several processors as threads do, but share no memory. So the numbers and
 * the sums are sent through pipes. A message is so small that it is always read and written
 * completely. */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl/error.h>

#include "../timeline.h"
#include "cpu.h"
#include "squares.h"

struct message {
    int index;
    struct cpu_sum sum;
};

static void work(struct cpu_batch *batch, int number, int from, int to)
{
    struct message message;
    char name[32];

    snprintf(name, sizeof name, "process %d", number);
    int lane = timeline_lane(batch->timeline, name);
    timeline_mark(batch->timeline, lane, TIMELINE_WORKS);
    while (read(from, &message, sizeof message) == sizeof message) {
        cpu_add_squares(&message.sum);
        if (write(to, &message, sizeof message) != sizeof message)
            _exit(1);
    }
    timeline_mark(batch->timeline, lane, TIMELINE_ENDS);
    _exit(0);
}

_Static_assert(CPU_COUNT_MAX * sizeof(struct message) <= 4096, "the smallest capacity of a pipe");

/* Sends all numbers. The sums are read after that. A pipe has room for all of either, so no side
 * waits for the other. */
static int hand_out(const struct cpu_batch *batch, int to)
{
    for (int i = 0; i < batch->count; i++)
        if (write(to, &(struct message){i, batch->sums[i]}, sizeof(struct message)) < 0)
            return errno == EPIPE ? WHORL_EWORKER : -errno; /* EPIPE: all workers have died */
    return 0;
}

static int collect(struct cpu_batch *batch, int from)
{
    struct message message;
    int received = 0;

    for (; read(from, &message, sizeof message) == sizeof message; received++)
        batch->sums[message.index] = message.sum;
    return received == batch->count ? 0 : WHORL_EWORKER;
}

int cpu_processes(struct cpu_batch *batch)
{
    int numbers[2], sums[2], started = 0;

    if (pipe(numbers) < 0)
        return -errno;
    if (pipe(sums) < 0) {
        int err = -errno;
        close(numbers[0]);
        close(numbers[1]);
        return err;
    }
    for (int i = 0; i < batch->workers; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            close(numbers[1]); /* otherwise it never reads the end of the numbers */
            close(sums[0]);
            work(batch, i + 1, numbers[0], sums[1]);
        }
        started += pid > 0;
    }
    close(numbers[0]);
    close(sums[1]);
    int err = hand_out(batch, numbers[1]);
    close(numbers[1]); /* the workers read the end of the numbers and end */
    if (err == 0)
        err = collect(batch, sums[0]);
    close(sums[0]);
    while (started > 0 && wait(NULL) > 0)
        started--;
    return err;
}

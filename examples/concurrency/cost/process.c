/* SPDX-License-Identifier: MIT */
/* The cost of a process. The process is a fork, which shares with its parent all memory that
 * neither has changed. The measurement does not include the memory that the kernel uses for each
 * process. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cost.h"
#include "meter.h"

static int start_each(int count, struct cost *ret)
{
    int64_t began_ns = meter_now_ns();

    for (int i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        if (pid < 0)
            return -errno;
        waitpid(pid, NULL, 0);
    }
    ret->start_ns = (double)(meter_now_ns() - began_ns) / count;
    return 0;
}

/* The memory that only this process uses, as the kernel reports it. */
static long private_bytes(void)
{
    FILE *from = fopen("/proc/self/smaps_rollup", "re");
    char line[256];
    long kib, sum = 0;

    while (from && fgets(line, sizeof line, from))
        if (sscanf(line, "Private_Clean: %ld", &kib) == 1 ||
            sscanf(line, "Private_Dirty: %ld", &kib) == 1)
            sum += 1024 * kib;
    if (from)
        fclose(from);
    return sum;
}

/* Sends its memory use to `say`. Then waits until the other end of `end` is closed. */
static void wait_for_end(int end, int say)
{
    long bytes = private_bytes();
    char c;

    if (write(say, &bytes, sizeof bytes) == sizeof bytes && read(end, &c, 1) == 0)
        _exit(0);
    _exit(1);
}

static int keep_all(int count, struct cost *ret)
{
    int end[2], say[2], started = 0, err = 0;
    long bytes;
    double sum = 0;

    if (pipe(end) < 0 || pipe(say) < 0)
        return -errno; /* the process ends and closes the pipes */
    while (started < count && err == 0) {
        pid_t pid = fork();
        if (pid == 0) {
            close(end[1]);
            wait_for_end(end[0], say[1]);
        }
        err = pid < 0 ? -errno : 0;
        started += pid > 0;
    }
    close(say[1]);
    for (int i = 0; i < started && read(say[0], &bytes, sizeof bytes) == sizeof bytes; i++)
        sum += (double)bytes;
    close(end[1]);
    for (int i = 0; i < started; i++)
        wait(NULL);
    ret->idle_bytes = sum / count;
    return err;
}

int cost_process(int count, struct cost *ret)
{
    int err = start_each(count, ret);

    return err ? err : keep_all(count, ret);
}

/* SPDX-License-Identifier: MIT */
/* `models cost`: what a worker that does nothing costs, as a task, a thread and a process. */
#include "cost.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl/error.h>

#include "../commands.h"
#include "../machine.h"
#include "../options.h"

enum { KINDS = 3, RUNS_MAX = 99 };

static const struct kind {
    const char *name;
    cost_fn run;
} kinds[KINDS] = {{"task", cost_task}, {"thread", cost_thread}, {"process", cost_process}};

/* In memory shared with the process that measures. */
struct result {
    struct cost cost;
    int err;
};

/* Measures in a child process, so that one measurement does not influence the next. */
static int measure(const struct kind *kind, int count, struct result *shared)
{
    int status;

    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        shared->err = kind->run(count, &shared->cost);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        return -errno;
    return status ? -ECHILD : shared->err;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Measures several times and prints the medians. */
static int show(const struct kind *kind, int count, int runs, struct result *shared)
{
    double start_ns[RUNS_MAX], idle_bytes[RUNS_MAX];

    for (int i = 0; i < runs; i++) {
        int err = measure(kind, count, shared);
        if (err) {
            fprintf(stderr, "models cost: %s: %s\n", kind->name, whorl_strerror(err));
            return err;
        }
        start_ns[i] = shared->cost.start_ns;
        idle_bytes[i] = shared->cost.idle_bytes;
    }
    qsort(start_ns, (size_t)runs, sizeof *start_ns, by_value);
    qsort(idle_bytes, (size_t)runs, sizeof *idle_bytes, by_value);
    printf("%-10s %8d %17.2f %17.1f\n", kind->name, count, start_ns[runs / 2] / 1e3,
           idle_bytes[runs / 2] / 1024);
    return 0;
}

int cost_main(int argc, char **argv)
{
    int counts[KINDS] = {100000, 1000, 100}, runs = 3, failed = 0, status;
    const struct option_row rows[] = {
        {"tasks", "N", "number of tasks", .number = &counts[0], .min = 1, .max = 1000000},
        {"threads", "N", "number of threads", .number = &counts[1], .min = 1, .max = 100000},
        {"processes", "N", "number of processes", .number = &counts[2], .min = 1, .max = 10000},
        {"runs", "N", "number of runs; the medians are shown", .number = &runs, .min = 1,
         .max = RUNS_MAX},
        {0}};
    const struct option_table table = {
        "cost", NULL, "Measures what a task, a thread and a process cost that do nothing.", rows};
    struct machine machine;

    if (!options_read(&table, argc, argv, &status))
        return status;
    struct result *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    machine_read(&machine);
    printf("%d x %s, %s; medians of %d runs.\n\n%-10s %8s %17s %17s\n", machine.processors,
           machine.cpu, machine.kernel, runs, "", "workers", "start and end, us",
           "idle memory, KiB");
    for (int i = 0; i < KINDS; i++)
        failed += show(&kinds[i], counts[i], runs, shared) != 0;
    printf("\nThis is the memory of the program. The kernel needs more for each thread and "
           "process.\n");
    munmap(shared, sizeof *shared);
    return failed ? 1 : 0;
}

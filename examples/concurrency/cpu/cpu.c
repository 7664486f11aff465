/* SPDX-License-Identifier: MIT */
/* `models cpu`: work that never waits, in four models. The models run in turn, several times each,
 * and every sum is checked. The output shows the median time and how many processors were busy. */
#include "cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include <whorl/error.h>

#include "../commands.h"
#include "../machine.h"
#include "../options.h"
#include "../pictures.h"

enum { ROUNDS_MAX = 99 };

static const struct model {
    const char *name;
    cpu_model_fn run;
} models[] = {
    {"sequential", cpu_sequential},
    {"threads", cpu_threads},
    {"tasks", cpu_tasks},
    {"processes", cpu_processes},
};

enum { SEQUENTIAL, THREADS, TASKS, PROCESSES, MODELS };

struct cpu_run {
    double wall_s, cpu_s;
};

/* (n - 1) n (2n - 1) / 6. The divisions come first, so that the product is correct modulo 2^64. */
static uint64_t formula(uint64_t n)
{
    uint64_t factors[] = {n - 1, n, 2 * n - 1};

    for (int i = 0; n > 0 && i < 2; i++)
        if (factors[i] % 2 == 0) {
            factors[i] /= 2;
            break;
        }
    for (int i = 0; n > 0 && i < 3; i++)
        if (factors[i] % 3 == 0) {
            factors[i] /= 3;
            break;
        }
    return factors[0] * factors[1] * factors[2];
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* Processor time of this process and of the children that it has reaped. */
static double cpu_now_s(void)
{
    struct rusage own, children;

    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    return seconds(own.ru_utime) + seconds(own.ru_stime) + seconds(children.ru_utime) +
           seconds(children.ru_stime);
}

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Returns the number of correct sums, or the error of the model. */
static int run(const struct model *model, struct cpu_batch *batch, int below, struct cpu_run *ret)
{
    int right = 0;

    for (int i = 0; i < batch->count; i++)
        batch->sums[i] = (struct cpu_sum){.below = (uint64_t)below + (uint64_t)i};
    fflush(stdout);
    double wall_s = now_s(), cpu_s = cpu_now_s();
    int err = model->run(batch);
    *ret = (struct cpu_run){now_s() - wall_s, cpu_now_s() - cpu_s};
    for (int i = 0; i < batch->count; i++)
        right += batch->sums[i].sum == formula(batch->sums[i].below);
    return err ? err : right;
}

static int by_wall(const void *a, const void *b)
{
    double x = ((const struct cpu_run *)a)->wall_s, y = ((const struct cpu_run *)b)->wall_s;

    return (x > y) - (x < y);
}

/* Runs every model once per round, so that other load on the machine affects all models alike.
 * Returns the number of wrong sums, or the first error. */
static int compare(struct cpu_batch *batch, const int workers[MODELS], int below, int rounds,
                   struct cpu_run runs[MODELS][ROUNDS_MAX])
{
    int wrong = 0;

    for (int round = 0; round < rounds; round++)
        for (int m = 0; m < MODELS; m++) {
            struct cpu_batch one = *batch;
            one.workers = workers[m];
            if (round > 0)
                one.timeline = NULL;
            timeline_section(one.timeline, models[m].name);
            int right = run(&models[m], &one, below, &runs[m][round]);
            if (right < 0) {
                fprintf(stderr, "models cpu: %s: %s\n", models[m].name, whorl_strerror(right));
                return right;
            }
            wrong += batch->count - right;
        }
    return wrong;
}

static void print(struct cpu_run runs[MODELS][ROUNDS_MAX], const int workers[MODELS], int rounds,
                  int processors)
{
    struct cpu_run medians[MODELS];
    double most = 0;

    printf("\n%-12s %8s %9s %12s %16s\n", "", "workers", "seconds", "times faster",
           "processors busy");
    for (int m = 0; m < MODELS; m++) {
        qsort(runs[m], (size_t)rounds, sizeof *runs[m], by_wall);
        medians[m] = runs[m][rounds / 2];
        printf("%-12s %8d %9.3f %12.1f %16.1f\n", models[m].name, workers[m], medians[m].wall_s,
               medians[SEQUENTIAL].wall_s / medians[m].wall_s,
               medians[m].cpu_s / medians[m].wall_s);
        if (medians[m].cpu_s / medians[m].wall_s > most)
            most = medians[m].cpu_s / medians[m].wall_s;
    }
    printf("\nTasks do not help: they take turns on one thread, and none of them waits.\n"
           "Threads and processes run on all processors at the same time. Here they used at most\n"
           "%.1f of %d. If that is much less, other programs used the processors, or there were\n"
           "too few workers.\n",
           most, processors);
}

int cpu_main(int argc, char **argv)
{
    struct machine machine;
    machine_read(&machine);
    int below = 20000000, count = 20, rounds = 3;
    int threads = machine.processors, processes = machine.processors;
    struct pictures pictures = {0};
    static struct cpu_run runs[MODELS][ROUNDS_MAX];
    const struct option_row rows[] = {
        {"below", "N", "the smallest number", .number = &below, .min = 1, .max = 1 << 30},
        {"count", "N", "number of sums", .number = &count, .min = 1, .max = CPU_COUNT_MAX},
        {"threads", "N", "number of threads", .number = &threads, .min = 1, .max = 256},
        {"processes", "N", "number of processes", .number = &processes, .min = 1, .max = 256},
        {"runs", "N", "number of runs; the medians are shown", .number = &rounds, .min = 1,
         .max = ROUNDS_MAX},
        PICTURES_ROWS(pictures),
        {0}};
    const struct option_table table = {
        "cpu", NULL, "Adds up the squares below some large numbers, in four models.", rows};
    int status;

    if (!options_read(&table, argc, argv, &status))
        return status;
    if (pictures_check(&pictures) < 0)
        return 1;
    struct cpu_batch batch = {.count = count, .sums = calloc((size_t)count, sizeof *batch.sums)};
    if (!batch.sums)
        return 1;
    batch.timeline = pictures_timeline(&pictures);
    printf("Sums of the squares of all numbers below %d, %d + 1, ...: %d sums, modulo 2^64.\n"
           "%d x %s, %s; medians of %d runs.\n",
           below, below, count, machine.processors, machine.cpu, machine.kernel, rounds);
    const int workers[MODELS] = {1, threads, count, processes};
    int wrong = compare(&batch, workers, below, rounds, runs);
    if (wrong >= 0) {
        print(runs, workers, rounds, machine.processors);
        printf("\n%d of %d sums agree with the formula (n-1) n (2n-1) / 6.\n",
               MODELS * rounds * count - wrong, MODELS * rounds * count);
    }
    int err = pictures_write(&pictures, "Sums of the squares below large numbers");
    free(batch.sums);
    return wrong || err ? 1 : 0;
}

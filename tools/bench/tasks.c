/* SPDX-License-Identifier: MIT */
/* Measures the cost of yields, channels, spawn and join, deadlines, and the memory of parked
 * tasks. */
#include "tools/bench/tasks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl.h>

#include "tools/bench/figure.h"
#include "tools/resident.h"
#include "tools/stack_option.h"
#include "tools/stress/run.h"
#include "tools/stress/workloads.h"

enum {
    YIELDS = 20000000,
    ROUND_TRIPS = 5000000,
    ITEMS = 20000000,
    SPAWNS = 5000000,
    SPAWN_BATCH = 1000,
    PARKED = 1000000,
    DEADLINES = 5000000,
};

static double per(int64_t start_ns, double count)
{
    return (double)(whorl_now() - start_ns) / count;
}

static int yield_many(void *arg)
{
    long n = *(long *)arg;
    int err = 0;

    while (n-- > 0 && err == 0)
        err = whorl_yield();
    return err;
}

static WHORL_SUSPENDS int yields(long n)
{
    WHORL_AUTO(group) group = {0};
    long half = n / 2;
    int err = whorl_spawn(&group, yield_many, &half);

    if (err == 0)
        err = whorl_spawn(&group, yield_many, &half);
    return err ? err : whorl_group_wait(&group);
}

struct pair {
    struct whorl_chan *there, *back;
};

static int answer(void *arg)
{
    struct pair *pair = arg;
    long value;
    int err;

    while ((err = whorl_chan_recv(pair->there, &value)) == 0)
        if ((err = whorl_chan_send(pair->back, &value)))
            break;
    return err == -EPIPE ? 0 : err;
}

static WHORL_SUSPENDS int round_trips(long n)
{
    WHORL_AUTO(chan) *there = NULL, *back = NULL;
    WHORL_AUTO(group) group = {0};
    int err = whorl_chan_create(sizeof(long), 0, &there);

    if (err == 0)
        err = whorl_chan_create(sizeof(long), 0, &back);
    if (err)
        return err;
    struct pair pair = {there, back};
    err = whorl_spawn(&group, answer, &pair);
    for (long i = 0, value; i < n && err == 0; i++) {
        err = whorl_chan_send(there, &i);
        if (err == 0)
            err = whorl_chan_recv(back, &value);
        if (err == 0 && value != i)
            err = -EPROTO;
    }
    whorl_chan_close(there);
    return err ? err : whorl_group_wait(&group);
}

struct items {
    struct whorl_chan *chan;
    long n;
};

static int produce(void *arg)
{
    const struct items *items = arg;
    int err = 0;

    for (long i = 0; i < items->n && err == 0; i++)
        err = whorl_chan_send(items->chan, &i);
    whorl_chan_close(items->chan);
    return err;
}

static WHORL_SUSPENDS int buffered(long n)
{
    WHORL_AUTO(chan) *chan = NULL;
    WHORL_AUTO(group) group = {0};
    long value, sum = 0;

    int err = whorl_chan_create(sizeof(long), 128, &chan);
    if (err)
        return err;
    struct items items = {chan, n};
    err = whorl_spawn(&group, produce, &items);
    while (err == 0 && (err = whorl_chan_recv(chan, &value)) == 0)
        sum += value;
    if (err != -EPIPE)
        return err;
    if (sum != n * (n - 1) / 2)
        return -EPROTO;
    return whorl_group_wait(&group);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static WHORL_SUSPENDS int spawns(long n)
{
    WHORL_AUTO(group) group = {0};
    int err = 0;

    for (long done = 0; done < n && err == 0; done += SPAWN_BATCH) {
        for (int i = 0; i < SPAWN_BATCH && err == 0; i++)
            err = whorl_spawn(&group, nothing, NULL);
        if (err == 0)
            err = whorl_group_wait(&group);
    }
    return err;
}

static int park(void *arg)
{
    return whorl_event_wait(arg);
}

static WHORL_SUSPENDS int measure_parked(void)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_event event = {0};
    int64_t before = resident_bytes();
    int err = 0;

    for (int i = 0; i < PARKED && err == 0; i++)
        err = whorl_spawn(&group, park, &event);
    if (err == 0)
        err = whorl_yield(); /* all tasks run until they wait */
    figure_print("park_bytes", (double)(resident_bytes() - before) / PARKED);
    whorl_event_set(&event);
    return err ? err : whorl_group_wait(&group);
}

static WHORL_SUSPENDS int deadlines(long n)
{
    int64_t start = whorl_now();

    for (long i = 0; i < n; i++) {
        struct whorl_scope scope;
        whorl_scope_enter(&scope, start + WHORL_MINUTE + i);
        whorl_scope_leave(&scope, 0);
    }
    return whorl_check_cancelled();
}

static const struct operation {
    const char *name, *figure;
    WHORL_SUSPENDS int (*repeat)(long n);
    long n; /* how many are timed */
} operations[] = {
    {"yield", "yield_ns", yields, 2L * YIELDS},
    {"pingpong", "pingpong_ns", round_trips, ROUND_TRIPS},
    {"chan", "chan128_ns", buffered, ITEMS},
    {"spawn", "spawn_join_ns", spawns, SPAWNS},
    {"deadline", "deadline_ns", deadlines, DEADLINES},
};

static int root(void *arg)
{
    int err = 0;

    (void)arg;
    for (size_t i = 0; i < sizeof operations / sizeof *operations && err == 0; i++) {
        int64_t start = whorl_now();
        err = operations[i].repeat(operations[i].n);
        figure_print(operations[i].figure, per(start, (double)operations[i].n));
    }
    return err ? err : measure_parked();
}

/* Runs `fn` with tasks on stacks of the kind that was chosen. Returns the program's exit status. */
static int run(const char *what, size_t small_stack_size, whorl_task_fn fn, void *arg)
{
    struct whorl_run_options options = {.small_stack_size = small_stack_size};

    printf("stack %s\n", stack_option_name(small_stack_size));
    int err = whorl_run_with(&options, fn, arg);
    if (err)
        fprintf(stderr, "whorl-bench: %s: %s\n", what, whorl_strerror(err));
    return err ? 1 : 0;
}

struct repetition {
    const struct operation *operation;
    long n;
};

static int repeat(void *arg)
{
    const struct repetition *repetition = arg;
    return repetition->operation->repeat(repetition->n);
}

int bench_repeat_task(const char *name, long n)
{
    struct repetition repetition = {.n = n};

    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (strcmp(operations[i].name, name) == 0)
            repetition.operation = &operations[i];
    if (!repetition.operation) {
        fprintf(stderr, "whorl-bench: repeat: there is no operation '%s'\n", name);
        return 2;
    }
    int err = whorl_run(repeat, &repetition);
    if (err)
        fprintf(stderr, "whorl-bench: repeat %s: %s\n", name, whorl_strerror(err));
    return err ? 1 : 0;
}

int bench_tasks(size_t small_stack_size)
{
    return run("tasks", small_stack_size, root, NULL);
}

struct sleepers {
    long n;
};

static int sleep_some(void *arg)
{
    long i = (long)(intptr_t)arg;
    return whorl_sleep((1000 + i * 7919 % 1000) * WHORL_MILLISECOND);
}

static int sleepers_root(void *arg)
{
    const struct sleepers *sleepers = arg;
    WHORL_AUTO(group) group = {0};
    int64_t before = resident_bytes(), start = whorl_now();
    int err = 0;

    for (long i = 0; i < sleepers->n && err == 0; i++)
        err = whorl_spawn(&group, sleep_some, (void *)(intptr_t)i);
    if (err == 0)
        err = whorl_yield();
    figure_print("park_bytes", (double)(resident_bytes() - before) / (double)sleepers->n);
    if (err == 0)
        err = whorl_group_wait(&group);
    figure_print("sleep1m_s", (double)(whorl_now() - start) / 1e9);
    return err;
}

int bench_sleepers(long n, size_t small_stack_size)
{
    struct sleepers sleepers = {n};

    return run("sleepers", small_stack_size, sleepers_root, &sleepers);
}

/* The workloads of whorl-stress that the figures of growth come from. */
static const struct {
    const char *workload, *figure;
} growth[] = {{"ring", "ring_ns"}, {"mutex", "mutex_ns"}, {"spawn", "spawn_ns"}};

static WHORL_SUSPENDS int measure_growth(const char *name, const char *figure, size_t tasks)
{
    uint64_t progress = 0;
    size_t i = 0;

    struct run *measured = calloc(1, sizeof *measured);
    if (!measured)
        return -ENOMEM;
    measured->tasks = tasks;
    measured->progress = &progress;
    while (strcmp(workloads[i].name, name) != 0)
        i++;
    int err = workloads[i].root(measured);
    figure_print(figure, (double)measured->wall_ns / (double)measured->ops);
    if (err == 0 && measured->sum != measured->expected)
        err = -EPROTO;
    free(measured);
    return err;
}

static int growth_root(void *arg)
{
    int err = 0;

    for (size_t i = 0; i < sizeof growth / sizeof growth[0] && err == 0; i++)
        err = measure_growth(growth[i].workload, growth[i].figure, *(size_t *)arg);
    return err;
}

int bench_growth(long n, size_t small_stack_size)
{
    size_t tasks = (size_t)n;

    return run("growth", small_stack_size, growth_root, &tasks);
}

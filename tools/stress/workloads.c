/* SPDX-License-Identifier: MIT */
/* The workloads without a network. Each one checks a sum. The sum is wrong when a wake-up is lost,
 * when a value is delivered twice, or when two tasks are in a critical section at the same time. */
#include "tools/stress/workloads.h"

#include <stdlib.h>

#include <whorl.h>

#include "tools/resident.h"
#include "tools/stress/echo.h"
#include "tools/stress/run.h"

/* Runs with few tasks repeat their work until they have done this many operations, so that the
 * measured time is long enough. */
#define OPS_MIN 2000000

/* Reading the clock takes as long as several switches, so only one of this many wake-ups is
 * timed. */
#define TIMED_EVERY 64

static void count_op(struct run *run)
{
    if ((++run->ops & 1023) == 0)
        *run->progress = run->ops;
}

/* Starts run->tasks tasks of fn(run), and lets them run until they wait. Measures the memory which
 * they take. */
static WHORL_SUSPENDS int start_all(struct run *run, struct whorl_group *group, whorl_task_fn fn)
{
    int64_t before = resident_bytes();
    int err = 0;

    for (size_t i = 0; i < run->tasks && err == 0; i++)
        err = whorl_spawn(group, fn, run);
    if (err == 0)
        err = whorl_yield();
    run->bytes_per_task = (resident_bytes() - before) / (int64_t)run->tasks;
    return err;
}

/* --- sleep: every task sleeps three times, each time for a different duration ----------------- */

#define SLEEPS 3

static int sleep_task(void *arg)
{
    struct run *run = arg;
    uint64_t id = whorl_task_id(whorl_task_self());

    for (int i = 0; i < SLEEPS; i++) {
        /* Between 100 ms and 1.1 s, evenly distributed, and the same in every run. */
        uint64_t spread = (id * SLEEPS + (uint64_t)i) * 0x9e3779b97f4a7c15 >> 32;
        int64_t deadline = whorl_after((int64_t)(spread % 1000000 + 100000) * WHORL_MICROSECOND);
        int err = whorl_sleep_until(deadline);
        if (err)
            return err;
        histogram_add(&run->latency, whorl_now() - deadline);
        run->sum += id;
        count_op(run);
    }
    return 0;
}

static WHORL_SUSPENDS int sleep_root(void *arg)
{
    struct run *run = arg;
    WHORL_AUTO(group) group = {0};
    uint64_t n = run->tasks, first = 2; /* the root is task 1 */

    run->expected = SLEEPS * (n * first + n * (n - 1) / 2);
    run_begin(run);
    int err = start_all(run, &group, sleep_task);
    if (err == 0)
        err = whorl_group_wait(&group);
    run_end(run);
    return err;
}

/* --- ring: tokens go round all tasks, and each task adds one ---------------------------------- */

#define TOKENS 64

struct ring {
    struct run *run;
    struct whorl_chan **chans; /* task i receives from chans[i] and sends to chans[i + 1] */
    size_t next;               /* the place of the next task that begins */
    uint64_t hops_left;        /* the remaining hops of all tokens together */
    struct whorl_event done;
};

struct token {
    uint64_t hops;
    int64_t sent_ns; /* 0 when this hop is not timed */
};

/* Passes tokens on until it is cancelled. */
static int ring_task(void *arg)
{
    struct ring *ring = arg;
    struct run *run = ring->run;
    size_t place = ring->next++;
    struct whorl_chan *from = ring->chans[place];
    struct whorl_chan *to = ring->chans[(place + 1) % run->tasks];
    struct token token;
    int err;

    while ((err = whorl_chan_recv(from, &token)) == 0) {
        if (token.sent_ns)
            histogram_add(&run->latency, whorl_now() - token.sent_ns);
        if (ring->hops_left == 0) /* all hops are done, so this token is not passed on */
            return 0;
        token.hops++;
        run->sum++;
        count_op(run);
        if (--ring->hops_left == 0) {
            whorl_event_set(&ring->done);
            return 0;
        }
        token.sent_ns = token.hops % TIMED_EVERY == 0 ? whorl_now() : 0;
        if ((err = whorl_chan_send(to, &token)))
            break;
    }
    return err;
}

static WHORL_SUSPENDS int ring_run(struct ring *ring)
{
    struct run *run = ring->run;
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    size_t tokens = run->tasks / 4 < TOKENS ? run->tasks / 4 + 1 : TOKENS;
    int64_t before = resident_bytes();
    int err = 0;

    for (size_t i = 0; i < run->tasks && err == 0; i++) {
        /* Each channel has room for all tokens. Otherwise all channels could be full, and no task
         * could send. */
        err = whorl_chan_create(sizeof(struct token), tokens, &ring->chans[i]);
        if (err == 0)
            err = whorl_spawn(&group, ring_task, ring);
    }
    if (err == 0)
        err = whorl_yield();
    run->bytes_per_task = (resident_bytes() - before) / (int64_t)run->tasks;
    run_begin(run);
    for (size_t i = 0; i < tokens && err == 0; i++)
        err = whorl_chan_send(ring->chans[i * (run->tasks / tokens)], &(struct token){0});
    if (err == 0)
        err = whorl_event_wait(&ring->done);
    run_end(run);
    return err;
}

static WHORL_SUSPENDS int ring_root(void *arg)
{
    struct run *run = arg;
    struct ring ring = {.run = run};

    run->expected = run->tasks * 4 > OPS_MIN ? run->tasks * 4 : OPS_MIN;
    ring.hops_left = run->expected;
    ring.chans = calloc(run->tasks, sizeof(struct whorl_chan *));
    if (!ring.chans)
        return -ENOMEM;
    int err = ring_run(&ring);
    for (size_t i = 0; i < run->tasks; i++)
        whorl_chan_destroy(ring.chans[i]);
    free(ring.chans);
    return err;
}

/* --- mutex: all tasks increment one number, and each yields while it holds the mutex ---------- */

struct contended {
    struct run *run;
    struct whorl_mutex mutex;
    uint64_t rounds;
    int64_t unlocked_ns; /* 0 when this wake-up is not timed */
};

static int mutex_task(void *arg)
{
    struct contended *contended = arg;
    struct run *run = contended->run;

    for (uint64_t i = 0; i < contended->rounds; i++) {
        int err = whorl_mutex_lock(&contended->mutex);
        if (err)
            return err;
        if (contended->unlocked_ns)
            histogram_add(&run->latency, whorl_now() - contended->unlocked_ns);
        uint64_t sum = run->sum;
        err = whorl_yield(); /* without the mutex, another task would now read the same sum */
        run->sum = sum + 1;
        count_op(run);
        contended->unlocked_ns = run->ops % TIMED_EVERY == 0 ? whorl_now() : 0;
        whorl_mutex_unlock(&contended->mutex);
        if (err)
            return err;
    }
    return 0;
}

static WHORL_SUSPENDS int mutex_root(void *arg)
{
    struct run *run = arg;
    struct contended contended = {.run = run};
    WHORL_AUTO(group) group = {0};
    int64_t before = resident_bytes();

    contended.rounds = run->tasks < OPS_MIN / 2 ? OPS_MIN / run->tasks : 2;
    run->expected = contended.rounds * run->tasks;
    int err = whorl_mutex_lock(&contended.mutex);
    for (size_t i = 0; i < run->tasks && err == 0; i++)
        err = whorl_spawn(&group, mutex_task, &contended);
    if (err == 0)
        err = whorl_yield();
    run->bytes_per_task = (resident_bytes() - before) / (int64_t)run->tasks;
    run_begin(run);
    whorl_mutex_unlock(&contended.mutex);
    if (err == 0)
        err = whorl_group_wait(&group);
    run_end(run);
    return err;
}

/* --- spawn: all tasks are started at once and joined, many times ------------------------------ */

struct storm {
    struct run *run;
    int64_t spawned_ns; /* time of the last spawn, from which the waits in the ready queue count */
    int64_t alive_max_rss;
};

static int storm_task(void *arg)
{
    struct storm *storm = arg;
    struct run *run = storm->run;

    run->sum++;
    count_op(run);
    if (run->ops % TIMED_EVERY == 0)
        histogram_add(&run->latency, whorl_now() - storm->spawned_ns);
    return 0;
}

static WHORL_SUSPENDS int spawn_root(void *arg)
{
    struct run *run = arg;
    struct storm storm = {.run = run};
    WHORL_AUTO(group) group = {0};
    uint64_t rounds = run->tasks < OPS_MIN / 2 ? OPS_MIN / run->tasks : 2;
    int64_t before = resident_bytes();
    int err = 0;

    run->expected = rounds * run->tasks;
    /* The first round touches the memory for the first time, so it is not measured. */
    for (uint64_t round = 0; round <= rounds && err == 0; round++) {
        if (round == 1)
            run_begin(run);
        for (size_t i = 0; i < run->tasks && err == 0; i++)
            err = whorl_spawn(&group, storm_task, &storm);
        storm.spawned_ns = whorl_now();
        if (round == 0)
            run->bytes_per_task = (resident_bytes() - before) / (int64_t)run->tasks;
        if (err == 0)
            err = whorl_group_wait(&group);
        if (round == 0 && err == 0) {
            run->sum -= run->tasks;
            run->ops -= run->tasks;
        }
    }
    run_end(run);
    return err;
}

/* --- mix: each task sleeps, locks a mutex, yields and sends to a channel ---------------------- */

struct mix {
    struct run *run;
    struct whorl_chan *chan;
    struct whorl_mutex mutex;
    uint64_t locked;
};

#define MIX_ROUNDS 2

static int mix_task(void *arg)
{
    struct mix *mix = arg;
    struct run *run = mix->run;
    uint64_t id = whorl_task_id(whorl_task_self());
    int err = 0;

    for (int i = 0; i < MIX_ROUNDS && err == 0; i++) {
        int64_t deadline = whorl_after((int64_t)(id * 7919 % 200) * WHORL_MILLISECOND);
        if ((err = whorl_sleep_until(deadline)))
            break;
        if (id % 16 == 0)
            histogram_add(&run->latency, whorl_now() - deadline);
        if ((err = whorl_mutex_lock(&mix->mutex)))
            break;
        mix->locked++;
        whorl_mutex_unlock(&mix->mutex);
        if ((err = whorl_yield()))
            break;
        err = whorl_chan_send(mix->chan, &(uint64_t){1});
        count_op(run);
    }
    return err;
}

static int mix_collect(void *arg)
{
    struct mix *mix = arg;
    int err;

    whorl_chan_for_each(uint64_t, value, mix->chan, &err)
        mix->run->sum += value;
    return err;
}

static WHORL_SUSPENDS int mix_root(void *arg)
{
    struct run *run = arg;
    WHORL_AUTO(chan) *chan = NULL;
    WHORL_AUTO(group) collector = {0};
    WHORL_AUTO(group) group = {0};
    int err = whorl_chan_create(sizeof(uint64_t), 128, &chan);

    if (err)
        return err;
    struct mix mix = {.run = run, .chan = chan};
    run->expected = 2 * MIX_ROUNDS * run->tasks;
    err = whorl_spawn(&collector, mix_collect, &mix);
    int64_t before = resident_bytes();
    run_begin(run);
    for (size_t i = 0; i < run->tasks && err == 0; i++)
        err = whorl_spawn(&group, mix_task, &mix);
    if (err == 0)
        err = whorl_yield();
    run->bytes_per_task = (resident_bytes() - before) / (int64_t)run->tasks;
    if (err == 0)
        err = whorl_group_wait(&group);
    whorl_chan_close(chan);
    if (err == 0)
        err = whorl_group_wait(&collector);
    run_end(run);
    run->sum += mix.locked;
    return err;
}

const struct workload workloads[] = {
    {"sleep", "each task sleeps three times, 0.1 to 1.1 s", false, 0, sleep_root},
    {"ring", "tokens go round a ring of tasks over channels", false, 0, ring_root},
    {"mutex", "all tasks increment one number under one mutex", false, 0, mutex_root},
    {"spawn", "all tasks are started at once and joined", false, 0, spawn_root},
    {"echo", "round trips over loopback TCP, one task per client", true, 0, stress_echo},
    {"mix", "sleep, mutex, yield and channel in each task", false, 0, mix_root},
};
const size_t workloads_count = sizeof workloads / sizeof workloads[0];

/* SPDX-License-Identifier: MIT */
/* Offloaded work: its threads, its results, the clock while it runs, the queue, and failures. */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include <whorl/future.h>
#include <whorl/group.h>
#include <whorl/offload.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/task.h>

#include "faults.h"
#include "offload_gate.h"
#include "test.h"

/* --- results ---------------------------------------------------------------------------------- */

static int check_thread(void *arg)
{
    CHECK(!pthread_equal(pthread_self(), *(pthread_t *)arg));
    CHECK(!whorl_task_self());
    return -EXDEV;
}

TEST_REAL(offload_runs_on_another_thread_and_returns_its_result)
{
    pthread_t self = pthread_self();
    CHECK_ERR(whorl_offload_run(NULL, check_thread, &self), -EXDEV);
    return 0;
}

TEST(offload_outside_a_task_is_refused)
{
    struct gate gate;
    struct whorl_future future = {0};
    struct whorl_offload *pool = NULL;

    gate_init(&gate, 0);
    CHECK_ERR(whorl_offload_create(NULL, &pool), WHORL_ENOTASK);
    CHECK(!pool);
    whorl_offload_destroy(NULL);
    CHECK_ERR(whorl_offload_run(NULL, work_now, &gate), WHORL_ENOTASK);
    CHECK_ERR(whorl_offload_map(NULL, work_now, &gate, 1, 1), WHORL_ENOTASK);
    CHECK_ERR(whorl_offload_submit(NULL, work_now, &gate, &future), WHORL_ENOTASK);
    CHECK_ERR(whorl_offload_run_owned(NULL, work_now, &gate, release), WHORL_ENOTASK);
    CHECK_EQ(gate.released, 1); /* the argument is released in every case */
    CHECK_EQ(gate.ran, 0);
}

static int tick(void *arg)
{
    int *ticks = arg;
    for (;;) {
        int err = whorl_sleep(WHORL_MILLISECOND);
        if (err)
            return err;
        ++*ticks;
    }
}

TEST_REAL(offload_lets_other_tasks_run_meanwhile)
{
    WHORL_AUTO(group) group = {0};
    useconds_t us = 60000;
    int ticks = 0;

    CHECK_OK(whorl_spawn(&group, tick, &ticks));
    CHECK_OK(whorl_offload_run(NULL, sleep_long, &us));
    CHECK(ticks > 5);
    return 0;
}

/* --- threads ---------------------------------------------------------------------------------- */

static int note_name(void *arg)
{
    pthread_getname_np(pthread_self(), arg, 16);
    return 0;
}

TEST_REAL(offload_threads_have_names)
{
    char name[16] = "";

    CHECK_OK(whorl_offload_run(NULL, note_name, name));
    CHECK_STR(name, "offload-1");
    WHORL_AUTO(offload) *pool = NULL;
    CHECK_OK(whorl_offload_create(
        &(struct whorl_offload_options){.threads_max = 1, .name = "decompressors"}, &pool));
    CHECK_OK(whorl_offload_run(pool, note_name, name));
    CHECK_STR(name, "decompresso-1");
    return 0;
}

static int note_mask(void *arg)
{
    return -pthread_sigmask(SIG_SETMASK, NULL, arg);
}

TEST_REAL(offload_threads_take_no_signals_and_leave_the_runs_mask_alone)
{
    sigset_t mask, before, after;

    pthread_sigmask(SIG_SETMASK, NULL, &before);
    CHECK_OK(whorl_offload_run(NULL, note_mask, &mask));
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int sig = 1; sig < 32; sig++) {
        CHECK_EQ(sigismember(&after, sig), sigismember(&before, sig));
        if (sig != SIGKILL && sig != SIGSTOP)
            CHECK_EQ(sigismember(&mask, sig), 1);
    }
    return 0;
}

static pthread_barrier_t together;

static int meet(void *arg)
{
    (void)arg;
    pthread_barrier_wait(&together);
    return 0;
}

/* Each piece of work waits for the others, so they end only when each has a thread of its own. This
 * is done twice: the second time there are idle threads, and a signalled thread counts as idle for
 * a while. */
TEST_REAL(offload_starts_threads_for_all_work_that_is_queued)
{
    WHORL_AUTO(offload) *pool = NULL;
    CHECK_OK(whorl_offload_create(&(struct whorl_offload_options){.threads_max = 4}, &pool));
    char items[4];
    struct gate gate;

    gate_init(&gate, 0);
    CHECK_OK(whorl_offload_run(pool, work_now, &gate)); /* now one thread exists and is idle */
    CHECK_OK(whorl_offload_run(NULL, sleep_long, &(useconds_t){5000}));
    pthread_barrier_init(&together, NULL, 4);
    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_offload_map(pool, meet, items, 1, 4));
    pthread_barrier_destroy(&together);
    return 0;
}

/* --- virtual time ----------------------------------------------------------------------------- */

static int work_20_ms(void *arg)
{
    usleep(20000);
    ++*(int *)arg;
    return 7;
}

TEST_VIRTUAL(offload_stops_a_virtual_clock)
{
    struct whorl_run_stats before, after;
    struct whorl_scope scope;
    int64_t began = whorl_now();
    int ran = 0;

    CHECK_OK(whorl_run_get_stats(&before));
    whorl_scope_enter(&scope, whorl_after(WHORL_HOUR));
    int result = whorl_offload_run(NULL, work_20_ms, &ran);
    CHECK_EQ(whorl_scope_leave(&scope, result), 7);
    CHECK_EQ(ran, 1);
    CHECK_EQ(whorl_now() - began, 0);
    CHECK_OK(whorl_run_get_stats(&after));
    CHECK(after.polls - before.polls < 10); /* it sleeps and does not spin */
    CHECK_OK(whorl_sleep(WHORL_HOUR));
    CHECK_EQ(whorl_now() - began, WHORL_HOUR);
}

static struct gate abandoned;

TEST_VIRTUAL(offload_that_is_abandoned_stops_a_virtual_clock_until_it_ends)
{
    WHORL_AUTO(offload) *pool = NULL;
    int64_t began = whorl_now();

    CHECK_OK(whorl_offload_create(&one_thread, &pool));
    occupy(pool, &abandoned);
    CHECK_EQ(whorl_now() - began, 0);
    sem_post(&abandoned.go);
    CHECK_OK(whorl_sleep(WHORL_HOUR));
    CHECK_EQ(abandoned.released, 1);
    CHECK_EQ(whorl_now() - began, WHORL_HOUR);
}

/* --- the queue -------------------------------------------------------------------------------- */

TEST_REAL(offload_queue_may_have_no_limit)
{
    WHORL_AUTO(offload) *pool = NULL;
    CHECK_OK(whorl_offload_create(
        &(struct whorl_offload_options){.threads_max = 1, .queue_max = SIZE_MAX}, &pool));
    struct gate gate;

    gate_init(&gate, 0);
    CHECK_OK(whorl_offload_run(pool, work_now, &gate));
    CHECK_EQ(gate.ran, 1);
    return 0;
}

TEST_REAL(offload_waits_for_a_place_in_a_full_queue)
{
    WHORL_AUTO(offload) *pool = NULL;
    CHECK_OK(whorl_offload_create(&(struct whorl_offload_options){.threads_max = 1, .queue_max = 2},
                                  &pool));
    WHORL_AUTO(group) group = {0};
    struct whorl_future future = {0};
    struct gate gate;
    struct call calls[6];

    gate_init(&gate, 5);
    for (int i = 0; i < 6; i++) {
        calls[i] = (struct call){pool, &gate, NULL, 1, i % 2};
        CHECK_OK(whorl_spawn(&group, call, &calls[i]));
    }
    CHECK_OK(whorl_yield());
    CHECK_ERR(whorl_offload_submit(pool, work_now, &gate, &future), -EAGAIN);
    CHECK(!future.done && !future.worker);
    whorl_scope_cancel(calls[3].scope); /* it waits for a place in the queue */
    whorl_scope_cancel(calls[2].scope); /* it has a place, which goes to the next waiter */
    for (int i = 0; i < 6; i++)
        sem_post(&gate.go);
    CHECK_OK(whorl_group_wait(&group));
    for (int i = 0; i < 6; i++)
        CHECK_ERR(calls[i].result, i == 2 || i == 3 ? -ECANCELED : 5);
    CHECK_EQ(gate.ran, 4);
    CHECK_EQ(gate.released, 3);
    return 0;
}

struct many {
    atomic_int sum;
    int calls;
};

static int add_one(void *arg)
{
    atomic_fetch_add(&((struct many *)arg)->sum, 1);
    return 0;
}

static int call_often(void *arg)
{
    struct many *many = arg;

    for (int i = 0; i < 100; i++) {
        int err = i % 2 ? whorl_offload_run(NULL, add_one, many)
                        : whorl_offload_run_owned(NULL, add_one, many, NULL);
        if (err)
            return err;
        many->calls++;
    }
    return 0;
}

TEST_REAL(offload_of_10000_jobs_from_100_tasks_runs_each_once)
{
    WHORL_AUTO(group) group = {0};
    struct many many = {0};

    for (int i = 0; i < 100; i++)
        CHECK_OK(whorl_spawn(&group, call_often, &many));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(many.calls, 10000);
    CHECK_EQ(many.sum, 10000);
    return 0;
}

static int call_or_be_cancelled(void *arg)
{
    struct many *many = arg;

    for (int i = 0; i < 50; i++) {
        struct whorl_scope scope;
        whorl_scope_enter(&scope, whorl_after(i % 5 * WHORL_MICROSECOND));
        int err = i % 2 ? whorl_offload_run(NULL, add_one, many)
                        : whorl_offload_run_owned(NULL, add_one, many, NULL);
        err = whorl_scope_leave(&scope, err);
        CHECK(err == 0 || err == -ETIMEDOUT);
        many->calls += err == 0;
    }
    return 0;
}

/* Work that its caller has left may still run when the run has ended, so its data is static. */
TEST_REAL(offload_cancelled_at_any_moment_loses_nothing)
{
    WHORL_AUTO(group) group = {0};
    static struct many many;

    for (int i = 0; i < 40; i++)
        CHECK_OK(whorl_spawn(&group, call_or_be_cancelled, &many));
    CHECK_OK(whorl_group_wait(&group));
    CHECK(many.sum >= many.calls);
    CHECK(many.sum <= 2000);
    return 0;
}

/* --- failures --------------------------------------------------------------------------------- */

static bool no_threads;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *arg)
{
    return no_threads ? EAGAIN : __real_pthread_create(thread, attr, fn, arg);
}

TEST_REAL(offload_without_a_thread_says_so_and_with_one_makes_do)
{
    struct whorl_future future = {0};
    struct gate gate;

    gate_init(&gate, 5);
    no_threads = true;
    CHECK_ERR(whorl_offload_run(NULL, work_now, &gate), -EAGAIN);
    CHECK_ERR(whorl_offload_run_owned(NULL, work_now, &gate, release), -EAGAIN);
    CHECK_EQ(gate.released, 1);
    CHECK_ERR(whorl_offload_submit(NULL, work_now, &gate, &future), -EAGAIN);
    CHECK(!future.done && !future.worker && !future.cancel);
    struct item items[2] = {{2, 0, 0}, {3, 0, 0}};
    CHECK_ERR(whorl_offload_map(NULL, square, items, sizeof *items, 2), -EAGAIN);
    CHECK_EQ(gate.ran, 0);
    no_threads = false;
    CHECK_EQ(whorl_offload_run(NULL, work_now, &gate), 5);
    no_threads = true;
    CHECK_OK(whorl_offload_map(NULL, square, items, sizeof *items, 2));
    CHECK_EQ(items[0].number + items[1].number, 4 + 9);
    no_threads = false;
    return 0;
}

static int use_everything(void *arg)
{
    struct item items[2] = {{2, 0, 0}, {3, 0, 0}};
    struct whorl_future future = {0};

    int err = whorl_offload_run(NULL, work_now, arg);
    if (err == 0) {
        int released = ((struct gate *)arg)->released;
        err = whorl_offload_run_owned(NULL, work_now, arg, release);
        CHECK_EQ(((struct gate *)arg)->released, released + 1);
    }
    if (err == 0)
        err = whorl_offload_submit(NULL, work_now, arg, &future);
    if (err == 0)
        err = whorl_future_wait(&future);
    if (err == 0)
        err = whorl_offload_map(NULL, square, items, sizeof *items, 2);
    return err;
}

static int run_use_everything(void *arg)
{
    return whorl_run(use_everything, arg);
}

TEST(offload_survives_every_failed_allocation)
{
    struct gate gate;

    gate_init(&gate, 0);
    CHECK(faults_sweep(run_use_everything, &gate) > 5);
}

TEST_MAIN()

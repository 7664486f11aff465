/* SPDX-License-Identifier: MIT */
/* Offloaded work: on which thread it runs, how it ends, and the effect of cancelling it at each
 * stage. */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <whorl/future.h>
#include <whorl/group.h>
#include <whorl/offload.h>
#include <whorl/run.h>
#include <whorl/runner.h>
#include <whorl/scope.h>
#include <whorl/task.h>

#include "faults.h"
#include "test.h"

/* Work that signals when it has begun and ends when the test lets it. */
struct gate {
    sem_t begun, go;
    atomic_int ran, released;
    int result;
};

static void gate_init(struct gate *gate, int result)
{
    sem_init(&gate->begun, 0, 0);
    sem_init(&gate->go, 0, 0);
    gate->ran = gate->released = 0;
    gate->result = result;
}

static void down(sem_t *sem)
{
    while (sem_wait(sem) < 0)
        ;
}

static int pass(void *arg)
{
    struct gate *gate = arg;

    sem_post(&gate->begun);
    down(&gate->go);
    gate->ran++;
    return gate->result;
}

static void release(void *arg)
{
    ((struct gate *)arg)->released++;
}

static int work_now(void *arg)
{
    struct gate *gate = arg;
    gate->ran++;
    return gate->result;
}

struct call {
    struct whorl_offload *pool;
    struct gate *gate;
    struct whorl_scope *scope;
    int result;
    bool owned;
};

static int call(void *arg)
{
    struct call *c = arg;
    struct whorl_scope scope;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    c->scope = &scope;
    c->result = c->owned ? whorl_offload_run_owned(c->pool, pass, c->gate, release)
                         : whorl_offload_run(c->pool, pass, c->gate);
    c->scope = NULL;
    (void)whorl_scope_leave(&scope, 0);
    return 0;
}

static const struct whorl_offload_options one_thread = {.threads_max = 1};

/* Lets the loop run until `*flag` is `value`, while other tasks work. */
static WHORL_SUSPENDS_SHIELDED void wait_until(const atomic_int *flag, int value)
{
    for (int i = 0; *flag != value; i++) {
        CHECK(i < 20000);
        CHECK_OK(whorl_sleep(WHORL_MILLISECOND / 2));
    }
}

#define RUN(root, arg) CHECK_OK(whorl_run((root), (arg)))
/* Threads need real time, so the test's body is the root task of a real run. */
#define TEST_REAL(name)                   \
    static int root_##name(void *unused); \
    TEST(name)                            \
    {                                     \
        RUN(root_##name, NULL);           \
    }                                     \
    static int root_##name(void *unused __attribute__((unused)))

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

static int sleep_long(void *arg)
{
    usleep(*(useconds_t *)arg);
    return 0;
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

/* --- cancelling ------------------------------------------------------------------------------- */

TEST_REAL(offload_cancelled_while_queued_never_runs)
{
    WHORL_AUTO(offload) *pool = NULL;
    CHECK_OK(whorl_offload_create(&one_thread, &pool));
    WHORL_AUTO(group) group = {0};
    struct gate first, second;
    struct call a = {pool, &first, NULL, 1, false}, b = {pool, &second, NULL, 1, false};

    gate_init(&first, 3);
    gate_init(&second, 4);
    CHECK_OK(whorl_spawn(&group, call, &a));
    CHECK_OK(whorl_spawn(&group, call, &b));
    CHECK_OK(whorl_yield());
    down(&first.begun);
    whorl_scope_cancel(b.scope);
    CHECK_OK(whorl_yield());
    CHECK_ERR(b.result, -ECANCELED);
    sem_post(&first.go);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(a.result, 3);
    CHECK_EQ(second.ran, 0);
    return 0;
}

TEST_REAL(offload_cancelled_while_it_runs_is_waited_for)
{
    WHORL_AUTO(group) group = {0};
    struct gate gate;
    struct call a = {NULL, &gate, NULL, 1, false};

    gate_init(&gate, 3);
    CHECK_OK(whorl_spawn(&group, call, &a));
    CHECK_OK(whorl_yield());
    down(&gate.begun);
    whorl_scope_cancel(a.scope);
    CHECK_OK(whorl_sleep(5 * WHORL_MILLISECOND));
    CHECK_EQ(whorl_group_alive(&group), 1);
    sem_post(&gate.go);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(a.result, 3); /* completion wins */
    return 0;
}

TEST_REAL(offload_owned_is_released_once_when_it_ends)
{
    struct gate gate;

    gate_init(&gate, -EIO);
    CHECK_ERR(whorl_offload_run_owned(NULL, work_now, &gate, release), -EIO);
    CHECK_EQ(gate.released, 1);
    CHECK_ERR(whorl_offload_run_owned(NULL, work_now, &gate, NULL), -EIO);
    CHECK_EQ(gate.ran, 2);
    return 0;
}

TEST_REAL(offload_owned_cancelled_while_it_runs_returns_at_once_and_is_released_later)
{
    WHORL_AUTO(group) group = {0};
    struct gate gate;
    struct call a = {NULL, &gate, NULL, 1, true};

    gate_init(&gate, 3);
    CHECK_OK(whorl_spawn(&group, call, &a));
    CHECK_OK(whorl_yield());
    down(&gate.begun);
    whorl_scope_cancel(a.scope);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_ERR(a.result, -ECANCELED);
    CHECK_EQ(gate.released, 0);
    sem_post(&gate.go);
    wait_until(&gate.released, 1);
    CHECK_EQ(gate.ran, 1);
    return 0;
}

static void cancel_scope(void *arg)
{
    whorl_scope_cancel(arg);
}

/* Cancelled and done in the same turn: the work is already released when the task checks. */
TEST_REAL(offload_owned_that_ends_right_after_the_cancel_is_released_once)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_runner *runner = NULL;
    struct gate gate;
    struct call a = {NULL, &gate, NULL, 1, true};

    CHECK_OK(whorl_runner_acquire(&runner));
    gate_init(&gate, 3);
    CHECK_OK(whorl_spawn(&group, call, &a));
    CHECK_OK(whorl_yield());
    down(&gate.begun);
    CHECK_OK(whorl_runner_post_remote(runner, cancel_scope, a.scope));
    sem_post(&gate.go);
    usleep(20000); /* keeps the loop from running until both have been posted */
    CHECK_OK(whorl_group_wait(&group));
    CHECK_ERR(a.result, -ECANCELED);
    CHECK_EQ(gate.released, 1);
    whorl_runner_release_remote(runner);
    return 0;
}

TEST_REAL(offload_owned_cancelled_while_queued_is_released_without_running)
{
    WHORL_AUTO(offload) *pool = NULL;
    CHECK_OK(whorl_offload_create(&one_thread, &pool));
    WHORL_AUTO(group) group = {0};
    struct gate first, second;
    struct call a = {pool, &first, NULL, 1, false}, b = {pool, &second, NULL, 1, true};

    gate_init(&first, 0);
    gate_init(&second, 0);
    CHECK_OK(whorl_spawn(&group, call, &a));
    CHECK_OK(whorl_spawn(&group, call, &b));
    CHECK_OK(whorl_yield());
    down(&first.begun);
    whorl_scope_cancel(b.scope);
    CHECK_OK(whorl_yield());
    CHECK_ERR(b.result, -ECANCELED);
    CHECK_EQ(second.released, 1);
    sem_post(&first.go);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(second.ran, 0);
    return 0;
}

static struct gate outliving;

static int abandon(void *arg)
{
    WHORL_AUTO(group) group = {0};
    struct call a = {arg, &outliving, NULL, 1, true};

    CHECK_OK(whorl_spawn(&group, call, &a));
    CHECK_OK(whorl_yield());
    down(&outliving.begun);
    whorl_scope_cancel(a.scope);
    return whorl_group_wait(&group);
}

TEST(offload_owned_outlives_the_run)
{
    gate_init(&outliving, 0);
    RUN(abandon, NULL); /* the run's end does not wait for the work */
    CHECK_EQ(outliving.released, 0);
    sem_post(&outliving.go);
    for (int i = 0; outliving.released == 0 && i < 5000; i++)
        usleep(1000);
    CHECK_EQ(outliving.released, 1);
    CHECK_EQ(outliving.ran, 1);
}

/* Its result is posted to the running run when the pool no longer exists. */
TEST_REAL(offload_owned_outlives_its_pool)
{
    struct whorl_offload *pool = NULL;
    CHECK_OK(whorl_offload_create(&one_thread, &pool));

    gate_init(&outliving, 0);
    CHECK_OK(abandon(pool));
    whorl_offload_destroy(pool);
    sem_post(&outliving.go);
    wait_until(&outliving.released, 1);
    CHECK_OK(whorl_sleep(5 * WHORL_MILLISECOND));
    return 0;
}

/* --- futures ---------------------------------------------------------------------------------- */

TEST_REAL(offload_submit_completes_its_future)
{
    struct whorl_future future = {0};
    struct gate gate;

    gate_init(&gate, -EIO);
    CHECK_OK(whorl_offload_submit(NULL, work_now, &gate, &future));
    CHECK(!future.done);
    CHECK_OK(whorl_future_wait(&future));
    CHECK_ERR(future.result, -EIO);
    CHECK(!future.cancel && !future.worker);
    return 0;
}

TEST_REAL(offload_future_cancelled_while_queued_is_withdrawn_and_while_running_is_not)
{
    WHORL_AUTO(offload) *pool = NULL;
    CHECK_OK(whorl_offload_create(&one_thread, &pool));
    struct whorl_future first = {0}, second = {0};
    struct gate a, b;

    gate_init(&a, 3);
    gate_init(&b, 4);
    CHECK_OK(whorl_offload_submit(pool, pass, &a, &first));
    CHECK_OK(whorl_offload_submit(pool, pass, &b, &second));
    down(&a.begun);
    whorl_future_cancel(&second);
    CHECK(second.done);
    CHECK_ERR(second.result, -ECANCELED);
    whorl_future_cancel(&first);
    CHECK(!first.done);
    sem_post(&a.go);
    CHECK_OK(whorl_future_wait(&first));
    CHECK_EQ(first.result, 3);
    CHECK_EQ(b.ran, 0);
    whorl_future_cancel(&first);
    CHECK_EQ(first.result, 3);
    return 0;
}

TEST_REAL(offload_pool_destroyed_with_queued_work_finishes_it_and_completes_the_futures)
{
    struct whorl_offload *pool = NULL;
    CHECK_OK(whorl_offload_create(&one_thread, &pool));
    struct whorl_future futures[20] = {0};
    struct gate gate;

    gate_init(&gate, 9);
    for (int i = 0; i < 20; i++)
        CHECK_OK(whorl_offload_submit(pool, work_now, &gate, &futures[i]));
    whorl_offload_destroy(pool);
    CHECK_EQ(gate.ran, 20);
    for (int i = 0; i < 20; i++) {
        CHECK_OK(whorl_future_wait(&futures[i]));
        CHECK_EQ(futures[i].result, 9);
    }
    return 0;
}

static int submit_and_leave(void *arg)
{
    static struct whorl_future future;
    return whorl_offload_submit(NULL, sleep_long, arg, &future);
}

TEST(offload_submitted_work_is_finished_before_the_run_returns)
{
    useconds_t us = 20000;
    RUN(submit_and_leave, &us);
}

static struct gate abandoned;

/* Leaves work that goes on, on the only thread of the pool. */
static WHORL_SUSPENDS_SHIELDED void occupy(struct whorl_offload *pool)
{
    WHORL_AUTO(group) group = {0};
    struct call a = {pool, &abandoned, NULL, 1, true};

    gate_init(&abandoned, 0);
    CHECK_OK(whorl_spawn(&group, call, &a));
    CHECK_OK(whorl_yield());
    down(&abandoned.begun);
    whorl_scope_cancel(a.scope);
    CHECK_OK(whorl_group_wait(&group));
}

TEST_REAL(offload_pool_destroyed_while_abandoned_work_runs_finishes_queued_work)
{
    struct whorl_offload *pool = NULL;
    struct whorl_future futures[3] = {0};
    struct gate gate;

    CHECK_OK(whorl_offload_create(&one_thread, &pool));
    occupy(pool);
    gate_init(&gate, 9);
    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_offload_submit(pool, work_now, &gate, &futures[i]));
    whorl_offload_destroy(pool);
    CHECK_EQ(gate.ran, 3);
    for (int i = 0; i < 3; i++) {
        whorl_future_cancel(&futures[i]); /* too late, but allowed */
        CHECK_OK(whorl_future_wait(&futures[i]));
        CHECK_EQ(futures[i].result, 9);
    }
    CHECK_EQ(abandoned.released, 0);
    sem_post(&abandoned.go);
    wait_until(&abandoned.released, 1);
    return 0;
}

TEST_REAL(offload_cancelled_after_its_pool_was_destroyed_returns_the_result)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_offload *pool = NULL;
    struct gate gate, owned;

    CHECK_OK(whorl_offload_create(NULL, &pool));
    struct call calls[2] = {{pool, &gate, NULL, 0, false}, {pool, &owned, NULL, 0, true}};
    gate_init(&gate, 9);
    gate_init(&owned, 9);
    sem_post(&gate.go);
    sem_post(&owned.go);
    for (int i = 0; i < 2; i++)
        CHECK_OK(whorl_spawn(&group, call, &calls[i]));
    CHECK_OK(whorl_yield());
    whorl_offload_destroy(pool);
    for (int i = 0; i < 2; i++)
        whorl_scope_cancel(calls[i].scope);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(calls[0].result, 9);
    CHECK_ERR(calls[1].result, -ECANCELED);
    wait_until(&owned.released, 1);
    return 0;
}

TEST_REAL(offload_that_waits_for_room_ends_with_its_pool)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_offload *pool = NULL;
    struct gate gates[2];

    CHECK_OK(whorl_offload_create(&(struct whorl_offload_options){.threads_max = 1, .queue_max = 1},
                                  &pool));
    occupy(pool);
    for (int i = 0; i < 2; i++) {
        gate_init(&gates[i], 9);
        sem_post(&gates[i].go);
    }
    struct call calls[2] = {{pool, &gates[0], NULL, 0, false}, {pool, &gates[1], NULL, 0, false}};
    for (int i = 0; i < 2; i++)
        CHECK_OK(whorl_spawn(&group, call, &calls[i]));
    CHECK_OK(whorl_yield());
    whorl_offload_destroy(pool);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(calls[0].result, 9);
    CHECK_ERR(calls[1].result, -ESHUTDOWN);
    CHECK_EQ(gates[1].ran, 0);
    sem_post(&abandoned.go);
    wait_until(&abandoned.released, 1);
    return 0;
}

struct interrupted_map {
    struct whorl_offload *pool;
    bool ran[8];
    int result;
};

static int note_item(void *arg)
{
    *(bool *)arg = true;
    return 0;
}

static int map_items(void *arg)
{
    struct interrupted_map *map = arg;

    map->result = whorl_offload_map(map->pool, note_item, map->ran, sizeof map->ran[0], 8);
    return 0;
}

TEST_REAL(offload_map_ends_with_its_pool)
{
    struct interrupted_map map = {.result = 1};
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_offload_create(&(struct whorl_offload_options){.threads_max = 2}, &map.pool));
    CHECK_OK(whorl_spawn(&group, map_items, &map));
    CHECK_OK(whorl_yield()); /* the map starts its tasks */
    CHECK_OK(whorl_yield()); /* each of them queues an item */
    whorl_offload_destroy(map.pool);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_ERR(map.result, -ESHUTDOWN);
    for (int i = 0; i < 8; i++)
        CHECK_EQ(map.ran[i], i < 2);
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

TEST_VIRTUAL(offload_that_is_abandoned_stops_a_virtual_clock_until_it_ends)
{
    WHORL_AUTO(offload) *pool = NULL;
    int64_t began = whorl_now();

    CHECK_OK(whorl_offload_create(&one_thread, &pool));
    occupy(pool);
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

/* --- work that asks --------------------------------------------------------------------------- */

/* Works until it is told that nobody wants the result, for at most 10 seconds. */
static int work_until_told(void *arg)
{
    struct gate *gate = arg;
    int err = whorl_check_cancelled();

    gate->ran++;
    for (int i = 0; err == 0 && i < 10000; i++) {
        usleep(1000);
        err = whorl_check_cancelled();
    }
    gate->released++;
    return err;
}

struct deadline {
    struct gate *gate;
    struct whorl_scope *scope;
};

/* The deadline of the scope passes once a thread has begun the work. */
static int pass_deadline_once_begun(void *arg)
{
    struct deadline *deadline = arg;

    wait_until(&deadline->gate->ran, 1);
    whorl_scope_set_deadline(deadline->scope, whorl_now());
    return 0;
}

TEST_REAL(offload_tells_work_that_has_begun_when_its_callers_deadline_passes)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_scope scope;
    struct gate gate;

    gate_init(&gate, 0);
    CHECK_OK(whorl_spawn_copy(&group, pass_deadline_once_begun, &(struct deadline){&gate, &scope}));
    whorl_scope_enter(&scope, WHORL_FOREVER);
    int err = whorl_offload_run(NULL, work_until_told, &gate);
    CHECK_EQ(gate.released, 1); /* it was waited for */
    CHECK_ERR(err, -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    CHECK_OK(whorl_offload_run(NULL, work_now, &gate)); /* the thread's next work is not told */
    return whorl_group_wait(&group);
}

static int ask_once(void *arg)
{
    (void)arg;
    return whorl_check_cancelled();
}

TEST_REAL(offload_tells_the_work_behind_a_future)
{
    struct whorl_future future = {0};
    struct whorl_offload *pool;
    struct gate gate;

    gate_init(&gate, 0);
    CHECK_OK(whorl_offload_create(&one_thread, &pool));
    CHECK_OK(whorl_offload_submit(pool, work_until_told, &gate, &future));
    wait_until(&gate.ran, 1);
    whorl_future_cancel(&future);
    CHECK_OK(whorl_future_wait(&future));
    CHECK_ERR(future.result, -ECANCELED);
    CHECK_OK(whorl_offload_run(pool, ask_once, NULL)); /* on the same thread */
    whorl_offload_destroy(pool);
    return 0;
}

TEST_REAL(offload_tells_owned_work_that_its_caller_has_left)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_scope scope;
    static struct gate gate;

    gate_init(&gate, 0);
    CHECK_OK(whorl_spawn_copy(&group, pass_deadline_once_begun, &(struct deadline){&gate, &scope}));
    whorl_scope_enter(&scope, WHORL_FOREVER);
    int err = whorl_offload_run_owned(NULL, work_until_told, &gate, NULL);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    wait_until(&gate.released, 1);
    return whorl_group_wait(&group);
}

TEST_REAL(offload_tells_the_items_of_a_map)
{
    struct whorl_scope scope;
    struct gate gates[3];

    for (int i = 0; i < 3; i++)
        gate_init(&gates[i], 0);
    whorl_scope_enter_timeout(&scope, 20 * WHORL_MILLISECOND);
    int err = whorl_offload_map(NULL, work_until_told, gates, sizeof gates[0], 3);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(gates[i].ran, gates[i].released);
    return 0;
}

TEST(work_on_a_thread_of_no_pool_is_never_told)
{
    CHECK_OK(whorl_check_cancelled());
}

/* --- map -------------------------------------------------------------------------------------- */

struct item {
    int number, result;
    atomic_int ran;
};

static int square(void *arg)
{
    struct item *item = arg;
    item->ran++;
    item->number *= item->number;
    return item->result;
}

TEST_REAL(offload_map_runs_every_item_once_and_returns_the_first_failure_in_their_order)
{
    struct item items[500];

    for (int i = 0; i < 500; i++)
        items[i] = (struct item){i, i == 401 ? -EPERM : i == 77 ? -EIO : 0, 0};
    CHECK_ERR(whorl_offload_map(NULL, square, items, sizeof *items, 500), -EIO);
    for (int i = 0; i < 500; i++) {
        CHECK_EQ(items[i].number, i * i);
        CHECK_EQ(items[i].ran, 1);
    }
    CHECK_OK(whorl_offload_map(NULL, square, items, sizeof *items, 0));
    return 0;
}

static int map_three(void *arg)
{
    struct call *c = arg;
    c->result = whorl_offload_map(c->pool, pass, c->gate, sizeof *c->gate, 3);
    return 0;
}

TEST_REAL(offload_map_that_is_cancelled_waits_for_what_has_begun_and_runs_no_more)
{
    WHORL_AUTO(offload) *pool = NULL;
    CHECK_OK(whorl_offload_create(&one_thread, &pool));
    WHORL_AUTO(group) group = {0};
    struct gate gates[3];
    struct call c = {pool, gates, NULL, 1, false};

    for (int i = 0; i < 3; i++)
        gate_init(&gates[i], 0);
    CHECK_OK(whorl_spawn(&group, map_three, &c));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    down(&gates[0].begun);
    whorl_group_cancel(&group);
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(whorl_group_alive(&group), 1);
    sem_post(&gates[0].go);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_ERR(c.result, -ECANCELED);
    CHECK_EQ(gates[0].ran, 1);
    CHECK_EQ(gates[1].ran + gates[2].ran, 0);
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

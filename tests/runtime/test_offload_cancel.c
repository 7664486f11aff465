/* SPDX-License-Identifier: MIT */
/* Offload pools: calls that are cancelled, and work that asks whether it was cancelled. */
#include <semaphore.h>
#include <unistd.h>

#include <whorl/future.h>
#include <whorl/group.h>
#include <whorl/offload.h>
#include <whorl/run.h>
#include <whorl/runner.h>
#include <whorl/scope.h>
#include <whorl/task.h>

#include "offload_gate.h"
#include "test.h"

/* --- cancelling ------------------------------------------------------------------------------- */

/* Cancels the call `b` while the pool's only thread runs `a`. */
static WHORL_SUSPENDS_SHIELDED void cancel_while_queued(struct whorl_group *group, struct call *a,
                                                        struct call *b)
{
    CHECK_OK(whorl_spawn(group, call, a));
    CHECK_OK(whorl_spawn(group, call, b));
    CHECK_OK(whorl_yield());
    down(&a->gate->begun);
    whorl_scope_cancel(b->scope);
    CHECK_OK(whorl_yield());
    CHECK_ERR(b->result, -ECANCELED);
}

TEST_REAL(offload_cancelled_while_queued_never_runs)
{
    WHORL_AUTO(offload) *pool = NULL;
    CHECK_OK(whorl_offload_create(&one_thread, &pool));
    WHORL_AUTO(group) group = {0};
    struct gate first, second;
    struct call a = {pool, &first, NULL, 1, false}, b = {pool, &second, NULL, 1, false};

    gate_init(&first, 3);
    gate_init(&second, 4);
    cancel_while_queued(&group, &a, &b);
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
    cancel_while_queued(&group, &a, &b);
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

/* --- work that asks --------------------------------------------------------------------------- */

/* Works until whorl_check_cancelled() reports that the call was cancelled, for at most 10
 * seconds. */
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

TEST_MAIN()

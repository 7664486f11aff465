/* SPDX-License-Identifier: MIT */
/* Offload pools: work behind futures, and pools that are destroyed before their work has ended. */
#include <semaphore.h>

#include <whorl/future.h>
#include <whorl/group.h>
#include <whorl/offload.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/task.h>

#include "offload_gate.h"
#include "test.h"

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

TEST_REAL(offload_pool_destroyed_while_abandoned_work_runs_finishes_queued_work)
{
    struct whorl_offload *pool = NULL;
    struct whorl_future futures[3] = {0};
    struct gate gate;

    CHECK_OK(whorl_offload_create(&one_thread, &pool));
    occupy(pool, &abandoned);
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
    occupy(pool, &abandoned);
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

TEST_MAIN()

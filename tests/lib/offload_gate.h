/* SPDX-License-Identifier: MIT */
/* Work on threads for the tests of offload pools: the test sees when it begins and decides when it
 * ends. */
#ifndef TEST_OFFLOAD_GATE_H
#define TEST_OFFLOAD_GATE_H

#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

#include <whorl/offload.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/task.h>

#include "test.h"

/* Work that signals when it has begun and ends when the test lets it. */
struct gate {
    sem_t begun, go;
    atomic_int ran, released;
    int result;
};

static inline void gate_init(struct gate *gate, int result)
{
    sem_init(&gate->begun, 0, 0);
    sem_init(&gate->go, 0, 0);
    gate->ran = gate->released = 0;
    gate->result = result;
}

static inline void down(sem_t *sem)
{
    while (sem_wait(sem) < 0)
        ;
}

static inline int pass(void *arg)
{
    struct gate *gate = arg;

    sem_post(&gate->begun);
    down(&gate->go);
    gate->ran++;
    return gate->result;
}

static inline void release(void *arg)
{
    ((struct gate *)arg)->released++;
}

static inline int work_now(void *arg)
{
    struct gate *gate = arg;
    gate->ran++;
    return gate->result;
}

/* A call of a pool, for a task. */
struct call {
    struct whorl_offload *pool;
    struct gate *gate;
    struct whorl_scope *scope;
    int result;
    bool owned;
};

static inline int call(void *arg)
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
static inline WHORL_SUSPENDS_SHIELDED void wait_until(const atomic_int *flag, int value)
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

static inline int sleep_long(void *arg)
{
    usleep(*(useconds_t *)arg);
    return 0;
}

/* Leaves owned work that has not ended on the only thread of the pool. It ends when `abandoned->go`
 * is posted. */
static inline WHORL_SUSPENDS_SHIELDED void occupy(struct whorl_offload *pool,
                                                  struct gate *abandoned)
{
    WHORL_AUTO(group) group = {0};
    struct call a = {pool, abandoned, NULL, 1, true};

    gate_init(abandoned, 0);
    CHECK_OK(whorl_spawn(&group, call, &a));
    CHECK_OK(whorl_yield());
    down(&abandoned->begun);
    whorl_scope_cancel(a.scope);
    CHECK_OK(whorl_group_wait(&group));
}

/* An item of a map. */
struct item {
    int number, result;
    atomic_int ran;
};

static inline int square(void *arg)
{
    struct item *item = arg;
    item->ran++;
    item->number *= item->number;
    return item->result;
}

#endif

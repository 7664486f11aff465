/* SPDX-License-Identifier: MIT */
/* Out of memory: every allocation of the runtime fails once, and nothing leaks or hangs. */
#include <sys/resource.h>

#include <whorl/chan.h>
#include <whorl/future.h>
#include <whorl/group.h>
#include <whorl/interval.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/select.h>
#include <whorl/stop.h>
#include <whorl/sync.h>
#include <whorl/task.h>

#include "faults.h"
#include "test.h"

static int return_0(void *arg)
{
    (void)arg;
    return 0;
}

static int sleep_a_bit(void *arg)
{
    (void)arg;
    return whorl_sleep(1);
}

static long blocks;

/* Detects a leak of the previous round. */
static void check_blocks(void)
{
    if (blocks)
        CHECK_EQ(faults_live(), blocks);
    blocks = faults_live();
}

static int run_virtual(void *arg)
{
    check_blocks();
    return whorl_run_virtual(NULL, *(whorl_task_fn *)arg, NULL);
}

static int run_real(void *arg)
{
    check_blocks();
    return whorl_run(*(whorl_task_fn *)arg, NULL);
}

TEST(a_run_says_enomem_and_gives_everything_back)
{
    CHECK_OK(run_virtual(&(whorl_task_fn){return_0}));
    CHECK(faults_sweep(run_virtual, &(whorl_task_fn){return_0}) >= 3);
    CHECK(faults_sweep(run_real, &(whorl_task_fn){return_0}) >= 3);
}

/* Spawns enough tasks to need new slabs and a larger ready ring. */
static WHORL_SUSPENDS int spawn_many(void *arg)
{
    WHORL_AUTO(group) group = {0};
    int err = 0;

    (void)arg;
    for (int i = 0; i < 300 && err == 0; i++)
        err = whorl_spawn(&group, sleep_a_bit, NULL);
    int waited = whorl_group_wait(&group);
    CHECK_OK(waited); /* the started tasks are not affected */
    CHECK_EQ(whorl_group_alive(&group), 0);
    return err;
}

TEST(a_spawn_says_enomem_and_the_others_go_on)
{
    CHECK(faults_sweep(run_virtual, &(whorl_task_fn){spawn_many}) >= 12);
    CHECK(faults_sweep(run_real, &(whorl_task_fn){spawn_many}) >= 12);
}

/* After a failure the same call works again: it has left nothing half done. */
static WHORL_SUSPENDS int spawn_again(void *arg)
{
    WHORL_AUTO(group) group = {0};
    int failures = 0;

    (void)arg;
    for (int i = 0; i < 300; i++) {
        int err = whorl_spawn(&group, sleep_a_bit, NULL);
        if (err) {
            CHECK_ERR(err, -ENOMEM);
            failures++;
            CHECK_OK(whorl_spawn(&group, sleep_a_bit, NULL));
        }
    }
    CHECK(failures <= 1);
    CHECK_EQ(whorl_group_alive(&group), 300);
    return whorl_group_wait(&group);
}

TEST(a_spawn_that_failed_can_be_tried_again)
{
    CHECK(faults_sweep(run_virtual, &(whorl_task_fn){spawn_again}) >= 12);
}

static WHORL_SUSPENDS int spawn_sizes(void *arg)
{
    WHORL_AUTO(group) group = {0};
    int err = 0;

    (void)arg;
    for (size_t size = 1; size <= 4 << 20 && err == 0; size *= 2)
        err = whorl_spawn_with(&group, sleep_a_bit, NULL,
                               &(struct whorl_spawn_options){.stack_size = size});
    CHECK_OK(whorl_group_wait(&group));
    return err;
}

TEST(a_spawn_with_a_stack_of_its_own_says_enomem)
{
    CHECK(faults_sweep(run_virtual, &(whorl_task_fn){spawn_sizes}) >= 10);
}

static int use_channels(void *arg)
{
    WHORL_AUTO(chan) *a = NULL, *b = NULL;
    int err = whorl_chan_create(8, 16, &a);

    (void)arg;
    CHECK((a == NULL) == (err != 0));
    return err ? err : whorl_chan_create(0, 0, &b);
}

TEST(creating_a_channel_says_enomem)
{
    CHECK(faults_sweep(run_virtual, &(whorl_task_fn){use_channels}) >= 5);
}

/* Every kind of object that can be waited for, and a task that holds them. */
struct held {
    struct whorl_mutex mutex;
    struct whorl_rwlock rwlock;
    struct whorl_cond cond;
    struct whorl_barrier barrier;
    struct whorl_wait_group wait_group;
    struct whorl_once once;
    struct whorl_future future;
    struct whorl_event let_go;
};

static int wait_to_let_go(void *arg)
{
    return whorl_event_wait(arg);
}

static int hold_for_long(void *arg)
{
    struct held *held = arg;

    CHECK_OK(whorl_mutex_lock(&held->mutex));
    CHECK_OK(whorl_rwlock_write_lock(&held->rwlock));
    CHECK_OK(whorl_once_run(&held->once, wait_to_let_go, &held->let_go));
    whorl_rwlock_unlock(&held->rwlock);
    whorl_mutex_unlock(&held->mutex);
    return 0;
}

static WHORL_SUSPENDS int wait_for_signal(struct whorl_cond *cond)
{
    struct whorl_mutex own = {0};

    CHECK_OK(whorl_mutex_lock(&own));
    int err = whorl_cond_wait(cond, &own);
    whorl_mutex_unlock(&own);
    return err;
}

static WHORL_SUSPENDS int select_from(struct held *held)
{
    struct whorl_case cases[] = {whorl_case_event(&held->let_go), whorl_case_future(&held->future),
                                 whorl_case_stop()};
    return whorl_select(cases, 3);
}

static WHORL_SUSPENDS int wait_for_tick(void)
{
    struct whorl_interval interval;

    whorl_interval_init(&interval, WHORL_HOUR);
    return (int)whorl_interval_wait(&interval);
}

static WHORL_SUSPENDS int wait_in_vain(struct held *held, int way)
{
    switch (way) {
    case 0:
        return whorl_mutex_lock(&held->mutex);
    case 1:
        return whorl_rwlock_read_lock(&held->rwlock);
    case 2:
        return whorl_rwlock_write_lock(&held->rwlock);
    case 3:
        return wait_for_signal(&held->cond);
    case 4:
        return whorl_barrier_wait(&held->barrier);
    case 5:
        return whorl_wait_group_wait(&held->wait_group);
    case 6:
        return whorl_once_run(&held->once, NULL, NULL);
    case 7:
        return whorl_future_wait(&held->future);
    case 8:
        return select_from(held);
    case 9:
        return wait_for_tick();
    default:
        return whorl_stop_wait_requested();
    }
}

/* Waiting, waking, scopes and timers allocate no memory, so they cannot fail for lack of it. */
static int wait_in_every_way(void *arg)
{
    WHORL_AUTO(chan) *chan = NULL;
    CHECK_OK(whorl_chan_create(sizeof(int), 1, &chan));
    struct whorl_semaphore semaphore = {.permits = 1};
    struct whorl_mutex mutex = {0};
    struct whorl_event event = {0};
    struct held held = {.barrier.parties = 2, .wait_group.count = 1};
    struct whorl_scope scope;
    WHORL_AUTO(group) group = {0};
    int value = 1;

    (void)arg;
    CHECK_OK(whorl_spawn(&group, sleep_a_bit, NULL));
    CHECK_OK(whorl_spawn(&group, hold_for_long, &held));
    CHECK_OK(whorl_yield());
    faults_arm(1);
    whorl_scope_enter(&scope, whorl_after(5));
    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_sleep(1));
    CHECK_OK(whorl_chan_send(chan, &value));
    CHECK_OK(whorl_chan_recv(chan, &value));
    CHECK_OK(whorl_mutex_lock(&mutex));
    whorl_mutex_unlock(&mutex);
    CHECK_OK(whorl_semaphore_acquire(&semaphore));
    whorl_semaphore_release(&semaphore);
    CHECK_ERR(whorl_event_wait(&event), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ETIMEDOUT);
    for (int way = 0; way <= 10; way++) {
        whorl_scope_enter(&scope, whorl_after(5));
        CHECK_ERR(whorl_scope_leave(&scope, wait_in_vain(&held, way)), -ETIMEDOUT);
    }
    whorl_event_set(&held.let_go);
    CHECK_OK(whorl_group_wait(&group));
    /* A task on a used stack allocates none either. */
    CHECK_OK(whorl_spawn_copy(&group, sleep_a_bit, &value));
    CHECK_OK(whorl_group_wait(&group));
    CHECK(!faults_disarm());
    CHECK_EQ(faults_seen(), 0);
    return 0;
}

TEST(waiting_takes_no_memory)
{
    CHECK_OK(whorl_run_virtual(NULL, wait_in_every_way, NULL));
}

static int exhaust_addresses(void *arg)
{
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT, .stack_size = 64 << 20};
    int n = 0, err;

    (void)arg;
    while ((err = whorl_spawn(&group, sleep_a_bit, NULL)) == 0)
        n++;
    CHECK_ERR(err, -ENOMEM);
    CHECK(n >= 1);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(whorl_spawn(&group, sleep_a_bit, NULL));
    CHECK_OK(whorl_group_wait(&group));
    return 0;
}

TEST(running_out_of_address_space_is_enomem)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    test_skip("sanitizers need all the address space");
#endif
    if (test_on_qemu())
        test_skip("qemu ignores RLIMIT_AS");
    struct rlimit limit = {1 << 30, 1 << 30};
    CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
    CHECK_OK(whorl_run_virtual(NULL, exhaust_addresses, NULL));
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT */
/* A million tasks that sleep, a million tasks that are cancelled, a million timers within a day. */
#include <stdlib.h>
#include <unistd.h>

#include <whorl/chan.h>
#include <whorl/group.h>
#include <whorl/park.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/sync.h>
#include <whorl/task.h>
#include <whorl/timer.h>

#include "faults.h"
#include "test.h"

/* Sanitizers need much more memory, and ThreadSanitizer supports at most 8128 stacks. */
#if defined(__SANITIZE_THREAD__)
enum { MILLION = 1000000, TASKS = 5000 };
#elif defined(__SANITIZE_ADDRESS__)
enum { MILLION = 1000000, TASKS = 50000 };
#else
enum { MILLION = 1000000, TASKS = MILLION };
#endif

static void need_memory(void)
{
    if (TASKS == MILLION && sysconf(_SC_AVPHYS_PAGES) < 2 * MILLION)
        test_skip("less than 8 GB of memory free");
}

static size_t resident(void)
{
    FILE *statm = fopen("/proc/self/statm", "r");
    unsigned long size, pages;

    CHECK(statm != NULL);
    CHECK_EQ(fscanf(statm, "%lu %lu", &size, &pages), 2);
    fclose(statm);
    return pages * 4096;
}

/* --- tasks ------------------------------------------------------------------------------------ */

static int slept;

static int sleep_a_while(void *arg)
{
    (void)arg;
    CHECK_OK(whorl_sleep(WHORL_SECOND + (int64_t)whorl_task_id(whorl_task_self()) * 1000));
    slept++;
    return 0;
}

TEST_SLOW(a_million_tasks_sleep_at_once, TEST_ROOT_VIRTUAL, 120)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_run_stats stats;

    need_memory();
    for (int i = 0; i < TASKS; i++)
        CHECK_OK(whorl_spawn(&group, sleep_a_while, NULL));
    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_run_get_stats(&stats));
    CHECK_EQ(stats.tasks_alive, TASKS + 1);
    CHECK_EQ(stats.timers_armed, TASKS);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(slept, TASKS);
    whorl_run_trim();
    CHECK_OK(whorl_run_get_stats(&stats));
    CHECK(stats.stacks_mapped < 100);
}

/* The objects that the tasks wait for, and the number of tasks whose wait was cancelled. */
static struct {
    struct whorl_event event;
    struct whorl_mutex mutex;
    struct whorl_semaphore semaphore;
    struct whorl_chan *chan;
    int begun, cancelled;
} never;

static int wait_for_nothing(void *arg)
{
    int value, err, which = never.begun++ % 5;
    struct whorl_scope scope;

    (void)arg;
    whorl_scope_enter(&scope, whorl_after(WHORL_HOUR + which));
    if (which == 0)
        err = whorl_event_wait(&never.event);
    else if (which == 1)
        err = whorl_mutex_lock(&never.mutex);
    else if (which == 2)
        err = whorl_semaphore_acquire(&never.semaphore);
    else if (which == 3)
        err = whorl_chan_recv(never.chan, &value);
    else
        err = whorl_sleep(WHORL_HOUR * 2);
    never.cancelled += err == -ECANCELED;
    return whorl_scope_leave(&scope, err);
}

static WHORL_SUSPENDS_SHIELDED void cancel_all(bool begun)
{
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_run_stats stats;

    never.begun = never.cancelled = 0;
    for (int i = 0; i < TASKS; i++)
        CHECK_OK(whorl_spawn(&group, wait_for_nothing, NULL));
    if (begun)
        CHECK_OK(whorl_yield());
    CHECK_EQ(never.begun, begun ? TASKS : 0);
    CHECK_OK(whorl_run_get_stats(&stats));
    CHECK_EQ(stats.tasks_alive, TASKS + 1);
    whorl_group_cancel(&group);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    CHECK_EQ(never.cancelled, TASKS);
    CHECK_EQ(whorl_now(), 0);
    CHECK_OK(whorl_run_get_stats(&stats));
    CHECK_EQ(stats.tasks_alive, 1);
    CHECK_EQ(stats.timers_armed, 0);
    CHECK(!never.event.waiters.first && !never.mutex.waiters.first);
    CHECK(!never.semaphore.waiters.first && never.semaphore.permits == 0);
    whorl_run_trim();
    CHECK_OK(whorl_run_get_stats(&stats));
    CHECK(stats.stacks_mapped < 100);
}

TEST_SLOW(a_million_tasks_are_cancelled_and_nothing_is_left_of_them, TEST_ROOT_VIRTUAL, 120)
{
    WHORL_AUTO(chan) *chan = NULL;

    need_memory();
    CHECK_OK(whorl_chan_create(sizeof(int), 0, &chan));
    never.chan = chan;
    CHECK_OK(whorl_mutex_lock(&never.mutex));
    long live = faults_live();
    size_t before = resident();
    cancel_all(false);
    cancel_all(true);
    size_t after = resident();
    printf("resident: %zu before, %zu after\n", before, after);
    CHECK(TASKS < MILLION || after < before + before / 10 + (1 << 20));
    CHECK(faults_live() - live < 8); /* memory that the runtime keeps for later */
    whorl_mutex_unlock(&never.mutex);
}

/* --- timers ----------------------------------------------------------------------------------- */

static struct whorl_timer *timers;
static bool *armed;
static int armed_count, fires, moves;
static uint64_t random_state;

static void on_fire(struct whorl_timer *timer);

static void arm(int64_t i, int64_t deadline_ns)
{
    armed_count += !armed[i];
    armed[i] = true;
    whorl_timer_arm(&timers[i], deadline_ns, on_fire);
}

/* Checks that the timer fires at its nanosecond. Every other timer moves, stops or starts another
 * one. */
static void on_fire(struct whorl_timer *timer)
{
    int64_t now = whorl_now(), i = timer - timers;

    CHECK(armed[i]);
    CHECK_EQ(timer->deadline_ns, now);
    armed[i] = false;
    armed_count--;
    fires++;
    if (test_draw(&random_state, 2) == 0)
        return;
    i = (int64_t)test_draw(&random_state, MILLION);
    if (armed[i] && test_draw(&random_state, 2)) {
        whorl_timer_disarm(&timers[i]);
        armed[i] = false;
        armed_count--;
    } else if (now < 23 * WHORL_HOUR) {
        arm(i, now + 1 + (int64_t)test_draw(&random_state, WHORL_HOUR));
        moves++;
    }
}

TEST_SLOW(a_million_timers_fire_at_their_nanosecond_through_a_day, TEST_ROOT_VIRTUAL, 120)
{
    struct whorl_run_stats stats;

    timers = calloc(MILLION, sizeof *timers);
    armed = calloc(MILLION, sizeof *armed);
    CHECK(timers && armed);
    for (int i = 0; i < MILLION; i++)
        arm(i, 1 + (int64_t)test_draw(&random_state, 24 * WHORL_HOUR - 1));
    for (int64_t hour = 1; hour <= 24; hour++) {
        CHECK_OK(whorl_sleep_until(hour * WHORL_HOUR));
        CHECK_OK(whorl_run_get_stats(&stats));
        CHECK_EQ(stats.timers_armed, armed_count);
    }
    CHECK_EQ(armed_count, 0);
    printf("%d fired, %d moved or started again\n", fires, moves);
    CHECK(fires > MILLION && moves > MILLION / 10);
    free(timers);
    free(armed);
}

TEST_MAIN()

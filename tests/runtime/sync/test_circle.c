/* SPDX-License-Identifier: MIT */
/* Circles in reports of tasks: which task waits for which, as far as the holders are known. */
#include <time.h>

#include <whorl/future.h>
#include <whorl/generator.h>
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/sync.h>

#include "child.h"
#include "dump.h"
#include "test.h"

/* --- mutexes and groups ----------------------------------------------------------------------- */

static int lock_two(void *arg)
{
    struct whorl_mutex **mutexes = arg;

    whorl_task_set_name(mutexes[0]->name);
    CHECK_OK(whorl_mutex_lock(mutexes[0]));
    int err = whorl_yield();
    if (err == 0)
        err = whorl_mutex_lock(mutexes[1]);
    if (err == 0)
        whorl_mutex_unlock(mutexes[1]);
    whorl_mutex_unlock(mutexes[0]);
    return err;
}

static int lock_one(void *arg)
{
    int err = whorl_mutex_lock(arg);
    if (err == 0)
        whorl_mutex_unlock(arg);
    return err;
}

TEST_VIRTUAL(report_prints_a_circle_once)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_mutex a = {.name = "A"}, b = {.name = "B"}, c = {.name = "C"};
    struct whorl_mutex *ab[] = {&a, &b}, *bc[] = {&b, &c}, *ca[] = {&c, &a};

    /* Tasks with lower ids that are not in the circle. */
    CHECK_OK(whorl_spawn(&group, lock_one, &a));
    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_spawn(&group, lock_two, ab));
    CHECK_OK(whorl_spawn(&group, lock_two, bc));
    CHECK_OK(whorl_spawn(&group, lock_two, ca));
    CHECK_OK(whorl_sleep(1));
    CHECK_OK(whorl_spawn(&group, lock_one, &a));
    CHECK_OK(whorl_yield());
    CHECK_DUMP(
        "in a circle:\n  A waits for mutex \"B\" held by B\n  B waits for mutex \"C\" held by C\n"
        "  C waits for mutex \"A\" held by A\n");
    CHECK_EQ(dump_count(dumped, "in a circle"), 1);
}

static struct whorl_mutex parents;

static int lock_parents(void *arg)
{
    (void)arg;
    return whorl_mutex_lock(&parents);
}

static int wait_for_child(void *arg)
{
    WHORL_AUTO(group) group = {0};

    (void)arg;
    whorl_task_set_name("parent");
    CHECK_OK(whorl_mutex_lock(&parents));
    CHECK_OK(whorl_spawn_with(&group, lock_parents, NULL,
                              &(struct whorl_spawn_options){.name = "child"}));
    int err = whorl_group_wait(&group);
    whorl_mutex_unlock(&parents);
    return err;
}

static void run_wait_for_child(void *arg)
{
    (void)arg;
    CHECK_ERR(whorl_run_virtual(NULL, wait_for_child, NULL), -EDEADLK);
}

TEST(report_sees_a_circle_of_a_parent_and_its_child)
{
    struct child child;

    child_run(&child, run_wait_for_child, NULL);
    CHECK(strstr(child.err, "every task waits on another (2 tasks)"));
    CHECK(
        strstr(child.err, "circle:\n  parent waits for group of 1 task\n  child waits for mutex"));
}

/* --- holders of a read-write lock ------------------------------------------------------------- */

static struct whorl_rwlock table = {.name = "table"};
static struct whorl_mutex gate = {.name = "gate"};

/* Locks the table, for reading or writing, and then locks the gate. */
static int table_then_gate(void *arg)
{
    whorl_task_set_name(arg);
    int err = strcmp(arg, "writer") == 0 ? whorl_rwlock_write_lock(&table)
                                         : whorl_rwlock_read_lock(&table);
    if (err)
        return err;
    err = whorl_mutex_lock(&gate);
    if (err == 0)
        whorl_mutex_unlock(&gate);
    whorl_rwlock_unlock(&table);
    return err;
}

static int gate_then_table(void *arg)
{
    whorl_task_set_name("keeper");
    CHECK_OK(whorl_mutex_lock(&gate));
    CHECK_OK(whorl_sleep(1));
    int err = arg ? whorl_rwlock_read_lock(&table) : whorl_rwlock_write_lock(&table);
    if (err == 0)
        whorl_rwlock_unlock(&table);
    whorl_mutex_unlock(&gate);
    return err;
}

TEST_VIRTUAL(report_sees_a_circle_through_the_writer_of_a_lock)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_spawn(&group, gate_then_table, "read"));
    CHECK_OK(whorl_spawn(&group, table_then_gate, "writer"));
    CHECK_OK(whorl_sleep(2));
    CHECK_DUMP("in a circle:\n  keeper waits for read lock \"table\" held by writer\n"
               "  writer waits for mutex \"gate\" held by keeper\n");
}

static int read_for_a_while(void *arg)
{
    (void)arg;
    CHECK_OK(whorl_rwlock_read_lock(&table));
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    whorl_rwlock_unlock(&table);
    return 0;
}

TEST_VIRTUAL(report_sees_a_circle_through_the_one_reader_of_a_lock)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_rwlock_write_lock(&table));
    CHECK_OK(whorl_spawn(&group, gate_then_table, NULL));
    CHECK_OK(whorl_spawn(&group, table_then_gate, "reader"));
    CHECK_OK(whorl_spawn(&group, read_for_a_while, NULL));
    CHECK_OK(whorl_yield());
    whorl_rwlock_unlock(&table); /* both queued readers get the lock */
    CHECK_OK(whorl_rwlock_read_lock(&table));
    CHECK_OK(whorl_rwlock_read_lock(&table)); /* a second time */
    CHECK_OK(whorl_sleep(2));
    CHECK_DUMP("keeper: waits for write lock \"table\" held by 4 readers");
    CHECK(!strstr(dumped, "in a circle"));
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    whorl_rwlock_unlock(&table);
    CHECK_DUMP("keeper: waits for write lock \"table\" held by 2 readers");
    whorl_rwlock_unlock(&table);
    CHECK_DUMP("in a circle:\n  keeper waits for write lock \"table\" held by reader\n"
               "  reader waits for mutex \"gate\" held by keeper\n");
}

static int read_then_write(void *arg)
{
    (void)arg;
    whorl_task_set_name("greedy");
    CHECK_OK(whorl_rwlock_read_lock(&table));
    int err = whorl_rwlock_write_lock(&table);
    whorl_rwlock_unlock(&table);
    return err;
}

TEST_VIRTUAL(report_sees_that_a_reader_that_wants_to_write_waits_for_itself)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_spawn(&group, read_then_write, NULL));
    CHECK_OK(whorl_yield());
    CHECK_DUMP("in a circle:\n  greedy waits for write lock \"table\" held by greedy\n");
}

static int read_and_leave(void *arg)
{
    CHECK_OK(whorl_rwlock_read_lock(arg));
    return 0;
}

static int unlock_for_another(void *arg)
{
    whorl_rwlock_unlock(arg);
    return 0;
}

/* Mistakes of the reported program, which must not crash the report. */
TEST_VIRTUAL(report_names_no_reader_that_it_cannot_know)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_rwlock_read_lock(&table));
    CHECK_OK(whorl_spawn(&group, read_and_leave, &table));
    CHECK_OK(whorl_spawn(&group, unlock_for_another, &table));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(whorl_spawn(&group, gate_then_table, NULL));
    CHECK_OK(whorl_sleep(2));
    CHECK_DUMP("keeper: waits for write lock \"table\" held by ");
    CHECK(!strstr(dumped, "in a circle"));
}

static int lock_and_leave(void *arg)
{
    return whorl_mutex_lock(arg);
}

TEST_VIRTUAL(report_says_that_a_holder_has_ended)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_spawn_with(&group, lock_and_leave, &gate,
                              &(struct whorl_spawn_options){.stack_size = 1 << 20}));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(whorl_spawn(&group, lock_one, &gate));
    CHECK_OK(whorl_yield());
    CHECK_DUMP("waits for mutex \"gate\" held by a task that has ended");
    whorl_run_trim(); /* its record is unmapped too */
    CHECK_DUMP("waits for mutex \"gate\" held by a task that has ended");
}

/* --- other circles ---------------------------------------------------------------------------- */

static struct whorl_future result = {.name = "result"};
static struct whorl_once start = {.name = "start"};

static int start_by_result(void *arg)
{
    (void)arg;
    return whorl_future_wait(&result);
}

static int run_start(void *arg)
{
    (void)arg;
    return whorl_once_run(&start, start_by_result, NULL);
}

TEST_VIRTUAL(report_sees_a_circle_through_a_future_and_a_once)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_spawn(&group, run_start, NULL));
    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_spawn_future(&group, run_start, NULL, &result));
    CHECK_OK(whorl_yield());
    CHECK_DUMP("in a circle:\n  run_start at ");
    CHECK_DUMP(" waits for future \"result\" of run_start at ");
    CHECK_DUMP(" waits for once \"start\" run by run_start at ");
    whorl_group_finish(&group);
    CHECK(!start.runner);
}

static int pull_itself(struct whorl_generator *generator, void *arg)
{
    (void)generator;
    return whorl_mutex_lock(arg);
}

static int pull_with_gate(void *arg)
{
    WHORL_AUTO(generator) *generator = NULL;
    CHECK_OK(whorl_generator_create(pull_itself, arg, 0, &generator));

    whorl_task_set_name("puller");
    CHECK_OK(whorl_mutex_lock(arg));
    int err = whorl_generator_next(generator, NULL);
    whorl_mutex_unlock(arg);
    return err;
}

TEST_VIRTUAL(report_sees_a_circle_of_a_generator_and_its_puller)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_spawn(&group, pull_with_gate, &gate));
    CHECK_OK(whorl_sleep(1));
    CHECK_DUMP("in a circle:\n  puller waits for a value of generator pull_itself at ");
    CHECK_DUMP(" waits for mutex \"gate\" held by puller\n");
}

/* Very many tasks wait for a circle of two. Following each of them must end soon. */
TEST_VIRTUAL(report_of_many_tasks_behind_a_circle_takes_no_time)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_mutex a = {.name = "A"}, b = {.name = "B"};
    struct whorl_mutex *ab[] = {&a, &b}, *ba[] = {&b, &a};
    struct timespec began, ended;

    CHECK_OK(whorl_spawn(&group, lock_two, ab));
    CHECK_OK(whorl_spawn(&group, lock_two, ba));
    CHECK_OK(whorl_sleep(1));
    for (int i = 0; i < 5000; i++)
        CHECK_OK(whorl_spawn(&group, lock_one, &a));
    CHECK_OK(whorl_sleep(1));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &began);
    CHECK_DUMP("in a circle:");
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ended);
    CHECK_EQ(dump_count(dumped, "in a circle"), 1);
    CHECK_EQ(dump_count(dumped, "\n  task "), 1000);
    CHECK(strstr(dumped, "and 4003 more"));
    long ms = (ended.tv_sec - began.tv_sec) * 1000 + (ended.tv_nsec - began.tv_nsec) / 1000000;
    CHECK(ms < 200 * test_timeout_scale());
}

TEST_MAIN()

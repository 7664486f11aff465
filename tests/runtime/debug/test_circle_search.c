/* SPDX-License-Identifier: MIT */
/* Circles of tasks that wait for each other while other tasks run: when they are reported, how
 * often, and what is none. */
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/sync.h>
#include <whorl/task.h>

#include "child.h"
#include "dump.h"
#include "test.h"

#define TITLE "whorl: these wait for each other in a circle, while other tasks run:\n"

static struct child child;

struct circle_run {
    whorl_task_fn root;
    bool quiet, real;
};

static void run_in_child(void *arg)
{
    const struct circle_run *r = arg;
    struct whorl_virtual_options options = {.run.quiet = r->quiet};

    int err = r->real ? whorl_run(r->root, NULL) : whorl_run_virtual(&options, r->root, NULL);
    fprintf(stderr, "the run returned %s\n", whorl_error_name(err));
}

/* Runs `root` on a virtual clock in a child process. Returns how many circles were reported. */
static int reports_of(whorl_task_fn root)
{
    child_run(&child, run_in_child, &(struct circle_run){.root = root});
    CHECK(strstr(child.err, "the run returned OK\n"));
    return dump_count(child.err, TITLE);
}

struct locks {
    struct whorl_mutex *first, *second;
    int64_t timeout_ns; /* of the second lock; 0: none */
};

static int lock_two(void *arg)
{
    const struct locks *locks = arg;
    struct whorl_scope scope;

    whorl_task_set_name(locks->first->name);
    int err = whorl_mutex_lock(locks->first);
    if (err)
        return err;
    err = whorl_sleep(1);
    whorl_scope_enter_timeout(&scope, locks->timeout_ns ? locks->timeout_ns : WHORL_FOREVER);
    if (err == 0)
        err = whorl_mutex_lock(locks->second);
    err = whorl_scope_leave(&scope, err);
    if (err == 0)
        whorl_mutex_unlock(locks->second);
    whorl_mutex_unlock(locks->first);
    return err;
}

/* Two tasks that lock two mutexes in opposite orders. */
static void embrace(struct whorl_group *group, struct whorl_mutex *a, struct whorl_mutex *b,
                    int64_t timeout_ns)
{
    CHECK_OK(whorl_spawn_copy(group, lock_two, &(struct locks){a, b, timeout_ns}));
    CHECK_OK(whorl_spawn_copy(group, lock_two, &(struct locks){b, a, 0}));
}

/* --- what is reported ------------------------------------------------------------------------- */

/* Another task runs: this one. */
static WHORL_SUSPENDS_SHIELDED void tick_for(int64_t duration_ns)
{
    for (int64_t end = whorl_after(duration_ns); whorl_now() < end;) {
        CHECK_OK(whorl_sleep(100 * WHORL_MILLISECOND));
        fprintf(stderr, "%d ", (int)(whorl_now() / (100 * WHORL_MILLISECOND)));
    }
}

static int embrace_beside(void *arg)
{
    struct whorl_mutex a = {.name = "a"}, b = {.name = "b"};
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    (void)arg;
    embrace(&group, &a, &b, 0);
    tick_for(20 * WHORL_SECOND);
    return 0;
}

TEST(a_circle_is_reported_once_after_a_second_and_the_run_continues)
{
    CHECK_EQ(reports_of(embrace_beside), 1);
    CHECK(strstr(child.err, TITLE "  a waits for mutex \"b\" held by b\n"
                                  "  b waits for mutex \"a\" held by a\n"));
    const char *at = strstr(child.err, TITLE);
    CHECK(strstr(child.err, " 9 ") < at);
    CHECK(strstr(child.err, " 22 ") > at);
}

TEST(a_quiet_run_reports_no_circle)
{
    child_run(&child, run_in_child, &(struct circle_run){.root = embrace_beside, .quiet = true});
    CHECK(!strstr(child.err, "whorl: "));
}

static int two_circles(void *arg)
{
    struct whorl_mutex a = {.name = "a"}, b = {.name = "b"}, c = {.name = "c"}, d = {.name = "d"};
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    (void)arg;
    embrace(&group, &a, &b, 0);
    tick_for(5 * WHORL_SECOND);
    embrace(&group, &c, &d, 0);
    tick_for(5 * WHORL_SECOND);
    return 0;
}

TEST(each_circle_has_its_own_report)
{
    CHECK_EQ(reports_of(two_circles), 2);
    CHECK(strstr(child.err, "  c waits for mutex \"d\""));
}

static int again(void *arg)
{
    struct whorl_mutex a = {.name = "a"}, b = {.name = "b"};

    (void)arg;
    for (int i = 0; i < 3; i++) {
        WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
        embrace(&group, &a, &b, 0);
        tick_for(3 * WHORL_SECOND);
    }
    return 0;
}

TEST(a_circle_that_forms_again_is_reported_again)
{
    CHECK_EQ(reports_of(again), 3);
}

static struct whorl_mutex held = {.name = "held"};

static int lock_held(void *arg)
{
    int err = whorl_mutex_lock(arg);
    if (err == 0)
        whorl_mutex_unlock(arg);
    return err;
}

/* The child waits for the parent's mutex long before the parent waits for the child. */
static int join_late(void *arg)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    whorl_task_set_name("parent");
    CHECK_OK(whorl_mutex_lock(&held));
    CHECK_OK(whorl_spawn(&group, lock_held, &held));
    int err = whorl_sleep(7 * WHORL_SECOND);
    if (err == 0)
        err = whorl_group_wait(&group);
    whorl_mutex_unlock(&held);
    (void)arg;
    return err;
}

static int join_late_beside(void *arg)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_spawn(&group, join_late, arg));
    tick_for(10 * WHORL_SECOND);
    return 0;
}

TEST(a_circle_that_a_join_closes_is_found)
{
    CHECK_EQ(reports_of(join_late_beside), 1);
    CHECK(strstr(child.err, "parent waits for group of 1 task\n"));
    CHECK(strstr(child.err, " 71 ") < strstr(child.err, TITLE));
    CHECK(strstr(child.err, " 91 ") > strstr(child.err, TITLE));
}

static struct whorl_rwlock table = {.name = "table"};

static int read_and_wait(void *arg)
{
    CHECK_OK(whorl_rwlock_read_lock(&table));
    int err = arg ? whorl_mutex_lock(&held) : whorl_sleep(5 * WHORL_SECOND);
    if (arg && err == 0)
        whorl_mutex_unlock(&held);
    whorl_rwlock_unlock(&table);
    return err;
}

static int hold_and_write(void *arg)
{
    (void)arg;
    CHECK_OK(whorl_mutex_lock(&held));
    int err = whorl_sleep(1);
    if (err == 0)
        err = whorl_rwlock_write_lock(&table);
    if (err == 0)
        whorl_rwlock_unlock(&table);
    whorl_mutex_unlock(&held);
    return err;
}

/* While there are two readers no single task holds the lock. After 5 s there is one. */
static int reader_leaves(void *arg)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    (void)arg;
    CHECK_OK(whorl_spawn(&group, hold_and_write, NULL));
    CHECK_OK(whorl_spawn(&group, read_and_wait, "held"));
    CHECK_OK(whorl_spawn(&group, read_and_wait, NULL));
    tick_for(10 * WHORL_SECOND);
    return 0;
}

TEST(a_circle_that_another_task_closes_is_found)
{
    CHECK_EQ(reports_of(reader_leaves), 1);
    CHECK(strstr(child.err, " 51 ") < strstr(child.err, TITLE));
}

static int wait_for_group(void *arg)
{
    CHECK_OK(whorl_sleep(1));
    return whorl_group_wait(arg);
}

static int wait_for_foreign_groups(void *arg)
{
    WHORL_AUTO(group) p = {.policy = WHORL_GROUP_COLLECT};
    WHORL_AUTO(group) q = {.policy = WHORL_GROUP_COLLECT};

    (void)arg;
    CHECK_OK(whorl_spawn(&p, wait_for_group, &q));
    CHECK_OK(whorl_spawn(&q, wait_for_group, &p));
    tick_for(3 * WHORL_SECOND);
    return 0;
}

TEST(a_circle_of_tasks_that_wait_for_each_others_groups_is_found)
{
    CHECK_EQ(reports_of(wait_for_foreign_groups), 1);
    CHECK_EQ(dump_count(child.err, " waits for group of 1 task\n"), 2);
}

/* --- what is none ----------------------------------------------------------------------------- */

static int embrace_with_timeout(void *arg)
{
    struct whorl_mutex a = {.name = "a"}, b = {.name = "b"};
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    (void)arg;
    embrace(&group, &a, &b, 5 * WHORL_SECOND);
    tick_for(10 * WHORL_SECOND);
    CHECK_ERR(whorl_group_wait(&group), -ETIMEDOUT);
    return 0;
}

TEST(a_circle_that_a_deadline_will_end_is_not_reported)
{
    CHECK_EQ(reports_of(embrace_with_timeout), 0);
}

static int embrace_shortly(void *arg)
{
    struct whorl_mutex a = {.name = "a"}, b = {.name = "b"};
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    (void)arg;
    for (int i = 0; i < 5; i++) {
        embrace(&group, &a, &b, 0);
        tick_for(900 * WHORL_MILLISECOND);
        whorl_group_cancel(&group);
        CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    }
    return 0;
}

TEST(a_circle_that_is_broken_within_a_second_is_not_reported)
{
    CHECK_EQ(reports_of(embrace_shortly), 0);
}

static int hold_for(void *arg)
{
    CHECK_OK(whorl_mutex_lock(&held));
    int err = whorl_sleep(*(int64_t *)arg);
    whorl_mutex_unlock(&held);
    return err;
}

static int long_waits(void *arg)
{
    WHORL_AUTO(group) group = {0};
    int64_t minute = WHORL_MINUTE;

    (void)arg;
    CHECK_OK(whorl_spawn(&group, hold_for, &minute));
    for (int i = 0; i < 10; i++)
        CHECK_OK(whorl_spawn(&group, lock_held, &held));
    return whorl_group_wait(&group);
}

TEST(waiting_long_is_no_circle)
{
    CHECK_EQ(reports_of(long_waits), 0);
}

/* --- in a real run ---------------------------------------------------------------------------- */

/* All tasks wait; only a timer is armed. The loop wakes up to search, but only once. */
static int embrace_and_sleep(void *arg)
{
    struct whorl_mutex a = {.name = "a"}, b = {.name = "b"};
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_run_stats before, after;

    (void)arg;
    embrace(&group, &a, &b, 0);
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_OK(whorl_run_get_stats(&before));
    CHECK_OK(whorl_sleep(2500 * WHORL_MILLISECOND));
    CHECK_OK(whorl_run_get_stats(&after));
    fprintf(stderr, "%d polls\n", (int)(after.polls - before.polls));
    CHECK(after.polls - before.polls < 10);
    fputs("the sleep has ended\n", stderr);
    return 0;
}

TEST(a_run_that_only_sleeps_wakes_up_to_find_a_circle)
{
    child_run(&child, run_in_child, &(struct circle_run){.root = embrace_and_sleep, .real = true});
    CHECK(strstr(child.err, "the run returned OK\n"));
    CHECK_EQ(dump_count(child.err, TITLE), 1);
    CHECK(strstr(child.err, TITLE) < strstr(child.err, "the sleep has ended"));
}

TEST_MAIN()

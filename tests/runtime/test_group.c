/* SPDX-License-Identifier: MIT */
/* Groups: spawning, failing, joining. */
#include <signal.h>
#include <stdlib.h>

#include <whorl/chan.h>
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/stop.h>
#include <whorl/task.h>
#include <whorl/timer.h>

#include "child.h"
#include "runtime/sched.h"
#include "test.h"

#define MS WHORL_MILLISECOND

/* A task that sleeps, logs its name, and returns a given result. */
struct job {
    const char *name;
    int64_t sleep_ns;
    int result;
    bool shielded;
};

static int work(void *arg)
{
    const struct job *job = arg;
    struct whorl_scope shield;

    if (job->shielded)
        whorl_scope_enter_shield(&shield, WHORL_FOREVER);
    int err = job->sleep_ns ? whorl_sleep(job->sleep_ns) : 0;
    if (job->shielded)
        err = whorl_scope_leave(&shield, err);
    test_log("%s%s@%lld", err ? "!" : "", job->name, (long long)(whorl_now() / MS));
    return err ? err : job->result;
}

#define JOB(...) (&(struct job){.name = __VA_ARGS__})

static int wait_for(void *arg)
{
    return whorl_group_wait(arg);
}

/* --- results --------------------------------------------------------------------------------- */

TEST_VIRTUAL(waiting_returns_0_when_all_have_succeeded)
{
    struct whorl_group group = {0};

    CHECK_OK(whorl_group_wait(&group)); /* an empty group */
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", 2 * MS)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("b", 1 * MS)));
    /* A positive result is no error. */
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("c", .result = 17)));
    CHECK_EQ(whorl_group_alive(&group), 3);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(whorl_group_alive(&group), 0);
    CHECK_STR(test_logged(), "c@0 b@1 a@2");
}

TEST_VIRTUAL(the_first_failure_cancels_the_siblings_and_is_the_result)
{
    struct whorl_group group = {0};

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", 9 * MS)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("b", 2 * MS, -EIO)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("c", 1 * MS)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("d", 4 * MS, -ENOENT, true)));
    CHECK_ERR(whorl_group_wait(&group), -EIO);
    CHECK_STR(test_logged(), "c@1 b@2 !a@2 d@4");
    CHECK_EQ(group.failed, 3);
}

TEST_VIRTUAL(a_collecting_group_runs_all_to_their_end)
{
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", 3 * MS)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("b", 2 * MS, -EIO)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("c", 1 * MS, -ENOENT)));
    CHECK_ERR(whorl_group_wait(&group), -ENOENT);
    CHECK_STR(test_logged(), "c@1 b@2 a@3");
    CHECK_EQ(group.failed, 2);
}

TEST_VIRTUAL(a_group_is_used_again_after_a_wait)
{
    struct whorl_group group = {0};

    for (int i = 0; i < 3; i++) {
        CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", MS, -EIO)));
        CHECK_OK(whorl_spawn_copy(&group, work, JOB("b", 5 * MS)));
        CHECK_ERR(whorl_group_wait(&group), -EIO);
        CHECK_OK(whorl_spawn_copy(&group, work, JOB("c", MS)));
        CHECK_OK(whorl_group_wait(&group));
        CHECK_OK(whorl_group_wait(&group));
    }
    CHECK_STR(test_logged(), "a@1 !b@1 c@2 a@3 !b@3 c@4 a@5 !b@5 c@6");
}

/* --- starting -------------------------------------------------------------------------------- */

static int log_number(void *arg)
{
    test_log("%d", *(int *)arg);
    return 0;
}

TEST_VIRTUAL(spawning_does_not_switch_and_tasks_start_in_order)
{
    WHORL_AUTO(group) group = {0};
    int numbers[5];

    for (int i = 0; i < 5; i++) {
        numbers[i] = i;
        CHECK_OK(whorl_spawn(&group, log_number, &numbers[i]));
    }
    CHECK_STR(test_logged(), "");
    test_log("spawned");
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "spawned 0 1 2 3 4");
}

TEST_VIRTUAL(a_copied_argument_is_the_tasks_own)
{
    WHORL_AUTO(group) group = {0};

    for (int i = 0; i < 5; i++)
        CHECK_OK(whorl_spawn_copy(&group, log_number, &i));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "0 1 2 3 4");
}

struct bytes {
    size_t len;
    unsigned char first;
};

/* Checks that the argument keeps its bytes to the end, although the task uses its stack and other
 * tasks run. */
static int keep_bytes(void *arg)
{
    struct bytes *bytes = arg;
    size_t len = bytes->len;
    unsigned char first = bytes->first, *p = (unsigned char *)arg;
    char text[300];

    CHECK_EQ((uintptr_t)arg % 16, 0);
    for (int round = 0; round < 3; round++) {
        snprintf(text, sizeof text, "%0200d%f", round, 1.0 / (round + 1));
        CHECK_OK(whorl_yield());
        for (size_t i = sizeof *bytes; i < len; i++)
            CHECK_EQ(p[i], (unsigned char)(first + i));
        p[len - 1]++; /* it is a private copy */
        p[len - 1]--;
    }
    memset(arg, 0xee, len);
    return 0;
}

static size_t spawn_bytes(struct whorl_group *group, unsigned char *memory, size_t len,
                          int expected)
{
    for (size_t i = 0; i < len; i++)
        memory[i] = (unsigned char)(len + i);
    if (len >= sizeof(struct bytes))
        *(struct bytes *)(void *)memory = (struct bytes){len, (unsigned char)len};
    int err = whorl_spawn_copy_at(group, keep_bytes, memory, len, "keep_bytes");
    CHECK_ERR(err, expected);
    return len;
}

TEST_SEEDS(arguments_of_every_size_arrive_whole)
{
    static unsigned char memory[262145];
    size_t stack_sizes[] = {1, 16384, 65536, 262144, 1 << 20};
    /* Each size is tested: there are more seeds than sizes. */
    size_t size = stack_sizes[test_seed() % 5];
    size_t most = (size < 16384 ? 16384 : size) / 4; /* 16 KiB is the smallest stack */
    WHORL_AUTO(group) group = {.stack_size = size};

    for (size_t len = sizeof(struct bytes); len <= most; len += len < 300 ? 1 : len / 3) {
        spawn_bytes(&group, memory, len, 0);
        CHECK_OK(whorl_group_wait_below(&group, 16)); /* sanitizers need much memory for a task */
    }
    spawn_bytes(&group, memory, most, 0);
    spawn_bytes(&group, memory, most + 1, -E2BIG);
    spawn_bytes(&group, memory, sizeof memory, -E2BIG);
    CHECK_OK(whorl_group_wait(&group));
}

static int look_at_byte(void *arg)
{
    test_log("%d", *(unsigned char *)arg);
    return 0;
}

TEST_VIRTUAL(arguments_of_one_byte_and_of_none)
{
    WHORL_AUTO(group) group = {0};
    unsigned char byte = 200;

    CHECK_OK(whorl_spawn_copy(&group, look_at_byte, &byte));
    CHECK_OK(whorl_spawn_copy_at(&group, look_at_byte, &byte, 0, "none"));
    byte = 100;
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "200 100");
}

static int write_name(void *arg)
{
    snprintf(arg, 100, "%s", whorl_task_name(whorl_task_self()));
    return 0;
}

TEST_VIRTUAL(options_name_the_task)
{
    struct whorl_spawn_options options = {.name = "a name of more than thirty-one bytes"};
    WHORL_AUTO(group) group = {0};
    char given[100], site[100], none[100];

    CHECK_OK(whorl_spawn_with(&group, write_name, given, &options));
    CHECK_OK(whorl_spawn_with(&group, write_name, none, NULL));
    CHECK_OK(whorl_spawn(&group, write_name, site));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(given, "a name of more than thirty-one ");
    CHECK(strncmp(none, "write_name at ", 14) == 0);
    CHECK(strncmp(site, "write_name at ", 14) == 0);
    CHECK(strstr(site, "test_group.c:"));
}

TEST(spawning_outside_a_run_says_so)
{
    struct whorl_group group = {0};

    CHECK_ERR(whorl_spawn(&group, log_number, NULL), WHORL_ENOTASK);
    CHECK_ERR(whorl_spawn_copy_at(&group, log_number, &group, 0, ""), WHORL_ENOTASK);
    CHECK_ERR(whorl_spawn_copy(&group, log_number, &(int){1}), WHORL_ENOTASK);
    CHECK_ERR(whorl_spawn_with(&group, log_number, NULL, NULL), WHORL_ENOTASK);
    CHECK_ERR(whorl_group_wait(&group), WHORL_ENOTASK);
    CHECK_ERR(whorl_group_wait_below(&group, 1), WHORL_ENOTASK);
    CHECK_EQ(whorl_group_alive(&group), 0);
    CHECK(!whorl_root_group());
    CHECK_ERR(whorl_spawn(whorl_root_group(), log_number, NULL), WHORL_ENOTASK);
    CHECK_ERR(whorl_spawn_with(whorl_root_group(), log_number, NULL, NULL), WHORL_ENOTASK);
    whorl_group_finish(&group);
}

struct spawner {
    struct whorl_group *group;
    int depth;
};

/* Each task spawns two more tasks into its own group. */
static int spawn_in_own_group(void *arg)
{
    struct spawner *self = arg;
    struct spawner next = {self->group, self->depth - 1};

    test_log("%d", self->depth);
    for (int i = 0; i < 2 && self->depth > 0; i++)
        CHECK_OK(whorl_spawn_copy(self->group, spawn_in_own_group, &next));
    return 0;
}

TEST_VIRTUAL(tasks_spawn_into_their_own_group)
{
    struct whorl_group group = {0};

    CHECK_OK(whorl_spawn_copy(&group, spawn_in_own_group, &(struct spawner){&group, 3}));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "3 2 2 1 1 1 1 0 0 0 0 0 0 0 0");
}

static int late_spawner(void *arg)
{
    struct whorl_chan **chans = arg;
    int n;

    CHECK_OK(whorl_chan_recv(chans[0], &n));
    return whorl_spawn_copy((struct whorl_group *)chans[1], work, JOB("late", 5 * MS));
}

static int wake_the_spawner(void *arg)
{
    CHECK_OK(whorl_chan_try_send(*(struct whorl_chan **)arg, &(int){1}));
    return 0; /* the end wakes the group's owner, which is queued behind the spawner */
}

/* The last task has ended and woken the owner. Before the owner runs, another task is spawned into
 * the group. */
TEST_VIRTUAL(a_task_started_from_elsewhere_while_the_last_ends_is_joined)
{
    WHORL_AUTO(chan) *chan = NULL;
    CHECK_OK(whorl_chan_create(sizeof(int), 0, &chan));
    struct whorl_group others = {0}, group = {0};
    void *args[] = {chan, &group};

    CHECK_OK(whorl_spawn(&others, late_spawner, args));
    CHECK_OK(whorl_sleep(1));
    CHECK_OK(whorl_spawn(&group, wake_the_spawner, args));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(whorl_now(), 5 * MS + 1);
    CHECK_OK(whorl_group_wait(&others));
}

static int limited(void *arg)
{
    WHORL_AUTO(group) group = {0};

    (void)arg;
    for (int i = 0; i < 9; i++)
        CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", MS)));
    CHECK_ERR(whorl_spawn_copy(&group, work, JOB("b")), -EAGAIN);
    CHECK_ERR(whorl_spawn(whorl_root_group(), work, JOB("b")), -EAGAIN);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("c")));
    return whorl_group_wait(&group);
}

TEST(no_more_than_tasks_max_are_alive)
{
    struct whorl_virtual_options options = {.run.tasks_max = 10};

    CHECK_OK(whorl_run_virtual(&options, limited, NULL));
}

/* --- cancelling ------------------------------------------------------------------------------ */

TEST_VIRTUAL(nothing_starts_in_a_cancelled_group)
{
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT}, never_opened = {0};

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", MS)));
    whorl_group_cancel(&group);
    CHECK_ERR(whorl_spawn_copy(&group, work, JOB("b")), -ECANCELED);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    CHECK_STR(test_logged(), "!a@0");
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("c"))); /* the group is used again */
    CHECK_OK(whorl_group_wait(&group));

    whorl_group_cancel(&never_opened);
    CHECK_ERR(whorl_spawn_copy(&never_opened, work, JOB("d")), -ECANCELED);
    CHECK_OK(whorl_group_wait(&never_opened));
    CHECK_OK(whorl_spawn_copy(&never_opened, work, JOB("e")));
    CHECK_OK(whorl_group_wait(&never_opened));
    CHECK_STR(test_logged(), "!a@0 c@0 e@0");
}

TEST_VIRTUAL(nothing_starts_in_a_group_that_has_failed_fast)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", MS, -EIO)));
    CHECK_OK(whorl_sleep(2 * MS));
    CHECK_ERR(whorl_spawn_copy(&group, work, JOB("b")), -ECANCELED);
    CHECK_ERR(whorl_group_wait_below(&group, 5), -EIO);
    CHECK_ERR(whorl_group_wait(&group), -EIO);
}

TEST_VIRTUAL(a_task_cancelled_before_its_first_turn_still_runs)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", MS)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("b")));
    whorl_group_cancel(&group);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    CHECK_STR(test_logged(), "!a@0 b@0");
}

static int open_and_leave(void *arg)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    (void)arg;
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", WHORL_HOUR)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("b", 3 * MS, .shielded = true)));
    CHECK_OK(whorl_sleep(MS));
    test_log("leave");
    return -EIO;
}

TEST_VIRTUAL(leaving_the_block_cancels_and_joins)
{
    CHECK_ERR(open_and_leave(NULL), -EIO);
    CHECK_STR(test_logged(), "leave !a@1 b@3");
}

TEST_VIRTUAL(leaving_the_block_joins_also_when_cancelled_oneself)
{
    struct whorl_group group = {0};

    CHECK_OK(whorl_spawn(&group, open_and_leave, NULL));
    CHECK_OK(whorl_sleep(MS));
    CHECK_OK(whorl_yield());
    whorl_group_cancel(&group); /* while the task is in its clean-up */
    CHECK_ERR(whorl_group_wait(&group), -EIO);
    CHECK_EQ(whorl_now(), 3 * MS);
    CHECK_STR(test_logged(), "leave !a@1 b@3");
}

TEST_VIRTUAL(finishing_accepts_a_zeroed_group_and_one_finished_already)
{
    struct whorl_group group = {0};

    whorl_group_finish(&group);
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", MS)));
    whorl_group_finish(&group);
    whorl_group_finish(&group);
    CHECK_STR(test_logged(), "!a@0");
}

/* --- waiting --------------------------------------------------------------------------------- */

TEST_VIRTUAL(a_wait_with_a_deadline_leaves_the_tasks_running)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_scope scope;

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", 10 * MS)));
    for (int i = 1; i <= 3; i++) {
        whorl_scope_enter(&scope, whorl_after(2 * MS));
        CHECK_ERR(whorl_scope_leave(&scope, whorl_group_wait(&group)), -ETIMEDOUT);
        CHECK_EQ(whorl_now(), i * 2 * MS);
        CHECK_EQ(whorl_group_alive(&group), 1);
    }
    whorl_scope_enter(&scope, 0); /* expires at once */
    CHECK_ERR(whorl_scope_leave(&scope, whorl_group_wait(&group)), -ETIMEDOUT);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a@10");
}

static int wait_for_children(void *arg)
{
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};

    (void)arg;
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", WHORL_HOUR)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("b", 5 * MS, .shielded = true)));
    int err = whorl_group_wait(&group); /* no clean-up joins the tasks after this */
    CHECK_EQ(whorl_group_alive(&group), 0);
    test_log("joined@%lld", (long long)(whorl_now() / MS));
    return err;
}

TEST_VIRTUAL(a_cancelled_wait_joins_the_tasks_cancelled_with_it)
{
    struct whorl_group group = {0};

    CHECK_OK(whorl_spawn(&group, wait_for_children, NULL));
    CHECK_OK(whorl_sleep(MS));
    whorl_group_cancel(&group);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    CHECK_STR(test_logged(), "!a@1 b@5 joined@5");
}

static WHORL_SUSPENDS int cancel_and_wait(void *arg)
{
    struct whorl_group group = {0};

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", 5 * MS, .shielded = true)));
    CHECK_OK(whorl_sleep(MS));
    whorl_scope_cancel(arg);
    CHECK_OK(whorl_group_wait(&group));
    return 0;
}

TEST_VIRTUAL(a_wait_begun_when_cancelled_joins_too)
{
    struct whorl_scope scope;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    CHECK_OK(cancel_and_wait(&scope));
    CHECK_ERR(whorl_scope_leave(&scope, whorl_check_cancelled()), -ECANCELED);
    CHECK_STR(test_logged(), "a@5");
}

TEST_VIRTUAL(a_wait_finds_what_ended_before_it)
{
    struct whorl_group group = {0};
    struct whorl_scope scope;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a")));
    CHECK_OK(whorl_sleep(MS));
    whorl_scope_cancel(&scope);
    CHECK_OK(whorl_group_wait(&group)); /* completion wins */
    CHECK_ERR(whorl_scope_leave(&scope, whorl_check_cancelled()), -ECANCELED);
}

TEST_VIRTUAL(wait_below_keeps_so_many_at_a_time)
{
    WHORL_AUTO(group) group = {0};
    size_t most = 0;

    CHECK_ERR(whorl_group_wait_below(&group, 0), -EINVAL);
    CHECK_OK(whorl_group_wait_below(&group, 1)); /* the group has no task yet */
    for (int i = 0; i < 20; i++) {
        CHECK_OK(whorl_group_wait_below(&group, 3));
        CHECK_OK(whorl_spawn_copy(&group, work, JOB("x", (1 + i % 3) * MS)));
        if (whorl_group_alive(&group) > most)
            most = whorl_group_alive(&group);
    }
    CHECK_OK(whorl_group_wait_below(&group, 1));
    CHECK_EQ(whorl_group_alive(&group), 0);
    CHECK_EQ(most, 3);
    CHECK_EQ(whorl_now(), 14 * MS); /* 6 x 1 + 7 x 2 + 7 x 3 ms of work, three at a time */
}

TEST_VIRTUAL(wait_below_reports_a_failure_at_once)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", 2 * MS, -EIO)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("b", 9 * MS, .shielded = true)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("c", 9 * MS, .shielded = true)));
    CHECK_ERR(whorl_group_wait_below(&group, 1), -EIO);
    CHECK_EQ(whorl_now(), 2 * MS);
    CHECK_EQ(whorl_group_alive(&group), 2);
    CHECK_ERR(whorl_group_wait(&group), -EIO);
    CHECK_EQ(whorl_now(), 9 * MS);
}

TEST_VIRTUAL(wait_below_of_a_collecting_group_waits_in_spite_of_failures)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", 2 * MS, -EIO)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("b", 9 * MS)));
    CHECK_OK(whorl_group_wait_below(&group, 1));
    CHECK_EQ(whorl_now(), 9 * MS);
    CHECK_ERR(whorl_group_wait(&group), -EIO);
}

static int wait_below_two(void *arg)
{
    struct whorl_group group = {0};

    (void)arg;
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", WHORL_HOUR)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("b", WHORL_HOUR)));
    int err = whorl_group_wait_below(&group, 2);
    whorl_group_finish(&group);
    return err;
}

TEST_VIRTUAL(a_cancelled_wait_below_says_ecanceled)
{
    struct whorl_group group = {0};

    CHECK_OK(whorl_spawn(&group, wait_below_two, NULL));
    CHECK_OK(whorl_sleep(MS));
    whorl_group_cancel(&group);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    CHECK_STR(test_logged(), "!a@1 !b@1");
}

/* --- trees ----------------------------------------------------------------------------------- */

static int leaves, branches;

static int grow(void *arg)
{
    int depth = *(int *)arg - 1;
    WHORL_AUTO(group) group = {0};

    if (depth < 0) {
        leaves++;
        return whorl_sleep(MS);
    }
    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_spawn_copy(&group, grow, &depth));
    int err = whorl_group_wait(&group);
    branches++;
    return err;
}

TEST_SEEDS(a_tree_of_groups_is_joined_from_the_leaves)
{
    leaves = branches = 0;
    CHECK_OK(grow(&(int){6}));
    CHECK_EQ(leaves, 729);
    CHECK_EQ(branches, 364);
}

static int fail_at_depth(void *arg)
{
    int depth = *(int *)arg - 1;
    WHORL_AUTO(group) group = {0};

    if (depth == 0)
        return -EIO;
    CHECK_OK(whorl_spawn(&group, fail_at_depth, &depth));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("x", WHORL_HOUR)));
    return whorl_group_wait(&group);
}

TEST_VIRTUAL(a_failure_rises_through_all_groups)
{
    int depth = 300;

    CHECK_ERR(fail_at_depth(&depth), -EIO);
    CHECK_EQ(whorl_now(), 0);
}

/* --- the run's own group --------------------------------------------------------------------- */

static int daemon_until_cancelled(void *arg)
{
    (void)arg;
    CHECK_ERR(whorl_sleep_until(WHORL_FOREVER), -ECANCELED);
    test_log("daemon asked");
    struct whorl_scope shield;
    whorl_scope_enter_shield(&shield, WHORL_FOREVER);
    CHECK_OK(whorl_sleep(5 * MS));
    CHECK_OK(whorl_scope_leave(&shield, 0));
    test_log("daemon ended@%lld", (long long)(whorl_now() / MS));
    return -ECANCELED;
}

static int failing_daemon(void *arg)
{
    (void)arg;
    return -EIO;
}

static int start_daemons(void *arg)
{
    (void)arg;
    CHECK_OK(whorl_spawn(whorl_root_group(), daemon_until_cancelled, NULL));
    CHECK_OK(whorl_spawn(whorl_root_group(), failing_daemon, NULL));
    CHECK_OK(whorl_sleep(MS));
    CHECK_OK(whorl_spawn_copy(whorl_root_group(), work, JOB("d")));
    CHECK_OK(whorl_sleep(MS));
    CHECK_EQ(whorl_group_alive(whorl_root_group()), 1);
    CHECK_EQ(whorl_root_group()->failed, 1);
    test_log("root ends");
    return 42;
}

TEST(daemons_are_cancelled_and_joined_when_the_root_task_ends)
{
    CHECK_EQ(whorl_run_virtual(NULL, start_daemons, NULL), 42);
    CHECK_STR(test_logged(), "d@1 root ends daemon asked daemon ended@7");
}

static int daemon_that_spawns(void *arg)
{
    (void)arg;
    CHECK_ERR(whorl_sleep_until(WHORL_FOREVER), -ECANCELED);
    CHECK_ERR(whorl_spawn(whorl_root_group(), failing_daemon, NULL), -ECANCELED);
    WHORL_AUTO(group) group = {0};
    CHECK_ERR(whorl_spawn(&group, failing_daemon, NULL), -ECANCELED);
    return 0;
}

static int start_spawning_daemon(void *arg)
{
    (void)arg;
    CHECK_OK(whorl_spawn(whorl_root_group(), daemon_that_spawns, NULL));
    return whorl_sleep(1);
}

TEST(no_daemon_starts_once_the_root_task_has_ended)
{
    CHECK_OK(whorl_run_virtual(NULL, start_spawning_daemon, NULL));
}

/* --- a wait that is cut short ----------------------------------------------------------------- */

static int cancel_in_5(void *arg)
{
    CHECK_OK(whorl_sleep(5));
    whorl_scope_cancel(arg);
    return 0;
}

static int end_in_5(void *arg)
{
    (void)arg;
    return whorl_sleep(5);
}

/* The last task ends after the wait was cancelled and before the owner has run, when no task
 * waits. */
TEST_VIRTUAL(the_end_of_a_task_does_not_wake_an_owner_whose_wait_was_cancelled)
{
    WHORL_AUTO(group) other = {0};
    WHORL_AUTO(group) group = {0};
    struct whorl_scope scope;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    CHECK_OK(whorl_spawn(&other, cancel_in_5, &scope));
    (void)whorl_scope_leave(&scope, 0);
    CHECK_OK(whorl_spawn(&group, end_in_5, NULL));
    whorl_scope_enter(&scope, WHORL_FOREVER);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ECANCELED);
    CHECK_EQ(whorl_group_alive(&group), 0);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(whorl_group_wait(&other));
}

/* --- groups without tasks --------------------------------------------------------------------- */

static int cancel_group(void *arg)
{
    whorl_group_cancel(arg);
    return 0;
}

static int request_stop(void *arg)
{
    whorl_group_request_stop(arg);
    return 0;
}

static WHORL_SUSPENDS_SHIELDED void in_another_task(whorl_task_fn fn, void *arg)
{
    struct whorl_group group = {0};

    CHECK_OK(whorl_spawn(&group, fn, arg));
    CHECK_OK(whorl_group_wait(&group));
}

TEST_VIRTUAL(a_group_cancelled_by_another_task_between_two_joins_is_cancelled_until_the_next)
{
    struct whorl_group group = {0};

    for (int i = 0; i < 3; i++) {
        in_another_task(cancel_group, &group); /* at first before it was ever opened */
        in_another_task(cancel_group, &group);
        CHECK_ERR(whorl_spawn_copy(&group, work, JOB("a")), -ECANCELED);
        CHECK_EQ(whorl_group_alive(&group), 0);
        CHECK_OK(whorl_group_wait(&group));
        CHECK_OK(whorl_spawn_copy(&group, work, JOB("b")));
        CHECK_OK(whorl_group_wait(&group));
    }
    CHECK_STR(test_logged(), "b@0 b@0 b@0");
}

TEST_VIRTUAL(a_wait_by_another_task_does_not_undo_a_cancel_that_is_meant_for_the_owner)
{
    struct whorl_group group = {0};

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a")));
    CHECK_OK(whorl_group_wait(&group));
    in_another_task(cancel_group, &group);
    in_another_task(wait_for, &group);
    CHECK_ERR(whorl_spawn_copy(&group, work, JOB("b")), -ECANCELED);
    CHECK_OK(whorl_group_wait(&group));
}

TEST_VIRTUAL(finishing_a_group_forgets_a_cancel)
{
    struct whorl_group group = {0};

    whorl_group_cancel(&group);
    whorl_group_finish(&group);
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a")));
    CHECK_OK(whorl_group_wait(&group));
}

static int log_stop(void *arg)
{
    (void)arg;
    test_log("%d", whorl_stop_requested());
    return 0;
}

TEST_VIRTUAL(a_group_asked_to_stop_between_two_joins_tells_the_next_tasks)
{
    struct whorl_group group = {0};

    for (int i = 0; i < 2; i++) {
        in_another_task(request_stop, &group);
        CHECK_OK(whorl_spawn(&group, log_stop, NULL));
        CHECK_OK(whorl_group_wait(&group));
        CHECK_OK(whorl_spawn(&group, log_stop, NULL));
        CHECK_OK(whorl_group_wait(&group));
    }
    CHECK_STR(test_logged(), "1 0 1 0");
}

static struct whorl_group *group_of_timer;

static void cancel_in_the_loop(struct whorl_timer *timer)
{
    (void)timer;
    whorl_group_cancel(group_of_timer);
}

TEST_VIRTUAL(a_group_is_cancelled_from_the_loop_whether_it_has_tasks_or_not)
{
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_timer timer = {0};

    group_of_timer = &group;
    whorl_timer_arm(&timer, 1, cancel_in_the_loop);
    CHECK_OK(whorl_sleep(2));
    CHECK_ERR(whorl_spawn_copy(&group, work, JOB("a")), -ECANCELED);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("b", WHORL_HOUR)));
    whorl_timer_arm(&timer, whorl_after(1), cancel_in_the_loop);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
}

/* --- several tasks wait ----------------------------------------------------------------------- */

static int log_wait(void *arg)
{
    int err = whorl_group_wait(arg);

    test_log("%d@%lld", err, (long long)(whorl_now() / MS));
    return 0;
}

TEST_VIRTUAL(several_tasks_wait_for_one_group_and_get_its_result)
{
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT}, waiters = {0};

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", MS, -EIO)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("b", 2 * MS)));
    CHECK_OK(whorl_spawn(&waiters, log_wait, &group));
    CHECK_OK(whorl_spawn(&waiters, log_wait, &group));
    CHECK_ERR(whorl_group_wait(&group), -EIO);
    CHECK_OK(whorl_group_wait(&waiters));
    CHECK_STR(test_logged(), "a@1 b@2 -5@2 -5@2");
}

TEST_VIRTUAL(a_group_that_another_task_waits_for_stays_open_for_its_owner)
{
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", MS, -EIO)));
    in_another_task(log_wait, &group);
    in_another_task(log_wait, &group); /* now without tasks */
    CHECK(group.opened);
    CHECK_ERR(whorl_group_wait(&group), -EIO);
    in_another_task(log_wait, &group); /* closed */
    CHECK_STR(test_logged(), "a@1 -5@1 -5@1 0@1");
}

static int wait_with_a_deadline(void *arg)
{
    struct whorl_scope scope;

    whorl_scope_enter(&scope, whorl_after(2 * MS));
    CHECK_ERR(whorl_scope_leave(&scope, whorl_group_wait(arg)), -ETIMEDOUT);
    return 0;
}

TEST_VIRTUAL(another_tasks_wait_that_times_out_leaves_the_group_alone)
{
    struct whorl_group group = {0};

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", 5 * MS)));
    in_another_task(wait_with_a_deadline, &group);
    CHECK_EQ(whorl_now(), 2 * MS);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(whorl_now(), 5 * MS);
}

static int wait_below_1(void *arg)
{
    return whorl_group_wait_below(arg, 1);
}

static int stop_within_5(void *arg)
{
    return whorl_group_stop(arg, 5 * MS);
}

static int select_group(void *arg)
{
    struct whorl_case cases[] = {whorl_case_group(arg), whorl_case_group(arg)};
    int taken = whorl_select(cases, 2);

    return taken < 0 ? taken : cases[taken].result;
}

static const whorl_task_fn ways_to_wait[] = {wait_for, wait_below_1, stop_within_5, select_group};

static int begun;

struct wait {
    whorl_task_fn way;
    struct whorl_group *group;
};

static int begin_to_wait(void *arg)
{
    struct wait *wait = arg;

    begun++;
    return wait->way(wait->group);
}

/* The owner frees the group as soon as it has joined it, while the other tasks have been woken and
 * may not have run yet. */
static WHORL_SUSPENDS int join_and_free(void *arg)
{
    int result = *(int *)arg;
    struct whorl_group waiters = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_group *group = calloc(1, sizeof *group);

    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_spawn_copy(group, work, JOB("a", (1 + i) * MS / 2, result)));
    for (int i = begun = 0; i < 8; i++)
        CHECK_OK(
            whorl_spawn_copy(&waiters, begin_to_wait, &(struct wait){ways_to_wait[i % 4], group}));
    while (begun < 8)
        CHECK_OK(whorl_yield());
    int err = whorl_group_wait(group);
    free(group);
    CHECK_ERR(err, result);
    CHECK_ERR(whorl_group_wait(&waiters), result);
    CHECK_EQ(waiters.failed, result ? 8 : 0);
    return 0;
}

TEST_SEEDS(tasks_that_wait_for_a_foreign_group_do_not_look_at_it_once_it_is_joined)
{
    CHECK_OK(join_and_free(&(int){-EIO}));
    CHECK_OK(join_and_free(&(int){0}));
}

static int wait_for_own_group(void *arg)
{
    for (int i = 0; i < 3; i++)
        CHECK_ERR(ways_to_wait[i](arg), -EDEADLK);
    return 0;
}

static int wait_for_outer_group(void *arg)
{
    struct whorl_scope scope;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    in_another_task(wait_for_own_group, arg);
    return whorl_scope_leave(&scope, 0);
}

TEST_VIRTUAL(waiting_for_a_group_from_inside_is_edeadlk)
{
    struct whorl_group group = {0};

    CHECK_OK(whorl_spawn(&group, wait_for_own_group, &group));
    CHECK_OK(whorl_spawn(&group, wait_for_outer_group, &group));
    CHECK_OK(whorl_group_wait(&group));
}

static int most_alive;

static int spawn_three_below_4(void *arg)
{
    for (int i = 0; i < 3; i++) {
        int err = whorl_group_wait_below(arg, 4);
        if (err == 0)
            err = whorl_spawn_copy(arg, work, JOB("x", MS));
        if (err)
            return err;
        if ((int)whorl_group_alive(arg) > most_alive)
            most_alive = (int)whorl_group_alive(arg);
    }
    return 0;
}

TEST_SEEDS(tasks_limit_the_group_that_they_are_in)
{
    struct whorl_group group = {0};

    most_alive = 0;
    CHECK_OK(whorl_spawn(&group, spawn_three_below_4, &group));
    CHECK_OK(whorl_spawn(&group, spawn_three_below_4, &group));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(most_alive, 4);
    CHECK_EQ(group.succeeded, 8);
}

static int wait_below_2(void *arg)
{
    return whorl_group_wait_below(arg, 2);
}

/* Each waits for the end of the other one. */
TEST_VIRTUAL(a_cancel_reaches_tasks_that_limit_the_group_that_they_are_in)
{
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_scope scope;

    whorl_scope_enter_timeout(&scope, 5 * MS);
    for (int i = 0; i < 2; i++)
        CHECK_OK(whorl_spawn(&group, wait_below_2, &group));
    CHECK_ERR(whorl_scope_leave(&scope, whorl_group_wait(&group)), -ETIMEDOUT);
    CHECK_EQ(group.failed, 2);
}

static int wait_for_group(void *arg)
{
    return whorl_group_wait(arg);
}

/* The group's tasks end late, perhaps because they wait for the end of the waiter. */
TEST_VIRTUAL(a_cancel_reaches_a_task_that_waits_for_a_cancelled_group)
{
    WHORL_AUTO(group) elsewhere = {0};
    struct whorl_group slow = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_spawn_copy(&slow, work, JOB("a", 9 * MS, .shielded = true)));
    CHECK_OK(whorl_spawn(&elsewhere, wait_for_group, &slow));
    CHECK_OK(whorl_yield());
    whorl_group_cancel(&slow);
    whorl_group_cancel(&elsewhere);
    CHECK_ERR(whorl_group_wait(&elsewhere), -ECANCELED);
    CHECK_EQ(whorl_now(), 0);
    CHECK_OK(whorl_group_wait(&slow));
}

/* --- select ----------------------------------------------------------------------------------- */

TEST_VIRTUAL(a_failure_ends_a_select_on_a_group_that_fails_fast)
{
    struct whorl_group group = {0};
    struct whorl_event never = {0};
    struct whorl_case cases[] = {whorl_case_event(&never), whorl_case_group(&group)};

    CHECK_EQ(whorl_try_select(cases, 2), 1); /* no task yet */
    CHECK_OK(cases[1].result);
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", 2 * MS, -EIO)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("b", 9 * MS, .shielded = true)));
    CHECK_ERR(whorl_try_select(cases, 2), -EAGAIN);
    for (int i = 0; i < 2; i++) { /* the case stays ready */
        cases[1].result = 1;
        CHECK_EQ(whorl_select(cases, 2), 1);
        CHECK_ERR(cases[1].result, -EIO);
        CHECK_EQ(whorl_now(), 2 * MS);
    }
    CHECK_ERR(whorl_group_wait(&group), -EIO);
    CHECK_EQ(whorl_now(), 9 * MS);
}

TEST_VIRTUAL(a_success_ends_a_select_on_a_race)
{
    struct whorl_group group = {.policy = WHORL_GROUP_RACE};
    struct whorl_case c = whorl_case_group(&group);

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", MS, -EIO)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("b", 2 * MS)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("c", 9 * MS, .shielded = true)));
    CHECK_EQ(whorl_select(&c, 1), 0);
    CHECK_OK(c.result);
    CHECK_EQ(whorl_now(), 2 * MS);
    CHECK_OK(whorl_group_wait(&group));
}

TEST_VIRTUAL(a_select_on_a_collecting_group_waits_for_the_last_task)
{
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_case c = whorl_case_group(&group);

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", MS, -EIO)));
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("b", 9 * MS)));
    CHECK_EQ(whorl_select(&c, 1), 0);
    CHECK_ERR(c.result, -EIO);
    CHECK_EQ(whorl_now(), 9 * MS);
    CHECK_ERR(whorl_group_wait(&group), -EIO);
}

TEST_VIRTUAL(a_select_that_takes_another_case_leaves_the_group)
{
    struct whorl_group group = {0};
    struct whorl_case cases[] = {whorl_case_group(&group), whorl_case_deadline(MS)};

    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", 5 * MS)));
    CHECK_EQ(whorl_select(cases, 2), 1);
    CHECK(!group.waiters.first);
    CHECK_OK(whorl_group_wait(&group));
}

/* --- a failure wakes the owner ---------------------------------------------------------------- */

static WHORL_SUSPENDS int wait_in_scope(struct whorl_group *group, struct whorl_scope *scope,
                                        int64_t sleep_ns)
{
    whorl_scope_enter(scope, WHORL_FOREVER);
    CHECK_OK(whorl_spawn_copy(group, work, JOB("a", 2 * MS, -EIO)));
    CHECK_OK(whorl_spawn_copy(group, work, JOB("b", 3 * MS, .shielded = true)));
    return whorl_scope_leave(scope, whorl_sleep(sleep_ns));
}

TEST_VIRTUAL(a_failure_cancels_the_scope_that_the_owner_named)
{
    struct whorl_scope scope;
    struct whorl_group group = {.owner_scope = &scope};

    CHECK_ERR(wait_in_scope(&group, &scope, WHORL_HOUR), -ECANCELED);
    CHECK_EQ(whorl_now(), 2 * MS);
    CHECK(!whorl_scope_has_timed_out(&scope));
    CHECK_OK(whorl_check_cancelled()); /* only that scope */
    CHECK_ERR(whorl_group_wait(&group), -EIO);
    CHECK_EQ(whorl_now(), 3 * MS);
}

TEST_VIRTUAL(a_failure_cancels_no_scope_that_the_owner_has_left)
{
    struct whorl_scope scope, reused;
    struct whorl_group group = {.owner_scope = &scope};

    CHECK_OK(wait_in_scope(&group, &scope, MS));
    memset(&scope, 0xee, sizeof scope);
    whorl_scope_enter(&reused, WHORL_FOREVER);
    CHECK_ERR(whorl_group_wait(&group), -EIO);
    CHECK_OK(whorl_scope_leave(&reused, whorl_check_cancelled()));
}

TEST_VIRTUAL(a_failure_reaches_the_owner_in_scopes_inside_and_not_in_a_shield)
{
    struct whorl_scope scope, inner, shield;
    struct whorl_group group = {.owner_scope = &scope};

    whorl_scope_enter(&scope, WHORL_FOREVER);
    CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", 2 * MS, -EIO)));
    whorl_scope_enter_shield(&shield, WHORL_FOREVER);
    CHECK_OK(whorl_sleep(5 * MS));
    CHECK_OK(whorl_scope_leave(&shield, 0));
    whorl_scope_enter(&inner, WHORL_FOREVER);
    CHECK_ERR(whorl_sleep(MS), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&inner, -ECANCELED), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ECANCELED);
    CHECK_ERR(whorl_group_wait(&group), -EIO);
}

TEST_VIRTUAL(a_failure_that_cancels_its_owners_wait_is_what_the_wait_returns)
{
    struct whorl_scope scope;
    struct whorl_group group = {.owner_scope = &scope};

    for (int i = 0; i < 2; i++) {
        whorl_scope_enter(&scope, WHORL_FOREVER);
        CHECK_OK(whorl_spawn_copy(&group, work, JOB("a", 2 * MS, -EIO)));
        CHECK_OK(whorl_spawn_copy(&group, work, JOB("b", 3 * MS, .shielded = true)));
        int err = i == 0 ? whorl_group_wait_below(&group, 1) : whorl_group_wait(&group);
        CHECK_ERR(whorl_scope_leave(&scope, err), -EIO);
        CHECK_ERR(whorl_group_wait(&group), i == 0 ? -EIO : 0);
    }
}

TEST_VIRTUAL(a_cancel_and_collected_failures_do_not_reach_the_owner)
{
    struct whorl_scope scope;
    struct whorl_group cancelled = {.owner_scope = &scope};
    struct whorl_group collects = {.policy = WHORL_GROUP_COLLECT, .owner_scope = &scope};

    whorl_scope_enter(&scope, WHORL_FOREVER);
    CHECK_OK(whorl_spawn_copy(&cancelled, work, JOB("a", WHORL_HOUR)));
    CHECK_OK(whorl_spawn_copy(&collects, work, JOB("b", MS, -EIO)));
    whorl_group_cancel(&cancelled);
    CHECK_OK(whorl_sleep(5 * MS));
    CHECK_ERR(whorl_group_wait(&cancelled), -ECANCELED);
    CHECK_ERR(whorl_group_wait(&collects), -EIO);
    CHECK_OK(whorl_scope_leave(&scope, whorl_check_cancelled()));
}

TEST_VIRTUAL(a_won_race_cancels_the_scope_of_its_owner)
{
    struct whorl_scope scope;
    struct whorl_group race = {.policy = WHORL_GROUP_RACE, .owner_scope = &scope};

    whorl_scope_enter(&scope, WHORL_FOREVER);
    CHECK_OK(whorl_spawn_copy(&race, work, JOB("a", MS, -EIO)));
    CHECK_OK(whorl_spawn_copy(&race, work, JOB("b", 2 * MS)));
    CHECK_ERR(whorl_scope_leave(&scope, whorl_sleep(WHORL_HOUR)), -ECANCELED);
    CHECK_EQ(whorl_now(), 2 * MS);
    CHECK_OK(whorl_group_wait(&race));
}

/* --- waiting for daemons ---------------------------------------------------------------------- */

static int wait_for_daemons(void *arg)
{
    struct whorl_group *daemons = whorl_root_group();

    (void)arg;
    CHECK_OK(whorl_group_wait(daemons));
    CHECK_OK(whorl_spawn_copy(daemons, work, JOB("a", 2 * MS)));
    CHECK_OK(whorl_spawn_copy(daemons, work, JOB("b", MS, -EIO)));
    in_another_task(log_wait, daemons);
    CHECK_OK(whorl_group_wait(daemons)); /* the failure was reported */
    CHECK_OK(whorl_spawn(daemons, daemon_until_cancelled, NULL));
    CHECK_OK(whorl_sleep(MS));
    return 0;
}

TEST(daemons_are_waited_for_and_more_are_started_afterwards)
{
    CHECK_OK(whorl_run_virtual(NULL, wait_for_daemons, NULL));
    CHECK_STR(test_logged(), "b@1 a@2 -5@2 daemon asked daemon ended@8");
}

static int end_daemons_each_way(void *arg)
{
    struct whorl_group *daemons = whorl_root_group();

    (void)arg;
    for (int i = 0; i < 3; i++) {
        CHECK_OK(whorl_spawn_copy(daemons, work, JOB("a", WHORL_HOUR)));
        if (i == 0) {
            whorl_group_cancel(daemons);
            CHECK_ERR(whorl_spawn_copy(daemons, work, JOB("b")), -ECANCELED);
            CHECK_ERR(whorl_group_wait(daemons), -ECANCELED);
        } else if (i == 1) {
            CHECK_ERR(whorl_group_stop(daemons, MS), -ETIMEDOUT);
        } else {
            whorl_group_finish(daemons);
        }
        CHECK_EQ(whorl_group_alive(daemons), 0);
        CHECK_OK(whorl_spawn(daemons, log_stop, NULL));
        CHECK_OK(whorl_group_wait(daemons));
    }
    return 0;
}

TEST(daemons_are_cancelled_stopped_and_finished_and_the_group_goes_on)
{
    CHECK_OK(whorl_run_virtual(NULL, end_daemons_each_way, NULL));
    CHECK_STR(test_logged(), "!a@0 0 !a@1 0 !a@1 0");
}

static int start_daemon_that_waits_for_daemons(void *arg)
{
    (void)arg;
    CHECK_OK(whorl_spawn(whorl_root_group(), wait_for_own_group, whorl_root_group()));
    return whorl_sleep(1);
}

TEST(a_daemon_that_waits_for_the_daemons_is_edeadlk)
{
    CHECK_OK(whorl_run_virtual(NULL, start_daemon_that_waits_for_daemons, NULL));
}

/* --- what is not allowed --------------------------------------------------------------------- */

static int finish_own_group(void *arg)
{
    whorl_group_finish(arg);
    return 0;
}

static WHORL_SUSPENDS int spawn_finish_own_group(void *arg)
{
    struct whorl_group group = {0};

    (void)arg;
    CHECK_OK(whorl_spawn(&group, finish_own_group, &group));
    return whorl_group_wait(&group);
}

static int leave_group_open(void *arg)
{
    struct whorl_group group = {0};

    CHECK_OK(whorl_spawn(&group, failing_daemon, arg));
    CHECK_OK(whorl_sleep(1));
    return 0;
}

static WHORL_SUSPENDS int spawn_leave_group_open(void *arg)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, leave_group_open, arg));
    return whorl_group_wait(&group);
}

static void run_root(void *arg)
{
    test_ignore(whorl_run_virtual(NULL, *(whorl_task_fn *)arg, NULL));
}

TEST(mistakes_with_groups_abort_with_a_word_why)
{
    static struct child child;

    child_run(&child, run_root, &(whorl_task_fn){spawn_finish_own_group});
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "a task cannot finish the group that it runs in"));
    child_run(&child, run_root, &(whorl_task_fn){leave_group_open});
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "a task ended without waiting for a group"));
    child_run(&child, run_root, &(whorl_task_fn){spawn_leave_group_open});
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "a task ended without waiting for a group"));
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT */
/* Groups: spawning, failing, joining. */
#include <signal.h>

#include <whorl/chan.h>
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/stop.h>
#include <whorl/task.h>
#include <whorl/timer.h>

#include "child.h"
#include "group_jobs.h"
#include "test.h"

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

/* SPDX-License-Identifier: MIT */
/* Deadlock: every task waits for another task. The run reports it, ends all tasks, and returns. */
#include <signal.h>
#include <stdlib.h>

#include <whorl/chan.h>
#include <whorl/group.h>
#include <whorl/park.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/sync.h>
#include <whorl/task.h>

#include "child.h"
#include "test.h"

static struct child child;

struct deadlock {
    whorl_task_fn root;
    bool quiet, real;
};

static void run_deadlock(void *arg)
{
    const struct deadlock *d = arg;
    struct whorl_virtual_options options = {.run.quiet = d->quiet};

    int err = d->real ? whorl_run(d->root, NULL) : whorl_run_virtual(&options, d->root, NULL);
    fprintf(stderr, "the run returned %s\n", whorl_error_name(err));
}

/* Runs it in a child process; afterwards `child` holds its standard error. */
static void in_child(whorl_task_fn root)
{
    child_run(&child, run_deadlock, &(struct deadlock){.root = root});
}

static void check_edeadlk(void)
{
    CHECK_EQ(child.signal, 0);
    CHECK(strstr(child.err, "the run returned EDEADLK\n"));
}

/* --- what is reported ------------------------------------------------------------------------ */

static int lock_and_wait(void *arg)
{
    struct whorl_mutex **mutexes = arg;

    int err = whorl_mutex_lock(mutexes[0]);
    if (err)
        return err;
    CHECK_OK(whorl_yield());
    err = whorl_mutex_lock(mutexes[1]);
    if (err == 0)
        whorl_mutex_unlock(mutexes[1]);
    whorl_mutex_unlock(mutexes[0]);
    return err;
}

static int embrace(void *arg)
{
    struct whorl_mutex a = {.name = "a"}, b = {.name = "b"};
    struct whorl_mutex *first[] = {&a, &b}, *second[] = {&b, &a};
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};

    (void)arg;
    CHECK_OK(whorl_spawn(&group, lock_and_wait, first));
    CHECK_OK(whorl_spawn_with(&group, lock_and_wait, second,
                              &(struct whorl_spawn_options){.name = "se\x1b"
                                                                    "cond"}));
    int err = whorl_group_wait(&group);
    CHECK_ERR(err, -ECANCELED);
    return err;
}

TEST(the_report_names_every_task_and_what_it_waits_for)
{
    in_child(embrace);
    check_edeadlk();
    CHECK(strstr(child.err, "whorl: every task waits on another (3 tasks):\n"));
    CHECK(strstr(child.err, "  task 1 root: waits for group"));
    CHECK(strstr(child.err, "  task 2 lock_and_wait at "));
    CHECK(strstr(child.err, "test_deadlock.c:"));
    CHECK(strstr(child.err, ": waits for mutex"));
    CHECK(strstr(child.err, "  task 3 se\\x1bcond: waits for mutex"));
    CHECK(!strchr(child.err, '\x1b'));
}

TEST(two_tasks_that_wait_for_each_other_are_shown_as_a_circle)
{
    in_child(embrace);
    CHECK(strstr(child.err, "in a circle"));
}

TEST(a_quiet_run_reports_nothing)
{
    child_run(&child, run_deadlock, &(struct deadlock){.root = embrace, .quiet = true});
    CHECK_STR(child.err, "the run returned EDEADLK\n");
}

TEST(a_real_run_notices_too)
{
    child_run(&child, run_deadlock, &(struct deadlock){.root = embrace, .real = true});
    check_edeadlk();
}

static int recv_from_nobody(void *arg)
{
    WHORL_AUTO(chan) *chan = NULL;
    CHECK_OK(whorl_chan_create(1, 0, &chan));
    struct whorl_chan *named = chan;
    char value;

    (void)arg;
    whorl_chan_set_name(named, "orders");
    CHECK_ERR(whorl_chan_recv(chan, &value), -ECANCELED);
    CHECK_ERR(whorl_yield(), -ECANCELED); /* all scopes stay cancelled */
    return 0;
}

TEST(a_root_task_that_waits_alone_is_a_deadlock)
{
    in_child(recv_from_nobody);
    check_edeadlk(); /* although the root task returned 0 */
    CHECK(strstr(child.err, "(1 task):\n  task 1 root: waits for receive on channel"));
    CHECK(strstr(child.err, "orders"));
}

static int sleep_for_ever(void *arg)
{
    (void)arg;
    return whorl_sleep_until(WHORL_FOREVER);
}

TEST(sleeping_for_ever_alone_is_a_deadlock)
{
    in_child(sleep_for_ever);
    check_edeadlk();
    CHECK(strstr(child.err, "task 1 root: waits for sleep"));
}

/* --- what is none ---------------------------------------------------------------------------- */

static int wait_with_deadline(void *arg)
{
    struct whorl_event event = {0};
    struct whorl_scope scope;

    (void)arg;
    whorl_scope_enter(&scope, whorl_after(WHORL_HOUR));
    CHECK_ERR(whorl_scope_leave(&scope, whorl_event_wait(&event)), -ETIMEDOUT);
    return 0;
}

TEST(a_wait_with_a_deadline_is_no_deadlock)
{
    in_child(wait_with_deadline);
    CHECK_STR(child.err, "the run returned OK\n");
}

static int wait_beside_daemon(void *arg)
{
    (void)arg;
    CHECK_OK(whorl_spawn(whorl_root_group(), sleep_for_ever, NULL));
    return whorl_sleep(1);
}

TEST(a_daemon_that_waits_when_the_root_task_ends_is_no_deadlock)
{
    in_child(wait_beside_daemon);
    CHECK_STR(child.err, "the run returned OK\n");
}

/* --- how it ends ----------------------------------------------------------------------------- */

static int daemon_and_root_wait(void *arg)
{
    struct whorl_event event = {0};

    (void)arg;
    CHECK_OK(whorl_spawn(whorl_root_group(), sleep_for_ever, NULL));
    CHECK_ERR(whorl_event_wait(&event), -ECANCELED);
    return 0;
}

TEST(a_waiting_daemon_does_not_hide_a_deadlock)
{
    in_child(daemon_and_root_wait);
    check_edeadlk();
    CHECK(strstr(child.err, "(2 tasks):\n"));
    CHECK(strstr(child.err, "task 2 sleep_for_ever at "));
}

static int clean_up_and_log(void *arg)
{
    struct whorl_scope shield;
    struct whorl_event event = {0};

    int err = whorl_event_wait(&event);
    whorl_scope_enter_shield(&shield, WHORL_FOREVER);
    CHECK_OK(whorl_sleep(1)); /* clean-up works: waiting for time is no deadlock */
    CHECK_OK(whorl_scope_leave(&shield, 0));
    fprintf(stderr, "%s cleaned up\n", (const char *)arg);
    return err;
}

static int several_clean_up(void *arg)
{
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};

    (void)arg;
    CHECK_OK(whorl_spawn(&group, clean_up_and_log, "a"));
    CHECK_OK(whorl_spawn(&group, clean_up_and_log, "b"));
    return whorl_group_wait(&group);
}

TEST(cancelled_tasks_clean_up)
{
    in_child(several_clean_up);
    check_edeadlk();
    CHECK(strstr(child.err, "a cleaned up\nb cleaned up\nthe run returned"));
}

static int wait_shielded(void *arg)
{
    struct whorl_scope shield;
    struct whorl_event event = {0};

    (void)arg;
    whorl_scope_enter_shield(&shield, WHORL_FOREVER);
    int err = whorl_event_wait(&event);
    err = whorl_scope_leave(&shield, err);
    fprintf(stderr, "out of the shield: %s\n", whorl_error_name(err));
    return err;
}

TEST(a_shield_does_not_save_a_wait_for_nobody)
{
    in_child(wait_shielded);
    check_edeadlk();
    CHECK(strstr(child.err, "out of the shield: ECANCELED\n"));
}

static int wait_shielded_in_group(void *arg)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, wait_shielded, arg));
    CHECK_OK(whorl_spawn(&group, wait_shielded, arg));
    CHECK_OK(whorl_yield());
    return -EIO; /* the group joins its tasks in the clean-up */
}

TEST(shielded_tasks_whose_group_is_being_left_are_ended)
{
    in_child(wait_shielded_in_group);
    check_edeadlk();
}

static int wait_shielded_as_daemon(void *arg)
{
    CHECK_OK(whorl_spawn(whorl_root_group(), wait_shielded, arg));
    return whorl_sleep(1);
}

TEST(a_shielded_daemon_does_not_keep_the_run_from_ending)
{
    in_child(wait_shielded_as_daemon);
    check_edeadlk();
}

static int shield_again_and_again(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++)
        CHECK_ERR(wait_shielded(NULL), -ECANCELED);
    return 0;
}

TEST(shields_entered_after_the_first_measure_are_broken_too)
{
    in_child(shield_again_and_again);
    check_edeadlk();
}

static int wait_uncancellable(void *arg)
{
    struct whorl_waiter waiter = WHORL_WAITER_INIT;

    (void)arg;
    return (int)whorl_park(&waiter, NULL, "a miracle");
}

TEST(a_task_that_can_be_neither_woken_nor_cancelled_aborts_with_a_word_why)
{
    in_child(wait_uncancellable);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "these tasks cannot be woken or cancelled"));
    CHECK(strstr(child.err, "task 1 root: waits for a miracle"));
}

static enum whorl_abort ask(struct whorl_waiter *waiter)
{
    (void)waiter;
    fputs("asked to stop\n", stderr);
    return WHORL_ABORT_PENDING;
}

static int wait_for_a_promise(void *arg)
{
    struct whorl_waiter waiter = WHORL_WAITER_INIT;
    struct whorl_scope scope;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    if (arg)
        whorl_scope_cancel(&scope); /* so it is asked before it parks */
    int err = (int)whorl_park(&waiter, ask, "a promise");
    return whorl_scope_leave(&scope, err);
}

static int wait_for_two_promises(void *arg)
{
    WHORL_AUTO(group) group = {0};

    (void)arg;
    CHECK_OK(whorl_spawn(&group, wait_for_a_promise, NULL));
    CHECK_OK(whorl_spawn(&group, wait_for_a_promise, "cancelled"));
    return whorl_group_wait(&group);
}

TEST(who_was_asked_to_stop_is_not_asked_again_to_break_a_deadlock)
{
    in_child(wait_for_two_promises);
    CHECK_EQ(child.signal, SIGABRT); /* neither waiter is woken as promised */
    const char *first = strstr(child.err, "asked to stop\n");
    const char *second = first ? strstr(first + 1, "asked to stop\n") : NULL;
    CHECK(first && second && !strstr(second + 1, "asked to stop\n"));
}

/* --- size ------------------------------------------------------------------------------------ */

static int lock_one(void *arg)
{
    struct whorl_mutex *mutex = arg;

    int err = whorl_mutex_lock(mutex);
    if (err == 0)
        whorl_mutex_unlock(mutex);
    return err;
}

#ifdef __SANITIZE_THREAD__
#define THOUSANDS 5000 /* ThreadSanitizer has room for 8,128 fibers */
#else
#define THOUSANDS 30000
#endif

static int thousands_wait(void *arg)
{
    struct whorl_mutex a = {0}, b = {0};
    struct whorl_mutex *first[] = {&a, &b}, *second[] = {&b, &a};
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT, .stack_size = 16384};

    (void)arg;
    CHECK_OK(whorl_spawn(&group, lock_and_wait, first));
    CHECK_OK(whorl_spawn(&group, lock_and_wait, second));
    CHECK_OK(whorl_yield());
    for (int i = 0; i < THOUSANDS; i++)
        CHECK_OK(whorl_spawn(&group, lock_one, &a));
    return whorl_group_wait(&group);
}

TEST(a_deadlock_of_many_is_reported_in_time_and_in_part)
{
    in_child(thousands_wait);
    check_edeadlk();
    CHECK(strstr(child.err, "\n  and "));
}

TEST_MAIN()

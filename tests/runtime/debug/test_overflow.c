/* SPDX-License-Identifier: MIT */
/* Stack overflow: the text of the report, and that no other fault is reported as one. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/task.h>

#include "child.h"
#include "runtime/sched.h"
#include "test.h"

static __attribute__((noinline)) int dig(int depth)
{
    volatile char frame[256];

    frame[0] = (char)depth;
    int below = depth < 1 << 24 ? dig(depth + 1) : 0;
    return below + frame[0];
}

static int overflow(void *arg)
{
    if (arg)
        whorl_task_set_name(arg);
    CHECK_OK(whorl_yield());
    return dig(0);
}

static int idle(void *arg)
{
    (void)arg;
    return whorl_sleep_until(WHORL_FOREVER);
}

static int spawn_overflow(void *arg)
{
    WHORL_AUTO(group) group = {.stack_size = 1 << 20};

    CHECK_OK(whorl_spawn(&group, idle, NULL));
    CHECK_OK(whorl_spawn(&group, overflow, arg));
    CHECK_OK(whorl_spawn(&group, idle, NULL));
    return whorl_group_wait(&group);
}

static void run_overflow(void *arg)
{
    test_ignore(whorl_run(spawn_overflow, arg));
}

/* A sanitizer's handler runs after ours and ends the process in its own way. */
static void check_died(const struct child *child)
{
#ifdef CONTEXT_SANITIZED
    CHECK(child->exit_status != 0);
#else
    CHECK_EQ(child->signal, SIGSEGV);
#endif
}

TEST(overflow_names_the_task_by_its_spawn_site)
{
    struct child child;

    child_run(&child, run_overflow, NULL);
    check_died(&child);
    CHECK(strstr(child.err, "whorl: stack overflow in task 3 overflow at "));
    CHECK(strstr(child.err, "test_overflow.c:"));
    CHECK(strstr(child.err, ": its stack of 1048576 bytes is full (high-water mark 1048576)\n"));
}

TEST(overflow_names_a_named_task_and_its_spawn_site)
{
    struct child child;

    child_run(&child, run_overflow, "dig\ndeeper");
    check_died(&child);
    CHECK(strstr(child.err, "in task 3 dig\\x0adeeper, spawned as overflow at "));
}

static void run_root_overflow(void *arg)
{
    test_ignore(whorl_run(overflow, arg));
}

TEST(overflow_of_the_root_task_is_reported)
{
    struct child child;

    child_run(&child, run_root_overflow, NULL);
    check_died(&child);
    CHECK(strstr(child.err, "stack overflow in task 1 root: its stack of "));
}

static int spawn_unguarded_by_kernel(void *arg)
{
    sched_self()->stacks.guard = STACK_GUARD_MPROTECT;
    return spawn_overflow(arg);
}

static void run_with_mprotect(void *arg)
{
    test_ignore(whorl_run(spawn_unguarded_by_kernel, arg));
}

TEST(overflow_is_reported_where_the_kernel_lacks_guard_pages)
{
    struct child child;

    child_run(&child, run_with_mprotect, NULL);
    check_died(&child);
    CHECK(strstr(child.err, "stack overflow in task 3 overflow at "));
}

static void *run_in_thread(void *arg)
{
    test_ignore(whorl_run(spawn_overflow, arg));
    return NULL;
}

static void overflow_in_thread(void *arg)
{
    pthread_t thread;

    pthread_create(&thread, NULL, run_in_thread, arg);
    pthread_join(thread, NULL);
}

TEST(overflow_on_another_thread_is_reported)
{
    struct child child;

    child_run(&child, overflow_in_thread, "elsewhere");
    check_died(&child);
    CHECK(strstr(child.err, "in task 3 elsewhere"));
}

static int read_nothing(void *arg)
{
    int *volatile nowhere = (int *)16;
    return arg ? 0 : *nowhere;
}

static void run_read_nothing(void *arg)
{
    test_ignore(whorl_run(read_nothing, arg));
}

TEST(other_faults_are_not_taken_for_an_overflow)
{
    struct child child;

    child_run(&child, run_read_nothing, NULL);
    check_died(&child);
    CHECK(!strstr(child.err, "whorl:"));
}

static void say_and_exit(int number)
{
    static const char text[] = "their handler\n";

    (void)number;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(7);
}

static void run_with_handler(void *arg)
{
    struct sigaction action = {.sa_handler = say_and_exit, .sa_flags = SA_ONSTACK};

    sigaction(SIGSEGV, &action, NULL);
    run_overflow(arg);
}

TEST(the_programs_own_handler_is_called_after_the_report)
{
    struct child child;

    child_run(&child, run_with_handler, NULL);
    CHECK_EQ(child.exit_status, 7);
    char *report = strstr(child.err, "whorl: stack overflow");
    CHECK(report && strstr(report, "\ntheir handler\n"));
}

static int sent_signal(void *arg)
{
    return arg ? 0 : raise(SIGSEGV);
}

static void run_sent_signal(void *arg)
{
    test_ignore(whorl_run(sent_signal, arg));
    _exit(3);
}

/* No instruction is repeated after a signal from kill(2), so the handler must pass it on in another
 * way than a processor's fault. */
TEST(a_segmentation_fault_sent_by_kill_still_ends_the_process)
{
    struct child child;

    child_run(&child, run_sent_signal, NULL);
    check_died(&child);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void *look_at_signal_stack(void *arg)
{
    stack_t before, after;

    (void)arg;
    CHECK_EQ(sigaltstack(NULL, &before), 0);
    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_run(nothing, NULL));
    CHECK_EQ(sigaltstack(NULL, &after), 0);
    CHECK_EQ(after.ss_flags, before.ss_flags);
    CHECK(after.ss_sp == before.ss_sp);
    return NULL;
}

TEST(a_run_leaves_the_threads_signal_stack_as_it_was)
{
    static char own[65536];
    stack_t stack = {.ss_sp = own, .ss_size = sizeof own};
    pthread_t thread;

    look_at_signal_stack(NULL);
    CHECK_EQ(pthread_create(&thread, NULL, look_at_signal_stack, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(sigaltstack(&stack, NULL), 0);
    look_at_signal_stack(NULL);
}

TEST_MAIN()

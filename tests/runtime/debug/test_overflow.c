/* SPDX-License-Identifier: MIT */
/* Stack overflow: the text of the report, and that no other fault is reported as one. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <whorl/group.h>
#include <whorl/poller.h>
#include <whorl/run.h>
#include <whorl/step.h>
#include <whorl/task.h>
#include <whorl/trace.h>

#include "child.h"
#include "runtime/poller_idle.h"
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

/* --- large frames ----------------------------------------------------------------------------- */

/* The program is compiled with -fstack-clash-protection, which these functions must not have: they
 * stand for those of programs without it. */
#if defined(__GNUC__) && !defined(__clang__)
#define UNPROBED __attribute__((noinline, optimize("no-stack-clash-protection")))
#else
#define UNPROBED __attribute__((noinline))
#endif

static UNPROBED int leaf(volatile char *at)
{
    return *at;
}

/* Writes only to the lowest byte of the frame, or only calls a function. */
#define LARGE_FRAME(kib)                       \
    static UNPROBED int frame_##kib(void *arg) \
    {                                          \
        volatile char frame[(kib)*1024];       \
        if (arg)                               \
            frame[0] = 1;                      \
        return leaf(&frame[(kib)*1024 - 1]);   \
    }                                          \
    static int overflow_##kib(void *arg)       \
    {                                          \
        return frame_##kib(arg);               \
    }

LARGE_FRAME(80)
LARGE_FRAME(128)
LARGE_FRAME(256)
LARGE_FRAME(400)

struct large {
    whorl_task_fn fn;
    void *arg;
    enum stack_guard guard;
    size_t guard_size;
};

/* The task that overflows has neighbours on both sides. */
static int spawn_large(void *arg)
{
    const struct large *large = arg;
    WHORL_AUTO(group) group = {.stack_size = 65536};

    sched_self()->stacks.guard = large->guard;
    for (int i = 0; i < 6; i++)
        CHECK_OK(whorl_spawn(&group, idle, NULL));
    CHECK_OK(whorl_spawn_with(&group, large->fn, large->arg,
                              &(struct whorl_spawn_options){.name = "large"}));
    for (int i = 0; i < 6; i++)
        CHECK_OK(whorl_spawn(&group, idle, NULL));
    CHECK_OK(whorl_yield());
    CHECK_EQ(whorl_group_alive(&group), 12);
    whorl_group_cancel(&group);
    return whorl_group_wait(&group);
}

static void run_large(void *arg)
{
    const struct large *large = arg;
    struct poller_idle poller;
    struct whorl_run_options options = {.guard_size = large->guard_size};

    CHECK_OK(poller_idle_init(&poller));
    test_ignore(whorl_run_on(&poller.poller, &options, spawn_large, arg));
    poller_idle_finish(&poller);
}

static void check_large(const struct large *large)
{
    struct child child;

    child_run(&child, run_large, (void *)(uintptr_t)large);
    check_died(&child);
    CHECK(strstr(child.err, "whorl: stack overflow in task 8 large, spawned as "));
    CHECK(strstr(child.err, ": its stack of 65536 bytes is full (high-water mark "));
}

TEST(a_frame_of_up_to_256_kib_overflows_the_right_task)
{
#ifdef CONTEXT_SANITIZED
    test_skip("sanitizers touch every part of a frame");
#endif
    for (int guard = STACK_GUARD_MADVISE; guard <= STACK_GUARD_MPROTECT; guard++) {
        for (int write = 0; write < 2; write++) {
            void *arg = write ? "" : NULL;
            check_large(&(struct large){overflow_80, arg, guard, 0});
            check_large(&(struct large){overflow_128, arg, guard, 0});
            check_large(&(struct large){overflow_256, arg, guard, 0});
        }
    }
}

TEST(a_larger_guard_finds_a_larger_frame)
{
#ifdef CONTEXT_SANITIZED
    test_skip("sanitizers touch every part of a frame");
#endif
    check_large(&(struct large){overflow_400, NULL, STACK_GUARD_MADVISE, 512 << 10});
    check_large(&(struct large){overflow_400, "", STACK_GUARD_MPROTECT, 512 << 10});
}

static int get_by(void *arg)
{
    (void)arg;
    return 0;
}

/* Such a task has neither touched its own guard nor another's memory. */
TEST(a_large_stack_holds_a_large_frame)
{
    struct child child;

    child_run(&child, run_large, &(struct large){get_by, NULL, STACK_GUARD_MADVISE, 0});
    CHECK_EQ(child.exit_status, 0);
    CHECK_STR(child.err, "");
}

TEST(a_guard_size_that_is_too_large_is_refused)
{
    struct whorl_virtual_options options = {.run.guard_size = (16 << 20) + 1};

    CHECK_ERR(whorl_run_virtual(&options, get_by, NULL), -EINVAL);
    options.run.guard_size = 16 << 20;
    CHECK_OK(whorl_run_virtual(&options, get_by, NULL));
    options.run.guard_size = 1;
    CHECK_OK(whorl_run_virtual(&options, get_by, NULL));
}

/* --- stacks without guards -------------------------------------------------------------------- */

static int read_nothing(void *arg);

static int dump_and_fault(void *arg)
{
    whorl_run_dump_tasks(stderr);
    return read_nothing(arg);
}

/* Takes all guards that mprotect() can make. */
static int spawn_too_many(void *arg)
{
    WHORL_AUTO(group) group = {.stack_size = 1};
    struct whorl_run_stats stats;

    sched_self()->stacks.guard = STACK_GUARD_MPROTECT;
    for (size_t i = 0; i < stack_guarded_max() + 100; i++)
        CHECK_OK(whorl_spawn(&group, idle, NULL));
    CHECK_OK(whorl_run_get_stats(&stats));
    CHECK(stats.stacks_unguarded >= 100 && stats.stacks_unguarded < 1000);
    CHECK_OK(whorl_spawn(&group, dump_and_fault, arg));
    return whorl_group_wait(&group);
}

static void run_too_many(void *arg)
{
    test_ignore(whorl_run(spawn_too_many, arg));
}

TEST(reports_say_that_stacks_have_no_guard)
{
#ifdef __SANITIZE_THREAD__
    test_skip("ThreadSanitizer supports at most 8128 stacks");
#endif
    struct child child;

    if (stack_guarded_max() > 20000)
        test_skip("vm.max_map_count is high");
    child_run(&child, run_too_many, NULL);
    check_died(&child);
    CHECK(strstr(child.err, " stacks have no guard, so an overflow of theirs is not found\n"));
    CHECK(strstr(child.err, " stacks have no guard (see vm.max_map_count), so this fault may be a "
                            "stack overflow; it is in task "));
    CHECK(strstr(child.err, " dump_and_fault at "));
}

/* --- faults that are no overflow -------------------------------------------------------------- */

/* Its own guard is below its stack, far from the stack pointer; the next task's is above. */
static int write_to_guard(void *arg)
{
    char *low = whorl_task_self()->stack_low, *at = arg ? low - 4096 : low + 65536 + 64;
    bool in_guard = false;

    CHECK(stack_find(&sched_self()->stacks, at, &in_guard) && in_guard);
    *(volatile char *)at = 1;
    return 0;
}

TEST(a_wild_pointer_into_a_guard_is_not_taken_for_an_overflow)
{
    struct child child;

    for (int own = 0; own < 2; own++) {
        void *arg = own ? "" : NULL;
        child_run(&child, run_large, &(struct large){write_to_guard, arg, STACK_GUARD_MADVISE, 0});
        check_died(&child);
        CHECK(!strstr(child.err, "whorl:"));
    }
}

/* --- handlers of the program ------------------------------------------------------------------ */

static volatile char *volatile page; /* not accessible at first */
static volatile int handled;
static int page_fd = -1;

static void make_accessible(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (info->si_addr != (void *)(uintptr_t)page)
        _exit(5);
    handled += number == SIGBUS ? 100 : 1;
    if (number == SIGBUS ? ftruncate(page_fd, 4096)
                         : mprotect((void *)(uintptr_t)page, 4096, PROT_READ | PROT_WRITE))
        _exit(6);
}

static void install(int number, int flags)
{
    struct sigaction action = {.sa_sigaction = make_accessible, .sa_flags = SA_SIGINFO | flags};

    CHECK_EQ(sigaction(number, &action, NULL), 0);
}

static char *map_page(int fd, int protection)
{
    char *at =
        mmap(NULL, 4096, protection, fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
    CHECK(at != MAP_FAILED);
    return at;
}

/* Returns how many faults were resolved, and then overflows. */
static int resolve_then_overflow(void *arg)
{
    for (int i = 0; i < 3; i++) {
        page = map_page(-1, PROT_NONE);
        *page = 1;
    }
    CHECK_EQ(handled, 3);
    return spawn_overflow(arg);
}

static void run_resolve_then_overflow(void *arg)
{
    install(SIGSEGV, *(int *)arg);
    test_ignore(whorl_run(resolve_then_overflow, NULL));
}

/* The handler exits with 5 for the overflow, which it cannot resolve. */
static void check_overflow_after(void (*fn)(void *), void *arg, int status)
{
    struct child child;

    child_run(&child, fn, arg);
    CHECK_EQ(child.exit_status, status);
    CHECK(strstr(child.err, "whorl: stack overflow in task 3 overflow at "));
}

TEST(an_overflow_is_reported_after_the_programs_handler_has_resolved_faults)
{
    int flags[] = {0, SA_ONSTACK, SA_NODEFER, SA_ONSTACK | SA_NODEFER | SA_RESTART};

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        check_overflow_after(run_resolve_then_overflow, &flags[i], 5);
}

static int resolve_bus_then_overflow(void *arg)
{
    for (int i = 0; i < 3; i++) {
        page_fd = memfd_create("page", MFD_CLOEXEC);
        CHECK(page_fd >= 0);
        page = map_page(page_fd, PROT_READ | PROT_WRITE);
        *page = 1;
        close(page_fd);
    }
    CHECK_EQ(handled, 300);
    return spawn_overflow(arg);
}

static void run_resolve_bus_then_overflow(void *arg)
{
    install(SIGBUS, 0);
    install(SIGSEGV, 0);
    test_ignore(whorl_run(resolve_bus_then_overflow, arg));
}

TEST(an_overflow_is_reported_after_the_programs_handler_has_resolved_bus_errors)
{
    check_overflow_after(run_resolve_bus_then_overflow, NULL, 5);
}

static volatile char *volatile inner_page;

/* Its first fault causes another one, which it resolves first. */
static void resolve_nested(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    char *at = info->si_addr;
    if (at == page)
        *inner_page = 1;
    if ((at != page && at != inner_page) || mprotect(at, 4096, PROT_READ | PROT_WRITE) < 0)
        _exit(5);
    handled++;
}

static int nest_then_overflow(void *arg)
{
    page = map_page(-1, PROT_NONE);
    inner_page = map_page(-1, PROT_NONE);
    *page = 1;
    CHECK_EQ(handled, 2);
    return spawn_overflow(arg);
}

static void run_nest_then_overflow(void *arg)
{
    struct sigaction action = {.sa_sigaction = resolve_nested, .sa_flags = SA_SIGINFO | SA_NODEFER};

    CHECK_EQ(sigaction(SIGSEGV, &action, NULL), 0);
    test_ignore(whorl_run(nest_then_overflow, arg));
}

TEST(a_handler_of_the_program_may_cause_faults_that_it_resolves)
{
    check_overflow_after(run_nest_then_overflow, NULL, 5);
}

static sigjmp_buf escape;

static void jump_out(int number)
{
    (void)number;
    siglongjmp(escape, 1);
}

static int overflow_and_escape(void *arg)
{
    (void)arg;
    if (sigsetjmp(escape, 1) == 0)
        return dig(0);
    return 0;
}

static int overflow_thrice(void *arg)
{
    WHORL_AUTO(group) group = {.stack_size = 1 << 20};

    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_spawn(&group, overflow_and_escape, arg));
    return whorl_group_wait(&group);
}

static void run_overflow_thrice(void *arg)
{
    struct sigaction action = {.sa_handler = jump_out, .sa_flags = SA_ONSTACK};

    CHECK_EQ(sigaction(SIGSEGV, &action, NULL), 0);
    CHECK_OK(whorl_run(overflow_thrice, arg));
}

TEST(every_overflow_is_reported_if_the_programs_handler_jumps_out_of_it)
{
#ifdef CONTEXT_SANITIZED
    test_skip("the sanitizer's notes about the stack are wrong after the jump");
#endif
    struct child child;

    child_run(&child, run_overflow_thrice, NULL);
    CHECK_EQ(child.exit_status, 0);
    CHECK(strstr(child.err, "stack overflow in task 2 "));
    CHECK(strstr(child.err, "stack overflow in task 3 "));
    CHECK(strstr(child.err, "stack overflow in task 4 "));
}

static void count_once(int number)
{
    (void)number;
    handled++;
    mprotect((void *)(uintptr_t)page, 4096, PROT_READ | PROT_WRITE);
}

static int fault_twice(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        page = map_page(-1, PROT_NONE);
        *page = 1;
        CHECK_EQ(handled, i + 1);
    }
    return 0;
}

static void run_fault_twice(void *arg)
{
    struct sigaction action = {.sa_handler = count_once, .sa_flags = (int)SA_RESETHAND};

    CHECK_EQ(sigaction(SIGSEGV, &action, NULL), 0);
    test_ignore(whorl_run(fault_twice, arg));
}

TEST(a_handler_that_is_for_one_fault_gets_one)
{
    struct child child;

    child_run(&child, run_fault_twice, NULL);
    CHECK_EQ(child.signal, SIGSEGV);
}

static void run_sent_and_ignored(void *arg)
{
    signal(SIGSEGV, SIG_IGN);
    CHECK_OK(whorl_run(sent_signal, arg));
    test_ignore(whorl_run(spawn_overflow, arg));
}

TEST(a_segmentation_fault_that_is_ignored_is_ignored_if_sent_only)
{
    struct child child;

    child_run(&child, run_sent_and_ignored, NULL);
    CHECK_EQ(child.signal, SIGSEGV);
    CHECK(strstr(child.err, "whorl: stack overflow in task 3 overflow at "));
}

/* --- several runs of a thread ----------------------------------------------------------------- */

struct stepped_runs {
    struct poller_idle pollers[2];
    struct whorl_stepped *runs[2];
};

static int wait_once(void *arg)
{
    int err = whorl_yield();
    return err ? err : arg ? spawn_overflow(NULL) : 0;
}

/* Begins two runs, ends the one that `arg` names, and lets the other overflow. */
static void end_one_run(void *arg)
{
    struct stepped_runs s;
    int first = *(int *)arg, result;

    for (int i = 0; i < 2; i++) {
        CHECK_OK(poller_idle_init(&s.pollers[i]));
        CHECK_OK(whorl_stepped_create(&s.pollers[i].poller, NULL, wait_once, i == first ? NULL : "",
                                      &s.runs[i]));
    }
    while (!whorl_stepped_run(s.runs[first], 1, &result))
        ;
    whorl_stepped_destroy(s.runs[first]);
    while (!whorl_stepped_run(s.runs[1 - first], 1, &result))
        ;
}

TEST(an_overflow_is_reported_after_another_run_of_the_thread_has_ended)
{
    for (int first = 0; first < 2; first++) {
        struct child child;
        child_run(&child, end_one_run, &first);
        check_died(&child);
        CHECK(strstr(child.err, "whorl: stack overflow in task 3 overflow at "));
    }
}

static void *run_nothing_in_thread(void *arg)
{
    CHECK_OK(whorl_run(nothing, arg));
    return NULL;
}

static int overflow_after_other_thread(void *arg)
{
    pthread_t thread;

    CHECK_EQ(pthread_create(&thread, NULL, run_nothing_in_thread, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    return spawn_overflow(arg);
}

static void run_overflow_after_other_thread(void *arg)
{
    test_ignore(whorl_run(overflow_after_other_thread, arg));
}

TEST(an_overflow_is_reported_after_a_run_of_another_thread_has_ended)
{
    struct child child;

    child_run(&child, run_overflow_after_other_thread, NULL);
    check_died(&child);
    CHECK(strstr(child.err, "whorl: stack overflow in task 3 overflow at "));
}

static void *end_runs_in_any_order(void *arg)
{
    struct stepped_runs s;
    stack_t before, after;
    int result;

    CHECK_EQ(sigaltstack(NULL, &before), 0);
    for (int first = 0; first < 2; first++) {
        for (int i = 0; i < 2; i++) {
            CHECK_OK(poller_idle_init(&s.pollers[i]));
            CHECK_OK(whorl_stepped_create(&s.pollers[i].poller, NULL, nothing, NULL, &s.runs[i]));
        }
        for (int i = 0; i < 2; i++) {
            CHECK(whorl_stepped_run(s.runs[first ^ i], 9, &result));
            whorl_stepped_destroy(s.runs[first ^ i]);
            poller_idle_finish(&s.pollers[first ^ i]);
        }
        CHECK_EQ(sigaltstack(NULL, &after), 0);
        CHECK_EQ(after.ss_flags, before.ss_flags);
        CHECK(after.ss_sp == before.ss_sp);
    }
    return arg;
}

TEST(several_runs_leave_the_threads_signal_stack_as_it_was)
{
    pthread_t thread;

    end_runs_in_any_order(NULL);
    CHECK_EQ(pthread_create(&thread, NULL, end_runs_in_any_order, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

TEST_MAIN()

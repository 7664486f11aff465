/* SPDX-License-Identifier: MIT */
/* Small stacks: their places, the options for them, the calls that work on them, and the reports of
 * overflows. */
#include <fenv.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <whorl/chan.h>
#include <whorl/future.h>
#include <whorl/group.h>
#include <whorl/offload.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/select.h>
#include <whorl/sync.h>
#include <whorl/task.h>

#include "child.h"
#include "runtime/sched.h"
#include "stacks.h"
#include "test.h"

#define SCALED(size) ((size_t)(size)*STACK_SMALL_SCALE)

static const size_t sizes[] = {2048, 4096, 8192};

/* --- the pool --------------------------------------------------------------------------------- */

TEST(small_stacks_are_packed_and_do_not_overlap)
{
    enum { N = 3000 / STACK_SMALL_SCALE + 100 };
    static struct whorl_task *tasks[N];

    for (int s = 0; s < 3; s++) {
        struct stack_pool pool;
        size_t neighbours = 0, size = SCALED(sizes[s]);

        stack_pool_init(&pool);
        for (int i = 0; i < N; i++) {
            struct whorl_task *task = tasks[i] = acquire(&pool, sizes[s]);
            char *low = task->stack_low;
            CHECK_EQ(stack_size_of(task), size);
            CHECK_EQ((uintptr_t)task % 64, 0);
            CHECK((char *)task > low && (char *)(task + 1) <= low + size);
            if (i > 0)
                neighbours += low == (char *)tasks[i - 1]->stack_low + size + 64;
            memset(low, i & 0xff, 64);
            memset((char *)task - 72, i & 0xff, 64); /* above is what the first switch needs */
        }
        CHECK(neighbours > N * 3 / 4);
        for (int i = 0; i < N; i++) {
            const unsigned char *low = tasks[i]->stack_low, *high = (void *)tasks[i];
            bool in_guard;
            CHECK(low[0] == (i & 0xff) && low[63] == (i & 0xff));
            CHECK(high[-72] == (i & 0xff) && high[-9] == (i & 0xff));
            CHECK(canary_is_intact(context_canary(&tasks[i]->context)));
            CHECK(stack_find(&pool, low, &in_guard) == tasks[i] && !in_guard);
            CHECK(stack_find(&pool, low - 1, &in_guard) == tasks[i] && in_guard);
        }
        for (int i = 0; i < N; i++)
            stack_release(&pool, tasks[i]);
        stack_pool_finish(&pool);
        CHECK_EQ(pool.mapped, 0);
    }
}

TEST(slabs_of_small_stacks_are_huge_pages_that_go_when_they_are_empty)
{
    enum { N = 20000 / STACK_SMALL_SCALE };
    static struct whorl_task *tasks[N];
    struct stack_pool pool;

    stack_pool_init(&pool);
    for (int i = 0; i < N; i++)
        tasks[i] = acquire(&pool, 2048);
    size_t per_page = ((2 << 20) - 4096) / (SCALED(2048) + 64), all = pool.mapped;
    CHECK(all - N <= per_page);
    char *page = (char *)((uintptr_t)tasks[N - 1] & ~(uintptr_t)((2 << 20) - 1));
    CHECK_EQ(((char *)tasks[N - 1]->stack_low - page - 4096) % (SCALED(2048) + 64), 64);
    struct whorl_task *kept = tasks[N / 2];
    for (int i = 0; i < N; i++)
        if (tasks[i] != kept)
            stack_release(&pool, tasks[i]);
    *(char *)kept->stack_low = 42;
    stack_pool_trim(&pool, 0, 0);
    CHECK(pool.mapped <= 2 * per_page);
    CHECK_EQ(*(char *)kept->stack_low, 42);
    stack_release(&pool, kept);
    stack_pool_finish(&pool);
}

/* --- the options ------------------------------------------------------------------------------ */

static int report_size(void *arg)
{
    *(size_t *)arg = stack_size_of(whorl_task_self());
    return 0;
}

static int spawn_each_way(void *arg)
{
    size_t by_run = 0, by_group = 0, by_spawn = 0, guarded = 0, in_guarded = 0;
    WHORL_AUTO(group) plain = {0};
    WHORL_AUTO(group) small = {.small_stack_size = 4096};
    WHORL_AUTO(group) large = {.stack_size = 1};

    CHECK_OK(whorl_spawn(&plain, report_size, &by_run));
    CHECK_OK(whorl_spawn(&small, report_size, &by_group));
    CHECK_OK(whorl_spawn_with(&plain, report_size, &by_spawn,
                              &(struct whorl_spawn_options){.small_stack_size = 8192}));
    CHECK_OK(whorl_spawn_with(&small, report_size, &guarded,
                              &(struct whorl_spawn_options){.stack_size = 4096}));
    CHECK_OK(whorl_spawn(&large, report_size, &in_guarded));
    CHECK_OK(whorl_group_wait(&plain));
    CHECK_OK(whorl_group_wait(&small));
    CHECK_OK(whorl_group_wait(&large));
    CHECK_EQ(by_run, *(size_t *)arg);
    CHECK_EQ(by_group, SCALED(4096));
    CHECK_EQ(by_spawn, SCALED(8192));
    CHECK(guarded >= 16384 && in_guarded >= 16384);
    CHECK(stack_size_of(whorl_task_self()) >= 16384);
    return 0;
}

TEST(a_run_a_group_and_a_spawn_can_ask_for_small_stacks)
{
    struct whorl_virtual_options options = {.run.small_stack_size = 2048, .run.root_stack_size = 1};
    size_t by_run = SCALED(2048);

    CHECK_OK(whorl_run_virtual(&options, spawn_each_way, &by_run));
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

TEST(other_sizes_of_small_stacks_are_refused)
{
    struct whorl_virtual_options options = {.run.small_stack_size = 1024};

    CHECK_ERR(whorl_run_virtual(&options, nothing, NULL), -EINVAL);
    options.run.small_stack_size = 16384;
    CHECK_ERR(whorl_run_virtual(&options, nothing, NULL), -EINVAL);
}

TEST_VIRTUAL(other_sizes_of_small_stacks_are_refused_for_groups_and_tasks)
{
    WHORL_AUTO(group) small = {.small_stack_size = 3000};
    WHORL_AUTO(group) plain = {0};
    struct whorl_spawn_options options = {.small_stack_size = 4097};
    int value = 1;

    CHECK_ERR(whorl_spawn(&small, nothing, NULL), -EINVAL);
    CHECK_ERR(whorl_spawn_copy(&small, nothing, &value), -EINVAL);
    CHECK_ERR(whorl_spawn_with(&plain, nothing, NULL, &options), -EINVAL);
    CHECK_OK(whorl_spawn(&plain, nothing, NULL));
    CHECK_OK(whorl_group_wait(&plain));
    CHECK_OK(whorl_group_wait(&small));
}

/* --- what runs on them ------------------------------------------------------------------------ */

struct work {
    struct whorl_chan *chan;
    struct whorl_mutex mutex;
    struct whorl_event event;
    struct whorl_semaphore semaphore;
    int done;
};

static int add_one(void *arg)
{
    ++*(int *)arg;
    return 0;
}

/* A task that does everything on the smallest stack. */
static int work_on(void *arg)
{
    struct work *work = arg;
    struct whorl_scope scope;
    int value = 0, sum = 0, err;

    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_OK(whorl_mutex_lock(&work->mutex));
    CHECK_OK(whorl_yield());
    whorl_mutex_unlock(&work->mutex);
    CHECK_OK(whorl_chan_send(work->chan, &value));
    CHECK_OK(whorl_chan_recv(work->chan, &value));
    whorl_scope_enter(&scope, whorl_after(WHORL_MILLISECOND));
    err = whorl_scope_leave(&scope, whorl_event_wait(&work->event));
    CHECK_ERR(err, -ETIMEDOUT);
    WHORL_AUTO(group) group = {0};
    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_spawn(&group, add_one, &sum));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(sum, 3);
    struct whorl_case cases[] = {whorl_case_deadline(whorl_after(WHORL_MILLISECOND)),
                                 whorl_case_event(&work->event)};
    CHECK_EQ(whorl_select(cases, 2), 0);
    work->done++;
    return 0;
}

TEST_SEEDS(waiting_and_spawning_need_no_more_than_the_smallest_stack)
{
    enum { N = 20 };
    WHORL_AUTO(chan) *chan = NULL;
    WHORL_AUTO(group) group = {.small_stack_size = 2048};

    CHECK_OK(whorl_chan_create(sizeof(int), N, &chan));
    struct work work = {.chan = chan};
    for (int i = 0; i < N; i++)
        CHECK_OK(whorl_spawn(&group, work_on, &work));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(work.done, N);
}

static int sum_of_copy(void *arg)
{
    const unsigned char *bytes = arg;
    int sum = 0;

    CHECK_OK(whorl_yield());
    for (int i = 0; i < 512; i++)
        sum += bytes[i];
    return sum == 512 * 7 ? 0 : -EPROTO;
}

TEST_VIRTUAL(an_argument_is_copied_to_a_small_stack)
{
    WHORL_AUTO(group) group = {.small_stack_size = 2048};
    struct {
        unsigned char bytes[512];
    } argument;
    struct {
        unsigned char bytes[513];
    } larger = {{0}};

    memset(&argument, 7, sizeof argument);
    for (int i = 0; i < 20; i++)
        CHECK_OK(whorl_spawn_copy(&group, sum_of_copy, &argument));
    CHECK_ERR(whorl_spawn_copy(&group, sum_of_copy, &larger), -E2BIG);
    CHECK_OK(whorl_group_wait(&group));
}

/* A small stack has a bit of its own in its control words, which must not reach the processor. */
static int round_upwards(void *arg)
{
    int mode = *(int *)arg;

    CHECK_EQ(fesetround(mode), 0);
    for (int i = 0; i < 10; i++) {
        CHECK_OK(whorl_yield());
        CHECK_EQ(fegetround(), mode);
    }
    return 0;
}

TEST_SEEDS(rounding_modes_stay_apart_on_small_and_guarded_stacks)
{
    static int modes[] = {FE_UPWARD, FE_DOWNWARD, FE_TONEAREST};
    WHORL_AUTO(group) small = {.small_stack_size = 8192};
    WHORL_AUTO(group) guarded = {0};

    for (int i = 0; i < 12; i++)
        CHECK_OK(whorl_spawn(i % 2 ? &small : &guarded, round_upwards, &modes[i % 3]));
    CHECK_OK(whorl_group_wait(&small));
    CHECK_OK(whorl_group_wait(&guarded));
    CHECK_EQ(fegetround(), FE_TONEAREST);
}

/* --- overflows -------------------------------------------------------------------------------- */

struct overflow {
    size_t size;
    WHORL_SUSPENDS int (*then)(void);
    size_t bytes; /* how far below the stack it writes */
};

static WHORL_SUSPENDS int then_yield(void)
{
    return whorl_yield();
}

static WHORL_SUSPENDS int then_sleep(void)
{
    return whorl_sleep(WHORL_SECOND);
}

static int then_end(void)
{
    return 0;
}

static volatile char *volatile nowhere;

static int then_fault(void)
{
    *nowhere = 1;
    return 0;
}

/* Writes as a function with too many variables would. The neighbour below is not used. */
static int overflow(void *arg)
{
    const struct overflow *o = arg;
    volatile char *low = whorl_task_self()->stack_low;

    CHECK_OK(whorl_yield());
    low[-(ptrdiff_t)o->bytes] = 1;
    CHECK_OK(o->then());
    return 0;
}

static int wait_forever(void *arg)
{
    (void)arg;
    return whorl_sleep_until(WHORL_FOREVER);
}

static int spawn_overflow(void *arg)
{
    const struct overflow *o = arg;
    WHORL_AUTO(group) group = {.small_stack_size = o->size};

    CHECK_OK(whorl_spawn(&group, wait_forever, NULL));
    CHECK_OK(whorl_spawn_with(&group, overflow, arg, &(struct whorl_spawn_options){.name = "big"}));
    CHECK_OK(whorl_spawn(&group, wait_forever, NULL));
    return whorl_group_wait(&group);
}

static void run_overflow(void *arg)
{
    test_ignore(whorl_run(spawn_overflow, arg));
}

static void check_overflow(const struct overflow *o, int signal)
{
    struct child child;
    char expected[64];

    child_run(&child, run_overflow, (void *)(uintptr_t)o);
#ifndef CONTEXT_SANITIZED /* ASan reports a fault and exits */
    CHECK_EQ(child.signal, signal);
#else
    CHECK(child.signal == signal || child.exit_status > 0);
#endif
    CHECK(strstr(child.err, "whorl: stack overflow in task 3 big, spawned as overflow at "));
    snprintf(expected, sizeof expected, "written below its small stack of %zu bytes\n",
             SCALED(o->size));
    CHECK(strstr(child.err, expected));
}

TEST(the_overflow_of_a_small_stack_is_noticed_when_the_task_gives_way)
{
    size_t bytes[] = {1, 33, 64};

    for (int s = 0; s < 3; s++)
        check_overflow(&(struct overflow){sizes[s], then_yield, 8}, SIGABRT);
    for (int b = 0; b < 3; b++)
        check_overflow(&(struct overflow){2048, then_yield, bytes[b]}, SIGABRT);
    check_overflow(&(struct overflow){2048, then_sleep, 8}, SIGABRT);
    check_overflow(&(struct overflow){2048, then_end, 8}, SIGABRT);
}

TEST(a_fault_after_the_overflow_of_a_small_stack_is_reported_as_the_overflow)
{
#ifdef __SANITIZE_THREAD__
    test_skip("ThreadSanitizer reports the fault instead");
#endif
    check_overflow(&(struct overflow){4096, then_fault, 8}, SIGSEGV);
}

static __attribute__((noinline)) int dig(int depth)
{
    volatile char frame[128];

    for (int i = 0; i < 128; i++)
        frame[i] = (char)depth;
    int below = depth > 0 ? dig(depth - 1) : 0;
    return below + frame[0];
}

static int dig_and_yield(void *arg)
{
    int sum = dig((int)(SCALED(4096) / 128));

    (void)arg;
    CHECK_OK(whorl_yield());
    return sum == 1 ? 0 : 1;
}

static int spawn_deep(void *arg)
{
    WHORL_AUTO(group) group = {.small_stack_size = 4096};

    (void)arg;
    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_spawn(&group, nothing, NULL));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(whorl_spawn(&group, dig_and_yield, NULL));
    return whorl_group_wait(&group);
}

static void run_deep(void *arg)
{
    test_ignore(whorl_run(spawn_deep, arg));
}

TEST(a_recursion_that_is_too_deep_for_a_small_stack_is_noticed)
{
    struct child child;

#ifdef CONTEXT_ASAN
    test_skip("AddressSanitizer reports the access itself");
#endif
    child_run(&child, run_deep, NULL);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "whorl: stack overflow in task 5 dig_and_yield at "));
}

/* --- signals ---------------------------------------------------------------------------------- */

static volatile sig_atomic_t handled;

static void on_signal(int number)
{
    (void)number;
    handled = handled + 1;
}

static int raise_one(void *arg)
{
    (void)arg;
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_OK(whorl_yield());
    return 0;
}

static int raise_in_tasks(void *arg)
{
    WHORL_AUTO(group) group = {.small_stack_size = *(size_t *)arg};

    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_spawn(&group, raise_one, NULL));
    return whorl_group_wait(&group);
}

static void run_raise(void *arg)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = *(int *)arg};
    size_t size = 8192;

    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    CHECK_OK(whorl_run(raise_in_tasks, &size));
    CHECK_EQ(handled, 3);
}

TEST(signals_are_handled_on_the_alternate_stack)
{
    struct child child;
    int flags = SA_ONSTACK;

    setenv("WHORL_DEBUG", "check", 1);
    child_run(&child, run_raise, &flags);
    CHECK_EQ(child.exit_status, 0);
}

TEST(a_debug_run_finds_handlers_that_would_run_on_a_small_stack)
{
    struct child child;
    int flags = SA_RESTART;

    setenv("WHORL_DEBUG", "check", 1);
    child_run(&child, run_raise, &flags);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "the handler of signal 10 lacks SA_ONSTACK"));
    CHECK(strstr(child.err, "task 1 root"));
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT */
/* The context switch: what a task must find unchanged after other tasks have run. In optimised
 * builds this file is compiled a second time, with the portable switch and fortification (see
 * tests/meson.build). */
#include <fenv.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#ifdef __GLIBC__
#include <execinfo.h>
#endif
#ifdef __x86_64__
#include <xmmintrin.h>
#endif

#include <whorl/chan.h>
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/task.h>

#include "runtime/context/context.h"
#include "runtime/context/switches.h"
#include "runtime/sched.h"
#include "test.h"

#ifdef CONTEXT_SANITIZED
#define SPARE_STACK 65536 /* kept free by recursions, for instrumented frames and their helpers */
#else
#define SPARE_STACK 12288
#endif

/* --- registers ------------------------------------------------------------------------------- */

/* int hold_registers(uint64_t seed): fills the callee-saved registers with different numbers,
 * yields, and returns how many of them have changed. */
#ifdef __x86_64__
__asm__(".text\n"
        ".type hold_registers, @function\n"
        "hold_registers:\n\t"
        "pushq %rbx\n\tpushq %rbp\n\tpushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n\t"
        "pushq %rdi\n\t"
        "leaq 1(%rdi), %rbx\n\tleaq 2(%rdi), %rbp\n\tleaq 3(%rdi), %r12\n\t"
        "leaq 4(%rdi), %r13\n\tleaq 5(%rdi), %r14\n\tleaq 6(%rdi), %r15\n\t"
        "call whorl_yield@PLT\n\t"
        "popq %rdi\n\t"
        "subq %rdi, %rbx\n\tsubq %rdi, %rbp\n\tsubq %rdi, %r12\n\t"
        "subq %rdi, %r13\n\tsubq %rdi, %r14\n\tsubq %rdi, %r15\n\t"
        "xorl %eax, %eax\n\t"
        "cmpq $1, %rbx\n\tsetne %cl\n\tmovzbl %cl, %ecx\n\taddl %ecx, %eax\n\t"
        "cmpq $2, %rbp\n\tsetne %cl\n\tmovzbl %cl, %ecx\n\taddl %ecx, %eax\n\t"
        "cmpq $3, %r12\n\tsetne %cl\n\tmovzbl %cl, %ecx\n\taddl %ecx, %eax\n\t"
        "cmpq $4, %r13\n\tsetne %cl\n\tmovzbl %cl, %ecx\n\taddl %ecx, %eax\n\t"
        "cmpq $5, %r14\n\tsetne %cl\n\tmovzbl %cl, %ecx\n\taddl %ecx, %eax\n\t"
        "cmpq $6, %r15\n\tsetne %cl\n\tmovzbl %cl, %ecx\n\taddl %ecx, %eax\n\t"
        "popq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\tpopq %rbp\n\tpopq %rbx\n\t"
        "ret\n"
        ".size hold_registers, . - hold_registers\n"
        ".section .note.GNU-stack,\"\",@progbits\n"
        ".text\n");
#elif defined(__aarch64__)
/* Register n gets seed + n, and d<n> gets seed + 100 + n. */
__asm__(".text\n"
        ".type hold_registers, %function\n"
        "hold_registers:\n\t"
        "hint #34\n\t" /* bti c */
        "stp x29, x30, [sp, #-176]!\n\t"
        "mov x29, sp\n\t"
        "stp x19, x20, [sp, #16]\n\tstp x21, x22, [sp, #32]\n\tstp x23, x24, [sp, #48]\n\t"
        "stp x25, x26, [sp, #64]\n\tstp x27, x28, [sp, #80]\n\tstp d8, d9, [sp, #96]\n\t"
        "stp d10, d11, [sp, #112]\n\tstp d12, d13, [sp, #128]\n\tstp d14, d15, [sp, #144]\n\t"
        "str x0, [sp, #160]\n"
        ".irp n, 8, 9, 10, 11, 12, 13, 14, 15\n\t"
        "add x9, x0, #(100 + \\n)\n\tfmov d\\n, x9\n"
        ".endr\n"
        ".irp n, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28\n\t"
        "add x\\n, x0, #\\n\n"
        ".endr\n\t"
        "bl whorl_yield\n\t"
        "ldr x9, [x29, #160]\n\t"
        "mov x10, sp\n\tcmp x10, x29\n\tcset w0, ne\n"
        ".irp n, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28\n\t"
        "sub x10, x\\n, x9\n\tcmp x10, #\\n\n\tcinc w0, w0, ne\n"
        ".endr\n"
        ".irp n, 8, 9, 10, 11, 12, 13, 14, 15\n\t"
        "fmov x10, d\\n\n\tsub x10, x10, x9\n\tcmp x10, #(100 + \\n)\n\tcinc w0, w0, ne\n"
        ".endr\n\t"
        "ldp x19, x20, [sp, #16]\n\tldp x21, x22, [sp, #32]\n\tldp x23, x24, [sp, #48]\n\t"
        "ldp x25, x26, [sp, #64]\n\tldp x27, x28, [sp, #80]\n\tldp d8, d9, [sp, #96]\n\t"
        "ldp d10, d11, [sp, #112]\n\tldp d12, d13, [sp, #128]\n\tldp d14, d15, [sp, #144]\n\t"
        "ldp x29, x30, [sp], #176\n\t"
        "ret\n"
        ".size hold_registers, . - hold_registers\n"
        ".section .note.GNU-stack,\"\",%progbits\n"
        ".text\n");
#endif

#if defined(__x86_64__) || defined(__aarch64__)
int hold_registers(uint64_t seed);

static int hold_often(void *arg)
{
    uint64_t seed = (uint64_t)(uintptr_t)arg << 32;
    for (uint64_t i = 0; i < 200; i++)
        CHECK_EQ(hold_registers(seed + i * 1000), 0);
    return 0;
}

TEST_SEEDS(callee_saved_registers_survive_switches)
{
    WHORL_AUTO(group) group = {0};

    for (uintptr_t i = 1; i <= 10; i++)
        CHECK_OK(whorl_spawn(&group, hold_often, (void *)(i * 0x01010101)));
    CHECK_OK(whorl_group_wait(&group));
}
#endif

static struct context ours, theirs;

/* The compiler keeps `value` in a register if it believes that the switch leaves one unchanged. */
CONTEXT_SWITCHES static uintptr_t keep_a_value(struct context *from, struct context *to,
                                               uintptr_t value)
{
    context_switch(from, to, 0);
    return value;
}

static void keep_another_value(void)
{
    for (;;)
        keep_a_value(&theirs, &ours, 0x5555);
}

TEST(no_register_holds_a_value_across_a_switch)
{
    static char stack[65536] __attribute__((aligned(16)));

#ifdef CONTEXT_SANITIZED
    test_skip("sanitizers must be told about both stacks");
#endif
    context_make(&theirs, stack, stack + sizeof stack, keep_another_value);
    context_inherit_fp(&ours, NULL);
    context_inherit_fp(&theirs, NULL);
    for (uintptr_t i = 0; i < 10; i++)
        CHECK_EQ(keep_a_value(&ours, &theirs, i), i);
}

static int mix_values(void *arg)
{
    int id = *(int *)arg;
    double d[8];
    uint64_t u[12];
    long double l = (long double)id / 3;

    for (int i = 0; i < 8; i++)
        d[i] = id + i / 8.0;
    for (int i = 0; i < 12; i++)
        u[i] = (uint64_t)id * 1000 + (uint64_t)i;
    for (int round = 1; round <= 100; round++) {
        for (int i = 0; i < 8; i++)
            d[i] += round;
        for (int i = 0; i < 12; i++)
            u[i] += (uint64_t)round;
        l += 1.0L / (round * id);
        CHECK_OK(whorl_yield());
    }
    for (int i = 0; i < 8; i++)
        CHECK(d[i] == id + i / 8.0 + 5050);
    for (int i = 0; i < 12; i++)
        CHECK_EQ(u[i], (uint64_t)id * 1000 + (uint64_t)i + 5050);
    long double expected = (long double)id / 3;
    for (int round = 1; round <= 100; round++)
        expected += 1.0L / (round * id);
    CHECK(l == expected);
    return 0;
}

TEST_SEEDS(locals_of_every_kind_survive_switches)
{
    WHORL_AUTO(group) group = {0};

    for (int i = 1; i <= 20; i++)
        CHECK_OK(whorl_spawn_copy(&group, mix_values, &i));
    CHECK_OK(whorl_group_wait(&group));
}

/* --- floating-point control ------------------------------------------------------------------ */

/* Whether the rounding mode is `mode`: 1/3 differs between rounding up and rounding to nearest or
 * down. Checks SSE and the x87. */
static bool rounds(int mode)
{
    volatile double one = 1, three = 3;
    volatile long double lone = 1, lthree = 3;
    static const double up = 0x1.5555555555556p-2, nearest = 0x1.5555555555555p-2;
    double third = one / three;
    long double lthird = lone / lthree;

    if (fegetround() != mode)
        return false;
    if (mode == FE_UPWARD)
        return third == up && lthird > 0x1.5555555555555554p-2L;
    return third == nearest && (mode == FE_TONEAREST || lthird < 0x1.5555555555555556p-2L);
}

static int round_up_for_a_while(void *arg)
{
    struct whorl_chan *chan = arg;
    int value;

    CHECK(rounds(FE_TONEAREST));
    CHECK_EQ(fesetround(FE_UPWARD), 0);
    for (int i = 0; i < 5; i++) {
        CHECK_OK(whorl_yield());
        CHECK(rounds(FE_UPWARD));
    }
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    CHECK(rounds(FE_UPWARD));
    CHECK_OK(whorl_chan_recv(chan, &value));
    CHECK(rounds(FE_UPWARD));
    return 0;
}

static int round_nearest_throughout(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        CHECK(rounds(FE_TONEAREST));
        CHECK_OK(i % 2 ? whorl_yield() : whorl_sleep(WHORL_SECOND / 4));
    }
    CHECK(rounds(FE_TONEAREST));
    return 0;
}

TEST_SEEDS(rounding_mode_belongs_to_the_task)
{
    WHORL_AUTO(chan) *chan = NULL;
    CHECK_OK(whorl_chan_create(sizeof(int), 0, &chan));
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, round_nearest_throughout, NULL));
    CHECK_OK(whorl_spawn(&group, round_up_for_a_while, chan));
    CHECK_OK(whorl_spawn(&group, round_nearest_throughout, NULL));
    CHECK_OK(whorl_chan_send(chan, &(int){1}));
    CHECK(rounds(FE_TONEAREST));
    CHECK_OK(whorl_group_wait(&group));
    CHECK(rounds(FE_TONEAREST));
}

static int expect_rounding(void *arg)
{
    CHECK(rounds(*(int *)arg));
    CHECK_OK(whorl_yield());
    CHECK(rounds(*(int *)arg));
    return 0;
}

TEST_VIRTUAL(spawned_task_inherits_rounding_of_its_spawner)
{
    WHORL_AUTO(group) group = {0};
    int up = FE_UPWARD, nearest = FE_TONEAREST;

    CHECK_OK(whorl_spawn(&group, expect_rounding, &nearest));
    CHECK_EQ(fesetround(FE_UPWARD), 0);
    CHECK_OK(whorl_spawn(&group, expect_rounding, &up));
    CHECK_EQ(fesetround(FE_TONEAREST), 0);
    CHECK_OK(whorl_spawn(&group, expect_rounding, &nearest));
    CHECK_OK(whorl_group_wait(&group));
    /* These run on a stack whose last task rounded up. */
    CHECK_OK(whorl_spawn(&group, expect_rounding, &nearest));
    CHECK_OK(whorl_spawn(&group, expect_rounding, &nearest));
    CHECK_OK(whorl_spawn(&group, expect_rounding, &nearest));
    CHECK_OK(whorl_group_wait(&group));
}

static int end_rounding_up(void *arg)
{
    (void)arg;
    CHECK_EQ(fesetround(FE_UPWARD), 0);
    return 0;
}

TEST(rounding_mode_of_the_thread_survives_a_run)
{
    CHECK_OK(whorl_run_virtual(NULL, end_rounding_up, NULL));
    CHECK(rounds(FE_TONEAREST));
    CHECK_EQ(fesetround(FE_UPWARD), 0);
    CHECK_OK(whorl_run_virtual(NULL, expect_rounding, &(int){FE_UPWARD}));
    CHECK(rounds(FE_UPWARD));
    CHECK_EQ(fesetround(FE_TONEAREST), 0);
}

#ifdef __x86_64__
static int keep_mxcsr(void *arg)
{
    unsigned bits = *(unsigned *)arg;

    CHECK_EQ(_mm_getcsr() & ~0x3fu, 0x1f80);
    _mm_setcsr(_mm_getcsr() | bits);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(whorl_yield());
        CHECK_EQ(_mm_getcsr() & ~0x3fu, 0x1f80 | bits);
        CHECK_OK(whorl_sleep(1));
        CHECK_EQ(_mm_getcsr() & ~0x3fu, 0x1f80 | bits);
    }
    return 0;
}

TEST_SEEDS(mxcsr_set_by_intrinsics_belongs_to_the_task)
{
    WHORL_AUTO(group) group = {0};
    static unsigned bits[] = {
        _MM_ROUND_DOWN,
        0,
        _MM_ROUND_UP,
        0,
        _MM_ROUND_TOWARD_ZERO,
        0,
        0x40 /* denormals are zero */,
        0,
        0x8040 /* denormals are zero, and flush to zero */,
        0,
        0x8000 /* only flush to zero */,
    };

    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++)
        CHECK_OK(whorl_spawn(&group, keep_mxcsr, &bits[i]));
    CHECK_OK(whorl_group_wait(&group));
}

static uint16_t x87_control(void)
{
    uint16_t word;
    __asm__ volatile("fnstcw %0" : "=m"(word));
    return word;
}

static int keep_x87(void *arg)
{
    uint16_t word = *(uint16_t *)arg;

    CHECK_EQ(x87_control(), 0x37f);
    __asm__ volatile("fldcw %0" : : "m"(word));
    for (int i = 0; i < 3; i++) {
        CHECK_OK(whorl_yield());
        CHECK_EQ(x87_control(), word);
        CHECK_OK(whorl_sleep(1));
        CHECK_EQ(x87_control(), word);
    }
    return 0;
}

TEST_SEEDS(x87_precision_belongs_to_the_task)
{
    WHORL_AUTO(group) group = {0};
    static uint16_t words[] = {0x27f, 0x37f, 0x07f, 0x37f};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        CHECK_OK(whorl_spawn(&group, keep_x87, &words[i]));
    CHECK_OK(whorl_group_wait(&group));
}

#ifdef __GLIBC__
/* The switch must not compute an inexact result while the task wants a signal for that. */
static int unmask_all(void *arg)
{
    (void)arg;
    feclearexcept(FE_ALL_EXCEPT);
    CHECK(feenableexcept(FE_ALL_EXCEPT) >= 0);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(whorl_yield());
        CHECK_EQ(fegetexcept(), FE_ALL_EXCEPT);
        CHECK_OK(whorl_sleep(1));
        CHECK_EQ(fegetexcept(), FE_ALL_EXCEPT);
    }
    return 0;
}

static int divide_inexactly(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        /* On the x87, which keeps the exception flag. */
        volatile long double third, one = 1, three = 3;
        CHECK_EQ(fegetexcept(), 0);
        CHECK(rounds(FE_TONEAREST));
        third = one / three;
        CHECK(third > 0);
        CHECK_OK(whorl_yield());
    }
    return 0;
}

TEST_SEEDS(unmasked_exceptions_belong_to_the_task)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, divide_inexactly, NULL));
    CHECK_OK(whorl_spawn(&group, unmask_all, NULL));
    CHECK_OK(whorl_spawn(&group, divide_inexactly, NULL));
    CHECK_OK(whorl_group_wait(&group));
}
#endif
#endif

/* --- stacks ---------------------------------------------------------------------------------- */

static __attribute__((noinline)) WHORL_SUSPENDS int recurse(int depth)
{
    volatile int mine[16];

    for (int i = 0; i < 16; i++)
        mine[i] = depth * 16 + i;
    if (depth % 10 == 0)
        CHECK_OK(whorl_yield());
    int below = whorl_task_stack_left() > SPARE_STACK ? recurse(depth + 1) : depth;
    if (depth % 10 == 0)
        CHECK_OK(whorl_yield());
    for (int i = 0; i < 16; i++)
        CHECK_EQ(mine[i], depth * 16 + i);
    return below;
}

static int recurse_deeply(void *arg)
{
    int *deepest = arg;
    *deepest = recurse(0);
    return 0;
}

TEST_VIRTUAL(recursion_may_use_the_whole_stack)
{
    WHORL_AUTO(group) group = {.stack_size = 1 << 20};
    int deepest[8];

    for (int i = 0; i < 8; i++)
        CHECK_OK(whorl_spawn(&group, recurse_deeply, &deepest[i]));
    CHECK_OK(whorl_group_wait(&group));
    for (int i = 0; i < 8; i++)
        CHECK(deepest[i] > 500);
}

static WHORL_SUSPENDS int compare_yielding(const void *a, const void *b)
{
    CHECK_OK(whorl_yield());
    return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

static int sort_yielding(void *arg)
{
    WHORL_ANNOTATE("whorl_unchecked") int (*compare)(const void *, const void *) = compare_yielding;
    unsigned x = (unsigned)(uintptr_t)arg;
    int values[64];

    for (int i = 0; i < 64; i++) {
        x = x * 1664525 + 1013904223;
        values[i] = (int)(x >> 16);
    }
    qsort(values, 64, sizeof values[0], compare);
    for (int i = 1; i < 64; i++)
        CHECK(values[i - 1] <= values[i]);
    return 0;
}

TEST_SEEDS(switching_inside_a_callback_of_qsort)
{
    WHORL_AUTO(group) group = {0};

    for (uintptr_t i = 1; i <= 5; i++)
        CHECK_OK(whorl_spawn(&group, sort_yielding, (void *)i));
    CHECK_OK(whorl_group_wait(&group));
}

static int count_up(void *arg)
{
    for (int i = 0; i < 10; i++) {
        ++*(int *)arg;
        CHECK_OK(whorl_yield());
    }
    return 0;
}

TEST_VIRTUAL(many_tasks_switch)
{
    WHORL_AUTO(group) group = {0};
    int count = 0;

    for (int i = 0; i < 5000; i++)
        CHECK_OK(whorl_spawn(&group, count_up, &count));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(count, 50000);
}

static __attribute__((noinline)) int check_alignment(void *arg)
{
    char buffer[64] __attribute__((aligned(16)));
    __asm__ volatile("" : : "r"(buffer) : "memory");

    (void)arg;
    CHECK_EQ((uintptr_t)__builtin_frame_address(0) % 16, 0);
    CHECK_EQ((uintptr_t)buffer % 16, 0);
    CHECK_OK(whorl_yield());
    return 0;
}

TEST_VIRTUAL(stacks_are_aligned_as_the_abi_says)
{
    WHORL_AUTO(group) group = {0};

    for (int i = 0; i < 40; i++) { /* the records are at 16 different offsets */
        CHECK_OK(whorl_spawn(&group, check_alignment, NULL));
        CHECK_OK(whorl_spawn_copy(&group, check_alignment, &(unsigned char){0}));
        CHECK_OK(whorl_spawn_copy(&group, check_alignment, &(struct { char c[1001]; }){{0}}));
    }
    CHECK_OK(whorl_group_wait(&group));
}

static int jump_back(void *arg)
{
    jmp_buf here;
    volatile int times = 0;

    (void)arg;
    if (setjmp(here) < 3) {
        CHECK_OK(whorl_yield());
        times = times + 1;
        longjmp(here, times);
    }
    CHECK_EQ(times, 3);
    return 0;
}

TEST_SEEDS(longjmp_within_a_task_passes_switches)
{
    WHORL_AUTO(group) group = {0};

    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_spawn(&group, jump_back, NULL));
    CHECK_OK(whorl_group_wait(&group));
}

#ifdef __GLIBC__
static int trace_back(void *arg)
{
    void *frames[100];

    (void)arg;
    int n = backtrace(frames, 100);
    CHECK(n >= 1);
    CHECK(n < 30);
    CHECK_OK(whorl_yield());
    CHECK_EQ(backtrace(frames, 100), n);
    return 0;
}

TEST_VIRTUAL(backtraces_end_at_the_bottom_of_the_stack)
{
    WHORL_AUTO(group) group = {.stack_size = 1 << 20};

    CHECK_OK(trace_back(NULL));
    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_spawn(&group, trace_back, NULL));
    CHECK_OK(whorl_group_wait(&group));
}
#endif

/* --- signals --------------------------------------------------------------------------------- */

static volatile sig_atomic_t signals;
static volatile bool was_on_stack;

static void on_signal(int number)
{
    struct whorl_task *self = whorl_task_self();
    char here;

    (void)number;
    signals = signals + 1;
    was_on_stack = self && &here > (char *)self->stack_low && &here < (char *)self;
}

static int raise_one(void *arg)
{
    (void)arg;
    was_on_stack = false;
    CHECK_EQ(raise(SIGUSR1), 0);
#ifndef CONTEXT_ASAN /* ASan may put `here` elsewhere */
    CHECK(was_on_stack);
#endif
    CHECK_OK(whorl_yield());
    return 0;
}

TEST_VIRTUAL(a_signal_is_handled_on_the_stack_of_the_running_task)
{
    struct sigaction action = {.sa_handler = on_signal};
    WHORL_AUTO(group) group = {0};

    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_spawn(&group, raise_one, NULL));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(signals, 3);
}

/* Short and long arguments, which are copied in different ways. */
struct parcel {
    size_t len;
    unsigned char bytes[96];
};

struct large_parcel {
    struct parcel parcel;
    unsigned char more[800];
};

static int open_parcel(void *arg)
{
    const struct parcel *parcel = arg;
    const unsigned char *bytes = (const unsigned char *)parcel + offsetof(struct parcel, bytes);

    for (size_t i = 1; i < parcel->len; i++)
        CHECK_EQ(bytes[i], bytes[0]);
    CHECK_OK(whorl_yield());
    return 0;
}

static int bear_signals(void *arg)
{
    WHORL_AUTO(group) group = {0};
    int64_t end = whorl_after(300 * WHORL_MILLISECOND);
    struct large_parcel large;

    (void)arg;
    for (int n = 0; whorl_now() < end; n++) {
        CHECK_OK(whorl_group_wait_below(&group, 8));
        memset(&large, n, sizeof large);
        large.parcel.len = sizeof large.parcel.bytes + sizeof large.more;
        CHECK_OK(whorl_spawn_copy(&group, open_parcel, &large));
        large.parcel.len = sizeof large.parcel.bytes;
        CHECK_OK(whorl_spawn_copy(&group, open_parcel, &large.parcel));
        CHECK_OK(whorl_spawn_copy(&group, mix_values, &(int){1 + n % 7}));
    }
    return whorl_group_wait(&group);
}

TEST(signals_at_any_instant_change_nothing)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 97}, {0, 97}}, never = {{0, 0}, {0, 0}};

    CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
    CHECK_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
    CHECK_OK(whorl_run(bear_signals, NULL));
    CHECK_EQ(setitimer(ITIMER_REAL, &never, NULL), 0);
    CHECK(signals > 10);
}

TEST_MAIN()

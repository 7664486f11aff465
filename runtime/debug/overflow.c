/* SPDX-License-Identifier: MIT */
/* Stack overflow: reports which task accessed a guard, before the process ends.
 *
 * The handlers for SIGSEGV and SIGBUS are installed once per process and stay. They report an
 * access to a guard of this thread's run, and then do what would have happened without them: they
 * call the handler that the program had installed before, which may make the access possible and
 * return, or end the process. They need a signal stack, because the task's stack is full.
 *
 * A fault is reported as an overflow only if the stack pointer is near the address. Otherwise a
 * wild pointer that happens to point to a guard would be reported as an overflow. The task that
 * overflows is always the running one, even if a large frame has skipped its own guard and reached
 * the guard of another task.
 *
 * The overflow of a small stack, which has no guard, is noticed at the next switch away from the
 * task. Or it causes a fault, for example because it has damaged a pointer.
 */
#include "runtime/debug/overflow.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <whorl/text.h>

#include "runtime/debug/registers.h"
#include "runtime/sched.h"

#ifndef _SC_SIGSTKSZ
#define _SC_SIGSTKSZ (-1) /* musl does not have it; sysconf() returns -1 */
#endif

/* The program's own handler also runs on this signal stack, so the stack is large. Pages that are
 * not used take no memory. */
#define SIGNAL_STACK_SIZE 65536

/* An access that overflows a stack is at most this far below the stack pointer. Compilers may test
 * the stack before they move the pointer, and a function may use a little memory below it. */
#define BELOW_POINTER_MAX 65536
/* If the stack pointer is this far below a task's stack, it does not belong to a frame of the
 * task. */
#define FRAME_MAX ((uintptr_t)1 << 30)

/* The handlers that the program had installed before. */
static struct sigaction previous_segv, previous_bus;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The signal stack of a thread. Several embedded runs of the thread use one. */
static _Thread_local struct {
    void *memory;  /* NULL: the thread had one already, or there was no memory for it */
    unsigned runs; /* that use it */
} signal_stack;

/* Text collected for one write(2). Its functions are async-signal-safe. */
struct line {
    char text[512];
    size_t len;
};

static void add_text(struct line *line, const char *text)
{
    line->len += whorl_text_escape(text, strlen(text), line->text + line->len,
                                   sizeof line->text - line->len);
}

static void add_number(struct line *line, uint64_t number)
{
    char digits[21], *p = digits + sizeof digits - 1;

    *p = '\0';
    do
        *--p = (char)('0' + number % 10);
    while (number /= 10);
    add_text(line, p);
}

static void add_task(struct line *line, const struct whorl_task *task)
{
    add_number(line, task->id);
    add_text(line, " ");
    add_text(line, whorl_task_name(task));
    if (task->name[0] && task->site) {
        add_text(line, ", spawned as ");
        add_text(line, task->site);
    }
}

static void write_line(struct line *line)
{
    line->text[line->len++] = '\n';
    (void)!write(STDERR_FILENO, line->text, line->len);
}

static uintptr_t low_of(const struct whorl_task *task)
{
    return (uintptr_t)task->stack_low;
}

static void report_small(const struct whorl_task *task)
{
    struct line line = {.len = 0};

    add_text(&line, "whorl: stack overflow in task ");
    add_task(&line, task);
    add_text(&line, ": it has written below its small stack of ");
    add_number(&line, stack_size_of(task));
    add_text(&line, " bytes");
    write_line(&line);
}

static void report_canary(struct context *c)
{
    report_small(container_of(c, struct whorl_task, context));
}

static void report(const struct whorl_task *task, uintptr_t pointer)
{
    struct line line = {.len = 0};

    add_text(&line, "whorl: stack overflow in task ");
    add_task(&line, task);
    add_text(&line, ": its stack of ");
    add_number(&line, stack_size_of(task));
    add_text(&line, " bytes is full (high-water mark ");
    add_number(&line, stack_high_water(task));
    add_text(&line, ")");
    if (pointer && pointer + 4096 < low_of(task)) {
        add_text(&line, "; a frame ends ");
        add_number(&line, low_of(task) - pointer);
        add_text(&line, " bytes below it");
    }
    write_line(&line);
}

/* Reports that a fault may be the overflow of a stack without a guard. */
static void report_doubt(const struct sched *s)
{
    struct line line = {.len = 0};

    add_text(&line, "whorl: ");
    add_number(&line, s->stacks.unguarded);
    add_text(&line, " stacks have no guard (see vm.max_map_count), so this fault may be a stack "
                    "overflow; it is in task ");
    add_task(&line, s->current);
    write_line(&line);
}

/* Whether the fault was in another signal handler, on the signal stack. */
static bool is_nested(const ucontext_t *u, uintptr_t pointer)
{
    uintptr_t low = (uintptr_t)u->uc_stack.ss_sp;

    return pointer >= low && pointer - low < u->uc_stack.ss_size;
}

/* Whether the access to `address` has overflowed the stack of the running task. `pointer` is the
 * stack pointer; 0: not known. */
static bool is_overflow(struct sched *s, uintptr_t address, uintptr_t pointer)
{
    const struct whorl_task *task = s->current;
    bool in_guard = false;

    const struct whorl_task *at = stack_find(&s->stacks, (void *)address, &in_guard);
    if (pointer == 0)
        return at && in_guard;
    if (address + BELOW_POINTER_MAX < pointer)
        return false;
    bool below = pointer < low_of(task) && low_of(task) - pointer < FRAME_MAX;
    /* A frame that is larger than the guard may end in another guard, or in unmapped memory. */
    return (at == task && in_guard) || (below && address < low_of(task));
}

/* Calls the program's handler as the kernel would have: with its signals blocked. It runs on the
 * signal stack even if it did not ask for that. */
static void call_previous(struct sigaction *previous, int number, siginfo_t *info, void *context)
{
    struct sigaction action = *previous;
    sigset_t mask, before, self;

    if (action.sa_flags & SA_RESETHAND) {
        previous->sa_handler = SIG_DFL;
        previous->sa_flags = 0;
    }
    mask = action.sa_mask;
    pthread_sigmask(SIG_BLOCK, &mask, &before);
    if (action.sa_flags & SA_NODEFER) {
        sigemptyset(&self);
        sigaddset(&self, number);
        pthread_sigmask(SIG_UNBLOCK, &self, NULL);
    }
    if (action.sa_flags & SA_SIGINFO)
        action.sa_sigaction(number, info, context);
    else
        action.sa_handler(number);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Does what would happen without our handler. */
static void pass_on(int number, siginfo_t *info, void *context)
{
    struct sigaction *previous = number == SIGBUS ? &previous_bus : &previous_segv;
    bool is_sent = info->si_code <= 0; /* by kill(2): no access will be repeated */
    struct sigaction standard = {.sa_handler = SIG_DFL};

    if ((previous->sa_flags & SA_SIGINFO) ||
        (previous->sa_handler != SIG_DFL && previous->sa_handler != SIG_IGN)) {
        call_previous(previous, number, info, context);
        return;
    }
    if (is_sent && previous->sa_handler == SIG_IGN)
        return;
    /* The access is repeated on return and ends the process, even if the signal was ignored. */
    sigaction(number, &standard, NULL);
    if (is_sent)
        raise(number);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    struct sched *s = sched_self();

    if (s && s->current && info->si_code > 0) {
        uintptr_t pointer = registers_sp(context);
        bool nested = is_nested(context, pointer);
        const struct canary *canary = context_canary(&s->current->context);
        if (!nested && canary && !canary_is_intact(canary))
            report_small(s->current);
        else if (!nested && is_overflow(s, (uintptr_t)info->si_addr, pointer))
            report(s->current, pointer);
        else if (!nested && s->stacks.unguarded > 0)
            report_doubt(s);
    }
    pass_on(number, info, context);
}

static void install(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    canary_report_with(report_canary);
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, &previous_segv);
    sigaction(SIGBUS, &action, &previous_bus);
}

/* Gives this thread a signal stack, unless it has one. */
static void make_signal_stack(void)
{
    long wanted = sysconf(_SC_SIGSTKSZ);
    size_t size = wanted > SIGNAL_STACK_SIZE ? (size_t)wanted : SIGNAL_STACK_SIZE;
    stack_t old;

    if (sigaltstack(NULL, &old) < 0 || !(old.ss_flags & SS_DISABLE))
        return;
    signal_stack.memory = malloc(size);
    stack_t fresh = {.ss_sp = signal_stack.memory, .ss_size = size};
    if (signal_stack.memory && sigaltstack(&fresh, NULL) < 0) {
        free(signal_stack.memory);
        signal_stack.memory = NULL;
    }
}

void overflow_guard_enter(void)
{
    pthread_once(&once, install);
    if (signal_stack.runs++ == 0)
        make_signal_stack();
}

void overflow_guard_leave(void)
{
    stack_t now, off = {.ss_flags = SS_DISABLE};

    if (--signal_stack.runs > 0 || !signal_stack.memory)
        return;
    /* The program may have replaced it; then only the memory is ours. */
    bool is_ours = sigaltstack(NULL, &now) == 0 && now.ss_sp == signal_stack.memory;
    if (!is_ours || sigaltstack(&off, NULL) == 0)
        free(signal_stack.memory);
    signal_stack.memory = NULL;
}

/* SPDX-License-Identifier: MIT */
/* Stack overflow: reports which task ran into its guard page, before the process dies of it.
 *
 * The handler for SIGSEGV is installed once per process. It reports an access to a guard page of
 * this thread's run, then restores the previous handler. It needs a signal stack, because the
 * task's own stack is used up.
 */
#include "runtime/debug/overflow.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <whorl/text.h>

#include "runtime/sched.h"

#ifndef _SC_SIGSTKSZ
#define _SC_SIGSTKSZ (-1) /* musl does not have it; sysconf() returns -1 */
#endif

static struct sigaction previous;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Text collected for one write(2). Its functions are async-signal-safe. */
struct line {
    char text[256];
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

static void report(const struct whorl_task *task)
{
    struct line line = {.len = 0};

    add_text(&line, "whorl: stack overflow in task ");
    add_number(&line, task->id);
    add_text(&line, " ");
    add_text(&line, whorl_task_name(task));
    if (task->name[0] && task->site) {
        add_text(&line, ", spawned as ");
        add_text(&line, task->site);
    }
    add_text(&line, ": its stack of ");
    add_number(&line, stack_size_of(task));
    add_text(&line, " bytes is full (high-water mark ");
    add_number(&line, stack_high_water(task));
    add_text(&line, ")");
    line.text[line.len++] = '\n';
    (void)!write(STDERR_FILENO, line.text, line.len);
}

static void on_segv(int number, siginfo_t *info, void *context)
{
    struct sched *s = sched_self();
    bool in_guard = false;

    (void)context;
    if (s && info->si_code > 0) {
        struct whorl_task *task = stack_find(&s->stacks, info->si_addr, &in_guard);
        if (task && in_guard)
            report(task);
    }
    /* The access is repeated on return, and now the previous handler gets the signal. A signal that
     * was sent with kill(2) is not repeated, so raise it again. */
    sigaction(number, &previous, NULL);
    if (info->si_code <= 0)
        raise(number);
}

static void install(void)
{
    struct sigaction action = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, &previous);
}

void overflow_guard_enter(struct overflow_guard *guard)
{
    stack_t old;
    long size = sysconf(_SC_SIGSTKSZ);

    guard->stack = NULL;
    pthread_once(&once, install);
    /* Keep the signal stack that the thread already has. */
    if (sigaltstack(NULL, &old) < 0 || !(old.ss_flags & SS_DISABLE))
        return;
    guard->size = size > 16384 ? (size_t)size : 16384;
    guard->stack = malloc(guard->size);
    if (!guard->stack)
        return;
    stack_t fresh = {.ss_sp = guard->stack, .ss_size = guard->size};
    if (sigaltstack(&fresh, NULL) < 0) {
        free(guard->stack);
        guard->stack = NULL;
    }
}

void overflow_guard_leave(struct overflow_guard *guard)
{
    stack_t off = {.ss_flags = SS_DISABLE};

    if (guard->stack) {
        sigaltstack(&off, NULL);
        free(guard->stack);
    }
}

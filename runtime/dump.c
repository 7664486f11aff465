/* SPDX-License-Identifier: MIT */
/* Reports of all tasks: who they are, what they wait for, and who waits for whom in a circle. */
#include <stdio.h>
#include <string.h>

#include <whorl/trace.h>

#include "runtime/sched.h"

/* Longer circles are not looked for. */
#define CIRCLE_MAX 1000

/* A name may hold anything; a terminal should not see it. */
static void print_escaped(FILE *to, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p < 0x20 || *p == 0x7f)
            fprintf(to, "\\x%02x", *p);
        else
            putc(*p, to);
    }
}

static void print_wait(FILE *to, const struct whorl_task *task)
{
    const struct whorl_waiter *waiter = task->waiter;
    char text[192] = "";

    if (waiter->kind && waiter->kind->describe)
        waiter->kind->describe(waiter, text, sizeof text);
    print_escaped(to, text[0] ? text : task->what);
}

/* Whether a task still lives where one was, be its stack unmapped. */
static bool is_alive(struct sched *s, const struct whorl_task *task)
{
    bool in_guard;

    return stack_find(&s->stacks, task, &in_guard) == task && task->in_use;
}

const char *dump_name_of(const struct whorl_task *task)
{
    if (!task)
        return "nobody";
    return is_alive(sched_self(), task) ? whorl_task_name(task) : "a task that has ended";
}

struct printing {
    struct sched *s;
    FILE *to;
    size_t left, omitted;
};

static void print_task(struct whorl_task *task, void *ctx)
{
    struct printing *printing = ctx;
    FILE *to = printing->to;

    if (printing->left == 0) {
        printing->omitted++;
        return;
    }
    printing->left--;
    fprintf(to, "  task %llu ", (unsigned long long)task->id);
    print_escaped(to, whorl_task_name(task));
    if (task->waiter) {
        fputs(": waits for ", to);
        print_wait(to, task);
    } else {
        fputs(task == printing->s->current ? ": running" : ": ready", to);
    }
    if (task->name[0] && task->site) {
        fputs("  (spawned as ", to);
        print_escaped(to, task->site);
        putc(')', to);
    }
    putc('\n', to);
}

static struct whorl_task *holder_of(const struct whorl_task *task)
{
    const struct whorl_waiter *waiter = task->waiter;
    struct whorl_task *holder =
        waiter && waiter->kind && waiter->kind->holder ? waiter->kind->holder(waiter) : NULL;

    return holder && is_alive(sched_self(), holder) ? holder : NULL;
}

/* How many tasks one comes past when following who waits for whom from `task` leads back to it; 0 when
 * it does not, or only by a long way. Who waits for somebody in a circle without being part of it would
 * go round for ever: every so often the place is kept, and coming back to it is the end (Brent, 1980). */
static size_t circle_length(struct whorl_task *task)
{
    struct whorl_task *at = holder_of(task), *kept = NULL;
    size_t n = 1;

    while (at && at != task && at != kept && n <= CIRCLE_MAX) {
        if ((n & (n - 1)) == 0)
            kept = at;
        at = holder_of(at);
        n++;
    }
    return at == task ? n : 0;
}

/* Prints a circle once: at its task with the lowest number. */
static void print_circle(struct whorl_task *task, void *ctx)
{
    struct printing *printing = ctx;
    size_t n = circle_length(task);
    struct whorl_task *at = task;

    for (size_t i = 0; i < n; i++, at = holder_of(at))
        if (at->id < task->id)
            return;
    if (n == 0)
        return;
    fputs("whorl: these wait for each other in a circle:\n", printing->to);
    for (size_t i = 0; i < n; i++, at = holder_of(at)) {
        fputs("  ", printing->to);
        print_escaped(printing->to, whorl_task_name(at));
        fputs(" waits for ", printing->to);
        print_wait(printing->to, at);
        putc('\n', printing->to);
    }
}

void dump_tasks(struct sched *s, FILE *to, const char *title)
{
    struct printing printing = {s, to, DUMP_TASKS_MAX, 0};

    flockfile(to);
    fprintf(to, "whorl: %s (%zu task%s):\n", title, s->alive, s->alive == 1 ? "" : "s");
    stack_for_each_task(&s->stacks, print_task, &printing);
    if (printing.omitted)
        fprintf(to, "  and %zu more\n", printing.omitted);
    stack_for_each_task(&s->stacks, print_circle, &printing);
    funlockfile(to);
}

void whorl_dump_tasks(FILE *to)
{
    struct sched *s = sched_self();

    if (s)
        dump_tasks(s, to, "tasks of this run");
}

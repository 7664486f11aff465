/* SPDX-License-Identifier: MIT */
/* Reports of all tasks: their names, what each one waits for, and circles of tasks that wait for
 * each other. */
#include "runtime/debug/dump.h"

#include <stdlib.h>
#include <string.h>

#include <whorl/text.h>
#include <whorl/trace.h>

/* Longer circles are not searched for. */
#define CIRCLE_MAX 1000

/* A name may contain any bytes. They are escaped so that a terminal does not obey them. */
static void print_escaped(FILE *to, const char *text)
{
    char escaped[1024];

    whorl_text_escape(text, strlen(text), escaped, sizeof escaped);
    fputs(escaped, to);
}

static void print_wait(FILE *to, const struct whorl_task *task)
{
    const struct whorl_waiter *waiter = task->waiter;
    char text[192] = "";

    if (waiter->kind && waiter->kind->describe)
        waiter->kind->describe(waiter, text, sizeof text);
    print_escaped(to, text[0] ? text : task->what);
}

/* Whether `task` still points to a live task. Its stack may already be unmapped. */
static bool is_alive(struct sched *s, const struct whorl_task *task)
{
    bool in_guard;

    return s && stack_find(&s->stacks, task, &in_guard) == task && task->in_use;
}

const char *dump_name_of(const struct whorl_task *task)
{
    if (!task)
        return "no task";
    return is_alive(sched_self(), task) ? whorl_task_name(task) : "a task that has ended";
}

static void print_task(const struct sched *s, FILE *to, const struct whorl_task *task)
{
    fprintf(to, "  task %llu ", (unsigned long long)task->id);
    print_escaped(to, whorl_task_name(task));
    if (task->waiter) {
        fputs(": waits for ", to);
        print_wait(to, task);
    } else {
        fputs(task == s->current ? ": running" : ": ready", to);
    }
    if (task->name[0] && task->site) {
        fputs("  (spawned as ", to);
        print_escaped(to, task->site);
        putc(')', to);
    }
    putc('\n', to);
}

void dump_for_check(const struct whorl_task *task)
{
    struct sched *s = sched_self();

    if (task) {
        /* The task may belong to another thread's run. Its wait can be described only with that run
         * as the current one. This is safe, because the process is about to end. */
        sched_of_thread = task->sched;
        print_task(task->sched, stderr, task);
        sched_of_thread = s;
    } else if (!s) {
        fputs("  on a thread without a run\n", stderr);
    } else if (!s->current) {
        fputs("  in the loop of a run, outside tasks\n", stderr);
    } else {
        print_task(s, stderr, s->current);
    }
}

struct whorl_task *dump_holder_of(const struct whorl_task *task)
{
    const struct whorl_waiter *waiter = task->waiter;
    struct whorl_task *holder =
        waiter && waiter->kind && waiter->kind->holder ? waiter->kind->holder(waiter) : NULL;

    return holder && is_alive(sched_self(), holder) ? holder : NULL;
}

/* Follows the tasks that hold up `task`: the holder of its wait, the holder of that task's wait,
 * and so on. Returns the length of the circle when this leads back to `task`; 0 when it does not,
 * or only after more than CIRCLE_MAX steps. A task that waits for a circle without being part of it
 * would be followed for ever, so the position is noted after 1, 2, 4, ... steps, and reaching the
 * noted position again ends the search (Brent, 1980). */
size_t dump_circle_length(struct whorl_task *task)
{
    struct whorl_task *at = dump_holder_of(task), *kept = NULL;
    size_t n = 1;

    while (at && at != task && at != kept && n <= CIRCLE_MAX) {
        if ((n & (n - 1)) == 0)
            kept = at;
        at = dump_holder_of(at);
        n++;
    }
    return at == task ? n : 0;
}

void dump_circle(FILE *to, const char *title, struct whorl_task *task, size_t length)
{
    fprintf(to, "whorl: %s:\n", title);
    for (size_t i = 0; i < length; i++, task = dump_holder_of(task)) {
        fputs("  ", to);
        print_escaped(to, whorl_task_name(task));
        fputs(" waits for ", to);
        print_wait(to, task);
        putc('\n', to);
    }
}

/* Prints each circle once: when `task` is the task with the lowest id in it. */
static void print_circle(FILE *to, struct whorl_task *task)
{
    size_t n = dump_circle_length(task);
    struct whorl_task *at = task;

    for (size_t i = 0; i < n; i++, at = dump_holder_of(at))
        if (at->id < task->id)
            return;
    if (n > 0)
        dump_circle(to, "these wait for each other in a circle", task, n);
}

struct list {
    struct whorl_task **tasks;
    size_t len, max;
};

static void add(struct whorl_task *task, void *ctx)
{
    struct list *list = ctx;

    if (list->len < list->max)
        list->tasks[list->len++] = task;
}

static int by_id(const void *a, const void *b)
{
    const struct whorl_task *x = *(struct whorl_task *const *)a,
                            *y = *(struct whorl_task *const *)b;
    return (x->id > y->id) - (x->id < y->id);
}

void dump_tasks(struct sched *s, FILE *to, const char *title)
{
    struct list list = {malloc(s->alive * sizeof(struct whorl_task *)), 0, s->alive};

    flockfile(to);
    fprintf(to, "whorl: %s (%zu task%s):\n", title, s->alive, s->alive == 1 ? "" : "s");
    if (list.tasks) {
        stack_for_each_task(&s->stacks, add, &list);
        qsort(list.tasks, list.len, sizeof *list.tasks, by_id);
    } else if (s->alive > 0) {
        fputs("  (no memory to list them)\n", to);
    }
    for (size_t i = 0; i < list.len && i < DUMP_TASKS_MAX; i++)
        print_task(s, to, list.tasks[i]);
    if (list.len > DUMP_TASKS_MAX)
        fprintf(to, "  and %zu more\n", list.len - DUMP_TASKS_MAX);
    if (s->stacks.unguarded > 0)
        fprintf(to, "  %zu stacks have no guard, so an overflow of theirs is not found\n",
                s->stacks.unguarded);
    for (size_t i = 0; i < list.len; i++)
        print_circle(to, list.tasks[i]);
    funlockfile(to);
    free(list.tasks);
}

void whorl_run_dump_tasks(FILE *to)
{
    struct sched *s = sched_self();

    if (s)
        dump_tasks(s, to, "tasks of this run");
}

/* SPDX-License-Identifier: MIT */
/* The report of all tasks: who they are and what they wait for. */
#include <stdio.h>

#include "runtime/sched.h"

/* A name may hold anything; a terminal should not see it. */
static void print_escaped(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p < 0x20 || *p == 0x7f)
            fprintf(stderr, "\\x%02x", *p);
        else
            putc(*p, stderr);
    }
}

static void print_task(struct whorl_task *task, void *ctx)
{
    struct sched *s = ctx;

    fprintf(stderr, "  task %llu ", (unsigned long long)task->id);
    print_escaped(whorl_task_name(task));
    if (task->waiter)
        fprintf(stderr, ": waits for %s\n", task->what);
    else
        fprintf(stderr, ": %s\n", task == s->current ? "running" : "ready");
}

void dump_tasks(struct sched *s, const char *title)
{
    flockfile(stderr);
    fprintf(stderr, "whorl: %s (%zu task%s):\n", title, s->alive, s->alive == 1 ? "" : "s");
    stack_for_each_task(&s->stacks, print_task, s);
    funlockfile(stderr);
}

/* SPDX-License-Identifier: MIT */
/* A task turns the spinner on the same thread, whenever the slow one waits. When that blocks the thread
 * instead, nobody else runs; the watchdog, a thread, sees it and names it. */
#include <whorl.h>

#include "../timeline.h"
#include "spinner.h"

enum { WATCHDOG_MS = 100 };

struct slow {
    struct spinner *spinner;
    int ms, answer;
    whorl_task_fn find;
};

static int turn(void *arg)
{
    int err = 0;

    while (err == 0) {
        spinner_turn(arg);
        err = whorl_sleep(SPINNER_FRAME_MS * WHORL_MILLISECOND);
    }
    return err; /* always cancelled in the end: a task can be */
}

/* Waits as tasks do: the spinner turns. */
static int find_waiting(void *arg)
{
    struct slow *slow = arg;
    int err = whorl_sleep(slow->ms * WHORL_MILLISECOND);

    slow->answer = SPINNER_ANSWER;
    return err;
}

/* Wrong: a call that blocks holds up every task of the thread. */
static int find_blocking(void *arg)
{
    struct slow *slow = arg;

    slow->answer = spinner_find_answer(slow->ms);
    return 0;
}

/* Right: such a call goes to a thread of the pool. */
static int find_offloaded(void *arg)
{
    return whorl_offload_run(NULL, find_blocking, arg);
}

/* In any case it waits properly for the first half of its time, so that the spinner gets going. */
static int find(void *arg)
{
    struct slow *slow = arg;
    int half_ms = slow->ms / 2;
    int err = whorl_sleep(half_ms * WHORL_MILLISECOND);

    slow->ms -= half_ms;
    return err ? err : slow->find(slow);
}

static int root(void *arg)
{
    struct slow *slow = arg;
    WHORL_AUTO(group) turning = {0}, finding = {0};

    timeline_watch_tasks(slow->spinner->timeline);
    int err = whorl_spawn_with(&turning, turn, slow->spinner,
                               &(struct whorl_spawn_options){.name = "spinner"});
    if (err == 0)
        err = whorl_spawn_with(&finding, find, slow, &(struct whorl_spawn_options){.name = "slow"});
    return err ? err : whorl_group_wait(&finding); /* leaving cancels the spinner */
}

static int run(struct spinner *spinner, int slow_ms, whorl_task_fn find_fn)
{
    struct whorl_io_options options = {.run.watchdog_ns = WATCHDOG_MS * WHORL_MILLISECOND};
    struct slow slow = {spinner, slow_ms, 0, find_fn};
    int err = whorl_io_run_with(&options, NULL, root, &slow);

    return err ? err : slow.answer;
}

int spinner_task(struct spinner *spinner, int slow_ms)
{
    return run(spinner, slow_ms, find_waiting);
}

int spinner_blocked(struct spinner *spinner, int slow_ms)
{
    return run(spinner, slow_ms, find_blocking);
}

int spinner_offloaded(struct spinner *spinner, int slow_ms)
{
    return run(spinner, slow_ms, find_offloaded);
}

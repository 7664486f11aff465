/* SPDX-License-Identifier: MIT */
/* A task turns the spinner on the same thread while the slow task waits. If the slow task blocks
 * the thread, no other task runs. The watchdog is a thread, so it sees this and reports the
 * task. */
#include <whorl.h>

#include "../timeline.h"
#include "answer.h"
#include "spinner.h"
#include "ways.h"

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
    return err; /* always -ECANCELED, because only cancellation ends the loop */
}

/* Suspends as tasks should, so the spinner turns. */
static int find_waiting(void *arg)
{
    struct slow *slow = arg;
    int err = whorl_sleep(slow->ms * WHORL_MILLISECOND);

    slow->answer = ANSWER;
    return err;
}

/* Wrong: a call that blocks stops every task of the thread. */
static int find_blocking(void *arg)
{
    struct slow *slow = arg;

    slow->answer = answer_find(slow->ms);
    return 0;
}

/* Right: the call runs on a thread of the pool. */
static int find_offloaded(void *arg)
{
    return whorl_offload_run(NULL, find_blocking, arg);
}

/* Suspends for the first half of the time in every way, so that the spinner starts to turn. */
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
    return err ? err : whorl_group_wait(&finding); /* leaving the block cancels the spinner */
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

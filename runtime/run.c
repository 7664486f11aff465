/* SPDX-License-Identifier: MIT */
/* Runs: sets up a scheduler, runs its loop, and releases everything. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/run.h>
#include <whorl/step.h>

#include "runtime/base/check.h"
#include "runtime/base/debug.h"
#include "runtime/base/forks.h"
#include "runtime/base/run_id.h"
#include "runtime/debug/dump.h"
#include "runtime/debug/overflow.h"
#include "runtime/debug/trace_file.h"
#include "runtime/debug/watchdog.h"
#include "runtime/group.h"
#include "runtime/loop.h"
#include "runtime/poller_idle.h"
#include "runtime/poller_virtual.h"
#include "runtime/runner.h"
#include "runtime/sched.h"
#include "runtime/scope.h"
#include "runtime/task.h"

#ifdef CONTEXT_SANITIZED
#define STACK_SCALE 4 /* instrumented frames are about four times as large */
#else
#define STACK_SCALE 1
#endif
#define STACK_SIZE      (65536 * STACK_SCALE)
#define ROOT_STACK_SIZE (262144 * STACK_SCALE)

/* Makes a run the current one of this thread; NULL: none. */
static void set_current(struct sched *s)
{
    sched_of_thread = s;
    run_id_of_thread = s ? s->id.number : 0;
}

static void adopt_thread(struct context *c)
{
    void *low = NULL;
    size_t size = 0;
#ifdef CONTEXT_SANITIZED
    pthread_attr_t attr;
    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
        pthread_attr_getstack(&attr, &low, &size);
        pthread_attr_destroy(&attr);
    }
#endif
    shadow_adopt(&c->shadow, low, size);
    context_inherit_fp(c, NULL);
}

static size_t guarded(size_t asked, size_t otherwise)
{
    return asked ? stack_guarded_size(asked) : otherwise;
}

static struct sched *sched_create(struct whorl_poller *poller,
                                  const struct whorl_run_options *options)
{
    struct sched *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->poller = poller;
    s->depth = forks_watch();
    if (options)
        s->options = *options;
    s->options.stack_size = s->options.small_stack_size
                                ? s->options.small_stack_size
                                : guarded(s->options.stack_size, STACK_SIZE);
    s->options.root_stack_size = guarded(s->options.root_stack_size, ROOT_STACK_SIZE);
    s->turn = SCHED_TURN_FIRST;
    if (sched_reserve(s) < 0) {
        free(s);
        return NULL;
    }
    s->began_ns = s->turn_began_ns = poller->ops->now(poller);
    debug_report_unknown();
    s->checks = debug_has("check", NULL);
    if (s->checks)
        __atomic_store_n(&run_id_checks, true, __ATOMIC_RELAXED);
    check_report_tasks_with(dump_for_check);
    run_id_begin(&s->id);
    timer_wheel_init(&s->wheel, s->turn_began_ns);
    stack_pool_init(&s->stacks);
    s->stacks.checks = s->checks;
    if (s->options.guard_size)
        s->stacks.guard_size = stack_guard_size(s->options.guard_size);
    adopt_thread(&s->loop_context);
    s->root_scope.deadline_ns = WHORL_FOREVER;
    scope_open(&s->root_scope, NULL, NULL);
    s->daemons.policy = WHORL_GROUP_COLLECT;
    group_open(&s->daemons, NULL, NULL);
    return s;
}

static void sched_destroy(struct sched *s)
{
    run_id_end(&s->id);
    stack_pool_finish(&s->stacks);
    free(s->ready);
    free(s);
}

/* A virtual clock does not move while tasks run, so the watchdog would have nothing to measure. */
static struct watchdog *start_watchdog(struct sched *s)
{
    int64_t threshold_ns = s->options.watchdog_ns;
    long ms;

    if (threshold_ns <= 0 && debug_has("watchdog", &ms))
        threshold_ns = (ms > 0 ? ms : 100) * WHORL_MILLISECOND;
    return threshold_ns > 0 && !s->poller->ops->virtual_time ? watchdog_start(s, threshold_ns)
                                                             : NULL;
}

static void root_ended(struct sched *s, struct whorl_task *task, int result)
{
    (void)task;
    s->root = NULL;
    s->root_result = result;
}

/* Creates a scheduler whose root task is ready. */
static int prepare(struct whorl_poller *poller, const struct whorl_run_options *options,
                   uint64_t seed, whorl_task_fn fn, void *arg, struct sched **ret)
{
    if (sched_self())
        return WHORL_EBUSYRUN;
    if (options && (options->guard_size > STACK_GUARD_SIZE_MAX ||
                    !stack_small_is_valid(options->small_stack_size)))
        return -EINVAL;
    struct sched *s = sched_create(poller, options);
    if (!s)
        return -ENOMEM;
    if (seed) {
        s->random = seed;
        s->turn = 1; /* every switch goes through the loop, which picks the next task at random */
    }
    s->root = task_create(s, s->options.root_stack_size, fn, arg, 0);
    if (!s->root) {
        sched_destroy(s);
        return -ENOMEM;
    }
    s->root->scope = &s->root_scope;
    s->root_scope.owner = s->root;
    s->root->group = NULL;
    s->root->ended = root_ended;
    s->root->site = "root";
    sched_ready(s, s->root);
    trace_file_start(s);
    *ret = s;
    return 0;
}

static int run(struct whorl_poller *poller, const struct whorl_run_options *options, uint64_t seed,
               whorl_task_fn fn, void *arg)
{
    struct sched *s;

    int err = prepare(poller, options, seed, fn, arg, &s);
    if (err)
        return err;
    overflow_guard_enter();
    set_current(s);
    struct watchdog *watchdog = start_watchdog(s);
    int result = loop_run(s);
    watchdog_stop(watchdog);
    whorl_offload_destroy(s->offload);
    runner_shut(s);
    set_current(NULL);
    overflow_guard_leave();
    sched_destroy(s);
    return result;
}

int whorl_run_on(struct whorl_poller *poller, const struct whorl_run_options *options,
                 whorl_task_fn fn, void *arg)
{
    return run(poller, options, 0, fn, arg);
}

int whorl_run(whorl_task_fn fn, void *arg)
{
    return whorl_run_with(NULL, fn, arg);
}

int whorl_run_with(const struct whorl_run_options *options, whorl_task_fn fn, void *arg)
{
    struct poller_idle poller;

    int err = poller_idle_init(&poller);
    if (err)
        return err;
    err = run(&poller.poller, options, 0, fn, arg);
    poller_idle_finish(&poller);
    return err;
}

int whorl_run_virtual(const struct whorl_virtual_options *options, whorl_task_fn fn, void *arg)
{
    struct poller_virtual poller;

    int err = poller_virtual_init(&poller, options ? options->start_ns : 0);
    if (err)
        return err;
    err = run(&poller.poller, options ? &options->run : NULL, options ? options->seed : 0, fn, arg);
    poller_virtual_finish(&poller);
    return err;
}

/* --- by steps, see step.h --------------------------------------------------------------------- */

struct whorl_stepped {
    struct sched *sched;
    struct watchdog *watchdog; /* between steps it sees that no task runs */
    bool ended;
};

int whorl_stepped_create(struct whorl_poller *poller, const struct whorl_run_options *options,
                         whorl_task_fn fn, void *arg, struct whorl_stepped **ret)
{
    struct whorl_stepped *run = calloc(1, sizeof *run);

    if (!run)
        return -ENOMEM;
    int err = prepare(poller, options, 0, fn, arg, &run->sched);
    if (err) {
        free(run);
        return err;
    }
    overflow_guard_enter();
    run->watchdog = start_watchdog(run->sched);
    *ret = run;
    return 0;
}

bool whorl_stepped_run(struct whorl_stepped *run, unsigned turns, int *ret_result)
{
    set_current(run->sched);
    run->ended = loop_step(run->sched, turns, ret_result);
    set_current(NULL);
    return run->ended;
}

int64_t whorl_stepped_deadline(const struct whorl_stepped *run)
{
    return loop_deadline(run->sched);
}

void whorl_stepped_destroy(struct whorl_stepped *run)
{
    if (!run)
        return;
    struct sched *s = run->sched;
    set_current(s);
    if (!run->ended && forks_copied(s->depth)) {
        stack_pool_forget_tasks(&s->stacks);
    } else if (!run->ended) {
        s->turn_began_ns = s->poller->ops->now(s->poller); /* the host's time is no task's time */
        whorl_scope_cancel(&s->root_scope);
        loop_run(s);
    }
    watchdog_stop(run->watchdog);
    whorl_offload_destroy(s->offload);
    runner_shut(s);
    set_current(NULL);
    overflow_guard_leave();
    sched_destroy(s);
    free(run);
}

int whorl_run_get_stats(struct whorl_run_stats *ret)
{
    struct sched *s = sched_self();

    if (!s)
        return WHORL_ENOTASK;
    *ret = (struct whorl_run_stats){
        .switches = s->switches + (uint32_t)(s->ready_head - s->turn_start),
        .spawned = s->spawned,
        .polls = s->polls,
        .turns = s->turns,
        .tasks_alive = s->alive,
        .tasks_ready = sched_ready_count(s),
        .timers_armed = s->wheel.armed,
        .stacks_mapped = s->stacks.mapped,
        .stacks_free = s->stacks.free,
        .stacks_unguarded = s->stacks.unguarded,
    };
    return 0;
}

void whorl_run_trim(void)
{
    struct sched *s = sched_self();

    if (s) {
        stack_pool_trim(&s->stacks, whorl_now(), 0);
        sched_trim(s);
    }
}

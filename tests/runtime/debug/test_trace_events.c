/* SPDX-License-Identifier: MIT */
/* The events that observers of a run get, as strings: "12 boss waits:group" is 12 ns after the
 * start. */
#include <signal.h>
#include <stdlib.h>

#include <whorl/chan.h>
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/step.h>
#include <whorl/sync.h>
#include <whorl/trace.h>

#include "child.h"
#include "faults.h"
#include "runtime/poller_virtual.h"
#include "test.h"

static const char *const verbs[] = {"spawned", "runs",       "yields",     "waits",
                                    "ends",    "loop-waits", "loop-wakes", "run-ends"};

static void note(void *arg, const struct whorl_trace_event *e)
{
    char whose[64] = "", more[64] = "";

    if (e->task)
        snprintf(whose, sizeof whose, "%s%d ", whorl_task_name(e->task)[0] == 'r' ? "r" : "t",
                 (int)whorl_task_id(e->task));
    if (e->what)
        snprintf(more, sizeof more, ":%s", e->what);
    if (e->by)
        snprintf(more, sizeof more, ":by%d", (int)whorl_task_id(e->by));
    if (e->result)
        snprintf(more, sizeof more, ":%s", whorl_error_name(e->result));
    test_log("%s%d %s%s%s,", (const char *)arg, (int)e->at_ns, whose, verbs[e->kind], more);
}

/* Logs the events of a virtual run with `fn` as its root task. */
static int observe(whorl_task_fn fn, const struct whorl_virtual_options *options)
{
    test_log_clear();
    return whorl_run_virtual(options, fn, NULL);
}

static int sleep_10(void *arg)
{
    (void)arg;
    return whorl_sleep(10);
}

static int fail_at_once(void *arg)
{
    (void)arg;
    return -EPIPE;
}

static int two_children(void *arg)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    (void)arg;
    CHECK_OK(whorl_trace_start(note, ""));
    CHECK_OK(whorl_spawn(&group, sleep_10, NULL));
    CHECK_OK(whorl_spawn(&group, fail_at_once, NULL));
    CHECK_OK(whorl_yield());
    return whorl_group_wait(&group);
}

TEST(trace_tells_what_each_task_does)
{
    CHECK_ERR(observe(two_children, NULL), -EPIPE);
    CHECK_STR(test_logged(),
              "0 r1 spawned, 0 r1 runs, 0 t2 spawned:by1, 0 t3 spawned:by1, 0 r1 yields, "
              "0 t2 runs, 0 t2 waits:sleep, 0 t3 runs, 0 t3 ends:EPIPE, 0 r1 runs, "
              "0 r1 waits:group, 0 loop-waits, 10 loop-wakes, 10 t2 runs, 10 t2 ends, "
              "10 r1 runs, 10 r1 ends:EPIPE, 10 run-ends:EPIPE,");
}

static int yield_alone(void *arg)
{
    (void)arg;
    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_trace_start(note, ""));
    CHECK_OK(whorl_yield());
    return 0;
}

TEST(trace_tells_of_a_task_that_yields_to_nobody)
{
    CHECK_OK(observe(yield_alone, NULL));
    CHECK_STR(test_logged(),
              "0 r1 spawned, 0 r1 runs, 0 r1 yields, 0 r1 runs, 0 r1 ends, 0 run-ends,");
}

static int start_late(void *arg)
{
    WHORL_AUTO(group) group = {0};

    (void)arg;
    CHECK_OK(whorl_spawn(&group, sleep_10, NULL));
    CHECK_OK(whorl_sleep(5));
    CHECK_OK(whorl_spawn(&group, sleep_10, NULL));
    CHECK_OK(whorl_trace_start(note, ""));
    CHECK_OK(whorl_sleep(1));
    whorl_trace_stop(note, "other");
    whorl_trace_stop(note, "");
    whorl_trace_stop(note, "");
    return whorl_group_wait(&group);
}

/* The order of the reported tasks is the order of their stacks, and does not matter. */
TEST(trace_begun_late_tells_of_the_tasks_that_are_there)
{
    CHECK_OK(observe(start_late, NULL));
    CHECK(strstr(test_logged(), "5 r1 spawned, 5 r1 runs,"));
    CHECK(strstr(test_logged(), "5 t2 spawned, 5 t2 waits:sleep,"));
    CHECK(strstr(test_logged(), "5 t3 spawned,"));
    const char *then = strstr(test_logged(), "5 r1 waits:sleep");
    CHECK_STR(then, "5 r1 waits:sleep, 5 t3 runs, 5 t3 waits:sleep, 5 loop-waits, "
                    "6 loop-wakes, 6 r1 runs,");
}

static int observe_twice(void *arg)
{
    (void)arg;
    CHECK_OK(whorl_trace_start(note, "a"));
    CHECK_OK(whorl_trace_start(note, "b"));
    CHECK_OK(whorl_yield());
    whorl_trace_stop(note, "a");
    return 0;
}

static int stop_among_ready_ones(void *arg)
{
    WHORL_AUTO(group) group = {0};

    (void)arg;
    CHECK_OK(whorl_trace_start(note, ""));
    CHECK_OK(whorl_yield()); /* from here the turn runs one task at a time */
    CHECK_OK(whorl_spawn(&group, sleep_10, NULL));
    CHECK_OK(whorl_spawn(&group, sleep_10, NULL));
    whorl_trace_stop(note, "");
    return whorl_group_wait(&group);
}

TEST(trace_ends_in_the_middle_of_a_turn)
{
    CHECK_OK(observe(stop_among_ready_ones, NULL));
    CHECK_STR(test_logged(), "0 r1 spawned, 0 r1 runs, 0 r1 yields, 0 r1 runs, "
                             "0 t2 spawned:by1, 0 t3 spawned:by1,");
}

TEST(trace_may_have_several_observers)
{
    CHECK_OK(observe(observe_twice, NULL));
    CHECK_STR(test_logged(),
              "a0 r1 spawned, a0 r1 runs, b0 r1 spawned, b0 r1 runs, a0 r1 yields, b0 r1 yields, "
              "a0 r1 runs, b0 r1 runs, b0 r1 ends, b0 run-ends,");
}

static int wait_forever(void *arg)
{
    struct whorl_event event = {0};

    (void)arg;
    CHECK_OK(whorl_trace_start(note, ""));
    return whorl_event_wait(&event);
}

TEST(trace_tells_of_a_deadlock)
{
    CHECK_ERR(observe(wait_forever, &(struct whorl_virtual_options){.run.quiet = true}), -EDEADLK);
    CHECK_STR(test_logged(), "0 r1 spawned, 0 r1 runs, 0 r1 waits:event, 0 r1 runs, "
                             "0 r1 ends:ECANCELED, 0 run-ends:EDEADLK,");
}

static int daemon_of_the_run(void *arg)
{
    (void)arg;
    return whorl_sleep_until(WHORL_FOREVER);
}

static int leave_a_daemon(void *arg)
{
    (void)arg;
    CHECK_OK(whorl_trace_start(note, ""));
    CHECK_OK(whorl_spawn(whorl_root_group(), daemon_of_the_run, NULL));
    return whorl_yield();
}

TEST(trace_tells_of_daemons_to_their_end)
{
    CHECK_OK(observe(leave_a_daemon, NULL));
    CHECK_STR(
        test_logged(),
        "0 r1 spawned, 0 r1 runs, 0 t2 spawned:by1, 0 r1 yields, 0 t2 runs, 0 t2 waits:sleep, "
        "0 r1 runs, 0 r1 ends, 0 t2 runs, 0 t2 ends:ECANCELED, 0 run-ends,");
}

/* --- what is observed is what would have been ------------------------------------------------- */

static bool observed;

static void ignore(void *arg, const struct whorl_trace_event *e)
{
    (void)e;
    ++*(long *)arg;
}

static int yield_and_log(void *arg)
{
    for (int i = 0; i < 5; i++) {
        test_log("%s", (const char *)arg);
        CHECK_OK(i % 2 ? whorl_sleep(i) : whorl_yield());
    }
    return 0;
}

static int interleave(void *arg)
{
    WHORL_AUTO(group) group = {0};

    if (observed)
        CHECK_OK(whorl_trace_start(ignore, arg));
    for (int i = 0; i < 300; i++)
        CHECK_OK(whorl_spawn(&group, yield_and_log, i % 3 ? i % 3 == 1 ? "a" : "b" : "c"));
    return whorl_group_wait(&group);
}

/* With more tasks than a turn has switches, in FIFO and in random order. */
TEST(trace_leaves_the_order_of_tasks_alone)
{
    static char before[1 << 14];

    for (uint64_t seed = 0; seed < 4; seed++) {
        struct whorl_virtual_options options = {.seed = seed};
        long events = 0;
        for (int round = 0; round < 2; round++) {
            observed = round;
            test_log_clear();
            CHECK_OK(whorl_run_virtual(&options, interleave, &events));
            if (round == 0)
                snprintf(before, sizeof before, "%s", test_logged());
        }
        CHECK_EQ(strlen(before), 2 * 1500 - 1);
        CHECK_STR(test_logged(), before);
        CHECK_EQ(events,
                 /* Events of the root, the tasks, the loop, the run. */
                 observed * (5 + 300 * (2 + 2 * 5 + 1) + 4 + 1));
    }
}

/* --- runs by steps ---------------------------------------------------------------------------- */

static int sleep_and_end(void *arg)
{
    CHECK_OK(whorl_trace_start(note, arg));
    CHECK_OK(whorl_sleep(10));
    return 0;
}

TEST(trace_of_a_run_by_steps_waits_while_its_host_has_the_thread)
{
    struct poller_virtual poller;
    struct whorl_stepped *run;
    int result = -1;

    CHECK_OK(poller_virtual_init(&poller, 0));
    CHECK_OK(whorl_stepped_create(&poller.poller, NULL, sleep_and_end, "", &run));
    CHECK(!whorl_stepped_run(run, 4, &result));
    CHECK(!whorl_stepped_run(run, 4, &result)); /* before the task's deadline */
    poller.now_ns = 10;
    while (!whorl_stepped_run(run, 4, &result))
        ;
    CHECK_OK(result);
    whorl_stepped_destroy(run);
    poller_virtual_finish(&poller);
    CHECK_STR(test_logged(), "0 r1 spawned, 0 r1 runs, 0 r1 waits:sleep, 0 loop-waits, "
                             "10 loop-wakes, 10 r1 runs, 10 r1 ends, 10 run-ends,");
}

/* --- failures --------------------------------------------------------------------------------- */

static int start_and_stop(void *arg)
{
    int err = whorl_trace_start(note, arg);

    if (err == 0)
        err = whorl_trace_start(note, "again");
    test_log_clear();
    return err;
}

static int run_observed(void *arg)
{
    long blocks = faults_live();
    int err = whorl_run_virtual(NULL, start_and_stop, arg);

    CHECK_EQ(faults_live(), blocks);
    return err;
}

TEST(trace_that_cannot_start_says_so_and_leaves_nothing)
{
    CHECK(faults_sweep(run_observed, "") >= 3 + 3);
}

static void stop_inside(void *arg, const struct whorl_trace_event *e)
{
    (void)e;
    whorl_trace_stop(stop_inside, arg);
}

static void start_inside(void *arg, const struct whorl_trace_event *e)
{
    (void)e;
    CHECK_OK(whorl_trace_start(note, arg));
}

static int observe_and_yield(void *arg)
{
    CHECK_OK(whorl_trace_start(*(whorl_trace_fn *)arg, arg));
    return whorl_yield();
}

static void run_observer(void *arg)
{
    test_ignore(whorl_run_virtual(NULL, observe_and_yield, arg));
}

TEST(observers_that_start_or_stop_observing_abort_with_a_word_why)
{
    whorl_trace_fn fns[] = {stop_inside, start_inside};

    for (int i = 0; i < 2; i++) {
        struct child child;
        child_run(&child, run_observer, &fns[i]);
        CHECK_EQ(child.signal, SIGABRT);
        CHECK(strstr(child.err, "an observer must not start or stop observing"));
    }
}

TEST(trace_outside_a_run_is_refused)
{
    CHECK_ERR(whorl_trace_start(note, ""), WHORL_ENOTASK);
    whorl_trace_stop(note, "");
}

TEST_MAIN()

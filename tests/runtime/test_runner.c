/* SPDX-License-Identifier: MIT */
/* Runners: other threads post, wake and send into a run, and the run ends meanwhile. */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <whorl/chan.h>
#include <whorl/group.h>
#include <whorl/offload.h>
#include <whorl/run.h>
#include <whorl/runner.h>
#include <whorl/scope.h>
#include <whorl/sync.h>

#include "child.h"
#include "faults.h"
#include "test.h"

#define TEST_REAL(name)                         \
    static int root_##name(void *unused);       \
    TEST(name)                                  \
    {                                           \
        CHECK_OK(whorl_run(root_##name, NULL)); \
    }                                           \
    static int root_##name(void *unused __attribute__((unused)))

static pthread_t start(void *(*fn)(void *arg), void *arg)
{
    pthread_t thread;
    CHECK_OK(pthread_create(&thread, NULL, fn, arg));
    return thread;
}

static struct whorl_runner *acquire(void)
{
    struct whorl_runner *runner = NULL;
    CHECK_OK(whorl_runner_acquire(&runner));
    return runner;
}

TEST(runner_outside_a_run_is_refused)
{
    struct whorl_runner *runner = NULL;

    CHECK_ERR(whorl_runner_acquire(&runner), WHORL_ENOTASK);
    CHECK(!runner);
    whorl_runner_release_remote(NULL);
}

static int hold_and_wait(void *arg)
{
    struct whorl_event never = {0};

    (void)arg;
    {
        WHORL_AUTO(runner) *runner = NULL;
        CHECK_OK(whorl_runner_acquire(&runner));
    }
    return whorl_event_wait(&never);
}

TEST(a_runner_is_released_when_its_block_is_left)
{
    struct whorl_virtual_options options = {.run.quiet = true};

    /* The deadlock would not be noticed if the handle still existed. */
    CHECK_ERR(whorl_run_virtual(&options, hold_and_wait, NULL), -EDEADLK);
}

/* --- posting ---------------------------------------------------------------------------------- */

#define THREADS 8
#define POSTS   10000

struct poster {
    struct whorl_runner *runner;
    struct whorl_wait_group *wait_group;
    int posted, seen;
    struct number {
        struct poster *poster;
        int number;
    } numbers[POSTS];
};

static void see(void *arg)
{
    struct number *n = arg;

    CHECK_EQ(n->poster->seen, n->number); /* in the order of posting */
    if (++n->poster->seen == POSTS)
        whorl_wait_group_done(n->poster->wait_group);
}

static void *post_all(void *arg)
{
    struct poster *p = arg;

    for (int i = 0; i < POSTS; i++) {
        p->numbers[i] = (struct number){p, i};
        CHECK_OK(whorl_runner_post_remote(p->runner, see, &p->numbers[i]));
    }
    whorl_runner_release_remote(p->runner);
    return NULL;
}

TEST_REAL(runner_calls_what_many_threads_post_in_each_ones_order)
{
    struct poster *posters = calloc(THREADS, sizeof *posters);
    struct whorl_wait_group wait_group = {.count = THREADS};
    pthread_t threads[THREADS];

    CHECK(posters != NULL);
    for (int i = 0; i < THREADS; i++) {
        posters[i].runner = acquire();
        posters[i].wait_group = &wait_group;
        threads[i] = start(post_all, &posters[i]);
    }
    CHECK_OK(whorl_wait_group_wait(&wait_group));
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    free(posters);
    return 0;
}

static int log_and_end(void *arg)
{
    test_log("%s", (const char *)arg);
    return 0;
}

static struct whorl_event posted_event;

static void spawn_and_set(void *arg)
{
    CHECK(!whorl_task_self());
    CHECK_OK(whorl_spawn(whorl_root_group(), log_and_end, arg));
    whorl_event_set(&posted_event);
}

static void *post_spawn(void *arg)
{
    CHECK_OK(whorl_runner_post_remote(arg, spawn_and_set, "daemon"));
    return NULL;
}

TEST_REAL(runner_calls_may_spawn_and_wake)
{
    struct whorl_runner *runner = acquire();
    pthread_t thread = start(post_spawn, runner);

    CHECK_OK(whorl_event_wait(&posted_event));
    CHECK_OK(whorl_yield());
    CHECK_STR(test_logged(), "daemon");
    pthread_join(thread, NULL);
    whorl_runner_release_remote(runner);
    return 0;
}

/* --- waking ----------------------------------------------------------------------------------- */

struct remote {
    struct whorl_runner *runner;
    struct whorl_waiter waiter;
    struct whorl_chan *chan;
    useconds_t delay;
    int value, err, count;
    atomic_bool finished;
};

static void *wake_soon(void *arg)
{
    struct remote *r = arg;

    usleep(r->delay);
    CHECK_OK(whorl_runner_wake_remote(r->runner, &r->waiter, 77));
    return NULL;
}

static enum whorl_abort cannot_withdraw(struct whorl_waiter *waiter)
{
    (void)waiter;
    return WHORL_ABORT_PENDING;
}

TEST_REAL(runner_wakes_a_waiter)
{
    for (useconds_t delay = 0; delay <= 5000; delay += 1000) {
        struct remote r = {.runner = acquire(), .delay = delay};
        pthread_t thread = start(wake_soon, &r);
        CHECK_EQ(whorl_park(&r.waiter, cannot_withdraw, "remote"), 77);
        pthread_join(thread, NULL);
        whorl_runner_release_remote(r.runner);
    }
    return 0;
}

TEST_REAL(runner_wakes_a_waiter_that_is_cancelled_meanwhile)
{
    struct remote r = {.runner = acquire(), .delay = 5000};
    struct whorl_scope scope;
    pthread_t thread = start(wake_soon, &r);

    whorl_scope_enter(&scope, whorl_after(WHORL_MILLISECOND));
    CHECK_EQ(whorl_park(&r.waiter, cannot_withdraw, "remote"), 77);
    (void)whorl_scope_leave(&scope, 0);
    pthread_join(thread, NULL);
    whorl_runner_release_remote(r.runner);
    return 0;
}

/* --- sending ---------------------------------------------------------------------------------- */

static void *send_many(void *arg)
{
    struct remote *r = arg;

    for (int i = 0; i < r->count; i++) {
        int value = r->value * 1000 + i;
        r->err = whorl_chan_send_remote(r->runner, r->chan, &value);
        if (r->err)
            break;
    }
    r->finished = true;
    whorl_runner_release_remote(r->runner);
    return NULL;
}

/* The loop must run while a thread sends, so the thread is joined only after it has finished. */
static WHORL_SUSPENDS_SHIELDED void join(pthread_t thread, const struct remote *r)
{
    while (!r->finished)
        CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    pthread_join(thread, NULL);
}

static WHORL_SUSPENDS_SHIELDED void receive_from_four(size_t capacity)
{
    WHORL_AUTO(chan) *chan = NULL;
    CHECK_OK(whorl_chan_create(sizeof(int), capacity, &chan));
    struct remote senders[4];
    pthread_t threads[4];
    int next[4] = {0}, value;

    for (int i = 0; i < 4; i++) {
        senders[i] = (struct remote){.runner = acquire(), .chan = chan, .value = i, .count = 300};
        threads[i] = start(send_many, &senders[i]);
    }
    for (int i = 0; i < 1200; i++) {
        CHECK_OK(whorl_chan_recv(chan, &value));
        CHECK_EQ(value % 1000, next[value / 1000]++);
        if (i % 100 == 0)
            CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    }
    for (int i = 0; i < 4; i++) {
        join(threads[i], &senders[i]);
        CHECK_OK(senders[i].err);
        CHECK_EQ(next[i], 300);
    }
}

TEST_REAL(runner_sends_from_threads_arrive_once_and_in_order)
{
    receive_from_four(0);
    receive_from_four(3);
    return 0;
}

/* The clock moves while a sender waits for room, and stands still while it works. */
TEST_VIRTUAL(runner_sends_arrive_once_and_in_order_in_virtual_time)
{
    receive_from_four(0);
    receive_from_four(3);
}

TEST_REAL(runner_send_blocks_its_thread_until_there_is_room)
{
    WHORL_AUTO(chan) *chan = NULL;
    CHECK_OK(whorl_chan_create(sizeof(int), 1, &chan));
    struct remote r = {.runner = acquire(), .chan = chan, .count = 2};
    pthread_t thread = start(send_many, &r);
    int value;

    CHECK_OK(whorl_sleep(20 * WHORL_MILLISECOND));
    CHECK_EQ(whorl_chan_len(chan), 1);
    CHECK(!r.finished);
    CHECK_OK(whorl_chan_recv(chan, &value));
    CHECK_OK(whorl_chan_recv(chan, &value));
    CHECK_EQ(value, 1);
    join(thread, &r);
    CHECK_OK(r.err);
    return 0;
}

TEST_REAL(runner_send_returns_epipe_when_the_channel_is_or_gets_closed)
{
    for (int early = 0; early < 2; early++) {
        WHORL_AUTO(chan) *chan = NULL;
        CHECK_OK(whorl_chan_create(sizeof(int), 0, &chan));
        struct remote r = {.runner = acquire(), .chan = chan, .count = 1};
        if (early)
            whorl_chan_close(chan);
        pthread_t thread = start(send_many, &r);
        CHECK_OK(whorl_sleep(10 * WHORL_MILLISECOND));
        CHECK_EQ(r.finished, early);
        whorl_chan_close(chan);
        join(thread, &r);
        CHECK_ERR(r.err, -EPIPE);
    }
    return 0;
}

/* --- the run ends first ----------------------------------------------------------------------- */

static struct remote last_senders[4];
static atomic_int calls_made;

static void count_call(void *arg)
{
    free(arg);
    calls_made++;
}

/* Posts until the run has ended. An accepted call is made or dropped, but never leaked. */
static void *post_until_shut(void *arg)
{
    struct whorl_runner *runner = arg;
    int err;

    while ((err = whorl_runner_post_remote(runner, count_call, NULL)) == 0)
        ;
    CHECK_ERR(err, -ESHUTDOWN);
    CHECK_ERR(whorl_runner_wake_remote(runner, NULL, 0), -ESHUTDOWN);
    CHECK_ERR(whorl_chan_send_remote(runner, NULL, NULL), -ESHUTDOWN);
    whorl_runner_release_remote(runner);
    return NULL;
}

static pthread_t last_threads[4];

static int end_while_posting(void *arg)
{
    (void)arg;
    for (int i = 0; i < 4; i++)
        last_threads[i] = start(post_until_shut, acquire());
    return whorl_sleep(5 * WHORL_MILLISECOND);
}

TEST(runner_refuses_posts_once_its_run_has_ended)
{
    CHECK_OK(whorl_run(end_while_posting, NULL));
    for (int i = 0; i < 4; i++)
        pthread_join(last_threads[i], NULL);
    CHECK(calls_made > 0);
}

static struct whorl_chan *last_chan;

static int end_while_sending(void *arg)
{
    (void)arg;
    for (int i = 0; i < 4; i++) {
        last_senders[i] =
            (struct remote){.runner = acquire(), .chan = last_chan, .value = i, .count = 1000};
        last_threads[i] = start(send_many, &last_senders[i]);
    }
    int value;
    for (int i = 0; i < 50; i++)
        CHECK_OK(whorl_chan_recv(last_chan, &value));
    return 0;
}

TEST(runner_send_returns_eshutdown_when_the_run_ends_first)
{
    CHECK_OK(whorl_chan_create(sizeof(int), 1, &last_chan));
    CHECK_OK(whorl_run(end_while_sending, NULL));
    for (int i = 0; i < 4; i++) {
        pthread_join(last_threads[i], NULL);
        CHECK_ERR(last_senders[i].err, -ESHUTDOWN);
    }
    whorl_chan_destroy(last_chan);
}

static void set_event(void *arg)
{
    whorl_event_set(arg);
}

/* --- virtual time ----------------------------------------------------------------------------- */

struct late_post {
    struct whorl_runner *runner;
    struct whorl_event event;
};

static void *post_late(void *arg)
{
    struct late_post *late = arg;

    usleep(20000);
    CHECK_OK(whorl_runner_post_remote(late->runner, set_event, &late->event));
    whorl_runner_release_remote(late->runner);
    return NULL;
}

TEST_VIRTUAL(runner_handle_stops_a_virtual_clock)
{
    struct late_post late = {.runner = acquire()};
    struct whorl_scope scope;
    int64_t began = whorl_now();
    pthread_t thread = start(post_late, &late);

    whorl_scope_enter(&scope, whorl_after(WHORL_HOUR));
    int err = whorl_event_wait(&late.event);
    CHECK_OK(whorl_scope_leave(&scope, err));
    CHECK_EQ(whorl_now() - began, 0);
    pthread_join(thread, NULL);
    CHECK_OK(whorl_sleep(WHORL_HOUR));
    CHECK_EQ(whorl_now() - began, WHORL_HOUR);
}

/* --- deadlocks -------------------------------------------------------------------------------- */

static void *set_late(void *arg)
{
    usleep(30000);
    CHECK_OK(whorl_runner_post_remote(arg, set_event, &posted_event));
    whorl_runner_release_remote(arg);
    return NULL;
}

TEST_REAL(runner_that_is_held_keeps_a_run_from_being_deadlocked)
{
    pthread_t thread = start(set_late, acquire());

    CHECK_OK(whorl_event_wait(&posted_event));
    pthread_join(thread, NULL);
    return 0;
}

static void *release_late(void *arg)
{
    usleep(20000);
    whorl_runner_release_remote(arg);
    return NULL;
}

static int wait_for_nobody(void *arg)
{
    struct whorl_event never = {0};
    pthread_t thread = start(release_late, acquire());

    (void)arg;
    int err = whorl_event_wait(&never);
    pthread_join(thread, NULL);
    return err;
}

static void run_wait_for_nobody(void *arg)
{
    (void)arg;
    CHECK_ERR(whorl_run(wait_for_nobody, NULL), -EDEADLK);
}

TEST(runner_given_back_by_a_thread_lets_the_run_see_its_deadlock)
{
    struct child child;

    child_run(&child, run_wait_for_nobody, NULL);
    CHECK_EQ(child.exit_status, 0);
    CHECK(strstr(child.err, "every task waits on another"));
}

static int hold_and_leave(void *arg)
{
    return whorl_runner_acquire(arg);
}

static int run_hold_and_leave(void *arg)
{
    struct whorl_runner *runner = NULL;

    (void)arg;
    int err = whorl_run(hold_and_leave, &runner);
    if (err == 0 && whorl_runner_post_remote(runner, count_call, NULL) == -ENOMEM)
        err = -ENOMEM;
    whorl_runner_release_remote(runner);
    return err;
}

TEST(runner_survives_every_failed_allocation)
{
    long live = faults_live();

    CHECK(faults_sweep(run_hold_and_leave, NULL) > 2);
    CHECK_EQ(faults_live(), live);
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT */
/* Shared channels: they carry values between runs on several threads. No value is lost or received
 * twice, also when a task is cancelled or a run ends. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/shared_chan.h>
#include <whorl/task.h>

#include "cancel.h"
#include "faults.h"
#include "test.h"

static struct whorl_shared_chan *make(size_t capacity)
{
    struct whorl_shared_chan *chan;

    CHECK_OK(whorl_shared_chan_create(sizeof(int), capacity, &chan));
    return chan;
}

/* --- in one run ------------------------------------------------------------------------------- */

static int send_five(void *chan)
{
    for (int i = 1; i <= 5; i++) {
        int err = whorl_shared_chan_send_remote(chan, &i);
        if (err) {
            test_log("s%d", err);
            return 0;
        }
        test_log("s%d", i);
    }
    return 0;
}

static int receive_all(void *chan)
{
    int value, err;

    while ((err = whorl_shared_chan_recv_remote(chan, &value)) == 0)
        test_log("r%d", value);
    return err == -EPIPE ? 0 : err;
}

TEST_VIRTUAL(shared_chan_buffers_up_to_its_capacity)
{
    WHORL_AUTO(shared_chan) *chan = make(2);
    WHORL_AUTO(group) group = {0};
    int value;

    CHECK_ERR(whorl_shared_chan_try_recv_remote(chan, &value), -EAGAIN);
    CHECK_OK(whorl_spawn(&group, send_five, chan));
    CHECK_OK(whorl_sleep(1));
    CHECK_STR(test_logged(), "s1 s2");
    CHECK_EQ(whorl_shared_chan_len_remote(chan), 2);
    CHECK_ERR(whorl_shared_chan_try_send_remote(chan, &value), -EAGAIN);
    CHECK_OK(whorl_shared_chan_try_recv_remote(chan, &value));
    CHECK_EQ(value, 1);
    CHECK_ERR(whorl_shared_chan_try_send_remote(chan, &value), -EAGAIN); /* the place is taken */
    CHECK_OK(whorl_sleep(1));
    CHECK_STR(test_logged(), "s1 s2 s3");
    for (int i = 2; i <= 5; i++) {
        CHECK_OK(whorl_shared_chan_recv_remote(chan, &value));
        CHECK_EQ(value, i);
    }
    CHECK_OK(whorl_group_wait(&group));
}

TEST_VIRTUAL(shared_chan_gives_values_in_the_order_of_arrival)
{
    WHORL_AUTO(shared_chan) *chan = make(4);
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, receive_all, chan));
    CHECK_OK(whorl_sleep(1));
    CHECK_OK(whorl_spawn(&group, send_five, chan));
    CHECK_OK(whorl_sleep(1));
    whorl_shared_chan_close_remote(chan);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "s1 s2 s3 s4 r1 r2 r3 r4 s5 r5");
}

TEST_VIRTUAL(shared_chan_close_ends_waits_and_keeps_values)
{
    WHORL_AUTO(shared_chan) *chan = make(1), *empty = make(1);
    WHORL_AUTO(group) group = {0};
    int value;

    CHECK_OK(whorl_spawn(&group, send_five, chan));
    CHECK_OK(whorl_spawn(&group, receive_all, empty));
    CHECK_OK(whorl_sleep(1));
    whorl_shared_chan_close_remote(chan);
    whorl_shared_chan_close_remote(chan);
    whorl_shared_chan_close_remote(empty);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "s1 s-32");
    CHECK_ERR(whorl_shared_chan_send_remote(chan, &value), -EPIPE);
    CHECK_OK(whorl_shared_chan_recv_remote(chan, &value));
    CHECK_EQ(value, 1);
    CHECK_ERR(whorl_shared_chan_recv_remote(chan, &value), -EPIPE);
    CHECK_ERR(whorl_shared_chan_try_recv_remote(chan, &value), -EPIPE);
}

TEST(shared_chan_waits_in_tasks_only)
{
    struct whorl_shared_chan *chan;
    int value = 1;

    CHECK_ERR(whorl_shared_chan_create(1, 0, &chan), -EINVAL);
    CHECK_ERR(whorl_shared_chan_create(SIZE_MAX / 2, 3, &chan), -EOVERFLOW);
    CHECK_OK(whorl_shared_chan_create(sizeof value, 1, &chan));
    CHECK_ERR(whorl_shared_chan_send_remote(chan, &value), WHORL_ENOTASK);
    CHECK_ERR(whorl_shared_chan_recv_remote(chan, &value), WHORL_ENOTASK);
    CHECK_OK(whorl_shared_chan_try_send_remote(chan, &value));
    CHECK_OK(whorl_shared_chan_try_recv_remote(chan, &value));
    whorl_shared_chan_acquire_remote(chan);
    whorl_shared_chan_release_remote(chan);
    whorl_shared_chan_release_remote(chan);
    whorl_shared_chan_release_remote(NULL);
    CHECK_OK(whorl_shared_chan_create(0, 1, &chan));
    CHECK_OK(whorl_shared_chan_try_send_remote(chan, NULL));
    CHECK_OK(whorl_shared_chan_try_recv_remote(chan, NULL));
    whorl_shared_chan_release_remote(chan);
}

TEST_VIRTUAL(shared_chan_case_moves_a_value_only_if_it_wins)
{
    WHORL_AUTO(shared_chan) *in = make(1), *out = make(1);
    WHORL_AUTO(group) group = {0};
    int got = 0, value = 7;
    struct whorl_case cases[] = {whorl_case_shared_recv(in, &got),
                                 whorl_case_shared_send(out, &value),
                                 whorl_case_deadline(whorl_after(5))};

    CHECK_EQ(whorl_try_select(cases, 3), 1); /* there is room */
    CHECK_EQ(whorl_select(cases, 3), 2);
    CHECK_EQ(whorl_now(), 5);
    CHECK_EQ(whorl_shared_chan_len_remote(out), 1);
    CHECK_OK(whorl_spawn(&group, send_five, in));
    cases[2].ops = NULL;
    for (int i = 1; i <= 5; i++) {
        CHECK_EQ(whorl_select(cases, 3), 0);
        CHECK_EQ(got, i);
    }
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(whorl_shared_chan_try_recv_remote(out, &got));
    CHECK_EQ(got, 7);
    whorl_shared_chan_close_remote(in);
    cases[1].ops = NULL;
    CHECK_EQ(whorl_select(cases, 3), 0);
    CHECK_ERR(cases[0].result, -EPIPE);
}

/* Both cases are granted in the same turn; the one that loses gives its value back. */
TEST_VIRTUAL(shared_chan_case_that_loses_after_it_was_granted_gives_the_value_back)
{
    WHORL_AUTO(shared_chan) *a = make(1), *b = make(1);
    WHORL_AUTO(group) group = {0};
    int got = 0;
    struct whorl_case cases[] = {whorl_case_shared_recv(a, &got), whorl_case_shared_recv(b, &got)};

    for (int i = 0; i < 4; i++) {
        CHECK_OK(whorl_spawn(&group, send_five, a));
        CHECK_OK(whorl_spawn(&group, send_five, b));
        for (int n = 0; n < 10; n++)
            CHECK(whorl_select(cases, 2) >= 0);
        CHECK_OK(whorl_group_wait(&group));
        CHECK_EQ(whorl_shared_chan_len_remote(a) + whorl_shared_chan_len_remote(b), 0);
    }
}

static int create_and_wait(void *arg)
{
    WHORL_AUTO(shared_chan) *chan = NULL;
    struct whorl_scope scope;
    int value;

    (void)arg;
    int err = whorl_shared_chan_create(sizeof value, 1, &chan);
    if (err)
        return err;
    struct whorl_case c = whorl_case_shared_recv(chan, &value);
    whorl_scope_enter_timeout(&scope, 1);
    err = whorl_scope_leave(&scope, whorl_shared_chan_recv_remote(chan, &value));
    if (err != -ETIMEDOUT)
        return err;
    whorl_scope_enter_timeout(&scope, 1);
    err = whorl_select(&c, 1);
    if (err == 0)
        err = c.result;
    err = whorl_scope_leave(&scope, err);
    return err == -ETIMEDOUT ? 0 : err;
}

static int run_create_and_wait(void *arg)
{
    return whorl_run_virtual(NULL, create_and_wait, arg);
}

TEST(shared_chan_survives_every_failed_allocation)
{
    CHECK(faults_sweep(run_create_and_wait, NULL) > 4);
}

/* --- cancelled at any point ------------------------------------------------------------------- */

static struct {
    struct whorl_shared_chan *chan;
    int senders, next, sent, received;
} pipe_;

static size_t capacity;

static void begin_pipe(void)
{
    pipe_.chan = make(capacity);
    pipe_.senders = 2;
    pipe_.next = pipe_.sent = pipe_.received = 0;
}

static void end_pipe(void)
{
    CHECK_EQ(pipe_.sent, pipe_.received);
    CHECK_EQ(whorl_shared_chan_len_remote(pipe_.chan), 0);
    whorl_shared_chan_release_remote(pipe_.chan); /* checks that no task waits */
}

static int send_four(void *arg)
{
    int err = 0;

    (void)arg;
    for (int i = 0; i < 4 && err == 0; i++) {
        int value = 1 << pipe_.next++;
        err = whorl_shared_chan_send_remote(pipe_.chan, &value);
        if (err == 0)
            pipe_.sent += value;
    }
    if (--pipe_.senders == 0)
        whorl_shared_chan_close_remote(pipe_.chan);
    return err;
}

static int receive_and_add(void *arg)
{
    int value, err;

    (void)arg;
    while ((err = whorl_shared_chan_recv_remote(pipe_.chan, &value)) == 0) {
        pipe_.received += value;
        if (value % 3 == 0 && (err = whorl_sleep(1)) != 0)
            break;
    }
    return err == -EPIPE ? 0 : err;
}

/* Sends and receives by turns, each for a limited time. */
static int select_six(void *arg)
{
    int k = 0, err = 0;

    (void)arg;
    for (int i = 0; i < 6 && err == 0; i++) {
        int got = 0, value = 1 << pipe_.next;
        struct whorl_case cases[] = {i % 3 ? whorl_case_shared_recv(pipe_.chan, &got)
                                           : whorl_case_shared_send(pipe_.chan, &value),
                                     whorl_case_deadline(whorl_after(1))};
        k = whorl_select(cases, 2);
        err = k < 0 ? k : cases[k].result;
        if (k != 0 || err)
            continue;
        pipe_.received += got;
        if (i % 3 == 0) {
            pipe_.next++;
            pipe_.sent += value;
        }
    }
    if (--pipe_.senders == 0)
        whorl_shared_chan_close_remote(pipe_.chan);
    return err == -EPIPE ? 0 : err;
}

static int send_or_receive(void *arg)
{
    return cancel_number(arg) == 1 ? send_four(arg) : receive_and_add(arg);
}

static int send_twice_or_receive(void *arg)
{
    return cancel_number(arg) <= 2 ? send_four(arg) : receive_and_add(arg);
}

/* With room for two or three values, there are orders in which the victim never waits. */
TEST_SEEDS(shared_chan_with_a_sender_cancelled_at_any_point)
{
    int cancelled = 0;

    for (capacity = 1; capacity < 4; capacity++)
        cancelled += cancel_everywhere(
            &(struct cancel_plan){send_four, send_or_receive, 2, begin_pipe, end_pipe});
    CHECK(cancelled > 0);
}

TEST_SEEDS(shared_chan_with_a_receiver_cancelled_at_any_point)
{
    int cancelled = 0;

    for (capacity = 1; capacity < 4; capacity++)
        cancelled += cancel_everywhere(
            &(struct cancel_plan){receive_and_add, send_twice_or_receive, 3, begin_pipe, end_pipe});
    CHECK(cancelled > 0);
}

TEST_SEEDS(shared_chan_with_a_select_cancelled_at_any_point)
{
    int cancelled = 0;

    for (capacity = 1; capacity < 4; capacity++)
        cancelled += cancel_everywhere(
            &(struct cancel_plan){select_six, send_or_receive, 2, begin_pipe, end_pipe});
    CHECK(cancelled > 0);
}

/* --- several runs ----------------------------------------------------------------------------- */

enum { THREADS = 3, TASKS = 4, VALUES = 500 };

static struct whorl_shared_chan *requests, *answers;
static atomic_long sent, received;
static atomic_int senders_left;

static int produce(void *arg)
{
    (void)arg;
    for (int i = 1; i <= VALUES; i++) {
        int err = whorl_shared_chan_send_remote(requests, &i);
        if (err)
            return err;
        sent += i;
    }
    return 0;
}

static int consume(void *arg)
{
    int value, err;

    (void)arg;
    while ((err = whorl_shared_chan_recv_remote(requests, &value)) == 0)
        received += value;
    return err == -EPIPE ? 0 : err;
}

static WHORL_SUSPENDS int run_tasks(whorl_task_fn fn)
{
    WHORL_AUTO(group) group = {0};

    for (int i = 0; i < TASKS; i++)
        CHECK_OK(whorl_spawn(&group, fn, NULL));
    return whorl_group_wait(&group);
}

static int produce_all(void *arg)
{
    (void)arg;
    int err = run_tasks(produce);
    if (--senders_left == 0)
        whorl_shared_chan_close_remote(requests);
    return err;
}

static int consume_all(void *arg)
{
    (void)arg;
    return run_tasks(consume);
}

static void *run_producers(void *arg)
{
    CHECK_OK(whorl_run(produce_all, arg));
    return NULL;
}

static void *run_consumers(void *arg)
{
    CHECK_OK(whorl_run(consume_all, arg));
    return NULL;
}

TEST(shared_chan_carries_values_between_many_runs)
{
    pthread_t threads[2 * THREADS];

    requests = make(8);
    senders_left = THREADS;
    for (int i = 0; i < THREADS; i++) {
        CHECK_OK(pthread_create(&threads[2 * i], NULL, run_producers, NULL));
        CHECK_OK(pthread_create(&threads[2 * i + 1], NULL, run_consumers, NULL));
    }
    for (int i = 0; i < 2 * THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(sent, (long)THREADS * TASKS * VALUES * (VALUES + 1) / 2);
    CHECK_EQ(received, sent);
    whorl_shared_chan_release_remote(requests);
}

/* Answers each request with its square. */
static int answer(void *arg)
{
    int value, err;

    (void)arg;
    while ((err = whorl_shared_chan_recv_remote(requests, &value)) == 0) {
        value *= value;
        CHECK_OK(whorl_shared_chan_send_remote(answers, &value));
    }
    return err == -EPIPE ? 0 : err;
}

static void *run_answer(void *arg)
{
    CHECK_OK(whorl_run(answer, arg));
    return NULL;
}

static int ticks;

static int tick(void *arg)
{
    (void)arg;
    for (;;) {
        int err = whorl_sleep(10 * WHORL_MICROSECOND);
        if (err)
            return err;
        ticks++;
    }
}

static int ask(void *arg)
{
    int value;

    (void)arg;
    CHECK_OK(whorl_spawn(whorl_root_group(), tick, NULL));
    for (int i = 0; i < 300; i++) {
        CHECK_OK(whorl_shared_chan_send_remote(requests, &i));
        CHECK_OK(whorl_shared_chan_recv_remote(answers, &value));
        CHECK_EQ(value, i * i);
    }
    CHECK(ticks > 0);
    whorl_shared_chan_close_remote(requests);
    return 0;
}

TEST(shared_chan_wait_suspends_the_task_and_not_the_thread)
{
    pthread_t thread;

    requests = make(1);
    answers = make(1);
    CHECK_OK(pthread_create(&thread, NULL, run_answer, NULL));
    CHECK_OK(whorl_run(ask, NULL));
    pthread_join(thread, NULL);
    whorl_shared_chan_release_remote(requests);
    whorl_shared_chan_release_remote(answers);
}

/* A thread without a run. */
static void *send_from_a_plain_thread(void *chan)
{
    usleep(2000);
    CHECK_OK(whorl_shared_chan_try_send_remote(chan, &(int){42}));
    whorl_shared_chan_release_remote(chan);
    return NULL;
}

static int receive_42(void *chan)
{
    int value;

    CHECK_OK(whorl_shared_chan_recv_remote(chan, &value));
    CHECK_EQ(value, 42);
    return 0;
}

TEST(shared_chan_waiter_is_not_deadlocked_and_a_plain_thread_can_wake_it)
{
    struct whorl_shared_chan *chan = make(1);
    pthread_t thread;

    whorl_shared_chan_acquire_remote(chan);
    CHECK_OK(pthread_create(&thread, NULL, send_from_a_plain_thread, chan));
    CHECK_OK(whorl_run(receive_42, chan));
    whorl_shared_chan_acquire_remote(chan);
    pthread_join(thread, NULL);
    CHECK_OK(pthread_create(&thread, NULL, send_from_a_plain_thread, chan));
    CHECK_OK(whorl_run_virtual(NULL, receive_42, chan));
    pthread_join(thread, NULL);
    whorl_shared_chan_release_remote(chan);
}

/* The root ends, and the run cancels its daemon that waits. */
static int leave_a_daemon(void *chan)
{
    CHECK_OK(whorl_spawn(whorl_root_group(), receive_all, chan));
    return whorl_yield();
}

TEST(shared_chan_loses_nothing_to_a_run_that_ends_while_its_task_waits)
{
    struct whorl_shared_chan *chan = make(1);
    int value = 1;

    CHECK_OK(whorl_run(leave_a_daemon, chan));
    CHECK_OK(whorl_shared_chan_try_send_remote(chan, &value));
    CHECK_OK(whorl_shared_chan_try_recv_remote(chan, &value));
    whorl_shared_chan_release_remote(chan); /* checks that no task waits */
}

/* Receivers are cancelled at random while another thread sends. */
static int receive_hastily(void *arg)
{
    uint64_t random = (uint64_t)(uintptr_t)arg;
    struct whorl_scope scope;
    int value, err;

    do {
        whorl_scope_enter_timeout(&scope, (int64_t)test_draw(&random, 30) * WHORL_MICROSECOND);
        if (test_draw(&random, 2)) {
            struct whorl_case cases[] = {
                whorl_case_shared_recv(requests, &value),
                whorl_case_deadline(whorl_after((int64_t)test_draw(&random, 30) * 1000))};
            err = whorl_select(cases, 2);
            err = err == 0 ? cases[0].result : err == 1 ? -ETIMEDOUT : err;
        } else {
            err = whorl_shared_chan_recv_remote(requests, &value);
        }
        err = whorl_scope_leave(&scope, err);
        if (err == 0)
            received += value;
    } while (err != -EPIPE);
    return 0;
}

static int receive_hastily_in_tasks(void *arg)
{
    WHORL_AUTO(group) group = {0};

    for (uintptr_t i = 0; i < TASKS; i++)
        CHECK_OK(whorl_spawn(&group, receive_hastily, (void *)((uintptr_t)arg * TASKS + i + 1)));
    return whorl_group_wait(&group);
}

static void *run_hasty(void *arg)
{
    CHECK_OK(whorl_run(receive_hastily_in_tasks, arg));
    return NULL;
}

TEST(shared_chan_loses_nothing_to_receivers_that_are_cancelled_on_other_threads)
{
    pthread_t threads[3];

    requests = make(2);
    senders_left = 1;
    CHECK_OK(pthread_create(&threads[0], NULL, run_producers, NULL));
    for (uintptr_t i = 1; i < 3; i++)
        CHECK_OK(pthread_create(&threads[i], NULL, run_hasty, (void *)i));
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(sent, (long)TASKS * VALUES * (VALUES + 1) / 2);
    CHECK_EQ(received, sent);
    CHECK_EQ(whorl_shared_chan_len_remote(requests), 0);
    whorl_shared_chan_release_remote(requests);
}

TEST_MAIN()

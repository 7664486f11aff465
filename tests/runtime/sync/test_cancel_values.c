/* SPDX-License-Identifier: MIT */
/* Channels, select, futures and generators, with a task that is cancelled at every point: no value
 * is lost or received twice. */
#include <whorl/chan.h>
#include <whorl/future.h>
#include <whorl/generator.h>
#include <whorl/group.h>
#include <whorl/select.h>
#include <whorl/sync.h>

#include "cancel.h"
#include "test.h"

/* --- channels --------------------------------------------------------------------------------- */

/* Each sent value is received once: companion 1 sends, companion 2 receives, companion 3 closes the
 * channel when no task will send any more. */
static struct {
    struct whorl_chan *chan;
    struct whorl_wait_group senders;
    int sent, received, next;
    long sent_sum, received_sum;
} pipe_;

static size_t capacity, senders;

static void begin_pipe(void)
{
    memset(&pipe_, 0, sizeof pipe_);
    pipe_.senders.count = senders;
    CHECK_OK(whorl_chan_create(sizeof(int), capacity, &pipe_.chan));
}

static void end_pipe(void)
{
    CHECK_EQ(pipe_.sent, pipe_.received);
    CHECK_EQ(pipe_.sent_sum, pipe_.received_sum);
    CHECK_EQ(whorl_chan_len(pipe_.chan), 0);
    whorl_chan_destroy(pipe_.chan); /* checks that no task waits */
}

static int note_sent(int err, int value)
{
    if (err == 0) {
        pipe_.sent++;
        pipe_.sent_sum += value;
    }
    return err;
}

static void note_received(int value)
{
    pipe_.received++;
    pipe_.received_sum += value;
}

static int send_four(void *arg)
{
    int err = 0;

    (void)arg;
    for (int i = 0; i < 4 && err == 0; i++) {
        /* Powers of two, so that two mistakes cannot cancel each other out. */
        int value = 1 << pipe_.next++;
        err = note_sent(whorl_chan_send(pipe_.chan, &value), value);
    }
    whorl_wait_group_done(&pipe_.senders);
    return err;
}

static int receive_all(void *arg)
{
    int err;

    (void)arg;
    whorl_chan_for_each(int, value, pipe_.chan, &err) {
        note_received(value);
        if (value % 3 == 0 && (err = whorl_sleep(1)) != 0)
            break;
    }
    return err;
}

static int send_receive_or_close(void *arg)
{
    if (cancel_number(arg) == 1)
        return send_four(arg);
    if (cancel_number(arg) == 2)
        return receive_all(arg);
    CHECK_OK(whorl_wait_group_wait(&pipe_.senders));
    whorl_chan_close(pipe_.chan);
    return 0;
}

/* Repeats the test with each kind of channel. */
static WHORL_SUSPENDS_SHIELDED void cancel_in_pipes(whorl_task_fn victim, size_t all_senders)
{
    int cancelled = 0;

    senders = all_senders;
    for (capacity = 0; capacity < 3; capacity++)
        cancelled += cancel_everywhere(
            &(struct cancel_plan){victim, send_receive_or_close, 3, begin_pipe, end_pipe});
    CHECK(cancelled > 0);
}

TEST_SEEDS(chan_with_a_sender_cancelled_at_any_point)
{
    cancel_in_pipes(send_four, 2);
}

TEST_SEEDS(chan_with_a_receiver_cancelled_at_any_point)
{
    cancel_in_pipes(receive_all, 1);
}

/* --- select ----------------------------------------------------------------------------------- */

static struct whorl_event bell;

/* Sends and receives on one channel, whichever is possible first. */
static int select_four(void *arg)
{
    int k = 0, err = 0;

    (void)arg;
    for (int i = 0; i < 4 && err == 0; i++) {
        int got, value = 1 << pipe_.next;
        struct whorl_case cases[] = {whorl_case_send(pipe_.chan, &value),
                                     whorl_case_recv(pipe_.chan, &got), whorl_case_event(&bell),
                                     whorl_case_deadline(whorl_after(1))};
        k = whorl_select(cases, 4);
        err = k < 0 ? k : cases[k].result;
        if (k == 0)
            pipe_.next += note_sent(err, value) == 0;
        else if (k == 1 && err == 0)
            note_received(got);
    }
    CHECK(!bell.waiters.first);
    whorl_wait_group_done(&pipe_.senders);
    return err;
}

TEST_SEEDS(select_cancelled_at_any_point)
{
    cancel_in_pipes(select_four, 2);
}

/* --- futures ---------------------------------------------------------------------------------- */

static struct whorl_future page;

static void begin_future(void)
{
    page = (struct whorl_future){0};
}

static void end_future(void)
{
    CHECK(page.done && !page.worker && !page.cancel);
    CHECK(!page.waiters.first && !page.waiters.last);
}

static int sleep_for_7(void *arg)
{
    (void)arg;
    int err = whorl_sleep(2);
    return err ? err : 7;
}

/* The future is always completed, whatever the result. */
static int fetch(void *arg)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    int err = whorl_sleep(1);

    (void)arg;
    err = err ? err : whorl_spawn_future(&group, sleep_for_7, NULL, &page);
    if (err)
        CHECK(whorl_future_complete(&page, err));
    return err ? err : whorl_group_wait(&group);
}

static int wait_for_page(void *arg)
{
    (void)arg;
    int err = whorl_future_wait(&page);
    if (err)
        return err;
    CHECK(page.done && (page.result == 7 || page.result == -ECANCELED));
    return 0;
}

static int fetch_or_wait(void *arg)
{
    return cancel_number(arg) == 3 ? fetch(arg) : wait_for_page(arg);
}

TEST_SEEDS(future_with_a_waiter_cancelled_at_any_point)
{
    CHECK(cancel_everywhere(&(struct cancel_plan){wait_for_page, fetch_or_wait, 3, begin_future,
                                                  end_future}) > 0);
    CHECK_EQ(page.result, 7);
}

TEST_SEEDS(future_with_its_worker_cancelled_at_any_point)
{
    CHECK(cancel_everywhere(
              &(struct cancel_plan){fetch, wait_for_page, 3, begin_future, end_future}) > 0);
}

/* The work uses a variable of the task that is cancelled, and must have ended before that task
 * leaves the block. */
static int work_on(void *arg)
{
    int *uses = arg, err = 0;

    while (err == 0) {
        ++*uses;
        err = whorl_sleep(1);
    }
    *uses = -1;
    return 0;
}

static int finish_work(void *arg)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    int uses = 0, err;

    (void)arg;
    {
        WHORL_AUTO(future) future = {0};
        CHECK_OK(whorl_spawn_future(&group, work_on, &uses, &future));
        err = whorl_sleep(2);
    }
    CHECK_EQ(uses, -1);
    return err;
}

TEST_SEEDS(future_finish_with_its_caller_cancelled_at_any_point)
{
    CHECK(cancel_everywhere(&(struct cancel_plan){finish_work, finish_work, 2, NULL, NULL}) > 0);
}

/* --- generators ------------------------------------------------------------------------------- */

static int count(struct whorl_generator *generator, void *arg)
{
    for (int i = 0; i < *(int *)arg; i++) {
        int err = i % 2 ? whorl_sleep(1) : 0;
        err = err ? err : whorl_generator_yield(generator, &i);
        if (err)
            return err;
    }
    return 0;
}

/* The puller is cancelled and pulls again; the values that it gets are complete. */
static int pull_all(void *arg)
{
    int values = 5, got = 0, value, n = 1;
    WHORL_AUTO(generator) *generator = NULL;
    CHECK_OK(whorl_generator_create(count, &values, sizeof(int), &generator));
    struct whorl_scope scope;

    (void)arg;
    CHECK(generator != NULL);
    cancel_scope_enter(&scope);
    while ((n = whorl_generator_next(generator, &value)) > 0)
        CHECK_EQ(value, got++);
    CHECK_EQ(cancel_scope_leave(&scope, n), n);
    CHECK(n == 0 || n == -ECANCELED);
    while (n != 0 && (n = whorl_generator_next(generator, &value)) > 0)
        CHECK_EQ(value, got++);
    CHECK_EQ(n, 0);
    CHECK_EQ(got, values);
    return 0;
}

/* The generator itself is cancelled with its puller. */
static int pull_three(void *arg)
{
    int values = 5, value, n = 1;
    WHORL_AUTO(generator) *generator = NULL;
    CHECK_OK(whorl_generator_create(count, &values, sizeof(int), &generator));

    (void)arg;
    CHECK(generator != NULL);
    for (int i = 0; i < 3 && n > 0; i++) {
        n = whorl_generator_next(generator, &value);
        CHECK(n == 1 ? value == i : n == -ECANCELED);
    }
    return n < 0 ? n : 0;
}

static int pull_alone(void *arg)
{
    return pull_three(arg);
}

TEST_SEEDS(generator_with_its_puller_cancelled_at_any_point)
{
    CHECK(cancel_everywhere(&(struct cancel_plan){pull_all, pull_alone, 2, NULL, NULL}) > 0);
    CHECK(cancel_everywhere(&(struct cancel_plan){pull_three, pull_alone, 2, NULL, NULL}) > 0);
}

TEST_MAIN()

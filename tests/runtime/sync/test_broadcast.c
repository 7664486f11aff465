/* SPDX-License-Identifier: MIT */
/* Broadcast channels: every subscriber gets every value, or the number of values that it has
 * missed. */
#include <signal.h>

#include <whorl/broadcast.h>
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/task.h>

#include "cancel.h"
#include "child.h"
#include "faults.h"
#include "test.h"

static struct whorl_broadcast *channel;

static void make(size_t capacity, enum whorl_broadcast_policy policy)
{
    CHECK_OK(whorl_broadcast_create(sizeof(int), capacity, policy, &channel));
}

static void send_range(int from, int to)
{
    for (int i = from; i <= to; i++)
        CHECK_OK(whorl_broadcast_try_send(channel, &i));
}

static int log_all(void *arg)
{
    WHORL_AUTO(subscription) sub;
    int value, err;

    whorl_subscription_init(&sub, channel);
    while ((err = whorl_subscription_recv(&sub, &value)) == 0)
        test_log("%s%d", (const char *)arg, value);
    CHECK_EQ(sub.missed, 0);
    return err == -EPIPE ? 0 : err;
}

TEST_VIRTUAL(broadcast_gives_every_value_to_every_subscriber)
{
    WHORL_AUTO(group) group = {0};

    make(2, WHORL_BROADCAST_DROP);
    send_range(0, 0); /* no subscriber gets this one */
    CHECK_OK(whorl_spawn(&group, log_all, "a"));
    CHECK_OK(whorl_spawn(&group, log_all, "b"));
    CHECK_OK(whorl_yield());
    CHECK_EQ(whorl_broadcast_subscribers(channel), 2);
    send_range(1, 2);
    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_spawn(&group, log_all, "c"));
    CHECK_OK(whorl_yield());
    send_range(3, 3);
    whorl_broadcast_close(channel);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(whorl_broadcast_subscribers(channel), 0);
    whorl_broadcast_destroy(channel);
    CHECK_STR(test_logged(), "a1 a2 b1 b2 a3 b3 c3");
}

TEST_VIRTUAL(broadcast_tells_a_slow_subscriber_how_many_values_it_has_lost)
{
    struct whorl_subscription slow, fast;
    int value;

    make(3, WHORL_BROADCAST_DROP);
    whorl_subscription_init(&slow, channel);
    whorl_subscription_init(&fast, channel);
    send_range(1, 3);
    for (int i = 1; i <= 3; i++)
        CHECK_OK(whorl_subscription_recv(&fast, &value));
    send_range(4, 5);
    CHECK_OK(whorl_subscription_recv(&slow, &value));
    CHECK(value == 3 && slow.missed == 2);
    CHECK_OK(whorl_subscription_recv(&slow, &value));
    CHECK(value == 4 && slow.missed == 0);
    CHECK_OK(whorl_subscription_recv(&fast, &value));
    CHECK(value == 4 && fast.missed == 0);
    send_range(6, 1006);
    whorl_broadcast_close(channel);
    CHECK_OK(whorl_subscription_recv(&slow, &value));
    CHECK(value == 1004 && slow.missed == 999);
    CHECK_OK(whorl_subscription_recv(&slow, &value));
    CHECK_OK(whorl_subscription_recv(&slow, &value));
    CHECK(value == 1006 && slow.missed == 0);
    CHECK_ERR(whorl_subscription_recv(&slow, &value), -EPIPE);
    whorl_subscription_finish(&slow);
    whorl_subscription_finish(&fast);
    whorl_subscription_finish(&fast);
    whorl_broadcast_destroy(channel);
}

static int send_five(void *arg)
{
    (void)arg;
    for (int i = 1; i <= 5; i++) {
        int err = whorl_broadcast_send(channel, &i);
        if (err) {
            test_log("err%d", err);
            return 0;
        }
        test_log("s%d", i);
    }
    return 0;
}

TEST_VIRTUAL(broadcast_sender_waits_for_the_slowest_subscriber)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_subscription slow, fast;
    int value;

    make(2, WHORL_BROADCAST_WAIT);
    whorl_subscription_init(&slow, channel);
    whorl_subscription_init(&fast, channel);
    CHECK_OK(whorl_spawn(&group, send_five, NULL));
    CHECK_OK(whorl_yield());
    CHECK_ERR(whorl_broadcast_try_send(channel, &value), -EAGAIN);
    for (int i = 1; i <= 2; i++)
        CHECK_OK(whorl_subscription_try_recv(&fast, &value));
    CHECK_ERR(whorl_subscription_try_recv(&fast, &value), -EAGAIN);
    CHECK_OK(whorl_yield());
    CHECK_STR(test_logged(), "s1 s2");
    CHECK_OK(whorl_subscription_recv(&slow, &value));
    CHECK_EQ(value, 1);
    CHECK_OK(whorl_yield());
    CHECK_STR(test_logged(), "s1 s2 s3");
    whorl_subscription_finish(&slow); /* the sender waits no longer for this one */
    CHECK_OK(whorl_subscription_recv(&fast, &value));
    CHECK_EQ(value, 3);
    CHECK_OK(whorl_yield());
    CHECK_STR(test_logged(), "s1 s2 s3 s4 s5");
    whorl_subscription_finish(&fast);
    CHECK_OK(whorl_group_wait(&group));
    whorl_broadcast_destroy(channel);
}

TEST_VIRTUAL(broadcast_close_ends_the_waits_of_senders_and_subscribers)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_subscription sub;
    int value;

    make(1, WHORL_BROADCAST_WAIT);
    whorl_subscription_init(&sub, channel);
    CHECK_OK(whorl_spawn(&group, send_five, NULL));
    CHECK_OK(whorl_yield());
    whorl_broadcast_close(channel);
    whorl_broadcast_close(channel);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "s1 err-32");
    CHECK_ERR(whorl_broadcast_send(channel, &value), -EPIPE);
    CHECK_OK(whorl_subscription_recv(&sub, &value));
    CHECK_EQ(value, 1);
    CHECK_ERR(whorl_subscription_recv(&sub, &value), -EPIPE);
    whorl_subscription_finish(&sub);
    whorl_broadcast_destroy(channel);
}

static int share(void *arg)
{
    int value;
    int err = whorl_subscription_recv(arg, &value);

    test_log("%d", err ? err : value);
    return 0;
}

TEST_VIRTUAL(broadcast_subscription_that_tasks_share_gives_each_value_to_one_of_them)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_subscription sub;

    make(4, WHORL_BROADCAST_DROP);
    whorl_subscription_init(&sub, channel);
    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_spawn(&group, share, &sub));
    CHECK_OK(whorl_yield());
    send_range(1, 2);
    whorl_broadcast_close(channel);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "1 2 -32");
    whorl_subscription_finish(&sub);
    whorl_broadcast_destroy(channel);
}

TEST_VIRTUAL(broadcast_case_takes_a_value_only_if_it_wins)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_subscription a, b;
    int from_a = 0, from_b = 0;

    make(4, WHORL_BROADCAST_DROP);
    whorl_subscription_init(&a, channel);
    whorl_subscription_init(&b, channel);
    struct whorl_case cases[] = {whorl_case_subscription(&a, &from_a),
                                 whorl_case_subscription(&b, &from_b),
                                 whorl_case_deadline(whorl_after(5))};
    CHECK_ERR(whorl_try_select(cases, 3), -EAGAIN);
    CHECK_EQ(whorl_select(cases, 3), 2);
    CHECK(!a.waiters.first && !b.waiters.first);
    CHECK_OK(whorl_spawn(&group, send_five, NULL));
    cases[2] = (struct whorl_case){0};
    int taken = whorl_select(cases, 3); /* waits */
    CHECK(taken == 0 || taken == 1);
    CHECK_OK(cases[taken].result);
    CHECK_EQ(taken == 0 ? from_a : from_b, 1);
    CHECK_OK(whorl_subscription_recv(taken == 0 ? &b : &a, &from_a)); /* it has lost nothing */
    CHECK_EQ(from_a, 2 - 1 + (taken == 0 ? b.missed : a.missed));
    CHECK_OK(whorl_group_wait(&group));
    whorl_broadcast_close(channel);
    for (int i = 0; i < 9; i++)
        CHECK((taken = whorl_select(cases, 3)) < 2);
    CHECK_ERR(cases[whorl_select(cases, 3)].result, -EPIPE);
    whorl_subscription_finish(&a);
    whorl_subscription_finish(&b);
    whorl_broadcast_destroy(channel);
}

TEST_VIRTUAL(broadcast_of_signals_carries_no_data)
{
    struct whorl_subscription sub;

    CHECK_OK(whorl_broadcast_create(0, 2, WHORL_BROADCAST_DROP, &channel));
    whorl_subscription_init(&sub, channel);
    for (int i = 0; i < 5; i++)
        CHECK_OK(whorl_broadcast_send(channel, NULL));
    CHECK_OK(whorl_subscription_recv(&sub, NULL));
    CHECK_EQ(sub.missed, 3);
    whorl_subscription_finish(&sub);
    whorl_broadcast_destroy(channel);
}

TEST(broadcast_refuses_sizes_that_it_cannot_have)
{
    CHECK_ERR(whorl_broadcast_create(1, 0, WHORL_BROADCAST_DROP, &channel), -EINVAL);
    CHECK_ERR(whorl_broadcast_create(SIZE_MAX / 2, 3, WHORL_BROADCAST_DROP, &channel), -EOVERFLOW);
    CHECK_ERR(whorl_broadcast_create(SIZE_MAX, 1, WHORL_BROADCAST_DROP, &channel), -EOVERFLOW);
    whorl_broadcast_destroy(NULL);
    whorl_subscription_finish(&(struct whorl_subscription){0});
}

static int create_one(void *arg)
{
    (void)arg;
    int err = whorl_broadcast_create(8, 8, WHORL_BROADCAST_DROP, &channel);
    if (err == 0)
        whorl_broadcast_destroy(channel);
    return err;
}

TEST(broadcast_creation_survives_every_failed_allocation)
{
    CHECK_EQ(faults_sweep(create_one, NULL), 1);
}

static void destroy_with_a_subscriber(void *arg)
{
    struct whorl_subscription sub;

    (void)arg;
    make(1, WHORL_BROADCAST_DROP);
    whorl_subscription_init(&sub, channel);
    whorl_broadcast_destroy(channel);
}

TEST(broadcast_must_not_be_destroyed_while_it_has_a_subscriber)
{
    static struct child child;

    child_run(&child, destroy_with_a_subscriber, NULL);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "while it has a subscriber"));
}

/* --- cancelled at any point ------------------------------------------------------------------- */

static enum whorl_broadcast_policy policy;
static int senders_left;

static void begin_channel(void)
{
    make(2, policy);
    senders_left = 2;
}

static void end_channel(void)
{
    CHECK_EQ(whorl_broadcast_subscribers(channel), 0);
    whorl_broadcast_destroy(channel);
}

/* Values of one sender are in order, and none is lost or received twice. */
static int receive(void *arg)
{
    WHORL_AUTO(subscription) sub;
    int value, err, last[4] = {-1, -1, -1, -1};
    bool first = true;

    whorl_subscription_init(&sub, channel);
    while ((err = whorl_subscription_recv(&sub, &value)) == 0) {
        CHECK(value % 10 > last[value / 10]);
        if (policy == WHORL_BROADCAST_WAIT)
            CHECK(sub.missed == 0 &&
                  (first || last[value / 10] < 0 || value % 10 == last[value / 10] + 1));
        last[value / 10] = value % 10;
        first = false;
        if (value % 3 == cancel_number(arg) % 3 && (err = whorl_sleep(1)) != 0)
            return err;
    }
    return err == -EPIPE ? 0 : err;
}

static int send_some(void *arg)
{
    int err = 0;

    for (int i = 0; i < 4 && err == 0; i++) {
        err = whorl_broadcast_send(channel, &(int){10 * (cancel_number(arg) % 4) + i});
        if (err == 0 && i % 2)
            err = whorl_sleep(1);
    }
    if (--senders_left == 0)
        whorl_broadcast_close(channel);
    return err;
}

static int send_or_receive(void *arg)
{
    return cancel_number(arg) <= 2 ? send_some(arg) : receive(arg);
}

static int send_one_or_receive(void *arg)
{
    return cancel_number(arg) == 1 ? send_some(arg) : receive(arg);
}

TEST_SEEDS(broadcast_with_a_subscriber_cancelled_at_any_point)
{
    for (policy = WHORL_BROADCAST_DROP; policy <= WHORL_BROADCAST_WAIT; policy++)
        CHECK(cancel_everywhere(&(struct cancel_plan){receive, send_or_receive, 4, begin_channel,
                                                      end_channel}) > 0);
}

TEST_SEEDS(broadcast_with_a_sender_cancelled_at_any_point)
{
    for (policy = WHORL_BROADCAST_DROP; policy <= WHORL_BROADCAST_WAIT; policy++)
        CHECK(cancel_everywhere(&(struct cancel_plan){send_some, send_one_or_receive, 3,
                                                      begin_channel, end_channel}) > 0);
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT */
/* Channels: every value arrives once and in order, whichever task waits or is cancelled. */
#include <signal.h>
#include <stdlib.h>

#include <whorl/chan.h>
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/task.h>

#include "child.h"
#include "test.h"

/* A task with a channel, a name for the log, and a number of operations. */
struct party {
    struct whorl_chan *chan;
    const char *name;
    int count;
    int first;
};

#define PARTY(...) (&(struct party){.chan = __VA_ARGS__})

static int send_and_log(void *arg)
{
    const struct party *party = arg;
    int err = 0;

    for (int i = 0; i < party->count && err == 0; i++) {
        int value = party->first + i;
        err = whorl_chan_send(party->chan, &value);
        test_log("%s%d%s", party->name, value, err == -EPIPE ? "|" : err ? "!" : "");
    }
    return err;
}

static int recv_and_log(void *arg)
{
    const struct party *party = arg;
    int err = 0;

    for (int i = 0; i < party->count && err == 0; i++) {
        int value = -1;
        err = whorl_chan_recv(party->chan, &value);
        if (err)
            test_log("%s%s", party->name, err == -EPIPE ? "|" : "!");
        else
            test_log("%s%d", party->name, value);
    }
    return err;
}

static struct whorl_chan *ints(size_t capacity)
{
    struct whorl_chan *chan = NULL;
    CHECK_OK(whorl_chan_create(sizeof(int), capacity, &chan));
    return chan;
}

/* --- handing over ---------------------------------------------------------------------------- */

TEST_VIRTUAL(an_unbuffered_send_waits_for_its_receiver)
{
    WHORL_AUTO(chan) *chan = ints(0);
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn_copy(&group, send_and_log, PARTY(chan, "s", 2, 1)));
    CHECK_OK(whorl_sleep(1));
    CHECK_STR(test_logged(), "");
    CHECK_EQ(whorl_chan_len(chan), 0);
    CHECK_OK(recv_and_log(PARTY(chan, "r", 1)));
    CHECK_STR(test_logged(), "r1");
    CHECK_OK(whorl_sleep(1));
    CHECK_STR(test_logged(), "r1 s1");
    CHECK_OK(recv_and_log(PARTY(chan, "r", 1)));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "r1 s1 r2 s2");
}

TEST_VIRTUAL(a_send_to_a_waiting_receiver_does_not_wait)
{
    WHORL_AUTO(chan) *chan = ints(0);
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn_copy(&group, recv_and_log, PARTY(chan, "r", 1)));
    CHECK_OK(whorl_sleep(1));
    CHECK_OK(send_and_log(PARTY(chan, "s", 1, 7)));
    CHECK_STR(test_logged(), "s7");
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "s7 r7");
}

TEST_VIRTUAL(a_buffer_takes_so_many_before_a_send_waits)
{
    WHORL_AUTO(chan) *chan = ints(2);
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn_copy(&group, send_and_log, PARTY(chan, "s", 4, 1)));
    CHECK_OK(whorl_sleep(1));
    CHECK_STR(test_logged(), "s1 s2");
    CHECK_EQ(whorl_chan_len(chan), 2);
    CHECK_OK(recv_and_log(PARTY(chan, "r", 1)));
    CHECK_EQ(whorl_chan_len(chan), 2); /* the waiting sender's value moved into the buffer */
    CHECK_OK(whorl_sleep(1));
    CHECK_STR(test_logged(), "s1 s2 r1 s3");
    CHECK_OK(recv_and_log(PARTY(chan, "r", 3)));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "s1 s2 r1 s3 r2 r3 r4 s4");
    CHECK_EQ(whorl_chan_len(chan), 0);
}

TEST_VIRTUAL(senders_and_receivers_are_served_in_the_order_of_their_arrival)
{
    WHORL_AUTO(chan) *chan = ints(1);
    WHORL_AUTO(group) group = {0};

    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_spawn_copy(&group, recv_and_log, PARTY(chan, &"a\0b\0c"[2 * i], 1)));
    CHECK_OK(whorl_sleep(1));
    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_chan_send(chan, &i));
    CHECK_EQ(whorl_chan_len(chan), 0);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a0 b1 c2");
    test_log_clear();
    for (int i = 0; i < 4; i++)
        CHECK_OK(whorl_spawn_copy(&group, send_and_log, PARTY(chan, &"a\0b\0c\0d"[2 * i], 1, i)));
    CHECK_OK(whorl_sleep(1));
    CHECK_OK(recv_and_log(PARTY(chan, "r", 4)));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a0 r0 r1 r2 r3 b1 c2 d3");
}

/* --- every value once ------------------------------------------------------------------------ */

enum { PRODUCERS = 5, EACH = 40 };

struct count {
    struct whorl_chan *chan;
    int id, received;
    bool seen[PRODUCERS * EACH];
    int last[PRODUCERS]; /* the last value of each producer */
};

static int produce(void *arg)
{
    const struct count *count = arg;

    for (int i = 0; i < EACH; i++) {
        int value = count->id * EACH + i;
        CHECK_OK(whorl_chan_send(count->chan, &value));
        if (i % 7 == 0)
            CHECK_OK(whorl_yield());
    }
    return 0;
}

static int consume(void *arg)
{
    struct count *count = arg;
    int value, err;

    while ((err = whorl_chan_recv(count->chan, &value)) == 0) {
        CHECK(!count->seen[value]);
        count->seen[value] = true;
        count->received++;
        if (value % 5 == 0)
            CHECK_OK(whorl_sleep(value % 3));
    }
    CHECK_ERR(err, -EPIPE);
    return 0;
}

TEST_SEEDS(every_value_sent_is_received_once)
{
    static const size_t capacities[] = {0, 1, 2, 3, 16, 1000};

    for (size_t k = 0; k < sizeof capacities / sizeof capacities[0]; k++) {
        WHORL_AUTO(chan) *chan = ints(capacities[k]);
        WHORL_AUTO(group) producers = {0}, consumers = {0};
        struct count count = {.chan = chan};
        for (int i = 0; i < 3; i++)
            CHECK_OK(whorl_spawn(&consumers, consume, &count));
        for (count.id = 0; count.id < PRODUCERS; count.id++)
            CHECK_OK(whorl_spawn_copy(&producers, produce, &count));
        CHECK_OK(whorl_group_wait(&producers));
        whorl_chan_close(chan);
        CHECK_OK(whorl_group_wait(&consumers));
        CHECK_EQ(count.received, PRODUCERS * EACH);
    }
}

static int consume_in_order(void *arg)
{
    struct count *count = arg;

    for (int i = 0; i < PRODUCERS * EACH; i++) {
        int value;
        CHECK_OK(whorl_chan_recv(count->chan, &value));
        CHECK_EQ(value % EACH, count->last[value / EACH]++);
    }
    return 0;
}

TEST_SEEDS(values_of_one_sender_arrive_in_order)
{
    for (size_t capacity = 0; capacity < 5; capacity++) {
        WHORL_AUTO(chan) *chan = ints(capacity);
        WHORL_AUTO(group) group = {0};
        struct count count = {.chan = chan};
        CHECK_OK(whorl_spawn(&group, consume_in_order, &count));
        for (int id = 0; id < PRODUCERS; id++) {
            struct count own = {.chan = chan, .id = id};
            CHECK_OK(whorl_spawn_copy(&group, produce, &own));
        }
        CHECK_OK(whorl_group_wait(&group));
    }
}

/* --- sizes ----------------------------------------------------------------------------------- */

struct sized {
    struct whorl_chan *chan;
    size_t size;
};

static int send_pattern(void *arg)
{
    const struct sized *sized = arg;
    unsigned char value[1000];

    for (int i = 0; i < 10; i++) {
        memset(value, i + 1, sizeof value);
        CHECK_OK(whorl_chan_send(sized->chan, value));
        memset(value, 0xdd, sizeof value);
    }
    return 0;
}

static int recv_pattern(void *arg)
{
    const struct sized *sized = arg;
    unsigned char value[1016];

    for (int i = 0; i < 10; i++) {
        memset(value, 0xee, sizeof value);
        CHECK_OK(whorl_chan_recv(sized->chan, value + 8));
        for (size_t k = 0; k < sizeof value; k++)
            CHECK_EQ(value[k], k >= 8 && k < 8 + sized->size ? i + 1 : 0xee);
    }
    return 0;
}

TEST_SEEDS(values_of_any_size_are_copied_whole_and_nothing_beside)
{
    static const size_t sizes[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 24, 1000};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t capacity = 0; capacity < 4; capacity++) {
            WHORL_AUTO(chan) *chan = NULL;
            CHECK_OK(whorl_chan_create(sizes[i], capacity, &chan));
            WHORL_AUTO(group) group = {0};
            struct sized sized = {chan, sizes[i]};
            CHECK_OK(whorl_spawn(&group, send_pattern, &sized));
            CHECK_OK(whorl_spawn(&group, recv_pattern, &sized));
            CHECK_OK(whorl_group_wait(&group));
        }
    }
}

TEST_VIRTUAL(signals_carry_no_value_and_need_no_memory)
{
    WHORL_AUTO(chan) *chan = NULL;
    CHECK_OK(whorl_chan_create(0, 1000000000, &chan));

    for (int i = 0; i < 5; i++)
        CHECK_OK(whorl_chan_send(chan, NULL));
    CHECK_EQ(whorl_chan_len(chan), 5);
    for (int i = 0; i < 5; i++)
        CHECK_OK(whorl_chan_recv(chan, NULL));
    CHECK_ERR(whorl_chan_try_recv(chan, NULL), -EAGAIN);
    WHORL_AUTO(chan) *endless = NULL;
    CHECK_OK(whorl_chan_create(0, SIZE_MAX, &endless));
    CHECK_OK(whorl_chan_try_send(endless, NULL));
    CHECK_OK(whorl_chan_try_send(endless, NULL));
    CHECK_EQ(whorl_chan_len(endless), 2);
    CHECK_OK(whorl_chan_try_recv(endless, NULL));
    CHECK_EQ(whorl_chan_len(endless), 1);
}

TEST(a_size_that_overflows_is_eoverflow)
{
    struct whorl_chan *chan = NULL;

    CHECK_ERR(whorl_chan_create(SIZE_MAX, 2, &chan), -EOVERFLOW);
    CHECK_ERR(whorl_chan_create(2, SIZE_MAX, &chan), -EOVERFLOW);
    CHECK_ERR(whorl_chan_create(SIZE_MAX, 1, &chan), -EOVERFLOW);
    CHECK_ERR(whorl_chan_create(SIZE_MAX / 4, 4, &chan), -EOVERFLOW);
    CHECK(!chan);
}

/* --- without waiting ------------------------------------------------------------------------- */

TEST_VIRTUAL(trying_never_waits)
{
    WHORL_AUTO(chan) *buffered = ints(1), *unbuffered = ints(0);
    WHORL_AUTO(group) group = {0};
    int value = 0;

    CHECK_ERR(whorl_chan_try_recv(buffered, &value), -EAGAIN);
    CHECK_OK(whorl_chan_try_send(buffered, &(int){5}));
    CHECK_ERR(whorl_chan_try_send(buffered, &(int){6}), -EAGAIN);
    CHECK_OK(whorl_chan_try_recv(buffered, &value));
    CHECK_EQ(value, 5);
    CHECK_ERR(whorl_chan_try_recv(buffered, &value), -EAGAIN);

    CHECK_ERR(whorl_chan_try_send(unbuffered, &value), -EAGAIN);
    CHECK_ERR(whorl_chan_try_recv(unbuffered, &value), -EAGAIN);
    CHECK_OK(whorl_spawn_copy(&group, recv_and_log, PARTY(unbuffered, "r", 1)));
    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_chan_try_send(unbuffered, &(int){8}));
    CHECK_ERR(whorl_chan_try_send(unbuffered, &(int){9}), -EAGAIN);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(whorl_spawn_copy(&group, send_and_log, PARTY(unbuffered, "s", 1, 3)));
    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_chan_try_recv(unbuffered, &value));
    CHECK_EQ(value, 3);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "r8 s3");

    whorl_chan_close(buffered);
    CHECK_ERR(whorl_chan_try_send(buffered, &value), -EPIPE);
    CHECK_ERR(whorl_chan_try_recv(buffered, &value), -EPIPE);
}

/* A program may fill a channel before it has a task, and read the remaining values after the
 * run. */
TEST(trying_needs_no_task)
{
    WHORL_AUTO(chan) *chan = ints(1);
    int value;

    CHECK_OK(whorl_chan_try_send(chan, &(int){5}));
    CHECK_ERR(whorl_chan_send(chan, &(int){5}), WHORL_ENOTASK);
    CHECK_OK(whorl_chan_try_recv(chan, &value));
    CHECK_ERR(whorl_chan_recv(chan, &value), WHORL_ENOTASK);
    whorl_chan_close(chan);
    CHECK_ERR(whorl_chan_try_recv(chan, &value), -EPIPE);
}

/* --- closing --------------------------------------------------------------------------------- */

TEST_VIRTUAL(what_is_buffered_can_be_received_after_closing)
{
    WHORL_AUTO(chan) *chan = ints(3);

    CHECK_OK(send_and_log(PARTY(chan, "s", 2, 1)));
    whorl_chan_close(chan);
    whorl_chan_close(chan);
    CHECK_ERR(send_and_log(PARTY(chan, "s", 1, 9)), -EPIPE);
    CHECK_ERR(recv_and_log(PARTY(chan, "r", 9)), -EPIPE);
    CHECK_ERR(recv_and_log(PARTY(chan, "r", 9)), -EPIPE);
    CHECK_STR(test_logged(), "s1 s2 s9| r1 r2 r| r|");
}

TEST_VIRTUAL(closing_wakes_waiting_receivers)
{
    WHORL_AUTO(chan) *chan = ints(3);
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_spawn_copy(&group, recv_and_log, PARTY(chan, "a", 1)));
    CHECK_OK(whorl_spawn_copy(&group, recv_and_log, PARTY(chan, "b", 1)));
    CHECK_OK(whorl_yield());
    whorl_chan_close(chan);
    CHECK_ERR(whorl_group_wait(&group), -EPIPE);
    CHECK_STR(test_logged(), "a| b|");
}

TEST_VIRTUAL(closing_wakes_waiting_senders_whose_values_are_not_sent)
{
    WHORL_AUTO(chan) *chan = ints(1);
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_spawn_copy(&group, send_and_log, PARTY(chan, "a", 2, 1)));
    CHECK_OK(whorl_spawn_copy(&group, send_and_log, PARTY(chan, "b", 1, 5)));
    CHECK_OK(whorl_yield());
    whorl_chan_close(chan);
    CHECK_ERR(whorl_group_wait(&group), -EPIPE);
    CHECK_ERR(recv_and_log(PARTY(chan, "r", 9)), -EPIPE);
    CHECK_STR(test_logged(), "a1 a2| b5| r1 r|");
}

/* --- cancelling ------------------------------------------------------------------------------ */

TEST_VIRTUAL(a_cancelled_sender_has_sent_nothing)
{
    WHORL_AUTO(chan) *chan = ints(1);
    struct whorl_group stay = {0}, go = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_chan_send(chan, &(int){0}));
    CHECK_OK(whorl_spawn_copy(&go, send_and_log, PARTY(chan, "x", 1, 1)));
    CHECK_OK(whorl_spawn_copy(&stay, send_and_log, PARTY(chan, "a", 1, 2)));
    CHECK_OK(whorl_spawn_copy(&go, send_and_log, PARTY(chan, "y", 1, 3)));
    CHECK_OK(whorl_yield());
    whorl_group_cancel(&go);
    CHECK_ERR(whorl_group_wait(&go), -ECANCELED);
    CHECK_OK(recv_and_log(PARTY(chan, "r", 2)));
    CHECK_OK(whorl_group_wait(&stay));
    CHECK_ERR(whorl_chan_try_recv(chan, &(int){0}), -EAGAIN);
    CHECK_STR(test_logged(), "x1! y3! r0 r2 a2");
}

TEST_VIRTUAL(a_cancelled_receiver_has_taken_nothing)
{
    WHORL_AUTO(chan) *chan = ints(0);
    struct whorl_group stay = {0}, go = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_spawn_copy(&go, recv_and_log, PARTY(chan, "x", 1)));
    CHECK_OK(whorl_spawn_copy(&stay, recv_and_log, PARTY(chan, "a", 1)));
    CHECK_OK(whorl_spawn_copy(&go, recv_and_log, PARTY(chan, "y", 1)));
    CHECK_OK(whorl_yield());
    whorl_group_cancel(&go);
    CHECK_OK(send_and_log(PARTY(chan, "s", 1, 1)));
    CHECK_ERR(whorl_chan_try_send(chan, &(int){2}), -EAGAIN);
    CHECK_ERR(whorl_group_wait(&go), -ECANCELED);
    CHECK_OK(whorl_group_wait(&stay));
    CHECK_STR(test_logged(), "s1 x! y! a1");
}

TEST_VIRTUAL(a_party_served_and_cancelled_in_one_turn_was_served)
{
    WHORL_AUTO(chan) *chan = ints(0);
    struct whorl_group group = {0};
    int value;

    CHECK_OK(whorl_spawn_copy(&group, recv_and_log, PARTY(chan, "r", 1)));
    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_chan_try_send(chan, &(int){4}));
    whorl_group_cancel(&group);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(whorl_spawn_copy(&group, send_and_log, PARTY(chan, "s", 1, 6)));
    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_chan_try_recv(chan, &value));
    whorl_group_cancel(&group);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "r4 s6");
}

struct exchange {
    struct whorl_chan *chan;
    int sent, received, sum;
};

static int send_impatiently(void *arg)
{
    struct exchange *x = arg;

    for (int i = 1; i <= 100; i++) {
        struct whorl_scope scope;
        whorl_scope_enter(&scope, whorl_after(i % 4));
        int err = whorl_chan_send(x->chan, &i);
        (void)whorl_scope_leave(&scope, err);
        if (err == 0) {
            x->sent++;
            x->sum += i;
        }
        CHECK_OK(whorl_sleep(i % 3));
    }
    return 0;
}

static int recv_impatiently(void *arg)
{
    struct exchange *x = arg;

    for (int i = 1; i <= 120; i++) {
        struct whorl_scope scope;
        int value = 0;
        whorl_scope_enter(&scope, whorl_after(i % 5));
        int err = whorl_chan_recv(x->chan, &value);
        (void)whorl_scope_leave(&scope, err);
        if (err == 0) {
            x->received++;
            x->sum -= value;
        } else {
            CHECK_EQ(value, 0);
        }
        CHECK_OK(whorl_sleep(i % 2));
    }
    return 0;
}

TEST_SEEDS(timeouts_at_any_instant_lose_and_double_no_value)
{
    for (size_t capacity = 0; capacity < 3; capacity++) {
        WHORL_AUTO(chan) *chan = ints(capacity);
        WHORL_AUTO(group) group = {0};
        struct exchange x = {.chan = chan};
        int value;
        for (int i = 0; i < 3; i++) {
            CHECK_OK(whorl_spawn(&group, send_impatiently, &x));
            CHECK_OK(whorl_spawn(&group, recv_impatiently, &x));
        }
        CHECK_OK(whorl_group_wait(&group));
        while (whorl_chan_try_recv(chan, &value) == 0) {
            x.received++;
            x.sum -= value;
        }
        CHECK_EQ(x.sent, x.received);
        CHECK_EQ(x.sum, 0);
        CHECK(x.sent > 30);
    }
}

/* --- for each -------------------------------------------------------------------------------- */

static int for_each_and_log(void *arg)
{
    int err = -EIO;

    whorl_chan_for_each(int, n, arg, &err) {
        CHECK_OK(err);
        test_log("%d", n);
    }
    test_log("err %s", whorl_error_name(err));
    return err;
}

TEST_VIRTUAL(for_each_ends_when_the_channel_is_closed_and_drained)
{
    WHORL_AUTO(chan) *chan = ints(3);
    WHORL_AUTO(group) group = {0};

    for (int i = 1; i <= 3; i++)
        CHECK_OK(whorl_chan_send(chan, &i));
    CHECK_OK(whorl_spawn(&group, for_each_and_log, chan));
    CHECK_OK(whorl_spawn_copy(&group, send_and_log, PARTY(chan, "s", 1, 4)));
    CHECK_OK(whorl_sleep(1));
    CHECK_STR(test_logged(), "1 2 3 s4 4"); /* it waits for more values */
    whorl_chan_close(chan);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "1 2 3 s4 4 err OK");
    CHECK_OK(for_each_and_log(chan)); /* already closed: the loop body never runs */
    CHECK_STR(test_logged(), "1 2 3 s4 4 err OK err OK");
}

TEST_VIRTUAL(for_each_ends_on_cancellation_and_takes_nothing_more)
{
    WHORL_AUTO(chan) *chan = ints(3);
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_spawn(&group, for_each_and_log, chan));
    CHECK_OK(whorl_chan_send(chan, &(int){1}));
    CHECK_OK(whorl_sleep(1));
    whorl_group_cancel(&group);
    CHECK_OK(whorl_chan_send(chan, &(int){2}));
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    CHECK_STR(test_logged(), "1 err ECANCELED");
    CHECK_EQ(whorl_chan_len(chan), 1);
}

TEST_VIRTUAL(for_each_left_by_break_keeps_what_the_body_says)
{
    WHORL_AUTO(chan) *chan = ints(3);
    int err;

    for (int i = 1; i <= 3; i++)
        CHECK_OK(whorl_chan_send(chan, &i));
    whorl_chan_for_each(int, n, chan, &err)
        if (n == 2 && (err = -EBADMSG) != 0)
            break;
    CHECK_ERR(err, -EBADMSG);
    whorl_chan_for_each(int, n, chan, &err)
        break;
    CHECK_OK(err);
    CHECK_EQ(whorl_chan_len(chan), 0);
}

TEST(for_each_outside_a_task_says_so)
{
    WHORL_AUTO(chan) *chan = ints(1);
    int err;

    CHECK_OK(whorl_chan_try_send(chan, &(int){1}));
    whorl_chan_for_each(int, n, chan, &err)
        test_fail(__FILE__, __LINE__, "got %d", n);
    CHECK_ERR(err, WHORL_ENOTASK);
}

static WHORL_SUSPENDS_SHIELDED void for_each_long(void *arg)
{
    struct whorl_chan *chan = ints(1);
    int err;

    (void)arg;
    whorl_chan_for_each(long, n, chan, &err)
        test_fail(__FILE__, __LINE__, "got %ld", n);
}

TEST(for_each_with_an_item_of_another_size_aborts_with_a_word_why)
{
    static struct child child;

    child_run(&child, for_each_long, NULL);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "the type of the channel's values"));
}

/* --- destroying ------------------------------------------------------------------------------ */

static int destroy_too_early(void *arg)
{
    struct whorl_chan *chan = ints(0);
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn_copy(&group, arg ? send_and_log : recv_and_log, PARTY(chan, "", 1)));
    CHECK_OK(whorl_yield());
    whorl_chan_destroy(chan);
    return 0;
}

static void run_destroy(void *arg)
{
    test_ignore(whorl_run_virtual(NULL, destroy_too_early, arg));
}

TEST(destroying_a_channel_somebody_waits_on_aborts_with_a_word_why)
{
    static struct child child;

    whorl_chan_destroy(NULL);
    child_run(&child, run_destroy, NULL);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "destroyed while a task waits on it"));
    child_run(&child, run_destroy, "send");
    CHECK_EQ(child.signal, SIGABRT);
}

TEST_MAIN()

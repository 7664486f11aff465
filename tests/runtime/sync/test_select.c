/* SPDX-License-Identifier: MIT */
/* Select: which case is taken, and that the other cases leave nothing behind. */
#include <stdlib.h>

#include <whorl/chan.h>
#include <whorl/future.h>
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/select.h>
#include <whorl/sync.h>
#include <whorl/timer.h>

#include "test.h"

/* --- readiness and fairness ------------------------------------------------------------------ */

TEST_VIRTUAL(select_without_cases_is_invalid)
{
    struct whorl_case none[2] = {0};

    CHECK_ERR(whorl_select(NULL, 0), -EINVAL);
    CHECK_ERR(whorl_select(none, 2), -EINVAL);
    CHECK_ERR(whorl_try_select(NULL, 0), -EAGAIN);
    CHECK_ERR(whorl_try_select(none, 2), -EAGAIN);
}

TEST(select_outside_a_task_is_refused)
{
    struct whorl_event event = {.is_set = true};
    struct whorl_case c = whorl_case_event(&event);

    CHECK_ERR(whorl_select(&c, 1), WHORL_ENOTASK);
    CHECK_ERR(whorl_try_select(&c, 1), WHORL_ENOTASK);
}

TEST_VIRTUAL(select_skips_cases_without_ops)
{
    struct whorl_event set = {.is_set = true}, unset = {0};
    struct whorl_case cases[5] = {{0}, whorl_case_event(&unset), {0}, whorl_case_event(&set), {0}};

    for (int i = 0; i < 50; i++)
        CHECK_EQ(whorl_select(cases, 5), 3);
    set.is_set = false;
    /* The same for a select that has to wait. */
    cases[4] = whorl_case_deadline(whorl_after(WHORL_SECOND));
    CHECK_EQ(whorl_select(cases, 5), 4);
}

#define ROUNDS 20000

/* Checks that each ready case is taken as often as its fair share. '1' in `ready`: the case is
 * ready. */
static WHORL_SUSPENDS_SHIELDED void check_fair(const char *ready)
{
    struct whorl_event events[8] = {0};
    struct whorl_case cases[8];
    size_t count = strlen(ready);
    int taken[8] = {0}, n = 0;

    for (size_t i = 0; i < count; i++) {
        events[i].is_set = ready[i] == '1';
        n += ready[i] == '1';
        cases[i] = ready[i] == 'x' ? (struct whorl_case){0} : whorl_case_event(&events[i]);
    }
    for (int i = 0; i < ROUNDS; i++)
        taken[i % 2 ? whorl_select(cases, count) : whorl_try_select(cases, count)]++;
    for (size_t i = 0; i < count; i++) {
        int expected = ready[i] == '1' ? ROUNDS / n : 0;
        if (taken[i] < expected * 9 / 10 || taken[i] > expected * 11 / 10)
            test_fail(__FILE__, __LINE__, "%s: case %zu was taken %d times, not %d", ready, i,
                      taken[i], expected);
    }
}

TEST_VIRTUAL(select_gives_ready_cases_the_same_chance)
{
    check_fair("11");
    check_fair("111");
    check_fair("11111111");
}

/* The position of a ready case must not matter. */
TEST_VIRTUAL(select_gives_the_same_chance_to_ready_cases_wherever_they_stand)
{
    check_fair("1100");
    check_fair("10000001");
    check_fair("11xx0000");
    check_fair("00010100");
}

TEST_VIRTUAL(select_is_fair_between_channels_that_are_always_full)
{
    WHORL_AUTO(chan) *a = NULL, *b = NULL;
    CHECK_OK(whorl_chan_create(sizeof(int), 1, &a));
    CHECK_OK(whorl_chan_create(sizeof(int), 1, &b));
    int got[2] = {0}, value = 0;

    for (int i = 0; i < 4000; i++) {
        test_ignore(whorl_chan_try_send(a, &(int){1}));
        test_ignore(whorl_chan_try_send(b, &(int){2}));
        struct whorl_case cases[] = {whorl_case_recv(a, &value), whorl_case_recv(b, &value)};
        int k = whorl_select(cases, 2);
        CHECK(k == 0 || k == 1);
        CHECK_OK(cases[k].result);
        CHECK_EQ(value, k + 1);
        got[k]++;
    }
    CHECK(got[0] > 1800 && got[1] > 1800);
}

/* --- each kind ------------------------------------------------------------------------------- */

struct ctx {
    struct whorl_chan *chan, *other;
    struct whorl_event event;
    struct whorl_future future;
    struct whorl_scope *scope;
    const char *name;
};

static int send_42_later(void *arg)
{
    struct ctx *ctx = arg;
    int err = whorl_sleep(WHORL_SECOND);

    return err ? err : whorl_chan_send(ctx->chan, &(int){42});
}

TEST_VIRTUAL(select_receives_what_comes_first)
{
    WHORL_AUTO(chan) *chan = NULL;
    CHECK_OK(whorl_chan_create(sizeof(int), 0, &chan));
    WHORL_AUTO(group) group = {0};
    struct ctx ctx = {.chan = chan};
    int value = 0;

    CHECK_OK(whorl_spawn(&group, send_42_later, &ctx));
    struct whorl_case cases[] = {
        whorl_case_event(&ctx.event),
        whorl_case_recv(chan, &value),
        whorl_case_future(&ctx.future),
        whorl_case_deadline(whorl_after(2 * WHORL_SECOND)),
    };
    CHECK_EQ(whorl_select(cases, 4), 1);
    CHECK_OK(cases[1].result);
    CHECK_EQ(value, 42);
    CHECK_EQ(whorl_now(), WHORL_SECOND);
    CHECK(!ctx.event.waiters.first && !ctx.future.waiters.first);
    struct whorl_run_stats stats;
    CHECK_OK(whorl_run_get_stats(&stats));
    CHECK_EQ(stats.timers_armed, 0); /* the deadline is gone too */
    CHECK_OK(whorl_group_wait(&group));
}

static int set_event_later(void *arg)
{
    struct ctx *ctx = arg;
    int err = whorl_sleep(WHORL_SECOND);

    whorl_event_set(&ctx->event);
    return err;
}

static int complete_later(void *arg)
{
    struct ctx *ctx = arg;
    int err = whorl_sleep(WHORL_SECOND);

    whorl_future_complete(&ctx->future, -EIO);
    return err;
}

TEST_VIRTUAL(select_waits_for_events_futures_and_deadlines)
{
    WHORL_AUTO(group) group = {0};
    struct ctx ctx = {0};

    CHECK_OK(whorl_spawn(&group, set_event_later, &ctx));
    struct whorl_case cases[] = {whorl_case_event(&ctx.event), whorl_case_future(&ctx.future),
                                 whorl_case_deadline(WHORL_FOREVER)};
    CHECK_EQ(whorl_select(cases, 3), 0);
    CHECK_OK(cases[0].result);
    CHECK_OK(whorl_spawn(&group, complete_later, &ctx));
    whorl_event_reset(&ctx.event);
    CHECK_EQ(whorl_select(cases, 3), 1);
    CHECK_OK(cases[1].result);
    CHECK_ERR(ctx.future.result, -EIO);
    cases[1].ops = NULL;
    cases[2] = whorl_case_deadline(5 * WHORL_SECOND);
    CHECK_EQ(whorl_select(cases, 3), 2);
    CHECK_EQ(whorl_now(), 5 * WHORL_SECOND);
    CHECK_EQ(whorl_select(cases, 3), 2); /* a deadline in the past is ready at once */
    CHECK_EQ(whorl_now(), 5 * WHORL_SECOND);
}

static int close_later(void *arg)
{
    struct ctx *ctx = arg;
    int err = whorl_sleep(WHORL_SECOND);

    whorl_chan_close(ctx->chan);
    return err;
}

TEST_VIRTUAL(select_is_woken_by_a_close_on_both_ends)
{
    WHORL_AUTO(chan) *chan = NULL;
    CHECK_OK(whorl_chan_create(sizeof(int), 0, &chan));
    WHORL_AUTO(group) group = {0};
    struct ctx ctx = {.chan = chan};
    int value = 7;

    CHECK_OK(whorl_spawn(&group, close_later, &ctx));
    struct whorl_case cases[] = {whorl_case_recv(chan, &value), whorl_case_send(chan, &value),
                                 whorl_case_recv(chan, &value)};
    int k = whorl_select(cases, 3);
    CHECK(k >= 0);
    CHECK_ERR(cases[k].result, -EPIPE);
    CHECK_EQ(value, 7);
    k = whorl_try_select(cases, 3);
    CHECK(k >= 0);
    CHECK_ERR(cases[k].result, -EPIPE);
    CHECK_OK(whorl_group_wait(&group));
}

TEST_VIRTUAL(select_sends_when_there_is_room)
{
    WHORL_AUTO(chan) *chan = NULL;
    CHECK_OK(whorl_chan_create(sizeof(int), 1, &chan));
    struct whorl_case c = whorl_case_send(chan, &(int){5});
    int value = 0;

    CHECK_EQ(whorl_try_select(&c, 1), 0);
    CHECK_OK(c.result);
    CHECK_ERR(whorl_try_select(&c, 1), -EAGAIN);
    CHECK_OK(whorl_chan_recv(chan, &value));
    CHECK_EQ(value, 5);
    CHECK_EQ(whorl_chan_len(chan), 0);
}

/* --- two selects ------------------------------------------------------------------------------ */

/* Sends its own number or receives the other task's number, on one channel without a buffer. */
static int swap(void *arg)
{
    struct ctx *ctx = arg;
    int mine = ctx->name[0], got = 0;
    struct whorl_case cases[] = {whorl_case_send(ctx->chan, &mine),
                                 whorl_case_recv(ctx->chan, &got)};

    int k = whorl_select(cases, 2);
    CHECK(k == 0 || k == 1);
    CHECK_OK(cases[k].result);
    test_log(k == 0 ? "%s-sent" : "%s-got-%c", ctx->name, got);
    return 0;
}

TEST_SEEDS(select_with_send_and_receive_on_one_channel_meets_another_but_never_itself)
{
    WHORL_AUTO(chan) *chan = NULL;
    CHECK_OK(whorl_chan_create(sizeof(int), 0, &chan));
    WHORL_AUTO(group) group = {0};
    struct ctx a = {.chan = chan, .name = "a"}, b = {.chan = chan, .name = "b"};

    test_log_clear();
    CHECK_OK(whorl_spawn(&group, swap, &a));
    CHECK_OK(whorl_spawn(&group, swap, &b));
    CHECK_OK(whorl_group_wait(&group));
    const char *log = test_logged();
    CHECK((strstr(log, "a-sent") && strstr(log, "b-got-a")) ||
          (strstr(log, "b-sent") && strstr(log, "a-got-b")));
}

TEST_VIRTUAL(select_alone_with_both_ends_of_a_channel_waits)
{
    WHORL_AUTO(chan) *chan = NULL;
    CHECK_OK(whorl_chan_create(sizeof(int), 0, &chan));
    int value = 3;
    struct whorl_case cases[] = {whorl_case_send(chan, &value), whorl_case_recv(chan, &value),
                                 whorl_case_deadline(whorl_after(1))};

    CHECK_EQ(whorl_select(cases, 3), 2);
    CHECK_ERR(whorl_chan_try_recv(chan, &value), -EAGAIN); /* no waiter was left behind */
    CHECK_ERR(whorl_chan_try_send(chan, &value), -EAGAIN);
}

/* --- nothing lost, nothing twice -------------------------------------------------------------- */

#define CHANS   3
#define WORKERS 4
#define VALUES  60

struct traffic {
    struct whorl_chan *chans[CHANS];
    long sent, received;
    int sent_count, received_count, senders;
    uint64_t random;
};

static unsigned draw(struct traffic *t, unsigned n)
{
    t->random = t->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(t->random >> 33) % n;
}

static int send_some(void *arg)
{
    struct traffic *t = arg;

    for (int i = 0; i < VALUES; i++) {
        int values[CHANS], err;
        struct whorl_case cases[CHANS + 1];
        struct whorl_scope scope;
        for (int c = 0; c < CHANS; c++) {
            values[c] = (int)draw(t, 1000000);
            cases[c] = whorl_case_send(t->chans[c], &values[c]);
        }
        cases[CHANS] = whorl_case_deadline(whorl_after(1 + draw(t, 3)));
        whorl_scope_enter(&scope, draw(t, 4) ? WHORL_FOREVER : whorl_after(draw(t, 3)));
        int k = whorl_select(cases, CHANS + 1);
        if (k >= 0 && k < CHANS) {
            CHECK_OK(cases[k].result);
            t->sent += values[k];
            t->sent_count++;
        }
        (void)whorl_scope_leave(&scope, 0);
        if (draw(t, 3) == 0 && (err = whorl_sleep(draw(t, 3))) < 0)
            return err;
    }
    if (--t->senders == 0)
        for (int c = 0; c < CHANS; c++)
            whorl_chan_close(t->chans[c]);
    return 0;
}

static int receive_some(void *arg)
{
    struct traffic *t = arg;

    for (;;) {
        int value = -1, closed = 0;
        struct whorl_case cases[CHANS + 1];
        struct whorl_scope scope;
        for (int c = 0; c < CHANS; c++)
            cases[c] = whorl_case_recv(t->chans[c], &value);
        cases[CHANS] = whorl_case_deadline(whorl_after(1 + draw(t, 5)));
        whorl_scope_enter(&scope, draw(t, 4) ? WHORL_FOREVER : whorl_after(draw(t, 3)));
        int k = draw(t, 5) ? whorl_select(cases, CHANS + 1) : whorl_try_select(cases, CHANS);
        if (k >= 0 && k < CHANS && cases[k].result == 0) {
            t->received += value;
            t->received_count++;
        } else {
            CHECK_EQ(value, -1); /* a case that was not taken has written nothing */
        }
        (void)whorl_scope_leave(&scope, 0);
        for (int c = 0; c < CHANS; c++)
            closed += whorl_chan_len(t->chans[c]) == 0 && t->senders == 0;
        if (closed == CHANS)
            return 0;
        int err = k < 0 ? whorl_sleep(1) : 0;
        if (err)
            return err;
    }
}

TEST_SEEDS(select_loses_and_doubles_no_value_in_any_order)
{
    struct traffic t = {.senders = WORKERS, .random = test_seed() + 1};
    WHORL_AUTO(group) group = {0};

    for (int c = 0; c < CHANS; c++)
        CHECK_OK(whorl_chan_create(sizeof(int), (size_t)c, &t.chans[c]));
    for (int i = 0; i < WORKERS; i++) {
        CHECK_OK(whorl_spawn(&group, send_some, &t));
        CHECK_OK(whorl_spawn(&group, receive_some, &t));
    }
    CHECK_OK(whorl_group_wait(&group));
    CHECK(t.sent_count > VALUES);
    CHECK_EQ(t.received_count, t.sent_count);
    CHECK_EQ(t.received, t.sent);
    for (int c = 0; c < CHANS; c++)
        whorl_chan_destroy(t.chans[c]);
}

/* --- cancellation ----------------------------------------------------------------------------- */

static int select_recv(void *arg)
{
    struct ctx *ctx = arg;
    int value = 0;
    struct whorl_scope scope;
    struct whorl_case cases[] = {whorl_case_event(&ctx->event), whorl_case_recv(ctx->chan, &value)};

    whorl_scope_enter(&scope, WHORL_FOREVER);
    ctx->scope = &scope;
    int k = whorl_select(cases, 2);
    test_log("%d:%d", k, value);
    return whorl_scope_leave(&scope, 0);
}

TEST_VIRTUAL(select_that_is_cancelled_took_nothing)
{
    WHORL_AUTO(chan) *chan = NULL;
    CHECK_OK(whorl_chan_create(sizeof(int), 0, &chan));
    WHORL_AUTO(group) group = {0};
    struct ctx ctx = {.chan = chan};

    CHECK_OK(whorl_spawn(&group, select_recv, &ctx));
    CHECK_OK(whorl_yield());
    whorl_scope_cancel(ctx.scope);
    CHECK_ERR(whorl_chan_try_send(chan, &(int){9}), -EAGAIN);
    CHECK(!ctx.event.waiters.first);
    CHECK_OK(whorl_group_wait(&group));
    test_log("end");
    CHECK_STR(test_logged(), "-125:0 end");
}

TEST_VIRTUAL(select_cancelled_in_the_turn_in_which_a_case_fired_keeps_the_case)
{
    WHORL_AUTO(chan) *chan = NULL;
    CHECK_OK(whorl_chan_create(sizeof(int), 0, &chan));
    WHORL_AUTO(group) group = {0};
    struct ctx ctx = {.chan = chan};

    CHECK_OK(whorl_spawn(&group, select_recv, &ctx));
    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_chan_try_send(chan, &(int){9}));
    whorl_scope_cancel(ctx.scope);
    whorl_event_set(&ctx.event); /* too late */
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "1:9");
}

TEST_VIRTUAL(select_in_a_cancelled_scope_takes_nothing_but_try_select_does)
{
    struct whorl_event event = {.is_set = true};
    struct whorl_case c = whorl_case_event(&event);
    struct whorl_scope scope;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    whorl_scope_cancel(&scope);
    CHECK_ERR(whorl_select(&c, 1), -ECANCELED);
    CHECK_EQ(whorl_try_select(&c, 1), 0);
    (void)whorl_scope_leave(&scope, 0);
}

/* --- implementers ----------------------------------------------------------------------------- */

/* A case whose stop completes only after some time, like a request in the kernel. */
struct slow {
    struct whorl_case *c;
    struct whorl_timer timer;
    int start_result;
    int starts, stops, readies;
    int stop_takes;          /* duration of a stop in ns; 0: at once */
    struct slow *then_ready; /* case that the start of this one makes ready */
    bool ready_in_start;
};

static bool slow_try(struct whorl_case *c)
{
    (void)c;
    return false;
}

static void slow_ready(struct slow *slow, int result)
{
    slow->readies++;
    whorl_case_ready(slow->c, result);
}

static int slow_start(struct whorl_case *c)
{
    struct slow *slow = c->object;

    slow->starts++;
    slow->c = c;
    if (slow->ready_in_start)
        slow_ready(slow, 5);
    if (slow->then_ready)
        slow_ready(slow->then_ready, 7);
    return slow->start_result;
}

static void slow_stopped(struct whorl_timer *timer)
{
    slow_ready((struct slow *)(void *)((char *)timer - offsetof(struct slow, timer)), -ECANCELED);
}

static enum whorl_abort slow_stop(struct whorl_case *c)
{
    struct slow *slow = c->object;

    slow->stops++;
    if (slow->stop_takes == 0)
        return WHORL_ABORT_DONE;
    whorl_timer_arm(&slow->timer, whorl_after(slow->stop_takes), slow_stopped);
    return WHORL_ABORT_PENDING;
}

static struct whorl_case slow_case(struct slow *slow)
{
    static const struct whorl_case_ops ops = {"slow thing", slow_try, slow_start, slow_stop};
    return (struct whorl_case){.ops = &ops, .object = slow};
}

TEST_VIRTUAL(select_returns_only_when_pending_stops_have_come_through)
{
    WHORL_AUTO(group) group = {0};
    struct ctx ctx = {0};
    struct slow a = {.stop_takes = 50}, b = {.stop_takes = 900}, c = {0};
    struct whorl_case cases[] = {slow_case(&a), whorl_case_event(&ctx.event), slow_case(&b),
                                 slow_case(&c)};

    CHECK_OK(whorl_spawn(&group, set_event_later, &ctx));
    CHECK_EQ(whorl_select(cases, 4), 1);
    CHECK_OK(cases[1].result);
    CHECK_EQ(whorl_now(), WHORL_SECOND + 900);
    CHECK_EQ(a.stops + b.stops + c.stops, 3);
    CHECK_EQ(a.readies + b.readies, 2);
}

static int select_slow(void *arg)
{
    struct slow *slow = arg;
    struct whorl_case cases[] = {slow_case(&slow[0]), slow_case(&slow[1])};
    struct whorl_scope scope;

    whorl_scope_enter(&scope, whorl_after(1000));
    int k = whorl_select(cases, 2);
    test_log("%d@%d", k, (int)whorl_now());
    return whorl_scope_leave(&scope, k < 0 ? k : 0);
}

TEST_VIRTUAL(select_that_is_cancelled_waits_for_pending_stops_and_takes_nothing)
{
    struct slow slow[2] = {{.stop_takes = 10}, {.stop_takes = 70}};

    CHECK_ERR(select_slow(slow), -ETIMEDOUT);
    CHECK_STR(test_logged(), "-125@1070");
    CHECK_EQ(slow[0].readies + slow[1].readies, 2);
    CHECK_EQ(slow[0].stops + slow[1].stops, 2);
}

static void fire_slow(struct whorl_timer *timer)
{
    struct slow *slow = (void *)((char *)timer - offsetof(struct slow, timer));
    slow_ready(slow, 3);
}

TEST_VIRTUAL(select_cancelled_while_a_loser_is_being_stopped_keeps_its_winner)
{
    struct slow slow[2] = {{0}, {.stop_takes = 5000}};
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, select_slow, slow));
    CHECK_OK(whorl_yield());
    whorl_timer_arm(&slow[0].timer, whorl_after(500), fire_slow);
    CHECK_OK(whorl_group_wait(&group)); /* the scope's deadline at 1000 finds a winner */
    CHECK_STR(test_logged(), "0@5500");
    CHECK_EQ(slow[1].stops, 1);
}

TEST_VIRTUAL(select_takes_a_case_that_cannot_start_with_its_code)
{
    struct slow a = {.stop_takes = 30}, bad = {.start_result = -EBADF}, never = {0};
    struct whorl_case cases[] = {slow_case(&a), slow_case(&bad), slow_case(&never)};

    CHECK_EQ(whorl_select(cases, 3), 1);
    CHECK_ERR(cases[1].result, -EBADF);
    CHECK_EQ(whorl_now(), 30);
    CHECK_EQ(a.stops, 1);
    CHECK_EQ(bad.stops, 0);
    CHECK_EQ(never.starts, 0);
}

TEST_VIRTUAL(select_takes_a_case_that_is_ready_while_it_starts)
{
    struct slow a = {.stop_takes = 30}, b = {.ready_in_start = true}, never = {0};
    struct whorl_case cases[] = {slow_case(&a), slow_case(&b), slow_case(&never)};

    CHECK_EQ(whorl_select(cases, 3), 1);
    CHECK_EQ(cases[1].result, 5);
    CHECK_EQ(b.stops, 0);
    CHECK_EQ(never.starts, 0);
}

/* Starting one case makes another case ready. The case that was just started is not in the list of
 * started cases yet. */
TEST_VIRTUAL(select_stops_the_case_whose_start_made_another_ready)
{
    for (int takes = 0; takes <= 40; takes += 40) {
        struct slow a = {0}, b = {.then_ready = &a, .stop_takes = takes};
        struct whorl_case cases[] = {slow_case(&a), slow_case(&b)};
        int64_t began_ns = whorl_now();

        CHECK_EQ(whorl_select(cases, 2), 0);
        CHECK_EQ(cases[0].result, 7);
        CHECK_EQ(b.stops, 1);
        CHECK_EQ(whorl_now(), began_ns + takes);
    }
}

TEST_VIRTUAL(select_ignores_a_failed_start_that_made_another_ready)
{
    struct slow a = {0}, b = {.then_ready = &a, .start_result = -EIO};
    struct whorl_case cases[] = {slow_case(&a), slow_case(&b)};

    CHECK_EQ(whorl_select(cases, 2), 0);
    CHECK_EQ(cases[0].result, 7);
    CHECK_EQ(b.stops, 0);
}

/* --- several selects on one thing ------------------------------------------------------------- */

static int select_named(void *arg)
{
    struct ctx *ctx = arg;
    int value = 0;
    struct whorl_case cases[] = {whorl_case_recv(ctx->chan, &value),
                                 whorl_case_recv(ctx->other, &value)};

    int k = whorl_select(cases, 2);
    CHECK(k >= 0);
    test_log("%s%d=%d", ctx->name, k, cases[k].result ? cases[k].result : value);
    return 0;
}

TEST_VIRTUAL(select_waits_in_line_with_others_on_a_channel)
{
    WHORL_AUTO(chan) *one = NULL, *two = NULL;
    CHECK_OK(whorl_chan_create(sizeof(int), 0, &one));
    CHECK_OK(whorl_chan_create(sizeof(int), 0, &two));
    WHORL_AUTO(group) group = {0};
    struct ctx ctx[] = {{.chan = one, .other = two, .name = "a"},
                        {.chan = one, .other = two, .name = "b"},
                        {.chan = one, .other = two, .name = "c"},
                        {.chan = one, .other = two, .name = "d"}};

    for (int i = 0; i < 4; i++)
        CHECK_OK(whorl_spawn(&group, select_named, &ctx[i]));
    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_chan_send(two, &(int){10}));
    CHECK_OK(whorl_chan_send(one, &(int){11}));
    whorl_chan_close(two);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a1=10 b0=11 c1=-32 d1=-32");
    CHECK_ERR(whorl_chan_try_send(one, &(int){1}), -EAGAIN);
}

TEST_VIRTUAL(select_with_the_same_event_twice_is_woken_once)
{
    WHORL_AUTO(group) group = {0};
    struct ctx ctx = {0};
    struct whorl_case cases[] = {whorl_case_event(&ctx.event), whorl_case_event(&ctx.event)};

    CHECK_OK(whorl_spawn(&group, set_event_later, &ctx));
    CHECK_EQ(whorl_select(cases, 2), 0);
    CHECK(!ctx.event.waiters.first);
    CHECK_OK(whorl_group_wait(&group));
}

TEST_MAIN()

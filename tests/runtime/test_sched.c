/* SPDX-License-Identifier: MIT */
/* The scheduler: which task runs next, how long a turn of the loop is, and what the loop guarantees
 * to a poller. */
#include <signal.h>
#include <time.h>

#include <whorl/chan.h>
#include <whorl/group.h>
#include <whorl/park.h>
#include <whorl/poller.h>
#include <whorl/run.h>
#include <whorl/task.h>
#include <whorl/timer.h>

#include "child.h"
#include "runtime/sched.h"
#include "test.h"

/* --- order ----------------------------------------------------------------------------------- */

static int yield_and_log(void *arg)
{
    for (int i = 1; i <= 3; i++) {
        test_log("%s%d", (const char *)arg, i);
        CHECK_OK(whorl_yield());
    }
    return 0;
}

TEST_VIRTUAL(the_task_that_has_been_ready_longest_runs_next)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, yield_and_log, "a"));
    CHECK_OK(whorl_spawn(&group, yield_and_log, "b"));
    CHECK_OK(whorl_spawn(&group, yield_and_log, "c"));
    CHECK_OK(whorl_yield());
    test_log("m");
    CHECK_OK(whorl_spawn(&group, yield_and_log, "d"));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a1 b1 c1 m a2 b2 c2 d1 a3 b3 c3 d2 d3");
}

static int count_turns(void *arg)
{
    int *turns = arg;

    for (;;) {
        ++*turns;
        if (whorl_yield())
            return 0;
    }
}

/* This also holds when the loop runs in between after every turn. */
TEST_VIRTUAL(yielding_tasks_get_equal_turns)
{
    for (int tasks = 1; tasks <= 40; tasks += 3) {
        WHORL_AUTO(group) group = {0};
        int turns[40] = {0};
        for (int i = 0; i < tasks; i++)
            CHECK_OK(whorl_spawn(&group, count_turns, &turns[i]));
        for (int i = 0; i < 5000 / tasks; i++) {
            for (int k = 0; k < tasks; k++)
                CHECK_EQ(turns[k], i);
            CHECK_OK(whorl_yield());
        }
    }
}

static int spawn_chain(void *arg)
{
    int *left = arg;

    if (--*left == 0)
        return 0;
    WHORL_AUTO(group) group = {0};
    CHECK_OK(whorl_spawn(&group, spawn_chain, left));
    return whorl_group_wait(&group);
}

/* The ready ring grows while its head is at any position. */
TEST_VIRTUAL(the_ready_ring_grows_in_any_position)
{
    for (int shift = 0; shift < 70; shift += 3) {
        WHORL_AUTO(group) group = {0};
        int turns[300] = {0}, left = 50;
        for (int i = 0; i < shift; i++)
            CHECK_OK(whorl_spawn(&group, count_turns, &turns[0]));
        CHECK_OK(whorl_yield());
        whorl_group_finish(&group);
        CHECK_OK(spawn_chain(&left));
        memset(turns, 0, sizeof turns);
        for (int i = 0; i < 300; i++) {
            CHECK_OK(whorl_spawn(&group, count_turns, &turns[i]));
            if (i % 50 == shift % 50)
                CHECK_OK(whorl_yield());
        }
        CHECK_OK(whorl_yield());
        for (int i = 1; i < 300; i++)
            CHECK(turns[i] == turns[i - 1] || turns[i] == turns[i - 1] - 1);
    }
}

/* --- seeds ----------------------------------------------------------------------------------- */

static int log_in_some_order(void *arg)
{
    WHORL_AUTO(group) group = {0};

    (void)arg;
    CHECK_OK(whorl_spawn(&group, yield_and_log, "a"));
    CHECK_OK(whorl_spawn(&group, yield_and_log, "b"));
    CHECK_OK(whorl_spawn(&group, yield_and_log, "c"));
    return whorl_group_wait(&group);
}

TEST(a_seed_gives_an_order_of_its_own_again_and_again)
{
    enum { SEEDS = 50 };
    static char orders[SEEDS][200];
    int different = 0;

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct whorl_virtual_options options = {.seed = seed};
        char *order = orders[seed - 1];
        for (int again = 0; again < 2; again++) {
            test_log_clear();
            CHECK_OK(whorl_run_virtual(&options, log_in_some_order, NULL));
            if (again)
                CHECK_STR(test_logged(), order);
            snprintf(order, sizeof orders[0], "%s", test_logged());
        }
        CHECK(strstr(order, "a1") < strstr(order, "a2") &&
              strstr(order, "a2") < strstr(order, "a3"));
        bool seen = false;
        for (uint64_t k = 0; k + 1 < seed; k++)
            seen = seen || strcmp(orders[k], order) == 0;
        different += !seen;
    }
    CHECK(different > SEEDS / 2);
    test_log_clear();
    CHECK_OK(whorl_run_virtual(NULL, log_in_some_order, NULL));
    CHECK_STR(test_logged(), "a1 b1 c1 a2 b2 c2 a3 b3 c3");
}

/* --- the loop and its poller ----------------------------------------------------------------- */

/* A poller whose behaviour the test controls. */
struct fake {
    struct whorl_poller poller;
    int64_t now_ns;
    size_t pending;
    bool has_work;
    int waits, result;
    int64_t deadlines[100]; /* deadlines of the first waits */
    void (*on_wait)(struct fake *fake, int64_t deadline_ns);
    struct whorl_waiter *waiter;
};

static struct fake *fake_of(struct whorl_poller *poller)
{
    return (struct fake *)(void *)((char *)poller - offsetof(struct fake, poller));
}

static int64_t fake_now(struct whorl_poller *poller)
{
    return fake_of(poller)->now_ns;
}

static int fake_wait(struct whorl_poller *poller, int64_t deadline_ns)
{
    struct fake *fake = fake_of(poller);

    CHECK(!whorl_task_self()); /* called on the thread's own stack */
    if (fake->waits < 100)
        fake->deadlines[fake->waits] = deadline_ns;
    fake->waits++;
    if (fake->on_wait)
        fake->on_wait(fake, deadline_ns);
    else if (deadline_ns != WHORL_FOREVER && deadline_ns > fake->now_ns)
        fake->now_ns = deadline_ns;
    return fake->result;
}

static bool fake_has_work(struct whorl_poller *poller)
{
    return fake_of(poller)->has_work;
}

static size_t fake_pending(struct whorl_poller *poller)
{
    return fake_of(poller)->pending;
}

static void fake_kick(struct whorl_poller *poller)
{
    (void)poller;
}

static const struct whorl_poller_ops fake_ops = {.name = "fake",
                                                 .now = fake_now,
                                                 .wait = fake_wait,
                                                 .has_work = fake_has_work,
                                                 .kick = fake_kick,
                                                 .pending = fake_pending};
static const struct whorl_poller_ops fake_ops_always = {
    .name = "fake", .now = fake_now, .wait = fake_wait, .kick = fake_kick, .pending = fake_pending};

static struct fake fake = {.poller.ops = &fake_ops};

static int sleep_twice(void *arg)
{
    (void)arg;
    CHECK(whorl_poller_current() == &fake.poller);
    CHECK_OK(whorl_sleep(1000));
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    return 0;
}

TEST(the_loop_waits_until_the_next_deadline)
{
    CHECK(!whorl_poller_current());
    CHECK_OK(whorl_run_on(&fake.poller, NULL, sleep_twice, NULL));
    CHECK_EQ(fake.waits, 2);
    CHECK_EQ(fake.deadlines[0], 1000);
    CHECK_EQ(fake.deadlines[1], 1000 + WHORL_SECOND);
}

static void return_early(struct fake *f, int64_t deadline_ns)
{
    f->now_ns += (deadline_ns - f->now_ns + 1) / 2; /* like a wait that a signal interrupted */
}

TEST(a_wait_that_returns_early_is_made_again)
{
    fake.on_wait = return_early;
    CHECK_OK(whorl_run_on(&fake.poller, NULL, sleep_twice, NULL));
    CHECK_EQ(fake.now_ns, 1000 + WHORL_SECOND);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(fake.deadlines[i], 1000);
}

static int park_for_completion(void *arg)
{
    struct whorl_waiter waiter = WHORL_WAITER_INIT;

    (void)arg;
    fake.waiter = &waiter;
    fake.pending = 1;
    return (int)whorl_park(&waiter, NULL, "completion");
}

static void complete(struct fake *f, int64_t deadline_ns)
{
    CHECK_EQ(deadline_ns, WHORL_FOREVER);
    if (f->waits < 3)
        return; /* no completion yet */
    f->pending = 0;
    whorl_wake(f->waiter, 77);
}

TEST(with_requests_in_flight_the_loop_waits_for_ever)
{
    fake.on_wait = complete;
    CHECK_EQ(whorl_run_on(&fake.poller, NULL, park_for_completion, NULL), 77);
    CHECK_EQ(fake.waits, 3);
}

static int yield_many(void *arg)
{
    WHORL_AUTO(group) group = {0};
    int turns = 0;

    CHECK_OK(whorl_spawn(&group, count_turns, &turns));
    for (int i = 0; i < *(int *)arg; i++)
        CHECK_OK(whorl_yield());
    return 0;
}

TEST(while_tasks_are_ready_a_poller_without_work_is_left_alone)
{
    CHECK_OK(whorl_run_on(&fake.poller, NULL, yield_many, &(int){10000}));
    CHECK_EQ(fake.waits, 0);
}

TEST(while_tasks_are_ready_a_poller_with_work_is_looked_at_again_and_again)
{
    fake.has_work = true;
    CHECK_OK(whorl_run_on(&fake.poller, NULL, yield_many, &(int){10000}));
    CHECK(fake.waits >= 20000 / SCHED_TURN_MAX - 2);
    CHECK(fake.waits <= 20000 / SCHED_TURN_MAX + 6); /* the first turns are shorter */
    for (int i = 0; i < 70; i++)
        CHECK_EQ(fake.deadlines[i], 0); /* polled without waiting */
    fake.waits = 0;
    fake.has_work = false;
    fake.poller.ops = &fake_ops_always;
    CHECK_OK(whorl_run_on(&fake.poller, NULL, yield_many, &(int){10000}));
    CHECK(fake.waits >= 20000 / SCHED_TURN_MAX - 2);
}

static int compute_and_yield(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3000; i++) {
        fake.now_ns += WHORL_MILLISECOND; /* the duration of this step */
        CHECK_OK(whorl_yield());
    }
    return 0;
}

static int compute_together(void *arg)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, compute_and_yield, arg));
    CHECK_OK(whorl_spawn(&group, compute_and_yield, arg));
    return whorl_group_wait(&group);
}

TEST(tasks_that_compute_for_long_make_turns_short)
{
    fake.has_work = true;
    CHECK_OK(whorl_run_on(&fake.poller, NULL, compute_together, NULL));
    CHECK(fake.waits > 5900); /* of about 6,000 switches; the first turn has more than one */
}

static int idle_then_yield(void *arg)
{
    int turns = 0;

    for (int i = 0; i < 20; i++) {
        WHORL_AUTO(group) group = {0};
        CHECK_OK(whorl_spawn(&group, count_turns, &turns));
        CHECK_OK(whorl_spawn(&group, count_turns, &turns));
        for (int k = 0; k < 400; k++) {
            CHECK_OK(whorl_yield());
            CHECK(sched_self()->turn >= SCHED_TURN_FIRST);
        }
        whorl_group_finish(&group);
        CHECK_OK(whorl_sleep(WHORL_SECOND)); /* no task computes meanwhile */
    }
    (void)arg;
    return 0;
}

static int note_the_time(void *arg)
{
    int64_t due_ns = whorl_after(5 * WHORL_MILLISECOND);

    CHECK_OK(whorl_sleep_until(due_ns));
    *(int64_t *)arg = whorl_now() - due_ns;
    return 0;
}

/* Steps are short at first and turns become long; then each step takes 10 ms. */
static int turn_to_long_steps(void *arg)
{
    WHORL_AUTO(group) group = {0};

    for (int i = 0; i < 10000; i++)
        CHECK_OK(whorl_yield());
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_OK(whorl_spawn(&group, note_the_time, arg));
    for (int i = 0; i < 1000; i++) {
        fake.now_ns += 10 * WHORL_MILLISECOND;
        CHECK_OK(whorl_yield());
    }
    return whorl_group_wait(&group);
}

TEST(a_task_that_takes_to_long_steps_delays_a_timer_by_few_of_them)
{
    int64_t late_ns = 0;

    CHECK_OK(whorl_run_on(&fake.poller, NULL, turn_to_long_steps, &late_ns));
    CHECK(late_ns > 0);
    CHECK(late_ns <= 20 * 10 * WHORL_MILLISECOND);
}

TEST(time_slept_does_not_make_turns_short)
{
    fake.has_work = true;
    CHECK_OK(whorl_run_on(&fake.poller, NULL, idle_then_yield, NULL));
}

static void run_with_failing_poller(void *arg)
{
    (void)arg;
    fake.result = -EBADF;
    test_ignore(whorl_run_on(&fake.poller, NULL, sleep_twice, NULL));
}

/* The kernel may still hold memory of tasks, so the run cannot continue. */
TEST(a_poller_that_fails_aborts_with_a_word_why)
{
    static struct child child;

    child_run(&child, run_with_failing_poller, NULL);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "whorl: fake: bad file descriptor"));
}

/* --- numbers --------------------------------------------------------------------------------- */

static int look_at_stats(void *arg)
{
    struct whorl_run_stats stats;

    (void)arg;
    CHECK_OK(whorl_run_get_stats(&stats));
    CHECK_EQ(stats.spawned, 6);
    CHECK_EQ(stats.tasks_alive, 6);
    return whorl_sleep(5);
}

TEST_VIRTUAL(stats_count_what_happens)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_run_stats stats;

    CHECK_OK(whorl_run_get_stats(&stats));
    CHECK_EQ(stats.spawned, 1);
    CHECK_EQ(stats.tasks_alive, 1);
    CHECK_EQ(stats.tasks_ready, 0);
    CHECK_EQ(stats.timers_armed, 0);
    CHECK_EQ(stats.polls, 0);
    uint64_t switches = stats.switches;
    for (int i = 0; i < 5; i++)
        CHECK_OK(whorl_spawn(&group, look_at_stats, NULL));
    CHECK_OK(whorl_run_get_stats(&stats));
    CHECK_EQ(stats.tasks_ready, 5);
    CHECK_EQ(stats.switches, switches);
    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_run_get_stats(&stats));
    CHECK_EQ(stats.tasks_ready, 0);
    CHECK_EQ(stats.timers_armed, 5);
    CHECK_EQ(stats.switches, switches + 6);
    CHECK_EQ(stats.stacks_mapped - stats.stacks_free, 6);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(whorl_run_get_stats(&stats));
    CHECK_EQ(stats.tasks_alive, 1);
    CHECK_EQ(stats.spawned, 6);
    CHECK_EQ(stats.polls, 1);
    CHECK_EQ(stats.stacks_mapped - stats.stacks_free, 1);
}

static uint64_t switches_in_timer;

static void note_switches(struct whorl_timer *timer)
{
    struct whorl_run_stats stats;

    (void)timer;
    CHECK_OK(whorl_run_get_stats(&stats));
    switches_in_timer = stats.switches;
}

TEST_VIRTUAL(stats_are_the_same_on_the_loops_side)
{
    struct whorl_run_stats before, after;
    struct whorl_timer timer = {0};

    whorl_timer_arm(&timer, 5, note_switches);
    CHECK_OK(whorl_run_get_stats(&before));
    CHECK_OK(whorl_sleep(10));
    CHECK_OK(whorl_run_get_stats(&after));
    CHECK_EQ(switches_in_timer, before.switches);
    CHECK_EQ(after.switches, before.switches + 1);
}

TEST(outside_a_run_there_are_no_stats)
{
    struct whorl_run_stats stats;

    CHECK_ERR(whorl_run_get_stats(&stats), WHORL_ENOTASK);
    whorl_run_trim();
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT */
/* The timer wheel, compared with a plain list that is searched for the earliest timer. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <whorl/run.h>
#include <whorl/task.h>
#include <whorl/timer.h>

#include "child.h"
#include "runtime/base/check.h"
#include "runtime/sched.h"
#include "test.h"

#define TICK (INT64_C(1) << TIMER_TICK_BITS)

static struct timer_wheel wheel;

static void start_wheel(int64_t now)
{
    memset(&wheel, 0, sizeof wheel);
    timer_wheel_init(&wheel, now);
}
static uint64_t random_state;

static uint64_t draw(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return random_state ^ random_state >> 29;
}

/* --- the reference --------------------------------------------------------------------------- */

enum { MODEL_TIMERS = 300, MILLION = 1000000 };

struct model_timer {
    struct whorl_timer timer;
    bool armed;
    int64_t deadline_ns;
    uint64_t order; /* position in the order of arming */
};

static struct model_timer model[MODEL_TIMERS];
static uint64_t armings;    /* number of armings so far */
static int64_t model_now;   /* the time of the current advance */
static uint64_t due_before; /* only timers armed before the advance may fire in it */
static int fired;
static bool meddle; /* fired timers change other timers */

static void on_fire(struct whorl_timer *timer);

static void model_arm(struct model_timer *m, int64_t deadline_ns)
{
    CHECK(!m->armed);
    m->armed = true;
    m->deadline_ns = m->timer.deadline_ns = deadline_ns;
    m->timer.fire = on_fire;
    m->order = armings++;
    timer_wheel_add(&wheel, &m->timer);
    CHECK(timer_is_armed(&m->timer));
}

static void model_disarm(struct model_timer *m)
{
    m->armed = false;
    timer_wheel_remove(&wheel, &m->timer);
    CHECK(!timer_is_armed(&m->timer));
}

static struct model_timer *model_earliest(uint64_t armed_before)
{
    struct model_timer *best = NULL;

    for (int i = 0; i < MODEL_TIMERS; i++) {
        struct model_timer *m = &model[i];
        if (m->armed && m->order < armed_before &&
            (!best || m->deadline_ns < best->deadline_ns ||
             (m->deadline_ns == best->deadline_ns && m->order < best->order)))
            best = m;
    }
    return best;
}

static size_t model_armed(void)
{
    size_t n = 0;
    for (int i = 0; i < MODEL_TIMERS; i++)
        n += model[i].armed;
    return n;
}

/* A delay from a nanosecond to years; each magnitude is equally likely. */
static int64_t draw_delay(void)
{
    unsigned bits = (unsigned)(draw() % 58);
    return (int64_t)(draw() & ((UINT64_C(1) << bits) - 1));
}

static int64_t draw_deadline(int64_t now)
{
    switch (draw() % 8) {
    case 0: /* in the past */
        return now - draw_delay();
    case 1: /* on the edge of a tick, or of a slot of a higher level */
        return (now / TICK + (int64_t)(draw() % 70)) * TICK + (int64_t)(draw() % 3) - 1;
    case 2: {
        unsigned shift = TIMER_TICK_BITS + (unsigned)(draw() % TIMER_LEVELS) * TIMER_SLOT_BITS;
        return (((now >> shift) + 1 + (int64_t)(draw() % 3)) << shift) + (int64_t)(draw() % 3) - 1;
    }
    case 3: /* equal deadlines */
        return (now / TICK + 5) * TICK + 77;
    default:
        return now + draw_delay();
    }
}

static void on_fire(struct whorl_timer *timer)
{
    struct model_timer *m = container_of(timer, struct model_timer, timer);

    CHECK(!timer_is_armed(timer));
    CHECK(m->armed);
    CHECK(m == model_earliest(due_before));
    CHECK(m->deadline_ns <= model_now);
    m->armed = false;
    fired++;
    if (!meddle)
        return;
    for (int n = (int)(draw() % 4); n > 0; n--) {
        struct model_timer *other = &model[draw() % MODEL_TIMERS];
        if (other->armed)
            model_disarm(other);
        else
            model_arm(other, draw_deadline(model_now));
    }
}

static void model_advance(int64_t now)
{
    model_now = now;
    due_before = armings;
    timer_wheel_advance(&wheel, now);
    struct model_timer *left = model_earliest(due_before);
    CHECK(!left || left->deadline_ns > now);
}

static void model_check(void)
{
    struct model_timer *earliest = model_earliest(UINT64_MAX);
    int64_t next = timer_wheel_next(&wheel);

    CHECK_EQ(wheel.armed, model_armed());
    if (!earliest)
        CHECK_EQ(next, WHORL_FOREVER);
    else
        CHECK(next <= earliest->deadline_ns);
}

static void model_run(uint64_t seed, int steps, bool meddling, int64_t start)
{
    int64_t now = start;

    random_state = seed;
    meddle = meddling;
    fired = 0;
    armings = 0;
    memset(model, 0, sizeof model);
    start_wheel(now);
    for (int step = 0; step < steps; step++) {
        struct model_timer *m = &model[draw() % MODEL_TIMERS];
        uint64_t what = draw() % 10;
        if (what < 6) {
            if (m->armed)
                model_disarm(m);
            model_arm(m, draw_deadline(now));
        } else if (what < 7) {
            if (m->armed)
                model_disarm(m);
        } else {
            int64_t next = timer_wheel_next(&wheel);
            if (what == 7 && next != WHORL_FOREVER && next > now)
                now = next;
            else
                now += draw_delay() >> draw() % 16;
            model_advance(now);
        }
        model_check();
    }
    for (int i = 0; i < MODEL_TIMERS; i++)
        if (model[i].armed)
            model_disarm(&model[i]);
    CHECK_EQ(timer_wheel_next(&wheel), WHORL_FOREVER);
    CHECK_EQ(wheel.armed, 0);
    for (int level = 0; level < TIMER_LEVELS; level++)
        CHECK_EQ(wheel.levels[level].words, 0);
    CHECK(fired > steps / 50);
}

TEST(the_wheel_does_what_a_sorted_list_does)
{
    for (uint64_t seed = 1; seed <= 30; seed++)
        model_run(seed, 2000, false, (int64_t)(seed * 1000000007 % 90000000000000));
}

TEST(the_wheel_does_so_when_timers_change_others_as_they_fire)
{
    for (uint64_t seed = 1; seed <= 30; seed++)
        model_run(seed, 2000, true, 0);
}

/* A loop that sleeps until timer_wheel_next() must reach every timer at its instant, in few
 * steps. */
TEST(following_next_reaches_every_deadline_in_order)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        int64_t now = 0;
        int turns = 0;

        random_state = seed;
        meddle = false;
        fired = 0;
        armings = 0;
        memset(model, 0, sizeof model);
        start_wheel(now);
        for (int i = 0; i < MODEL_TIMERS; i++)
            model_arm(&model[i], draw_delay());
        while (wheel.armed > 0) {
            int64_t next = timer_wheel_next(&wheel), earliest;
            earliest = model_earliest(UINT64_MAX)->deadline_ns;
            CHECK(next >= now || next == earliest);
            now = next > now ? next : now;
            CHECK(now <= earliest);
            model_advance(now);
            CHECK(++turns <= MODEL_TIMERS * (TIMER_LEVELS + 1));
        }
        CHECK_EQ(fired, MODEL_TIMERS);
    }
}

/* --- particular instants --------------------------------------------------------------------- */

static int fires;

static void note_fire(struct whorl_timer *timer)
{
    (void)timer;
    fires++;
}

static void advance(int64_t now)
{
    model_now = now;
    timer_wheel_advance(&wheel, now);
}

/* The timer fires at its instant and not before, at any position of the wheel and any distance. */
TEST(a_timer_fires_at_its_nanosecond)
{
    for (unsigned from = 0; from < 62; from++) {
        for (unsigned to = 0; to < 62; to++) {
            for (int64_t nudge = -1; nudge <= 1; nudge++) {
                int64_t start = (INT64_C(1) << from) - 1;
                int64_t deadline = start + (INT64_C(1) << to) + nudge;
                if (deadline <= start)
                    continue;
                struct whorl_timer timer = {.deadline_ns = deadline, .fire = note_fire};
                fires = 0;
                start_wheel(start);
                timer_wheel_add(&wheel, &timer);
                CHECK_EQ(timer_wheel_next(&wheel), deadline);
                advance(start);
                CHECK_EQ(fires, 0);
                advance(deadline - 1);
                CHECK_EQ(fires, 0);
                CHECK_EQ(timer_wheel_next(&wheel), deadline);
                advance(deadline);
                CHECK_EQ(fires, 1);
                CHECK_EQ(timer_wheel_next(&wheel), WHORL_FOREVER);
            }
        }
    }
}

TEST(the_last_nanosecond_of_time_is_an_instant_like_others)
{
    struct whorl_timer timer = {.deadline_ns = WHORL_FOREVER - 1, .fire = note_fire};

    start_wheel(0);
    timer_wheel_add(&wheel, &timer);
    advance(WHORL_FOREVER - 2);
    CHECK_EQ(fires, 0);
    advance(WHORL_FOREVER - 1);
    CHECK_EQ(fires, 1);
}

TEST(a_deadline_before_all_time_fires_at_the_next_advance)
{
    struct whorl_timer timer = {.deadline_ns = INT64_MIN, .fire = note_fire};

    start_wheel(12345678);
    timer_wheel_add(&wheel, &timer);
    CHECK(timer_wheel_next(&wheel) <= 12345678);
    advance(12345678);
    CHECK_EQ(fires, 1);
}

static void advance_through(int64_t now)
{
    do
        advance(now);
    while (timer_wheel_next(&wheel) <= now);
}

TEST(a_jump_over_years_fires_everything_on_the_way)
{
    static struct whorl_timer timers[1000];

    start_wheel(0);
    for (int i = 0; i < 1000; i++) {
        timers[i] =
            (struct whorl_timer){.deadline_ns = (int64_t)i * i * i * 1000000007, .fire = note_fire};
        timer_wheel_add(&wheel, &timers[i]);
    }
    advance_through(1000 * 365 * 24 * (WHORL_HOUR / 1000));
    int within = fires;
    CHECK(within > 100 && within < 1000);
    advance_through(WHORL_FOREVER - 1);
    CHECK_EQ(fires, 1000);
    CHECK_EQ(wheel.armed, 0);
}

/* This way the woken tasks run while they are in the cache, and the kernel is polled in between. */
TEST(a_wave_of_timers_fires_in_parts)
{
    static struct whorl_timer timers[10000];

    start_wheel(0);
    for (int i = 0; i < 10000; i++) {
        timers[i] = (struct whorl_timer){.deadline_ns = i * TICK, .fire = note_fire};
        timer_wheel_add(&wheel, &timers[i]);
    }
    for (int before = 0; fires < 10000; before = fires) {
        advance(10000 * TICK);
        CHECK(fires > before);
        CHECK(fires - before <= 1000);
        CHECK(fires == 10000 || timer_wheel_next(&wheel) <= 10000 * TICK);
    }
    CHECK_EQ(wheel.armed, 0);
}

static void fire_in_the_past_again(struct whorl_timer *timer)
{
    timer_wheel_add(&wheel, timer);
}

/* Each time there are enough timers for a whole part, like tasks that cannot keep up with their
 * period. */
TEST(timers_armed_for_the_past_keep_no_later_ones_from_firing)
{
    static struct whorl_timer past[1000], later[1000];

    start_wheel(0);
    for (int i = 0; i < 1000; i++) {
        past[i] = (struct whorl_timer){.deadline_ns = 1, .fire = fire_in_the_past_again};
        later[i] = (struct whorl_timer){.deadline_ns = (i + 2) * TICK, .fire = note_fire};
        timer_wheel_add(&wheel, &past[i]);
        timer_wheel_add(&wheel, &later[i]);
    }
    for (int before = 0; fires < 1000; before = fires) {
        advance(10000 * TICK);
        CHECK(before == 0 || fires > before);
        CHECK(timer_wheel_next(&wheel) == 1);
    }
    CHECK_EQ(wheel.armed, 1000);
}

static struct whorl_timer numbered[10];

static void log_number(struct whorl_timer *timer)
{
    test_log("%d", (int)(timer - numbered));
}

static void number(int i, int64_t deadline_ns)
{
    numbered[i] = (struct whorl_timer){.deadline_ns = deadline_ns, .fire = log_number};
    timer_wheel_add(&wheel, &numbered[i]);
}

/* Armed far ahead, then nearer, then nearer again: on three levels of the wheel. */
TEST(equal_deadlines_fire_in_the_order_of_arming)
{
    int64_t deadline = WHORL_MINUTE + 4321;

    start_wheel(0);
    number(0, deadline);
    number(1, deadline);
    advance(deadline - WHORL_SECOND);
    number(2, deadline);
    advance(deadline - 1000 * TICK);
    number(3, deadline);
    advance(deadline - 10 * TICK);
    number(4, deadline);
    advance(deadline - 1);
    number(5, deadline);
    number(6, deadline - 2); /* already in the past, and earlier than the others */
    timer_wheel_remove(&wheel, &numbered[1]);
    number(1, deadline);
    advance(deadline);
    CHECK_STR(test_logged(), "6 0 2 3 4 5 1");
}

static void disarm_next_two(struct whorl_timer *timer)
{
    log_number(timer);
    timer_wheel_remove(&wheel, timer + 1);
    timer_wheel_remove(&wheel, timer + 2);
}

static void arm_again(struct whorl_timer *timer)
{
    log_number(timer);
    timer_wheel_add(&wheel, timer);
}

TEST(a_timer_disarmed_by_one_that_fires_with_it_does_not_fire)
{
    start_wheel(0);
    for (int i = 0; i < 5; i++)
        number(i, 1000 + i);
    numbered[1].fire = disarm_next_two;
    advance(2000);
    CHECK_STR(test_logged(), "0 1 4");
    CHECK_EQ(wheel.armed, 0);
}

TEST(a_timer_armed_again_as_it_fires_waits_for_the_next_turn)
{
    start_wheel(0);
    number(0, 1000);
    number(1, 1001);
    numbered[0].fire = arm_again;
    advance(2000);
    CHECK_STR(test_logged(), "0 1");
    CHECK(timer_wheel_next(&wheel) <= 2000);
    advance(2000);
    CHECK_STR(test_logged(), "0 1 0");
}

/* --- load ------------------------------------------------------------------------------------ */

static int64_t last_deadline;

static void check_order(struct whorl_timer *timer)
{
    CHECK(timer->deadline_ns >= last_deadline);
    last_deadline = timer->deadline_ns;
    fires++;
}

static int64_t cpu_time_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return ts.tv_sec * WHORL_SECOND + ts.tv_nsec;
}

/* Arms a million timers in the tick that begins at `base`, 61 for each nanosecond, the latest one
 * first. */
static struct whorl_timer *arm_a_million(int64_t base)
{
    struct whorl_timer *timers = calloc(MILLION, sizeof *timers);

    CHECK(timers != NULL);
    start_wheel(0);
    for (int i = 0; i < MILLION; i++) {
        timers[i] = (struct whorl_timer){.deadline_ns = base + (MILLION - i) * 16 / 1000,
                                         .fire = check_order};
        timer_wheel_add(&wheel, &timers[i]);
    }
    return timers;
}

static void check_cpu_time(int64_t since_ns)
{
    int64_t took = cpu_time_ns() - since_ns;

    printf("%lld ms\n", (long long)(took / WHORL_MILLISECOND));
    CHECK(took < 3 * WHORL_SECOND * test_timeout_scale());
}

TEST(a_million_timers_in_one_slot_in_reverse_order)
{
    int64_t base = WHORL_HOUR / TICK * TICK, began = cpu_time_ns();
    struct whorl_timer *timers = arm_a_million(base);

    CHECK(timer_wheel_next(&wheel) <= base);
    advance(base - 1);
    CHECK_EQ(fires, 0);
    advance(base + 8000);
    CHECK(fires > 400000 && fires < 600000);
    advance(base + 17000);
    CHECK_EQ(fires, MILLION);
    free(timers);
    check_cpu_time(began);
}

/* The time must not grow with the timers of the tick times its nanoseconds; that would be ten
 * minutes. */
TEST(a_virtual_clock_may_stop_at_every_nanosecond_of_a_tick_with_a_million_timers)
{
    int64_t base = WHORL_HOUR / TICK * TICK, began = cpu_time_ns(), next;
    struct whorl_timer *timers = arm_a_million(base);
    int stops = 0;

    for (; (next = timer_wheel_next(&wheel)) != WHORL_FOREVER; stops++) {
        int before = fires;
        advance(next);
        CHECK(fires > before || next < base);
    }
    CHECK_EQ(fires, MILLION);
    CHECK(stops >= 16000 && stops < 16100);
    free(timers);
    check_cpu_time(began);
}

/* --- the public calls ------------------------------------------------------------------------ */

static void log_whorl(struct whorl_timer *timer)
{
    test_log("%d@%lld", (int)(timer - numbered), (long long)whorl_now());
}

TEST_VIRTUAL(arming_an_armed_timer_moves_it)
{
    struct whorl_run_stats stats;

    whorl_timer_arm(&numbered[0], 100, log_whorl);
    whorl_timer_arm(&numbered[1], 200, log_whorl);
    whorl_timer_arm(&numbered[0], 300, log_whorl);
    whorl_timer_arm(&numbered[2], 150, log_whorl);
    whorl_timer_arm(&numbered[2], WHORL_FOREVER, log_whorl); /* disarms the timer */
    CHECK_OK(whorl_run_get_stats(&stats));
    CHECK_EQ(stats.timers_armed, 2);
    whorl_timer_disarm(&numbered[2]);
    CHECK_OK(whorl_sleep_until(1000));
    CHECK_STR(test_logged(), "1@200 0@300");
    whorl_timer_disarm(&numbered[0]);
    whorl_timer_arm(&numbered[0], 10, log_whorl); /* in the past */
    CHECK_STR(test_logged(), "1@200 0@300");
    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_sleep(1));
    CHECK_STR(test_logged(), "1@200 0@300 0@1000");
}

static int park_for_ever(void *arg)
{
    bool waits = arg;

    for (int i = 0; i < 4; i++) /* becomes an ordinary timer and one of the background again */
        (i % 2 ? whorl_timer_arm_background : whorl_timer_arm)(&numbered[0], 100 + i, log_whorl);
    whorl_timer_arm_background(&numbered[1], 50, log_whorl);
    whorl_timer_arm_background(&numbered[2], 60, log_whorl);
    whorl_timer_disarm(&numbered[2]);
    if (waits)
        whorl_timer_arm(&numbered[3], 200, log_whorl);
    return whorl_sleep_until(WHORL_FOREVER);
}

TEST(a_background_timer_fires_but_hides_no_deadlock)
{
    struct whorl_virtual_options options = {.run.quiet = true};

    CHECK_ERR(whorl_run_virtual(&options, park_for_ever, NULL), -EDEADLK);
    CHECK_STR(test_logged(), ""); /* the deadlock was seen at once */
    memset(numbered, 0, sizeof numbered);
    CHECK_ERR(whorl_run_virtual(&options, park_for_ever, "waits"), -EDEADLK);
    CHECK_STR(test_logged(), "1@50 0@103 3@200");
}

static void arm_outside(void *arg)
{
    (void)arg;
    whorl_timer_arm(&numbered[0], 1, log_whorl);
}

static void disarm_outside(void *arg)
{
    (void)arg;
    numbered[0].next = numbered[0].prev = &numbered[0]; /* as if it were armed */
    whorl_timer_disarm(&numbered[0]);
}

TEST(a_timer_that_is_used_outside_a_run_aborts_with_a_word_why)
{
    static struct child child;

    whorl_timer_disarm(&numbered[1]); /* it is not armed */
    child_run(&child, arm_outside, NULL);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "outside a run"));
    child_run(&child, disarm_outside, NULL);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "outside a run"));
}

TEST_MAIN()

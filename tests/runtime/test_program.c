/* SPDX-License-Identifier: MIT */
/* Random programs: a seed selects operations on channels, selects, mutexes, deadlines and
 * cancellation, and the order of the tasks. Checks the invariants that must always hold. */
#include <stdlib.h>

#include <whorl/chan.h>
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/select.h>
#include <whorl/sync.h>

#include "faults.h"
#include "test.h"

#define CHANS 3
#define STEPS 25
#define TASKS 8

struct program {
    uint64_t random;
    struct whorl_chan *chans[CHANS];
    struct whorl_mutex mutex;
    struct whorl_rwlock rwlock;
    struct whorl_semaphore semaphore;
    struct whorl_event event;
    struct whorl_group *group;
    int in_mutex, readers, writers, permits_out;
    long sent, received, sent_sum, received_sum;
};

static unsigned draw(struct program *p, unsigned n)
{
    p->random = p->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(p->random >> 33) % n;
}

/* Sleeps a little or yields; the result does not matter. */
static WHORL_SUSPENDS_SHIELDED void linger(struct program *p)
{
    if (draw(p, 2))
        test_ignore(whorl_yield());
    else
        test_ignore(whorl_sleep(draw(p, 3)));
}

static void note(struct program *p, bool sent, int value, int err)
{
    if (err)
        CHECK(err == -ECANCELED || err == -EPIPE || err == -EAGAIN);
    else if (sent)
        p->sent++, p->sent_sum += value;
    else
        p->received++, p->received_sum += value;
}

static WHORL_SUSPENDS_SHIELDED void use_channel(struct program *p)
{
    struct whorl_chan *chan = p->chans[draw(p, CHANS)];
    int value = (int)draw(p, 1000), got = -1;
    bool sends = draw(p, 2);
    int err = draw(p, 2) ? sends ? whorl_chan_send(chan, &value) : whorl_chan_recv(chan, &got)
              : sends ? whorl_chan_try_send(chan, &value)
                         : whorl_chan_try_recv(chan, &got);

    CHECK((got >= 0) == (!sends && err == 0));
    note(p, sends, sends ? value : got, err);
}

static WHORL_SUSPENDS_SHIELDED void use_select(struct program *p)
{
    int values[4], got = -1;
    bool sends[4];
    struct whorl_case cases[6];

    for (int i = 0; i < 4; i++) {
        struct whorl_chan *chan = p->chans[draw(p, CHANS)];
        values[i] = (int)draw(p, 1000);
        sends[i] = draw(p, 2);
        cases[i] = sends[i] ? whorl_case_send(chan, &values[i]) : whorl_case_recv(chan, &got);
    }
    cases[4] = whorl_case_deadline(whorl_after(draw(p, 6)));
    cases[5] = draw(p, 2) ? whorl_case_event(&p->event) : (struct whorl_case){0};
    int k = whorl_select(cases, 6);
    CHECK(k >= 0 || k == -ECANCELED);
    bool took = k >= 0 && k < 4 && cases[k].result == 0;
    CHECK((got >= 0) == (took && !sends[k]));
    if (took)
        note(p, sends[k], sends[k] ? values[k] : got, 0);
}

static WHORL_SUSPENDS_SHIELDED void use_lock(struct program *p)
{
    int err = draw(p, 4) ? whorl_mutex_lock(&p->mutex) : whorl_mutex_try_lock(&p->mutex);

    if (err)
        return;
    CHECK_EQ(p->in_mutex++, 0);
    linger(p);
    CHECK_EQ(--p->in_mutex, 0);
    whorl_mutex_unlock(&p->mutex);
}

static WHORL_SUSPENDS_SHIELDED void use_rwlock(struct program *p)
{
    bool writes = draw(p, 3) == 0;
    int err = writes ? whorl_rwlock_write_lock(&p->rwlock) : whorl_rwlock_read_lock(&p->rwlock);

    if (err)
        return;
    int *held = writes ? &p->writers : &p->readers;
    ++*held;
    CHECK(p->writers == 0 || (p->writers == 1 && p->readers == 0));
    linger(p);
    --*held;
    whorl_rwlock_unlock(&p->rwlock);
}

static WHORL_SUSPENDS_SHIELDED void use_semaphore(struct program *p)
{
    if (whorl_semaphore_acquire(&p->semaphore) < 0)
        return;
    CHECK(++p->permits_out <= 2);
    linger(p);
    p->permits_out--;
    whorl_semaphore_release(&p->semaphore);
}

static void use_event(struct program *p)
{
    if (draw(p, 2))
        whorl_event_set(&p->event);
    else
        whorl_event_reset(&p->event);
}

typedef WHORL_SUSPENDS_SHIELDED void (*step_fn)(struct program *p);

/* Every step has a deadline, so that nothing waits for ever. */
static int run_steps(void *arg)
{
    static const step_fn steps[] = {use_channel, use_channel,  use_select, use_select,
                                    use_select,  use_lock,     use_rwlock, use_event,
                                    linger,      use_semaphore};
    struct program *p = arg;

    for (int i = 0; i < STEPS && !whorl_check_cancelled(); i++) {
        struct whorl_scope scope;
        int64_t began_ns = whorl_now(), limit_ns = draw(p, 8);
        whorl_scope_enter(&scope, whorl_after(limit_ns));
        steps[draw(p, sizeof steps / sizeof *steps)](p);
        CHECK(whorl_now() <= began_ns + limit_ns); /* no step takes longer than its limit */
        (void)whorl_scope_leave(&scope, 0);
        if (draw(p, 600) == 0)
            whorl_chan_close(p->chans[draw(p, CHANS)]);
        if (draw(p, 400) == 0)
            whorl_group_cancel(p->group);
        test_ignore(whorl_yield());
    }
    return 0;
}

static int root(void *arg)
{
    struct program *p = arg;
    struct whorl_run_stats stats;

    for (int round = 0; round < 2; round++) {
        WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
        p->group = &group;
        for (int i = 0; i < TASKS; i++)
            CHECK_OK(whorl_spawn(&group, run_steps, p));
        CHECK_OK(whorl_group_wait(&group));
        CHECK_OK(whorl_run_get_stats(&stats));
        CHECK_EQ(stats.tasks_alive, 1);
        CHECK_EQ(stats.timers_armed, 0);
        CHECK(!p->mutex.owner && !p->mutex.waiters.first);
        CHECK(!p->rwlock.writer && p->rwlock.readers == 0 && !p->rwlock.waiters.first);
        CHECK(p->semaphore.permits == 2 && !p->semaphore.waiters.first);
        CHECK(!p->event.waiters.first);
    }
    int value;
    for (int c = 0; c < CHANS; c++)
        while (whorl_chan_try_recv(p->chans[c], &value) == 0)
            note(p, false, value, 0);
    CHECK_EQ(p->received, p->sent);
    CHECK_EQ(p->received_sum, p->sent_sum);
    return 0;
}

static long run_program(uint64_t seed)
{
    struct whorl_virtual_options options = {.seed = seed};
    struct program p = {.random = seed, .semaphore.permits = 2};

    for (int c = 0; c < CHANS; c++)
        CHECK_OK(whorl_chan_create(sizeof(int), (size_t)c * 2, &p.chans[c]));
    int err = whorl_run_virtual(&options, root, &p);
    for (int c = 0; c < CHANS; c++)
        whorl_chan_destroy(p.chans[c]);
    if (err)
        test_fail(__FILE__, __LINE__, "seed %llu: %s", (unsigned long long)seed,
                  whorl_error_name(err));
    return p.sent;
}

static void run_programs(uint64_t from, uint64_t to)
{
    long live = faults_live(), sent = 0;

    for (uint64_t seed = from; seed < to; seed++) {
        /* The last line shows the seed that failed. */
        printf("seed %llu\n", (unsigned long long)seed);
        sent += run_program(seed);
    }
    CHECK(sent > (long)(to - from) * 5); /* otherwise the test proves nothing */
    CHECK_EQ(faults_live(), live);
}

TEST(programs_keep_every_promise_with_500_seeds)
{
    run_programs(0, 500);
}

TEST(programs_with_the_same_seed_are_the_same)
{
    for (uint64_t seed = 1; seed < 10; seed++)
        CHECK_EQ(run_program(seed), run_program(seed));
}

TEST_SLOW(programs_keep_every_promise_with_many_seeds, TEST_PLAIN, 120)
{
    if (!getenv("TEST_SLOW"))
        test_skip("TEST_SLOW is not set");
    run_programs(1000, 20000);
}

TEST_MAIN()

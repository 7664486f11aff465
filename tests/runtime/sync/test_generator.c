/* SPDX-License-Identifier: MIT */
/* Generators: the order of values, the end, cancellation of either side. */
#include <whorl/future.h>
#include <whorl/generator.h>
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>

#include "faults.h"
#include "test.h"

static int count_up(struct whorl_generator *generator, void *arg)
{
    int n = *(int *)arg;

    test_log("(");
    for (int i = 0; i < n; i++) {
        int err = whorl_generator_yield(generator, &i);
        if (err) {
            test_log("%d)", err);
            return err;
        }
    }
    test_log(")");
    return 0;
}

TEST_VIRTUAL(generator_and_puller_take_turns)
{
    int n = 3, value = -1, err;
    WHORL_AUTO(generator) *generator = NULL;
    CHECK_OK(whorl_generator_create(count_up, &n, sizeof(int), &generator));

    CHECK_OK(whorl_yield());
    test_log("start");
    while ((err = whorl_generator_next(generator, &value)) > 0)
        test_log("%d", value);
    CHECK_OK(err);
    CHECK_EQ(value, 2);
    CHECK_OK(whorl_generator_next(generator, &value)); /* again at the end */
    CHECK_STR(test_logged(), "start ( 0 1 2 )");
}

TEST(generator_outside_a_task_is_refused)
{
    struct whorl_generator *generator = NULL;
    int n = 1;

    CHECK_ERR(whorl_generator_create(count_up, &n, sizeof(int), &generator), WHORL_ENOTASK);
    CHECK(!generator);
    whorl_generator_destroy(NULL);
}

TEST_VIRTUAL(generator_of_values_that_fit_in_no_memory_is_eoverflow)
{
    struct whorl_generator *generator = NULL;
    int n = 1;

    CHECK_ERR(whorl_generator_create(count_up, &n, SIZE_MAX, &generator), -EOVERFLOW);
    CHECK(!generator);
}

TEST_VIRTUAL(generator_that_was_never_pulled_never_begins)
{
    struct whorl_generator *generator = NULL;
    int n = 3;

    CHECK_OK(whorl_generator_create(count_up, &n, sizeof(int), &generator));
    whorl_generator_destroy(generator);
    CHECK_OK(whorl_yield());
    CHECK_STR(test_logged(), "");
}

TEST_VIRTUAL(generator_destroyed_early_cancels_and_joins_its_body)
{
    int n = 3, value;
    struct whorl_generator *generator = NULL;
    CHECK_OK(whorl_generator_create(count_up, &n, sizeof(int), &generator));

    CHECK_EQ(whorl_generator_next(generator, &value), 1);
    CHECK_EQ(whorl_generator_next(generator, &value), 1);
    whorl_generator_destroy(generator);
    test_log("gone");
    CHECK_STR(test_logged(), "( -125) gone");
}

static int fail_after_one(struct whorl_generator *generator, void *arg)
{
    int err = whorl_generator_yield(generator, arg);
    return err ? err : -EIO;
}

TEST_VIRTUAL(generator_ends_with_its_error_again_and_again)
{
    int seven = 7, value = 0;
    WHORL_AUTO(generator) *generator = NULL;
    CHECK_OK(whorl_generator_create(fail_after_one, &seven, sizeof(int), &generator));

    CHECK_EQ(whorl_generator_next(generator, &value), 1);
    CHECK_EQ(value, 7);
    value = 0;
    CHECK_ERR(whorl_generator_next(generator, &value), -EIO);
    CHECK_ERR(whorl_generator_next(generator, &value), -EIO);
    CHECK_EQ(value, 0);
    CHECK_OK(whorl_check_cancelled()); /* the generator has failed, the puller is not cancelled */
}

/* Yields one value per second. */
static int tick(struct whorl_generator *generator, void *arg)
{
    (void)arg;
    for (int i = 0;; i++) {
        int err = whorl_sleep(WHORL_SECOND);
        if (err == 0)
            err = whorl_generator_yield(generator, &i);
        if (err)
            return err;
    }
}

static WHORL_SUSPENDS int next_within(struct whorl_generator *generator, int64_t timeout_ns,
                                      int *value)
{
    struct whorl_scope scope;

    whorl_scope_enter(&scope, whorl_after(timeout_ns));
    return whorl_scope_leave(&scope, whorl_generator_next(generator, value));
}

TEST_VIRTUAL(generator_keeps_the_value_a_cancelled_puller_missed)
{
    WHORL_AUTO(generator) *generator = NULL;
    CHECK_OK(whorl_generator_create(tick, NULL, sizeof(int), &generator));
    int value = -1;

    CHECK_EQ(whorl_generator_next(generator, &value), 1);
    CHECK_EQ(value, 0);
    CHECK_ERR(next_within(generator, WHORL_SECOND / 2, &value), -ETIMEDOUT);
    CHECK_EQ(value, 0);
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    CHECK_EQ(whorl_generator_next(generator, &value), 1); /* it is already there */
    CHECK_EQ(value, 1);
    CHECK_EQ(whorl_now(), 5 * WHORL_SECOND / 2);
    CHECK_EQ(whorl_generator_next(generator, &value), 1);
    CHECK_EQ(value, 2);
    CHECK_EQ(whorl_now(), 7 * WHORL_SECOND / 2);
}

/* The body belongs to the scope in which the generator was created, not to the scope of the first
 * pull. */
TEST_VIRTUAL(generator_outlives_a_first_pull_that_times_out)
{
    WHORL_AUTO(generator) *generator = NULL;
    CHECK_OK(whorl_generator_create(tick, NULL, sizeof(int), &generator));
    int value = -1;

    CHECK_ERR(next_within(generator, WHORL_SECOND / 2, &value), -ETIMEDOUT);
    CHECK_EQ(whorl_generator_next(generator, &value), 1);
    CHECK_EQ(value, 0);
    CHECK_EQ(whorl_now(), WHORL_SECOND);
}

static int square(struct whorl_generator *generator, void *arg)
{
    WHORL_AUTO(generator) *inner = NULL;
    CHECK_OK(whorl_generator_create(count_up, arg, sizeof(int), &inner));
    int value, err;

    while ((err = whorl_generator_next(inner, &value)) > 0) {
        err = whorl_generator_yield(generator, &(long){(long)value * value});
        if (err)
            break;
    }
    return err;
}

TEST_VIRTUAL(generators_nest)
{
    int n = 5, err;
    long value, sum = 0;
    WHORL_AUTO(generator) *generator = NULL;
    CHECK_OK(whorl_generator_create(square, &n, sizeof(long), &generator));

    while ((err = whorl_generator_next(generator, &value)) > 0)
        sum += value;
    CHECK_OK(err);
    CHECK_EQ(sum, 0 + 1 + 4 + 9 + 16);
}

TEST_VIRTUAL(generator_that_nests_is_destroyed_with_what_is_inside)
{
    int n = 5;
    long value;
    struct whorl_generator *generator = NULL;
    CHECK_OK(whorl_generator_create(square, &n, sizeof(long), &generator));

    CHECK_EQ(whorl_generator_next(generator, &value), 1);
    whorl_generator_destroy(generator);
    CHECK_STR(test_logged(), "( -125)");
}

static int stubborn(struct whorl_generator *generator, void *arg)
{
    int errs = 0;
    for (int i = 0; i < 4; i++)
        errs += whorl_generator_yield(generator, arg) == -ECANCELED;
    test_log("refused %d", errs);
    return 0;
}

TEST_VIRTUAL(generator_that_goes_on_yielding_while_destroyed_is_refused)
{
    int value = 1;
    struct whorl_generator *generator = NULL;
    CHECK_OK(whorl_generator_create(stubborn, &value, sizeof(int), &generator));

    CHECK_EQ(whorl_generator_next(generator, &value), 1);
    whorl_generator_destroy(generator);
    CHECK_STR(test_logged(), "refused 4");
}

static int signals(struct whorl_generator *generator, void *arg)
{
    for (int i = 0; i < *(int *)arg; i++) {
        int err = whorl_generator_yield(generator, NULL);
        if (err)
            return err;
    }
    return 0;
}

TEST_VIRTUAL(generator_of_values_without_bytes_counts_its_yields)
{
    int n = 4, pulled = 0;
    WHORL_AUTO(generator) *generator = NULL;
    CHECK_OK(whorl_generator_create(signals, &n, 0, &generator));

    while (whorl_generator_next(generator, NULL) > 0)
        pulled++;
    CHECK_EQ(pulled, 4);
}

static int pull_all(void *arg)
{
    int n = 3, value;
    WHORL_AUTO(generator) *generator = NULL;
    int err = whorl_generator_create(count_up, &n, sizeof(int), &generator);

    (void)arg;
    if (err)
        return err;
    while ((err = whorl_generator_next(generator, &value)) > 0)
        ;
    return err;
}

static int run_pull_all(void *arg)
{
    return whorl_run_virtual(NULL, pull_all, arg);
}

TEST(generator_survives_every_failed_allocation)
{
    CHECK(faults_sweep(run_pull_all, NULL) > 3);
}

/* --- a yield that is cut short ---------------------------------------------------------------- */

static WHORL_SUSPENDS int yield_within(struct whorl_generator *generator, int64_t timeout_ns,
                                       int value)
{
    struct whorl_scope scope;

    whorl_scope_enter(&scope, whorl_after(timeout_ns));
    int err = whorl_scope_leave(&scope, whorl_generator_yield(generator, &value));
    test_log("y%d:%d", value, err);
    return err;
}

static int yield_impatiently(struct whorl_generator *generator, void *arg)
{
    int n = *(int *)arg;

    for (int i = 0; i < n; i++) {
        int err = yield_within(generator, 5, i);
        if (err && err != -ETIMEDOUT)
            return err;
    }
    return 0;
}

TEST_VIRTUAL(generator_goes_on_after_a_yield_that_its_own_deadline_ended)
{
    WHORL_AUTO(generator) *generator = NULL;
    int n = 2, value = -1;

    CHECK_OK(whorl_generator_create(yield_impatiently, &n, sizeof(int), &generator));
    CHECK_EQ(whorl_generator_next(generator, &value), 1);
    CHECK_EQ(value, 0);
    CHECK_OK(whorl_sleep(7)); /* at 5 the yield of 0 ends, and 1 is handed over */
    CHECK_STR(test_logged(), "y0:-110");
    CHECK_EQ(whorl_generator_next(generator, &value), 1);
    CHECK_EQ(value, 1);
    CHECK_OK(whorl_generator_next(generator, &value));
    CHECK_STR(test_logged(), "y0:-110 y1:0");
}

static int yield_after_giving_up(struct whorl_generator *generator, void *arg)
{
    (void)arg;
    int err = whorl_sleep(10);
    if (err)
        return err;
    for (int i = 0; i < 3; i++) {
        err = yield_within(generator, 5, i);
        CHECK(err == 0 || err == -ETIMEDOUT);
    }
    return whorl_generator_yield(generator, &(int){3});
}

TEST_VIRTUAL(generator_keeps_a_value_that_was_not_pulled_and_the_next_yield_waits_for_that)
{
    WHORL_AUTO(generator) *generator = NULL;
    int value = -1;

    CHECK_OK(whorl_generator_create(yield_after_giving_up, NULL, sizeof(int), &generator));
    CHECK_ERR(next_within(generator, 5, &value), -ETIMEDOUT);
    CHECK_OK(whorl_sleep(100)); /* at 10 value 0 is handed over; 1 and 2 find no room */
    CHECK_STR(test_logged(), "y0:-110 y1:-110 y2:-110");
    CHECK_EQ(whorl_generator_next(generator, &value), 1);
    CHECK_EQ(value, 0);
    CHECK_EQ(whorl_generator_next(generator, &value), 1);
    CHECK_EQ(value, 3);
    CHECK_OK(whorl_generator_next(generator, &value));
}

TEST_VIRTUAL(generator_destroyed_while_its_body_waits_for_room_is_joined)
{
    struct whorl_generator *generator = NULL;
    int value = -1;

    CHECK_OK(whorl_generator_create(yield_after_giving_up, NULL, sizeof(int), &generator));
    CHECK_ERR(next_within(generator, 5, &value), -ETIMEDOUT);
    CHECK_OK(whorl_sleep(100));
    whorl_generator_destroy(generator);
}

/* --- who may pull ----------------------------------------------------------------------------- */

static int pull(void *arg)
{
    int value = -1, err = whorl_generator_next(arg, &value);

    test_log("%d:%d", err, value);
    return 0;
}

TEST_VIRTUAL(generator_with_two_pullers_refuses_the_second)
{
    WHORL_AUTO(generator) *generator = NULL;
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_generator_create(tick, NULL, sizeof(int), &generator));
    CHECK_OK(whorl_spawn(&group, pull, generator));
    CHECK_OK(whorl_spawn(&group, pull, generator));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(whorl_spawn(&group, pull, generator)); /* one after the other is allowed */
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "-16:-1 1:0 1:1");
}

static int pull_at_2_seconds(void *arg)
{
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    return pull(arg);
}

/* The first puller has been woken for the value, but does not run before the second. */
TEST_SEEDS(generator_gives_a_value_to_the_puller_that_waited_for_it)
{
    WHORL_AUTO(generator) *generator = NULL;
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_generator_create(tick, NULL, sizeof(int), &generator));
    CHECK_OK(whorl_spawn(&group, pull, generator));
    CHECK_OK(whorl_spawn(&group, pull_at_2_seconds, generator));
    CHECK_OK(whorl_spawn(&group, pull_at_2_seconds, generator));
    CHECK_OK(whorl_group_wait(&group));
    CHECK(strstr(test_logged(), "1:0"));
    CHECK(!strstr(test_logged(), "-11:"));
}

static int pull_own(struct whorl_generator *generator, void *arg)
{
    int value = -1;

    CHECK_ERR(whorl_generator_next(generator, &value), -EBUSY); /* a task waits for the body */
    int err = yield_within(generator, 5, 1);
    CHECK_ERR(err, -ETIMEDOUT);
    *(int *)arg = whorl_generator_next(generator, &value);
    return 0;
}

TEST_VIRTUAL(generator_that_its_own_body_pulls_is_edeadlk)
{
    WHORL_AUTO(generator) *generator = NULL;
    int value = -1, err = 0;

    CHECK_OK(whorl_generator_create(pull_own, &err, sizeof(int), &generator));
    CHECK_EQ(whorl_generator_next(generator, &value), 1);
    CHECK_OK(whorl_sleep(10));
    CHECK_ERR(err, -EDEADLK);
    CHECK_OK(whorl_generator_next(generator, &value));
}

/* --- in any order ----------------------------------------------------------------------------- */

enum { VALUES = 20 };

/* Yields 0, 1, 2 ..., some of them after a random delay. */
static int dawdle(struct whorl_generator *generator, void *arg)
{
    uint64_t *random = arg;

    for (int i = 0; i < VALUES; i++) {
        int err = whorl_sleep((int64_t)test_draw(random, 4));
        if (err == 0)
            err = whorl_generator_yield(generator, &i);
        if (err)
            return err;
    }
    return 0;
}

static int pull_impatiently(void *arg)
{
    uint64_t *random = arg;
    uint64_t bodys = *random + 100;
    WHORL_AUTO(generator) *generator = NULL;
    CHECK_OK(whorl_generator_create(dawdle, &bodys, sizeof(int), &generator));
    int expected = 0, value, got;

    CHECK(generator != NULL);
    do {
        int64_t timeout = (int64_t)test_draw(random, 4);
        value = -1;
        got = next_within(generator, timeout, &value);
        if (got == 1)
            CHECK_EQ(value, expected++);
        else
            CHECK((got == 0 || got == -ETIMEDOUT) && value == -1);
        CHECK_OK(whorl_sleep((int64_t)test_draw(random, 3)));
    } while (got != 0);
    CHECK_EQ(expected, VALUES);
    return 0;
}

TEST_SEEDS(generator_loses_and_doubles_no_value_whenever_its_puller_gives_up)
{
    WHORL_AUTO(group) group = {0};

    for (uint64_t i = 0; i < 4; i++)
        CHECK_OK(whorl_spawn_copy(&group, pull_impatiently, &(uint64_t){test_seed() + i}));
    CHECK_OK(whorl_group_wait(&group));
}

static int dawdle_and_give_up(struct whorl_generator *generator, void *arg)
{
    uint64_t *random = arg;

    for (int i = 0; i < VALUES; i++) {
        struct whorl_scope scope;
        int err = whorl_sleep((int64_t)test_draw(random, 4));
        if (err)
            return err;
        whorl_scope_enter(&scope, whorl_after((int64_t)test_draw(random, 6)));
        err = whorl_scope_leave(&scope, whorl_generator_yield(generator, &i));
        if (err && err != -ETIMEDOUT)
            return err;
    }
    return 0;
}

static int pull_from_impatient(void *arg)
{
    uint64_t *random = arg;
    uint64_t bodys = *random + 100;
    WHORL_AUTO(generator) *generator = NULL;
    CHECK_OK(whorl_generator_create(dawdle_and_give_up, &bodys, sizeof(int), &generator));
    int last = -1, value, got;

    do {
        got = next_within(generator, (int64_t)test_draw(random, 4), &value);
        if (got == 1) {
            CHECK(value > last && value < VALUES);
            last = value;
        }
        CHECK_OK(whorl_sleep((int64_t)test_draw(random, 3)));
    } while (got == 1 || got == -ETIMEDOUT);
    CHECK_OK(got);
    return 0;
}

TEST_SEEDS(generator_keeps_its_order_whenever_either_side_gives_up)
{
    WHORL_AUTO(group) group = {0};

    for (uint64_t i = 0; i < 4; i++)
        CHECK_OK(whorl_spawn_copy(&group, pull_from_impatient, &(uint64_t){test_seed() + i}));
    CHECK_OK(whorl_group_wait(&group));
}

/* --- the puller's end ------------------------------------------------------------------------- */

static int abandon(void *arg)
{
    int value;
    WHORL_AUTO(generator) *generator = NULL;
    CHECK_OK(whorl_generator_create(tick, NULL, sizeof(int), &generator));

    (void)arg;
    int err = whorl_generator_next(generator, &value);
    test_log("puller %d", err);
    return err;
}

TEST_VIRTUAL(generator_ends_with_a_cancelled_puller)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_spawn(&group, abandon, NULL));
    CHECK_OK(whorl_sleep(1));
    whorl_group_cancel(&group);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    CHECK_STR(test_logged(), "puller -125");
    CHECK_EQ(whorl_now(), 1);
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT */
/* Rate limiters: the rate is exact, waiters get their tokens in the order of their arrival, and no
 * token is lost. */
#include <whorl/group.h>
#include <whorl/limiter.h>
#include <whorl/scope.h>
#include <whorl/task.h>

#include "cancel.h"
#include "test.h"

TEST_VIRTUAL(limiter_gives_a_burst_at_once_and_then_one_token_after_the_other)
{
    struct whorl_limiter limiter = {.rate = 10, .burst = 3};

    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_limiter_acquire(&limiter, 1));
    CHECK_EQ(whorl_now(), 0);
    CHECK_OK(whorl_limiter_acquire(&limiter, 1));
    CHECK_EQ(whorl_now(), 100 * WHORL_MILLISECOND);
    CHECK_OK(whorl_limiter_acquire(&limiter, 2));
    CHECK_EQ(whorl_now(), 300 * WHORL_MILLISECOND);
}

TEST_VIRTUAL(limiter_holds_no_more_than_its_burst)
{
    struct whorl_limiter limiter = {.rate = 10, .burst = 3};

    CHECK_OK(whorl_limiter_acquire(&limiter, 3));
    CHECK_OK(whorl_sleep(WHORL_HOUR));
    CHECK_OK(whorl_limiter_try_acquire(&limiter, 3));
    CHECK_ERR(whorl_limiter_try_acquire(&limiter, 1), -EAGAIN);
    CHECK_OK(whorl_sleep(99 * WHORL_MILLISECOND));
    CHECK_ERR(whorl_limiter_try_acquire(&limiter, 1), -EAGAIN);
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_OK(whorl_limiter_try_acquire(&limiter, 1));
}

/* A third of a second is no whole number of nanoseconds. */
TEST_VIRTUAL(limiter_loses_no_time_by_rounding)
{
    struct whorl_limiter limiter = {.rate = 3, .burst = 2};

    for (int i = 0; i < 3002; i++)
        CHECK_OK(whorl_limiter_acquire(&limiter, 1));
    CHECK_EQ(whorl_now(), 1000 * WHORL_SECOND);
}

TEST_VIRTUAL(limiter_counts_what_is_gained_between_two_looks)
{
    struct whorl_limiter limiter = {.rate = 1, .burst = 2};

    CHECK_OK(whorl_limiter_acquire(&limiter, 2));
    for (int i = 0; i < 10; i++) {
        CHECK_ERR(whorl_limiter_try_acquire(&limiter, 1), -EAGAIN);
        CHECK_OK(whorl_sleep(100 * WHORL_MILLISECOND));
    }
    CHECK_OK(whorl_limiter_try_acquire(&limiter, 1));
}

TEST_VIRTUAL(limiter_has_any_period_and_any_size)
{
    struct whorl_limiter slow = {.rate = 2, .period_ns = WHORL_HOUR};
    struct whorl_limiter fast = {.rate = UINT64_C(10000000000), .burst = UINT64_MAX};

    CHECK_OK(whorl_limiter_acquire(&slow, 1));
    CHECK_OK(whorl_limiter_acquire(&slow, 1));
    CHECK_EQ(whorl_now(), 30 * WHORL_MINUTE);
    CHECK_OK(whorl_limiter_acquire(&fast, UINT64_MAX));
    CHECK_OK(whorl_limiter_acquire(&fast, UINT64_C(100000000000)));
    CHECK_EQ(whorl_now(), 30 * WHORL_MINUTE + 10 * WHORL_SECOND);
}

TEST_VIRTUAL(limiter_that_is_zeroed_limits_nothing)
{
    struct whorl_limiter limiter = {0};

    for (int i = 0; i < 1000; i++)
        CHECK_OK(whorl_limiter_acquire(&limiter, UINT64_MAX));
    CHECK_OK(whorl_limiter_try_acquire(&limiter, UINT64_MAX));
    CHECK_EQ(whorl_now(), 0);
}

TEST_VIRTUAL(limiter_refuses_more_than_it_can_hold)
{
    struct whorl_limiter limiter = {.rate = 10, .burst = 3}, single = {.rate = 10};

    CHECK_ERR(whorl_limiter_acquire(&limiter, 4), -EINVAL);
    CHECK_ERR(whorl_limiter_try_acquire(&limiter, 4), -EINVAL);
    CHECK_ERR(whorl_limiter_acquire(&single, 2), -EINVAL);
    CHECK_OK(whorl_limiter_try_acquire(&limiter, 3));
}

TEST(limiter_needs_a_task_to_wait)
{
    struct whorl_limiter limiter = {.rate = 10};

    CHECK_ERR(whorl_limiter_acquire(&limiter, 1), WHORL_ENOTASK);
    CHECK_OK(whorl_limiter_try_acquire(&limiter, 1));
}

/* --- several tasks ---------------------------------------------------------------------------- */

static struct whorl_limiter shared = {.rate = 10, .burst = 5};

struct want {
    const char *name;
    uint64_t n;
};

static int want(void *arg)
{
    const struct want *want = arg;
    int err = whorl_limiter_acquire(&shared, want->n);

    test_log("%s%d@%d", want->name, err ? err : 0, (int)(whorl_now() / WHORL_MILLISECOND));
    return err;
}

TEST_VIRTUAL(limiter_serves_in_the_order_of_arrival)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_limiter_acquire(&shared, 5));
    CHECK_OK(whorl_spawn_copy(&group, want, &(struct want){"a", 4}));
    CHECK_OK(whorl_spawn_copy(&group, want, &(struct want){"b", 1}));
    CHECK_OK(whorl_spawn_copy(&group, want, &(struct want){"c", 2}));
    CHECK_OK(whorl_sleep(200 * WHORL_MILLISECOND));
    CHECK_ERR(whorl_limiter_try_acquire(&shared, 1), -EAGAIN); /* there are 2, but a is first */
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a0@400 b0@500 c0@700");
}

TEST_VIRTUAL(limiter_serves_the_next_at_once_when_the_first_is_cancelled)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT}, first = group;

    CHECK_OK(whorl_limiter_acquire(&shared, 5));
    CHECK_OK(whorl_spawn_copy(&first, want, &(struct want){"a", 5}));
    CHECK_OK(whorl_spawn_copy(&group, want, &(struct want){"b", 1}));
    CHECK_OK(whorl_spawn_copy(&group, want, &(struct want){"c", 1}));
    CHECK_OK(whorl_spawn_copy(&group, want, &(struct want){"d", 2}));
    CHECK_OK(whorl_sleep(250 * WHORL_MILLISECOND));
    whorl_group_cancel(&first);
    CHECK_ERR(whorl_group_wait(&first), -ECANCELED);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "b0@250 c0@250 a-125@250 d0@400");
}

TEST_VIRTUAL(limiter_takes_no_token_from_a_cancelled_caller)
{
    struct whorl_limiter limiter = {.rate = 1};
    struct whorl_scope scope;

    whorl_scope_enter_timeout(&scope, 0);
    CHECK_ERR(whorl_limiter_acquire(&limiter, 1), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ETIMEDOUT);
    CHECK_OK(whorl_limiter_try_acquire(&limiter, 1));
    whorl_scope_enter_timeout(&scope, WHORL_SECOND / 2);
    CHECK_ERR(whorl_scope_leave(&scope, whorl_limiter_acquire(&limiter, 1)), -ETIMEDOUT);
    CHECK_OK(whorl_sleep(WHORL_SECOND / 2));
    CHECK_OK(whorl_limiter_try_acquire(&limiter, 1));
}

static struct {
    struct whorl_limiter limiter;
    uint64_t taken;
    int64_t began_ns;
} bucket;

static void begin_bucket(void)
{
    bucket.limiter = (struct whorl_limiter){.rate = 2, .burst = 4, .period_ns = 2};
    bucket.taken = 0;
    bucket.began_ns = whorl_now();
}

static int use_bucket(void *arg)
{
    for (uint64_t i = 0; i < 3; i++) {
        uint64_t n = 1 + ((uint64_t)cancel_number(arg) + i) % 4;
        int err = whorl_limiter_acquire(&bucket.limiter, n);
        if (err)
            return err;
        bucket.taken += n;
        CHECK(bucket.taken <= 4 + (uint64_t)(whorl_now() - bucket.began_ns));
    }
    return 0;
}

static void end_bucket(void)
{
    CHECK(!bucket.limiter.waiters.first && !bucket.limiter.waiters.last);
    /* They have waited for no token that was not taken. */
    CHECK_EQ(whorl_now() - bucket.began_ns, bucket.taken > 4 ? bucket.taken - 4 : 0);
}

TEST_SEEDS(limiter_with_a_user_cancelled_at_any_point)
{
    CHECK(cancel_everywhere(
              &(struct cancel_plan){use_bucket, use_bucket, 4, begin_bucket, end_bucket}) > 0);
}

TEST_MAIN()

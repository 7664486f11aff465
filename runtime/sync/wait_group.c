/* SPDX-License-Identifier: MIT */
/* Wait groups: waiting until a count that goes up and down is 0. */
#include <stdio.h>

#include "runtime/base/check.h"
#include "runtime/sched.h"
#include "runtime/sync/wait_queue.h"

static void describe_wait_group(const struct whorl_waiter *waiter, char *text, size_t size)
{
    const struct whorl_wait_group *wait_group =
        container_of(waiter->queue, const struct whorl_wait_group, waiters);
    size_t len = wait_queue_describe(text, size, "wait group", wait_group->name, wait_group);

    snprintf(text + len, size - len, " at %zu", wait_group->count);
}

static const struct whorl_wait_kind wait_group_kind = {describe_wait_group, NULL};

static void touch(struct whorl_wait_group *wait_group)
{
    wait_queue_touch(&wait_group->waiters, "wait group", wait_group->name);
}

void whorl_wait_group_add(struct whorl_wait_group *wait_group, size_t n)
{
    touch(wait_group);
    whorl_check_text(wait_group->count + n >= n, "the count of a wait group overflowed");
    wait_group->count += n;
}

void whorl_wait_group_done(struct whorl_wait_group *wait_group)
{
    touch(wait_group);
    whorl_check_text(wait_group->count > 0, "the count of a wait group fell below zero");
    if (--wait_group->count == 0)
        while (whorl_wait_queue_wake_one(&wait_group->waiters, 0))
            ;
}

WHORL_SUSPENDS int whorl_wait_group_wait(struct whorl_wait_group *wait_group)
{
    struct whorl_task *self;
    struct sched *s;

    touch(wait_group);
    int err = sched_enter(&s, &self);
    if (err || wait_group->count == 0)
        return err;
    return (int)wait_queue_park(&wait_group->waiters, "wait group", &wait_group_kind);
}

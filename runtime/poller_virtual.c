/* SPDX-License-Identifier: MIT */
/* The virtual poller: a wait only sets the clock forward. */
#include "runtime/poller_virtual.h"

#include "runtime/base/check.h"

static int64_t now(struct whorl_poller *poller)
{
    return container_of(poller, struct poller_virtual, poller)->now_ns;
}

static int wait(struct whorl_poller *poller, int64_t deadline_ns)
{
    struct poller_virtual *p = container_of(poller, struct poller_virtual, poller);

    if (deadline_ns != WHORL_FOREVER && deadline_ns > p->now_ns)
        p->now_ns = deadline_ns;
    return 0;
}

static bool has_work(struct whorl_poller *poller)
{
    (void)poller;
    return false;
}

static void kick(struct whorl_poller *poller)
{
    (void)poller; /* it never sleeps */
}

static size_t pending(struct whorl_poller *poller)
{
    (void)poller;
    return 0;
}

static const struct whorl_poller_ops ops = {
    .name = "virtual",
    .now = now,
    .wait = wait,
    .has_work = has_work,
    .kick = kick,
    .pending = pending,
    .virtual_time = true,
};

void poller_virtual_init(struct poller_virtual *p, int64_t start_ns)
{
    p->poller.ops = &ops;
    p->now_ns = start_ns;
}
